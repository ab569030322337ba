"""Days and date-times to the codes of their column, as DuckDB SQL.

An instant (a time with an offset or a zone) is read on the clock of the column's zone, typed or written; a time without
one is what is written. ISO text is always read, and what the column's formats say.
"""

from __future__ import annotations

import datetime as dt

from pets.rows.cell import OUT, UNPARSABLE, Cell, Coding, cases, quoted
from pets.schema.domain import Date
from pets.schema.reading import TimeText
from pets.schema.time_format import OFFSET, centuries, day_366, day_of, regex, two_digit_year

_ISO = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = "[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]*)?)?"
_ZONE = f"([Zz]|UTC|GMT|{OFFSET}|[A-Z][A-Za-z_]+(/[A-Za-z0-9_+-]+)+)"


def _local(sql: str, tz: str) -> str:
    return f"timezone({quoted(tz)}, {sql})"


def _typed(cell: Cell, tz: str) -> str:
    """SQL of a typed day or time on the clock of the zone."""
    # the engine has one type of instants for each precision, such as TIMESTAMPTZ_NS
    instant = cell.kind.upper().startswith(("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ"))
    return _local(cell.sql, tz) if instant and tz != "UTC" else cell.sql


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


def _tokens(domain: Date) -> list[str]:
    """The declared texts for null that a format reads as days, as ISO: typed days equal them too."""
    found = []
    for token in domain.null:
        for format_ in domain.reading.formats:
            if (day := day_of(token, format_, domain.lo, domain.hi, domain.reading.tz)) is not None:
                found.append(day.isoformat())
    return found


def date(domain: Date, cell: Cell, helper: str) -> Coding:
    """The coding of a column of days."""
    low, high = (f"DATE '{value.isoformat()}'" for value in (domain.lo, domain.hi))
    tokens = ", ".join(quoted(token) for token in (*domain.null, *_tokens(domain)))
    also = [f"CAST({helper} AS VARCHAR) IN ({tokens})"] if tokens else []
    missing = cell.missing(domain, also=also)
    inside = f"WHEN {helper} BETWEEN {low} AND {high} THEN {helper} - {low}"
    if cell.family in ("date", "time"):
        # an infinite date or time is unequal to every day, so it is out of the domain
        day = f"CAST({_typed(cell, domain.reading.tz)} AS DATE)"
        return Coding(cases(domain, missing, f"{inside} ELSE {domain.cells + OUT}"), ((helper, day),))
    text = f"{helper}_text"
    # only these spellings are dates: DuckDB alone would also take 'epoch', 2019/4/1 and offsets of four days
    instant = f"TRY_CAST(regexp_replace({text}, ' +([+-])', '\\1') AS TIMESTAMPTZ)"
    arms = [
        (f"regexp_full_match({text}, {quoted(f'{_ISO}({_CLOCK})?')})", f"TRY_CAST({text} AS DATE)"),
        (f"regexp_full_match({text}, {quoted(f'{_ISO}{_CLOCK} *{_ZONE}')})", _local(instant, domain.reading.tz)),
        *_formats(text, domain.reading, domain.lo, domain.hi),
    ]
    # in order: %B matches Dec too, and reads nothing in it
    day = f"coalesce({', '.join(f'CASE WHEN {test} THEN CAST({found} AS DATE) END' for test, found in arms)})"
    steps = ((text, f"trim({cell.text})"), (helper, day))
    outside = f"WHEN {helper} IS NULL THEN {domain.cells + UNPARSABLE} {inside} ELSE {domain.cells + OUT}"
    return Coding(cases(domain, missing, outside), steps)
