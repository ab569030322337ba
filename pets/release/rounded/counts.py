"""Counts: what a rounded table says of one count in each group, and what of a table its other numbers are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from pets.common.codec import Json
from pets.common.integers import Ints
from pets.plan.plan import Plan
from pets.protection.rounding import Rounding


@dataclass(frozen=True)
class Counts:
    """One count in each group: sums of a grid's cells.

    Attributes:
        shown: the sum of what the cells show, with the middle of its interval for each hidden one.
        hidden: how many cells of the group are hidden.
        low, high: the ends of what a reader knows: the sums of the cells' own.
    """

    shown: Ints
    hidden: Ints
    low: Ints
    high: Ints

    PARTS: ClassVar[tuple[str, ...]] = ("shown", "hidden", "low", "high")

    def to_json(self) -> Json:
        """The canonical form."""
        return {name: getattr(self, name).tolist() for name in self.PARTS}

    @classmethod
    def from_json(cls, form: Json) -> Self:
        """The inverse of :meth:`to_json`; raises ``ValueError`` and its like for anything else."""
        if set(form) != {*cls.PARTS}:
            raise ValueError("another form")
        return cls(**{name: whole_numbers(part) for name, part in form.items()})

    def fits(self, rule: Rounding) -> bool:
        """Whether these may be sums of what a rule shows."""
        return bool((self.hidden >= 0).all() and (self.low >= 0).all() and (self.low <= self.high).all())

    def starred(self, rule: Rounding) -> Any:
        """Which groups show no number: only hidden cells of them have anybody."""
        return (self.hidden > 0) & (self.shown == self.hidden * rule.middle)


class Counted(Protocol):
    """A table of counts under a rule; attributes and methods as of :class:`SealedTable`."""

    plan: Plan
    rule: Rounding

    def counts(self) -> tuple[tuple[Counts, ...], ...]:
        """Of each output: its count, or a rate's numerator and denominator."""


def whole_numbers(given: Any) -> Ints:
    """A list of whole numbers as an array; raises ``ValueError`` for anything else."""
    if not isinstance(given, list) or not all(type(one) is int and abs(one) < 2**62 for one in given):
        raise ValueError("not whole numbers")
    return np.array(given, dtype=np.int64)
