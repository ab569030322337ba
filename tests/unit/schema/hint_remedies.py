"""Refusals of hints for invented rows, and their remedies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pets.schema.domain import Category
from pets.schema.schema import Schema
from pets.schema.twin.hints import Twin, hint
from tests.remedies import Case

ID: dict[str, Any] = {"type": "identifier"}
SEX: dict[str, Any] = {"type": "category", "values": ["F", "M"]}


def form(of: dict[str, Any], **changed: dict[str, Any]) -> dict[str, Any]:
    """People and their visits, with the settings ``of`` columns of the visits, and other columns of either."""
    visits = {
        "patient": ID | {"refers": "people.patient"},
        "visit": ID,
        "sex": SEX,
        "look": {"type": "category", "values": ["1"], "lookup": {"column": "sex", "map": {"F": "1"}}},
        "pulse": {"type": "integer", "min": 0, "max": 300},
        "cost": {"type": "real", "min": 0, "max": 1000, "step": "0.5"},
        "more": {"type": "real", "min": 0, "max": 1000, "step": "0.5"},
        "all": {"type": "real", "min": 0, "max": 2000, "step": "0.5"},
        "seen": {"type": "date", "min": "2020-01-01", "max": "2020-12-31"},
    }
    for column, settings in of.items():
        visits[column] = visits[column] | settings
    people = {"patient": ID, "other": ID, "born": {"type": "integer", "min": 1900, "max": 2020}}
    tables = {
        "people": {"unit": {"column": "patient", "max_rows": 1}, "columns": people | changed.get("people", {})},
        "visits": {
            "unit": {"column": "patient", "max_rows": 3},
            "columns": visits,
            "rules": [{"column": "all", "sum": ["cost", "more"]}],
        },
    }
    return {"tables": tables}


def hinted(column: str, **settings: Any) -> Any:
    return lambda: Schema.load(form({column: settings}))


def back(folder: str) -> Any:
    """People who refer to visits, which refer to them."""
    return lambda: Schema.load(form({}, people={"other": ID | ({"refers": folder} if folder else {})}))


def shaped(shape: str) -> Any:
    """A shape of a category, as a program may give it; a file is refused for the setting's name before."""
    return lambda: hint({"shape": shape}, Category(["F", "M"]), "sex", ())


def named(pack: Any) -> Any:
    return lambda: Twin(pack=pack)


def schema(**more: Any) -> Any:
    def made() -> Schema:
        first = Schema.load(form({}))
        return Schema(first.tables, **more)

    return made


def loaded(whole: bool, pack: str) -> Any:
    def act(folder: Path) -> Schema:
        given = form({}) | {"dummy": pack}
        if not whole:
            return Schema.load(given)
        (folder / "s.json").write_text(json.dumps(given), "utf-8")
        return Schema.load(folder / "s.json")

    return act


CASES = [
    Case(schema(twin="nhs"), "must be a Twin", schema(twin=Twin("nhs"))),
    Case(loaded(False, "./clinic"), "name a pack", loaded(False, "nhs")),
    Case(loaded(False, "./clinic"), "loaded from a file", loaded(True, "./clinic")),
    Case(named(3), "such as nhs", named("nhs")),
    Case(hinted("patient", refers="poeple.patient"), "did you mean 'people'", hinted("patient")),
    Case(hinted("patient", refers="people.born"), "has no identifier 'born'", hinted("patient")),
    Case(hinted("patient", refers="people.other"), "people.patient", hinted("patient", refers="people.patient")),
    Case(back("visits.visit"), "drop one 'refers'", back("")),
    Case(hinted("patient", refers="people"), "a table and its column", hinted("patient", refers="people.patient")),
    Case(hinted("all", shape="even"), "give one to 'cost'", hinted("cost", shape="even")),
    Case(hinted("sex", weights={"F": "many"}), "must be numbers", hinted("sex", weights={"F": 3})),
    Case(hinted("look", weights={"1": 2}), "no look-up", hinted("sex", weights={"F": 2})),
    Case(hinted("sex", weights="F"), "such as {F: 3}", hinted("sex", weights={"F": 3})),
    Case(hinted("sex", weights={"f": 3}), "which is no value", hinted("sex", weights={"F": 3})),
    Case(hinted("sex", weights={"F": -1}), "must not be negative", hinted("sex", weights={"F": 1})),
    Case(shaped("even"), "of a category say weights", hinted("sex", weights={"F": 1})),
    Case(hinted("pulse", shape="poison 70"), "did you mean 'poisson'", hinted("pulse", shape="poisson 70")),
    Case(hinted("seen", shape="normal 3 4"), "such as bands 1 3 2", hinted("seen", shape="bands 1 3 2")),
    Case(hinted("pulse", shape="poisson"), "takes 1 number", hinted("pulse", shape="poisson 70")),
    Case(hinted("pulse", shape="bands -1 2"), "must not be negative", hinted("pulse", shape="bands 1 2")),
    Case(hinted("pulse", shape="normal 70 0"), "above 0", hinted("pulse", shape="normal 70 9")),
    Case(hinted("cost", shape="skewed 9 50"), "0.5 is a usual one", hinted("cost", shape="skewed 9 0.5")),
]
