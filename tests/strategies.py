"""Random schemas, rows and queries, for Hypothesis.

One function for each kind of node, listed in ``DOMAINS``, ``FILTERS`` and ``KEYS`` (for aggregates in the file
``tests/aggregates.py``); a test fails when a new kind has none. Rows are drawn from small pools, so that people repeat,
groups fill up and rows are duplicated; the pools hold the ends of each domain, what lies just outside, and junk.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar

import pyarrow as pa
from hypothesis import strategies as st

from pets.errors import QueryError
from pets.plan.plan import make_plan
from pets.query_model import aggregate as agg
from pets.query_model import expression as ex
from pets.query_model import group_keys as ks
from pets.query_model.codelists.codelist import InCodelist, held_codes
from pets.query_model.query import Query
from pets.schema.schema import (
    Boolean,
    Category,
    Date,
    DateTime,
    Domain,
    Identifier,
    Integer,
    Lookup,
    Real,
    Schema,
    Table,
    Text,
    Time,
    Unit,
)
from tests import oracle
from tests.derived import DERIVED, with_derived

T = TypeVar("T")
Moment = TypeVar("Moment", bound=dt.date)
Draw = Callable[[st.SearchStrategy[T]], T]
Fields = Mapping[str, Domain]

PEOPLE = 64
"""The public bound on people, small enough that sums over extreme ranges still fit in 62 bits."""

MAX_GROUPS = 400
"""Groups of a random query: enough for three keys, few enough for many examples a minute."""


@dataclass(frozen=True)
class Case:
    """A schema, rows for its tables, and a query on one of them."""

    schema: Schema
    data: dict[str, list[dict[str, Any]]]
    query: Query

    @property
    def table(self) -> str:
        """The queried table."""
        return self.query.table

    def sources(self) -> dict[str, pa.Table]:
        """The rows as pets reads them."""
        return {name: source(self.schema.table(name), rows) for name, rows in self.data.items()}

    def __repr__(self) -> str:
        lines = [f"schema {self.schema.to_json()}", f"query {self.query.to_json()}"]
        for name, rows in self.data.items():
            lines += [f"{name}:", *(f"  {row}" for row in rows)]
        return "\n".join(lines)


def source(table: Table, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as Arrow: a column of texts, or of one native type where no cell is a text."""
    names = list(table.columns) or ["nothing"]
    arrays = {}
    for name in names:
        cells = [row.get(name) for row in rows]
        found = {type(cell) for cell in cells if cell is not None}
        kinds = {
            bool: pa.bool_(),
            int: pa.int64(),
            float: pa.float64(),
            dt.date: pa.date32(),
            dt.datetime: pa.timestamp("us"),
            dt.time: pa.time64("us"),
        }
        arrays[name] = pa.array(cells, type=kinds[found.pop()] if len(found) == 1 and str not in found else pa.string())
    return pa.table(arrays)


# ── domains ───────────────────────────────────────────────────────────────────────────────────────────────────────────

TEXTS = (
    "a",
    "b",
    "é",
    "x y",
    "it's",
    '"q"',
    "0",
    "1",
    "1.0",
    " a",
    "A",
    "null",
    "NaN",
    "true",
    "[0, 10)",
    "-",
    "%s",
    "?",
)


def _shared(draw: Draw[Any], tokens: Sequence[str]) -> dict[str, Any]:
    """What every domain states."""
    out: dict[str, Any] = {"nullable": draw(st.integers(0, 3)) > 0}
    if draw(st.integers(0, 3)) == 0:
        out["null"] = (draw(st.sampled_from(tokens)),)
    return out


def _category(draw: Draw[Any]) -> Domain:
    shared = _shared(draw, ("n/a", "99", "None"))
    return Category(draw(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=4, unique=True)), **shared)


def _integer(draw: Draw[Any]) -> Domain:
    top = 2**63 - 1
    lo, hi = draw(
        st.one_of(
            st.tuples(st.integers(-5, 5), st.integers(0, 8)).map(lambda p: (p[0], p[0] + p[1])),
            st.tuples(st.integers(-1000, 1000), st.integers(100, 2000)).map(lambda p: (p[0], p[0] + p[1])),
            st.sampled_from(
                [
                    (-top - 1, -top + 9),
                    (top - 9, top),
                    (-(2**31), 2**31 - 1),
                    (0, 2**53 + 1),
                    (-(2**45), 2**45),
                    (0, 2**62 - 1),
                    (-(2**61), 2**61 - 1),
                ]
            ),
        )
    )
    return Integer(lo, hi, **_shared(draw, ("-1", "999", "?")))


def _real(draw: Draw[Any]) -> Domain:
    step = draw(st.sampled_from(["0.01", "0.1", "0.5", "1", "1", "2.5", "3", "1e-6", "1/3", "1000000"]).map(Fraction))
    lo = draw(st.sampled_from(["0", "0.5", "-1.25", "0.1", "-1000000", "123456.789"]).map(Fraction))
    cells = draw(st.sampled_from([0, 1, 2, 5, 40, 1000, 100_000, 2**33]))
    return Real(lo, lo + step * cells, step, **_shared(draw, ("-1", "-1.0", "n/a")))


def _date(draw: Draw[Any]) -> Domain:
    lo = draw(st.sampled_from([dt.date(2019, 12, 30), dt.date(2020, 2, 28), dt.date(1, 1, 1), dt.date(1899, 12, 31)]))
    days = draw(st.sampled_from([0, 1, 3, 40, 370, 1500]))
    lo = dt.date(9999, 12, 31) - dt.timedelta(days) if draw(st.integers(0, 9)) == 0 else lo
    return Date(lo, lo + dt.timedelta(days), **_shared(draw, ("1800-01-01", "?", lo.isoformat())))


DAY = dt.timedelta(days=1)
STEPS = {"second": dt.timedelta(seconds=1), "minute": dt.timedelta(minutes=1), "hour": dt.timedelta(hours=1)}


def _datetime(draw: Draw[Any]) -> Domain:
    step = draw(st.sampled_from(sorted(STEPS)))
    lo = draw(st.sampled_from([dt.datetime(2020, 2, 28, 22), dt.datetime(1, 1, 1), dt.datetime(1969, 12, 30, 5)]))
    length = draw(st.sampled_from([0, 1, 3, 40, 400, 20_000])) * STEPS[step]
    length += draw(st.sampled_from([dt.timedelta(0), dt.timedelta(days=400)]))
    lo = dt.datetime(9999, 12, 31, 23, 59, 59) - length if draw(st.integers(0, 9)) == 0 else lo
    lo -= (lo - dt.datetime.min) % STEPS[step]
    tokens = ("1800-01-01 00:00", "?", lo.isoformat(" "), (lo + length).isoformat())
    return DateTime(lo, lo + length, step, **_shared(draw, tokens))


def _time_of_day(draw: Draw[Any]) -> Domain:
    step = draw(st.sampled_from(sorted(STEPS)))
    length = min(draw(st.sampled_from([0, 1, 3, 9, 40, 700, 90_000])) * STEPS[step], dt.timedelta(hours=23))
    lo = draw(st.sampled_from([dt.timedelta(), dt.timedelta(hours=1), dt.timedelta(days=1) - length - STEPS[step]]))
    lo -= lo % STEPS[step]
    hi = min(lo + length, dt.timedelta(days=1) - STEPS[step])
    format_ = draw(st.sampled_from([None, None, "hhmm", "hhmmss"]))
    return Time(lo, hi, step, format=format_, **_shared(draw, ("00:00", "?", _said(hi), "0")))


def _boolean(draw: Draw[Any]) -> Domain:
    return Boolean(**_shared(draw, ("?", "n/a", "0")))


def _identifier(draw: Draw[Any]) -> Domain:
    return Identifier(null=("0",)) if draw(st.integers(0, 4)) == 0 else Identifier()


def _text(draw: Draw[Any]) -> Domain:
    form = draw(st.sampled_from(["any", "letters_digits", "icd10"]))
    return Text(draw(st.sampled_from([3, 5] if form == "icd10" else [1, 3])), form=form, **_shared(draw, ("NA", "99")))


DOMAINS: dict[type[Domain], Callable[[Draw[Any]], Domain]] = {
    Category: _category,
    Integer: _integer,
    Real: _real,
    Date: _date,
    DateTime: _datetime,
    Time: _time_of_day,
    Boolean: _boolean,
    Text: _text,
    Identifier: _identifier,
}


@st.composite
def domains(draw: Draw[Any], kind: type[Domain] | None = None) -> Domain:
    """A domain of some kind."""
    # numbers twice: half of the aggregates need one
    kinds = [Integer, Real, Category, Date, DateTime, Time, Boolean, Text, Integer, Real]
    return DOMAINS[kind if kind is not None else draw(st.sampled_from(kinds))](draw)


def _lookup(draw: Draw[Any], columns: dict[str, Domain]) -> tuple[str, Category] | None:
    """A category that is a function of another one."""
    plain = {name: domain for name, domain in columns.items() if isinstance(domain, Category)}
    if not plain:
        return None
    name = draw(st.sampled_from(sorted(plain)))
    values = ("up", "down")
    keys = draw(st.lists(st.sampled_from(list(plain[name].values)), min_size=1, unique=True))
    mapping = {key: draw(st.sampled_from(values)) for key in keys}
    return f"of {name}", Category(values, lookup=Lookup(name, mapping), nullable=draw(st.booleans()))


NAMES = ("c", "Group", "a b", 'q"t', "it's", "é", "rank", "person", "n", "c1")


@st.composite
def schemas(draw: Draw[Any], *, person_table: bool | None = None, by_row: bool | None = None) -> Schema:
    """A schema whose table ``t`` can be queried, with or without a person table ``p``."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True))
    columns: dict[str, Domain] = {name: draw(domains()) for name in names}
    if draw(st.integers(0, 3)) == 0:
        found = _lookup(draw, columns)
        if found is not None:
            columns[found[0]] = found[1]
    if by_row if by_row is not None else draw(st.integers(0, 7)) == 0:
        return Schema({"t": Table(Unit(None), columns, people=PEOPLE)})
    most = draw(st.integers(1, 12))
    ranked = [[name] for name in columns] + [names[:2]] if draw(st.booleans()) else []
    arrivals = [n for n, one in columns.items() if isinstance(one, (Date, DateTime, Integer)) and not one.nullable]
    arrival = draw(st.one_of(st.none(), st.sampled_from(arrivals))) if arrivals else None
    unit = Unit("id", most, draw(st.one_of(st.none(), st.integers(1, most))), draw(st.booleans()), ranked, arrival)
    ids = draw(domains(Identifier))
    if draw(st.integers(0, 5)) == 0:
        columns["other id"] = draw(domains(Identifier))
    attached = person_table if person_table is not None else draw(st.integers(0, 3)) == 0
    tables = {"t": Table(unit, {"id": ids} | columns, "p" if attached else None, people=PEOPLE)}
    if attached:
        own = {
            f"p {name}": draw(domains())
            for name in draw(st.lists(st.sampled_from(("x", "y")), min_size=1, unique=True))
        }
        tables["p"] = Table(Unit("pid", 1, trim=unit.trim), {"pid": Identifier()} | own, people=PEOPLE)
    return Schema(tables)


# ── rows ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

JUNK = ("", "junk", "  ", "NaN", "inf", "-inf", "1e999", "1,5", "0x10", "null", "2020-13-45", "'; DROP TABLE snap; --")


def cells(domain: Domain, native: bool) -> list[Any]:
    """The cells that a column of this domain may hold: its ends, its middle, just outside, null and junk.

    ``native``: numbers, dates and booleans as such, else all as text.
    """
    out: list[Any]
    if isinstance(domain, Category):
        return [*domain.values, *domain.values, *domain.null, *JUNK, "other", f"{domain.values[0]} ", None]
    if isinstance(domain, Text):
        texts = oracle.texts(domain)
        odd = ["i2.1", " I21 ", "A00.1", "missing", " missing", "longer than any", "a\tb", "\x7f", "é"]
        return [0, 1, 12, None] if native else [*texts, *texts, *texts, *odd, *domain.null, *JUNK, None]
    if isinstance(domain, Boolean):
        words = ["true", "False", "T", "no", "1", "0", "y", "maybe", " true"]
        return [True, False, None] if native else [*words, *domain.null, *JUNK, None]
    if isinstance(domain, Date):
        inside = [
            domain.lo,
            domain.hi,
            domain.lo + (domain.hi - domain.lo) // 2,
            domain.lo + (domain.hi - domain.lo) // 3,
        ]
        days = inside + [day for day in (_shift(domain.lo, -DAY), _shift(domain.hi, DAY)) if day is not None]
        texts = [day.isoformat() for day in days]
        timed = [f"{text}T10:30:00" for text in texts[:2]] + [f"{texts[0]} 00:00:00", f" {texts[1]} "]
        return [*days, None] if native else [*texts, *texts[:4], *timed, *domain.null, *JUNK, "2020-1-1", None]
    if isinstance(domain, DateTime):
        return _times(domain, native)
    if isinstance(domain, Time):
        return _times_of_day(domain, native)
    if isinstance(domain, Integer):
        middle = (domain.lo + domain.hi) // 2
        near = [domain.lo, domain.hi, middle, middle + 1, domain.lo + 1, domain.hi - 1, domain.lo - 1, domain.hi + 1, 0]
        if native:
            return [n for n in near if -(2**63) <= n < 2**63] + [None]
        # texts are read as doubles first, which hold no halves of numbers from 2^52 on
        half = f"{middle}.5" if abs(middle) < 2**50 else "0.5"
        texts = [str(n) for n in near] + [f"{middle}.0", half, f" {domain.lo} ", "1e3", "-1e20", "1e30", "+1"]
        return [*texts, *texts[:6], *domain.null, *JUNK, None]
    if isinstance(domain, Real):
        lo, hi, step = float(domain.lo), float(domain.hi), float(domain.step)
        middle_ = (lo + hi) / 2
        out = [lo, hi, middle_, lo + step / 2, hi - step / 2, lo + step * 0.499, lo - step, hi + step * 100, lo + 0.1]
        out += [math.nextafter(lo, -math.inf), math.nextafter(hi, math.inf), lo + step * 1.5, 0.0, -0.0, 1e300]
        if native:
            return [*out, math.inf, -math.inf, math.nan, None]
        return [*(repr(x) for x in out), "1e2", ".5", "-7.", *domain.null, *JUNK, None]
    raise TypeError(f"no cells for {domain}")


def _times(domain: DateTime, native: bool) -> list[Any]:
    step, tick = STEPS[domain.step], dt.timedelta(microseconds=1)
    spots = [
        domain.lo,
        domain.hi,
        domain.lo + (domain.hi - domain.lo) // 2,
        domain.lo + (domain.hi - domain.lo) // 3,
    ]
    near = [(domain.lo, -tick), (domain.lo, step - tick), (domain.hi, step - tick), (domain.hi, step)]
    times = spots + [time for time in (_shift(*pair) for pair in near) if time is not None]
    texts = [time.isoformat(" ") for time in times]
    odd = [times[0].isoformat(), f" {texts[1]} ", times[1].date().isoformat(), f"{texts[0][:19]}.9999999"]
    if native:
        return [*times, None]
    return [*texts, *texts[:4], *odd, *domain.null, *JUNK, "2020-1-1 10:00", None]


def _said(gone: dt.timedelta) -> str:
    """What has gone since midnight, as DuckDB and Python write a time of day."""
    return f"{gone.seconds // 3600 + 24 * gone.days:02d}:{gone.seconds // 60 % 60:02d}:{gone.seconds % 60:02d}"


def _times_of_day(domain: Time, native: bool) -> list[Any]:
    step, tick, day = STEPS[domain.step], dt.timedelta(microseconds=1), dt.timedelta(days=1)
    middle = domain.lo + (domain.hi - domain.lo) // 2
    spots = [domain.lo, domain.hi, middle, domain.lo - tick, domain.lo + step - tick, domain.hi + step]
    inside = [spot for spot in spots if dt.timedelta() <= spot < day]
    if native:
        return [*((dt.datetime.min + spot).time() for spot in inside), None]
    texts = [(dt.datetime.min + spot).time().isoformat() for spot in inside]
    plain = _said(domain.lo)
    odd = [plain[:5], plain.removeprefix("0"), f" {plain} ", f"{plain}.9999999", f"{plain}+05:30", "24:00", "24:00:01"]
    odd += [plain.replace(":", ""), plain[:5].replace(":", ""), "830", "23:60", "12:00 PM", "2020-01-01 10:00"]
    return [*texts, *texts, *odd, *domain.null, *JUNK, None]


def _shift(time: Moment, by: dt.timedelta) -> Moment | None:
    try:
        return time + by
    except OverflowError:
        return None


IDS = (
    "1",
    "2",
    "3",
    "x",
    "1 ",
    " 2",
    "01",
    "1.0",
    "é",
    "",
    " ",
    "0",
    "a very long pseudonym of a person, 64 characters or so",
)


@st.composite
def rows(draw: Draw[Any], schema: Schema, name: str, ids: Sequence[Any], size: int = 24) -> list[dict[str, Any]]:
    """Rows of one table: a few different ones, each belonging to a few people, some of them several times."""
    table = schema.table(name)
    pools: dict[str, list[Any]] = {}
    for column, domain in table.columns.items():
        if column == table.unit.column:
            continue
        if isinstance(domain, Identifier):
            pools[column] = ["e1", "e2", None]
        elif not (isinstance(domain, Category) and domain.lookup is not None):
            pools[column] = draw(
                st.lists(st.sampled_from(cells(domain, draw(st.booleans()))), min_size=1, max_size=6, unique_by=repr)
            )
    templates = draw(
        st.lists(st.fixed_dictionaries({c: st.sampled_from(pool) for c, pool in pools.items()}), min_size=1, max_size=6)
    )
    least = draw(st.sampled_from([min(n, size) for n in (6, 16, 0)]))
    pick = st.tuples(st.integers(0, len(templates) - 1), st.sampled_from(list(ids)))
    picks = draw(st.lists(pick, min_size=least, max_size=size))
    out = []
    for index, person in picks:
        row = dict(templates[index])
        if table.unit.column is not None:
            row[table.unit.column] = person
        out.append(row)
    return out


@st.composite
def datasets(draw: Draw[Any], schema: Schema, size: int = 24) -> dict[str, list[dict[str, Any]]]:
    """Rows for every table that a query on ``t`` reads."""
    ids: list[Any]
    if draw(st.integers(0, 4)) == 0:
        ids = draw(st.lists(st.sampled_from([1, 2, 3, -4, 2**60, None]), min_size=1, max_size=5, unique=True))
    else:
        ids = draw(st.lists(st.one_of(st.sampled_from(IDS), st.none()), min_size=1, max_size=5, unique=True))
    data = {"t": draw(rows(schema, "t", ids, size))}
    if schema.table("t").person_table is not None:
        found = draw(rows(schema, "p", ids, 6))
        if draw(st.booleans()):  # as it should be: one row per person
            found = list({row["pid"]: row for row in found}.values())
        data["p"] = found
    return data


# ── constants ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def constants(domain: Domain) -> list[Any]:
    """Public constants that a column of this domain may be compared with: inside, at the ends, outside."""
    if isinstance(domain, Category):
        return list(domain.values)
    if isinstance(domain, Boolean):
        return [True, False]
    if isinstance(domain, Text):
        return list(oracle.texts(domain))
    if isinstance(domain, Date):
        days = [domain.lo, domain.hi, domain.lo + (domain.hi - domain.lo) // 2, dt.date(2020, 2, 29)]
        outside = [day for day in (_shift(domain.lo, -DAY), _shift(domain.hi, DAY)) if day is not None]
        return [*days, *outside, domain.lo.isoformat(), dt.datetime(2020, 3, 1)]
    if isinstance(domain, DateTime):
        step_, tick = STEPS[domain.step], dt.timedelta(microseconds=1)
        near = [(domain.lo, step_), (domain.lo, -tick), (domain.lo, tick), (domain.hi, -tick), (domain.hi, step_)]
        moved = [time for time in (_shift(*pair) for pair in near) if time is not None]
        middle_ = domain.lo + (domain.hi - domain.lo) // 2
        return [domain.lo, domain.hi, middle_, *moved, domain.lo.date(), domain.hi.isoformat(" "), "2020-03-01"]
    if isinstance(domain, Time):
        half, day = STEPS[domain.step] / 2, dt.timedelta(days=1)
        near = [domain.lo, domain.hi, domain.lo + half, domain.hi + 2 * half, domain.lo - 2 * half, day / 2]
        texts = [_said(gone) for gone in near if dt.timedelta() <= gone <= day]
        return [*texts, texts[0][:5], "24:00", dt.time(9, 30), dt.time(23, 59, 59, 999_999)]
    assert isinstance(domain, (Integer, Real))
    lo, hi, step = domain.origin, domain.origin + (domain.cells - 1) * domain.spacing, domain.spacing
    middle = lo + (domain.cells // 2) * step
    out = [lo, hi, middle, lo + step, hi - step, lo - step, hi + step, middle + step / 2, lo - step / 3, Fraction(0)]
    return [int(x) if x.denominator == 1 else x for x in out] + [float(middle), 10**30]


# ── conditions ────────────────────────────────────────────────────────────────────────────────────────────────────────


def pick(draw: Draw[Any], fields: Fields, *kinds: type[Domain]) -> str | None:
    found = sorted(name for name, domain in fields.items() if isinstance(domain, kinds))
    return draw(st.sampled_from(found)) if found else None


QUERYABLE = (Category, Boolean, Text, Date, DateTime, Time, Integer, Real)


def _compare(draw: Draw[Any], fields: Fields, depth: int) -> ex.Filter | None:
    name = pick(draw, fields, *QUERYABLE)
    if name is None:
        return None
    ordered = isinstance(fields[name], (Date, DateTime, Time, Integer, Real))
    op = draw(st.sampled_from(ex.OPERATORS if ordered else ex.OPERATORS[:2]))
    return ex.Compare(name, op, draw(st.sampled_from(constants(fields[name]))))


def _isin(draw: Draw[Any], fields: Fields, depth: int) -> ex.Filter | None:
    name = pick(draw, fields, *QUERYABLE)
    if name is None:
        return None
    return ex.IsIn(name, tuple(draw(st.lists(st.sampled_from(constants(fields[name])), min_size=1, max_size=5))))


def _between(draw: Draw[Any], fields: Fields, depth: int) -> ex.Filter | None:
    name = pick(draw, fields, Date, DateTime, Time, Integer, Real)
    if name is None:
        return None
    return ex.Between(name, *(draw(st.sampled_from(constants(fields[name]))) for _ in range(2)))


def _is_null(draw: Draw[Any], fields: Fields, depth: int) -> ex.Filter | None:
    name = pick(draw, fields, *QUERYABLE)
    return None if name is None else ex.IsNull(name)


def _starts_with(draw: Draw[Any], fields: Fields, depth: int) -> ex.Filter | None:
    name = pick(draw, fields, Category)
    domain = None if name is None else fields[name]
    if name is None or not isinstance(domain, Category):
        return None
    value = draw(st.sampled_from(list(domain.values)))
    return ex.StartsWith(name, value[: draw(st.integers(1, len(value)))])


def _codelist(draw: Draw[Any], fields: Fields, depth: int) -> ex.Filter | None:
    name = pick(draw, fields, Category, Text)
    if name is None:
        return None
    some = [str(value) for value in constants(fields[name])]
    unknown = draw(st.lists(st.sampled_from(["no such code", "x" * 200, "\u00e9-1"]), max_size=2))
    listed = draw(st.lists(st.sampled_from(some), min_size=1, max_size=5))
    found = InCodelist(name, tuple(listed + unknown))
    return found if held_codes(found.codes, fields[name]) else None


def _terms(draw: Draw[Any], fields: Fields, depth: int) -> tuple[ex.Filter, ...] | None:
    terms = [some_condition(draw, fields, depth - 1) for _ in range(draw(st.integers(1, 3)))]
    found = tuple(term for term in terms if term is not None)
    return found or None


def _and(draw: Draw[Any], fields: Fields, depth: int) -> ex.Filter | None:
    terms = _terms(draw, fields, depth)
    return None if terms is None else ex.And(terms)


def _or(draw: Draw[Any], fields: Fields, depth: int) -> ex.Filter | None:
    terms = _terms(draw, fields, depth)
    return None if terms is None else ex.Or(terms)


def _not(draw: Draw[Any], fields: Fields, depth: int) -> ex.Filter | None:
    term = some_condition(draw, fields, depth - 1)
    return None if term is None else ex.Not(term)


FILTERS: dict[type[ex.Filter], Callable[[Draw[Any], Fields, int], ex.Filter | None]] = {
    ex.Compare: _compare,
    ex.IsIn: _isin,
    ex.Between: _between,
    ex.IsNull: _is_null,
    ex.StartsWith: _starts_with,
    InCodelist: _codelist,
    ex.And: _and,
    ex.Or: _or,
    ex.Not: _not,
}


def some_condition(draw: Draw[Any], fields: Fields, depth: int) -> ex.Filter | None:
    """A condition; ``None`` where no column has any."""
    leaves = [ex.Compare, ex.IsIn, ex.Between, ex.IsNull, ex.StartsWith, InCodelist]
    return FILTERS[draw(st.sampled_from(list(FILTERS) if depth > 0 else leaves))](draw, fields, depth)


@st.composite
def filters(draw: Draw[Any], fields: Fields, depth: int = 3) -> ex.Filter | None:
    """A condition; ``None`` where no column has any."""
    return some_condition(draw, fields, depth)


# ── group keys ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _column_key(draw: Draw[Any], fields: Fields, label: str) -> ks.Key | None:
    small = {n: d for n, d in fields.items() if isinstance(d, (Category, Boolean, Date, Integer)) and d.cells <= 60}
    small |= {n: d for n, d in fields.items() if isinstance(d, Time) and d.step != "second" and d.cells <= 60}
    small |= {n: d for n, d in fields.items() if isinstance(d, Text)}  # of which a key set lists some
    name = pick(draw, small, Domain)
    return None if name is None else ks.ColumnKey(name, label)


def edges(draw: Draw[Any], domain: Domain) -> list[Any]:
    """Two to five increasing bin edges, on the grid or off it, inside the domain or not."""
    if isinstance(domain, (Date, DateTime)):
        return _time_edges(draw, domain)
    if isinstance(domain, Time):
        spots = draw(st.lists(st.integers(0, 1920), min_size=2, max_size=5, unique=True))
        return [_said(spot * dt.timedelta(seconds=45)) for spot in sorted(spots)]
    numbers = sorted({Fraction(c) for c in constants(domain) if not isinstance(c, float)})
    found = draw(st.lists(st.sampled_from(numbers), min_size=2, max_size=5, unique=True))
    return sorted(found)


def _time_edges(draw: Draw[Any], domain: Date | DateTime) -> list[dt.date]:
    """Days, and of date-times moments too, also within a step."""
    low, high = (dt.datetime(end.year, end.month, end.day) for end in (domain.lo, domain.hi))
    first = max(low, dt.datetime(1, 1, 3)) - dt.timedelta(days=2)
    by = dt.timedelta(days=1) if isinstance(domain, Date) else dt.timedelta(hours=5, minutes=20, seconds=30)
    most = (min(high, dt.datetime(9999, 12, 29)) + dt.timedelta(days=2) - first) // by
    steps = draw(st.lists(st.integers(0, most), min_size=2, max_size=5, unique=True))
    times = [first + by * step for step in sorted(steps)]
    return [time.date() for time in times] if isinstance(domain, Date) else list(times)


def _bins(draw: Draw[Any], fields: Fields, label: str) -> ks.Key | None:
    name = pick(draw, fields, Integer, Real, Date, DateTime, Time)
    return None if name is None else ks.Bins(name, label, tuple(edges(draw, fields[name])))


def _date_part(draw: Draw[Any], fields: Fields, label: str) -> ks.Key | None:
    name = pick(draw, fields, Date, DateTime, Time)
    if name is not None and isinstance(fields[name], Time):
        return ks.DatePart(name, label, "hour")
    parts = ks.PARTS if name is not None and isinstance(fields[name], DateTime) else ks.PARTS[:-1]
    return None if name is None else ks.DatePart(name, label, draw(st.sampled_from(parts)))


def _period(draw: Draw[Any], fields: Fields, label: str) -> ks.Key | None:
    name = pick(draw, fields, Date, DateTime)
    steps = ks.STEPS if name is not None and isinstance(fields[name], DateTime) else ks.STEPS[:-1]
    return None if name is None else ks.Period(name, label, draw(st.sampled_from(steps)))


KEYS: dict[type[ks.Key], Callable[[Draw[Any], Fields, str], ks.Key | None]] = {
    ks.ColumnKey: _column_key,
    ks.Bins: _bins,
    ks.DatePart: _date_part,
    ks.Period: _period,
}


@st.composite
def group_keys(draw: Draw[Any], fields: Fields, most: int = 3) -> tuple[ks.Key, ...]:
    """Up to three keys, each with a name of its own and not too many groups together."""
    out: list[ks.Key] = []
    groups = 1
    for index in range(draw(st.integers(0, most))):
        key = KEYS[draw(st.sampled_from(list(KEYS)))](draw, fields, "")
        if key is None:
            continue
        groups *= len(oracle.labels(key, fields[key.column]))
        if groups > MAX_GROUPS:
            break
        if draw(st.integers(0, 3)) == 0 or key.name in [other.name for other in out]:
            key = type(key)(**(vars(key) | {"label": f"key {index}"}))
        out.append(key)
    return tuple(out)


def _keyset(draw: Draw[Any], keys: Sequence[ks.Key], fields: Fields) -> ks.KeySet:
    """Some of the groups, in any order."""
    lists = [oracle.labels(key, fields[key.column]) for key in keys]
    row = st.tuples(*(st.sampled_from(labels) for labels in lists))
    found = draw(st.lists(row, min_size=1, max_size=6, unique_by=lambda row: tuple(map(str, row))))
    if draw(st.booleans()):
        found = [tuple(None if label == oracle.MISSING else label for label in row) for row in found]
    # (a text that says missing is no value, so the group of those without one is listed as None)
    texts = [isinstance(fields[key.column], Text) for key in keys]
    found = [
        tuple(None if is_text and label == oracle.MISSING else label for label, is_text in zip(row, texts, strict=True))
        for row in found
    ]
    return ks.KeySet(tuple(key.name for key in keys), tuple(found))


# ── queries ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@st.composite
def with_columns(draw: Draw[Any], schema: Schema) -> Query:
    """A query with up to three derived columns that the schema allows, some of them made of others."""
    query = Query("t")
    for index in range(draw(st.integers(1, 3))):
        fields = with_derived(query.derived, schema.fields("t"))
        node = DERIVED[draw(st.sampled_from(list(DERIVED)))].drawn(draw, fields)
        if node is None:
            continue
        made = query.with_columns(**{f"made {index}": node})
        if _allowed(made.agg(m0=agg.Count()), schema):  # its codes fit, and it leaves no year of the calendar
            query = made
    return query


@st.composite
def queries(draw: Draw[Any], schema: Schema, kinds: Sequence[type[agg.Aggregate]] = ()) -> Query:
    """A query on table ``t`` that the schema allows: filter, keys, key set, up to five aggregates, bounds.

    Aggregates that the plan refuses (their sums could pass 2^62, a clip leaves one value) are left out.
    """
    from tests.aggregates import AGGREGATES  # which draws its columns and conditions from here

    query = Query("t")
    fields: Fields = schema.fields("t")
    if draw(st.integers(0, 2)) == 0:
        query = draw(with_columns(schema))
        fields = with_derived(query.derived, fields)
    condition = draw(filters(fields)) if draw(st.integers(0, 2)) == 0 else None
    if condition is not None:
        query = query.where(condition)
    keys = draw(group_keys(fields))
    texts = any(isinstance(fields[key.column], Text) for key in keys)
    if keys and (texts or draw(st.integers(0, 2)) == 0):
        query = query.group_by(_keyset(draw, keys, fields), *keys)
    elif keys:
        query = query.group_by(*keys)
    unit = schema.table("t").unit
    query = query.bound(
        rows=draw(st.one_of(st.none(), st.integers(1, unit.max_rows))),
        groups=draw(st.one_of(st.none(), st.integers(1, 4))),
        rows_per_group=draw(st.one_of(st.none(), st.none(), st.integers(1, 3))),
    )
    wanted = list(kinds) or draw(st.lists(st.sampled_from(list(AGGREGATES)), min_size=2, max_size=5))
    found = [AGGREGATES[kind].drawn(draw, fields) for kind in wanted]
    named = {f"m{i}": node for i, node in enumerate(found) if node is not None}
    allowed = {name: node for name, node in named.items() if _allowed(query.agg(**{name: node}), schema)}
    asked = query.agg(**allowed)
    return asked if allowed and _allowed(asked, schema) else query.agg(m0=agg.Count())  # ("n" may be a key)


def _allowed(query: Query, schema: Schema) -> bool:
    try:
        make_plan(query, schema)
    except QueryError:
        return False
    return True


@st.composite
def cases(draw: Draw[Any], size: int = 24, **schema: Any) -> Case:
    """A schema, rows and a query."""
    found = draw(schemas(**schema))
    return Case(found, draw(datasets(found, size)), draw(queries(found)))
