"""Equal steps of the calendar as slots: weeks, days, hours, and the weekday and hour that come round again.

A week is named by the year that has most of its days: ISO's begins on Monday (2020-W53), the epidemiological one (MMWR,
of the CDC) on Sunday (2020-MMWR53). Around New Year the two differ, in number and in year.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pets.errors import QueryError
from pets.query_model.group_keys import DatePart, Period
from pets.schema.clock.time_of_day import Time
from pets.schema.dates import Calendar, Date

DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)


@dataclass(frozen=True)
class Cycle:
    """The slot of a code: ``(code + offset) // width % size``."""

    offset: int
    width: int
    size: int

    def slot(self, code: int) -> int:
        """The slot in which a code lies."""
        return (code + self.offset) // self.width % self.size


def iso_week(day: dt.date) -> str:
    """The ISO week of a day.

    >>> iso_week(dt.date(2021, 1, 3)), iso_week(dt.date(2024, 12, 30))
    ('2020-W53', '2025-W01')
    """
    year, week, _ = day.isocalendar()
    return f"{year:04d}-W{week:02d}"


def mmwr_week(day: dt.date) -> str:
    """The epidemiological week of a day: Sunday to Saturday, of the year in which its Wednesday lies.

    >>> mmwr_week(dt.date(2021, 1, 2)), mmwr_week(dt.date(2021, 1, 3))
    ('2020-MMWR53', '2021-MMWR01')
    """
    middle = day + (3 - day.isoweekday() % 7) * DAY
    return f"{middle.year:04d}-MMWR{(middle.timetuple().tm_yday - 1) // 7 + 1:02d}"


def _hour(time: dt.date) -> str:
    assert isinstance(time, dt.datetime)
    return f"{time.date().isoformat()} {time.hour:02d}:00"


_PERIODS: dict[str, Callable[[dt.date], str]] = {
    "week": iso_week,
    "mmwr_week": mmwr_week,
    "day": lambda time: dt.date(time.year, time.month, time.day).isoformat(),
    "hour": _hour,
}


def equal_steps(key: DatePart | Period, domain: Calendar) -> tuple[Cycle, Sequence[Any]] | None:
    """The slots of a key of equal steps and their labels; ``None`` for years, quarters and months, which are unequal.

    Raises :class:`QueryError` for hours of a column of days.
    """
    unit = key.part if isinstance(key, DatePart) else key.unit
    if unit in ("year", "quarter", "month"):
        return None
    if unit == "hour" and isinstance(domain, Date):
        raise QueryError(f"column {key.column!r} holds {domain.describe()}; its hours need a column of type datetime")
    day = DAY // domain.width
    midnight = (domain.lo - dt.datetime.combine(domain.first, dt.time())) // domain.width if day > 1 else 0
    if isinstance(key, DatePart):
        if unit == "weekday":
            return _part(domain, Cycle((domain.first.isoweekday() - 1) * day + midnight, day, 7), 1)
        return _part(domain, Cycle(midnight, HOUR // domain.width, 24), 0)
    before = {"week": domain.first.isoweekday() - 1, "mmwr_week": domain.first.isoweekday() % 7}.get(unit, 0)
    width = HOUR // domain.width if unit == "hour" else day * (7 if unit.endswith("week") else 1)
    offset = (before * day + midnight) % width
    cycle = Cycle(offset, width, (offset + domain.cells - 1) // width + 1)
    # named by a time that lies in it: the first week may begin before the calendar does
    times = (domain.lo + max(0, slot * width - offset) * domain.width for slot in range(cycle.size))
    return cycle, [_PERIODS[unit](time) for time in times] if cycle.size <= 2_000_000 else range(cycle.size)


def hours_of_day(domain: Time) -> tuple[Cycle, Sequence[Any]]:
    """The slots of the hours of a column of times of day, and their labels."""
    return Cycle(domain.lo // domain.width, HOUR // domain.width, 24), range(24)


def _part(domain: Calendar, cycle: Cycle, first: int) -> tuple[Cycle, Sequence[Any]]:
    """A part that comes round again; its labels are whole numbers from ``first`` on."""
    return cycle, [first + slot for slot in range(cycle.size)]
