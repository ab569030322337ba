"""Invented tables of OMOP as resources of FHIR R4, one JSON object a line, by the mapping in ``fhir.yaml``.

The mapping names the tables and columns of the OMOP Common Data Model, so it fits every pack that makes them. The same
rows give the same bytes. Source: HL7 FHIR release 4, https://hl7.org/fhir/R4/.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pets.common.yamlfile import read
from pets.errors import UserError

MAPPING = Path(__file__).with_name("fhir.yaml")
TAG = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST", "display": "test health data"}
"""The standard's own mark of test data; every resource bears it."""

Cell = Callable[[int], Any]
_VALUE = re.compile(r"\$(?:([a-z_]+)\.)?([a-z_]+)(?::(\w+))?")


@cache
def mapping() -> Mapping[str, Any]:
    """The mapping as it is declared."""
    tree, _ = read(MAPPING, "mapping")
    found: Mapping[str, Any] = tree
    return found


def needed() -> tuple[str, ...]:
    """The tables that resources are made of."""
    return tuple(dict.fromkeys(n for one in mapping()["resources"] for n in (one["each"], *one.get("beside", ()))))


def lines(tables: Mapping[str, Any]) -> Iterator[tuple[str, Iterator[str]]]:
    """The kinds of resources, and the lines of each.

    Raises:
        UserError: a table of OMOP is not there.
    """
    for name in needed():
        if name not in tables:
            raise UserError(
                f"resources of FHIR are made from tables of OMOP, and there is no table {name!r}; make them with "
                "products=['fhir']"
            )
    kinds = dict.fromkeys(one["type"] for one in mapping()["resources"])
    for kind in kinds:
        yield kind, _lines([one for one in mapping()["resources"] if one["type"] == kind], tables)


def _lines(entries: list[Mapping[str, Any]], tables: Mapping[str, Any]) -> Iterator[str]:
    for one in entries:
        rows = _Rows(tables, one["each"], one.get("beside", {}))
        made = _part(one["resource"], rows)
        head = {"resourceType": one["type"]}
        has, lacks = (rows.column(one[key]) if key in one else None for key in ("has", "lacks"))
        for row in range(tables[one["each"]].num_rows):
            if (has is None or has(row) is not None) and (lacks is None or lacks(row) is None):
                whole = made(row)
                resource = head | {"id": whole.pop("id"), "meta": {"tag": [TAG]}} | whole
                yield json.dumps(resource, ensure_ascii=False, separators=(",", ":")) + "\n"


class _Rows:
    """The columns of a table, and those of others with the same key."""

    def __init__(self, tables: Mapping[str, Any], each: str, beside: Mapping[str, str]) -> None:
        self._tables, self._each, self._beside = tables, each, beside
        self._held: dict[tuple[str, str], list[Any]] = {}

    def _values(self, table: str, column: str) -> list[Any]:
        if (table, column) not in self._held:
            self._held[table, column] = self._tables[table].column(column).to_pylist()
        return self._held[table, column]

    def column(self, name: str, table: str = "") -> Cell:
        """What a column holds in a row of the table; ``None``: nothing."""
        if not table:
            return self._values(self._each, name).__getitem__
        key = self._beside[table]
        place = dict(zip(self._values(table, key), self._values(table, name), strict=True))
        mine = self._values(self._each, key)
        return lambda row: place.get(mine[row])


def _part(form: Any, rows: _Rows) -> Cell:
    """A part of a resource; it gives ``None`` where none of the values that it rests on is there."""
    if isinstance(form, Mapping):
        parts = {name: _part(part, rows) for name, part in form.items()}
        return lambda row: _there(form, {name: part(row) for name, part in parts.items()})
    if isinstance(form, list):
        items = [_part(part, rows) for part in form]
        return lambda row: [made for made in (item(row) for item in items) if made is not None] or None
    found = list(_VALUE.finditer(form))
    if not found:
        return lambda row: form
    cells = [_cell(one, rows) for one in found]
    if len(found) == 1 and found[0].span() == (0, len(form)):
        return cells[0]
    edges = [0, *(edge for one in found for edge in one.span()), len(form)]
    between = [form[low:high] for low, high in zip(edges[::2], edges[1::2], strict=True)]

    def joined(row: int) -> Any:
        values = [cell(row) for cell in cells]
        if any(value is None for value in values):
            return None
        return between[0] + "".join(f"{value}{text}" for value, text in zip(values, between[1:], strict=True))

    return joined


def _there(form: Mapping[str, Any], made: Mapping[str, Any]) -> dict[str, Any] | None:
    """The members that have a value; nothing, where only constants are left of more."""
    told = [name for name, part in form.items() if _VALUE.search(str(part))]
    if told and all(made[name] is None for name in told):
        return None
    return {name: value for name, value in made.items() if value is not None}


def _cell(found: re.Match[str], rows: _Rows) -> Cell:
    table, name, more = found.groups()
    get = rows.column(name, table or "")
    if more is None:
        return lambda row: _plain(get(row))
    if more.isdigit():
        return lambda row: None if get(row) is None else str(get(row)).zfill(int(more))
    if more == "dotted":
        return lambda row: None if get(row) is None else _dotted(str(get(row)))
    known = mapping()["maps"][more]
    other = known.get("")
    return lambda row: known.get("" if get(row) is None else str(get(row)), other)


def _plain(value: Any) -> Any:
    """A value as JSON has it: days in the form of ISO 8601, whole numbers without a fraction."""
    if isinstance(value, dt.date):
        return value.isoformat()
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _dotted(code: str) -> str:
    """A code of ICD-10 as the classification writes it; hospitals write it without its dot, and an X in its place.

    >>> _dotted("I219"), _dotted("I10X")
    ('I21.9', 'I10')
    """
    return f"{code[:3]}.{code[3:]}".removesuffix(".X").removesuffix(".")
