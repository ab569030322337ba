"""Columns of people: which of them a question may name, and what it says where it may not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pets.errors import QueryError
from pets.query_model.features import columns_named
from pets.query_model.query import Query
from pets.schema.domain import Domain, Identifier
from pets.schema.schema import Schema
from pets.schema.text_column import Text


def check_columns(query: Query, schema: Schema, fields: Mapping[str, Domain], owner: str | None) -> None:
    """Refuse columns of texts, and those of a person table that no table attaches (``owner``: the one attached)."""
    for name in _named(query):
        if isinstance(fields.get(name), Text):
            raise no_feature(name, owner)
        if name not in fields and owner is None:
            _unattached(name, query, schema)


def no_feature(column: str, table: str | None) -> QueryError:
    """A text is no value of a person: no engine numbers texts, so that nothing may be told of them but equality."""
    return QueryError(
        f"{column!r} of table {table!r} is text that nobody listed, which is no value of a person; list its values in "
        f"the schema as a category, or look for rows: pets.events({table!r}).where(col({column!r}) == …).exists()"
    )


def _named(query: Query) -> Iterator[str]:
    yield from columns_named(query.condition)
    yield from (key.column for key in query.keys)
    for _, aggregate in query.aggregates:
        yield from aggregate.of
        yield from columns_named(getattr(aggregate, "where", None))


def _unattached(column: str, query: Query, schema: Schema) -> None:
    for table, found in schema.tables.items():
        own = found.columns.get(column)
        if found.unit.column is not None and found.unit.max_rows == 1 and not isinstance(own, Identifier | None):
            raise QueryError(
                f"column {column!r} is not among those of people, for table {query.table!r} attaches no person table; "
                f"write pets.people(of={table!r}, …), or state person_table: {table} in the schema"
            )
