"""Rounding: how a count of people is shown under a rule of disclosure control, and what a shown number leaves open.

Whole numbers in, whole numbers out, and no chance: the same count is always shown the same way. That is no differential
privacy; what it leaves open is the interval of :meth:`Rounding.interval`, for one number alone.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np

from pets.common.codec import Json, python_value, whole
from pets.common.integers import Ints
from pets.errors import BudgetError, shown
from pets.protection.threshold import Threshold

HIDDEN = -1
"""What stands for a count that is not shown."""

GREATEST = 1_000_000
Totals = Literal["exact", "parts"]


@dataclass(frozen=True)
class Rounding:
    """One rule, for counts of people.

    Attributes:
        threshold: counts from 1 to this are hidden (0: none is).
        base: a count that is shown is a multiple of this, the nearest (of two, the greater); 1: as it is.
        midpoint: shown is the middle of its step of ``base`` numbers instead: ⌈x/base⌉·base − ⌊base/2⌋, and 0 for 0.
        hide_zero: 0 is hidden with the small counts, so that a hidden number may be 0.
        totals: ``"exact"``: a total is rounded from the exact total, so that parts need not add up to it; ``"parts"``:
            a total is the sum of its parts as they are shown, and tells nothing that they do not.

    Raises:
        BudgetError: naming the setting; among them where 0 would be shown for a count that is not 0.

    >>> hes = Rounding(threshold=7, base=5)
    >>> hes.shown(np.array([0, 3, 7, 8, 12, 13])).tolist()
    [0, -1, -1, 10, 10, 15]
    >>> [ends.tolist() for ends in hes.interval(np.array([0, -1, 10, 15]))]
    [[0, 1, 8, 13], [0, 7, 12, 17]]
    """

    threshold: int
    base: int
    midpoint: bool = False
    hide_zero: bool = False
    totals: Totals = "exact"

    def __post_init__(self) -> None:
        for name, least in (("threshold", 0), ("base", 1)):
            value = getattr(self, name)
            try:
                number = whole(value)
            except ValueError:
                number = -1
            if not least <= number <= GREATEST:
                raise BudgetError(f"{name} must be a whole number from {least} to {GREATEST:,}, not {shown(value)}")
            object.__setattr__(self, name, number)
        for name in ("midpoint", "hide_zero"):
            object.__setattr__(self, name, python_value(getattr(self, name)))
            if not isinstance(getattr(self, name), bool):
                raise BudgetError(f"{name} must be True or False, not {shown(getattr(self, name))}")
        if self.totals not in ("exact", "parts"):
            raise BudgetError(f"totals must be 'exact' or 'parts', not {shown(self.totals)}")
        if self.hide_zero and not self.threshold:
            raise BudgetError("hide_zero=True hides zeros among small counts; give a threshold of at least 1 with it")
        if self.midpoint and self.threshold:
            raise BudgetError("midpoint=True shows every count that is not 0; leave threshold out")
        least = self.base - 1 - self.base // 2
        if not self.midpoint and self.threshold < least:
            raise BudgetError(
                f"threshold={self.threshold} with base={self.base} would show 0 for counts that are not 0; use a "
                f"threshold of at least {least}"
            )

    @property
    def small(self) -> Threshold:
        """Which counts are hidden."""
        return Threshold(self.threshold + 1, zero=self.hide_zero)

    @property
    def hidden(self) -> tuple[int, int]:
        """The least and the greatest count that is hidden; (0, -1) where none is."""
        return self.small.interval if self.threshold else (0, -1)

    @property
    def middle(self) -> int:
        """What stands for a hidden count where it is added to others: the middle of its interval, the lower of two."""
        return sum(self.hidden) // 2 if self.threshold else 0

    def shown(self, counts: Ints) -> Ints:
        """Each count as it is shown; :data:`HIDDEN` where it is not."""
        if self.midpoint:
            rounded = -(-counts // self.base) * self.base - np.where(counts > 0, self.base // 2, 0)
        else:
            rounded = (counts + self.base // 2) // self.base * self.base
        return np.where(self.small.few(counts), HIDDEN, rounded).astype(np.int64)

    def interval(self, shown: Ints) -> tuple[Ints, Ints]:
        """The least and the greatest count that is shown so: what a reader of this one number knows."""
        if self.midpoint:
            low, high = shown + self.base // 2 - self.base + 1, shown + self.base // 2
        else:
            low, high = shown - self.base // 2, shown - self.base // 2 + self.base - 1
        low, high = np.maximum(low, self.threshold + 1), np.maximum(high, self.threshold + 1)
        zero, hidden = shown == 0, shown == HIDDEN
        low = np.where(hidden, self.hidden[0], np.where(zero, 0, low))
        high = np.where(hidden, self.hidden[1], np.where(zero, 0, high))
        return low.astype(np.int64), high.astype(np.int64)

    def fits(self, shown: Ints) -> bool:
        """Whether each is a number that this rule can show."""
        low, _ = self.interval(shown)
        return bool((shown >= HIDDEN).all()) and bool((self.shown(low) == shown).all())

    def to_json(self) -> Json:
        """The canonical form, with every setting."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_json(cls, form: Any) -> Rounding:
        """The inverse of :meth:`to_json`; raises :class:`BudgetError` for anything else."""
        if not isinstance(form, dict) or set(form) != {field.name for field in fields(cls)}:
            raise BudgetError(f"{shown(form)} is not a rule of rounding as pets writes it")
        return cls(**form)

    def __str__(self) -> str:
        """The rule in words."""
        least, most = self.hidden
        hidden = f"{least} to {most} hidden, " if self.threshold else ""
        if self.base == 1:
            return f"{hidden}others as they are"
        if self.midpoint:
            return f"{hidden}shown as the middle of their step of {self.base}"
        return f"{hidden}others to the nearest {self.base}"
