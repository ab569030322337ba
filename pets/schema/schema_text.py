"""A schema in words: a line for a terminal, a table for a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from pets.common import html_table
from pets.schema.domain import Category, Domain, Identifier


class UnitFacts(Protocol):
    """What is read of a privacy unit."""

    @property
    def column(self) -> str | None:
        """Who is protected."""

    @property
    def max_rows(self) -> int:
        """Rows of one person that are kept."""

    @property
    def default_rows(self) -> int:
        """Rows of one person that a query counts."""


def described(unit: UnitFacts, columns: Mapping[str, Domain]) -> str:
    """Who is protected and how many columns there are, in a few words."""
    size = f"{len(columns)} column{'s' if len(columns) > 1 else ''}"
    if unit.column is None:
        return f"each row is one person, {size}"
    kept = f"{unit.max_rows} row{'s' if unit.max_rows > 1 else ''} of each {unit.column} kept"
    counted = "" if unit.default_rows == unit.max_rows else f" and {unit.default_rows} counted"
    return f"{kept}{counted}, {size}"


def html(name: str, unit: UnitFacts, columns: Mapping[str, Domain]) -> str:
    """A table's columns: what each may hold, and whether it may be empty."""
    rows = []
    for column, domain in columns.items():
        values = html_table.few(domain.values) if isinstance(domain, Category) else domain.describe()
        may = "" if isinstance(domain, Identifier) else "may be empty" if domain.nullable else "never empty"
        rows.append((column, domain.kind, values, may))
    return html_table.table(f"{name}: {described(unit, columns)}", ("column", "type", "values", ""), rows)
