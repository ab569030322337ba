"""Dominance: whether a few people make up nearly all of a sum; exactly, and as a mask of what must not be told.

The rules are the (n, k) rule and the p % rule as ACRO and the handbook on statistical disclosure control have them. A
public bound on what one person can contribute is tried first: it looks at no row, and what it passes is safe.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from pets.common.integers import Ints
from pets.errors import QueryError

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Contributions:
    """What people contribute to each sum, each person's rows added first.

    Attributes:
        totals: the sums.
        greatest: a row a sum: its greatest contributions, greatest first; 0 where there are fewer people.
        people: how many contribute to each.

    Raises:
        QueryError: a contribution is below 0, or they are not in order: the rules are not defined there.
    """

    totals: Ints
    greatest: Ints
    people: Ints

    def __post_init__(self) -> None:
        if self.greatest.ndim != 2 or not len(self.totals) == len(self.greatest) == len(self.people):
            raise QueryError("give each sum a total, a row of its greatest contributions, and a number of people")
        if self.greatest.size and (self.greatest.min() < 0 or (np.diff(self.greatest, axis=1) > 0).any()):
            raise QueryError(
                "rules of dominance are for contributions of 0 or more, greatest first; take each from the least "
                "possible value, or without its sign"
            )


@dataclass(frozen=True)
class Dominance:
    """The two rules; ``None``: one is not applied.

    Attributes:
        nk: (n, k): a sum is sensitive where its ``n`` greatest contributions are at least the share ``k`` of it.
        p: a sum is sensitive where what is left of it without the two greatest is less than the share ``p`` of the
            greatest: the second could tell the first by less than that.

    Raises:
        QueryError: a share is not above 0, or ``k`` is above 1.
    """

    nk: tuple[int, Fraction] | None = (2, Fraction(9, 10))
    p: Fraction | None = Fraction(1, 10)

    def __post_init__(self) -> None:
        if self.nk is not None:
            n, k = int(self.nk[0]), share(self.nk[1])
            if n < 1 or not 0 < k <= 1:
                raise QueryError("nk is how many contributions, at least 1, and a share above 0 and up to 1: (2, 0.9)")
            object.__setattr__(self, "nk", (n, k))
        if self.p is not None:
            object.__setattr__(self, "p", share(self.p))
            if self.p <= 0:
                raise QueryError("p is a share above 0; for 10 % use 0.1")

    @property
    def needed(self) -> int:
        """How many of the greatest contributions the rules read."""
        return max(self.nk[0] if self.nk is not None else 1, 2)

    def sensitive(self, given: Contributions) -> Flags:
        """Where a sum must not be told: by a rule, or because one person alone makes it up."""
        out: Flags = np.asarray(given.people == 1, dtype=np.bool_)
        if self.nk is not None:
            out |= nk_fails(given, *self.nk)
        if self.p is not None:
            out |= p_fails(given, self.p)
        return out

    def surely_safe(self, totals: Ints, most: int) -> Flags:
        """Where no rule can fail whoever contributed, as nobody contributes more than the public ``most``.

        Of X in all, what is left without the two greatest is at least X − 2·most, and p of the greatest at most
        p·most; the n greatest are at most n·most.
        """
        x = totals.astype(object)
        out = np.ones(len(totals), dtype=np.bool_)
        if self.p is not None:
            out &= (x * self.p.denominator >= (2 * self.p.denominator + self.p.numerator) * int(most)).astype(np.bool_)
        if self.nk is not None:
            n, k = self.nk
            out &= (x * k.numerator > n * int(most) * k.denominator).astype(np.bool_)
        return np.asarray(out & (totals > int(most)), dtype=np.bool_)


def nk_fails(given: Contributions, n: int, k: Fraction) -> Flags:
    """Where the ``n`` greatest are at least the share ``k`` of a sum above 0; at equality it fails, as in ACRO."""
    if given.greatest.shape[1] < n:
        raise QueryError(f"the ({n}, k) rule reads the {n} greatest contributions; give as many of each sum")
    top = given.greatest[:, :n].astype(object).sum(axis=1)
    totals = given.totals.astype(object)
    return np.asarray((top * k.denominator >= totals * k.numerator) & (totals > 0), dtype=np.bool_)


def p_fails(given: Contributions, p: Fraction) -> Flags:
    """Where what is left without the two greatest is less than the share ``p`` of the greatest."""
    if given.greatest.shape[1] < 2:
        raise QueryError("the p % rule reads the two greatest contributions; give as many of each sum")
    first, second = given.greatest[:, 0].astype(object), given.greatest[:, 1].astype(object)
    left = given.totals.astype(object) - first - second
    return np.asarray((left * p.denominator < first * p.numerator) & (first > 0), dtype=np.bool_)


def share(value: Fraction | float | str) -> Fraction:
    """A share exactly as it is written: 0.1 is a tenth."""
    try:
        return value if isinstance(value, Fraction) else Fraction(str(value))
    except (ValueError, ZeroDivisionError):
        raise QueryError(f"{value!r} is no share; give a number such as 0.1") from None


def counts_of_mean(shown: str, most: int) -> list[int]:
    """How many people, up to ``most``, can have this mean of whole numbers, as it was rounded: its digits tell.

    >>> counts_of_mean("0.142857", 30)
    [7, 14, 21, 28]
    """
    try:
        number = Decimal(shown)
        digits = -int(number.as_tuple().exponent)
        value = Fraction(number)
    except (InvalidOperation, ValueError, OverflowError):
        raise QueryError(f"{shown!r} is no mean as it was shown; give its digits, such as '33.3'") from None
    half = Fraction(1, 2) / Fraction(10) ** digits
    return [n for n in range(1, most + 1) if -((-(value - half) * n) // 1) <= ((value + half) * n) // 1]
