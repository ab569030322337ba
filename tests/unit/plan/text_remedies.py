"""Refusals of plans over columns of text, and of the keys to be found in them, and their remedies."""

from __future__ import annotations

from typing import Any

import pets
from pets import KeySet, col
from pets.plan.key_plan import make_key_plan
from pets.plan.plan import make_plan
from tests.remedies import Case

COLUMNS = {
    "id": pets.Identifier(),
    "age": pets.Integer(0, 120),
    "cost": pets.Real(0, 100, "0.5"),
    "code": pets.Text(6, form="icd10"),
}
SCHEMA = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=5), COLUMNS, people=1000)})
LISTED = pets.Schema({
    "t": pets.Table(pets.Unit("id", max_rows=5), COLUMNS | {"code": pets.Category(["I21", "I22"])}, people=1000)
})  # fmt: skip
T = pets.query("t")
N = pets.count()


def plan(query: pets.Query, schema: pets.Schema = SCHEMA) -> object:
    return make_plan(query, schema)


def keys(by: Any = ("code",), **more: Any) -> object:
    return make_key_plan("t", by, SCHEMA, **more)


AS_IT_IS = T.group_by(KeySet(["code"], [("I21",)])).agg(n=N)

CASES = [
    Case(
        lambda: plan(T.group_by(col("code").bins([0, 1])).agg(n=N)),
        "it is grouped by as it is, without parts",
        lambda: plan(AS_IT_IS),
    ),
    Case(lambda: plan(T.group_by("code").agg(n=N)), "group by a KeySet of known ones", lambda: plan(AS_IT_IS)),
    Case(lambda: plan(T.group_by("code").agg(n=N)), "by=['code'], …)", lambda: keys(["code"])),
    Case(
        lambda: plan(T.where(col("code") > "I21").agg(n=N)),
        "use ==, != or isin",
        lambda: plan(T.where(col("code").isin(["I21", "I22"])).agg(n=N)),
    ),
    Case(
        lambda: plan(T.where(col("code") > "I21").agg(n=N)),
        "list its values in the schema as a category",
        lambda: plan(T.where(col("code") == "I21").agg(n=N), LISTED),
    ),
    Case(lambda: keys("code"), "such as by=['diagnosis']", lambda: keys(["code"])),
    Case(lambda: keys(["code", "code"]), "each once", lambda: keys(["code"])),
    Case(lambda: keys(["code", "cost"]), "leave it out", lambda: keys(["code"])),
    Case(lambda: keys(where="age > 18"), "such as col('age') >= 18", lambda: keys(where=col("age") >= 18)),
    Case(lambda: keys(groups=0), "1 to 5 is usual", lambda: keys(groups=5)),
]
