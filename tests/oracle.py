"""The meaning of a query, in slow plain Python: what every engine is compared with.

It reads source rows cell by cell, decides each row's fate, takes from a snapshot nothing but *which* of a person's rows
were kept, and computes every aggregate (``tests/aggregates.py``) over decoded values with fractions. It shares no code
with the compiler: nothing there or here imports ``pets.rows`` or ``pets.plan`` (``tests/generative/test_complete.py``).
"""

from __future__ import annotations

import calendar
import datetime as dt
import itertools
import math
import operator
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from pets.common.codec import fraction, number
from pets.query_model import aggregate as agg
from pets.query_model import expression as ex
from pets.query_model import group_keys as ks
from pets.query_model.codelists.codelist import InCodelist
from pets.query_model.features import Versus, Within
from pets.query_model.query import Query
from pets.schema.schema import (
    Boolean,
    Category,
    Date,
    DateTime,
    Domain,
    Identifier,
    Integer,
    Real,
    Schema,
    Table,
    Text,
    Time,
    Unit,
)

Raw = Mapping[str, Any]
"""One row of the source: column to cell (text, number, boolean, date or ``None``)."""

Value = str | bool | Fraction | dt.date | dt.timedelta | None
"""A decoded value: every number is a fraction, a time of day is the time since midnight, ``None`` is null."""

Data = Mapping[str, Sequence[Raw]]
"""Source rows of each table."""

MISSING = "missing"
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
BLANKS = " \t\n\r\x0b\x0c"


# ── row fates ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def parse(domain: Domain, cell: Any) -> Value:
    """The value that one cell of data means; ``None`` where it means none."""
    if cell is None or cell == "" or is_token(domain, cell):
        return None
    if isinstance(domain, Category):
        return str(cell) if str(cell) in domain.values else None
    if isinstance(domain, Text):
        return parse_text(domain, cell)
    if isinstance(domain, Boolean):
        word = str(cell).strip(BLANKS).lower()
        return True if word in ("true", "t", "yes", "y", "1") else False if word in _NO else None
    if isinstance(domain, Date):
        day = parse_date(cell)
        return day if day is not None and domain.lo <= day <= domain.hi else None
    if isinstance(domain, DateTime):
        time = parse_time(domain, cell)
        return time if time is not None and domain.lo <= time <= domain.hi else None
    if isinstance(domain, Time):
        gone = parse_time_of_day(domain, cell)
        return None if gone is None or not domain.lo <= (at := _floored(domain, gone)) <= domain.hi else at
    if isinstance(domain, Integer):
        return parse_integer(domain, cell)
    if isinstance(domain, Real):
        return parse_real(domain, cell)
    raise TypeError(f"the oracle knows no {type(domain).__name__}")


_NO = ("false", "f", "no", "n", "0")


def is_token(domain: Domain, cell: Any) -> bool:
    """Whether the cell is one of the texts that the schema declares to mean null."""
    if isinstance(domain, Date):  # a day is compared as a day, however the time of day is written
        return str(cell).strip(" ")[:10] in domain.null or str(cell) in domain.null
    if isinstance(domain, DateTime):  # and a time as the step that it lies in
        steps = [parse_time(domain, token) for token in domain.null]
        found = parse_time(domain, cell)
        return str(cell) in domain.null or (found is not None and found in steps)
    if isinstance(domain, Time):  # a time as the second that it lies in, however it is written
        listed = [parse_time_of_day(domain, token) for token in domain.null]
        gone = parse_time_of_day(domain, cell)
        return str(cell) in domain.null or (gone is not None and gone in listed)
    if isinstance(domain, Text) and isinstance(cell, str):
        return _as_compared(domain, cell) in [_as_compared(domain, token) for token in domain.null]
    if isinstance(cell, float) and math.isfinite(cell) and cell.is_integer():
        return str(int(cell)) in domain.null or str(cell) in domain.null
    return str(cell) in domain.null


def _as_compared(domain: Text, text: str) -> str:
    bare = text.strip(BLANKS)
    if domain.form != "icd10":
        return bare
    return "".join(chr(ord(sign) - 32) if "a" <= sign <= "z" else sign for sign in bare if sign != ".")


def parse_text(domain: Text, cell: Any) -> str | None:
    """A text of the form; one that breaks it, or is too long, or says ``missing``, is none."""
    text = _as_compared(domain, str(cell))
    plain = text.isascii() and text.isalnum()
    fits = {
        "any": all(ord(sign) >= 32 and ord(sign) != 127 for sign in text),
        "letters_digits": plain,
        "icd10": plain and 3 <= len(text) <= 7 and text == text.upper() and text[0].isalpha() and text[1].isdigit(),
    }
    return text if fits[domain.form] and 0 < len(text) <= domain.max_length and text != MISSING else None


def texts(domain: Text) -> list[str]:
    """Some texts that a column may hold."""
    pool = ("a", "b", "A", "0", "1", "12", "é", "x y", "it's", '"q"', "I21", "A00", "I210", "B9X01", "null", "-")
    tokens = [_as_compared(domain, token) for token in domain.null]
    return [text for text in pool if parse_text(domain, text) == text and text not in tokens]


def parse_integer(domain: Integer, cell: Any) -> Fraction | None:
    """Clamped to the bounds; a number with a fraction is no integer."""
    if isinstance(cell, float):
        if not math.isfinite(cell) or not cell.is_integer():
            return None
        exact = Fraction(cell)
    elif isinstance(cell, int):
        exact = Fraction(cell)
    else:
        text = cell.strip(BLANKS)
        if not NUMBER.fullmatch(text):
            return None
        exact = Fraction(text)
        if exact.denominator != 1:
            return None
    return min(max(exact, Fraction(domain.lo)), Fraction(domain.hi))


def parse_real(domain: Real, cell: Any) -> Fraction | None:
    """Clamped to the bounds, then rounded to the nearest step, halves up, in exact fractions."""
    if isinstance(cell, str):
        text = cell.strip(BLANKS)
        if not NUMBER.fullmatch(text):
            return None
        x = Fraction(text)
    elif not math.isfinite(cell):
        return None
    else:
        x = Fraction(cell)
    code = math.floor((min(max(x, domain.lo), domain.hi) - domain.lo) / domain.step + Fraction(1, 2))
    return domain.lo + code * domain.step


def parse_date(cell: Any) -> dt.date | None:
    """A calendar day from a date, or from ISO text (a time of day after it is ignored)."""
    if isinstance(cell, dt.datetime):
        return cell.date()
    if isinstance(cell, dt.date):
        return cell
    text = str(cell).strip(" ")
    if not re.fullmatch(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d)?)?", text, re.ASCII):
        return None
    try:
        return dt.date.fromisoformat(text[:10])
    except ValueError:
        return None


def parse_time(domain: DateTime, cell: Any) -> dt.datetime | None:
    """The step in which a date-time lies; a day is its midnight."""
    if isinstance(cell, dt.date) and not isinstance(cell, dt.datetime):
        cell = dt.datetime(cell.year, cell.month, cell.day)
    if not isinstance(cell, dt.datetime):
        text = str(cell).strip(" ")
        if not re.fullmatch(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d([.]\d*)?)?)?", text, re.ASCII):
            return None
        try:
            cell = dt.datetime.fromisoformat(text.partition(".")[0])
        except ValueError:
            return None
    finer = {"second": ("microsecond",), "minute": ("second", "microsecond")}
    parts = finer.get(domain.step, ("minute", "second", "microsecond"))
    return cell.replace(**dict.fromkeys(parts, 0))


def parse_time_of_day(domain: Time, cell: Any) -> dt.timedelta | None:
    """Whole seconds since midnight; an offset is not applied, and 24:00 is midnight."""
    text = str(cell).strip(" ")
    digits = {"hhmm": 4, "hhmmss": 6}.get(domain.format or "", 0)
    if digits and text.isascii() and text.isdigit() and len(text) <= digits:
        text = ":".join(re.findall("..", text.rjust(digits, "0")))
    clock = re.fullmatch(
        r"(\d\d?):(\d\d)(?::(\d\d)(?:\.(\d*))?)?(?: *(?:[Zz]|[+-]\d\d(?::?\d\d){0,2}))?", text, re.ASCII
    )
    if clock is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in clock.groups()[:3])
    if hours == 24 and not minutes and not seconds and not (clock[4] or "").strip("0") and len(clock[1]) == 2:
        return dt.timedelta()
    whole = hours < 24 and minutes < 60 and seconds < 60
    return dt.timedelta(hours=hours, minutes=minutes, seconds=seconds) if whole else None


def _floored(domain: Time, gone: dt.timedelta) -> dt.timedelta:
    return gone - gone % dt.timedelta(**{f"{domain.step}s": 1})


def person_of(table: Table, row: Raw, index: int) -> str | None:
    """Who a row belongs to; ``None`` for nobody."""
    if table.unit.column is None:
        return f"row {index}"
    cell = row[table.unit.column]
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    text = str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)
    text = text.strip(BLANKS) if table.unit.trim else text
    return None if text == "" or text in table.columns[table.unit.column].null else text


def fate(table: Table, row: Raw) -> dict[str, Value] | None:
    """The values of a row's columns; ``None`` where the schema demands a value that the row lacks."""
    out: dict[str, Value] = {}
    looked_up: dict[str, Category] = {}
    for name, domain in table.columns.items():
        if isinstance(domain, Identifier):
            continue
        if isinstance(domain, Category) and domain.lookup is not None:
            looked_up[name] = domain
        else:
            out[name] = parse(domain, row[name])
    for name, target in looked_up.items():
        assert target.lookup is not None
        source = out[target.lookup.column]
        out[name] = None if source is None else target.lookup.mapping.get(str(source))
    if any(value is None and not table.columns[name].nullable for name, value in out.items()):
        return None
    return {name: out[name] for name, domain in table.columns.items() if not isinstance(domain, Identifier)}


def people(schema: Schema, name: str, data: Data) -> dict[str, list[dict[str, Value]]]:
    """Every valid row of each person of one table."""
    table = schema.table(name)
    out: dict[str, list[dict[str, Value]]] = {}
    for index, row in enumerate(data[name]):
        person = person_of(table, row, index)
        values = fate(table, row) if person is not None else None
        if person is not None and values is not None:
            out.setdefault(person, []).append(values)
    return out


def candidates(schema: Schema, name: str, data: Data) -> list[list[list[dict[str, Value]]]]:
    """For each person, every set of rows that they may show: one for each of their rows in the person table."""
    table = schema.table(name)
    own = people(schema, name, data)
    if table.person_table is None:
        return [[rows] for rows in own.values()]
    attributes = people(schema, table.person_table, data)
    attached = schema.table(table.person_table).columns.items()
    nothing: dict[str, Value] = {column: None for column, domain in attached if not isinstance(domain, Identifier)}
    return [
        [[row | profile for row in rows] for profile in attributes.get(person, [nothing])]
        for person, rows in own.items()
    ]


# ── which rows were kept ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Kept:
    """One row of a snapshot, decoded."""

    person: int
    rank: int
    values: Mapping[str, Value]


class WrongSnapshot(AssertionError):
    """The snapshot does not hold what the source rows mean."""


def decode(domain: Domain, code: Any) -> Value:
    """The value of a stored code; a text is stored as itself."""
    if isinstance(domain, Text):
        if not isinstance(code, str) or (code and parse_text(domain, code) != code):
            raise WrongSnapshot(f"text {code!r} of {domain}")
        return code or None
    code = int(code)
    if code == domain.cells:
        return None
    if not 0 <= code < domain.cells:
        raise WrongSnapshot(f"code {code} of {domain}")
    if isinstance(domain, Category):
        return domain.values[code]
    if isinstance(domain, Boolean):
        return code == 1
    if isinstance(domain, Date):
        return domain.lo + dt.timedelta(days=code)
    if isinstance(domain, DateTime):
        seconds = {"second": 1, "minute": 60, "hour": 3600}[domain.step]
        return domain.lo + dt.timedelta(seconds=code * seconds)
    if isinstance(domain, Time):
        return domain.lo + dt.timedelta(**{f"{domain.step}s": code})
    if isinstance(domain, Integer):
        return Fraction(domain.lo + code)
    if isinstance(domain, Real):
        return domain.lo + code * domain.step
    raise TypeError(f"the oracle knows no {type(domain).__name__}")


def kept(schema: Schema, name: str, data: Data, snapshot: Any) -> list[Kept]:
    """The snapshot's rows, after a check that they are what the source rows mean.

    Every person of the source must be there with ranks 1, 2, … to ``max_rows``, and their rows must be among their own
    (all of them, where they have no more than ``max_rows``): the first to arrive, where the schema says by what.
    """
    fields = schema.fields(name)
    found = snapshot.arrow().to_pydict()
    columns = dict(snapshot.columns)
    out = [
        Kept(
            int(found["person"][i]),
            int(found["rank"][i]),
            {column: decode(fields[column], found[physical][i]) for column, physical in columns.items()},
        )
        for i in range(len(found["rank"]))
    ]
    shown: dict[int, list[Kept]] = {}
    for row in out:
        shown.setdefault(row.person, []).append(row)
    limit = schema.table(name).unit.max_rows
    wanted = candidates(schema, name, data)
    for rows in shown.values():
        if sorted(row.rank for row in rows) != list(range(1, len(rows) + 1)) or len(rows) > limit:
            raise WrongSnapshot(f"ranks {sorted(row.rank for row in rows)} of one person, at most {limit}")
    if len(wanted) != len(shown):
        raise WrongSnapshot(f"{len(shown)} people, and the source has {len(wanted)}")
    arrival = schema.table(name).unit.arrival

    def arrived(rows: Iterable[Mapping[str, Value]]) -> list[Any]:
        return [] if arrival is None else [row[arrival] for row in rows]

    multisets = [
        (Counter(_frozen(row.values) for row in rows), arrived(row.values for row in sorted(rows, key=_by_rank)))
        for rows in shown.values()
    ]
    own = [
        [(Counter(_frozen(row) for row in rows), sorted(arrived(rows))[:limit]) for rows in choices]
        for choices in wanted
    ]
    fits = [
        [
            any(mine.total() == min(c.total(), limit) and mine <= c and came == first for c, first in choices)
            for choices in own
        ]
        for mine, came in multisets
    ]
    if not _matching(fits):
        raise WrongSnapshot(f"the snapshot's rows {multisets} are not a choice of the source's {own}")
    return out


def _by_rank(row: Kept) -> int:
    return row.rank


def _frozen(values: Mapping[str, Value]) -> tuple[tuple[str, str, str], ...]:
    # the type as well: in Python True equals 1
    return tuple(sorted((name, type(value).__name__, str(value)) for name, value in values.items()))


def _matching(fits: Sequence[Sequence[bool]]) -> bool:
    """Whether each left element can have a right element of its own."""
    taken: dict[int, int] = {}

    def place(left: int, seen: set[int]) -> bool:
        for right, fit in enumerate(fits[left]):
            if fit and right not in seen:
                seen.add(right)
                if right not in taken or place(taken[right], seen):
                    taken[right] = left
                    return True
        return False

    return all(place(left, set()) for left in range(len(fits)))


# ── conditions ────────────────────────────────────────────────────────────────────────────────────────────────────────


def holds(condition: ex.Filter, values: Mapping[str, Value]) -> bool:
    """Whether a row meets the condition: three-valued logic, and only a plain "yes" counts."""
    return _truth(condition, values) is True


def _truth(condition: ex.Filter, values: Mapping[str, Value]) -> bool | None:
    if isinstance(condition, ex.Not):
        inner = _truth(condition.term, values)
        return None if inner is None else not inner
    if isinstance(condition, (ex.And, ex.Or)):
        terms = [_truth(term, values) for term in condition.terms]
        decided = isinstance(condition, ex.Or)
        if decided in terms:
            return decided
        return None if None in terms else not decided
    if isinstance(condition, (Versus, Within)):
        return after_a_feature(condition, values)
    assert isinstance(condition, (ex.Compare, ex.IsIn, ex.Between, ex.IsNull, ex.StartsWith, InCodelist))
    value = values[condition.column]
    if isinstance(condition, ex.IsNull):
        return value is None
    if value is None:
        return None
    if isinstance(condition, InCodelist):
        return value in condition.codes
    if isinstance(condition, ex.StartsWith):
        return str(value)[: len(condition.prefix)] == condition.prefix
    if isinstance(condition, ex.IsIn):
        return any(value == constant(value, item) for item in condition.values)
    if isinstance(condition, ex.Between):
        return bool(constant(value, condition.low) <= value <= constant(value, condition.high))
    other = constant(value, condition.value)
    tests: dict[str, Callable[[], bool]] = {
        "==": lambda: value == other,
        "!=": lambda: value != other,
        "<": lambda: value < other,
        "<=": lambda: value <= other,
        ">": lambda: value > other,
        ">=": lambda: value >= other,
    }
    return tests[condition.op]()


def after_a_feature(condition: Versus | Within, values: Mapping[str, Value]) -> bool | None:
    """A column of events against a feature of the same person, which stands among the values under its own form."""
    one: Any = values[condition.column]
    other: Any = values[condition.feature.key.decode()]
    if one is None or other is None:
        return None
    if isinstance(condition, Within):
        days = one.toordinal() - other.toordinal()  # of the calendar, whatever the time of day
        return (condition.low is None or condition.low <= days) and (condition.high is None or days <= condition.high)
    return bool(OPERATIONS[condition.op](one, other))


OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def constant(value: Value, literal: Any) -> Any:
    """A query's constant in the type of the value that it is compared with."""
    if isinstance(value, bool):
        return literal
    if isinstance(value, Fraction):
        return fraction(literal)
    if isinstance(value, dt.timedelta):
        hours, minutes, *more = str(literal).split(":")
        return dt.timedelta(hours=int(hours), minutes=int(minutes), seconds=float(more[0]) if more else 0)
    if isinstance(value, dt.datetime):
        read = dt.datetime.fromisoformat(literal.strip()) if isinstance(literal, str) else literal
        return read if isinstance(read, dt.datetime) else dt.datetime(read.year, read.month, read.day)
    if isinstance(value, dt.date):
        return dt.date.fromisoformat(literal.strip()) if isinstance(literal, str) else literal
    return str(literal)


# ── group keys ────────────────────────────────────────────────────────────────────────────────────────────────────────

OUTSIDE = object()
"""The label of a row that a key does not report."""


def labels(key: ks.Key, domain: Domain) -> list[Any]:
    """What the key's column of the answer may show, in order."""
    shown: list[Any]
    if isinstance(key, ks.Bins):
        shown = [_bin_label(key.cuts, i) for i in range(len(key.cuts) - 1)]
    elif isinstance(domain, Time):
        count = (domain.hi - domain.lo) // dt.timedelta(**{f"{domain.step}s": 1}) + 1
        every = (domain.lo + dt.timedelta(**{f"{domain.step}s": n}) for n in range(count))
        shown = list(dict.fromkeys(_label(key, gone) for gone in every))
    elif isinstance(key, (ks.DatePart, ks.Period)):
        assert isinstance(domain, (Date, DateTime))
        first, last = (dt.date(end.year, end.month, end.day) for end in (domain.lo, domain.hi))
        times: Iterable[dt.date] = (first + dt.timedelta(days=n) for n in range((last - first).days + 1))
        if "hour" in (getattr(key, "part", ""), getattr(key, "unit", "")):
            assert isinstance(domain, DateTime)
            begun = domain.lo.replace(minute=0, second=0)
            count = (domain.hi - begun) // dt.timedelta(hours=1) + 1
            times = (begun + dt.timedelta(hours=n) for n in range(count))
        shown = sorted({_label(key, time) for time in times})
    elif isinstance(domain, Category):
        shown = list(domain.values)
    elif isinstance(domain, Text):
        shown = sorted(texts(domain))
    elif isinstance(domain, Boolean):
        shown = [False, True]
    elif isinstance(domain, Integer):
        shown = list(range(domain.lo, domain.hi + 1))
    else:
        assert isinstance(domain, Date)
        shown = [domain.lo + dt.timedelta(days=n) for n in range((domain.hi - domain.lo).days + 1)]
    return [*shown, MISSING] if domain.nullable else shown


def _bin_label(cuts: Sequence[Fraction | dt.date | dt.timedelta], i: int) -> str:
    last = i == len(cuts) - 2
    low, high = (number(cut) if isinstance(cut, Fraction) else _time_label(cut) for cut in cuts[i : i + 2])
    return f"[{low}, {high}{']' if last else ')'}"


def _time_label(cut: dt.date | dt.timedelta) -> str:
    """A day, or a moment or a time of day to the minute where it is a whole one."""
    if isinstance(cut, dt.timedelta):
        hours, minutes = divmod(cut.seconds // 60, 60)
        return f"{hours + 24 * cut.days:02d}:{minutes:02d}" + (f":{cut.seconds % 60:02d}" if cut.seconds % 60 else "")
    return str(cut).removesuffix(":00") if isinstance(cut, dt.datetime) else str(cut)


def _midnight(time: dt.date) -> dt.datetime:
    return time if isinstance(time, dt.datetime) else dt.datetime(time.year, time.month, time.day)


def _label(key: ks.Key, value: Value) -> Any:
    """The group of one value."""
    if value is None:
        return MISSING
    if isinstance(key, ks.Bins):
        cuts: list[Any] = [_midnight(cut) if isinstance(cut, dt.date) else cut for cut in key.cuts]
        at: Any = _midnight(value) if isinstance(value, dt.date) else value
        for i in range(len(cuts) - 1):
            last = i == len(cuts) - 2
            if cuts[i] <= at < cuts[i + 1] or (last and at == cuts[-1]):
                return _bin_label(key.cuts, i)
        return OUTSIDE
    if isinstance(value, dt.timedelta):
        return value.seconds // 3600 if isinstance(key, ks.DatePart) else _time_label(value)
    if isinstance(key, (ks.DatePart, ks.Period)):
        assert isinstance(value, dt.date)
        unit = key.part if isinstance(key, ks.DatePart) else key.unit
        quarter = (value.month - 1) // 3 + 1
        if unit == "hour":
            assert isinstance(value, dt.datetime)
            return value.hour if isinstance(key, ks.DatePart) else f"{value.date().isoformat()} {value.hour:02d}:00"
        if isinstance(key, ks.DatePart):
            parts = {"year": value.year, "quarter": quarter, "month": value.month, "weekday": value.weekday() + 1}
            return parts[unit]
        year = f"{value.year:04d}"
        periods = {"year": year, "quarter": f"{year}-Q{quarter}", "month": f"{year}-{value.month:02d}"}
        if unit in periods:
            return periods[unit]
        return (
            f"{year}-{value.month:02d}-{value.day:02d}"
            if unit == "day"
            else week(value, epidemiological=unit != "week")
        )
    return int(value) if isinstance(value, Fraction) else value


def week(value: dt.date, *, epidemiological: bool) -> str:
    """A week by its days: it belongs to the year that has most of them, and is counted from that year's first one."""
    today = dt.date(value.year, value.month, value.day).toordinal()
    first = today - (today % 7 if epidemiological else (today - 1) % 7)  # ordinal 7 was a Sunday, 1 a Monday
    starts = {year: dt.date(year, 1, 1).toordinal() for year in (value.year - 1, value.year) if year > 0}
    starts[value.year + 1] = starts[value.year] + (366 if calendar.isleap(value.year) else 365)
    days = [max(year for year, start in starts.items() if start <= day) for day in range(max(first, 1), first + 7)]
    year = max(set(days), key=days.count)
    number = sum(1 for start in range(first, starts[year] - 7, -7) if start + 3 >= starts[year])
    return f"{year:04d}-{'MMWR' if epidemiological else 'W'}{number:02d}"


def groups(query: Query, fields: Mapping[str, Domain]) -> list[tuple[Any, ...]]:
    """The groups that are reported, in order."""
    lists = [labels(key, fields[key.column]) for key in query.keys]
    every = list(itertools.product(*lists))
    if query.keyset is None:
        return every
    listed = {tuple(MISSING if v is None else str(v) for v in row) for row in query.keyset.rows}
    return [group for group in every if tuple(str(label) for label in group) in listed]


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Answer:
    """The exact bounded answer: names of the columns, then one tuple a group."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def answer(schema: Schema, query: Query, rows: Iterable[Kept]) -> Answer:
    """The answer to a query on the rows that a snapshot kept."""
    return answered(query, schema.fields(query.table), schema.table(query.table).unit, rows)


def answered(query: Query, fields: Mapping[str, Domain], unit: Unit, rows: Iterable[Kept]) -> Answer:
    """The answer to a query on rows of these columns."""
    from tests.aggregates import meaning  # which reads rows as they are kept here
    from tests.derived import computed, with_derived

    fields = with_derived(query.derived, fields)
    rows = [replace(row, values=computed(query.derived, row.values, fields)) for row in rows]
    limit = query.rows if query.rows is not None else unit.default_rows
    reported = groups(query, fields)
    meeting = [row for row in rows if query.condition is None or holds(query.condition, row.values)]
    cap = query.groups
    if cap is not None and cap >= min(unit.max_rows, len(reported)):
        cap = None

    def placed(chosen: list[Kept], most: int | None = None) -> dict[tuple[Any, ...], list[Kept]]:
        out: dict[tuple[Any, ...], list[Kept]] = {group: [] for group in reported}
        entered: dict[int, list[tuple[Any, ...]]] = {}
        taken: Counter[tuple[Any, ...]] = Counter()
        for row in sorted(chosen, key=lambda row: row.rank):
            group = tuple(_label(key, row.values[key.column]) for key in query.keys)
            mine = entered.setdefault(row.person, [])
            if group not in mine:
                mine.append(group)
            if cap is not None and mine.index(group) >= cap:
                continue  # a later group of this person
            taken[row.person, group] += 1
            if most is not None and taken[row.person, group] > most:
                continue  # a later row of this person in the group
            if group in out:
                out[group].append(row)
        return out

    counted = placed([row for row in meeting if row.rank <= limit], query.rows_per_group)
    everything = placed(meeting)  # what counts of people read
    table = []
    for group in reported:
        cells = []
        for _, node in query.aggregates:
            whole = isinstance(node, (agg.CountUnits, agg.Tails))
            cell = meaning(node, fields, everything[group] if whole else counted[group], query)
            cells.append(cell + [0] * (unit.max_rows - len(cell)) if isinstance(node, agg.Tails) else cell)
        table.append((*group, *cells))
    return Answer((*(key.name for key in query.keys), *(name for name, _ in query.aggregates)), tuple(table))
