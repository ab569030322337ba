"""The dummy session's tables: invented rows that a query's conditions do not leave empty-handed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pets.common.codec import digest
from pets.errors import UserError
from pets.plan.plan import Plan, make_plan
from pets.query_model.aggregate import count
from pets.query_model.expression import Filter
from pets.query_model.query import Query
from pets.rows.linked import Linked
from pets.rows.snapshot import Snapshot
from pets.rows.tabulate import tabulate
from pets.schema.schema import Schema
from pets.schema.twin.hints import Twin
from pets.session.tables import Holdings
from pets.synthetic.dummy import dummy, met
from pets.synthetic.dummy_data.dataset import Dummy
from pets.synthetic.dummy_data.texts import named

FEW = 10
"""With fewer people than this to meet a condition, a query is answered on rows that were made to meet it."""

NOBODY = (
    "Hardly any of the invented people meet the question's conditions, and nobody could be invented who does; ask "
    "whether anybody can meet them all."
)


class DummyTables(Holdings):
    """Invented tables of a schema. A query whose conditions hardly anybody there meets gets rows made for it.

    What may be asked of rows is public (the conditions and the domains), so which rows answer tells nothing.
    """

    def __init__(self, schema: Schema, rows: int | None, seed: int, query: Query | None) -> None:
        made = _made(schema, rows, seed, query)
        super().__init__(schema, dict(made.tables), None, progress=False)
        self._rows, self._seed, self._made_for = 1000 if rows is None else rows, seed, query
        self._filled: dict[str, Snapshot] = {}
        self._cohorts: dict[str, Linked] = {}

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
            made = _made(self._schema, self._rows, self._seed, query)
            self._filled[key] = Snapshot.make(self._schema, query.table, dict(made.tables), folder=None, progress=False)
        return self._filled[key]

    def people_answering(self, plan: Plan) -> Linked:
        plain, texts = super().people_answering(plan), named(self._schema, plan.query)
        if self._made_for is not None or not (texts or _parts(plan.query)):
            return plain
        assert plan.people_of is not None
        form = plan.query.to_json()
        asked: Any = [
            form["people"],
            form.get("where"),
            form.get("with"),
            form["agg"],
            list(plan.people_of.tables),
            texts,
        ]
        key = digest(asked)
        if key not in self._cohorts:
            enough = not texts and self._fewest(plan.query) >= FEW
            self._cohorts[key] = plain if enough else self._made(plan, plain)
        return self._cohorts[key]

    def _fewest(self, query: Query) -> int:
        """How many people of the plain tables count in the part of the answer that has fewest: of invented rows."""
        parts = tuple((f"n{place}", count(where=where)) for place, where in enumerate(_parts(query)))
        asked = make_plan(replace(query, keys=(), keyset=None, aggregates=parts, display=None), self._schema)
        return int(tabulate(asked, super().people_answering(asked)).reveal().min())

    def _made(self, plan: Plan, plain: Linked) -> Linked:
        assert plan.people_of is not None
        try:
            made = _made(self._schema, self._rows, self._seed, plan.query)
        except UserError:  # nobody could be made to meet it
            return Linked(plain.snapshots, NOBODY)
        tables = dict(made.tables)
        return Linked(Snapshot.make_all(self._schema, plan.people_of.tables, tables, folder=None, progress=False))


def _made(schema: Schema, rows: int | None, seed: int, query: Query | None) -> Dummy:
    """Invented rows; where a pack makes nobody who meets the query, drawn from the columns instead."""
    try:
        return dummy(schema, rows, seed, query=query)
    except UserError:
        if query is None or schema.twin.pack is None:
            raise
        drawn = Schema(schema.tables, schema.dataset, Twin(None, schema.twin.hints))
        return dummy(drawn, rows, seed, query=query)


def _parts(query: Query) -> list[Filter | None]:
    """The conditions of the measures, each beside the question's own; none where there is no condition at all."""
    found = [where for _, aggregate in query.aggregates if (where := getattr(aggregate, "where", None)) is not None]
    return [None, *found] if query.condition is not None else found
