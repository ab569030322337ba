"""Keeping: a schema's rules in rows that an engine made, and what is said of each rule.

Engines do not know our rules, or know them loosely: what can be computed or emptied is, afterwards and exactly; of the
rest, rows that break a rule are turned away. What could not be kept is said, never passed over.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pets.common.codec import Json
from pets.schema.domain import Domain, Identifier
from pets.schema.rules import Columns, Derived, OnlyWhen, Order, Rule, Unique, computed, grid
from pets.schema.schema import Table
from pets.synthetic.dummy_data.fill import Codes, compute
from pets.synthetic.sdv.sdv_metadata import coded

if TYPE_CHECKING:
    import pandas as pd

Rows = npt.NDArray[np.bool_]
Names = npt.NDArray[Any]


@dataclass(frozen=True)
class Fate:
    """What becomes of one rule.

    Attributes:
        rule: as it is told.
        constraint: the constraint that the engine is given for it, as ``{"class": …, "parameters": …}``.
        kept: how it is kept, or why it is not.
    """

    rule: Rule
    kept: str
    constraint: Json | None = None

    def to_json(self) -> Json:
        """What a manifest says."""
        return {"rule": str(self.rule), "kept": self.kept}


def fates(table: Table, columns: Collection[str], *, constrained: bool) -> tuple[Fate, ...]:
    """What becomes of every rule of a table, of which these columns are made.

    Args:
        table: whose rules.
        columns: that are made, computed ones too; identifiers are invented and need not be named.
        constrained: whether the engine takes constraints (SDV's ``Inequality`` and ``Range``; one a column at most,
            since each replaces the columns that it names).
    """
    found: list[Fate] = []
    used: set[str] = set()
    for rule in table.rules:
        lacking = [name for name in rule.columns if name not in columns]
        if isinstance(rule, Unique) and isinstance(table.columns[rule.column], Identifier):
            found.append(Fate(rule, "by invented ids, no two of them alike; rows that repeat one are turned away"))
        elif lacking:
            found.append(Fate(rule, f"does not apply: {', '.join(lacking)} is not among the columns"))
        elif isinstance(rule, Derived):
            found.append(
                Fate(rule, "computed from its parts afterwards; rows beyond the column's bounds are turned away")
            )
        elif isinstance(rule, OnlyWhen):
            found.append(Fate(rule, "emptied afterwards where the rule allows no value"))
        elif isinstance(rule, Order) and constrained and len(rule.order) <= 3 and not used & set(rule.order):
            used |= set(rule.order)
            constraint = _constraint(rule)
            how = f"learnt as SDV's {constraint['class']}; rows that break it all the same are turned away"
            found.append(Fate(rule, how, constraint))
        else:
            found.append(Fate(rule, "rows that break it are turned away"))
    return tuple(found)


def _constraint(rule: Order) -> Json:
    names = ("low_column_name", "high_column_name")
    if len(rule.order) == 3:
        names = ("low_column_name", "middle_column_name", "high_column_name")  # type: ignore[assignment]
    kind = "Inequality" if len(rule.order) == 2 else "Range"
    return {"class": kind, "parameters": dict(zip(names, rule.order, strict=True)) | {"strict_boundaries": False}}


def put_back(
    tables: Sequence[Table], wanted: Mapping[str, Domain], made: pd.DataFrame, person: Names | None = None
) -> tuple[dict[str, Codes], Rows]:
    """What an engine made, as codes inside the domains and with the rules put right, and which rows keep them all.

    Args:
        tables: whose columns these are: the rows' own table first, then the one of their people.
        wanted: the columns of the data set; one that the engine did not make is computed, or else empty.
        made: the engine's columns.
        person: whose each row is, where people may have several.
    """
    count = len(made)
    derived = {name for table in tables for name in computed(table.rules, wanted)}
    codes = {
        name: coded(made[name], domain) if name in made else np.full(count, domain.cells, dtype=np.int64)
        for name, domain in wanted.items()
        if name not in derived
    }
    good: Rows = np.ones(count, dtype=bool)
    for place, table in enumerate(tables):
        codes, whole = kept(table, codes, wanted, person if place else None)
        good &= whole
    for name, domain in wanted.items():
        if not domain.nullable:
            good &= codes[name] != domain.cells
    return codes, good


def kept(
    table: Table, codes: Mapping[str, Codes], wanted: Collection[str], person: Names | None = None
) -> tuple[dict[str, Codes], Rows]:
    """The codes of rows with the table's rules put right where they can be, and which rows keep them all.

    A rule that names a column which is not wanted is left alone. With ``person``, what is unique is so among people:
    all rows of one may hold the same.
    """
    columns = table.columns
    out = dict(codes)
    good: Rows = np.ones(len(next(iter(out.values()), np.zeros(0))), dtype=bool)
    here = [rule for rule in table.rules if set(rule.columns) <= set(wanted)]
    for rule in here:
        if isinstance(rule, OnlyWhen):
            allowed = np.isin(out[rule.given], rule.codes(columns))
            out[rule.column] = np.where(allowed, out[rule.column], columns[rule.column].cells)
    for rule in here:
        if isinstance(rule, Derived):
            last = columns[rule.column].cells
            value = compute(rule, columns, out)
            outside = (value < 0) | (value > last)
            # (the code after the last value means "no value", and only a row without one of the parts may have it)
            whole = np.logical_and.reduce([out[part] != columns[part].cells for part in rule.parts])
            outside |= whole & (value == last)
            good &= ~outside
            out[rule.column] = np.where(outside, last, value)
    for rule in here:
        if isinstance(rule, Order):
            good &= ordered(rule, columns, out)
    for rule in here:
        if isinstance(rule, Unique):
            good &= first(out[rule.column], (out[rule.column] != columns[rule.column].cells) & good, person)
    return out, good


def ordered(rule: Order, columns: Columns, codes: Mapping[str, Codes]) -> Rows:
    """Which rows have the columns of a rule in order; empty ones are passed over."""
    good: Rows = np.ones(len(codes[rule.order[0]]), dtype=bool)
    greatest = np.full(len(good), np.iinfo(np.int64).min)
    for name in rule.order:
        start = grid(columns[name])
        assert start is not None
        filled = codes[name] != columns[name].cells
        # places on the common grid, in whole steps; the columns' origins lie whole steps apart (a snapshot's codes are
        # as narrow as they may be: sums would wrap)
        place = codes[name].astype(np.int64) + int(start[1] - grid(columns[rule.order[0]])[1])  # type: ignore[index]
        good &= ~filled | (place >= greatest)
        greatest = np.where(filled, np.maximum(greatest, place), greatest)
    return good


def first(values: npt.NDArray[np.generic], counted: Rows, person: Names | None = None) -> Rows:
    """Which rows are the first with their value among those that are counted; others pass.

    With ``person``, those of the first person with it.
    """
    good: Rows = np.ones(len(values), dtype=bool)
    places = np.flatnonzero(counted)
    _, earliest, which = np.unique(values[places], return_index=True, return_inverse=True)
    if person is None:
        good[np.delete(places, earliest)] = False
    else:
        good[places] = person[places] == person[places][earliest][which]
    return good


def unkept(table: Table, made: pd.DataFrame, *, tried: bool = False) -> list[Json]:
    """What a manifest says of each rule of a table, counted in its rows.

    These were made without regard to the rules, or (``tried``) put right and drawn again where they broke one. A rule
    that names a column which is not there does not apply.
    """
    names = {name for name, domain in table.columns.items() if name in made and not isinstance(domain, Identifier)}
    out = []
    for fate in fates(table, names, constrained=False):
        if set(fate.rule.columns) <= names:
            codes = {name: coded(made[name], table.columns[name]) for name in fate.rule.columns}
            share = float(np.mean(_breaks(fate.rule, table.columns, codes))) if len(made) else 0.0
            how = "put right, or drawn again" if tried else "not kept"
            fate = Fate(fate.rule, f"{how}: broken in {share:.1%} of these rows")
        out.append(fate.to_json())
    return out


def _breaks(rule: Rule, columns: Columns, codes: Mapping[str, Codes]) -> Rows:
    if isinstance(rule, Order):
        return ~ordered(rule, columns, codes)
    if isinstance(rule, Derived):
        wrong: Rows = compute(rule, columns, codes) != codes[rule.column]
        return wrong
    if isinstance(rule, OnlyWhen):
        filled = codes[rule.column] != columns[rule.column].cells
        stray: Rows = filled & ~np.isin(codes[rule.given], rule.codes(columns))
        return stray
    return ~first(codes[rule.columns[0]], codes[rule.columns[0]] != columns[rule.columns[0]].cells)
