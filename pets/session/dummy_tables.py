"""The dummy session's tables: invented rows that a query's conditions never leave empty-handed."""

from __future__ import annotations

from typing import Any

from pets.common.codec import digest
from pets.query_model.query import Query
from pets.rows.snapshot import Snapshot
from pets.schema.schema import Schema
from pets.session.tables import Holdings
from pets.synthetic.dummy import dummy, met

FEW = 10
"""With fewer people than this to meet a condition, a query is answered on rows that were made to meet it."""


class DummyTables(Holdings):
    """Invented tables of a schema. A query whose conditions hardly anybody there meets gets rows made for it.

    What may be asked of rows is public (the conditions and the domains), so which rows answer tells nothing.
    """

    def __init__(self, schema: Schema, rows: int, seed: int, query: Query | None) -> None:
        made = dummy(schema, rows, seed, query=query)
        super().__init__(schema, dict(made.tables), None, progress=False)
        self._rows, self._seed, self._made_for = rows, seed, query
        self._filled: dict[str, Snapshot] = {}

    def answering(self, query: Query) -> Snapshot:
        if self._made_for is not None or met(query, self._schema, self._rows, self._seed) >= FEW:
            return self.snapshot(query.table)
        asked: Any = {"where": query.to_json().get("where"), "agg": query.to_json()["agg"], "table": query.table}
        key = digest(asked)
        if key not in self._filled:
            made = dummy(self._schema, self._rows, self._seed, query=query)
            self._filled[key] = Snapshot.make(self._schema, query.table, dict(made.tables), folder=None, progress=False)
        return self._filled[key]
