"""Tabulate: Plan × Snapshot → IntVector.

Together with the snapshot this is the only code that touches rows. Each plan becomes a few ``GROUP BY`` statements
over small integers, written once with Ibis and run by DuckDB, Polars or Spark; what leaves is one vector of exact
integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pets.errors import InternalError, UserError
from pets.plan.fitted.exits import matrix
from pets.plan.key_plan import KeyPlan
from pets.plan.measure import Measure
from pets.plan.plan import Plan
from pets.plan.predicate import Codes, both
from pets.plan.trained.descent import split
from pets.plan.trained.train_plan import TrainPlan
from pets.plan.vector import Ints, IntVector
from pets.rows.counted_rows import Rows
from pets.rows.engine.people_scores import products
from pets.rows.engine.scores import added
from pets.rows.linked import Linked
from pets.rows.people.lowered import People
from pets.rows.training.gradients import Gradients

if TYPE_CHECKING:
    from pets.rows.snapshot import Snapshot

Engine = Literal["duckdb", "polars", "spark"]
LOCAL: tuple[str, ...] = ("duckdb", "polars")
"""The engines that count in this process."""
ENGINES: tuple[str, ...] = (*LOCAL, "spark")
PACKAGES = {"duckdb": "duckdb", "polars": "polars", "spark": "pyspark"}
"""What each engine is called where packages are installed."""


@dataclass(frozen=True)
class Statement:
    """One ``GROUP BY``: its key columns (``d0``, ``d1``, …, then ``leaf``) and its sums."""

    expression: Any
    keys: tuple[str, ...]
    values: tuple[str, ...]


def tabulate(plan: Plan, rows_of: Snapshot | Linked, engine: str = "duckdb") -> IntVector:
    """The exact integers of a plan on a snapshot; of a question about people, on the linked tables that it reads.

    Every engine gives the same integers. The result is exact and must not be seen; only a protection may read it.
    """
    if engine not in ENGINES:
        raise UserError(f"engine {engine!r} does not exist; there are: {', '.join(ENGINES)}")
    rows = Rows(plan, _read(plan, rows_of), engine)
    vector = np.zeros(plan.size, dtype=np.int64)
    linear = _Linear(plan, rows)
    for measure, block in zip(plan.measures, plan.blocks, strict=True):
        if measure.kind == "units":
            vector[block] = _units(plan, rows, measure)
        elif measure.kind == "tails":
            vector[block] = rows.numbered(measure.width, measure.where)
        elif measure.kind in ("leaves", "tree"):
            vector[block] = _leaves(plan, rows, measure)
        elif measure.kind == "moments":
            vector[block] = _moments(rows, measure)
        elif measure.kind == "exits":
            vector[block] = _exits(plan, rows, measure)
        elif measure.kind == "descent":
            vector[block] = _descent(plan, rows, measure)
        elif measure.kind == "step":
            slots, found, counts = rows.patterns(measure.columns, measure.where)
            vector[block] = added(measure, found, slots, counts, plan.groups)
        elif measure.kind == "meat":
            slots, found, counts = rows.patterns(measure.columns, measure.where, people=plan.rows > 1)
            vector[block] = products(measure, found, slots, counts, plan.groups)
        else:
            vector[block] = linear.block(measure)
    return IntVector(plan.digest, vector)


def _read(plan: Plan, rows_of: Snapshot | Linked) -> Snapshot | People:
    read = People(plan, rows_of) if isinstance(rows_of, Linked) else rows_of
    if plan.table != read.table or plan.schema_digest != read.schema_digest:
        raise InternalError("the plan and the snapshot belong to different schemas")
    if (plan.people_of is None) is isinstance(read, People):
        raise InternalError("a question about people is answered from linked tables, and no other question is")
    return read


def codes(plan: Plan, snapshot: Snapshot, columns: Sequence[str], engine: str = "duckdb") -> dict[str, Ints]:
    """The codes of a plan's counted rows, and by no name their ranks, for a site's sums and rules of its own.

    They must not be seen: only sums of them leave.
    """
    if plan.table != snapshot.table or plan.schema_digest != snapshot.schema_digest:
        raise InternalError("the plan and the snapshot belong to different schemas")
    return Rows(plan, snapshot, engine).codes(columns)


def gradients(plan: TrainPlan, snapshot: Snapshot, engine: str = "duckdb") -> Gradients:
    """The rows of a training, whose bounded sums each step asks for. They and the sums must not be seen."""
    rows, (counted,) = plan.plan, plan.plan.measures
    if rows.table != snapshot.table or rows.schema_digest != snapshot.schema_digest:
        raise InternalError("the plan and the snapshot belong to different schemas")
    wanted = (plan.network.outcome, *plan.network.columns)
    codes = Rows(rows, snapshot, engine).codes(wanted, "person", counted.where)
    return Gradients(plan.wiring, rows.fields, rows.rows, codes)


def key_counts(plan: KeyPlan, snapshot: Snapshot, engine: str = "duckdb") -> tuple[list[list[Any]], Ints]:
    """The keys that rows have, as they are stored (a list a column), and the people of each, exact.

    A key that nobody has is not among them. They must not be seen: only a threshold mechanism may read them.
    """
    if plan.table != snapshot.table or plan.schema_digest != snapshot.schema_digest:
        raise InternalError("the plan and the snapshot belong to different schemas")
    return Rows(plan, snapshot, engine).people_by_key()


_SUMS = ("rows", "balance", "total", "square", "product")


class _Linear:
    """Counts, balances, totals and squares: all of them from one pass over the rows."""

    def __init__(self, plan: Plan, rows: Rows) -> None:
        self._plan, self._rows = plan, rows
        self._terms: dict[str, Any] = {}
        self._names: dict[Any, str] = {}
        self._sums: dict[str, Ints] | None = None
        self._recipes = {m: self._recipe(m) for m in plan.measures if m.kind in _SUMS}

    def block(self, measure: Measure) -> Ints:
        """The exact values of one measure."""
        if self._sums is None:
            self._sums = self._rows.grouped(("linear",), self._rows.counted, self._terms)
            self._terms = {}  # they know this object: the rows would stay in memory until garbage is collected
        out = np.zeros(self._plan.groups, dtype=np.int64)
        for name, factor in self._recipes[measure]:
            out += factor * self._sums[name]
        return out

    def _term(self, key: tuple[Any, ...], build: Any) -> str:
        """The name of one sum, written once however many measures use it."""
        name = self._names.setdefault(key, f"t{len(self._names)}")
        if name not in self._terms:
            self._terms[name] = build
        return name

    def _count(self, *conditions: Any) -> str:
        wanted = tuple(c for c in conditions if c is not None)
        return self._term(("count", wanted), lambda table: self._rows.count(table, wanted))

    def _recipe(self, measure: Measure) -> list[tuple[str, int]]:
        """The measure as a sum of whole multiples of plain counts and sums (exact also modulo 2^64)."""
        where, column, weight = measure.where, measure.column, measure.weight
        if measure.kind == "rows":
            return [(self._count(where), 1)]
        if measure.kind == "balance":
            return [(self._count(where), 2), (self._count(), -1)]
        if column is None or weight is None:
            raise InternalError(f"measure {measure.name!r} lacks its column")
        known = self._rows.known(column)
        valued = self._count(where, known) if measure.kind != "product" else ""
        if measure.kind in ("square", "product"):
            other, beside = (measure.other, measure.other_weight) if measure.kind == "product" else (column, weight)
            if other is None or beside is None:
                raise InternalError(f"measure {measure.name!r} lacks its second column")
            pair = ((column, weight), (other, beside))
            name = self._term((measure.kind, *pair, where), lambda table: self._rows.products(table, pair, where))
            return [(name, 1), (valued, -measure.centre)] if measure.centre else [(name, 1)]
        name = self._term(
            ("total", column, weight.low, weight.high, weight.coarse, where),
            lambda table: self._rows.total(table, column, weight, where),
        )
        start = self._rows.start(column, weight)
        recipe = [(name, weight.scale), (valued, weight.scale * start - weight.offset)]
        if known is not None:
            # nulls were summed at their reserved code, which is cheaper than skipping them; take them out again
            nulls = weight.scale * self._rows.null_value(column, weight)
            recipe += [(self._count(where), -nulls), (valued, nulls)]
        return recipe


def _leaves(plan: Plan, rows: Rows, measure: Measure) -> Ints:
    leaves = len(measure.breaks) - 1
    counts = rows.binned(measure.column or "", measure.breaks, measure.where).reshape(plan.groups, leaves)
    if measure.kind == "leaves":
        return counts.reshape(-1)
    levels = [counts]
    for size in measure.levels[1:]:
        below = levels[-1]
        fanout = -(-below.shape[1] // size)
        levels.append(np.add.reduceat(below, np.arange(0, below.shape[1], fanout), axis=1))
    return np.concatenate(levels, axis=1).reshape(-1)


def _moments(rows: Rows, measure: Measure) -> Ints:
    """All sums of a regression from one pass over the rows, group by group."""
    of = measure.row_weight
    alike = 1 if of is None else of.constant
    source = partial(rows.met, measure.where) if of is None or alike else partial(rows.shared, measure.where, of)
    terms = {
        f"t{place}": partial(rows.monomial, cell=cell, where=None, shares=not alike)
        for place, cell in enumerate(measure.cells)
    }
    sums = rows.grouped(("moments", measure.cells, measure.where, of), source, terms)
    wide = [cell.times * (alike or 1) * sums[name] for cell, name in zip(measure.cells, terms, strict=True)]
    return np.stack(wide, axis=1).reshape(-1)


def _exits(plan: Plan, rows: Rows, measure: Measure) -> Ints:
    """Who leaves when, with the event and without it; each list times its matrix, group by group."""
    within, bins = measure.levels
    found = []
    for code in (1, 0):
        met = both(measure.where, Codes(measure.other or "", ((code, code),)))
        found.append(rows.binned(measure.column or "", measure.breaks, met).reshape(plan.groups, bins))
    events, others = found
    others[:, within:] += events[:, within:]  # who stays past the last edge, whatever came then
    lists = (events[:, :within] @ matrix(within).T, others @ matrix(bins).T)
    return np.concatenate(lists, axis=1).reshape(-1)


def _descent(plan: Plan, rows: Rows, measure: Measure) -> Ints:
    """A step of a training at its weights, in the one group; or how many people it is of."""
    wiring = measure.wiring
    if wiring is None:
        raise InternalError(f"measure {measure.name!r} lacks its network")
    codes = rows.codes((wiring.outcome, *wiring.columns), "person", measure.where)
    found = Gradients(wiring, plan.fields, plan.rows, codes)
    if measure.at is None:
        return np.array([found.people], dtype=np.int64)
    return found.step(split(np.array(measure.at, dtype=np.float64), wiring.widths))


def _units(plan: Plan, rows: Rows, measure: Measure) -> Ints:
    """Distinct people in each group."""
    where = measure.where
    if plan.kept_rows == 1 and plan.group_cap is None:
        alone = {"t0": lambda table: rows.count(table, (where,))}
        return rows.grouped(("alone", where), rows.kept, alone)["t0"]
    if plan.group_cap is None and rows.wide():
        return rows.first_rows(where)
    people = {"t0": lambda table: rows.people(table, where)}
    return rows.grouped(("people", where), rows.kept, people)["t0"]
