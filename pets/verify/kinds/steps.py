"""A regression that asked several sites once for each iteration: worked out again from the sums of its last step.

Every site signed that step's order, with its coefficients, and held them against the step before. At them one more step
of Newton's goes nowhere. Covariates are counted from the middle of their public bounds, in halves of their width, and
sums are whole numbers of 2^-bits (McCullagh and Nelder 1989, section 2.5). docs/proofs/post_processing.md.
"""

import math
from itertools import combinations_with_replacement
from typing import Any

PARTS = "analyst data id pets protection query schema sharing step sums version"
CLOSE, MOVED = 1e-6, 1e-8  # relative; and how far one more step may go, where the greatest coefficient is 1 or less
DOMAIN = b"pets.federated.step.v1\0"
REACH, FEWEST, MOST_BITS, TERMS = 62, 20, 50, 64
NUMBERS = ("integer", "real")


def check_asked(core: Any, one: Any, key: bytes) -> Any:
    """The record holds together: coordinator and sites signed it, of this roster, question and step; its plan."""
    need, told = core.need, one["sharing"]
    if told.get("version") != 1 or told.get("secure") != "masked" or one["version"] != 1:
        raise core.CannotCheck("it combines sites in a way that this checker does not know; find a newer one")
    parts = sorted(told) == core.sharing.PARTS.split() and sorted(one) == PARTS.split()
    need(parts and told["noise"] is told["round"] is None, "it has other parts than pets writes")
    bare = one | {"sharing": {name: part for name, part in told.items() if name != "coordinator"}}
    core.verify(key, bytes.fromhex(told["coordinator"]), DOMAIN + core.canonical(bare))
    roster = core.sharing.check_roster(core, told, key)
    total = core.same(one["protection"], {"kind": "total"})
    invented = core.same([one["protection"], one["data"]], [{"kind": "exact"}, "dummy"])
    need((total or invented) and one["data"] == roster["members"][0]["data"], "its protection is none of its rows")
    core.sharing.check_signed(core, one, told, told["sites"] - (0 if total else roster["dropouts"]))
    asked = one["query"]
    core.known(asked, one["schema"])
    counts = core.same(asked["agg"], [["n", {"agg": "count"}]]) and {*asked} <= {"table", "agg", "where"}
    need(counts and not told["certificates"], "a step goes with a count of all rows, and this one does not")
    return core.Plan(asked, one["schema"])


def scale(of: Any) -> tuple[float, float]:
    """The middle of a number's public bounds, and half of their width."""
    half = of.step * (of.cells - 1) / 2
    return float(of.origin + half), float(half) or 1.0


def terms_of(core: Any, step: Any, columns: Any) -> list[tuple[str, float, float]]:
    """Name, middle and half of each coefficient but the first: a number, or an indicator of one further value."""
    found: list[tuple[str, float, float]] = []
    for name in step["covariates"]:
        of = columns[name]
        core.need(of.kind in ("category", "boolean", *NUMBERS), "a covariate is none")
        values = [] if of.kind in NUMBERS else of.values[1:]
        found += [(name, *scale(of))] if of.kind in NUMBERS else [(f"{name}[{value}]", 0.0, 1.0) for value in values]
    return found


def bits_of(core: Any, step: Any, beta: list[float], of: Any, rows: int) -> int:
    """The fixed point: no sum of so many rows passes 2^62, whatever they hold."""
    reach = math.fsum(map(abs, beta))
    most = {"binomial": 1.0, "gaussian": (1 + reach) ** 2}.get(step["family"], 0.0)
    if step["family"] == "poisson":
        top, spread = float(of.origin + of.step * (of.cells - 1)), math.fsum(map(abs, beta[1:]))
        most = max(1.0, top, math.exp(min(beta[0] + spread, 700)))
    found = math.floor(REACH - math.log2(rows) - math.log2(most * (1 + 1e-9)) - 1e-9)
    core.need(found >= FEWEST, "63 bits do not hold its sums")
    return min(found, MOST_BITS)


def check(core: Any, made: Any, one: Any, key: bytes, solved: Any, near: Any) -> str:
    """What was found, in words; ``made``: the model's numbers; ``solved``: of a system of equations."""
    need, step, plan = core.need, one["step"], check_asked(core, one, key)
    of, family = plan.columns[step["outcome"]], step["family"]
    fits = of.kind == "boolean" if family == "binomial" else of.kind in NUMBERS
    need(family in ("gaussian", "binomial", "poisson") and fits, "its family is none of its outcome")
    need(sorted(set(step) - {"before"}) == ["beta", "covariates", "family", "outcome"], "its step has other parts")
    terms, beta = terms_of(core, step, plan.columns), [float.fromhex(text) for text in step["beta"]]
    size, rows = len(beta), one["sums"][0]
    need(len(terms) + 1 == size and made["terms"] == ["intercept", *(name for name, _, _ in terms)], "its terms differ")
    need(made["family"] == family, "it is of another family")
    need(size <= TERMS and all(map(math.isfinite, beta)), "its coefficients are too many, or none")
    whole = all(type(number) is int and abs(number) < 2**63 for number in one["sums"])
    need(whole and len(one["sums"]) == 2 + size * (size + 1) // 2 + size, "it has another number of sums")
    need(made["rows"] == rows > size, "it is about another number of rows")
    m = one["sharing"]["sites_per_person"]
    unit = 2.0 ** bits_of(core, step, beta, of, m * plan.measures[0]["limit"])
    numbers = [number / unit for number in one["sums"][1:]]
    matrix = [[0.0] * size for _ in beta]
    for (i, j), number in zip(combinations_with_replacement(range(size), 2), numbers, strict=False):
        matrix[i][j] = matrix[j][i] = number
    move, squares = solved(core, matrix, numbers[-1 - size : -1])
    slack = MOVED * (1 + max(map(abs, beta)))
    need(max(map(abs, move)) <= slack, "its coefficients are not those of the released sums")
    back = [1.0, *(-middle / half for _, middle, half in terms)]  # the intercept, where covariates are 0
    squares[0] = math.fsum(a * b for a, b in zip(back, solved(core, matrix, back)[0], strict=True))
    halves = [1.0, *(half for _, _, half in terms)]
    raw = [
        math.fsum(a * b for a, b in zip(back, beta, strict=True)),
        *(b / h for b, h in zip(beta, halves, strict=True)),
    ]
    raw.pop(1)
    middle, half = scale(of) if family == "gaussian" else (0.0, 1.0)
    raw = [value * half + (middle if at == 0 else 0.0) for at, value in enumerate(raw)]
    dispersion = numbers[-1] * half**2 / (rows - size) if family == "gaussian" else 1.0
    errors = [math.sqrt(max(square, 0.0) * dispersion) / h for square, h in zip(squares, halves, strict=True)]
    need(near(core, made["dispersion"], dispersion, CLOSE), "its dispersion is another")
    need(len(made["coefficients"]) == len(made["errors"]) == size, "it has not one coefficient for each term")
    for told, value, error, stated in zip(made["coefficients"], raw, errors, made["errors"], strict=True):
        apart = abs(float(core.number(told)) - value)
        need(apart <= CLOSE * max(abs(value), error), "its coefficients are not those of its last step")
        need(near(core, stated, error, CLOSE), "its standard errors are not those of its last step")
    words = core.shares.promise(core, one, one["sharing"], plan, 0)
    told = one["sharing"]
    signed = f"{len(told['answered'])} of {told['sites']} sites signed its last step; roster {told['roster_sha256']}"
    steps = f"worked out again from the sums of step {one['id']}: {family}, {size} coefficients and their errors"
    return f"{words}\n  {steps}, {rows} rows\n  {signed}\n  {core.sharing.NOT_CHECKED}"
