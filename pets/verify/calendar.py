"""Equal steps of the calendar, for the checker's planner: weeks, days and hours, and what comes round again."""

import datetime as dt
from typing import Any

MANY = 2_000_000


def steps(first: dt.datetime, step: dt.timedelta, cells: int, unit: str, named: bool) -> tuple[list[int], list[Any]]:
    """Equal steps of the calendar: offset, width and size of ``(code + offset) // width % size``, and their names."""
    hour, day = dt.timedelta(hours=1), dt.timedelta(days=1)
    since = first - dt.datetime.combine(first.date(), dt.time())
    before = {"weekday": first.weekday(), "week": first.weekday(), "mmwr_week": (first.weekday() + 1) % 7}
    length = {"hour": hour, "week": 7 * day, "mmwr_week": 7 * day}.get(unit, day)
    since = since % hour if unit == "hour" and named else since + before.get(unit, 0) * day
    offset, width = since // step, length // step
    if not named:
        return [offset, width, 24 if unit == "hour" else 7], list(range(24)) if unit == "hour" else list(range(1, 8))
    count = (offset + cells - 1) // width + 1
    if count > MANY:
        return [offset, width, count], []
    return [offset, width, count], [called(first + max(0, n * width - offset) * step, unit) for n in range(count)]


def called(time: dt.datetime, unit: str) -> str:
    """The name of the period in which a time lies; a week is of the year in which most of its days are."""
    if unit == "week":
        return "{:04d}-W{:02d}".format(*time.isocalendar()[:2])
    if unit == "mmwr_week":
        middle = time + dt.timedelta(days=3 - (time.weekday() + 1) % 7)
        return f"{middle.year:04d}-MMWR{(middle.timetuple().tm_yday + 6) // 7:02d}"
    return time.isoformat(" ")[:10] + (f" {time.hour:02d}:00" if unit == "hour" else "")


def spans(first: Any, last: Any, step: dt.timedelta, months: int, named: bool) -> list[tuple[int, Any]]:
    """The first code of each calendar period of so many months, and the period's name, or its number in the year."""
    out: list[tuple[int, Any]] = []
    day = first.date()
    while day <= last.date():
        part = day.year if months == 12 else (day.month - 1) // months + 1
        name = f"{day.year:04d}" + {12: "", 3: f"-Q{part}", 1: f"-{part:02d}"}[months]
        out.append((max(0, (dt.datetime.combine(day, dt.time()) - first) // step), name if named else part))
        year, month = divmod(day.year * 12 + (day.month - 1) // months * months + months, 12)
        if year > dt.MAXYEAR:
            break
        day = dt.date(year, month + 1, 1)
    return out
