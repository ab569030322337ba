"""Views of a release: data frames made from its raw noisy integers. The release itself never changes.

Post-processing only, so every view keeps the release's guarantee.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pets.common.codec import Json
from pets.common.integers import Ints, Numbers
from pets.errors import QueryError, did_you_mean
from pets.query_model.group_keys import Bins, DatePart
from pets.release import shown
from pets.release.estimate import Cells, Column, Estimates, Mechanism, noise_of, split
from pets.schema.dates import Calendar
from pets.schema.domain import MISSING

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

PAIRS = "person-group pairs"
"""What a sum of counts of people over groups counts: a person once in each group they are in."""


class RowsCounted(Protocol):
    """What is known of the rows that bounds leave out of a table."""

    def sentence(self, rows: int) -> str:
        """What share of them K = ``rows`` counts; ``""`` where that is not known."""


class Answer(shown.Answer, Protocol):
    """What views, charts and pages read of a release: what is shown of it, and the rest."""

    @property
    def values(self) -> Ints:
        """The raw noisy vector."""

    @property
    def mechanism(self) -> Mechanism:
        """Whose noise is on it."""

    @property
    def scales(self) -> tuple[float, ...]:
        """Of the noise on each measure."""

    @property
    def sharing(self) -> Json | None:
        """Who took part, where that were several sites."""

    @property
    def data(self) -> str:
        """``"real"`` or ``"dummy"``."""

    @property
    def protection(self) -> Mapping[str, Any]:
        """The protection's canonical form."""

    @property
    def epsilon(self) -> float | None:
        """ε of this release."""

    @property
    def delta(self) -> float | None:
        """δ of this release."""

    @property
    def rho(self) -> float | None:
        """ρ of this release."""

    @property
    def cost(self) -> Json:
        """What it cost, in exact units."""

    @property
    def budget(self) -> Json | None:
        """The state of the ledger after it."""

    @property
    def guarantee(self) -> str:
        """The promise, as a sentence."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know."""

    @property
    def id(self) -> str:
        """The release's own name."""

    @property
    def digest(self) -> str:
        """Of its canonical form."""

    @property
    def snapshot_id(self) -> str:
        """The snapshot's public name."""

    @property
    def issued_at(self) -> str:
        """When it left."""

    @property
    def project(self) -> str:
        """For which project."""

    @property
    def analyst(self) -> str:
        """Who asked."""


def keys(answer: Answer, *, times: bool = True) -> dict[str, Any]:
    """The key columns, one entry a group; days and periods as ``datetime64`` (the day on which a period begins).

    The group without a value is ``NaT`` there. With ``times=False`` they are as the answer calls them.
    """
    columns: dict[str, Any] = shown.labels(answer)
    if times:
        for key, dimension in zip(answer.plan.query.keys, answer.plan.layout.dimensions, strict=True):
            day = isinstance(answer.plan.fields[key.column], Calendar) and not isinstance(key, (Bins, DatePart))
            if day:
                columns[dimension.name] = _days(columns[dimension.name])
    return columns


def _days(labels: Sequence[Any]) -> Any:
    import pandas as pd

    begun = {label: np.datetime64(_begins(label), "s") for label in dict.fromkeys(labels)}
    days = np.array([begun[label] for label in labels], dtype="datetime64[s]")
    known = days[~np.isnat(days)]
    fits = not len(known) or (known.min() >= _NANOSECONDS[0] and known.max() <= _NANOSECONDS[1])
    return pd.Series(days.astype("datetime64[ns]") if fits else days)


# what pandas' usual unit can hold; days beyond are kept in seconds
_NANOSECONDS = (np.datetime64("1678-01-01", "s"), np.datetime64("2262-01-01", "s"))


def _begins(label: object) -> str:
    """The first day (of an hour: the time) of a period, in ISO form; ``NaT`` for the group without a value."""
    said = str(label)
    if said == MISSING:
        return "NaT"
    for mark in ("-Q", "-W", "-MMWR"):
        year, found, number = said.partition(mark)
        if found:
            return f"{year}-{int(number) * 3 - 2:02d}" if mark == "-Q" else _week(mark, int(year), int(number))
    return said


def _week(mark: str, year: int, number: int) -> str:
    """The first day of a week: week 1 is the one with January 4."""
    fourth = dt.date(year, 1, 4)
    before = fourth.isoweekday() - 1 if mark == "-W" else fourth.isoweekday() % 7
    return str(np.datetime64(fourth, "D") + np.timedelta64(7 * (number - 1) - before, "D"))


def frame(answer: Answer, *, times: bool = True) -> pd.DataFrame:
    """Key columns, then for each output ``name``, ``name_low`` and ``name_high`` (exact answers: ``name`` only)."""
    return _viewed(answer, _frame(keys(answer, times=times), answer.estimates))


def _viewed(answer: Answer, table: pd.DataFrame) -> pd.DataFrame:
    """The groups that the view shows, in its order."""
    return table if answer.display is None else table.iloc[shown.places(answer)].reset_index(drop=True)


def arrow(answer: Answer) -> pa.Table:
    """:func:`frame` as Arrow, with what the release promises in the table's metadata."""
    import pyarrow as pa

    about = {"pets": answer.id, "guarantee": answer.guarantee, "digest": answer.digest, "data": answer.data}
    made = pa.Table.from_pandas(frame(answer), preserve_index=False)
    return made.replace_schema_metadata((made.schema.metadata or {}) | about)


def adjusted(answer: Answer, *, nonnegative: bool, whole: bool) -> pd.DataFrame:
    """:func:`frame` with counts (and sums of values that cannot be negative) at least 0, and whole numbers rounded."""
    columns = []
    for column in answer.estimates:
        output, parts = column.output, (column.estimate, column.low, column.high)
        amount = output.traits.shape == "linear" and output.low >= 0
        if nonnegative and (output.traits.counts or amount):
            parts = tuple(np.maximum(part, 0) for part in parts)  # type: ignore[assignment]
        if whole and output.whole:
            parts = tuple(_rounded(part) for part in parts)  # type: ignore[assignment]
        columns.append(Column(output, *parts))
    return _viewed(answer, _frame(keys(answer), replace(answer.estimates, columns=tuple(columns))))


def histogram(answer: Answer, name: str) -> pd.DataFrame:
    """One row a group and bin: the keys, ``bin``, ``count``, ``low``, ``high`` (exact answers: no low and high).

    Groups are those that the view shows, in its order.
    """
    import pandas as pd

    column = answer.estimates[name]
    if column.output.traits.shape != "bins":
        names = [c.output.name for c in answer.estimates if c.output.traits.shape == "bins"]
        raise QueryError(f"{name!r} is a {column.output.kind}, not a histogram{did_you_mean(name, names)}")
    bins = len(column.output.bins)
    made: dict[str, Any] = {
        name: [label for label in labels for _ in range(bins)]
        if isinstance(labels, list)
        else labels.repeat(bins).reset_index(drop=True)
        for name, labels in keys(answer).items()
    }
    made |= {"bin": list(column.output.bins) * answer.plan.groups}
    made["count"] = column.estimate.reshape(-1)
    if not answer.estimates.exact:
        made |= {"low": column.low.reshape(-1), "high": column.high.reshape(-1)}
    table = pd.DataFrame(made)
    if answer.display is None:
        return table
    rows = shown.places(answer)[:, None] * bins + np.arange(bins)
    return table.iloc[rows.reshape(-1)].reset_index(drop=True)


def total(answer: Answer, name: str, by: Sequence[str], confidence: float) -> pd.DataFrame:
    """One output over all groups that share the keys ``by``: from sums of raw parts, with intervals that add up.

    Over all groups that were released, also those that HAVING and LIMIT do not show: what noise left out is a biased
    choice, and a total without it would be too.

    Noise on m cells is independent, so the interval is about √m times as wide as one cell's, not m times.
    """
    plan, found = answer.plan, answer.estimates[name]
    named = plan.layout.columns()
    kept = (by,) if isinstance(by, str) else tuple(by)
    for key in kept:
        if key not in named:
            raise QueryError(f"{key!r} is not a key of this release{did_you_mean(key, named)}")
    labels = list(zip(*(named[key] for key in kept), strict=True)) if kept else [()] * plan.groups
    order = {label: place for place, label in enumerate(dict.fromkeys(labels))}
    place = np.array([order[label] for label in labels], dtype=np.int64)
    blocks = []
    for block in split(plan, answer.values):
        added = np.zeros((len(order), block.shape[1]), dtype=np.int64)
        np.add.at(added, place, block)
        blocks.append(added)
    cells = np.bincount(place, minlength=len(order))
    parts: list[Numbers] = [np.empty((len(order), *found.estimate.shape[1:]), dtype=object) for _ in range(3)]
    for many in np.unique(cells).tolist():
        # a key set may list more groups under one key than under another; each number of cells has its own width
        rows = cells == many
        noise = noise_of(answer, confidence, many)
        column = Cells(plan.measures, tuple(block[rows] for block in blocks), noise).column(found.output)
        for part, values in zip(parts, (column.estimate, column.low, column.high), strict=True):
            part[rows] = values
    made = Column(found.output, *(np.array(part.tolist()) for part in parts))
    _, first = np.unique(place, return_index=True)
    typed = keys(answer)
    columns = {
        key: [label[i] for label in order]
        if isinstance(typed[key], list)
        else typed[key].iloc[first].reset_index(drop=True)
        for i, key in enumerate(kept)
    }
    out = _frame(columns, Estimates((made,), confidence, answer.estimates.exact))
    if found.output.traits.counts == "people" and len(order) < plan.groups:
        # nobody who was counted in two groups can be told from two people
        out[f"{name}_counts"] = PAIRS
    return out


def _frame(keys: Mapping[str, Sequence[Any]], estimates: Estimates) -> pd.DataFrame:
    import pandas as pd

    out: dict[str, Any] = dict(keys)
    for column in estimates:
        name = column.output.name
        out[name] = _cells(column.estimate)
        if not estimates.exact:
            out[f"{name}_low"], out[f"{name}_high"] = _cells(column.low), _cells(column.high)
    return pd.DataFrame(out)


def _cells(numbers: Numbers) -> Any:
    """One cell a group: a number, or the list of a histogram's counts."""
    return numbers.copy() if numbers.ndim == 1 else numbers.tolist()


def _rounded(numbers: Numbers) -> Numbers:
    return np.rint(numbers).astype(np.int64) if numbers.dtype == np.float64 else numbers
