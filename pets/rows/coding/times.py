"""Days and date-times to the codes of their column, as DuckDB SQL.

An instant (a time with an offset or a zone) is read on the clock of the column's zone, typed or written; a time without
one is what is written. ISO text is always read, and what the column's formats say. What is read is floored to the step
(the day, or the second, minute or hour) that it lies in.
"""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo

from pets.rows.coding.cell import OUT, UNPARSABLE, Cell, Coding, cases, quoted
from pets.schema.dates import Calendar, DateTime
from pets.schema.reading import TimeText
from pets.schema.time_format import OFFSET, centuries, day_366, moment_of, regex, two_digit_year

_ISO = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = "[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]*)?)?"
_ZONE = f"([Zz]|UTC|GMT|{OFFSET}|[A-Z][A-Za-z_]+(/[A-Za-z0-9_+-]+)+)"


def _local(sql: str, tz: str) -> str:
    return f"timezone({quoted(tz)}, {sql})"


def _typed(cell: Cell, tz: str) -> str:
    """SQL of a typed day or time on the clock of the zone."""
    kind, sql = cell.kind.upper(), cell.sql
    instant = kind == "TIMESTAMP WITH TIME ZONE" or kind.startswith("TIMESTAMPTZ")
    if kind.endswith("_NS"):  # a cast would round up to the next microsecond, and so the next day
        plain = f"CAST({sql} AS TIMESTAMP_NS)"
        nanos = f"epoch_ns({plain})"
        sql = f"CASE WHEN isfinite({plain}) THEN make_timestamp(({nanos} - ({nanos} % 1000 + 1000) % 1000) // 1000) END"
        sql = _local(sql, "UTC") if instant else sql
    return _local(sql, tz) if instant else sql


def _short(found: str, low: dt.date, high: dt.date) -> str:
    """SQL of a day whose year had two digits: in the one century that the domain allows."""
    arms = []
    for years in centuries(low, high):
        moved = f"{found} + INTERVAL '{years} years'"
        inside = f"CAST({moved} AS DATE) BETWEEN DATE '{low.isoformat()}' AND DATE '{high.isoformat()}'"
        # no 29 February there: no such day
        arms.append(f"WHEN {inside} AND day({moved}) = day({found}) THEN {moved}")
    return f"CASE {' '.join(arms)} ELSE {found} END"


def _formats(text: str, reading: TimeText, low: dt.date, high: dt.date) -> list[tuple[str, str]]:
    """For each format, SQL that tells its texts, and SQL of what they say on the zone's clock."""
    arms = []
    for format_ in reading.formats:
        found = f"try_strptime({text}, {quoted(format_)})"
        if last := day_366(format_):
            there = f"regexp_full_match({text}, {quoted(last)}) AND dayofyear({found}) <> 366"
            found = f"CASE WHEN NOT ({there}) THEN {found} END"
        if "%z" in format_:
            found = _local(found, reading.tz)
        if two_digit_year(format_):
            found = _short(found, low, high)
        arms.append((f"regexp_full_match({text}, {quoted(regex(format_))})", found))
    return arms


def _tokens(domain: Calendar) -> list[str]:
    """The declared texts for null that say a day or a time, as SQL of their steps: typed values equal them too."""
    found = []
    for token in domain.null:
        if isinstance(domain, DateTime) and re.match(_ISO, token) and (read := _iso(token, domain.reading.tz)):
            found.append(_step(domain, read))
        for format_ in domain.reading.formats:
            read = moment_of(token, format_, domain.first, domain.last, domain.reading.tz)
            found += [] if read is None else [_step(domain, read)]
    return found


def _iso(token: str, tz: str) -> dt.datetime | None:
    """What an ISO text says on the zone's clock."""
    try:
        read = dt.datetime.fromisoformat(token)
        return read if read.tzinfo is None else read.astimezone(zoneinfo.ZoneInfo(tz)).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None


def _step(domain: Calendar, read: dt.datetime) -> str:
    """SQL of the step of a null text, as :func:`calendar` compares it: days as text, so that ISO texts need no care."""
    if not isinstance(domain, DateTime):
        return quoted(read.date().isoformat())
    return _sql(domain, read - (read - dt.datetime.min) % domain.width)


def _sql(domain: Calendar, value: dt.date) -> str:
    """SQL of a step."""
    return f"{'TIMESTAMP' if isinstance(domain, DateTime) else 'DATE'} '{value.isoformat()}'"


def _floored(domain: Calendar, sql: str) -> str:
    """SQL of the step in which a day or a time lies."""
    if isinstance(domain, DateTime):
        return f"date_trunc('{domain.step}', TRY_CAST({sql} AS TIMESTAMP))"
    return f"CAST({sql} AS DATE)"


def calendar(domain: Calendar, cell: Cell, helper: str) -> Coding:
    """The coding of a column of days or of date-times."""
    low, high = _sql(domain, domain.lo), _sql(domain, domain.hi)
    times = isinstance(domain, DateTime)
    days = [] if times else [quoted(token) for token in domain.null]
    tokens = ", ".join((*days, *_tokens(domain)))
    also = [f"{helper if times else f'CAST({helper} AS VARCHAR)'} IN ({tokens})"] if tokens else []
    missing = cell.missing(domain, also=also)
    steps_away = f"date_diff('{domain.step}', {low}, {helper})" if isinstance(domain, DateTime) else f"{helper} - {low}"
    inside = f"WHEN {helper} BETWEEN {low} AND {high} THEN {steps_away}"
    if cell.family in ("date", "time"):
        # an infinite date or time is unequal to every day, so it is out of the domain
        found = _floored(domain, _typed(cell, domain.reading.tz))
        return Coding(cases(domain, missing, f"{inside} ELSE {domain.cells + OUT}"), ((helper, found),))
    text = f"{helper}_text"
    # only these spellings are dates: DuckDB alone would also take 'epoch', 2019/4/1 and offsets of four days
    instant = f"TRY_CAST(regexp_replace({text}, ' +([+-])', '\\1') AS TIMESTAMPTZ)"
    arms = [
        (
            f"regexp_full_match({text}, {quoted(f'{_ISO}({_CLOCK})?')})",
            f"TRY_CAST({text} AS {'TIMESTAMP' if times else 'DATE'})",
        ),
        (f"regexp_full_match({text}, {quoted(f'{_ISO}{_CLOCK} *{_ZONE}')})", _local(instant, domain.reading.tz)),
        *_formats(text, domain.reading, domain.first, domain.last),
    ]
    # in order: %B matches Dec too, and reads nothing in it
    found = f"coalesce({', '.join(f'CASE WHEN {test} THEN {_floored(domain, read)} END' for test, read in arms)})"
    steps = ((text, f"trim({cell.text})"), (helper, found))
    outside = f"WHEN {helper} IS NULL THEN {domain.cells + UNPARSABLE} {inside} ELSE {domain.cells + OUT}"
    return Coding(cases(domain, missing, outside), steps)
