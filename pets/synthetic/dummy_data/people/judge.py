"""Judge: which people of invented tables, however they were made, meet the conditions of a question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from pets.errors import UserError
from pets.plan.person_steps import Attribute, PersonPlan, Read
from pets.plan.plan import make_plan
from pets.plan.predicate import AllOf, Predicate, Texts, columns_in, met
from pets.plan.predicate import Codes as CodesIn
from pets.query_model.query import Query
from pets.schema.domain import Domain
from pets.schema.numeric import Numeric
from pets.schema.schema import Schema
from pets.synthetic.dummy_data.derived_targets import derived_codes
from pets.synthetic.dummy_data.fill import Codes
from pets.synthetic.dummy_data.people.cohort import looked_up
from pets.synthetic.dummy_data.people.evaluate import evaluated
from pets.synthetic.dummy_data.query_targets import conditions


class Judge:
    """For each part of a question's answer that has a condition, the people who meet it.

    Attributes:
        asked: the conditions.
    """

    def __init__(self, query: Query, schema: Schema) -> None:
        self.asked = conditions(query, schema)
        self._query, self._schema, self._plan = query, schema, make_plan(query, schema)

    def meeting(self, tables: Mapping[str, Any]) -> list[set[str]]:
        """By condition, the ids of those among the people of some tables (Arrow) who meet it."""
        if self._plan.people_of is not None:
            return self._people(self._plan.people_of, tables)
        name = self._query.table
        ids, codes = self._codes(name, tables)
        codes |= derived_codes(self._plan, codes)
        return [set(ids[holds(condition, codes, len(ids))].tolist()) for condition in self.asked]

    def _codes(self, name: str, tables: Mapping[str, Any]) -> tuple[npt.NDArray[Any], dict[str, Codes]]:
        """Whose each row is, and the codes of every column that a query of the table may name."""
        table = self._schema.table(name)
        assert table.unit.column is not None
        ids = _ids(tables[name], table.unit.column)
        codes = {
            column: coded(domain, tables[name].column(column))
            for column, domain in table.columns.items()
            if domain.kind != "identifier" and column in tables[name].column_names
        }
        if table.person_table is not None:
            theirs, more = self._codes(table.person_table, tables)
            place = {who: row for row, who in enumerate(theirs.tolist())}
            rows = np.array([place.get(who, -1) for who in ids.tolist()], dtype=np.int64)
            for column, some in more.items():
                domain = self._schema.table(table.person_table).columns[column]
                codes[column] = np.where(rows < 0, domain.cells, some[rows] if len(some) else domain.cells)
        return ids, codes | looked_up(self._schema.fields(name), codes)

    def _people(self, plan: PersonPlan, tables: Mapping[str, Any]) -> list[set[str]]:
        rows: dict[str, dict[str, list[dict[str, int]]]] = {}
        read = _read(plan)
        for name in dict.fromkeys((*plan.tables, *([] if plan.of is None else [plan.of]))):
            ids, codes = self._codes(name, tables)
            wanted = [column for column in codes if column in read.get(name, set())]
            parts = [codes[column].tolist() for column in wanted]
            for place, who in enumerate(ids.tolist()):
                row = {column: part[place] for column, part in zip(wanted, parts, strict=True)}
                rows.setdefault(who, {}).setdefault(name, []).append(row)
        found: list[set[str]] = [set() for _ in self.asked]
        for who, own in rows.items():
            if plan.of is not None and plan.of not in own:
                continue
            seen = evaluated(plan, own)
            if seen is None:  # it hangs on chance
                continue
            named = {name: seen[step] for name, step in plan.names}
            for condition, some in zip(self.asked, found, strict=True):
                if met(condition, named):
                    some.add(who)
        return found


def _read(plan: PersonPlan) -> dict[str, set[str]]:
    """By table, the columns that the features read."""
    read: dict[str, set[str]] = {}
    for step in plan.steps:
        if isinstance(step, Attribute):
            read.setdefault(step.table, set()).add(step.column)
        elif isinstance(step, Read):
            named = {step.column, step.by, *columns_in(step.where), *(one.column for one in step.differences)}
            read.setdefault(step.table, set()).update(column for column in named if column is not None)
    return read


def holds(condition: Predicate, codes: Mapping[str, Codes], rows: int) -> npt.NDArray[np.bool_]:
    """Which rows meet a condition."""
    if not isinstance(condition, CodesIn):
        assert not isinstance(condition, Texts)  # invented texts are listed
        every = isinstance(condition, AllOf)
        out = np.full(rows, every)
        for term in condition.terms:
            part = holds(term, codes, rows)
            out = out & part if every else out | part
        return out
    out = np.zeros(rows, dtype=bool)
    for low, high in condition.ranges:
        out |= (codes[condition.column] >= low) & (codes[condition.column] <= high)
    return out


def coded(domain: Domain, column: Any) -> Codes:
    """An Arrow column as codes: what a domain does not list is no value, and a number outside is clamped."""
    if column.num_chunks == 0 or not len(column):
        return np.zeros(0, dtype=np.int64)
    held = column.combine_chunks().dictionary_encode()
    values = [_code(domain, value) for value in held.dictionary.to_pylist()]
    place = np.asarray(held.indices.fill_null(len(values)), dtype=np.int64)
    return np.array([*values, domain.cells], dtype=np.int64)[place]


def _code(domain: Domain, value: Any) -> int:
    if value is None or str(value) in domain.null:
        return domain.cells
    if isinstance(domain, Numeric):
        return int(min(max(round(domain.position(value)), 0), domain.cells - 1))
    try:
        return domain.encode(value)
    except UserError:
        return domain.cells


def _ids(table: Any, column: str) -> npt.NDArray[Any]:
    return np.asarray(table.column(column).to_pylist(), dtype=object)
