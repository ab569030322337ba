"""Columns of times of day: equal steps of the clock between two public ends, without a date."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from pets.common.arguments import plain_fields
from pets.common.codec import Json
from pets.common.literals import clock, clock_text
from pets.errors import QueryError, SchemaError, did_you_mean, shown
from pets.schema.dates import STEPS
from pets.schema.domain import Domain, ordered

DAY = dt.timedelta(days=1)
SECOND = dt.timedelta(seconds=1)
WRITTEN = (
    "(?:(?:([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9])(?:[.][0-9]*)?)?)|24:00(?::00(?:[.]0*)?)?)"
    "(?: *(?:[Zz]|[+-][0-9]{2}(?::?[0-9]{2}(?::?[0-9]{2})?)?))?"
)
"""The regular expression of a time of day in the data: its hours, minutes and seconds, all empty for 24:00 (midnight).

What an offset from UTC would move is not moved: a time of day is what the clock showed.
"""

DIGITS = {"hhmm": 4, "hhmmss": 6}
"""Formats without a mark, and how many digits they have; noughts in front may be missing, as numbers lose them."""


def seconds_of(text: str, format_: str | None = None) -> int | None:
    """The whole seconds from midnight to a time that the data hold; ``None`` for what is none.

    >>> seconds_of("8:30"), seconds_of("24:00"), seconds_of("08:30:15.9+02"), seconds_of("830", "hhmm"), seconds_of("x")
    (30600, 0, 30615, 30600, None)
    """
    bare = text.strip(" ")
    found = re.fullmatch(WRITTEN, bare)
    if found is not None:
        hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return 3600 * hours + 60 * minutes + seconds
    digits = 0 if format_ is None else DIGITS[format_]
    if not digits or not re.fullmatch(f"[0-9]{{1,{digits}}}", bare):
        return None
    filled = bare.zfill(digits)
    return seconds_of(":".join(filled[at : at + 2] for at in range(0, digits, 2)))


@plain_fields(SchemaError)
@dataclass(frozen=True)
class Time(Domain):
    """Times of day from ``lo`` to ``hi`` in whole seconds, minutes or hours; those outside become null.

    A time within a step is floored to it. ``hi`` is the last step, itself included (left out: the last of the day), so
    that with ``step="minute"`` 23:59 takes in 23:59:59. ``format`` is ``hhmm`` or ``hhmmss`` where the file writes no
    colon. An offset behind a time is not applied: a time of day is what the clock showed.

    >>> Time().cells, Time("08:00", "17:30", "second").cells
    (1440, 34201)
    """

    lo: dt.timedelta = dt.timedelta()
    hi: dt.timedelta = dt.timedelta()
    step: str = "minute"
    format: str | None = None
    kind: ClassVar[str] = "time"

    def __init__(
        self,
        lo: object = "00:00",
        hi: object = None,
        step: str = "minute",
        *,
        format: str | None = None,
        nullable: bool = True,
        null: Sequence[str] = (),
    ) -> None:
        if not isinstance(step, str) or step not in STEPS:
            raise SchemaError(f"step must be second, minute or hour, not {shown(step)}")
        object.__setattr__(self, "step", step)
        last = DAY - self.width
        for name, label, value in (("lo", "min", lo), ("hi", "max", last if hi is None else hi)):
            try:
                found = clock(value)
            except ValueError:
                found = DAY
            if found >= DAY:
                raise SchemaError(f"{label} must be a time of day from 00:00 to {clock_text(last)}, not {shown(value)}")
            if found % self.width:
                raise SchemaError(f"{label} must be a whole {step}, not {shown(value)}; name one, or use a finer step")
            object.__setattr__(self, name, found)
        if format is not None and (not isinstance(format, str) or format not in DIGITS):
            raise SchemaError(
                f"the format of times of day is hhmm or hhmmss, not {shown(format)}{did_you_mean(format, DIGITS)}; "
                "times with colons, such as 08:30, are read without one"
            )
        object.__setattr__(self, "format", format)
        object.__setattr__(self, "nullable", nullable)
        object.__setattr__(self, "null", null)
        super().__post_init__()
        ordered(clock_text(self.lo), clock_text(self.hi), 1)

    @property
    def width(self) -> dt.timedelta:
        """How long a step is."""
        return STEPS[self.step]

    @property
    def cells(self) -> int:
        return (self.hi - self.lo) // self.width + 1

    def position(self, value: object) -> Fraction:
        """Where a time of day lies on the scale of codes, inside the domain or not."""
        try:
            away = clock(value) - self.lo
        except ValueError:
            raise QueryError(f"{shown(value)} is not a time of day such as 08:30") from None
        unit = dt.timedelta(microseconds=1)
        return Fraction(away // unit, self.width // unit)

    def encode(self, value: object) -> int:
        place = self.position(value)
        if place.denominator != 1 or not 0 <= place < self.cells:
            raise QueryError(f"{shown(value)} is not one of its values ({self.describe()})")
        return int(place)

    def written(self, gone: dt.timedelta) -> str:
        """A time as the column's values are written: with seconds where its steps are seconds."""
        return clock_text(gone, seconds=self.step == "second")

    def _value(self, code: int) -> str:
        return self.written(self.lo + code * self.width)

    def to_json(self) -> Json:
        ends = {"min": self.written(self.lo), "max": self.written(self.hi), "step": self.step}
        return super().to_json() | ends | ({} if self.format is None else {"format": self.format})

    def describe(self) -> str:
        return f"{self.step}s of the day from {self.written(self.lo)} to {self.written(self.hi)}"
