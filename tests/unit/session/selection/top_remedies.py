"""Refusals of a choice of groups, and their remedies."""

from __future__ import annotations

from typing import Any

import pandas as pd

import pets
from pets import col
from tests.remedies import Case

COLUMNS = {
    "id": pets.Identifier(),
    "age": pets.Integer(0, 9),
    "s": pets.Category(["a", "b", "c"]),
    "note": pets.Text(3),
}
SCHEMA = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=1), COLUMNS)})
ROWS = pd.DataFrame({"id": range(40), "age": [at % 10 for at in range(40)], "s": list("abca") * 10, "note": "x"})
T = pets.query("t")
BY = T.group_by("s").agg(n=pets.count_units())
DP = pets.DP(epsilon=1)


def opened(budget: pets.Budget | None = None) -> pets.Session:
    budget = budget or pets.Budget(epsilon=100, delta=1e-6, threshold_delta=1e-7)
    return pets.Session(SCHEMA, ROWS, budget=budget, progress=False)


def top(query: Any = BY, k: Any = 2, protection: Any = DP, **more: Any) -> Any:
    return lambda: opened().top_keys(query, k, protection, **more)


def greatest(budget: pets.Budget | None = None, query: pets.Query = BY) -> Any:
    """Of counts that were released: the greatest of the answer's table."""
    return lambda: opened(budget).release(query, DP).table.nlargest(2, "n")


def unlisted() -> object:
    return opened().group_keys("t", by=["note"], protection=pets.DP(epsilon=50)).top(1)


TOP = [
    Case(top("t"), "pets.query('table')", top()),
    Case(top(k=0), "such as 10", top()),
    Case(top(k=4), "ask for fewer", top(k=3)),
    Case(top(k=5), "group by them all", greatest()),
    Case(top(BY.agg(m=pets.mean("age"))), ".agg(n=pets.count_units())", top()),
    Case(top(T.agg(n=pets.count())), "add .group_by", top()),
    Case(top(T.group_by(col("age").bins([0, 5, 9])).agg(n=pets.count())), "or group by the column itself",
         top(T.group_by("age").agg(n=pets.count()))),
    Case(top(T.group_by("note").agg(n=pets.count())), "keys = session.group_keys(table", unlisted),
    Case(top(protection=pets.Exact()), "of exact counts take the greatest",
         lambda: opened().dummy().release(BY, pets.Exact()).table.nlargest(2, "n")),
    Case(lambda: opened(pets.Budget(epsilon=9)).top_keys(BY, 2, DP), "release the counts of all groups",
         greatest(pets.Budget(epsilon=9))),
    Case(top(protection=pets.DP(epsilon=1, pure=True)), "ask with epsilon=", top()),
    Case(top(again="no"), "True or False", top(again=False)),
]  # fmt: skip
