"""The dummy session's tables: invented rows that a query's conditions never leave empty-handed."""

from __future__ import annotations

from typing import Any

from pets.common.codec import digest
from pets.query_model.query import Query
from pets.rows.snapshot import Snapshot
from pets.schema.schema import Schema
from pets.session.tables import Holdings
from pets.synthetic.dummy import dummy, met
from pets.synthetic.dummy_data.texts import named

FEW = 10
"""With fewer people than this to meet a condition, a query is answered on rows that were made to meet it."""


class DummyTables(Holdings):
    """Invented tables of a schema. A query whose conditions hardly anybody there meets gets rows made for it.

    What may be asked of rows is public (the conditions and the domains), so which rows answer tells nothing.
    """

    def __init__(self, schema: Schema, rows: int | None, seed: int, query: Query | None) -> None:
        made = dummy(schema, rows, seed, query=query)
        super().__init__(schema, dict(made.tables), None, progress=False)
        self._rows, self._seed, self._made_for = 1000 if rows is None else rows, seed, query
        self._filled: dict[str, Snapshot] = {}

    def answering(self, query: Query) -> Snapshot:
        texts = named(self._schema, query)  # of a column that lists none: made-up rows hold those that are asked for
        enough = not texts and met(query, self._schema, self._rows, self._seed) >= FEW
        if self._made_for is not None or enough:
            return self.snapshot(query.table)
        form = query.to_json()
        asked: Any = {"where": form.get("where"), "agg": form["agg"], "table": query.table, "with": form.get("with")}
        asked |= {"texts": texts} if texts else {}
        key = digest(asked)
        if key not in self._filled:
            made = dummy(self._schema, self._rows, self._seed, query=query)
            self._filled[key] = Snapshot.make(self._schema, query.table, dict(made.tables), folder=None, progress=False)
        return self._filled[key]
