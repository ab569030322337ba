"""Sheet: one table of counts as it was published: which people each cell is about, and what it shows of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from pets.errors import DataError, did_you_mean, shown
from pets.sdc.tables.cell_text import Kind, Shown, is_total, read_cell

TOTAL = "Total"
"""The label of all together, whatever the file calls it."""

COLUMNS = "column"
"""The name of the dimension that runs across the columns, where nobody names it."""

_KEY = re.compile(
    r"(?:^|[_\s])(?:year|age|ages|month|quarter|week|period|date|code|id|band|level|imd|decile|quintile|category|group)"
    r"(?:$|[_\s])",
    re.IGNORECASE,
)
_MEAN = re.compile(r"(?:^|[_\s])(?:mean|average|avg)(?:$|[_\s])", re.IGNORECASE)
_OTHER = re.compile(
    r"%|(?:^|[_\s])(?:rate|percent|percentage|pct|proportion|ratio|share|median|sd|std|stdev|ci|lower|upper|p)(?:$|[_\s])",
    re.IGNORECASE,
)
_SIGNED = re.compile(r"[-−+]?[\d.,\s]+%?")
_SIZE = re.compile(r"n|count|counts|number|people|patients|persons|size", re.IGNORECASE)
_FIRST, _SECOND = (
    re.compile(r"x1|largest|(?:.*_)?max1", re.IGNORECASE),
    re.compile(r"x2|second.*|(?:.*_)?max2", re.IGNORECASE),
)
_SUM = re.compile(r"(?:.*[_\s])?(?:sum|total|value)|x", re.IGNORECASE)


@dataclass(frozen=True)
class Entry:
    """One cell.

    Attributes:
        labels: its label in each dimension; :data:`TOTAL` for all of them.
        shown: what it shows.
        row, column: where it stands in the file's body, from 0.
    """

    labels: tuple[str, ...]
    shown: Shown
    row: int
    column: int

    @property
    def margin(self) -> bool:
        """Whether it is a total of others."""
        return TOTAL in self.labels

    @property
    def name(self) -> str:
        """How a sentence names it."""
        return f"({', '.join(self.labels)})"


@dataclass(frozen=True)
class Mean:
    """One mean of a group, the number of its people, and where both stand."""

    entry: Entry
    size: Shown | None
    name: str


@dataclass(frozen=True)
class Parts:
    """A sum, and the two greatest contributions to it."""

    entry: Entry
    largest: Shown
    second: Shown
    size: Shown | None
    name: str


@dataclass(frozen=True)
class Sheet:
    """One measure of one table.

    Attributes:
        name: of the table.
        measure: what is counted.
        dimensions: by what.
        entries: its cells.
        means, sums: what else it has of the same groups.
    """

    name: str
    measure: str
    dimensions: tuple[str, ...]
    entries: tuple[Entry, ...]
    means: tuple[Mean, ...] = ()
    sums: tuple[Parts, ...] = ()


@dataclass(frozen=True)
class Layout:
    """What a reader says of a table; what is left out is recognised.

    Attributes:
        keys: the columns that say whose a row is.
        counts: the columns of counts of people.
        across: what the columns of counts are parted by, such as ``"sex"``.
        means: columns of means, by name the column with the number of people.
        totals: labels that name all together, beside Total, All, Overall and the like.
        ends: columns of counts, each beside its ``…_low`` and ``…_high``, which are no counts: they say between what a
            count lies, and of one that is not shown that is what a reader knows.
    """

    keys: tuple[str, ...] | None = None
    counts: tuple[str, ...] | None = None
    across: str | None = None
    means: tuple[tuple[str, str | None], ...] | None = None
    totals: frozenset[str] = frozenset()
    ends: tuple[str, ...] = ()


def flat(table: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """A table whose keys are columns with plain names, and the keys that its index held."""
    columns = table.columns
    if isinstance(columns, pd.MultiIndex):
        names = [" | ".join(dict.fromkeys(str(part) for part in one if str(part))) for one in columns]
        table = table.set_axis(names, axis=1)
    index = table.index
    kept: tuple[str, ...] = ()
    if isinstance(index, pd.MultiIndex) or index.name is not None or index.dtype == object:
        kept = tuple(str(name) if name is not None else f"key{i}" for i, name in enumerate(index.names))
        table = table.copy()
        table.columns = pd.Index([str(name) for name in table.columns])
        for name in kept:
            if name in table.columns:
                raise DataError(f"the table has a column and a part of its index called {name!r}; rename one of them")
        table.index = table.index.set_names(list(kept))
        table = table.reset_index()
    return table.set_axis([str(name) for name in table.columns], axis=1), kept


def sheets(table: pd.DataFrame, name: str, layout: Layout) -> tuple[Sheet, ...]:
    """A table's measures, each as a sheet.

    Raises:
        DataError: where no column of counts can be made out.
    """
    frame, index = flat(table)
    if frame.columns.duplicated().any():
        twice = str(frame.columns[frame.columns.duplicated()][0])
        raise DataError(f"{name}: two columns are called {twice!r}; rename one of them")
    texts = {column: [read_cell(value) for value in frame[column]] for column in frame.columns}
    for one in layout.ends:
        texts[one] = list(map(_between, texts[one], *(texts[end] for end in beside(one))))
    keys, counts, means, sums = _roles(texts, name, layout, index)
    labels = {key: [_label(one.text, layout) for one in texts[key]] for key in keys}
    places = {column: place for place, column in enumerate(column for column in frame.columns if column not in keys)}
    rows = range(len(frame))

    def entries(columns: Sequence[str], heads: Sequence[str] | None) -> tuple[Entry, ...]:
        return tuple(
            Entry(
                (*(labels[key][row] for key in keys), *(() if heads is None else (heads[at],))),
                texts[column][row],
                row,
                places[column],
            )
            for row in rows
            for at, column in enumerate(columns)
        )

    _told_apart(labels, len(frame), name)
    size = counts[0] if len(counts) == 1 else next((one for one in counts if _SIZE.fullmatch(one)), None)
    extra = _extras(texts, labels, keys, means, sums, size, places)
    heads = [_label(column, layout) for column in counts]
    if len(counts) > 1 and (layout.across is not None or TOTAL in heads):
        across = layout.across or COLUMNS
        return (Sheet(name, "people", (*keys, across), entries(counts, heads), *extra),)
    measures = ["people"] if len(counts) == 1 else list(counts)
    made = [Sheet(name, one, keys, entries([c], None)) for one, c in zip(measures, counts, strict=True)]
    if not made:
        made = [Sheet(name, "people", keys, ())]
    made[0] = Sheet(name, made[0].measure, keys, made[0].entries, *extra)
    return tuple(made)


def beside(name: str) -> tuple[str, str]:
    """The columns that hold the ends of the counts of a column, as a release's own table names them."""
    return f"{name}_low", f"{name}_high"


def _between(count: Shown, low: Shown, high: Shown) -> Shown:
    """A count, or what its ends say where it is not shown."""
    return count if count.kind is Kind.NUMBER else read_cell(f"{low.count}-{high.count}")


def _told_apart(labels: dict[str, list[str]], rows: int, name: str) -> None:
    """Refuse rows that the keys do not tell apart: of the same people, only one number can be right."""
    seen: dict[tuple[str, ...], int] = {}
    for row in range(rows):
        at = tuple(column[row] for column in labels.values())
        if at in seen:
            raise DataError(
                f"{name}: rows {seen[at] + 1} and {row + 1} have the same keys; name the columns that tell rows apart, "
                "such as keys=('region', 'year')"
            )
        seen[at] = row


def _label(text: str, layout: Layout) -> str:
    return TOTAL if is_total(text, layout.totals) else text


def _roles(
    texts: dict[str, list[Shown]], name: str, layout: Layout, index: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, str | None], tuple[str, str, str] | None]:
    """Which columns are keys, counts, means, and a sum with its two greatest contributions."""
    said = (*(layout.keys or ()), *(layout.counts or ()), *(one for one, _ in layout.means or ()))
    for column in said:
        if column not in texts:
            raise DataError(f"{name} has no column {shown(column)}{did_you_mean(column, texts)}")
    sums = _sum_columns(texts)
    spoken = {*said, *(sums or ()), *(end for one in layout.ends for end in beside(one))}
    numeric = [column for column in texts if column not in index and _numeric(texts[column])]
    free = [column for column in texts if column not in spoken]
    means = dict(layout.means or ())
    if layout.means is None:
        means = {one: None for one in free if one in numeric and _MEAN.search(one)}
    counts = layout.counts
    if counts is None:
        rest = [one for one in free if one in numeric and one not in means and not _OTHER.search(one)]
        whole = [one for one in rest if all(cell.number is None or cell.count is not None for cell in texts[one])]
        counts = tuple(one for one in whole if layout.keys is not None or not _KEY.search(one))
    keys = layout.keys
    if keys is None:
        keys = tuple(one for one in texts if one not in counts and one not in spoken and one not in means)
        keys = tuple(one for one in keys if one in index or _names(one, texts[one], numeric))
        keys = tuple(one for one in keys if not one.startswith("Unnamed: ") or one not in numeric)
    if not counts and not means and sums is None:
        raise DataError(
            f"{name} has no column of whole numbers that could be counts; name them, such as counts=('patients',)"
        )
    return keys, counts, means, sums


def _names(column: str, cells: list[Shown], numeric: list[str]) -> bool:
    """Whether a column that is no count says whose a row is, and is no percentage, difference or rate."""
    if column in numeric:
        return _KEY.search(column) is not None
    filled = [one for one in cells if one.kind is not Kind.ABSENT]
    signed = sum(_SIGNED.fullmatch(one.text) is not None for one in filled)
    return not filled or signed * 2 < len(filled)


def _numeric(cells: list[Shown]) -> bool:
    """Whether a column holds numbers and marks of hidden ones."""
    filled = [one for one in cells if one.kind is not Kind.ABSENT]
    told = sum(one.kind in (Kind.NUMBER, Kind.HIDDEN) for one in filled)
    return told > 0 and sum(one.kind is Kind.TEXT for one in filled) * 5 <= len(filled)


def _sum_columns(texts: dict[str, list[Shown]]) -> tuple[str, str, str] | None:
    """The columns of a sum and its two greatest contributions, where all three are there."""
    found = [next((c for c in texts if pattern.fullmatch(c)), None) for pattern in (_SUM, _FIRST, _SECOND)]
    total, first, second = found
    return None if total is None or first is None or second is None else (total, first, second)


def _extras(
    texts: dict[str, list[Shown]],
    labels: dict[str, list[str]],
    keys: tuple[str, ...],
    means: dict[str, str | None],
    sums: tuple[str, str, str] | None,
    size: str | None,
    places: dict[str, int],
) -> tuple[tuple[Mean, ...], tuple[Parts, ...]]:
    """The means and sums of a table, each beside the number of its people."""
    rows = range(len(next(iter(texts.values()), [])))

    def entry(column: str, row: int) -> Entry:
        return Entry(tuple(labels[key][row] for key in keys), texts[column][row], row, places[column])

    made = tuple(
        Mean(entry(column, row), None if (of or size) is None else texts[str(of or size)][row], column)
        for column, of in means.items()
        for row in rows
        if texts[column][row].kind is Kind.NUMBER
    )
    parts = (
        ()
        if sums is None
        else tuple(
            Parts(
                entry(sums[0], row),
                texts[sums[1]][row],
                texts[sums[2]][row],
                None if size is None else texts[size][row],
                sums[0],
            )
            for row in rows
            if texts[sums[0]][row].kind is Kind.NUMBER
        )
    )
    return made, parts
