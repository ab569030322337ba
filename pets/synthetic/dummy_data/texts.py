"""Texts that nobody listed, in invented rows: a few made-up ones of the form, and those that a query names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from pets.errors import QueryError
from pets.query_model.query import Query
from pets.schema.domain import Category, Domain
from pets.schema.schema import Schema
from pets.schema.text_column import Text

MADE_UP = "ABCDEFGHIJKLMNOPQRST"
"""What made-up texts begin or end with, one each."""


def listed(schema: Schema, query: Query | None = None) -> Schema:
    """The schema with every column of texts as a category of made-up texts and of those that the query names.

    Nothing here reads a row: a query's constants are public.
    """
    if not any(isinstance(domain, Text) for table in schema.tables.values() for domain in table.columns.values()):
        return schema
    said = {} if query is None else named(schema, query)
    tables = {}
    for name, table in schema.tables.items():
        columns: dict[str, Domain] = {}
        for column, domain in table.columns.items():
            columns[column] = _category(domain, said.get(column, [])) if isinstance(domain, Text) else domain
        tables[name] = replace(table, columns=columns)
    return Schema(tables, schema.dataset, schema.twin)


def named(schema: Schema, query: Query) -> dict[str, list[str]]:
    """By column of texts, the texts that a query on these tables names in conditions and key sets."""
    read = (query.table,) if query.people is None else query.people.tables
    fields = (pair for table in read if table in schema.tables for pair in schema.fields(table).items())
    texts = {name: domain for name, domain in fields if isinstance(domain, Text)}
    found: dict[str, list[str]] = {}
    pairs = list(_compared(query.to_json()))
    if query.keyset is not None:
        own = {key.name: key.column for key in query.keys}
        pairs += [
            (own[name], row[place]) for place, name in enumerate(query.keyset.columns) for row in query.keyset.rows
        ]
    for column, value in pairs:
        if column in texts and value is not None and isinstance(value, (str, int)):
            try:
                texts[column].spelt(value)
            except QueryError:  # planning the query says so
                continue
            found.setdefault(column, []).append(str(value))
    return found


def _compared(form: Any) -> Iterator[tuple[str, Any]]:
    """The columns and constants of every comparison in a part of a query's JSON."""
    if isinstance(form, dict):
        if form.get("filter") in ("compare", "isin"):
            values = form["values"] if "values" in form else [form["value"]]
            yield from ((form["column"], value) for value in values)
        else:
            for part in form.values():
                yield from _compared(part)
    elif isinstance(form, list):
        for part in form:
            yield from _compared(part)


def _category(domain: Text, more: list[str]) -> Category:
    made_up = [_made_up(domain, letter) for letter in MADE_UP]
    values = dict.fromkeys(text for text in [*more, *made_up] if domain.plain(text) not in domain.null)
    return Category(list(values), nullable=domain.nullable, null=tuple(t for t in domain.null if t not in values))


def _made_up(domain: Text, letter: str) -> str:
    if domain.form == "icd10":
        return f"{letter}00"
    if domain.form == "any" and domain.max_length >= 6:
        return f"text {letter}"
    return letter
