"""Refusals of fits, and their remedies."""

from __future__ import annotations

from typing import Any

import pandas as pd

import pets
from tests.remedies import Case

COLUMNS = {
    "id": pets.Identifier(),
    "age": pets.Integer(0, 9),
    "y": pets.Integer(0, 9),
    "s": pets.Category(["a", "b", "c"]),
}
SCHEMA = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=3), COLUMNS)})
ROWS = pd.DataFrame({"id": range(40), "age": [at % 10 for at in range(40)], "y": 1, "s": list("abca") * 10})
ONE_ROW = pets.query("t").bound(rows=1)
DP = pets.DP(epsilon=1)
COUNTS = pets.poisson("y", ["age"], data=ONE_ROW)
LINE = pets.linear("y", ["age"], data=ONE_ROW)


def opened(budget: pets.Budget | None = None) -> pets.Session:
    budget = budget or pets.Budget(epsilon=100, delta=1e-6)
    return pets.Session(SCHEMA, ROWS, budget=budget, progress=False)


def fit(model: Any = LINE, protection: Any = DP, budget: pets.Budget | None = None) -> Any:
    return lambda: opened(budget).fit(model, protection)


EVENTS = pets.events("t")
FIRST = {"age": EVENTS.first("age", by="y")}


def chance(**yes: Any) -> Any:
    return fit(pets.logistic("yes", ["age"], data=pets.people(of="t", **FIRST, **yes)))


FITS = [
    Case(
        fit(pets.logistic("s", ["age"], data=ONE_ROW)),
        "pets.people(of='t', yes=pets.events('t').where(pets.col('s') == 'c').exists(), …)",
        chance(yes=EVENTS.where(pets.col("s") == "c").exists()),
    ),
    Case(
        fit(pets.logistic("y", ["age"], data=ONE_ROW)),
        "pets.people(of='t', yes=pets.events('t').where(pets.col('y') > 4).exists(), …)",
        chance(yes=EVENTS.where(pets.col("y") > 4).exists()),
    ),
    Case(fit(protection=1), "write pets.DP(epsilon=1)", fit()),
    Case(
        lambda: pets.linear("y", ["age"], data=ROWS),  # type: ignore[arg-type]
        "the rows themselves go into pets.Session(schema, rows)",
        fit(),
    ),
    Case(
        fit(budget=pets.Budget(epsilon=5)),
        "such as pets.Budget(epsilon=5, delta=1e-6)",
        fit(budget=pets.Budget(epsilon=5, delta=1e-6)),
    ),
    Case(fit("y ~ age"), "pets.linear(", fit()),
    Case(fit(protection=pets.SDC("hes")), "pets.DP(epsilon=…)", fit()),
    Case(fit(protection=pets.DP(epsilon=1, pure=True)), "without pure", fit()),
    Case(fit(budget=pets.Budget(epsilon=9)), "a budget with a delta", fit(budget=pets.Budget(epsilon=9, delta=1e-6))),
    Case(fit(protection=pets.DP(within=5)), "ask with pets.DP(epsilon=…)", fit()),
    Case(fit(pets.poisson("y", ["age"], data="t")), "bound(rows=1)", fit(COUNTS)),
    Case(
        fit(pets.poisson("y", ["age"], data="t")),
        "pets.people(of='t', …)",
        fit(pets.poisson("y", ["age"], data=pets.people(of="t", **FIRST, y=EVENTS.max("y").fill(0)))),
    ),
    Case(
        fit(pets.poisson("y", ["age"], data=ONE_ROW), budget=pets.Budget(epsilon=0.9, delta=1e-6)),
        "ask with a smaller epsilon",
        fit(
            pets.poisson("y", ["age"], data=ONE_ROW), pets.DP(epsilon=0.8), budget=pets.Budget(epsilon=0.9, delta=1e-6)
        ),
    ),
]
