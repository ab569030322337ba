"""People of a schema: what its tables must agree on, since their people are the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeVar

from pets.errors import SchemaError
from pets.schema.settings import PEOPLE


class _Unit(Protocol):
    """What a table says of its person."""

    @property
    def column(self) -> str | None:
        """The identifier column; none where each row is a person."""

    @property
    def trim(self) -> bool:
        """Whether blanks around an id are cut."""


class _Table(Protocol):
    """What matters here of a table."""

    @property
    def unit(self) -> _Unit:
        """Its privacy unit."""

    @property
    def people(self) -> int:
        """The public bound on its people."""


Held = TypeVar("Held", bound=_Table)


def named(tables: Mapping[str, Held]) -> dict[str, Held]:
    """The tables that name a person: whose rows of one table can be told to be the same person's as another's."""
    return {name: table for name, table in tables.items() if table.unit.column is not None}


def bound(tables: Mapping[str, _Table]) -> int:
    """A public upper bound on the people of all tables together: the largest that a table with a person states."""
    return max((table.people for table in named(tables).values()), default=PEOPLE)


def check_ids(tables: Mapping[str, _Table]) -> None:
    """Refuse tables in which one id would be two people: ids are compared as exact text, after one rule of trimming.

    Raises :class:`SchemaError`.
    """
    first: str | None = None
    for name, table in named(tables).items():
        if first is None:
            first = name
        elif table.unit.trim != tables[first].unit.trim:
            trims, not_ = (name, first) if table.unit.trim else (first, name)
            raise SchemaError(
                f"tables {first!r} and {name!r} must agree on trim, since equal ids are one person in both: write "
                f"'trim: true' in the unit of {not_!r} too, or leave it out of {trims!r}"
            )
