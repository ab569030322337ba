"""The sums of a regression, for the checker's planner: which are measured, and how far one row can move them together.

docs/proofs/moments.md has the reasons.
"""

import itertools
import math
from fractions import Fraction as Q
from typing import Any

MOST, LEVELS, TERMS, FACTORS = 64, 50, 32, 3
SPARE, FINE, ENOUGH = 3, 6, 36  # bits


class Sums:
    """The sums, and what one row adds to them. A sum is known by how often it takes each number, and by its values."""

    def __init__(self, one: Any, columns: Any, core: Any) -> None:
        self.need, self.columns = core.need, columns
        self.terms = [[part["column"] for part in term] for term in one["terms"]]
        self.y = one["outcome"]["column"]
        names = sorted({self.y, *itertools.chain(*self.terms)})
        self.names = names
        self.need(0 < len(self.terms) <= TERMS, "its regression has no terms, or too many")
        for name in names:
            of = columns[name]
            fits = of.kind in ("integer", "real", "boolean") or (of.kind == "category" and name != self.y)
            self.need(fits and of.cells > 1, "its regression is of a column that has no numbers")
            self.need(of.kind != "category" or of.cells <= LEVELS, "its regression has a category of too many values")
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
            wide = [self.columns[name].kind == "category" and self.columns[name].cells > 2 for name in term]
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
        bits, ones = (most // rows).bit_length() - 1, [1] * len(self.found)
        of_x, of_xy = (self.together(ones, block) for block in (0, 1))
        a, b = math.isqrt(of_x << 40), math.isqrt(of_xy << 40)
        shares = [Q(19 * a, of_x), Q(38 * b, of_xy), Q(a + 2 * b)]
        tops = [math.isqrt(math.floor(4**bits * shares[block] / max(shares))) for block in self.found.values()]
        self.need(bits > 0 and min(tops) > 0, "its sums could pass 2^62")
        wide = [self.greatest(one) for one in self.found]
        least = max((one * 2**bits // top + 1).bit_length() for one, top in zip(wide, tops, strict=True))
        self.need(least <= bits, "its sums could pass 2^62")
        spare = bits - max(least, min(bits - SPARE, max(least + FINE, ENOUGH)))
        return [top // 2**spare // one for one, top in zip(wide, tops, strict=True)]


def block(plan: Any, one: Any, where: Any, core: Any) -> Any:
    """The one measure of a regression."""
    sums = Sums(one, plan.columns, core)
    rows = plan.people * plan.each
    times = sums.times(rows, core.GREATEST)
    units = [factor * sums.greatest(of) for factor, of in zip(times, sums.found, strict=True)]
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
    person = plan.per_row()
    moved = {
        "l0": min(person["l1"] * sums.together([1] * len(units)), person["l0"] * len(units)),
        "l1": person["l1"] * sums.together(units),
        "l2_squared": person["l2_squared"] * sums.together([unit**2 for unit in units]),
        "linf": person["linf"] * max(units),
    }
    return plan.block("moments", rows * max(units), moved, where=where, cells=cells)
