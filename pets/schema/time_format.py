"""How a file writes days and times: strptime patterns, a few named ones, and time zones.

A pattern is read strictly: a year has four digits (or two, where it says so), and two numbers that follow each other
without a mark have all their digits, so that ``2021053`` is no ``%Y%m%d``. Names of months are English.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
import zoneinfo
from collections.abc import Mapping
from types import MappingProxyType

from pets.errors import SchemaError, shown

_NUMBER = {"d": 2, "m": 2, "H": 2, "I": 2, "M": 2, "S": 2}
_OTHER = {
    "Y": "[0-9]{4}",
    "y": "[0-9]{2}",
    "j": "[0-9]{3}",
    "b": "[A-Za-z]{3}",
    "B": "[A-Za-z]{3,9}",
    "p": "[AaPp][Mm]",
    "f": "[0-9]{1,6}",
    "z": "[+-](?:0[0-9]|1[0-5]):?[0-5][0-9]",
}
NOTHING = "[^\\s\\S]"
"""A regular expression that no text matches."""

_TIMES = ("hh:mm:ss", "hh:mm", "hhmmss", "hhmm")
_WORDS = {"yyyy": "%Y", "yy": "%y", "Month": "%B", "Mon": "%b", "mm": "%m", "dd": "%d"}
_EXAMPLES = "iso, dd/mm/yyyy, yyyymmdd, dd-Mon-yy, 'dd/mm/yyyy hh:mm' or a strptime pattern such as '%d.%m.%Y'"
OFFSET = "[+-](?:0[0-9]|1[0-5])(?::?[0-5][0-9](?::[0-5][0-9])?)?"
"""An offset from UTC, of less than 16 hours."""


ISO = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = "[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.][0-9]*)?)?"
CLOCK = f"[ T]{_CLOCK}"
ZONE = f"(?:[Zz]|UTC|GMT|{OFFSET}|[A-Z][A-Za-z_]+(?:/[A-Za-z0-9_+-]+)+)"
"""The parts of an ISO text: its day, its time, and the offset or zone that makes it an instant."""


def pattern(name: str) -> str | None:
    """The strptime pattern of a named or written format; ``None`` for ``iso``, which is always read.

    >>> pattern("dd/mm/yyyy"), pattern("dd-Mon-yy"), pattern("yyyymmdd hh:mm"), pattern("%d %B %Y"), pattern("iso")
    ('%d/%m/%Y', '%d-%b-%y', '%Y%m%d %H:%M', '%d %B %Y', None)
    """
    text = name.strip()
    if text in ("iso", "ISO", "yyyy-mm-dd", "%Y-%m-%d"):
        return None
    found = text if "%" in text else _translated(text)
    regex(found)
    for probe in ("2001-02-03", "2001-02-03 04:05", "2001-02-03 04:05:06"):
        try:
            other = dt.datetime.strptime(probe, found)
        except ValueError:
            continue
        if other != dt.datetime.fromisoformat(probe) and re.fullmatch(regex(found), probe):
            raise SchemaError(
                f"the format {shown(name)} reads ISO days such as 2001-02-03 as other days, and ISO is always read; "
                "write such a column as ISO text"
            )
    return found


def contradiction(one: str, other: str) -> str:
    """A text that two patterns read as two days ('' where none is known).

    >>> contradiction("%d/%m/%Y", "%m/%d/%Y"), contradiction("%d %B %Y", "%d %b %Y")
    ('03/02/2001', '')
    """
    probe = dt.datetime(2001, 2, 3, 4, 5, 6, tzinfo=dt.UTC)
    text = probe.strftime(one)
    try:
        found = dt.datetime.strptime(text, other).date()
    except ValueError:
        return ""
    return text if found != probe.date() and re.fullmatch(regex(other), text) else ""


def _translated(text: str) -> str:
    body, time = text, ""
    for clock in _TIMES:
        if text.endswith(clock):
            body = text[: -len(clock)]
            time = clock.replace("hh", "%H").replace("mm", "%M").replace("ss", "%S")
            break
    for word, directive in _WORDS.items():
        body = body.replace(word, directive)
    if not re.fullmatch(r"(?:%[YybBmd]|[ /.\-,T])+", body):
        raise SchemaError(f"{shown(text)} is not a format; write {_EXAMPLES}")
    return body + time


def midnight(found: str) -> str:
    """The regular expression of a pattern's texts that say 24:00, with what stands before and after the 24.

    24:00 is the midnight that ends the written day, 00:00 of the next; readers of %H do not know it. Where a pattern
    has no hour, nothing matches.

    >>> re.fullmatch(midnight("%d/%m/%Y %H:%M"), "31/05/2021 24:00").groups()
    ('31/05/2021 ', ':00')
    """
    if "%H" not in found:
        return NOTHING
    before, after = (regex(found, {"H": "\0", "M": "0{1,2}", "S": "0{1,2}", "f": "0{1,6}"})).split("\0")
    return f"({before})24({after})"


def regex(found: str, instead: Mapping[str, str] = MappingProxyType({})) -> str:
    """The regular expression that a text of a pattern matches as a whole; raises :class:`SchemaError` for no such.

    ``instead`` says what else to match for some letters.
    """
    parts = re.findall(r"%.|[^%]|%$", found)
    out: list[str] = []
    used: list[str] = []
    for index, part in enumerate(parts):
        if not part.startswith("%"):
            if not part.isprintable() or part.isdigit():
                raise SchemaError(f"the format {shown(found)} has a mark that no date has; write {_EXAMPLES}")
            out.append(" +" if part == " " else re.escape(part) if part.isascii() and not part.isalnum() else part)
            continue
        letter = part[1:]
        if letter not in _NUMBER and letter not in _OTHER:
            raise SchemaError(f"the format {shown(found)} has {part!r}, which is not read here; write {_EXAMPLES}")
        used.append(letter)
        beside = [parts[at] for at in (index - 1, index + 1) if 0 <= at < len(parts)]
        if letter in instead:
            out.append(instead[letter])
        elif letter in _NUMBER:
            out.append("[0-9]{2}" if any(other.startswith("%") for other in beside) else "[0-9]{1,2}")
        else:
            out.append(_OTHER[letter])
    _whole(found, used)
    return "".join(out)


def _whole(found: str, used: list[str]) -> None:
    if len(set(used)) < len(used):
        raise SchemaError(f"the format {shown(found)} names a part twice; name each once")
    year, month = {"Y", "y"} & set(used), {"m", "b", "B"} & set(used)
    day = ("j" in used and not month and "d" not in used) or (len(month) == 1 and "d" in used and "j" not in used)
    if len(year) != 1 or not day:
        raise SchemaError(f"the format {shown(found)} does not say one year, month and day; write {_EXAMPLES}")
    if ("I" in used) is not ("p" in used) or {"H", "I"} <= set(used):
        raise SchemaError(f"the format {shown(found)} needs %H, or %I together with %p")


def two_digit_year(found: str) -> bool:
    """Whether the pattern writes a year with two digits."""
    return "%y" in found


def centuries(low: dt.date, high: dt.date) -> range:
    """How many years may be between a year of two digits as it is read first (1969 to 2068) and its place."""
    return range((low.year - 2068) // 100 * 100, high.year - 1969 + 100, 100)


def in_century(day: dt.date, low: dt.date, high: dt.date, number: int = 0, leap: int | None = None) -> dt.date:
    """A day whose year had two digits, in the one century that a domain allows (as it is where no day there is it).

    ``number`` is the day's number in its year where the pattern has that one: 1900 has no 29 February, and its 61st day
    is 2 March. ``leap`` is the written year where the number was 366.

    >>> in_century(dt.date(2014, 5, 18), dt.date(1801, 1, 1), dt.date(1900, 12, 31))
    datetime.date(1814, 5, 18)
    >>> in_century(dt.date(2000, 3, 1), dt.date(1900, 1, 1), dt.date(1999, 12, 31), number=61)
    datetime.date(1900, 3, 2)
    """
    for years in centuries(low, high):
        if leap is not None and not calendar.isleap(leap + years):
            continue
        try:
            year = day.year + years
            moved = dt.date(year, 1, 1) + dt.timedelta(number - 1) if number else day.replace(year=year)
        except (ValueError, OverflowError):
            continue
        if low <= moved <= high:
            return moved
    return day


def day_366(found: str) -> str:
    """The regular expression of a pattern's texts that name the last day of a leap year.

    Readers of %j take it for the first day of the next year where there is no such day.
    """
    return regex(found).replace(_OTHER["j"], "366") if "%j" in found else NOTHING


def moment_of(text: str, found: str, low: dt.date, high: dt.date, tz: str) -> dt.datetime | None:
    """The time that a text of a pattern says, on the zone's clock and in the domain's century; ``None`` for no day.

    >>> moment_of("2021366", "%Y%j", dt.date(2021, 1, 1), dt.date(2022, 1, 1), "UTC")
    """
    ends = re.fullmatch(midnight(found), text)
    written = f"{ends[1]}00{ends[2]}" if ends else text
    try:
        raw = dt.datetime.strptime(written, found)
        last = re.fullmatch(day_366(found), written) is not None
        if last and raw.timetuple().tm_yday != 366:
            return None
        moment = _local(raw + dt.timedelta(days=1) if ends else raw, tz)
    except (ValueError, OverflowError):  # (the latter before the first year, or after the last)
        return None
    day = moment.date()
    if two_digit_year(found):
        number = moment.timetuple().tm_yday if "%j" in found else 0
        day = in_century(day, low, high, number, raw.year if last else None)
    return dt.datetime.combine(day, moment.time())


def iso_moment(text: str, tz: str) -> dt.datetime | None:
    """The time that an ISO text says, on the zone's clock; ``None`` for a text that is none.

    >>> iso_moment("2021-05-31 24:00", "UTC"), iso_moment("2021-05-31T22:30Z", "Europe/Berlin")
    (datetime.datetime(2021, 6, 1, 0, 0), datetime.datetime(2021, 6, 1, 0, 30))
    """
    part = re.fullmatch(f"({ISO})(?:[ T]({_CLOCK})(?: *({ZONE}))?)?", text)
    if part is None:
        return None
    clock = re.split("[:.]", part[2] or "00:00")
    try:
        hour, minute, second = (int(number) for number in (*clock[:2], *(clock[2:3] or ["0"])))
        ends = hour == 24 and not minute and not second and not "".join(clock[3:]).strip("0")
        moment = dt.datetime.combine(dt.date.fromisoformat(part[1]), dt.time(0 if ends else hour, minute, second))
        moment += dt.timedelta(days=1 if ends else 0)
        return _local(moment.replace(tzinfo=_zone(part[3])) if part[3] else moment, tz)
    except (ValueError, OverflowError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return None


def _zone(text: str) -> dt.tzinfo:
    """What stands behind a time: an offset, or a zone's name."""
    if text in ("Z", "z", "UTC", "GMT"):
        return dt.UTC
    if text[0] not in "+-":
        return zoneinfo.ZoneInfo(text)
    digits = text[1:].replace(":", "")
    hours, minutes, seconds = (int(digits[at : at + 2] or 0) for at in (0, 2, 4))
    away = dt.timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return dt.timezone(-away if text[0] == "-" else away)


def _local(moment: dt.datetime, tz: str) -> dt.datetime:
    """An instant on the clock of a zone; a time without an offset is what is written."""
    return moment if moment.tzinfo is None else moment.astimezone(zoneinfo.ZoneInfo(tz)).replace(tzinfo=None)


def zone(value: object) -> str:
    """A time zone's name, such as Europe/London."""
    try:
        if not isinstance(value, str) or not (
            value == "UTC" or re.fullmatch(r"[A-Z][A-Za-z_]+(/[A-Za-z0-9_+\-]+)+", value)
        ):
            raise ValueError
        zoneinfo.ZoneInfo(value)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise SchemaError(f"tz must be a time zone's name such as Europe/London or UTC, not {shown(value)}") from None
    return value
