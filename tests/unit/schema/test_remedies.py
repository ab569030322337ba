"""Each refusal of a schema names a remedy, and the remedy works."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

import pets
from pets.schema.rules import Derived
from pets.schema.schema import Schema
from tests.remedies import Case, check
from tests.unit.schema import hint_remedies, unit_remedies

pytestmark = pytest.mark.chance(0)

Form = dict[str, Any]
WHOLE: Form = {"type": "integer", "min": 0, "max": 9}
REAL: Form = {"type": "real", "min": 0, "max": 1, "step": "0.5"}
SEX: Form = {"type": "category", "values": ["F", "M"]}
DAY: Form = {"type": "date", "min": "2020-01-01", "max": "2020-12-31"}
AT: Form = {"type": "datetime", "min": "2020-01-01 00:00", "max": "2020-12-31 23:00", "step": "hour"}
OF_DAY: Form = {"type": "time"}
YES: Form = {"type": "boolean"}
ID: Form = {"type": "identifier"}


def schema(form: object) -> Schema:
    return Schema.load(form)  # type: ignore[arg-type]


def table(**form: Any) -> Schema:
    return schema({"tables": {"t": {"unit": "row", "columns": {"x": WHOLE}} | form}})


def columns(**forms: Any) -> Schema:
    return table(columns=forms)


def col(wrong: object, says: str, mended: object) -> Case:
    return Case(lambda: columns(x=wrong), says, lambda: columns(x=mended))


def tab(wrong: Form, says: str, mended: Form) -> Case:
    return Case(lambda: table(**wrong), says, lambda: table(**mended))


def rules(wrong: object, says: str, mended: object, changed: Form | None = None) -> Case:
    held: Form = {
        "id": ID,
        "a": DAY,
        "b": DAY,
        "c": DAY,
        "n": WHOLE,
        "m": WHOLE,
        "late": DAY | {"min": "2021-01-01", "max": "2021-12-31"},
        "s": WHOLE | {"max": 30},
        "sex": SEX,
        "r": REAL,
        "at": AT,
        "full": WHOLE | {"nullable": False},
        "big": WHOLE | {"max": 999},
        "days": WHOLE | {"max": 400},
        "look": {"type": "category", "values": ["1"], "lookup": {"column": "sex", "map": {"F": "1"}}},
    }
    unit = {"column": "id", "max_rows": 3}
    return Case(
        lambda: table(unit=unit, columns=held, rules=wrong),
        says,
        lambda: table(unit=unit, columns=held | (changed or {}), rules=mended),
    )


def pair(wrong: Form, says: str, mended: Form) -> Case:
    """Two tables of the same people, each changed."""

    def both(change: Form) -> Schema:
        stays = {"unit": {"column": "id", "max_rows": 3}, "person_table": "people", "columns": {"id": ID, "x": WHOLE}}
        people = {"unit": {"column": "id", "max_rows": 1}, "columns": {"id": ID, "y": WHOLE}}
        return schema(
            {"tables": {"stays": stays | change.get("stays", {}), "people": people | change.get("people", {})}}
        )

    return Case(lambda: both(wrong), says, lambda: both(mended))


def looked_up(text: str, **more: Any) -> Any:
    def act(folder: Path) -> object:
        if text:
            (folder / "codes.csv").write_text(text, "utf-8")
        look = {"column": "sex", "file": "codes.csv"} | more
        group = {"type": "category", "values": ["1", "2"], "lookup": look}
        (folder / "s.json").write_text(
            json.dumps({"tables": {"t": {"unit": "row", "columns": {"sex": SEX, "x": group}}}}), "utf-8"
        )
        return Schema.load(folder / "s.json")

    return act


def group(**look: Any) -> Form:
    return {"sex": SEX, "x": {"type": "category", "values": ["1", "2"], "lookup": {"column": "sex"} | look}}


PAIRS = "key,value\nF,1\nM,2\n"
AS_F = {"map": {"F": "1"}}
UNIT = {"column": "x", "max_rows": 3}

CASES = [
    # days and times
    col(
        DAY | {"format": "dd-Mon-yy", "min": "1900-01-01"},
        "narrow min and max to at most 100 years",
        DAY | {"format": "dd-Mon-yy"},
    ),
    Case(
        lambda: pets.Date("2020-01-01", "2020-12-31").encode("x"),
        "a date such as 2019-04-01",
        lambda: pets.Date("2020-01-01", "2020-12-31").encode("2020-04-01"),
    ),
    Case(
        lambda: pets.Date("2020-01-01", "2020-12-31").encode("2019-04-01"),
        "2020-01-01 to 2020-12-31",
        lambda: pets.Date("2020-01-01", "2020-12-31").encode("2020-04-01"),
    ),
    Case(
        lambda: pets.Date("2020-01-01", "2020-12-31").encode(dt.datetime(2020, 4, 1, 10)),
        "compare with a date, such as 2020-04-01",
        lambda: pets.Date("2020-01-01", "2020-12-31").encode("2020-04-01"),
    ),
    col(AT | {"step": "day"}, "for whole days use type date", DAY),
    col(
        AT | {"max": "2020-12-31"},
        "max must have a time, such as 2020-12-31 23:00:00",
        AT | {"max": "2020-12-31 23:00:00"},
    ),
    col(AT | {"max": "2020-12-31 23:30"}, "or use a finer step", AT | {"max": "2020-12-31 23:30", "step": "minute"}),
    Case(
        lambda: pets.DateTime("2020-01-01 00:00", "2020-12-31 23:59").encode("x"),
        "such as 2019-04-01 10:30",
        lambda: pets.DateTime("2019-01-01 00:00", "2020-12-31 23:59").encode("2019-04-01 10:30"),
    ),
    col(OF_DAY | {"max": "24:00"}, "a time of day from 00:00 to 23:59", OF_DAY | {"max": "23:59"}),
    col(OF_DAY | {"min": "08:00:30"}, "or use a finer step", OF_DAY | {"min": "08:00:30", "step": "second"}),
    col(OF_DAY | {"step": "day"}, "step must be second, minute or hour", OF_DAY | {"step": "hour"}),
    col(OF_DAY | {"format": "hh:mm"}, "such as 08:30, are read without one", OF_DAY),
    col(OF_DAY | {"format": "hhm"}, "did you mean 'hhmm'", OF_DAY | {"format": "hhmm"}),
    Case(lambda: pets.Time().encode("8 h"), "such as 08:30", lambda: pets.Time().encode("08:30")),
    Case(
        lambda: pets.Time("08:00", "17:30").encode("18:00"),
        "minutes of the day from 08:00 to 17:30",
        lambda: pets.Time("08:00", "17:30").encode("17:30"),
    ),
    col(DAY | {"min": "x"}, "a date such as 2019-04-01", DAY | {"min": "2019-04-01"}),
    col(AT | {"min": "x"}, "such as 2019-04-01 00:00", AT | {"min": "2019-04-01 00:00"}),
    col(DAY | {"format": "often"}, "write iso, dd/mm/yyyy", DAY | {"format": "dd/mm/yyyy"}),
    col(DAY | {"format": "%d.%d.%Y"}, "name each once", DAY | {"format": "%d.%m.%Y"}),
    col(DAY | {"format": "%d.%m"}, "or a strptime pattern such as '%d.%m.%Y'", DAY | {"format": "%d.%m.%Y"}),
    col(DAY | {"format": "%d.%m.%Y %I:%M"}, "%I together with %p", DAY | {"format": "%d.%m.%Y %I:%M %p"}),
    col(DAY | {"format": "%Y-%d-%m"}, "write such a column as ISO text", DAY),
    col(DAY | {"format": "%A %d.%m.%Y"}, "such as '%d.%m.%Y'", DAY | {"format": "%d.%m.%Y"}),
    col(DAY | {"format": "%d7%m.%Y"}, "such as '%d.%m.%Y'", DAY | {"format": "%d.%m.%Y"}),
    col(
        DAY | {"format": ["dd/mm/yyyy", "mm/dd/yyyy"]}, "keep the one that the file has", DAY | {"format": "dd/mm/yyyy"}
    ),
    col(DAY | {"format": 3}, "a text or a list of texts", DAY | {"format": ["iso"]}),
    col(DAY | {"tz": "MEZ"}, "such as Europe/London", DAY | {"tz": "Europe/London"}),
    # what every column has
    col(SEX | {"values": [True, "F"]}, "write it in quotes", SEX | {"values": ["true", "F"]}),
    col(WHOLE | {"min": 10}, "swap them", WHOLE | {"min": 9, "max": 10}),
    col(WHOLE | {"min": -(2**62), "max": 2**62}, "narrow it or use a coarser step", WHOLE | {"max": 2**61}),
    Case(lambda: pets.Integer(0, 9, null=3), "such as ['NA', '-9']", lambda: pets.Integer(0, 9, null=["NA", "-9"])),  # type: ignore[arg-type]
    Case(lambda: pets.Integer(0, 9, nullable="no"), "true or false", lambda: pets.Integer(0, 9, nullable=False)),  # type: ignore[arg-type]
    Case(lambda: pets.Boolean().encode("yes"), "there are: True, False", lambda: pets.Boolean().encode(True)),
    Case(
        lambda: pets.Category(["F", "M"]).encode("f"), "there are: F, M", lambda: pets.Category(["F", "M"]).encode("F")
    ),
    Case(lambda: pets.Integer(0, 9).encode(10), "whole numbers 0 to 9", lambda: pets.Integer(0, 9).encode(9)),
    Case(lambda: pets.Integer(0, 9).encode("x"), "not a finite number", lambda: pets.Integer(0, 9).encode("9")),
    # categories
    col(SEX | {"values": []}, "such as values: [Female, Male]", SEX | {"values": ["Female", "Male"]}),
    Case(
        lambda: pets.Category(list(range(1_000_001))),
        "at most 1,000,000 values",
        lambda: pets.Category(list(range(10))),
    ),
    Case(
        lambda: pets.Category(["a"], lookup="x"),
        "pets.Lookup(column, {value: value})",  # type: ignore[arg-type]
        lambda: pets.Category(["a"], lookup=pets.Lookup("x", {"b": "a"})),
    ),
    Case(lambda: pets.Lookup("x", {}), "such as {'Berlin': 'East'}", lambda: pets.Lookup("x", {"Berlin": "East"})),
    col(
        SEX | {"values": ["missing"]},
        "rename it or set nullable: false",
        SEX | {"values": ["missing"], "nullable": False},
    ),
    col(SEX | {"values": ["F", "F"]}, "list each value once", SEX | {"values": ["F"]}),
    col(SEX | {"null": "F"}, "take it out of one of the two lists", SEX | {"null": "?"}),
    Case(lambda: columns(**group(map={"F": "9"})), "there are: 1, 2", lambda: columns(**group(map={"F": "1"}))),
    Case(
        lambda: columns(sex=SEX, x=group(**AS_F)["x"] | {"trim": True}),
        "on the column that it looks at",
        lambda: columns(sex=SEX | {"trim": True}, x=group(**AS_F)["x"]),
    ),
    col(SEX | {"values": [" F"], "trim": True}, "without blanks around it", SEX | {"values": ["F"], "trim": True}),
    col(SEX | {"values": ["f", "F"], "case": "fold"}, "keep one", SEX | {"values": ["F"], "case": "fold"}),
    col(SEX | {"map": {"w": "W"}}, "there are: F, M", SEX | {"map": {"w": "F"}}),
    col(SEX | {"map": {"": "F"}}, "take it out of map", SEX | {"map": {}}),
    col(SEX | {"map": {"F": "M"}}, "take it out", SEX | {"map": {}}),
    col(SEX | {"map": {"m": 1.5}}, "write it in quotes", SEX | {"map": {"m": "M"}}),
    Case(lambda: pets.Category(["F"], trim="yes"), "true or false", lambda: pets.Category(["F"], trim=True)),  # type: ignore[arg-type]
    col(SEX | {"case": "lower"}, "'fold' (a and A are one) or 'exact'", SEX | {"case": "fold"}),
    Case(
        lambda: pets.Category(["Male"], map=3), "such as {m: Male}", lambda: pets.Category(["Male"], map={"m": "Male"})
    ),  # type: ignore[arg-type]
    # numbers
    col(WHOLE | {"max": "9.5"}, "use type real for fractions", REAL | {"max": "9.5"}),
    col(WHOLE | {"max": "x"}, "max must be a whole number", WHOLE),
    col(WHOLE | {"max": 2**63}, "must fit in 64 bits", WHOLE | {"max": 2**40}),
    col(
        REAL | {"min": "1e30", "max": f"1{'0' * 29}1", "step": "1e-8"},
        "a coarser step or round min and max",
        REAL | {"min": "1e30", "max": f"1{'0' * 29}1", "step": "0.01"},
    ),
    col(REAL | {"step": 0}, "greater than 0", REAL),
    col(REAL | {"step": "0.3"}, "change max or step", REAL | {"step": "0.2"}),
    col(REAL | {"max": -1}, "swap them", REAL | {"min": -1, "max": 0}),
    col(REAL | {"max": "x"}, "max must be a finite number", REAL),
    col(WHOLE | {"round": "up"}, "floor, ceil or nearest", WHOLE | {"round": "ceil"}),
    col(WHOLE | {"decimal": ";"}, "'.' or ','", WHOLE | {"decimal": ","}),
    col(WHOLE | {"thousands": ";"}, "one of , . ' or a blank", WHOLE | {"thousands": ","}),
    col(WHOLE | {"thousands": "."}, "set decimal: ',' too", WHOLE | {"thousands": ".", "decimal": ","}),
    col(WHOLE | {"prefix": "-£"}, "a text such as £", WHOLE | {"prefix": "£"}),
    # tables
    tab({"unit": None}, "or unit: row", {"unit": "row"}),
    tab({"unit": {"column": "x"}}, "'max_rows'", {"unit": UNIT, "columns": {"x": ID}}),
    Case(
        lambda: pets.Unit("x", max_rows=3, trim="no"), "true or false", lambda: pets.Unit("x", max_rows=3, trim=False)
    ),  # type: ignore[arg-type]
    Case(lambda: pets.Unit(None, max_rows=3), "left out or 1", lambda: pets.Unit(None)),
    Case(lambda: pets.Unit("x", max_rows=0), "from 1 to", lambda: pets.Unit("x", max_rows=1)),
    Case(
        lambda: pets.Table(3, {"x": pets.Boolean()}),
        "or the text 'row'",
        lambda: pets.Table("row", {"x": pets.Boolean()}),
    ),  # type: ignore[arg-type]
    Case(lambda: pets.Table("row", 3), "column names to domains", lambda: pets.Table("row", {"x": pets.Boolean()})),  # type: ignore[arg-type]
    Case(
        lambda: pets.Table("row", {"x": 3}),
        "such as Integer(0, 120)",
        lambda: pets.Table("row", {"x": pets.Integer(0, 120)}),
    ),  # type: ignore[arg-type, dict-item]
    tab({"encoding": "utf9"}, "did you mean", {"encoding": "utf-8"}),
    tab({"unit": UNIT | {"column": "z"}, "columns": {"x": ID}}, "there are: x", {"unit": UNIT, "columns": {"x": ID}}),
    tab({"unit": UNIT}, "must have type identifier", {"unit": UNIT, "columns": {"x": ID}}),
    Case(lambda: columns(x=group(**AS_F)["x"]), "there are: x", lambda: columns(**group(**AS_F))),
    Case(
        lambda: columns(sex=WHOLE, x=group(**AS_F)["x"]), "must be a plain category", lambda: columns(**group(**AS_F))
    ),
    Case(lambda: columns(**group(map={"f": "1"})), "there are: F, M", lambda: columns(**group(**AS_F))),
    Case(lambda: schema({"tables": {}}), "under 'tables'", table),
    Case(
        lambda: pets.Schema({"t": 3}),
        "a Table(unit, columns)",  # type: ignore[dict-item]
        lambda: pets.Schema({"t": pets.Table("row", {"x": pets.Boolean()})}),
    ),  # type: ignore[arg-type]
    Case(lambda: table().table("u"), "there are: t", lambda: table().table("t")),
    Case(
        lambda: schema(3),
        "the path of a YAML or JSON file",
        lambda: schema({"tables": {"t": {"unit": "row", "columns": {"x": WHOLE}}}}),
    ),
    pair({"stays": {"person_table": "pople"}}, "did you mean 'people'", {}),
    pair({"people": {"unit": "row"}}, "must both name a unit column", {}),
    pair({"people": {"unit": {"column": "id", "max_rows": 2}}}, "must have max_rows: 1", {}),
    pair({"people": {"unit": {"column": "id", "max_rows": 1, "trim": True}}}, "must agree on trim", {}),
    pair({"people": {"columns": {"id": ID, "x": WHOLE}}}, "rename one", {}),
    # the form
    tab({"unti": "row"}, "did you mean 'unit'", {}),
    Case(lambda: schema({"tabels": {}}), "did you mean 'tables'", table),
    col(WHOLE | {"nullable": "no"}, "true or false", WHOLE | {"nullable": False}),
    tab({"columns": 3}, "a mapping of names to settings", {}),
    col({"type": "integer", "min": 0}, "needs 'max'", WHOLE),
    Case(lambda: columns(**group()), "either 'map' (pairs) or 'file'", lambda: columns(**group(**AS_F))),
    Case(lambda: columns(**group(file="c.csv")), "here give the pairs in 'map'", lambda: columns(**group(**AS_F))),
    col({"type": "intger"}, "did you mean 'integer'", WHOLE),
    tab({"people": "many"}, "people must be a whole number", {"people": 1000}),
    tab({"person_table": [3]}, "person_table must be a text", {}),
    Case(looked_up(""), "check the path", looked_up(PAIRS)),
    Case(looked_up("ky,value\nF,1\n"), "did you mean 'ky'", looked_up("ky,value\nF,1\n", key="ky")),
    Case(looked_up("key,value\nF\n"), "fill it", looked_up("key,value\nF,1\n")),
    Case(looked_up("key,value\nF,1\nF,2\n"), "keep one row per key", looked_up(PAIRS)),
    # rules
    rules({"order": "a"}, "rules must be a list", [{"order": ["a", "b"]}]),
    rules([{"order": "a"}], "such as [admitted, discharged]", [{"order": ["a", "b"]}]),
    rules([{"order": ["a", "a"]}], "name each once", [{"order": ["a", "b"]}]),
    rules([3], "a rule is {order: [a, b]}", [{"order": ["a", "b"]}]),
    rules(
        [{"order": ["a", "b"], "unique": "id"}], "a rule is {order: [a, b]}", [{"order": ["a", "b"]}, {"unique": "id"}]
    ),
    rules([{"column": "n", "when": "sex"}], "such as when: {sex: [Female]}", [{"column": "n", "when": {"sex": ["F"]}}]),
    rules(
        [{"column": "n", "when": {"sex": []}}],
        "such as when: {sex: [Female]}",
        [{"column": "n", "when": {"sex": ["F"]}}],
    ),
    rules([{"column": "n", "days": ["n", "b"]}], "from itself", [{"column": "days", "days": ["a", "b"]}]),
    rules([{"column": "sex", "days": ["a", "b"]}], "derives a whole number", [{"column": "days", "days": ["a", "b"]}]),
    rules(
        [{"column": "full", "days": ["a", "b"]}],
        "or leave it out for 'full'",
        [{"column": "full", "days": ["a", "b"]}],
        {"full": WHOLE | {"max": 400}},
    ),
    rules(
        [{"column": "n", "sum": ["m", "s"]}],
        "widen it",
        [{"column": "n", "sum": ["m", "s"]}],
        {"n": WHOLE | {"max": 39}},
    ),
    rules(
        [{"column": "full", "when": {"sex": ["F"]}}],
        "take nullable: false away",
        [{"column": "full", "when": {"sex": ["F"]}}],
        {"full": WHOLE},
    ),
    rules(
        [{"column": "n", "when": {"a": ["2020-01-01"]}}],
        "a plain category or a boolean",
        [{"column": "n", "when": {"sex": ["F"]}}],
    ),
    Case(
        lambda: Derived("n", "weeks", ["a", "b"]),
        "derived by days, years or sum",
        lambda: Derived("n", "days", ["a", "b"]),
    ),
    rules(
        [{"column": "id", "when": {"sex": ["F"]}}],
        "rules are about other columns",
        [{"column": "n", "when": {"sex": ["F"]}}],
    ),
    rules(
        [{"order": ["late", "a"]}],
        "the ranges of the columns leave no value; widen one",
        [{"order": ["late", "a"]}],
        {"late": DAY},
    ),
    rules([{"ordre": ["a", "b"]}], "did you mean 'order'", [{"order": ["a", "b"]}]),
    rules([{"order": ["a", "z"]}], "there are:", [{"order": ["a", "b"]}]),
    rules([{"order": ["a", "sex"]}], "with no order", [{"order": ["a", "b"]}]),
    rules([{"order": ["a", "n"]}], "both must be dates", [{"order": ["a", "b"]}]),
    rules([{"column": "days", "days": ["a", "n"]}], "needs dates", [{"column": "days", "days": ["a", "b"]}]),
    rules([{"column": "n", "when": {"sex": ["f"]}}], "there are: F, M", [{"column": "n", "when": {"sex": ["F"]}}]),
    rules(
        [{"column": "days", "days": ["a", "b"]}, {"column": "days", "days": ["a", "c"]}],
        "keep one of the two rules",
        [{"column": "days", "days": ["a", "b"]}],
    ),
    rules([{"order": ["id", "a"]}], "with no order", [{"order": ["a", "b"]}]),
    rules([{"column": "n", "when": {"look": ["1"]}}], "a plain category", [{"column": "n", "when": {"sex": ["F"]}}]),
    rules(
        [{"column": "days", "days": ["a", "b"]}, {"column": "big", "sum": ["days", "n"]}],
        "name the columns it is computed from",
        [{"column": "days", "days": ["a", "b"]}],
    ),
    *unit_remedies.CASES,
    *hint_remedies.CASES,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says[:40])
def test_each_refusal_names_a_remedy_that_works(case: Case) -> None:
    check(case)
