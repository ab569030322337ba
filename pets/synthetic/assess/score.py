"""Score: one number about a synthetic table, between what is worthless and what is real."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pets.common.codec import Json

WARNING = (
    "For the custodian alone: this holds exact statistics of real rows, and no guarantee covers them. Passing it on is "
    "a "
    "release without a finite guarantee and belongs in the ledger as unbounded."
)

Group = Literal["fidelity", "utility", "detectability", "risk"]


@dataclass(frozen=True)
class Score:
    """One number, of the synthetic table and of the two tables that it stands between.

    Attributes:
        group, name: what it is about.
        meaning: one sentence for the page.
        value: of the synthetic table.
        floor: of a table whose columns were shuffled, each by itself: every column right, nothing between them.
        ceiling: of real rows that were kept out.
        better: whether more or less of it is better.
        low, high: a 95 % interval for ``value`` (NaN: none).
        flagged: what the custodian must look at (empty: nothing).
    """

    group: Group
    name: str
    meaning: str
    value: float
    floor: float
    ceiling: float
    better: Literal["more", "less"]
    low: float = float("nan")
    high: float = float("nan")
    flagged: str = ""

    @property
    def place(self) -> float:
        """Where the value lies: 0 at the floor, 1 at the ceiling; it may lie outside.

        NaN where the floor is no worse than the ceiling: shuffled columns keep each column by itself, so that there is
        nothing to stand between.
        """
        return self._place(self.value)

    @property
    def places(self) -> tuple[float, float]:
        """Where the interval lies on the same scale, the lower end first; NaN where there is none."""
        ends = (self._place(self.low), self._place(self.high))
        return ends if self.better == "more" else (ends[1], ends[0])

    def _place(self, value: float) -> float:
        span = self.ceiling - self.floor if self.better == "more" else self.floor - self.ceiling
        gain = value - self.floor if self.better == "more" else self.floor - value
        return gain / span if span > 0 else float("nan")

    @property
    def worthless(self) -> bool:
        """Whether it cannot be told to be better than shuffled columns."""
        return (self.place if self.low != self.low else self.places[0]) <= 0

    @property
    def worse(self) -> bool:
        """Whether it is far worse than shuffled columns and than real rows kept out, by more than its interval."""
        if self.better == "more":
            return self.value < min(self.floor, self.ceiling) - 0.05 and not self.high >= min(self.floor, self.ceiling)
        return self.value > 1.5 * max(self.floor, self.ceiling) and not self.low <= max(self.floor, self.ceiling)

    def to_json(self) -> Json:
        """Rounded to six digits; what is not known is null."""
        out: Json = {"group": self.group, "name": self.name, "meaning": self.meaning, "better": self.better}
        for label in ("value", "floor", "ceiling", "low", "high", "place"):
            number = getattr(self, label)
            out[label] = None if number != number else float(f"{number:.6g}")
        return out | {"flagged": self.flagged}
