"""The chapters of the manual, in order."""

from __future__ import annotations

from tests.spec.book import Chapter
from tests.spec.chapters import (
    bounds,
    computed,
    conditions,
    counting,
    keys,
    moments,
    numbers,
    people,
    rounded,
    rows,
    survival,
    texts,
    times,
)

CHAPTERS: tuple[Chapter, ...] = (
    counting.CHAPTER,
    numbers.SUMS,
    numbers.MEANS,
    numbers.VARIANCES,
    moments.CHAPTER,
    survival.CHAPTER,
    numbers.HISTOGRAMS,
    numbers.QUANTILES,
    conditions.CHAPTER,
    computed.CHAPTER,
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

ROUNDED: tuple[Chapter, ...] = (rounded.CHAPTER,)
"""Answers that are not exact, and not of every engine: what a rule of disclosure control shows of them."""
