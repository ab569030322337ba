"""Code lists of a question: how many of their codes a column cannot hold, which are ignored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pets.errors import shown
from pets.query_model.nodes.codelist import InCodelist, known_codes
from pets.query_model.query import Query
from pets.schema.domain import Domain
from pets.schema.schema import Schema


@dataclass(frozen=True)
class Ignored:
    """Codes of one list that its column cannot hold.

    Attributes:
        first: one of them.
        ignored, codes: how many they are, and how many the list has.
    """

    column: str
    first: str
    ignored: int
    codes: int

    def __str__(self) -> str:
        some = "1 code is" if self.ignored == 1 else f"{self.ignored:,} codes are"
        return (
            f"{self.column}: {some} ignored of the {self.codes:,} of the list, such as {shown(self.first)}, since the "
            "schema has no such value."
        )


def ignored_codes(query: Query, schema: Schema, fields: Mapping[str, Domain]) -> tuple[Ignored, ...]:
    """Each code list of a question with codes that its column cannot hold, once; ``fields`` are the question's own."""
    found = {}
    for form, own in _lists(query.to_json(), schema, fields):
        column, codes = form["column"], tuple(form["codes"])
        known = frozenset(known_codes(codes, own[column]))
        unknown = [code for code in codes if code not in known]
        if unknown:
            found[column, codes] = Ignored(column, unknown[0], len(unknown), len(codes))
    return tuple(found.values())


def _lists(
    form: Any, schema: Schema, fields: Mapping[str, Domain]
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Domain]]]:
    """The code lists in a form, with the columns of the table that their rows are of."""
    if isinstance(form, Mapping):
        if form.get("filter") == InCodelist.kind:
            yield form, fields
            return
        own = schema.fields(form["table"]) if "table" in form and "agg" not in form else fields  # rows of events
        for part in form.values():
            yield from _lists(part, schema, own)
    elif isinstance(form, (list, tuple)):
        for part in form:
            yield from _lists(part, schema, fields)
