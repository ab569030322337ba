"""Staging: a source is read once, and each of its cells becomes a code or the mark of why it has none.

What became of every row is then counted from the codes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pets.rows.coding import coding
from pets.rows.coding.cell import ABOVE, BELOW, NULL, OUT, UNPARSABLE, Cell, code_type
from pets.rows.report import ColumnReport
from pets.rows.roster import Run
from pets.rows.sources import Source, opened
from pets.schema.domain import Category, Domain, Identifier
from pets.schema.schema import Table


@dataclass(frozen=True)
class Staged:
    """One table, read once: a relation with ``pid`` (where there is one) and a staged code for each column.

    Attributes:
        relation: SQL of the valid rows.
        names: each coded column (own, look-ups included) to its physical name.
        domains: the same columns' domains.
        rows_read, rows_without_person, rows_dropped: see :class:`pets.rows.report.Report`.
        fates: counts for each column.
        whole_ids: whether people's ids are whole numbers, and not texts.
    """

    relation: str
    names: dict[str, str]
    domains: dict[str, Domain]
    rows_read: int
    rows_without_person: int
    rows_dropped: int
    fates: dict[str, ColumnReport] = field(default_factory=dict)
    whole_ids: bool = False

    @property
    def rows_valid(self) -> int:
        """Rows that have a person and every value that the schema demands."""
        return self.rows_read - self.rows_without_person - self.rows_dropped

    def settled(self, prefix: str) -> dict[str, str]:
        """Physical name to the SQL of its final code."""
        out = {}
        for column, name in self.names.items():
            domain, fates = self.domains[column], self.fates[column]
            clean = not (fates.out_of_domain or fates.unparsable or fates.clamped)
            plain = f"CAST({prefix}{name} AS {code_type(domain)})"
            out[name] = plain if clean else coding.settle(domain, f"{prefix}{name}")
        return out


@dataclass(frozen=True)
class Selection:
    """The SQL of one table's staging.

    Attributes:
        setup: statements to run first: types that hold a category's values.
        kinds: those types, to be dropped afterwards.
        sql: what selects ``pid`` (where there is one) and the staged codes.
    """

    setup: tuple[str, ...]
    kinds: tuple[str, ...]
    sql: str


def read_of(table: Table) -> list[str]:
    """The columns that are read from a source: the unit's, and whatever is coded and no look-up."""
    unit = table.unit.column
    read = [c for c, d in _coded(table).items() if not (isinstance(d, Category) and d.lookup is not None)]
    return [*([unit] if unit is not None else []), *read] or list(table.columns)[:1]


def _coded(table: Table) -> dict[str, Domain]:
    return {column: domain for column, domain in table.columns.items() if not isinstance(domain, Identifier)}


def selection(
    table: Table, cells: Mapping[str, Cell], relation: str, columns: Mapping[str, str], into: str
) -> Selection:
    """The staging of a table: a row becomes a row, by its own cells alone.

    Args:
        table: of the schema.
        cells: how each of :func:`read_of` is read from ``relation``.
        columns: each coded column's physical name.
        into: a beginning of names that are free.
    """
    unit, domains = table.unit.column, _coded(table)
    lookups = {c: d for c, d in domains.items() if isinstance(d, Category) and d.lookup is not None}
    levels: list[list[str]] = []
    stages: list[str] = []
    setup: list[str] = []
    kinds: list[str] = []
    if unit is not None:
        person = table.columns[unit]
        assert isinstance(person, Identifier)
        stages.append(f"{coding.identifier(person, cells[unit], table.unit.trim)} AS pid")
    for column, domain in domains.items():
        if column in lookups:
            continue
        key = f"{into}_{columns[column]}"
        made = coding.coding(domain, cells[column], f"h_{key}", f"e_{key}")
        kinds += [f"e_{key}"] * bool(made.setup)
        setup += made.setup
        for level, (helper, sql) in enumerate(made.steps):
            levels += [[]] * (level == len(levels))
            levels[level] = [*levels[level], f"{sql} AS {helper}"]
        stages.append(f"{made.stage} AS {columns[column]}")
    found = ["*"]
    for column, target in lookups.items():
        assert target.lookup is not None
        of = target.lookup.column
        origin = table.columns[of]
        assert isinstance(origin, Category)
        found.append(f"{coding.look_up(target, origin, columns[of])} AS {columns[column]}")
    for helpers in levels:
        relation = f"(SELECT {', '.join(['*', *helpers])} FROM {relation})"
    staged = f"SELECT {', '.join(stages) or '1 AS unit'} FROM {relation}"
    return Selection(tuple(setup), tuple(kinds), f"SELECT {', '.join(found)} FROM ({staged})")


def stage(
    run: Run, con: Any, name: str, table: Table, source: Source, scratch: Path, columns: Mapping[str, str], into: str
) -> Staged:
    """Read ``source`` once into temporary table ``into``; ``columns`` gives each coded column its physical name.

    Raises :class:`DataError` for a source that cannot be read or that lacks a column.
    """
    with opened(
        con, source, name, {column: table.columns[column] for column in read_of(table)}, scratch, table.encoding
    ) as data:
        chosen = selection(table, data.cells, data.relation, columns, into)
        for statement in chosen.setup:
            run(statement, f"reading {data.label}")
        run(f"CREATE TEMP TABLE {into} AS {chosen.sql}", f"reading {data.label}")
        for kind in chosen.kinds:
            run(f"DROP TYPE IF EXISTS {kind}", f"reading {data.label}")
        unit = table.unit.column
        whole_ids = unit is not None and coding.whole_ids(data.cells[unit])
    return replace(counted(run, into, table, columns), whole_ids=whole_ids)


class Counting:
    """What became of staged rows, told by counts of them: of all rows, or of parts of them that are added up.

    Args:
        table: of the schema.
        columns: each coded column's physical name.

    Attributes:
        person: SQL that is true of a row that has a person.
        lacking: SQL that is true of a row without a value that the schema demands.
        marked: an aggregate for each coded column, over rows that have a person: how many of its cells bear any mark.
    """

    def __init__(self, table: Table, columns: Mapping[str, str]) -> None:
        self._domains = _coded(table)
        self._names = {column: columns[column] for column in self._domains}
        self._lacks = {c: coding.lacks(d, self._names[c]) for c, d in self._domains.items() if not d.nullable}
        self.person = "pid IS NOT NULL" if table.unit.column is not None else "true"
        self.lacking = " OR ".join(self._lacks.values()) or "false"
        self.marked = [
            f"count(*) FILTER (WHERE {coding.valueless(d, self._names[c])})" for c, d in self._domains.items()
        ]

    def amiss(self, counts: Sequence[int]) -> list[str]:
        """The columns with marks, of what :attr:`marked` came to."""
        return [column for column, count in zip(self._domains, counts, strict=True) if count]

    def fates(self, columns: Iterable[str] | None = None) -> list[str]:
        """Aggregates over rows that have a person: each mark of these columns (``None``: all), and what rows lack."""
        return [f"count(*) FILTER (WHERE {test})" for test in [*self._marks(columns).values(), *self._lost()]]

    def staged(
        self, relation: str, total: int, with_person: int, found: Sequence[int], columns: Iterable[str] | None = None
    ) -> Staged:
        """The table, of all its rows and of what :meth:`fates` came to; without marks nothing was found."""
        found = found or [0] * len(self.fates(columns))
        counts = dict(zip(self._marks(columns), found, strict=False))
        dropped = dict(zip(self._lacks, found[len(counts) :], strict=False))
        fates = {
            column: ColumnReport(
                null=counts.get((column, NULL), 0),
                out_of_domain=counts.get((column, OUT), 0),
                unparsable=counts.get((column, UNPARSABLE), 0),
                clamped=counts.get((column, BELOW), 0) + counts.get((column, ABOVE), 0),
                dropped=dropped.get(column, 0),
                rows=with_person,
                kind=domain.kind,
            )
            for column, domain in self._domains.items()
        }
        return Staged(relation, self._names, self._domains, total, total - with_person, found[-1], fates)

    def _marks(self, columns: Iterable[str] | None) -> dict[tuple[str, int], str]:
        among = [(c, self._domains[c]) for c in (self._domains if columns is None else columns)]
        return {(c, mark): coding.bears(d, self._names[c], mark) for c, d in among for mark in coding.MARKS[type(d)]}

    def _lost(self) -> list[str]:
        return [*self._lacks.values(), self.lacking]


def counted(run: Run, into: str, table: Table, columns: Mapping[str, str]) -> Staged:
    """Count every fate of staged rows: one aggregate pass, and another over the columns in which anything is amiss."""
    counting = Counting(table, columns)
    *row, with_person = one_line(run, into, counting.person, counting.marked)
    total = one_line(run, into, "true", [])[-1]
    # only columns that bear marks at all are told apart; who lacks a value has a mark
    marked = counting.amiss(row)
    found = one_line(run, into, counting.person, counting.fates(marked))[:-1] if marked else ()
    staged = counting.staged(into, total, with_person, found, marked)
    tests = ([counting.person] if with_person < total else []) + (
        [f"NOT ({counting.lacking})"] if staged.rows_dropped else []
    )
    return replace(staged, relation=f"(SELECT * FROM {into} WHERE {' AND '.join(tests)})") if tests else staged


def one_line(run: Run, relation: str, test: str, values: list[str]) -> tuple[int, ...]:
    """One line of counts, and at its end the number of rows that pass the test."""
    sql = f"SELECT {', '.join([*values, 'count(*)'])} FROM {relation} WHERE {test}"
    # fetchall: a result that is not read to its end keeps the connection busy
    return tuple(run(sql, "counting what became of every row").fetchall()[0])
