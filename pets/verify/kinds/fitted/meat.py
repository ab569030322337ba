"""The products of people's scores, for the checker's planner: which are measured, and how far a person can move them.

docs/proofs/meat.md has the reasons.
"""

from fractions import Fraction as Q
from typing import Any

GRID, MOST, STEP, WIDEST = 30, 2**22, 4096, 2**22
ENOUGH, LEAST, HALF, SPARE, HELD, SHARED = 16, 8, 26, 3, 53, 10  # bits


def block(plan: Any, one: Any, where: Any, core: Any, moments: Any) -> Any:
    """The one measure of people's scores."""
    need, line = core.need, moments.Sums(one, plan.columns, core)
    sides, at = [line.reduced(side, ()) for side in line.sides()], one["at"]
    whole = all(type(n) is int and abs(n) <= MOST * 2**GRID for n in at)
    need(whole and len(at) == len(sides), "its scores are at no coefficients")
    size, people = len(sides), plan.people
    exact = "norm" not in one
    norm = plan.each * (1 + Q(sum(map(abs, at)), 2**GRID)) if exact else core.number(one["norm"])
    need(exact or (0 < norm <= WIDEST and (norm * STEP).denominator == 1), "its scores are shortened to no length")
    fits = core.GREATEST // (people * (7 if exact else 5 * 2**SPARE))
    half = (fits.bit_length() - 1) // 2 if fits else 0
    small = max(map(line.greatest, sides)) < 2**HELD
    need(half >= LEAST and small, "its sums could pass 2^62")
    half = min(half, HALF if exact else ENOUGH)
    bits = 2 * half - 1 if exact else half
    pairs = size * (size + 1) // 2
    lists = [pairs, pairs, pairs, 1] if exact else [pairs, 1]
    most = (7 if exact else 5) * 4**half
    person = 5 * 4**half // 8
    width = sum(lists)
    square = width * most**2 if exact else most**2 + person**2
    groups, alike = plan.per_row()["l0"], 5 * 4**half + 7 * (size - 1) * 4**half // 2  # (all of a score alike)
    moved = {"l0": width, "l1": width * most if exact else alike + person, "l2_squared": square}
    moved = {name: groups * value for name, value in moved.items()} | {"linf": most}
    scores = {"at": at, "outcome": {"column": line.y, "weight": line.weight(line.y)}, "norm": core.written(norm)}
    scores |= {"bound": 2**bits} | ({"split": half} if exact else {})
    extra = {}
    if "weights" in one:
        extra = {"row_weight": moments.Weighted(line, core.number(one["weights"])).form(SHARED)}
    for name in line.names:
        if plan.columns[name].nullable:
            where = {"all": [where, plan.has(name)]} if where else plan.has(name)
    cells = [
        {
            "times": 1,
            "factors": [
                {"column": name, "weight": line.weight(name), "power": of[0].count(name)} for name in sorted(set(of[0]))
            ],
            "levels": [{"column": name, "code": code} for name, code in of[1]],
        }
        for of in sides
    ]
    return plan.block("meat", people * most, moved, where=where, levels=lists, cells=cells, **extra, scores=scores)
