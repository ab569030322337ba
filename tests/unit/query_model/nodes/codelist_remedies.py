"""Refusals of code lists and of their files, and their remedies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pets
from pets import col
from pets.plan.plan import make_plan
from pets.query_model.codelists.codelist import InCodelist
from pets.query_model.condition import condition
from tests.remedies import Case

COLUMNS = {"id": pets.Identifier(), "code": pets.Category(["I21", "I22"]), "age": pets.Integer(0, 9)}
SCHEMA = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=3), COLUMNS)})
GOOD = b"code,term\nI21,x\n"


def listed(held: bytes = GOOD, column: Any = "code") -> Any:
    def act(folder: Path) -> object:
        (folder / "mi.csv").write_bytes(held)
        return col("code").in_codelist(folder / "mi.csv", column)

    return act


def plan(node: Any) -> Any:
    return lambda: make_plan(pets.query("t").where(node).agg(n=pets.count()), SCHEMA)


def read(text: str) -> Any:
    return lambda: condition(text)


MANY = b"code\n" + b"\n".join(b"%d" % number for number in range(100_001))
LISTS = [
    Case(lambda: col("code").in_codelist(["I21"]), "in_codelist('mi.csv')", listed()),  # type: ignore[arg-type]
    Case(lambda: col("code").in_codelist("no/such.csv"), "give the path of a CSV file", listed()),
    Case(listed(column=3), "such as 'code'", listed()),
    Case(listed(column="id"), "named in in_codelist(file, column=…)", listed()),
    Case(listed(b"code;term\nI21;x"), "with commas", listed()),
    Case(
        listed(b"term,code\nInfarct, acute,I21"),
        "put a term with a comma in quotation marks",
        listed(b'term,code\n"Infarct, acute",I21'),
    ),
    Case(listed(b"term,code\nInfarct"), "write one there, blank where", listed(b"term,code\nInfarct,\nx,I21")),
    Case(listed(b"code,code\nI21,1"), "rename all but the one that holds the codes", listed(b"code,other\nI21,1")),
    Case(listed(b"code,term\n"), "add them, one a line", listed()),
    Case(listed(MANY), "use a shorter one", listed()),
    Case(listed(b"code\n" + b"x" * 50_000_000), "keep its column of codes alone", listed(b"code\nI21")),
    Case(listed(b"\xff\xfe"), "save it as CSV in UTF-8", listed()),
    Case(listed(b""), "needs a first line of names", listed()),
    Case(listed(b" , \n"), "needs a first line of names", listed()),
    Case(listed(b'code\n"I21'), "save it as CSV in UTF-8", listed(b'code\n"I21"')),
    Case(lambda: InCodelist("code", (3,)), "such as ['I21', 'I22']", lambda: InCodelist("code", ("I21", "I22"))),  # type: ignore[arg-type]
    Case(lambda: InCodelist("code", ()), "from 1 to 100,000 codes", lambda: InCodelist("code", ("I21",))),
    Case(plan(InCodelist("code", ("x",))), "does, such as 'I21'", plan(InCodelist("code", ("x", "I21")))),
    Case(plan(InCodelist("code", ("I2",))), "startswith('I2')", plan(col("code").startswith("I2"))),
    Case(plan(InCodelist("age", ("1",))), "use isin([…]) or between", plan(col("age").isin([1]))),
    Case(
        read("codelist(code, 3)"), "write codelist(diagnosis, 'mi.csv', column='code')", read("codelist(code, ['I21'])")
    ),
]
