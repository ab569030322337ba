"""What a cell shows against the rule by itself: small counts, zeros, numbers that are not rounded, means and sums."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import lcm

import numpy as np

from pets.common.integers import Ints
from pets.errors import QueryError
from pets.protection.rounding import Rounding
from pets.sdc.dominance import Contributions, counts_of_mean, nk_fails, p_fails
from pets.sdc.tables.bounds import MOST, Bounded
from pets.sdc.tables.cell_text import Kind, Shown
from pets.sdc.tables.findings import Finding, Verdict
from pets.sdc.tables.sheet import Entry, Mean, Parts

GREATEST_SIZE = 60
"""Numbers of people up to this are tried where a mean's digits are weighed."""


@dataclass(frozen=True)
class Limits:
    """What a table is checked by.

    Attributes:
        rule: how counts are shown.
        width: how many whole numbers beside the true one a small count must leave open.
        nk: a sum fails where its first number of contributors are at least this share of it.
        p: a sum fails where the second contributor can tell the first one's amount to within this share.
    """

    rule: Rounding
    width: int
    nk: tuple[int, Fraction] = (2, Fraction(9, 10))
    p: Fraction = Fraction(1, 10)

    @property
    def small(self) -> int:
        """The greatest count that is small."""
        return self.rule.base if self.rule.midpoint else self.rule.threshold


def said(sheet: Bounded, entry: Entry, limits: Limits) -> Finding | None:
    """What is wrong with a cell, whatever else is published; ``None`` where nothing is."""
    count, rule = entry.shown.count, limits.rule
    if entry.shown.kind is not Kind.NUMBER:
        return None
    if count is None:
        return _finding(sheet, entry, Verdict.REVIEW, "unrounded", f"{entry.shown.text} is no whole number")
    if 0 < count <= limits.small and not sheet.rounded:
        return _finding(sheet, entry, Verdict.FAIL, "small", f"cell {entry.name} shows {count}", count, count)
    if count == 0 and rule.hide_zero and not sheet.rounded:
        return _finding(sheet, entry, Verdict.FAIL, "zero", f"cell {entry.name} shows 0", 0, 0)
    if rule.base > 1 and not sheet.rounded and not rule.fits(_array(count)):
        return _finding(
            sheet, entry, Verdict.FAIL, "unrounded", f"{count} is no number that the rule shows", count, count
        )
    return None


def large(sheet: Bounded, entry: Entry, limits: Limits) -> Finding | None:
    """That a cell is no small count, where it says so itself."""
    low, high = sheet.ends[entry.labels]
    if entry.shown.kind is Kind.NUMBER and low > limits.small:
        return _finding(sheet, entry, Verdict.PASS, "large", "", low, high)
    if entry.shown.kind is Kind.NUMBER and high == 0:
        return _finding(sheet, entry, Verdict.PASS, "large", "shown as 0", 0, 0)
    return None


def of_means(sheet: Bounded, limits: Limits) -> Iterator[Finding]:
    """What is said of the means of a sheet."""
    for one in sheet.sheet.means:
        yield _of_mean(sheet, one, limits)
    for parts in sheet.sheet.sums:
        yield from _of_sum(sheet, parts, limits)


def _of_mean(sheet: Bounded, one: Mean, limits: Limits) -> Finding:
    verdict, reason, told = Verdict.PASS, "large", ""
    low, high = _sizes(one.size, limits, rounded=sheet.rounded)
    assert one.entry.shown.number is not None
    if one.size is None:
        verdict, reason, told = Verdict.REVIEW, "size", f"no column says on how many people {one.name} rests"
    elif low <= limits.small:
        verdict, reason = Verdict.FAIL, "few"
        told = f"{one.name} of {one.entry.name} rests on {_between(low, high)} people"
    if one.size is None or low < high:
        tried = range(max(low, 1), min(high, GREATEST_SIZE) + 1)
        digits = one.entry.shown.digits
        shown = Decimal(int(one.entry.shown.number * 10**digits)).scaleb(-digits)
        found = [n for n in counts_of_mean(str(shown), tried[-1]) if n in tried]
        left = len(found) + (high > GREATEST_SIZE and one.size is not None)
        few = 0 < left <= limits.width and left < len(tried)
        if few or (one.size is None and found and len(found) * 2 < len(tried)):
            verdict, reason = (Verdict.REVIEW if one.size is None else Verdict.FAIL), "digits"
            listed = ", ".join(map(str, found[:6])) + (" …" if len(found) > 6 else "")
            told = f"if values are whole, {one.entry.shown.text} is a mean of {listed} people and of no other number"
            told += f" up to {tried[-1]}"
    return _finding(sheet, one.entry, verdict, reason, told, measure=one.name)


def _of_sum(sheet: Bounded, one: Parts, limits: Limits) -> Iterator[Finding]:
    """One finding for each rule that a sum breaks, or that it breaks none."""
    total, first, second = one.entry.shown.number, one.largest.number, one.second.number
    low, high = _sizes(one.size, limits, rounded=sheet.rounded)
    name = f"{one.name} of {one.entry.name}"
    broken: list[tuple[Verdict, str, str]] = []
    if total is None or first is None or second is None:
        broken.append((Verdict.REVIEW, "size", f"a contribution to {name} is not given"))
    else:
        n, share = limits.nk
        if one.size is not None and low <= limits.small:
            broken.append((Verdict.FAIL, "few", f"{name} rests on {_between(low, high)} people"))
        given = _contributions(total, first, second)
        if given is None:
            broken.append((Verdict.REVIEW, "size", f"the contributions to {name} are not the greatest of it, in order"))
        elif nk_fails(given, n, share)[0]:
            broken.append((Verdict.FAIL, "dominance", f"{n} contributors are at least {float(share):.0%} of {name}"))
        if given is not None and p_fails(given, limits.p)[0]:
            told = (
                f"the second contributor to {name} can tell the greatest one's amount to within {float(limits.p):.0%}"
            )
            broken.append((Verdict.FAIL, "p_percent", told))
    for verdict, reason, told in broken or [(Verdict.PASS, "large", "")]:
        yield _finding(sheet, one.entry, verdict, reason, told, measure=one.name)


def _contributions(total: Fraction, first: Fraction, second: Fraction) -> Contributions | None:
    """A sum and its two greatest contributions in whole steps; ``None`` where they are none such."""
    step = lcm(total.denominator, first.denominator, second.denominator)
    whole = [int(one * step) for one in (total, first, second)]
    if whole[0] < whole[1] + whole[2] or max(whole) >= 2**62:
        return None
    totals, greatest = np.array(whole[:1], dtype=np.int64), np.array([whole[1:]], dtype=np.int64)
    try:
        return Contributions(totals, greatest, np.array([2], dtype=np.int64))
    except QueryError:
        return None


def _sizes(size: Shown | None, limits: Limits, *, rounded: bool) -> tuple[int, int]:
    """The least and the greatest number of people that a cell with a size leaves open."""
    if size is None:
        return 1, GREATEST_SIZE
    if size.count is not None:
        if not rounded:
            return size.count, size.count
        low, high = limits.rule.interval(_array(size.count))
        return int(low[0]), int(high[0])
    if size.kind is Kind.HIDDEN:
        least, most = limits.rule.hidden if limits.rule.threshold else (0, MOST)
        return (least if size.low is None else size.low), (most if size.high is None else size.high)
    return 0, MOST


def _array(count: int) -> Ints:
    return np.array([count], dtype=np.int64)


def _between(low: int, high: int) -> str:
    return str(low) if low == high else f"{low} to {high}"


def _finding(
    sheet: Bounded,
    entry: Entry,
    verdict: Verdict,
    reason: str,
    derivation: str,
    low: int | None = None,
    high: int | None = None,
    *,
    measure: str | None = None,
) -> Finding:
    return Finding(
        sheet.sheet.name,
        entry.name,
        sheet.sheet.measure if measure is None else measure,
        entry.shown.text,
        verdict,
        reason,
        derivation,
        low,
        high,
        entry.row,
        entry.column,
    )
