"""Columns of days and of date-times: equal steps of the calendar between two public ends.

Both have one rule for what the data hold: a time is floored to the step that it lies in, and what then lies outside the
ends becomes null (it is not clamped).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import ClassVar

from pets.common.arguments import plain_fields
from pets.common.codec import Json
from pets.common.literals import day, moment
from pets.errors import QueryError, SchemaError, shown
from pets.schema.domain import Domain, ordered
from pets.schema.reading import ISO_TEXT, TimeText

STEPS = {"second": dt.timedelta(seconds=1), "minute": dt.timedelta(minutes=1), "hour": dt.timedelta(hours=1)}
"""The steps of a column of date-times."""


def one_century(reading: TimeText, low: dt.date, high: dt.date) -> None:
    """Refuse years of two digits where the range does not say which century they mean."""
    if reading.short_years and (high.year, high.month, high.day) >= (low.year + 100, low.month, low.day):
        raise SchemaError(
            f"the format has years of two digits, and {low} to {high} is more than a century, so that a year could be "
            "two; narrow min and max to at most 100 years"
        )


@dataclass(frozen=True)
class Calendar(Domain):
    """Steps of the calendar from ``lo`` to ``hi``, both included; what lies outside becomes null."""

    lo: dt.date = dt.date(1970, 1, 1)
    hi: dt.date = dt.date(1970, 1, 1)
    reading: TimeText = field(default=ISO_TEXT, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        ordered(self.lo, self.hi, 1)
        one_century(self.reading, self.lo, self.hi)

    @property
    def width(self) -> dt.timedelta:
        """How long a step is."""
        raise NotImplementedError

    @property
    def first(self) -> dt.date:
        """The day of ``lo``."""
        return dt.date(self.lo.year, self.lo.month, self.lo.day)

    @property
    def last(self) -> dt.date:
        """The day of ``hi``."""
        return dt.date(self.hi.year, self.hi.month, self.hi.day)

    def start(self, value: dt.date) -> int:
        """The code with which a day of the range begins."""
        raise NotImplementedError

    @property
    def cells(self) -> int:
        return (self.hi - self.lo) // self.width + 1

    def position(self, value: object) -> Fraction:
        """Where a day or a date-time lies on the scale of codes, inside the domain or not."""
        raise NotImplementedError

    def encode(self, value: object) -> int:
        place = self.position(value)
        if place.denominator != 1 or not 0 <= place < self.cells:
            raise QueryError(f"{shown(value)} is not one of its values ({self.describe()})")
        return int(place)

    def _value(self, code: int) -> dt.date:
        return self.lo + code * self.width


@plain_fields(SchemaError)
@dataclass(frozen=True)
class Date(Calendar):
    """Calendar days from ``lo`` to ``hi``, both included; days outside become null (they are not clamped).

    ``format`` says how the file writes them where that is not ISO, and ``tz`` in which zone's days the instants of a
    file (times with an offset) are counted: UTC unless it says otherwise.

    >>> Date("2019-04-01", "2019-04-30", format="dd/mm/yyyy").cells
    30
    """

    kind: ClassVar[str] = "date"

    def __init__(
        self,
        lo: object,
        hi: object,
        *,
        format: str | Sequence[str] | None = None,
        tz: str | None = None,
        nullable: bool = True,
        null: Sequence[str] = (),
    ) -> None:
        object.__setattr__(self, "reading", TimeText.of(format, tz))
        for name, label, value in (("lo", "min", lo), ("hi", "max", hi)):
            try:
                object.__setattr__(self, name, day(value))
            except ValueError:
                raise SchemaError(f"{label} must be a date such as 2019-04-01, not {shown(value)}") from None
        object.__setattr__(self, "nullable", nullable)
        object.__setattr__(self, "null", null)
        super().__post_init__()

    @property
    def width(self) -> dt.timedelta:
        return dt.timedelta(days=1)

    def start(self, value: dt.date) -> int:
        return (value - self.lo).days

    def position(self, value: object) -> Fraction:
        try:
            return Fraction((day(value) - self.lo).days)
        except ValueError:
            pass
        if isinstance(value, dt.datetime) and value == value:  # (NaT is unequal to itself)
            raise QueryError(
                f"{shown(value)} is a moment, not a whole day, and the column holds days; compare with a date, such as "
                f"{value.year:04d}-{value.month:02d}-{value.day:02d}"
            )
        raise QueryError(f"{shown(value)} is not a date such as 2019-04-01")

    def to_json(self) -> Json:
        return super().to_json() | {"min": self.lo.isoformat(), "max": self.hi.isoformat()} | self.reading.to_json()

    def describe(self) -> str:
        return f"days {self.lo} to {self.hi}"


@plain_fields(SchemaError)
@dataclass(frozen=True)
class DateTime(Calendar):
    """Date-times from ``lo`` to ``hi`` in whole seconds, minutes or hours; those outside become null.

    A time within a step is floored to it, and a day without a time is its midnight. ``hi`` is the last step, itself
    included: with ``step="minute"``, 23:59 takes in 23:59:59. ``format`` and ``tz`` are as those of :class:`Date`.

    >>> DateTime("2019-04-01 00:00", "2019-04-01 23:59").cells
    1440
    """

    lo: dt.datetime = dt.datetime(1970, 1, 1)
    hi: dt.datetime = dt.datetime(1970, 1, 1)
    step: str = "minute"
    kind: ClassVar[str] = "datetime"

    def __init__(
        self,
        lo: object,
        hi: object,
        step: str = "minute",
        *,
        format: str | Sequence[str] | None = None,
        tz: str | None = None,
        nullable: bool = True,
        null: Sequence[str] = (),
    ) -> None:
        object.__setattr__(self, "reading", TimeText.of(format, tz))
        if not isinstance(step, str) or step not in STEPS:
            raise SchemaError(f"step must be second, minute or hour, not {shown(step)}; for whole days use type date")
        object.__setattr__(self, "step", step)
        for name, label, value in (("lo", "min", lo), ("hi", "max", hi)):
            try:
                found = moment(value)
            except ValueError:
                raise SchemaError(
                    f"{label} must be a date and a time without a zone, such as 2019-04-01 00:00, not {shown(value)}"
                ) from None
            if (found - dt.datetime.min) % self.width:
                raise SchemaError(f"{label} must be a whole {step}, not {shown(value)}; name one, or use a finer step")
            object.__setattr__(self, name, found)
        if _no_time(hi):  # the last day would be lost but for its first step
            whole_day = self.hi + (dt.timedelta(days=1) - self.width)
            raise SchemaError(f"max must have a time, such as {whole_day} for the whole of its day")
        object.__setattr__(self, "nullable", nullable)
        object.__setattr__(self, "null", null)
        super().__post_init__()

    @property
    def width(self) -> dt.timedelta:
        return STEPS[self.step]

    def start(self, value: dt.date) -> int:
        return max(0, (dt.datetime(value.year, value.month, value.day) - self.lo) // self.width)

    def position(self, value: object) -> Fraction:
        try:
            away = moment(value) - self.lo
        except ValueError:
            raise QueryError(
                f"{shown(value)} is not a date and time without a zone, such as 2019-04-01 10:30"
            ) from None
        unit = dt.timedelta(microseconds=1)
        return Fraction(away // unit, self.width // unit)

    def to_json(self) -> Json:
        ends = {"min": self.lo.isoformat(" "), "max": self.hi.isoformat(" "), "step": self.step}
        return super().to_json() | ends | self.reading.to_json()

    def describe(self) -> str:
        return f"{self.step}s {self.lo} to {self.hi}"


def _no_time(value: object) -> bool:
    if isinstance(value, str):
        return len(value.strip()) <= len("2019-04-01")
    return not isinstance(value, dt.datetime) and isinstance(value, dt.date)
