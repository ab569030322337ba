"""What each cell of a sheet leaves open by itself, under the rule by which it was made; and what its totals hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations, product

import numpy as np

from pets.protection.rounding import Rounding
from pets.sdc.tables.axis import cover
from pets.sdc.tables.cell_text import Kind, Shown
from pets.sdc.tables.sheet import TOTAL, Entry, Sheet, beside

MOST = 10**7
"""What nobody bounds is taken to be at most this."""

Ends = tuple[int, int]
Key = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Bounded:
    """A sheet with what each of its cells leaves open.

    Attributes:
        sheet: the sheet.
        rounded: whether every number in it is one that the rule can show.
        ends: by labels, the least and the greatest count that the cell may be.
        silent: totals that say nothing beside their parts, since they add what is shown.
        absent: by labels, what a combination that has no row may be.
        remarks: what was taken for granted.
    """

    sheet: Sheet
    rounded: bool
    ends: Mapping[tuple[str, ...], Ends]
    silent: frozenset[tuple[str, ...]] = frozenset()
    absent: Mapping[tuple[str, ...], Ends] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    @cached_property
    def labels(self) -> tuple[tuple[str, ...], ...]:
        """Of each dimension, its labels without the total."""
        return labels_of(self.sheet)

    @cached_property
    def once(self) -> tuple[tuple[str, ...], ...]:
        """Of each dimension, labels that name everybody once."""
        return tuple(cover(labels) for labels in self.labels)

    @cached_property
    def texts(self) -> Mapping[tuple[str, ...], str]:
        """By labels, what the cell shows."""
        return {one.labels: one.shown.text for one in self.sheet.entries}

    def cells(self, at: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        """The cells that are no totals, and that a total is about."""
        return product(*(once if label == TOTAL else (label,) for label, once in zip(at, self.once, strict=True)))

    def exact(self, entry: Entry) -> bool:
        """Whether a cell shows its count as it is."""
        return entry.shown.kind is Kind.NUMBER and not self.rounded

    def margins(self) -> dict[Key, Ends]:
        """What the sheet says of every total of it, stated or added up, by the labels that are named."""
        out: dict[Key, Ends] = {}
        names = self.sheet.dimensions
        once = [set(labels) for labels in self.once]
        cells = {**self.absent, **{at: ends for at, ends in self.ends.items() if TOTAL not in at}}
        for number in range(len(names) + 1):
            for kept in combinations(range(len(names)), number):
                sums: dict[tuple[str, ...], Ends] = {}
                for at, (low, high) in cells.items():
                    if any(label not in once[i] for i, label in enumerate(at) if i not in kept):
                        continue
                    total = tuple(label if i in kept else TOTAL for i, label in enumerate(at))
                    before = sums.get(total, (0, 0))
                    sums[total] = before[0] + low, min(before[1] + high, MOST)
                for at, ends in sums.items():
                    out[tuple((names[i], at[i]) for i in kept)] = ends
        for at, ends in self.ends.items():
            if at not in self.silent:
                out[tuple((name, label) for name, label in zip(names, at, strict=True) if label != TOTAL)] = ends
        return out


def labels_of(sheet: Sheet) -> tuple[tuple[str, ...], ...]:
    """Of each dimension of a sheet, its labels without the total, in the order of the file."""
    columns = (
        zip(*(one.labels for one in sheet.entries), strict=True) if sheet.entries else ([],) * len(sheet.dimensions)
    )
    return tuple(tuple(dict.fromkeys(label for label in one if label != TOTAL)) for one in columns)


def bounded(sheet: Sheet, rule: Rounding, hidden: Ends | None) -> Bounded:
    """A sheet as a reader who knows the rule reads it."""
    counts = np.array([one.shown.count for one in sheet.entries if one.shown.count is not None], dtype=np.int64)
    rounded = rule.base > 1 and len(counts) > 0 and rule.fits(counts)
    small = hidden or (rule.hidden if rule.threshold else (int(not rule.hide_zero), MOST))
    if hidden is None and not rounded and (counts == 0).any():
        small = (max(small[0], 1), small[1])  # where zeros are shown, what is hidden is none
    ends = {one.labels: _ends(one, rule if rounded else None, small) for one in sheet.entries}
    whole = Bounded(sheet, rounded, ends)
    silent = _silent(whole, rule)
    remarks = []
    if silent:
        remarks.append(f"{sheet.name}: the totals add what is shown, without the cells that are hidden")
    absent, said = _absent(whole, silent, small)
    return Bounded(sheet, rounded, ends, silent, absent, (*remarks, *said))


def _ends(entry: Entry, rule: Rounding | None, small: Ends) -> Ends:
    """What one cell leaves open."""
    shown = entry.shown
    if shown.kind is Kind.NUMBER and shown.count is not None:
        if rule is None:
            return shown.count, shown.count
        low, high = rule.interval(np.array([shown.count], dtype=np.int64))
        return int(low[0]), int(high[0])
    if shown.kind is Kind.HIDDEN:
        stated = shown.low is not None or shown.high is not None
        if stated:
            return (min(small[0], 1) if shown.low is None else shown.low), int(
                small[1] if shown.high is None else shown.high
            )
        return small
    return 0, MOST


def ends_beside(columns: Mapping[str, Sequence[Shown]], rule: Rounding) -> tuple[str, ...]:
    """Columns of counts beside ``…_low`` and ``…_high`` that say no more of a number shown than the rule leaves open.

    A release's own table has them. Ends that lie nearer, or are no whole numbers, are left to be checked as counts.
    """
    out = []
    for name in columns:
        if all(end in columns for end in beside(name)):
            rows = zip(columns[name], *(columns[end] for end in beside(name)), strict=True)
            if all(_within(shown, low.count, high.count, rule) for shown, low, high in rows):
                out.append(name)
    return tuple(out)


def _within(shown: Shown, low: int | None, high: int | None, rule: Rounding) -> bool:
    """Whether what a number leaves open under a rule lies between two others; whether those are ends, if it is none."""
    if low is None or high is None or low > high:
        return False
    if shown.count is None:
        return shown.kind in (Kind.HIDDEN, Kind.ABSENT)
    least, most = rule.interval(np.array([shown.count], dtype=np.int64))
    return bool(low <= least[0] and most[0] <= high)


def _silent(whole: Bounded, rule: Rounding) -> frozenset[tuple[str, ...]]:
    """The totals of a sheet that add only what is shown: where each that has a hidden cell is the sum of the others.

    A total that was rounded on its own says something, whatever it happens to be.
    """
    if whole.rounded and rule.totals != "parts":
        return frozenset()
    numbers = {one.labels: one.shown.count for one in whole.sheet.entries}
    found: set[tuple[str, ...]] = set()
    for at, total in numbers.items():
        if TOTAL not in at or total is None:
            continue
        cells = [numbers[one] for one in whole.cells(at) if one in numbers]
        shown = [one for one in cells if one is not None]
        unseen = len(cells) - len(shown)
        if not shown or (not unseen and not whole.rounded):
            continue
        if total not in (sum(shown), sum(shown) + unseen * rule.middle if whole.rounded else None):
            return frozenset()
        found.add(at)
    return frozenset(found)


def _absent(
    whole: Bounded, silent: frozenset[tuple[str, ...]], small: Ends
) -> tuple[dict[tuple[str, ...], Ends], tuple[str, ...]]:
    """What combinations without a row may be: 0 where the totals add up so, else a small count that was left out."""
    sheet, labels = whole.sheet, whole.labels
    if not all(labels) or np.prod([len(one) for one in labels]) > 200_000:
        return {}, ()
    missing = [at for at in product(*labels) if at not in whole.ends]
    if not missing:
        return {}, ()
    gaps = set(missing)
    for at, ends in whole.ends.items():
        if TOTAL not in at or at in silent or ends[1] >= MOST:
            continue
        cells = list(whole.cells(at))
        if gaps.intersection(cells) and ends[0] > sum(whole.ends[one][1] for one in cells if one not in gaps):
            said = f"{sheet.name}: {len(missing):,} combinations have no row, and totals count people in some of them"
            return dict.fromkeys(missing, (0, small[1])), (said,)
    return dict.fromkeys(missing, (0, 0)), (f"{sheet.name}: {len(missing):,} combinations have no row; taken as 0",)
