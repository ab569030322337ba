"""Public constants: what a question or a key set may compare with, in canonical Python types."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from pets.common.codec import REPAIR, encodable, fraction, number, python_value
from pets.errors import QueryError, UserError, shown

Literal_ = str | int | bool | Fraction | dt.date

_DAY = dt.timedelta(days=1)
_CLOCK = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])(?::([0-5][0-9])(?:[.]([0-9]{1,6}))?)?")


def text(value: str, error: type[UserError] = QueryError) -> str:
    """A text as Python's own ``str``; refused where half a character (a lone surrogate) is in it."""
    if not encodable(value):
        raise error(f"{shown(value)} holds half a character (a lone surrogate); {REPAIR}")
    return str.__str__(value)


def name(what: str, value: object, error: type[UserError] = QueryError) -> str:
    """The name of a column, a table or an answer: printable text of 1 to 128 characters, on one line."""
    if not isinstance(value, str) or not value.strip() or len(value) > 128 or not value.isprintable():
        raise error(f"{what} must be a printable text of 1 to 128 characters, not {shown(value)}")
    return str.__str__(value)


def printable(what: str, value: object) -> str:
    """:func:`name` of who or what is told of in the account: a project, an analyst, a key."""
    return name(what, value, UserError)


def day(value: object) -> dt.date:
    """A calendar day from a date, a date-time at midnight or ISO text; raises ``ValueError`` for anything else."""
    value = python_value(value)
    if isinstance(value, dt.datetime):
        # pandas' NaT is a date-time that does not equal itself; its time stamps also count nanoseconds
        if value != value or value.tzinfo is not None or value.time() != dt.time():
            raise ValueError("not a whole day")
        if getattr(value, "nanosecond", None):
            raise ValueError("not a whole day")
        return dt.date(value.year, value.month, value.day)
    if isinstance(value, dt.date):
        return dt.date(value.year, value.month, value.day)
    if isinstance(value, str):
        return dt.date.fromisoformat(value.strip())
    raise ValueError("not a date")


def moment(value: object) -> dt.datetime:
    """A date-time without a zone, from one, a date (its midnight) or ISO text; raises ``ValueError`` for all else."""
    value = python_value(value)
    if isinstance(value, str):
        value = dt.datetime.fromisoformat(value.strip())
    if isinstance(value, dt.datetime):
        # (pandas' time stamps count nanoseconds too, and its NaT does not equal itself)
        if value != value or value.tzinfo is not None or getattr(value, "nanosecond", None):
            raise ValueError("not a date-time")
        return dt.datetime.combine(dt.date(value.year, value.month, value.day), value.time())
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day)
    raise ValueError("not a date-time")


def clock(value: object) -> dt.timedelta:
    """A time of day, as what has gone since midnight, from a time without a zone or a text such as 08:30 or 08:30:15.

    24:00 is the end of the day. Raises ``ValueError`` for anything else.

    >>> clock("08:30"), clock("24:00") - clock("23:59")
    (datetime.timedelta(seconds=30600), datetime.timedelta(seconds=60))
    """
    value = python_value(value)
    if isinstance(value, dt.time) and value.tzinfo is None:
        return dt.timedelta(
            hours=value.hour, minutes=value.minute, seconds=value.second, microseconds=value.microsecond
        )
    if type(value) is dt.timedelta and dt.timedelta() <= value <= _DAY:
        return value
    found = _CLOCK.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is not None:
        hours, minutes, seconds = (int(part or 0) for part in found.groups()[:3])
        parts = int((found[4] or "").ljust(6, "0"))
        gone = dt.timedelta(hours=hours, minutes=minutes, seconds=seconds, microseconds=parts)
        if gone <= _DAY:
            return gone
    raise ValueError("not a time of day")


def clock_text(gone: dt.timedelta, *, seconds: bool = False) -> str:
    """A time of day as it is written: hours and minutes, and seconds where there are some (or ``seconds`` says so).

    >>> clock_text(clock("08:30:00")), clock_text(clock("24:00")), clock_text(clock("08:30:00.5"))
    ('08:30', '24:00', '08:30:00.500000')
    """
    whole, parts = gone // dt.timedelta(seconds=1), gone.microseconds
    text = f"{whole // 3600:02d}:{whole // 60 % 60:02d}"
    text += f":{whole % 60:02d}" if seconds or whole % 60 or parts else ""
    return f"{text}.{parts:06d}" if parts else text


def is_null(value: object) -> bool:
    """Whether a value stands for no value: ``None``, NaN, or pandas' NaT and NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    value = python_value(value)
    return value is None or (isinstance(value, float) and value != value)


def literal(value: object) -> Literal_:
    """A public constant in canonical type; raises :class:`QueryError` for anything else."""
    if is_null(value):
        raise QueryError(f"{shown(value)} is no value to compare with; for rows without a value use col(...).is_null()")
    plain = python_value(value)
    if isinstance(plain, bool):
        return plain
    if isinstance(plain, str):
        return text(plain)
    if isinstance(plain, dt.date):
        return _time(plain)
    if isinstance(plain, dt.time):
        return _of_day(plain)
    try:
        exact = fraction(plain)
    except ValueError:
        several = "; for several values use isin([...])" if hasattr(type(value), "__iter__") else ""
        raise QueryError(
            f"{shown(value)} is not a text, a number of ordinary size, a boolean or a date{several}"
        ) from None
    return int(exact) if exact.denominator == 1 else exact


def _time(value: dt.date) -> dt.date:
    """A day (also from its midnight), or a date-time."""
    try:
        return day(value)
    except ValueError:
        pass
    try:
        return moment(value)
    except ValueError:
        raise QueryError(
            f"{shown(value)} has a zone or nanoseconds, and columns have neither; compare with a date, such as "
            f"{value.year:04d}-{value.month:02d}-{value.day:02d}, or with a date and time"
        ) from None


def _of_day(value: dt.time) -> str:
    """A time of day, as its text: one question has one form."""
    try:
        return clock_text(clock(value))
    except ValueError:
        raise QueryError(
            f"{shown(value)} has a zone, and columns of times of day have none; compare with a time alone, such as "
            f"{value.hour:02d}:{value.minute:02d}"
        ) from None


def literal_json(value: Literal_) -> Any:
    """The canonical form of a constant."""
    if isinstance(value, dt.datetime):
        return {"datetime": value.isoformat()}
    if isinstance(value, dt.date):
        return {"date": value.isoformat()}
    if isinstance(value, Fraction):
        return {"number": number(value)}
    return value


def literal_from(form: Any) -> Literal_:
    """The constant whose canonical form this is (plain decimals are accepted too)."""
    if isinstance(form, Mapping) and len(form) == 1:
        if isinstance(form.get("date"), str):
            return dt.date.fromisoformat(form["date"])
        if isinstance(form.get("datetime"), str):
            return literal(moment(form["datetime"]))
        if isinstance(form.get("number"), (str, int)):
            return literal(fraction(form["number"]))
    return literal(form)
