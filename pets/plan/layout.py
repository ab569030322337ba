"""Layout: public group keys to slots of a vector.

A group nobody is in is a slot with 0; which slots exist never depends on a row.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from pets.common.codec import Json
from pets.errors import QueryError, did_you_mean, shown
from pets.plan.calendar_slots import Cycle, equal_steps, hours_of_day
from pets.plan.predicate import field as find_field
from pets.query_model.group_keys import Bins, ColumnKey, DatePart, Key, KeySet, Period
from pets.query_model.nodes.bin_edges import Cut
from pets.schema import settings
from pets.schema.clock.time_of_day import Time
from pets.schema.dates import Calendar, Date
from pets.schema.domain import MISSING, Boolean, Category, Domain
from pets.schema.numeric import Integer, Numeric
from pets.schema.text_column import Text

MAX_SLOTS = settings.MAX_SLOTS
Ints = npt.NDArray[np.int64]
Ordered = Numeric | Calendar | Time


@dataclass(frozen=True)
class Dimension:
    """One column of the group key: a public function from a column's code to a slot.

    Attributes:
        breaks: first codes of the runs that share a slot, increasing; empty: each code is its own slot.
        slots: the slot of each run (-1: rows there are not reported).
        labels: what each slot is called in the answer.
        cycle: slots of equal width, in place of ``breaks`` (the code of a missing value has the last slot).
        text: the domain of a column of texts, in place of ``breaks``: the labels are the texts themselves.
    """

    name: str
    column: str
    labels: tuple[Any, ...]
    breaks: tuple[int, ...] = ()
    slots: tuple[int, ...] = ()
    cycle: Cycle | None = None
    text: Text | None = None

    @property
    def size(self) -> int:
        """The number of slots."""
        return len(self.labels)

    def tells_apart(self, domain: Domain | None) -> bool:
        """Whether each value of the column has a slot of its own, as the days of a column of days have."""
        if self.cycle is None:
            return not self.breaks
        return domain is not None and self.cycle.width == 1 and domain.cells <= self.cycle.size

    def slots_of_texts(self, texts: Sequence[str]) -> Ints:
        """The slot of each stored text (empty: no value); -1 where it is none of the labels."""
        index = {"" if label == MISSING else label: slot for slot, label in enumerate(self.labels)}
        return np.array([index.get(text, -1) for text in texts], dtype=np.int64)

    def slot(self, value: object) -> int:
        """The slot a public key value names; raises :class:`QueryError` for a value that is none of the labels."""
        index: dict[Any, int] = self.__dict__.get("_index") or {str(label): i for i, label in enumerate(self.labels)}
        object.__setattr__(self, "_index", index)
        text = MISSING if value is None else str(value) if self.text is None else self.text.spelt(value)
        if text not in index:
            raise QueryError(f"{shown(value)} is not a key of {self.name!r}{did_you_mean(value, list(index)[:5000])}")
        return index[text]


@dataclass(frozen=True)
class Layout:
    """Where each group lives in a block of the vector.

    Attributes:
        dimensions: the key's columns; a group's place in their product is row-major.
        keys: places of the reported groups in that product, increasing; ``None`` for all of them.
    """

    dimensions: tuple[Dimension, ...]
    keys: tuple[int, ...] | None = None
    _places: Ints | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.keys is not None:
            object.__setattr__(self, "_places", np.array(self.keys, dtype=np.int64))

    @property
    def product(self) -> int:
        """Combinations of all dimensions."""
        return math.prod(dimension.size for dimension in self.dimensions)

    @property
    def groups(self) -> int:
        """Groups reported."""
        return self.product if self.keys is None else len(self.keys)

    def slots_of(self, places: Ints) -> Ints:
        """The slot of each place in the product; -1 where it is not reported."""
        if self._places is None:
            return places
        found = np.searchsorted(self._places, places)
        found[found == len(self._places)] = 0
        return np.where(self._places[found] == places, found, -1).astype(np.int64)

    def columns(self) -> dict[str, list[Any]]:
        """The key columns of the answer, one entry a group, in slot order."""
        places = np.arange(self.groups, dtype=np.int64) if self._places is None else self._places
        out: dict[str, list[Any]] = {}
        stride = self.product
        for dimension in self.dimensions:
            stride //= dimension.size
            index = (places // stride) % dimension.size
            out[dimension.name] = [dimension.labels[i] for i in index.tolist()]
        return out

    def to_json(self) -> Json:
        """The canonical form."""
        dimensions = [
            {"name": d.name, "column": d.column, "size": d.size, "breaks": list(d.breaks), "slots": list(d.slots)}
            | ({} if d.cycle is None else {"cycle": [d.cycle.offset, d.cycle.width, d.cycle.size]})
            | ({} if d.text is None else {"texts": list(d.labels)})
            for d in self.dimensions
        ]
        return {"dimensions": dimensions, "keys": None if self.keys is None else list(self.keys)}


def make_layout(keys: Sequence[Key], keyset: KeySet | None, fields: Mapping[str, Domain], table: str) -> Layout:
    """The layout of a query's group key; raises :class:`QueryError` before anything large is allocated."""
    listed = {} if keyset is None else {name: [row[i] for row in keyset.rows] for i, name in enumerate(keyset.columns)}
    dimensions = tuple(dimension(key, fields, table, listed.get(key.name)) for key in keys)
    whole = Layout(dimensions)
    if whole.product > 2**62:
        raise QueryError("the group key has more than 2^62 combinations; group by fewer columns or coarser bins")
    if keyset is None:
        if whole.product > MAX_SLOTS:
            raise QueryError(
                f"the group key has {whole.product:,} combinations and at most {MAX_SLOTS:,} are allowed; "
                "use bins, fewer columns or a KeySet"
            )
        return whole
    return Layout(dimensions, _places(keyset, dimensions))


def _places(keyset: KeySet, dimensions: Sequence[Dimension]) -> tuple[int, ...]:
    places: set[int] = set()
    for row in keyset.rows:
        place = 0
        for dimension, value in zip(dimensions, row, strict=True):
            place = place * dimension.size + dimension.slot(value)
        places.add(place)
    if len(places) != len(keyset.rows):
        raise QueryError("the key set lists one group under two names; list each group once")
    return tuple(sorted(places))


def dimension(key: Key, fields: Mapping[str, Domain], table: str, listed: Sequence[object] | None = None) -> Dimension:
    """The dimension of one key; raises :class:`QueryError` where the column cannot be grouped that way.

    ``listed`` are the values that a key set lists of it: those of a column of texts stand nowhere else.
    """
    domain = find_field(key.column, fields, table)
    if isinstance(domain, Text):
        return _texts(key, domain, listed)
    if isinstance(key, Bins):
        return _bins(key, domain)
    if isinstance(key, (DatePart, Period)):
        return _dates(key, domain)
    if isinstance(key, ColumnKey):
        return _identity(key, domain)
    raise QueryError(f"{shown(key)} is not a group key")


def _texts(key: Key, domain: Text, listed: Sequence[object] | None) -> Dimension:
    if not isinstance(key, ColumnKey):
        raise QueryError(f"column {key.column!r} holds {domain.describe()}; it is grouped by as it is, without parts")
    if listed is None:
        raise QueryError(
            f"the values of column {key.column!r} are text that nobody listed; group by a KeySet of known ones (in "
            f"SQL: HAVING KEYS(\"{key.name}\") IN (('A'), ('B'))), or release those that enough people have: keys = "
            f"session.group_keys(table, by=[{key.column!r}], …)"
        )
    try:
        texts = {domain.spelt(value) for value in listed if value is not None}
    except QueryError as error:
        raise QueryError(f"column {key.column!r}: {error}") from None
    missing = [MISSING] if domain.nullable and None in listed else []
    return Dimension(key.name, key.column, (*sorted(texts), *missing), text=domain)


def _identity(key: Key, domain: Domain) -> Dimension:
    if not isinstance(domain, (Category, Boolean, Integer, Date, Time)):
        if isinstance(domain, Calendar):
            raise QueryError(
                f"column {key.column!r} holds {domain.describe()}; group by a period, such as "
                f"col({key.column!r}).period('month')"
            )
        raise QueryError(
            f"column {key.column!r} holds {domain.describe()}; group by bins, such as "
            f"col({key.column!r}).bins([0, 10, 20])"
        )
    if domain.codes > MAX_SLOTS:
        raise QueryError(f"column {key.column!r} has {domain.codes:,} values; group by bins or a KeySet of bins")
    labels = [domain.decode(code) for code in range(domain.codes)]
    return Dimension(key.name, key.column, tuple(labels))


def _place(domain: Ordered, cut: Cut) -> Fraction:
    """Where an edge lies on the scale of codes: on the grid value that it is, but for the rounding of a double."""
    if not isinstance(domain, Numeric) or not isinstance(cut, Fraction):
        return domain.position(cut)
    place = (cut - domain.origin) / domain.spacing
    rounding = abs(cut) / 2**50
    near = abs(place - round(place)) * domain.spacing <= rounding and rounding < domain.spacing / 1000
    return Fraction(round(place)) if near else place


def bin_breaks(domain: Ordered, cuts: Sequence[Cut]) -> tuple[int, ...]:
    """The first code of each bin, then the code after the last (the last bin is closed), inside the domain."""
    places = [_place(domain, cut) for cut in cuts]
    starts = [math.ceil(place) for place in places[:-1]] + [math.floor(places[-1]) + 1]
    return tuple(min(max(start, 0), domain.cells) for start in starts)


def _bins(key: Bins, domain: Domain) -> Dimension:
    if not isinstance(domain, (Numeric, Calendar, Time)):
        raise QueryError(
            f"column {key.column!r} holds {domain.describe()}; bins need an integer or real column, or one of dates or "
            "times"
        )
    _fitting(key, domain)
    starts = bin_breaks(domain, key.cuts)
    labels = (*key.labels(), MISSING) if domain.nullable else tuple(key.labels())
    runs = [(0, -1), *((start, i) for i, start in enumerate(starts[:-1])), (starts[-1], -1)]
    runs += [(domain.cells, len(key.labels()) if domain.nullable else -1)]
    return _runs(key, labels, runs)


def _fitting(key: Bins, domain: Ordered) -> None:
    """Refuse edges that are no values of such a column."""
    if isinstance(domain, Numeric):
        right, cut = isinstance(key.cuts[0], Fraction), "numbers, such as [0, 18, 65]"
    elif isinstance(domain, Time):
        right, cut = isinstance(key.cuts[0], dt.timedelta), "times of day, such as ['08:00', '16:00', '24:00']"
    elif isinstance(domain, Date):
        right = not any(isinstance(one, (Fraction, dt.timedelta, dt.datetime)) for one in key.cuts)
        cut = "days, such as ['2022-01-01', '2022-04-01']"
    else:
        right, cut = isinstance(key.cuts[0], dt.date), "days or moments, such as ['2022-01-01', '2022-01-01 12:00']"
    if not right:
        raise QueryError(f"column {key.column!r} holds {domain.describe()}; cut its bins at {cut}")


def _runs(key: Key, labels: Sequence[Any], runs: Sequence[tuple[int, int]]) -> Dimension:
    """Runs given as (first code, slot); a later run that starts at the same code replaces an earlier, empty one."""
    merged: dict[int, int] = {}
    for start, slot in runs:
        merged[start] = slot
    ordered = sorted(merged.items())
    kept = [run for i, run in enumerate(ordered) if i == 0 or run[1] != ordered[i - 1][1]]
    return Dimension(key.name, key.column, tuple(labels), tuple(s for s, _ in kept), tuple(s for _, s in kept))


def _cycle(key: DatePart | Period, domain: Calendar | Time, cycle: Cycle, labels: Sequence[Any]) -> Dimension:
    if len(labels) > MAX_SLOTS:
        raise QueryError(f"column {key.column!r} has {len(labels):,} values of {key.name!r}; group by a longer period")
    missing = [MISSING] if domain.nullable else []
    spanned = (domain.cells - 1 + cycle.offset) // cycle.width - cycle.offset // cycle.width + 1
    if spanned >= cycle.size:
        return Dimension(key.name, key.column, (*labels, *missing), cycle=cycle)
    # a range in which not every one comes round
    starts = [0, *((cycle.offset // cycle.width + i) * cycle.width - cycle.offset for i in range(1, spanned))]
    names = [labels[cycle.slot(start)] for start in starts]
    ordered = sorted(names)
    runs = [(start, ordered.index(name)) for start, name in zip(starts, names, strict=True)]
    runs.append((domain.cells, len(ordered) if missing else -1))
    return _runs(key, [*ordered, *missing], runs)


def _next(day: dt.date, unit: str) -> dt.date | None:
    months = {"year": 12, "quarter": 3, "month": 1}[unit]
    index = day.year * 12 + (day.month - 1) // months * months + months
    return None if index // 12 > dt.MAXYEAR else dt.date(index // 12, index % 12 + 1, 1)


def _period_label(day: dt.date, unit: str) -> str:
    if unit == "year":
        return f"{day.year:04d}"
    return f"{day.year:04d}-Q{(day.month - 1) // 3 + 1}" if unit == "quarter" else f"{day.year:04d}-{day.month:02d}"


def _part(day: dt.date, unit: str) -> int:
    return {"year": day.year, "quarter": (day.month - 1) // 3 + 1, "month": day.month}[unit]


def _dates(key: DatePart | Period, domain: Domain) -> Dimension:
    if isinstance(domain, Time):
        if not isinstance(key, DatePart) or key.part != "hour":
            raise QueryError(
                f"column {key.column!r} holds {domain.describe()}, which have no date; group by "
                f"col({key.column!r}).hour() or by bins"
            )
        return _cycle(key, domain, *hours_of_day(domain))
    if not isinstance(domain, Calendar):
        raise QueryError(f"column {key.column!r} holds {domain.describe()}; its calendar parts need a date column")
    equal = equal_steps(key, domain)
    if equal is not None:
        return _cycle(key, domain, *equal)
    unit = key.part if isinstance(key, DatePart) else key.unit
    starts: list[dt.date] = []
    day: dt.date | None = domain.first
    while day is not None and day <= domain.last:
        starts.append(day)
        day = _next(day, unit)
    names: list[Any] = [_period_label(d, unit) if isinstance(key, Period) else _part(d, unit) for d in starts]
    labels: list[Any] = sorted(set(names))
    index = {label: i for i, label in enumerate(labels)}
    runs = [(domain.start(d), index[name]) for d, name in zip(starts, names, strict=True)]
    runs.append((domain.cells, len(labels) if domain.nullable else -1))
    return _runs(key, [*labels, MISSING] if domain.nullable else labels, runs)
