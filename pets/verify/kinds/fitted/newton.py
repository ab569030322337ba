"""The sums of a step of a logistic or a Poisson regression, for the checker's planner, and how far one row moves them.

docs/proofs/step.md has the reasons. The exponentials here are the decimal module's; pets has its own.
"""

import decimal
import math
from fractions import Fraction as Q
from typing import Any

SPARE, ENOUGH, EVEN, NEEDED, LEAST, FINE, FAR, GRID, MOST = 3, 38, 6, 16, 8, 40, 24, 30, 32
WIDE, HIGH, LARGE, BEYOND = 2**22, 2**24, 2**31, 4


def power(x: Q) -> Q:
    """e to it, to 90 digits."""
    with decimal.localcontext(decimal.Context(prec=90)):
        return Q((decimal.Decimal(x.numerator) / decimal.Decimal(x.denominator)).exp())


def together(sums: Any, sizes: Any) -> int:
    """The most that the sizes of what is not 0 in one row add up to: of a category it has one value."""
    chosen: dict[Any, int] = {}
    for (_, values), size in zip(sums, sizes, strict=True):
        chosen[values] = chosen.get(values, 0) + size
    alike: dict[Any, list[int]] = {}
    for values, size in chosen.items():
        alike.setdefault(tuple(name for name, _ in values), []).append(size)
    return sum(map(max, alike.values()))


class Asked:
    """What a question says of a step, and what is public of its columns."""

    def __init__(self, plan: Any, one: Any, core: Any, moments: Any) -> None:
        self.need, self.columns, self.one = core.need, plan.columns, one
        self.line = moments.Sums(one, plan.columns, core)
        self.sides = [self.line.reduced(side, ()) for side in self.line.sides()]
        self.names = list(self.line.names)
        y = self.columns[self.line.y]
        ends = (int(y.origin), int(y.origin) + y.cells - 1) if y.kind == "integer" else (0, 1)
        fits = y.kind == "boolean" or (y.kind == "integer" and ends == (0, 1))
        counts = y.kind in ("integer", "boolean") and ends[0] >= 0 and ends[1] < HIGH
        fine = {"logistic": fits, "poisson": counts}.get(one["family"], False)
        self.need(fine, "a step of its regression has an outcome that its family does not take")
        self.ends, self.exposure = ends, None
        self.cap = ends[1] * (BEYOND if one.get("fine") and one["family"] == "poisson" else 1)
        if "exposure" in one:
            name = one["exposure"]["column"]
            of = self.columns[name]
            fine = one["family"] == "poisson" and of.kind in ("integer", "real") and of.origin > 0 and of.cells > 1
            self.need(fine and name not in self.names, "its exposure is none")
            first = of.origin / of.step
            most = first.numerator + first.denominator * (of.cells - 1)
            self.need(most < WIDE, "its exposure has too many steps")
            self.exposure = {"column": name, "first": first.numerator, "each": first.denominator, "most": most}
            self.names = sorted([*self.names, name])
        self.need(one.get("fine", True) is True, "a step of its regression has a setting that is none")
        self.at, self.radius = one.get("at"), None
        if self.at is not None:
            whole = all(type(n) is int and abs(n) <= MOST << GRID for n in self.at)
            self.need(whole and len(self.at) == len(self.sides), "a step of its regression has no coefficients")
        if "weights" in one:
            self.radius = core.number(one["weights"])
            self.need(1 <= self.radius <= 10_000 and (self.radius * 64).denominator == 1, "a radius in it is none")
        rows = plan.people * plan.each
        self.room = (core.GREATEST // rows).bit_length() - 1
        widest = max(map(self.line.greatest, self.line.found)).bit_length()
        self.room = self.room if one.get("fine") else min(self.room - SPARE, max(ENOUGH, widest + NEEDED))
        self.need(self.room > 0, "its sums could pass 2^62")

    def product(self, one: Any, other: Any) -> Any:
        """What the product of two is of; nothing, if no row has the values of both."""
        both = dict(one[1])
        if any(both.setdefault(name, code) != code for name, code in other[1]):
            return None
        return self.line.reduced([*one[0], *other[0]], both.items())

    def signs(self, one: Any) -> bool:
        """Whether it is -1, or 1, or an indicator: not a number."""
        return all(self.columns[name].cells == 2 for name in one[0])

    def first(self) -> Any:
        """What is summed at the start."""
        alone = [[]] + [side for side in self.line.sides() if len(side) == 1]
        groups = [one for one in (self.line.reduced(side, ()) for side in alone) if self.signs(one)]
        y = ((self.line.y,), ())
        found = [of for one in groups for of in (one, self.product(one, y))]
        return found + ([((self.exposure["column"],), ())] if self.exposure else [])

    def pairs(self) -> Any:
        """Each product of two columns, once."""
        every = (self.product(one, other) for at, one in enumerate(self.sides) for other in self.sides[at:])
        return list(dict.fromkeys(one for one in every if one is not None))

    def most(self) -> tuple[Q, Q]:
        """The greatest residual, and the greatest variance."""
        low = high = Q(0)
        for side, at in zip(self.sides, self.at, strict=True):
            size = Q(at, 2**GRID)
            if side[0]:
                low, high = low - abs(size), high + abs(size)
            elif side[1]:
                low, high = low + min(size, Q(0)), high + max(size, Q(0))
            else:
                low, high = low + size, high + size
        low, high = (max(min(end, Q(FAR)), Q(-FAR)) for end in (low, high))
        if self.one["family"] == "logistic":
            below, above = (1 / (1 + power(-end)) for end in (low, high))
            near = Q(1, 2) if low <= 0 <= high else below if low > 0 else above
            return max(above, 1 - below), near * (1 - near)
        least = Q(self.exposure["first"], self.exposure["most"]) if self.exposure else Q(1)
        below, above = (min(power(end), Q(self.cap)) for end in (low, high))
        return max(above - self.ends[0], self.ends[1] - below * least), above

    def squares(self, pairs: Any) -> tuple[Q, Q]:
        """The greatest sums of squares of a row's columns and of their products, under its weight."""
        x, xx = (Q(together(of, [1] * len(of))) for of in (self.sides, pairs))
        r = self.radius
        if r is None:
            return x, xx
        b = sum(self.signs(side) and not side[1] for side in self.sides) - 1
        start, end = max(r, Q(1 + b)), max(r, x)
        sizes = {start, end, max(min(r, x), Q(1 + b)), min(max(Q(4 * b), start), end)}
        return min(x, r * r / start), min(xx, max(min(Q(1), r / s) ** 2 * ((s * s + s) / 2 - b) for s in sizes))


def block(plan: Any, one: Any, where: Any, core: Any, moments: Any) -> Any:
    """The one measure of a step, or of the start."""
    asked = Asked(plan, one, core, moments)
    need, line = asked.need, asked.line
    link: Any = None
    if asked.at is None:
        sums = asked.first()
        tops = [1] * len(sums)
        times = [2**asked.room // line.greatest(of) for of in sums]
        together_squared = None
    else:
        pairs = asked.pairs()
        need(max(map(line.greatest, asked.sides)) < LARGE, "its sums could pass 2^62")
        top, finest = 1, FINE
        if one["family"] == "poisson":
            top = asked.cap
            if asked.exposure:
                top = -(-top * asked.exposure["most"] // asked.exposure["first"])
            need(top < HIGH, "its exposure is too wide")
            finest = FINE - top.bit_length()
        shares, greatest = asked.squares(pairs), asked.most()
        full = 2**asked.room
        ratio = shares[0] / (3 * shares[1])
        rooms = [full, full]
        if not one.get("fine"):
            rooms = [full, math.isqrt(math.floor(full**2 * ratio))]
            rooms = rooms if ratio <= 1 else [math.isqrt(math.floor(full**2 / ratio)), full]
        times, tops, bits, ends = [], [], [], []
        for of, limit, most in zip((asked.sides, pairs), rooms, greatest, strict=True):
            least, even = max(map(line.greatest, of)), 0 if one.get("fine") else EVEN
            fit = [(n, bit) for n in range(even + 1) for bit in range(LEAST, finest + 1)
                   if limit // math.ceil(most * 2**bit) >= least * 2**n]  # fmt: skip
            need(fit, "its sums could pass 2^62")
            bits.append(max(fit)[1])
            ends.append(math.ceil(most * 2 ** bits[-1]))
            times += [limit // ends[-1] // line.greatest(sum_) for sum_ in of]
            tops += [ends[-1]] * len(of)
        sums = [*asked.sides, *pairs]
        link = {
            "family": one["family"],
            "at": asked.at,
            "outcome": {"column": line.y},
            "ends": [asked.ends[0], asked.cap],
        }
        link |= {"bits": bits, "tops": ends, "top": top}
        link |= {"radius": int(asked.radius * 64)} if asked.radius is not None else {}
        link |= {"exposure": asked.exposure} if asked.exposure else {}
        together_squared = shares if asked.radius is not None else None
    need(min(times) > 0, "its sums could pass 2^62")
    units = [factor * line.greatest(of) * top for factor, of, top in zip(times, sums, tops, strict=True)]
    squared = together(sums, [unit**2 for unit in units])
    if together_squared:
        p = len(asked.sides)
        parts = zip((max(units[:p]), max(units[p:])), together_squared, strict=True)
        squared = min(squared, sum(math.floor(unit**2 * share) for unit, share in parts))
    for name in asked.names:
        if plan.columns[name].nullable:
            where = {"all": [where, plan.has(name)]} if where else plan.has(name)
    cells = [
        {
            "times": factor,
            "factors": [
                {"column": name, "weight": line.weight(name), "power": of[0].count(name)} for name in sorted(set(of[0]))
            ],
            "levels": [{"column": name, "code": code} for name, code in of[1]],
        }
        for factor, of in zip(times, sums, strict=True)
    ]
    person = plan.per_row()
    moved = {
        "l0": min(person["l1"] * together(sums, [1] * len(units)), person["l0"] * len(units)),
        "l1": person["l1"] * together(sums, units),
        "l2_squared": person["l2_squared"] * squared,
        "linf": person["linf"] * max(units),
    }
    most = plan.people * plan.each * max(units)
    return plan.block("step" if link else "moments", most, moved, where=where, cells=cells, link=link)
