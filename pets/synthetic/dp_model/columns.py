"""Columns as a model of a table sees them: a few public slots each, and the way back from a slot to a value.

Everything here follows from the schema (and from bins that the caller states): no row decides what a slot is. A value
is drawn evenly from the public values of its slot, so that a column of ages in bins of five years comes out in years,
and a column is empty only where the schema has a slot for rows without a value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from pets.errors import QueryError, UserError, did_you_mean, shown
from pets.plan.layout import Dimension, bin_breaks, dimension
from pets.plan.predicate import Range, overlap
from pets.query_model.group_keys import Bins, ColumnKey, Key, Period
from pets.query_model.nodes.bin_edges import edges_of
from pets.schema.clock.time_of_day import Time
from pets.schema.dates import STEPS, Calendar, Date
from pets.schema.domain import Boolean, Category, Domain, Identifier
from pets.schema.numeric import Numeric
from pets.schema.schema import Schema
from pets.schema.text_column import Text

Ints = npt.NDArray[np.int64]

AS_THEY_ARE = 32
"""Numbers and days with at most this many values are modelled value by value; others in bins."""

BINS = 16
"""Bins of equal width for a number whose bins are not stated."""

MAX_SLOTS = 2_000
"""Slots of one column. A pair of columns has the product; beyond this the noise drowns what is in a slot."""


@dataclass(frozen=True)
class Modelled:
    """One column, cut into slots.

    Attributes:
        name: the column.
        key: how a query groups by it.
        domain: its public values.
        dimension: which codes share which slot of a query's answer.
        codes: which codes rows may have, by a public condition (``None``: all); slots without any are no slots here.
    """

    name: str
    key: Key
    domain: Domain
    dimension: Dimension
    codes: tuple[Range, ...] | None = None

    @property
    def size(self) -> int:
        """Slots, the one for rows without a value included."""
        return len(self.possible)

    @cached_property
    def possible(self) -> Ints:
        """The slots of the answer that rows may be in; the others hold noise alone."""
        return np.unique(self._runs[0])

    @property
    def labels(self) -> tuple[Any, ...]:
        """What each slot is called."""
        return tuple(self.dimension.labels[slot] for slot in self.possible)

    @property
    def lacks(self) -> bool:
        """Whether a row may be without a value; the last slot then stands for none."""
        open_end = self.codes is None or any(low <= self.domain.cells <= high for low, high in self.codes)
        return self.domain.nullable and open_end

    def values(self, slots: Ints, random: np.random.Generator) -> list[Any]:
        """A value for each slot: drawn evenly from the slot's public values; ``None`` where the slot says "missing"."""
        return decoded(self.domain, self.drawn(slots, random))

    def drawn(self, slots: Ints, random: np.random.Generator) -> Ints:
        """A code for each slot: drawn evenly from the slot's public codes."""
        slot, first, count = self._runs
        ends = np.cumsum(count)
        starts = np.searchsorted(slot, self.possible)
        before = (ends - count)[starts]
        within = np.append(before[1:], ends[-1]) - before
        drawn = before[slots] + (random.random(len(slots)) * within[slots]).astype(np.int64)
        run = np.searchsorted(ends, drawn, side="right")
        codes: Ints = first[run] + drawn - (ends - count)[run]
        return codes

    def slots_of(self, codes: Ints) -> Ints:
        """The slot that each code lies in."""
        slot, first, _ = self._runs
        order = np.argsort(first, kind="stable")
        run = order[np.searchsorted(first[order], codes, side="right") - 1]
        found: Ints = np.searchsorted(self.possible, slot[run])
        return found

    @property
    def ends(self) -> tuple[Ints, Ints]:
        """The least and the greatest code of each slot."""
        slot, first, count = self._runs
        starts = np.searchsorted(slot, self.possible)
        last = np.searchsorted(slot, self.possible, side="right") - 1
        return first[starts], first[last] + count[last] - 1

    @cached_property
    def _runs(self) -> tuple[Ints, Ints, Ints]:
        """Runs of codes that rows may have, by their slot in the answer: the slot, the first code, and how many."""
        starts = self.dimension.breaks or range(self.dimension.size)
        slots = self.dimension.slots or range(self.dimension.size)
        ends = [*starts[1:], self.domain.codes if self.dimension.breaks else self.dimension.size]
        whole = sorted(
            (slot, first, end - 1) for slot, first, end in zip(slots, starts, ends, strict=True) if slot >= 0
        )
        allowed = ((0, self.domain.codes - 1),) if self.codes is None else self.codes
        cut = [
            (slot, low, high - low + 1)
            for slot, first, last in whole
            for low, high in overlap(((first, last),), allowed)
        ]
        slot, first, count = np.array(cut, dtype=np.int64).reshape(-1, 3).T
        return slot, first, count


def decoded(domain: Domain, codes: Ints) -> list[Any]:
    """The value of each code, calendar values as texts; ``None`` for the code of no value."""

    def value(code: int) -> Any:
        if code == domain.cells:
            return None
        found = domain.decode(code)
        return str(found) if isinstance(domain, Calendar) else found

    known = {code: value(code) for code in np.unique(codes).tolist()}
    return [known[code] for code in codes.tolist()]


def modelled(
    schema: Schema, table: str, columns: Sequence[str] | None = None, bins: Mapping[str, object] | None = None
) -> tuple[Modelled, ...]:
    """The columns of a table that a model can hold, each with its slots.

    Args:
        schema, table: whose columns.
        columns: which of them; left out, all of the table's own but identifiers and look-ups.
        bins: for a number a list of edges that covers its public bounds, or how many bins of equal width; for a date
            ``"year"``, ``"quarter"`` or ``"month"``, and for a time of day ``"hour"``.

    Raises:
        UserError: naming the column and the remedy.
    """
    fields = schema.fields(table)
    own = [name for name in schema.table(table).columns if _can(fields[name])]
    found = cut(fields, table, own, columns, bins)
    if not found:
        raise UserError(f"table {table!r} has no column that a model can hold; identifiers are invented anyway")
    return found


def cut(
    fields: Mapping[str, Domain],
    table: str,
    usual: Sequence[str],
    columns: Sequence[str] | None,
    bins: Mapping[str, object] | None,
) -> tuple[Modelled, ...]:
    """Columns with their slots: those that are listed of ``fields``, or the usual ones."""
    chosen = list(usual) if columns is None else _listed(columns, fields)
    stated = {} if bins is None else bins
    if not isinstance(stated, Mapping):
        raise UserError(f"bins must map a column to its edges, such as {{'age': [0, 18, 65, 120]}}, not {shown(bins)}")
    for name in stated:
        if name not in chosen:
            raise UserError(f"bins are stated for {shown(name)}, which is not modelled{did_you_mean(name, chosen)}")
    return tuple(_modelled(name, fields, table, stated.get(name)) for name in chosen)


def derived(schema: Schema, table: str, held: Iterable[str]) -> dict[str, Category]:
    """Own columns that are look-ups of a modelled one: computed from it, never modelled."""
    names = set(held)
    found = {}
    for name, domain in schema.table(table).columns.items():
        if isinstance(domain, Category) and domain.lookup is not None and domain.lookup.column in names - {name}:
            found[name] = domain
    return found


def _can(domain: Domain) -> bool:
    listed = not isinstance(domain, (Identifier, Text))
    return listed and not (isinstance(domain, Category) and domain.lookup is not None)


def _listed(columns: object, fields: Mapping[str, Domain]) -> list[str]:
    if not isinstance(columns, (list, tuple)) or not columns:
        raise UserError(f"columns must be a list of column names, not {shown(columns)}")
    for name in columns:
        if not isinstance(name, str) or name not in fields:
            raise UserError(f"there is no column {shown(name)}{did_you_mean(name, fields)}")
        if isinstance(fields[name], Identifier):
            raise UserError(f"column {name!r} is an identifier: it is invented, not modelled; leave it out of columns")
        if isinstance(fields[name], Text):
            raise UserError(
                f"column {name!r} is text that nobody listed, which no model holds; leave it out of columns"
            )
        if not _can(fields[name]):
            raise UserError(f"column {name!r} is a look-up: it is computed from its source; leave it out of columns")
    if len(set(columns)) != len(columns):
        raise UserError("columns names a column twice; name each once")
    return list(columns)


def _modelled(name: str, fields: Mapping[str, Domain], table: str, stated: object) -> Modelled:
    domain = fields[name]
    try:
        key = _key(name, domain, stated)
        found = Modelled(name, key, domain, dimension(key, fields, table))
    except QueryError as error:
        raise UserError(f"column {name!r} cannot be modelled: {error}") from None
    if found.size > MAX_SLOTS:
        raise UserError(
            f"column {name!r} has {found.size:,} slots and a model takes at most {MAX_SLOTS:,}; "
            "use a coarser column, wider bins, or leave it out with columns=[…]"
        )
    return found


def _key(name: str, domain: Domain, stated: object) -> Key:
    if isinstance(domain, Numeric):
        if stated is None and domain.cells <= AS_THEY_ARE and domain.spacing == 1:
            return ColumnKey(name)
        return Bins(name, edges=_edges(name, domain, stated))
    if isinstance(domain, Calendar):
        return _period(name, domain, stated)
    if isinstance(domain, Time):
        return _hours(name, domain, stated)
    if stated is not None:
        raise UserError(f"column {name!r} holds {domain.describe()}, which has no bins; leave it out of bins")
    if not isinstance(domain, (Category, Boolean)):
        raise UserError(f"column {name!r} holds {domain.describe()}, which a model cannot hold; leave it out")
    return ColumnKey(name)


def _edges(name: str, domain: Numeric, stated: object) -> list[Any]:
    """Edges that cover the public bounds: a row outside every bin would silently be in no marginal."""
    last = domain.cells - 1
    low, high = domain.origin, domain.origin + domain.spacing * last
    if stated is None or (isinstance(stated, int) and not isinstance(stated, bool)):
        wanted = BINS if stated is None else stated
        if not 1 <= wanted <= MAX_SLOTS:
            raise UserError(f"bins of {name!r} must be from 1 to {MAX_SLOTS:,}, not {shown(stated)}")
        if last == 0:
            return [low, low + domain.spacing]
        count = min(wanted, last)
        return [low + domain.spacing * (last * i // count) for i in range(count)] + [high]
    cuts = edges_of(stated)
    if cuts[0] > low or cuts[-1] < high:
        raise UserError(
            f"the bins of {name!r} must cover its public bounds, {float(low):g} to {float(high):g}; "
            "rows outside them would be lost"
        )
    starts = bin_breaks(domain, cuts)
    # a bin between two public values would get noise, and so rows, but has no value to give them
    return [cut for cut, start, end in zip(cuts, starts, starts[1:], strict=False) if start < end] + [cuts[-1]]


def _period(name: str, domain: Calendar, stated: object) -> Key:
    if stated is None:
        if isinstance(domain, Date) and domain.cells <= AS_THEY_ARE:
            return ColumnKey(name)
        months = (domain.hi.year - domain.lo.year) * 12 + domain.hi.month - domain.lo.month + 1
        stated = "month" if months <= AS_THEY_ARE else "quarter" if months <= 3 * AS_THEY_ARE else "year"
    for unit in ("year", "quarter", "month"):
        if stated == unit and isinstance(stated, str):
            return Period(name, unit=unit)
    raise UserError(f"the bins of date {name!r} are 'year', 'quarter' or 'month', not {shown(stated)}")


def _hours(name: str, domain: Time, stated: object) -> Key:
    """The hours of the day that a column has, as bins: its first and its last hour may be cut."""
    if stated is not None and stated != "hour":
        raise UserError(f"the bins of times {name!r} are 'hour', not {shown(stated)}")
    if stated is None and domain.cells <= AS_THEY_ARE:
        return ColumnKey(name)
    end = domain.hi + domain.width
    hours = (hour * STEPS["hour"] for hour in range(domain.lo // STEPS["hour"] + 1, 24))
    return Bins(name, edges=[domain.lo, *(hour for hour in hours if hour < end), end])
