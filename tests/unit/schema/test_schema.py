"""Schemas: the short forms, and what a notebook shows."""

from __future__ import annotations

from pets.schema.schema import Identifier, Integer, Schema, Table, Unit

COLUMNS = {"pid": {"type": "identifier"}, "age": {"type": "integer", "min": 0, "max": 120}}


def test_a_unit_is_named_by_its_column_alone() -> None:
    short = Schema.load({"tables": {"people": {"unit": "pid", "columns": COLUMNS}}})
    long = Schema.load({"tables": {"people": {"unit": {"column": "pid", "max_rows": 1}, "columns": COLUMNS}}})
    assert short == long
    assert short.digest == long.digest
    assert Table("pid", {"pid": Identifier(), "age": Integer(0, 120)}) == short.table("people")
    assert Schema.load({"tables": {"people": {"unit": "row", "columns": COLUMNS}}}).table("people").unit == Unit(None)
