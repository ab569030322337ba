"""A survival curve of released counts, worked out again (Kaplan and Meier 1958; its error: Greenwood 1926).

Of n rows that end at a time, d end in an event. docs/proofs/post_processing.md.
"""

import math
from itertools import accumulate
from typing import Any

PARTS = ["at_risk", "error", "events", "survival", "time"]


def check(core: Any, made: Any, cells: Any, has: Any, true: Any, near: Any) -> str:
    """What was found, in words."""
    need = core.need
    need(sorted(made) == PARTS, "it has other parts than pets writes")
    event = cells.query["agg"][0][1]["where"]["term"]["column"]
    cells.asks({"n": has(event), "d": true(event)}, by=1)
    need(len(cells.keys) == 1 and cells.plan.columns[cells.keys[0]].kind == "integer", "its time is none")
    ends = [(group, n, d) for group, n, d in zip(cells.groups, cells.sums("n"), cells.sums("d"), strict=True)]
    ends = [end for end in ends if cells.known(end[0])]
    at_risk = list(accumulate(n for _, n, _ in reversed(ends)))[::-1]
    last = next((at for at, number in enumerate(at_risk) if number < 1), len(ends))  # noise may end a curve
    told = {"time": [int(group[0]) for group, _, _ in ends[:last]], "at_risk": at_risk[:last]}
    told["events"] = [min(max(d, 0), number) for (_, _, d), number in zip(ends, at_risk[:last], strict=False)]
    need(all(core.same(told[name], made[name]) for name in told), "its counts are not those of its release")
    need(len(made["survival"]) == len(made["error"]) == last, "it has not one value for each time")
    survival, spread = 1.0, 0.0
    for number, d, stated, error in zip(told["at_risk"], told["events"], made["survival"], made["error"], strict=True):
        survival *= 1 - d / number
        spread += d / (number * (number - d)) if 0 < d < number else math.inf if d else 0.0
        need(near(core, stated, survival), "its curve is not that of the released counts")
        if not cells.exact or (spread == math.inf and survival == 0):  # Greenwood's error does not count the noise
            need(error is None, "it states an error that nobody knows")
        else:
            need(error is not None and near(core, error, survival * math.sqrt(spread)), "its error is another")
    return f"{last} times, {made['at_risk'][0] if last else 0} rows at the first"
