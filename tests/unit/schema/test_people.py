"""The tables of a schema are about the same people: one rule for their ids, one public bound on how many there are."""

from __future__ import annotations

import re
from typing import Any

import pytest

import pets
from pets.errors import SchemaError

COLUMNS = {"id": {"type": "identifier"}, "day": {"type": "integer", "min": 0, "max": 9}}


def form(**units: Any) -> dict[str, Any]:
    """Tables by name, each with its unit or that and more."""
    tables = {name: given if "unit" in given else {"unit": given} for name, given in units.items()}
    return {"dataset": "d", "tables": {name: given | {"columns": COLUMNS} for name, given in tables.items()}}


PLAIN, TRIM = {"column": "id", "max_rows": 3}, {"column": "id", "max_rows": 3, "trim": True}


def test_two_event_tables_must_agree_on_trim() -> None:
    """Else ' 7' is one person in one table and another in the next, and nobody's removal is well defined."""
    with pytest.raises(SchemaError) as refusal:
        pets.Schema.load(form(apc=PLAIN, rx=PLAIN, deaths=TRIM))
    assert str(refusal.value) == (
        "tables 'apc' and 'deaths' must agree on trim, since equal ids are one person in both: write 'trim: true' in "
        "the unit of 'apc' too, or leave it out of 'deaths'"
    )
    with pytest.raises(SchemaError, match=re.escape("the unit of 'rx' too, or leave it out of 'apc'")):
        pets.Schema.load(form(apc=TRIM, rx=PLAIN))
    assert pets.Schema.load(form(apc=PLAIN, rx=PLAIN, deaths=PLAIN)).tables
    assert pets.Schema.load(form(apc=TRIM, rx=TRIM, deaths=TRIM)).tables


def test_a_table_without_a_person_has_no_say() -> None:
    known = pets.Schema.load(form(apc=TRIM, beds={"unit": "row", "people": 10}, rx=TRIM))
    assert known.people == known.table("apc").people


def test_the_largest_bound_holds_for_all_together() -> None:
    many = pets.Schema.load(form(apc={"unit": PLAIN, "people": 50}, rx={"unit": PLAIN, "people": 70}))
    assert many.people == 70
    assert pets.Schema.load(form(apc=PLAIN)).people == 2**27
