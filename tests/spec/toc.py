"""The chapters of the manual, in order."""

from __future__ import annotations

from tests.spec.book import Chapter
from tests.spec.chapters import bounds, conditions, counting, keys, numbers, people, rows, texts, times

CHAPTERS: tuple[Chapter, ...] = (
    counting.CHAPTER,
    numbers.SUMS,
    numbers.MEANS,
    numbers.VARIANCES,
    numbers.HISTOGRAMS,
    numbers.QUANTILES,
    conditions.CHAPTER,
    keys.BINS,
    times.CHAPTER,
    keys.KEYSETS,
    texts.CHAPTER,
    bounds.CHAPTER,
    rows.FATES,
    rows.PEOPLE,
    rows.LOOKUPS,
    rows.NUMBERS,
    bounds.BY_ROW,
    people.CHAPTER,
)
