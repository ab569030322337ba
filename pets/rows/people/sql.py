"""The table of people as one SQL statement for DuckDB, over linked snapshots.

What is filtered most comes first: where a part of the condition reads features of one set of rows alone, the people who
meet it are found there, and all other rows are joined to these few before they are grouped. Person codes are compared
for equality and are never in an order, a hash or a limit; ties in ``first`` and ``last`` fall by the rank of the row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pets.plan.computed.derived_codes import derived_code
from pets.plan.person.computed import Choice, Compute
from pets.plan.person_steps import Age, Attribute, Fill, PersonPlan, Read, Span, Step
from pets.plan.plan import Plan
from pets.plan.predicate import AllOf, Codes, Predicate, Texts, columns_in, met
from pets.rows.coding.cell import quoted
from pets.rows.people.arithmetic import Sql, either

NARROW = 2**31
NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True)
class Source:
    """A table's kept rows in SQL: the relation, and each column's physical name."""

    relation: str
    columns: Mapping[str, str]


@dataclass(frozen=True)
class _Group:
    """Steps that read the same rows, and so are read together."""

    steps: tuple[int, ...]
    read: Read


class PeopleSql:
    """The statement of one plan.

    Attributes:
        columns: each column of people to its name in the statement.
        sums: how many numbers it works out at once of everybody with rows, at most; 0 where only some are grouped.
    """

    def __init__(self, plan: Plan, sources: Mapping[str, Source]) -> None:
        assert plan.people_of is not None
        self._of: PersonPlan = plan.people_of
        self._where, self._sources = plan.where, sources
        self._steps = self._of.steps
        self.columns = {name: f"c{place}" for place, (name, _) in enumerate(self._of.names)}
        self._ctes: list[str] = []
        self._done: set[int] = set()
        self._groups = self._grouped()
        self.sums = 0

    def statement(self) -> str:
        """``WITH snap AS (…)``, to stand before a query on ``snap``: person, rank (1) and the columns."""
        anchor = self._anchor()
        self.sums = 0 if anchor is not None else max(map(self._held, self._groups), default=0)
        last = self._first(anchor)
        while len(self._done) < len(self._steps):
            last = self._more(last, anchor)
        shown = ", ".join(f"s{index} AS {self.columns[name]}" for name, index in self._of.names)
        self._ctes.append(f"snap AS (SELECT person, 1 AS rank{', ' * bool(shown)}{shown} FROM {last})")
        return f"WITH {', '.join(self._ctes)} "

    def _grouped(self) -> list[_Group]:
        found: dict[tuple[object, ...], list[int]] = {}
        for index, step in enumerate(self._steps):
            if isinstance(step, Read):
                found.setdefault((step.table, step.rows, step.where, step.differences), []).append(index)
        out = []
        for indexes in found.values():
            first = self._steps[indexes[0]]
            assert isinstance(first, Read)
            out.append(_Group(tuple(indexes), first))
        return out

    def _held(self, group: _Group) -> int:
        """How many numbers of each person are kept while a group is read: of an nth row, all before it."""
        steps = (self._steps[index] for index in group.steps)
        return sum(step.nth for step in steps if isinstance(step, Read))

    # who ----------------------------------------------------------------------------------------------------------

    def _terms(self) -> Sequence[Predicate]:
        return () if self._where is None else self._where.terms if isinstance(self._where, AllOf) else (self._where,)

    def _alone(self, group: _Group) -> list[Predicate]:
        """The parts of the condition that read this group alone, and that nobody without such rows meets."""
        own = {name: index for name, index in self._of.names if index in group.steps}
        absent = {name: self._steps[index].absent for name, index in own.items()}
        found = [term for term in self._terms() if (names := columns_in(term)) and names <= set(own)]
        return found if any(not met(term, absent) for term in found) else []

    def _anchor(self) -> _Group | None:
        """The group of rows whose people are looked at alone: one that reads no other feature, under a condition."""
        fit = [group for group in self._groups if not group.read.differences and self._alone(group)]
        return max(fit, key=lambda group: (group.read.where is not None, len(self._alone(group))), default=None)

    def _first(self, anchor: _Group | None) -> str:
        """The people that are looked at, and what is already known of them."""
        if anchor is not None:
            sql = self._read(anchor, None, None)
            names = dict(self._of.names)
            tests = [
                self._predicate(term, {name: f"r.s{names[name]}" for name in columns_in(term)})
                for term in self._alone(anchor)
            ]
            self._done |= set(anchor.steps)
            found, columns = f"({sql}) r", ["r.*"]
            if self._of.of is not None and self._of.of != anchor.read.table:  # who is none of them is left out
                columns += self._own()
                found += f" JOIN {self._sources[self._of.of].relation} p ON r.person = p.person AND p.rank = 1"
            self._ctes.append(f"base AS (SELECT {', '.join(columns)} FROM {found} WHERE {' AND '.join(tests)})")
            return "base"
        if self._of.of is not None:
            source = self._sources[self._of.of]
            columns = ["p.person", *self._own()]
            self._ctes.append(f"base AS (SELECT {', '.join(columns)} FROM {source.relation} p WHERE p.rank = 1)")
            return "base"
        everybody = " UNION ".join(
            f"SELECT person FROM {self._sources[table].relation} WHERE rank = 1" for table in self._of.tables
        )
        self._ctes.append(f"base AS ({everybody})")
        return "base"

    def _own(self) -> list[str]:
        """The columns of the table that says who the people are, which is read as ``p``."""
        own = {i: s for i, s in enumerate(self._steps) if isinstance(s, Attribute) and s.table == self._of.of}
        self._done |= set(own)
        return [self._attribute(step, i) for i, step in own.items()]

    def _attribute(self, step: Step, index: int) -> str:
        """A column of the people's own table ``p``; who has no row there has no value."""
        assert isinstance(step, Attribute)
        code = f"p.{self._sources[step.table].columns[step.column]}"
        return f"{self._typed(f'COALESCE({code}, {step.domain.cells})', index)} AS s{index}"

    # steps --------------------------------------------------------------------------------------------------------

    def _more(self, last: str, anchor: _Group | None) -> str:
        """One statement more: every step whose inputs are known."""
        ready = [
            index
            for index, step in enumerate(self._steps)
            if index not in self._done and set(step.inputs) <= self._done
        ]
        number = len(self._ctes)
        columns, joins = ["b.*"], []
        for place, group in enumerate(self._groups):
            if not set(group.steps) <= set(ready):
                continue
            name = f"g{number}_{place}"
            few = last if anchor is not None or group.read.differences else None
            self._ctes.append(f"{name} AS ({self._read(group, few, last)})")
            joins.append(f"LEFT JOIN {name} ON b.person = {name}.person")
            columns += [
                f"{self._typed(f'COALESCE({name}.s{i}, {self._steps[i].absent})', i)} AS s{i}" for i in group.steps
            ]
        attributes = {step.table: step for index in ready if isinstance(step := self._steps[index], Attribute)}
        for table in attributes:
            source = self._sources[table]
            joins.append(f"LEFT JOIN {source.relation} p ON b.person = p.person AND p.rank = 1")
        for index in ready:
            step = self._steps[index]
            if isinstance(step, Attribute):
                columns.append(self._attribute(step, index))
            elif not isinstance(step, Read):
                columns.append(f"{self._typed(self._derived(step), index)} AS s{index}")
        self._done |= set(ready)
        self._ctes.append(f"p{number} AS (SELECT {', '.join(columns)} FROM {last} b {' '.join(joins)})")
        return f"p{number}"

    def _typed(self, sql: str, index: int) -> str:
        return f"CAST({sql} AS {'INTEGER' if self._steps[index].domain.codes < NARROW else 'BIGINT'})"

    def _derived(self, step: Step) -> str:
        if isinstance(step, Fill):
            return f"CASE WHEN b.s{step.of} = {step.null} THEN {step.code} ELSE b.s{step.of} END"
        if isinstance(step, Compute):
            codes = {name: self.NUMBER(f"CAST(b.s{index} AS BIGINT)") for name, index in step.columns}
            found = derived_code(step.made, dict(step.domains), codes.__getitem__, either, lambda code: code)
            return str(found.text)
        if isinstance(step, Choice):
            own = {name: f"b.s{index}" for name, index in step.columns}
            arms = " ".join(f"WHEN {self._predicate(one, own)} THEN {code}" for one, code in step.arms)
            return f"CASE {arms} ELSE {step.otherwise} END"
        assert isinstance(step, (Span, Age))
        one, two = step.inputs
        nulls = f"b.s{one} = {step.nulls[0]} OR b.s{two} = {step.nulls[1]}"
        cells = step.domain.cells
        if isinstance(step, Span):
            days = f"(CAST(b.s{one} AS BIGINT) - b.s{two} + {step.shift})"
            return f"CASE WHEN {nulls} OR {days} NOT BETWEEN 0 AND {cells - 1} THEN {cells} ELSE {days} END"
        born, at = (
            self._day(first.isoformat(), f"b.s{index}") for first, index in zip(step.first, (one, two), strict=True)
        )
        # who was born on 29 February is older from 1 March on: months and days are compared as they are
        early = f"(month({at}) * 32 + day({at}) < month({born}) * 32 + day({born}))"
        years = f"year({at}) - year({born}) - CAST({early} AS INTEGER)"
        return f"CASE WHEN {nulls} THEN {cells} WHEN {at} < {born} THEN {cells} ELSE {years} END"

    # rows ---------------------------------------------------------------------------------------------------------

    def _read(self, group: _Group, few: str | None, known: str | None) -> str:
        """One row for each person of ``few`` (``None``: everybody) with rows that the group reads."""
        read, source = group.read, self._sources[group.read.table]
        columns = {name: f"x.{physical}" for name, physical in source.columns.items()}
        tests = [] if read.rows is None else [f"x.rank <= {read.rows}"]
        if read.where is not None:
            tests.append(self._event(read, columns))
        joined = "" if few is None else f"JOIN {few} b ON x.person = b.person"
        values = []
        for index in group.steps:
            step = self._steps[index]
            assert isinstance(step, Read)
            # whoever has rows, but none with a value, is as one who has no row
            code = f"COALESCE({self._value(step, columns)}, {step.absent})"
            values.append(f"{self._typed(code, index)} AS s{index}")
        where = f"WHERE {' AND '.join(tests)}" if tests else ""
        return f"SELECT x.person, {', '.join(values)} FROM {source.relation} x {joined} {where} GROUP BY x.person"

    def _event(self, read: Read, columns: Mapping[str, str]) -> str:
        """The condition on rows; a difference of two codes is met only where both are there."""
        assert read.where is not None
        made, there = dict(columns), {}
        for one in read.differences:
            code, other = columns[one.column], self._steps[one.step].domain
            two = (
                f"CAST({each} AS BIGINT)" if width == 1 else self._whole(f"(CAST({each} AS BIGINT) + {start})", width)
                for each, width, start in zip((code, f"b.s{one.step}"), one.widths, one.starts, strict=True)
            )
            made[one.name] = f"{' - '.join(two)} + {one.shift}"
            there[one.name] = f"{code} < {one.cells} AND b.s{one.step} < {other.cells}"
        return self._predicate(read.where, made, there)

    def _predicate(self, predicate: Predicate, columns: Mapping[str, str], there: Mapping[str, str] = NOTHING) -> str:
        if isinstance(predicate, Codes):
            code = columns[predicate.column]
            tests = [f"{code} = {a}" if a == b else f"{code} BETWEEN {a} AND {b}" for a, b in predicate.ranges]
            sql = f"({' OR '.join(tests)})" if tests else "false"
            return f"({there[predicate.column]} AND {sql})" if predicate.column in there else sql
        if isinstance(predicate, Texts):
            listed = ", ".join(map(self._literal, predicate.values))
            return f"{columns[predicate.column]} {'' if predicate.among else 'NOT '}IN ({listed})"
        terms = [self._predicate(term, columns, there) for term in predicate.terms]
        every = isinstance(predicate, AllOf)
        return f"({(' AND ' if every else ' OR ').join(terms)})" if terms else str(every).lower()

    def _value(self, step: Read, columns: Mapping[str, str]) -> str:
        """A feature as an aggregate of the person's rows, on codes."""
        how = step.how
        if how == "exists":
            return "1"
        if how == "count":
            return f"least(count(*), {step.high})"
        assert step.column is not None
        code = columns[step.column]
        valued = f"FILTER (WHERE {code} < {step.cells})"
        if how == "min":
            return f"min({code})"  # no value is the greatest code
        if how == "max":
            return f"max({code}) {valued}"
        if how in ("first", "last"):
            assert step.by is not None
            by, bits = columns[step.by], self._rank_bits(step.table)
            place = f"CAST({by} AS BIGINT)" if how == "first" else f"({step.order} - CAST({by} AS BIGINT))"
            order, dated = f"{place} * {2**bits} + x.rank", f"FILTER (WHERE {by} < {step.order})"
            if step.nth > 1:
                return self._nth(code, order, dated, step.nth)
            return f"{self.FIRST}({code}, {order}) {dated}"
        if how == "count_distinct":
            return f"least(count(DISTINCT {code}) {valued}, {step.high})"
        if how in ("days_with", "episodes"):
            day = code if step.width == 1 else self._whole(f"(CAST({code} AS BIGINT) + {step.start})", step.width)
            if how == "days_with":
                return f"least(count(DISTINCT {day}) {valued}, {step.high})"
            # an episode begins with each day that lies further than the gap from the day before
            apart = self._apart(f"CAST({day} AS BIGINT)", valued, step.gap)
            return f"CASE WHEN count(*) {valued} = 0 THEN 0 ELSE least(1 + {apart}, {step.high}) END"
        total, rows = f"CAST(sum({code}) {valued} AS BIGINT)", f"count(*) {valued}"
        if how == "mean":
            return self._whole(f"(2 * {total} + {rows})", f"(2 * {rows})")
        assert how == "sum"
        total = f"({step.scale} * {total} + {step.start} * {rows})"
        # (greatest and least leave nulls out, so that nobody without a value gets the lower end)
        return f"CASE WHEN {rows} = 0 THEN NULL ELSE greatest(least({total}, {step.high}), {step.low}) - {step.low} END"

    # what engines write differently ------------------------------------------------------------------------------

    FIRST, NUMBER = "arg_min", Sql

    def _nth(self, code: str, order: str, dated: str, nth: int) -> str:
        """The code in the ``nth`` row by an order that no two rows share; no value where there are fewer."""
        return f"list_extract({self.FIRST}({code}, {order}, {nth}) {dated}, {nth})"

    def _whole(self, of: str, by: object) -> str:
        """Whole numbers divided, neither of them negative; no value where ``by`` is 0."""
        return f"{of} // {by}"

    def _literal(self, text: str) -> str:
        return quoted(text)

    def _day(self, first: str, after: str) -> str:
        """A day by its number after the first."""
        return f"(DATE {quoted(first)} + CAST({after} AS INTEGER))"

    def _apart(self, day: str, valued: str, gap: int) -> str:
        """How many different days lie further than the gap from the day before."""
        days = f"list_sort(list(DISTINCT {day}) {valued})"
        return f"len(list_filter(list_zip({days}[2:], {days}[:-2]), lambda two: two[1] - two[2] > {gap}))"

    def _rank_bits(self, table: str) -> int:
        return dict(self._of.kept)[table].bit_length()
