"""Refusals of the bins of a survival curve, and their remedies."""

from __future__ import annotations

from typing import Any

import pets
from pets.plan.plan import make_plan
from pets.query_model.nodes.exits import Exits
from pets.query_model.query import Query
from tests.remedies import Case

COLUMNS: dict[str, Any] = {
    "days": pets.Integer(0, 400),
    "since": pets.Integer(-10, 400),
    "came": pets.Date("2020-01-01", "2020-12-31"),
    "left": pets.Date("2020-01-01", "2021-12-31"),
    "died": pets.Boolean(),
    "how": pets.Category(["home", "died"]),
}


def curve(time: str = "days", event: str = "died", data: Any = None, **more: Any) -> Any:
    def act() -> object:
        schema = pets.Schema({"t": pets.Table(pets.Unit(None), COLUMNS, people=1000)})
        rows = Query("t") if data is None else data
        return make_plan(rows.agg(fit=Exits(time=time, event=event, **more)), schema)

    return act


STAY = pets.query("t").with_columns(stay=pets.col("left") - pets.col("came"))
WHOLE = STAY.with_columns(stay0=pets.max_of(pets.col("stay"), 0))
SINCE = pets.query("t").with_columns(t=pets.max_of(pets.col("since"), 0))

CASES = [
    Case(curve("left"), "compute the days between two dates", curve("stay0", data=WHOLE)),
    Case(curve(event="how"), "a boolean; name one", curve()),
    Case(curve("stay", data=STAY), "pets.max_of(", curve("stay0", data=WHOLE)),
    Case(curve("since"), "pets.max_of(pets.col('since'), 0)", curve("t", data=SINCE)),
    Case(curve(edges=(1, 30, 90)), "begin with 0", curve(edges=(0, 30, 90))),
    Case(curve(edges=(0, 30, 500, 900)), "leave one of these edges out", curve(edges=(0, 30, 500))),
]
