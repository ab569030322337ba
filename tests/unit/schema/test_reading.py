"""How a schema says what a file writes: one canonical form, and refusals whose remedy works."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from pets.errors import SchemaError
from pets.schema.schema import Boolean, Category, Date, Domain, Integer, Lookup, Real, Schema, Table
from pets.schema.time_format import pattern


def loaded(**settings: Any) -> Domain:
    return Schema.load({"tables": {"t": {"unit": "row", "columns": {"x": settings}}}}).table("t").columns["x"]


DAY = {"type": "date", "min": "2020-01-01", "max": "2020-12-31"}
WHOLE = {"type": "integer", "min": "0", "max": "9"}
SEX = {"type": "category", "values": ["F", "M"]}


@pytest.mark.parametrize(
    ("settings", "made"),
    [
        (DAY | {"format": "dd/mm/yyyy"}, Date("2020-01-01", "2020-12-31", format="%d/%m/%Y")),
        (DAY | {"format": ["dd Mon yyyy", "iso"]}, Date("2020-01-01", "2020-12-31", format=["%d %b %Y"])),
        (DAY | {"tz": "Europe/Paris"}, Date("2020-01-01", "2020-12-31", tz="Europe/Paris")),
        (WHOLE | {"round": "floor", "suffix": "kg"}, Integer(0, 9, round="floor", suffix=["kg"])),
        (WHOLE | {"decimal": ",", "thousands": "."}, Integer(0, 9, decimal=",", thousands=".")),
        (SEX | {"trim": "true", "case": "fold"}, Category(["F", "M"], trim=True, case="fold")),
        (SEX | {"map": {"2": "F", "1": "M"}}, Category(["F", "M"], map={1: "M", 2: "F"})),  # type: ignore[dict-item]
    ],
)
def test_a_file_and_python_say_the_same(settings: dict[str, Any], made: Domain) -> None:
    found = loaded(**settings)
    assert found == made and hash(found) == hash(made)
    assert loaded(**made.to_json()) == made == pickle.loads(pickle.dumps(made))


PLAIN = {
    "d": Date("2020-01-01", "2020-12-31"),
    "i": Integer(0, 9),
    "r": Real(0, 1, "0.1"),
    "c": Category(["a"]),
    "b": Boolean(),
}


def test_a_schema_without_spellings_keeps_its_digest() -> None:
    plain = Schema({"t": Table("row", PLAIN)})  # type: ignore[arg-type]
    assert plain.digest == "d018d6e56a2260c8814489133c5109f508b947e07b7f2a04f6fca4c9a45bec11"
    same = {
        "d": Date("2020-01-01", "2020-12-31", format="iso", tz="UTC"),
        "i": Integer(0, 9, round=None, decimal=".", prefix=[]),
        "c": Category(["a"], trim=False, case="exact", map={}),
    }
    assert Schema({"t": Table("row", PLAIN | same, encoding="utf-8")}).digest == plain.digest  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("yyyymmdd", "%Y%m%d"), ("dd.mm.yyyy", "%d.%m.%Y"), ("mm/dd/yy", "%m/%d/%y"), ("dd-Mon-yyyy", "%d-%b-%Y"),
        ("dd Month yyyy", "%d %B %Y"), ("yyyymmddThhmmss", "%Y%m%dT%H%M%S"), ("dd/mm/yyyy hh:mm", "%d/%m/%Y %H:%M"),
        ("yyyy-mm-dd", None), ("%Y-%m-%d", None),
    ],
)  # fmt: skip
def test_named_formats(name: str, found: str | None) -> None:
    assert pattern(name) == found


@pytest.mark.parametrize(
    ("wrong", "says", "mended"),
    [
        (DAY | {"format": "dd/mm"}, "does not say one year, month and day", DAY | {"format": "dd/mm/yyyy"}),
        (DAY | {"format": "european"}, "not a format; write iso, dd/mm/yyyy", DAY | {"format": "iso"}),
        (DAY | {"format": "%d/%m/%Q"}, "'%Q', which is not read here", DAY | {"format": "%d.%m.%Y"}),
        (DAY | {"format": "%d/%m/%Y/%d"}, "names a part twice; name each once", DAY | {"format": "%d/%m/%Y"}),
        (DAY | {"format": "%d/%m/%Y %I:%M"}, "%I together with %p", DAY | {"format": "%d/%m/%Y %I:%M %p"}),
        (DAY | {"format": "%Y-%d-%m"}, "as other days", DAY | {"format": "iso"}),
        (DAY | {"format": ["dd/mm/yyyy", "%m/%d/%Y"]}, "read '03/02/2001' as two days; keep the one",
         DAY | {"format": ["%m/%d/%Y", "dd.mm.yyyy", "%m/%d/%y"]}),
        (DAY | {"format": ["%y%m%d", "%d%m%y"]}, "as two days", DAY | {"format": ["%y%m%d", "%d-%m-%y"]}),
        (DAY | {"tz": "CET+1"}, "such as Europe/London", DAY | {"tz": "Europe/London"}),
        (
            {"type": "date", "min": "1900-01-01", "max": "2020-12-31", "format": "dd-Mon-yy"},
            "narrow min and max to at most 100 years",
            {"type": "date", "min": "1921-01-01", "max": "2020-12-31", "format": "dd-Mon-yy"},
        ),
        (WHOLE | {"decimal": ";"}, "decimal must be '.' or ','", WHOLE | {"decimal": ","}),
        (WHOLE | {"thousands": "."}, "set decimal: ',' too", WHOLE | {"thousands": ".", "decimal": ","}),
        (WHOLE | {"decimal": ",", "thousands": ","}, "set thousands: '.'", WHOLE | {"decimal": ",", "thousands": "."}),
        (WHOLE | {"prefix": "-£"}, "without digits and signs", WHOLE | {"prefix": "£"}),
        (WHOLE | {"round": "up"}, "floor, ceil or nearest", WHOLE | {"round": "ceil"}),
        (SEX | {"case": "lower"}, "case must be 'fold'", SEX | {"case": "fold"}),
        (SEX | {"map": {"x": "Female"}}, "'Female' is not a value; there are: F, M", SEX | {"map": {"x": "F"}}),
        (SEX | {"map": {"F": "M"}}, "already means something else; take it out", SEX | {"map": {}}),
        (SEX | {"map": {"": "M"}}, "take it out of map", SEX),
        (SEX | {"values": ["f", "F"], "case": "fold"}, "are one text under trim or case: fold; keep one",
         SEX | {"values": ["F"], "case": "fold"}),
        (SEX | {"null": [" F"], "trim": "true"}, "one text under trim", SEX | {"null": ["?"], "trim": "true"}),
        ({"type": "category", "values": ["3.0", " 3", "7"], "trim": "true"}, "write the value without blanks around it",
         {"type": "category", "values": ["3.0", "7"], "trim": "true"}),
        ({"type": "real", "min": 0, "max": "1e30", "step": "0.00000001"}, "coarser step",
         {"type": "real", "min": 0, "max": "1e15", "step": "0.001"}),
        ({"type": "real", "min": "1e30", "max": "1000000000000000000000000000001", "step": "0.00000001"},
         "choose a coarser step",
         {"type": "real", "min": "1e30", "max": "1000000000000000000000000000001", "step": "0.01"}),
        ({"type": "real", "min": 0, "max": 1, "step": "0.3"}, "change max or step",
         {"type": "real", "min": 0, "max": "0.9", "step": "0.3"}),
    ],
)  # fmt: skip
def test_each_refusal_names_a_remedy_that_works(wrong: dict[str, Any], says: str, mended: dict[str, Any]) -> None:
    with pytest.raises(SchemaError) as refused:
        loaded(**wrong)
    assert says in str(refused.value)
    loaded(**mended)


def test_a_look_up_reads_no_cells() -> None:
    look = Lookup("x", {"a": "b"})
    with pytest.raises(SchemaError, match="set trim, case or map on the column that it looks at"):
        Category(["b"], lookup=look, trim=True)
    Table("row", {"x": Category(["a"], trim=True), "y": Category(["b"], lookup=look)})  # type: ignore[arg-type]


def test_an_unknown_encoding_is_refused() -> None:
    with pytest.raises(SchemaError, match="encoding 'cp1251' is not read; did you mean 'cp1252'"):
        Table("row", {"x": Boolean()}, encoding="cp1251")  # type: ignore[arg-type]
