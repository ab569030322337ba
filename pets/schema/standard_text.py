"""A text as a column's settings read it, in the standard spelling: for one cell what ``pets.rows`` says in SQL.

It is for tables that no snapshot was made of, such as those that ``assess`` compares.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from pets.common.literals import clock_text
from pets.schema.clock.time_of_day import SECOND, Time, seconds_of
from pets.schema.dates import Calendar, DateTime
from pets.schema.domain import Boolean, Category, Domain, truth
from pets.schema.numeric import Numeric
from pets.schema.reading import BLANKS, EXACT_TEXT, GAP, PLAIN_NUMBER, NumberText, groups
from pets.schema.time_format import iso_moment, moment_of, regex


def standard(domain: Domain) -> Callable[[str], str] | None:
    """What gives a text in its standard spelling; ``None``: nothing is set.

    A text that the settings do not read stays, or is '' where it would look like a number.

    >>> from pets.schema.numeric import Real
    >>> standard(Real(0, 9999, 1, decimal=",", thousands="."))("1.234,5")
    '1234.5'
    """
    if isinstance(domain, Category) and domain.reading != EXACT_TEXT:
        plain = domain.reading.plain
        known = {plain(value): value for value in domain.values}
        known |= {plain(spelling): value for spelling, value in domain.reading.map}
        return lambda text: known.get(plain(text), text)
    if isinstance(domain, Numeric) and domain.reading != PLAIN_NUMBER:
        reading = domain.reading
        return lambda text: _number(reading, text)
    if isinstance(domain, Boolean):
        return truth
    if isinstance(domain, Calendar):
        return lambda text: _time(domain, text)
    if isinstance(domain, Time):
        return lambda text: _of_day(domain, text)
    return None


def _number(reading: NumberText, text: str) -> str:
    bare = text.strip(BLANKS)
    for place in ("prefix", "suffix"):
        listed = "|".join(re.escape(item) for item in sorted(getattr(reading, place), key=len, reverse=True))
        if listed:
            found, kept = (f"^([+-]?){GAP}({listed}){GAP}", r"\1") if place == "prefix" else (f"{GAP}({listed})$", "")
            bare = re.sub(found, kept, bare)
    point, whole = re.escape(reading.decimal), "[0-9]+"
    if reading.thousands is not None:
        whole = groups(reading.thousands)
    if not re.fullmatch(f"[+-]?({whole}({point}[0-9]*)?|{point}[0-9]+)([eE][+-]?[0-9]+)?", bare):
        return ""
    bare = bare.replace(reading.thousands, "") if reading.thousands is not None else bare
    return bare.replace(reading.decimal, ".")


def _time(domain: Calendar, text: str) -> str:
    bare = text.strip(" ")
    read = iso_moment(bare, domain.reading.tz)
    for format_ in domain.reading.formats:
        if read is None and re.fullmatch(regex(format_), bare):
            read = moment_of(bare, format_, domain.first, domain.last, domain.reading.tz)
    if read is None:
        return text
    return f"{read.date()} {read:%H:%M:%S}" if isinstance(domain, DateTime) else read.date().isoformat()


def _of_day(domain: Time, text: str) -> str:
    read = seconds_of(text, domain.format)
    return text if read is None else clock_text(read * SECOND, seconds=True)
