"""Means: on how few people they rest, what their digits tell of that number, and whom a sum rests on."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction


def sizes(mean: Fraction, digits: int, among: range) -> tuple[int, ...]:
    """The numbers of people whose mean of whole numbers can be shown so, with so many digits behind the point.

    >>> sizes(Fraction("0.142857"), 6, range(1, 31))
    (7, 14, 21, 28)
    >>> [n for n in range(3, 31) if n not in sizes(Fraction("33.3"), 1, range(3, 31))]
    [5]
    """
    half = Fraction(1, 2 * 10**digits)
    return tuple(n for n in among if _whole_between((mean - half) * n, (mean + half) * n))


def _whole_between(low: Fraction, high: Fraction) -> bool:
    return -(-low // 1) <= high // 1


def dominated(total: Fraction, greatest: Sequence[Fraction], share: Fraction) -> bool:
    """The (n, k) rule: whether the n greatest contributions are at least this share of a sum of amounts.

    >>> dominated(Fraction(1000), [Fraction(500), Fraction(400)], Fraction("0.9"))
    True
    """
    return total > 0 and sum(greatest) >= share * total


def estimable(total: Fraction, first: Fraction, second: Fraction, p: Fraction) -> bool:
    """The p % rule: whether the second greatest contributor can tell the greatest one's amount to within p.

    >>> estimable(Fraction(950), Fraction(500), Fraction(400), Fraction("0.1"))
    False
    """
    return first > 0 and total - first - second < p * first
