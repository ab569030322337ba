"""Periods of a column of times by name, as a schema, a question's text and a command line spell them: ``came.week``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Literal

from pets.schema.dates import Calendar, Date, DateTime
from pets.schema.domain import Domain

Step = Literal["year", "quarter", "month", "week", "mmwr_week", "day", "hour"]
STEPS: tuple[Step, ...] = ("year", "quarter", "month", "week", "mmwr_week", "day", "hour")
_BARE: tuple[Step, ...] = ("week", "mmwr_week", "day")
"""Those whose name alone says that it is a period (a month may also be the month of any year)."""


def spelling(column: str, unit: Step) -> str:
    """The one name of a period of a column.

    >>> spelling("admitted", "week"), spelling("admitted", "month")
    ('admitted.week', 'admitted.period.month')
    """
    return f"{column}.{unit}" if unit in _BARE else f"{column}.period.{unit}"


def spelt(name: str) -> tuple[str, Step] | None:
    """The column and the period that a name spells, ``.period.`` written out or not; ``None`` for any other name.

    >>> spelt("admitted.week"), spelt("admitted.period.week"), spelt("admitted.month")
    (('admitted', 'week'), ('admitted', 'week'), None)
    """
    stem, _, ending = name.rpartition(".")
    unit = next((known for known in STEPS if known == ending), None)
    column = stem.removesuffix(".period")
    if unit is None or not column or (column == stem and unit not in _BARE):
        return None
    return column, unit


def period_of(name: str, columns: Mapping[str, Domain]) -> tuple[str, Step] | None:
    """The column of times and the period that a name of a schema spells; ``None`` for a column's own, and all else.

    A period has one name there, and one as fine as the column is the column itself, and has that name alone.
    """
    found = None if name in columns else spelt(name)
    if found is None or spelling(*found) != name:
        return None
    domain = columns.get(found[0])
    return found if isinstance(domain, Calendar) and not _as_fine(domain, found[1]) else None


def periods_in(domain: Domain, unit: Step) -> int:
    """How many hours or days a column may have at most; 0 for the other periods, which are few in any calendar."""
    length = {"hour": dt.timedelta(hours=1), "day": dt.timedelta(days=1)}.get(unit)
    return 0 if length is None or not isinstance(domain, Calendar) else (domain.hi - domain.lo) // length + 2


def _as_fine(domain: Calendar, unit: Step) -> bool:
    if isinstance(domain, Date):
        return unit in ("day", "hour")
    return isinstance(domain, DateTime) and domain.step == unit
