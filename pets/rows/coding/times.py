"""Days and date-times to the codes of their column, as DuckDB SQL.

An instant (a time with an offset or a zone) is read on the clock of the column's zone, typed or written; a time without
one is what is written. ISO text is always read, and what the column's formats say. What is read is floored to the step
(the day, or the second, minute or hour) that it lies in.
"""

from __future__ import annotations

import datetime as dt
import re

from pets.rows.coding.cell import OUT, UNPARSABLE, Cell, Coding, cases, quoted
from pets.schema.dates import Calendar, DateTime
from pets.schema.reading import TimeText
from pets.schema.time_format import (
    CLOCK,
    ISO,
    ZONE,
    centuries,
    day_366,
    iso_moment,
    midnight,
    moment_of,
    regex,
    two_digit_year,
)


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


def _short(found: str, raw: str, last: str, low: dt.date, high: dt.date, numbered: bool) -> str:
    """SQL of a day whose year had two digits: in the one century that the domain allows.

    ``last`` is SQL that is true where the day's number in its year was written, and is 366 (of the year of ``raw``).
    """
    arms = []
    for years in centuries(low, high):
        moved = f"{found} + INTERVAL '{years} years'"
        there = f"day({moved}) = day({found})"  # no 29 February there: no such day
        if numbered:
            start = f"date_trunc('year', {found})"
            moved = f"{start} + INTERVAL '{years} years' + ({found} - {start})"
            there = f"NOT ({last} AND dayofyear(make_date(CAST(year({raw}) AS INTEGER) + {years}, 12, 31)) <> 366)"
        inside = f"CAST({moved} AS DATE) BETWEEN DATE '{low.isoformat()}' AND DATE '{high.isoformat()}'"
        arms.append(f"WHEN {inside} AND {there} THEN {moved}")
    return f"CASE {' '.join(arms)} ELSE {found} END"


def _formats(text: str, reading: TimeText, low: dt.date, high: dt.date) -> list[tuple[str, str]]:
    """For each format, SQL that tells its texts, and SQL of what they say on the zone's clock."""
    return [
        (f"regexp_full_match({text}, {quoted(regex(format_))})", _format(text, format_, reading.tz, low, high))
        for format_ in reading.formats
    ]


def _format(text: str, format_: str, tz: str, low: dt.date, high: dt.date) -> str:
    """SQL of what a text of a format says on the zone's clock."""

    def said(written: str, later: str = "") -> str:
        raw = found = f"try_strptime({written}, {quoted(format_)})"
        last = f"regexp_full_match({written}, {quoted(day_366(format_))})" if "%j" in format_ else "false"
        if "%j" in format_:
            found = f"CASE WHEN NOT ({last} AND dayofyear({raw}) <> 366) THEN {raw} END"
        found = f"({found}{later})"
        if "%z" in format_:
            found = _local(found, tz)
        return _short(found, raw, last, low, high, "%j" in format_) if two_digit_year(format_) else found

    if "%H" not in format_:
        return said(text)
    ends = quoted(midnight(format_))
    next_day = said(f"regexp_replace({text}, {ends}, '\\100\\2')", " + INTERVAL '24 hours'")
    return f"CASE WHEN regexp_full_match({text}, {ends}) THEN {next_day} ELSE {said(text)} END"


def _tokens(domain: Calendar) -> list[str]:
    """The declared texts for null that say a day or a time, as SQL of their steps: typed values equal them too."""
    found = []
    for token in domain.null:
        if (
            isinstance(domain, DateTime)
            and re.match(ISO, token)
            and (read := iso_moment(token.strip(" "), domain.reading.tz))
        ):
            found.append(_step(domain, read))
        for format_ in domain.reading.formats:
            read = moment_of(token, format_, domain.first, domain.last, domain.reading.tz)
            found += [] if read is None else [_step(domain, read)]
    return found


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
            # (as a time, also for a day: 24:00 is on the next one)
            f"regexp_full_match({text}, {quoted(f'{ISO}({CLOCK})?')})",
            f"TRY_CAST({text} AS TIMESTAMP)",
        ),
        (f"regexp_full_match({text}, {quoted(f'{ISO}{CLOCK} *{ZONE}')})", _local(instant, domain.reading.tz)),
        *_formats(text, domain.reading, domain.first, domain.last),
    ]
    # in order: %B matches Dec too, and reads nothing in it
    found = f"coalesce({', '.join(f'CASE WHEN {test} THEN {_floored(domain, read)} END' for test, read in arms)})"
    steps = ((text, f"trim({cell.text})"), (helper, found))
    outside = f"WHEN {helper} IS NULL THEN {domain.cells + UNPARSABLE} {inside} ELSE {domain.cells + OUT}"
    return Coding(cases(domain, missing, outside), steps)
