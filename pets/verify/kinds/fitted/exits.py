"""Who leaves when, for the checker's planner: bins of time, and how far one row moves the sums of both lists.

docs/proofs/exits.md has the reasons.
"""

import math
from itertools import pairwise
from typing import Any

MOST, UNIT = 1000, 1 << 16


def weights(size: int) -> list[int]:
    """The first column of the square root of prefix sums: of 2^16, the share (2k choose k) ÷ 4^k, to the nearest."""
    return [(2 * UNIT * math.comb(2 * k, k) + 4**k) // (2 * 4**k) for k in range(size)]


def breaks(one: Any, of: Any, core: Any) -> tuple[list[int], int]:
    """The first codes of the bins of time, and how many bins lie before the last edge."""
    if "edges" not in one:
        core.need(type(one.get("bins")) is int and 2 <= one["bins"] <= MOST, "its survival has no number of bins")
        last = of.cells - 1
        count = min(last, one["bins"])
        return [*(last * n // count for n in range(count)), last, of.cells] if last else [0, 1], count + 1
    core.need("bins" not in one and len(one["edges"]) <= MOST + 1, "its survival has too many bins")
    core.need(0 <= core.number(one["edges"][0]) <= of.origin, "its survival begins after some times, or before 0")
    found = [min(of.cells, max(0, math.ceil(of.place(edge)))) for edge in one["edges"]]
    core.need(all(a < b for a, b in pairwise(found)), "a bin of its survival has no time")
    return found if found[-1] == of.cells else [*found, of.cells], len(found) - 1


def block(plan: Any, one: Any, where: Any, core: Any) -> Any:
    """The one measure of a survival curve: the events' list, then that of those who leave otherwise, or stay."""
    time, event = one["time"]["column"], one["event"]["column"]
    of = plan.columns[time]
    core.need(of.kind in ("integer", "real") and of.origin >= 0, "its survival has a time that is none")
    core.need(plan.columns[event].kind == "boolean", "its survival has an event that is none")
    cuts, within = breaks(one, of, core)
    size = len(cuts) - 1
    row, person = weights(size), plan.per_row()
    moved = {
        "l0": min(person["l1"] * size, person["l0"] * (within + size)),
        "l1": person["l1"] * sum(row),
        "l2_squared": person["l2_squared"] * sum(one**2 for one in row),
        "linf": person["linf"] * UNIT,
    }
    most = plan.people * plan.each * UNIT
    return plan.block("exits", most, moved, column=time, other=event, where=where, breaks=cuts, levels=[within, size])
