"""Code lists of a question: how many of their codes a column writes otherwise, and how many it cannot hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pets.errors import shown
from pets.query_model.codelists.codelist import InCodelist, held_codes
from pets.query_model.query import Query
from pets.schema.domain import Domain
from pets.schema.schema import Schema


@dataclass(frozen=True)
class ListFacts:
    """What of one list is not as its column has it, which a reader must know.

    Attributes:
        first: a code that the column cannot hold (``""``: there is none), and ``ignored`` how many of them there are.
        written: a code that it holds without dots or in upper case, ``value`` that value, ``changed`` how many.
        codes: how many the list has.
    """

    column: str
    codes: int
    first: str = ""
    ignored: int = 0
    written: str = ""
    value: str = ""
    changed: int = 0

    def __str__(self) -> str:
        said = []
        if self.changed:
            some = "1 code is" if self.changed == 1 else f"{self.changed:,} codes are"
            said.append(
                f"{some} read as the schema writes them, without dots and in upper case, of the {self.codes:,} of the "
                f"list, such as {shown(self.written)} as {shown(self.value)}."
            )
        if self.ignored:
            some = "1 code is" if self.ignored == 1 else f"{self.ignored:,} codes are"
            said.append(
                f"{some} ignored of the {self.codes:,} of the list, such as {shown(self.first)}, since the schema has "
                "no such value."
            )
        return f"{self.column}: {' '.join(said)}"


def list_facts(query: Query, schema: Schema, fields: Mapping[str, Domain]) -> tuple[ListFacts, ...]:
    """Each code list of a question that its column has otherwise, once; ``fields`` are the question's own."""
    found = {}
    for form, own in _lists(query.to_json(), schema, fields):
        column, codes = form["column"], tuple(form["codes"])
        held = held_codes(codes, own[column])
        unknown = [code for code in codes if code not in held]
        changed = [code for code, value in held.items() if code != value]
        if unknown or changed:
            one = changed[0] if changed else ""
            found[column, codes] = ListFacts(
                column, len(codes), next(iter(unknown), ""), len(unknown), one, held.get(one, ""), len(changed)
            )
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
