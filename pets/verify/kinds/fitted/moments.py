"""The sums of a regression, for the checker's planner: which are measured, and how far one row can move them together.

docs/proofs/moments.md has the reasons.
"""

import itertools
import math
from fractions import Fraction as Q
from typing import Any

MOST, LEVELS, TERMS, FACTORS = 64, 50, 32, 3
SPARE, FINE, ENOUGH, WEIGHED = 3, 6, 36, 52  # bits
LONGEST, WIDE, BEHIND = 64, 10, 36  # of R²; of categories; bits behind the point of a squared length


class Sums:
    """The sums, and what one row adds to them. A sum is known by how often it takes each number, and by its values."""

    def __init__(self, one: Any, columns: Any, core: Any) -> None:
        self.need, self.columns = core.need, columns
        self.terms = [[part["column"] for part in term] for term in one["terms"]]
        self.y = one["outcome"]["column"]
        names = sorted({self.y, *itertools.chain(*self.terms)})
        listed = [part["column"] for part in one.get("levels", [])]
        numbers = [name for name in itertools.chain(*self.terms) if columns[name].kind in ("integer", "real")]
        fine = listed == sorted({*listed}) and {*listed} <= {*numbers} and ("levels" not in one or listed)
        self.need(fine, "a column of its regression that is taken by its values is none")
        self.many = {
            name for name in names if columns[name].cells > 2 and (columns[name].kind == "category" or name in listed)
        }
        self.names = names
        self.need(0 < len(self.terms) <= TERMS, "its regression has no terms, or too many")
        for name in names:
            of = columns[name]
            fits = of.kind in ("integer", "real", "boolean") or (of.kind == "category" and name != self.y)
            self.need(fits and of.cells > 1, "its regression is of a column that has no numbers")
            few = of.cells <= LEVELS or not (of.kind == "category" or name in listed)
            self.need(few, "its regression has a category of too many values")
        known = {frozenset(term) for term in self.terms}
        for term in self.terms:
            fine = sorted(set(term)) == term and 0 < len(term) <= FACTORS and self.y not in term
            self.need(fine, "a term of its regression is none")
            parts = (part for size in range(1, len(term)) for part in itertools.combinations(term, size))
            self.need(all(frozenset(part) in known for part in parts), "a product in its regression lacks its parts")
        self.need(len(known) == len(self.terms), "a term of its regression is there twice")
        self.found: dict[Any, int] = {}
        sides = [self.reduced(side, ()) for side in self.sides()]
        self.need(len(sides) <= MOST, "its regression has too many coefficients")
        outcome = ((self.y,), ())
        pairs = [(a, b, 0) for at, a in enumerate(sides) for b in sides[at:]]
        pairs += [*((a, outcome, 1) for a in sides), (outcome, outcome, 2)]
        for a, b, block in pairs:
            both = dict(a[1])
            if all(both.setdefault(name, code) == code for name, code in b[1]):  # else no row has both values
                self.found.setdefault(self.reduced([*a[0], *b[0]], both.items()), block)

    def sides(self) -> Any:
        """Each coefficient's column, as numbers and values; first the intercept's."""
        yield []
        for term in self.terms:
            wide = [name in self.many for name in term]
            choices = [
                [(name, code) for code in range(1, self.columns[name].cells)] if many else [name]
                for name, many in zip(term, wide, strict=True)
            ]
            yield from map(list, itertools.product(*choices))

    def reduced(self, parts: Any, values: Any) -> Any:
        """What a product is of: the square of -1 or 1 is 1."""
        numbers = [part for part in parts if isinstance(part, str)]
        left = [name for name in sorted(set(numbers)) for _ in range(self.often(name, numbers.count(name)))]
        chosen = {*values, *(part for part in parts if not isinstance(part, str))}
        return tuple(left), tuple(sorted(chosen))

    def often(self, name: str, count: int) -> int:
        """How often a number is left as a factor."""
        return count % 2 if self.columns[name].cells == 2 else count

    def weight(self, name: str) -> Any:
        """The weight of a row: around the middle of the codes."""
        end = self.columns[name].cells - 1
        scale, offset = (2, end) if end % 2 else (1, end // 2)
        return {"low": 0, "high": end, "scale": scale, "offset": offset, "coarse": 1}

    def greatest(self, one: Any) -> int:
        """What a row's product can reach."""
        return math.prod(self.weight(name)["offset"] for name in one[0])

    def together(self, sizes: list[int], block: int | None = None) -> int:
        """The most that the sizes of what is not 0 in one row add up to: of a category it has one value."""
        chosen: dict[Any, int] = {}
        for (one, at), size in zip(self.found.items(), sizes, strict=True):
            if block in (None, at):
                chosen[one[1]] = chosen.get(one[1], 0) + size
        alike: dict[Any, list[int]] = {}
        for values, size in chosen.items():
            alike.setdefault(tuple(name for name, _ in values), []).append(size)
        return sum(map(max, alike.values()))

    def times(self, rows: int, most: int) -> list[int]:
        """The public factor of each sum."""
        ones = [1] * len(self.found)
        shares = split(*(Q(self.together(ones, block)) for block in (0, 1)))
        found = self.fitting([shares[block] / max(shares) for block in self.found.values()], (most // rows), 0)
        self.need(found, "its sums could pass 2^62")
        return found

    def fitting(self, shares: list[Q], most: int, taken: int) -> list[int]:
        """The public factors, of which the squares are to each other as these shares; none where there is no room."""
        bits = most.bit_length() - 1 - taken
        tops = [math.isqrt(math.floor(4**bits * share)) for share in shares] if bits > 0 else [0]
        if min(tops) == 0:
            return []
        wide = [self.greatest(one) for one in self.found]
        least = max((one * 2**bits // top + 1).bit_length() for one, top in zip(wide, tops, strict=True))
        enough = max(least + FINE, ENOUGH - taken)
        enough = min(enough, WEIGHED - taken) if taken else enough
        spare = bits - max(least, min(bits - SPARE, enough))
        return [top // 2**spare // one for one, top in zip(wide, tops, strict=True)] if least <= bits else []


def split(of_x: Q, of_xy: Q) -> list[Q]:
    """How the three blocks share the noise."""
    a, b = (math.isqrt(math.floor(one * 2**40)) for one in (of_x, of_xy))
    return [19 * a / of_x, 38 * b / of_xy, Q(a + 2 * b)]


class Weighted:
    """Rows that count min(1, R² ÷ their squared length): each as a whole number of 2^bits."""

    def __init__(self, sums: Sums, longest: Q) -> None:
        self.sums, self.longest = sums, longest
        sums.need(1 <= longest <= LONGEST, "a row of its regression counts in full up to no length")
        cells = {name: of.cells for name, of in sums.columns.items()}
        many = sums.many
        sums.need(len(many) <= WIDE, "its regression has weights and too many categories")
        self.terms = [
            ([name for name in term if name in many], [name for name in term if name not in many and cells[name] > 2])
            for term in sums.terms
        ]
        self.pure = sum(len(numbers) == len(term) for (_, numbers), term in zip(self.terms, sums.terms, strict=True))
        ends = [self.end(numbers) for _, numbers in self.terms]
        sums.need(max(ends) ** 2 <= 2**BEHIND, "a term of its regression is too fine for weights")
        self.kinds = {
            self.kind(set(there)) for size in range(len(many) + 1) for there in itertools.combinations(many, size)
        }

    def end(self, numbers: list[str]) -> int:
        """The greatest product of some weights."""
        found: int = math.prod(self.sums.weight(name)["offset"] for name in numbers)
        return found

    def kind(self, there: set[str]) -> tuple[int, int, int]:
        """What rows have that are beyond the first value of these: a length, fourth powers, and more length."""
        of = [(2 ** len(many), not numbers) for many, numbers in self.terms if there.issuperset(many)]
        alone = [size for size, bare in of if bare]
        return 1 + sum(alone), sum(size * size for size in alone), sum(size for size, bare in of if not bare)

    def furthest(self, x: Q, xy: Q, yy: Q) -> Q:
        """The greatest square of what one row adds, with these squares of the blocks' factors."""
        return max(self.of_kind(kind, x, xy, yy) for kind in self.kinds)

    def of_kind(self, kind: tuple[int, int, int], x: Q, xy: Q, yy: Q) -> Q:
        """The same of rows of one kind: on each piece it is x ÷ 2 · t² + side t + rest, times the weight's square."""
        first, fourth, more = map(Q, kind)
        turn, last = first + min(more, Q(self.pure)), first + more
        pieces = [
            (first, turn, x / 2 + xy, x * (1 - first - fourth) / 2 + yy),
            (turn, last, xy, x * (1 + self.pure - fourth) / 2 + yy),
        ]
        out = Q(0)
        for low, high, side, rest in pieces:
            full = min(high, self.longest)
            if low <= full:
                out = max(out, x / 2 * full**2 + side * full + rest)
            near, far = 1 / high, 1 / max(low, self.longest)
            if near <= far:
                tops = [near, far, *([-side / (2 * rest)] if rest and near < -side / (2 * rest) < far else [])]
                out = max(out, *(self.longest**2 * (x / 2 + side * z + rest * z * z) for z in tops))
        return out

    def times(self, rows: int, most: int) -> tuple[int, list[int]]:
        """The bits of a row's weight, and the public factors."""
        squares = self.furthest(Q(1), Q(0), Q(0)), self.furthest(Q(0), Q(1), Q(0))
        of_block = split(*squares)
        shares = [of_block[block] * 2 ** len(one[1]) for one, block in self.sums.found.items()]
        greatest = max(shares)
        shares = [share / greatest for share in shares]
        found = [(bits, fits) for bits in (10, 8, 6) if (fits := self.sums.fitting(shares, most // rows, bits))]
        self.sums.need(found, "its sums could pass 2^62")
        return found[0]

    def reach(self, units: list[int], bits: int) -> int:
        """The greatest square of what one row adds, in the whole numbers of the vector."""
        squares = [Q(0)] * 3
        for (one, block), unit in zip(self.sums.found.items(), units, strict=True):
            squares[block] = max(squares[block], Q(unit**2, 4**bits * 2 ** len(one[1])))
        return int(4**bits * self.furthest(*squares))

    def form(self, bits: int) -> Any:
        """As it stands in the plan."""
        parts: list[Any] = []
        for many, numbers in self.terms:
            times = math.ceil(Q(2 ** (BEHIND + len(many)), self.end(numbers) ** 2))
            factors = [{"column": name, "weight": self.sums.weight(name)} for name in numbers]
            parts.append({"times": times, "factors": factors, "beyond": [{"column": name} for name in many]})
        given = [part for part in parts if part["factors"] or part["beyond"]]
        start = (1 + len(parts) - len(given)) * 2**BEHIND
        return {"bits": bits, "top": math.floor(self.longest * 2 ** (bits + BEHIND)), "start": start, "parts": given}


def block(plan: Any, one: Any, where: Any, core: Any) -> Any:
    """The one measure of a regression."""
    sums, extra, bits, weighted = Sums(one, plan.columns, core), {}, 0, None
    rows = plan.people * plan.each
    if "weights" in one:
        weighted = Weighted(sums, core.number(one["weights"]))
        bits, times = weighted.times(rows, core.GREATEST)
        extra = {"row_weight": weighted.form(bits)}
    else:
        times = sums.times(rows, core.GREATEST)
    units = [factor * sums.greatest(of) * 2**bits for factor, of in zip(times, sums.found, strict=True)]
    for name in sums.names:
        if plan.columns[name].nullable:
            where = {"all": [where, plan.has(name)]} if where else plan.has(name)
    cells = [
        {
            "times": factor,
            "factors": [
                {"column": name, "weight": sums.weight(name), "power": of[0].count(name)} for name in sorted(set(of[0]))
            ],
            "levels": [{"column": name, "code": code} for name, code in of[1]],
        }
        for factor, of in zip(times, sums.found, strict=True)
    ]
    person, there = plan.per_row(), sums.together([1] * len(units))
    square, whole = sums.together([unit**2 for unit in units]), sums.together(units)
    if weighted is not None:
        square = min(square, weighted.reach(units, bits))
        whole = min(whole, math.isqrt(there * square))
    moved = {
        "l0": min(person["l1"] * there, person["l0"] * len(units)),
        "l1": person["l1"] * whole,
        "l2_squared": person["l2_squared"] * square,
        "linf": person["linf"] * max(units),
    }
    return plan.block("moments", rows * max(units), moved, where=where, cells=cells, **extra)
