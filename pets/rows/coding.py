"""Column values to integer codes, as DuckDB SQL: the one place that decides what a cell of data means.

A value is first *staged*: a valid one gets its code (0 to ``cells - 1``), any other gets ``cells`` plus one of the
marks below. So one aggregate pass over staged columns counts every fate for the custodian, and :func:`settle` then
turns the marks into what the rules of the proof say: null, or the nearer bound.

The code of a cell is a function of that cell, its column's declared type and the schema. Where a type may itself depend
on other rows (pandas makes whole numbers floats once one is missing), equal values have equal codes whatever the type:
both the SQL here and ``pets.schema.cells`` start from one canonical text. A date-time with an offset is an instant and
belongs to its day in UTC, in a typed column and as text; one without an offset belongs to the day that is written.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from math import floor

from pets.errors import InternalError
from pets.schema.cells import EXACT, FLOAT_IDS, FLOAT_WHOLES, canonical, doubtful, stands_for
from pets.schema.domain import Boolean, Category, Date, Domain, Identifier
from pets.schema.numeric import Integer, Real

NULL, OUT, UNPARSABLE, BELOW, ABOVE = range(5)
"""Marks: no value; outside the domain; no reading of this type; clamped to the lower or the upper bound."""

MARKS: dict[type[Domain], tuple[int, ...]] = {
    Category: (NULL, OUT),
    Boolean: (NULL, OUT),
    Date: (NULL, OUT, UNPARSABLE),
    Integer: (NULL, UNPARSABLE, BELOW, ABOVE),
    Real: (NULL, UNPARSABLE, BELOW, ABOVE),
}
"""The marks that a column of each kind can bear."""

_YES = ("true", "t", "yes", "y", "1")
_NO = ("false", "f", "no", "n", "0")

_INTS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
_HUGE = {"UBIGINT", "HUGEINT"}
_TYPED = ("int", "huge", "float", "decimal", "bool", "date", "time")

_OFFSET = "^.{10}[ T].*:.*([Zz]|UTC|[+-][0-9:]+)$"  # of a date-time's text: it names an instant


def narrow(top: int) -> str:
    """The narrowest unsigned DuckDB type that holds ``top``."""
    for bits, name in ((8, "UTINYINT"), (16, "USMALLINT"), (32, "UINTEGER")):
        if top < 2**bits:
            return name
    return "UBIGINT"


def code_type(domain: Domain) -> str:
    """The stored type of a column: it holds every code, and null as code ``cells``."""
    return narrow(domain.cells)


def quoted(text: str) -> str:
    """A text as an SQL literal.

    >>> quoted("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def family(kind: str) -> str:
    """What a DuckDB type means to the coder: int, huge, float, decimal, date, time, bool, blob, text, or other.

    The last is read as the text that DuckDB writes.
    """
    kind = kind.upper()
    if kind in _INTS:
        return "int"
    if kind in _HUGE:
        return "huge"
    if kind in ("FLOAT", "DOUBLE"):
        return "float"
    if kind.startswith("TIMESTAMP"):
        return "time"
    if kind.startswith("DECIMAL"):
        return "decimal"
    known = {"DATE": "date", "BOOLEAN": "bool", "VARCHAR": "text", "BLOB": "blob"}
    return known.get(kind, "other")


@dataclass(frozen=True)
class Cell:
    """One raw column: the SQL that reads it and the DuckDB type it has."""

    sql: str
    kind: str

    @property
    def family(self) -> str:
        """See :func:`family`."""
        return family(self.kind)

    @property
    def typed(self) -> bool:
        """Whether it holds values, of which the text is only a spelling: ``3`` then also equals a declared ``3.0``."""
        return self.family in _TYPED

    @property
    def text(self) -> str:
        """SQL for the value's canonical text (``pets.schema.cells``): equal numbers of any type have equal texts."""
        x, plain = self.sql, f"CAST({self.sql} AS VARCHAR)"
        if self.family == "text":
            return x
        if self.family == "blob":
            return f"TRY(decode({x}))"
        if self.family == "decimal":  # DuckDB writes 1.00, and .50 where no digit stands before the point
            short = f"rtrim(rtrim(regexp_replace({plain}, '^(-?)\\.', '\\10.'), '0'), '.')"
            return f"CASE WHEN contains({plain}, '.') THEN {short} ELSE {plain} END"
        if self.family == "float":
            x = f"CAST({x} AS DOUBLE)"
            # -0.0 becomes 0 by the cast
            return (
                f"CASE WHEN isfinite({x}) AND {x} = trunc({x}) AND abs({x}) < 1e38 "
                f"THEN CAST(CAST({x} AS HUGEINT) AS VARCHAR) ELSE CAST({x} AS VARCHAR) END"
            )
        return plain

    def tokens(self, domain: Domain) -> tuple[str, ...]:
        """The texts of this column's type that mean null."""
        if not self.typed:
            return domain.null
        return tuple(text for text, declared in stands_for(domain).items() if declared in domain.null)

    def missing(self, domain: Domain, day: str | None = None) -> str:
        """SQL, never null, that is true where the cell holds no value: null, the empty text, or a declared token.

        ``day`` is the SQL of a date column's day: 1800-01-01T00:00:00 is the same day as a declared 1800-01-01.
        """
        x, tokens = self.sql, self.tokens(domain)
        if self.family in ("int", "huge"):  # numbers compare faster than their texts
            numbers = [t for t in tokens if t.removeprefix("-").isascii() and t.removeprefix("-").isdecimal()]
            same = [t for t in numbers if str(int(t)) == t and abs(int(t)) < 2**120]
            return f"({x} IS NULL OR {x} IN ({', '.join(same)}))" if same else f"({x} IS NULL)"
        if not tokens and self.typed:
            return f"({x} IS NULL)"
        listed = ", ".join(quoted(token) for token in ("", *tokens))
        tests = [f"{self.text} IN ({listed})"] + ([f"CAST({day} AS VARCHAR) IN ({listed})"] if day and tokens else [])
        return f"({x} IS NULL OR {' OR '.join(f'coalesce({test}, false)' for test in tests)})"

    def certain(self, domain: Domain) -> Cell:
        """The same column, refusing floats too large to say which of the domain's whole numbers they are."""
        limit = doubtful(domain)
        if self.family != "float" or not limit:
            return self
        person = isinstance(domain, Identifier)
        least = 2**24 if person and self.kind.upper() == "FLOAT" else EXACT
        error = f"error({quoted(FLOAT_IDS if person else FLOAT_WHOLES)})"
        test = f"abs({self.sql}) BETWEEN {least} AND CAST('{limit!r}' AS DOUBLE)"  # NaN is above infinity
        return replace(self, sql=f"CASE WHEN {test} THEN {error} ELSE {self.sql} END")


@dataclass(frozen=True)
class Coding:
    """How one raw column becomes a staged code.

    Attributes:
        helper: SQL computed once for each row beforehand, under the name given to :func:`coding`, if it is needed.
        stage: SQL of the staged code, over the raw column and the helper.
        setup: statements to run first (an enum type that holds a category's values).
    """

    helper: str | None
    stage: str
    setup: tuple[str, ...] = ()


def coding(domain: Domain, cell: Cell, helper: str, enum: str) -> Coding:
    """The coding of one column; ``helper`` and ``enum`` are free names for it to use."""
    cell = cell.certain(domain)
    if isinstance(domain, Category):
        return _category(domain, cell, helper, enum)
    if isinstance(domain, Boolean):
        return _boolean(domain, cell, helper, enum)
    if isinstance(domain, Date):
        return _date(domain, cell, helper)
    if isinstance(domain, Integer):
        return _integer(domain, cell, helper)
    if isinstance(domain, Real):
        return _real(domain, cell, helper)
    raise InternalError(f"no coding for a column of type {domain.kind}")


def identifier(domain: Identifier, cell: Cell, trim: bool) -> str:
    """SQL of a person's exact id: whole-number columns stay numbers, all else is text; null where there is no id."""
    if cell.family in ("int", "huge"):
        return f"CASE WHEN NOT {cell.missing(domain)} THEN {cell.sql} END"
    sure = cell.certain(domain)
    text = f"trim({sure.text}, E' \\t\\n\\r\\x0b\\x0c')" if trim else sure.text
    listed = ", ".join(quoted(token) for token in ("", *cell.tokens(domain)))
    # NaN is how a float column says that there is no value
    absent = f"isnan({cell.sql}) OR {text} IN ({listed})" if cell.family == "float" else f"{text} IN ({listed})"
    return f"CASE WHEN {absent} THEN NULL ELSE {text} END"


def settle(domain: Domain, column: str) -> str:
    """SQL that turns a staged code into the stored one: clamped values at their bound, every other mark null."""
    kind = code_type(domain)
    marks = MARKS[type(domain)]
    if BELOW not in marks:
        return f"CAST(CASE WHEN {column} < {domain.cells} THEN {column} ELSE {domain.cells} END AS {kind})"
    high = _top(domain) if isinstance(domain, Real) else domain.cells - 1
    return (
        f"CAST(CASE WHEN {column} < {domain.cells} THEN {column} WHEN {column} = {domain.cells + BELOW} THEN 0 "
        f"WHEN {column} = {domain.cells + ABOVE} THEN {high} ELSE {domain.cells} END AS {kind})"
    )


def lacks(domain: Domain, column: str) -> str:
    """SQL that is true where a staged column has no value."""
    if BELOW not in MARKS[type(domain)]:
        return f"{column} >= {domain.cells}"
    return f"{column} BETWEEN {domain.cells} AND {domain.cells + UNPARSABLE}"


def look_up(domain: Category, source: Category, column: str) -> str:
    """SQL of a look-up's code from the staged code of its source column; unmapped and null sources give null."""
    assert domain.lookup is not None
    wanted = domain.lookup.mapping
    targets = [domain.encode(wanted[value]) if value in wanted else domain.cells for value in source.values]
    arms = " ".join(f"WHEN {code} THEN {target}" for code, target in enumerate(targets))
    if len(targets) > 16:  # a list is one step however long it is
        listed = ", ".join(str(target) for target in [*targets, domain.cells, domain.cells])
        found = f"list_extract([{listed}], CAST({column} AS INTEGER) + 1)"
    else:
        found = f"CASE {column} {arms} ELSE {domain.cells} END"
    return f"CAST({found} AS {code_type(domain)})"


def _wide(domain: Domain) -> str:
    return narrow(domain.cells + ABOVE)


def _cases(domain: Domain, cell: Cell, arms: str, day: str | None = None) -> str:
    return f"CAST(CASE WHEN {cell.missing(domain, day)} THEN {domain.cells} {arms} END AS {_wide(domain)})"


def _category(domain: Category, cell: Cell, helper: str, enum: str) -> Coding:
    stands = stands_for(domain) if cell.typed else {}
    texts = [canonical(value) if stands.get(canonical(value)) == value else value for value in domain.values]
    stage = (
        f"CASE WHEN {helper} IS NOT NULL THEN {helper} WHEN {cell.missing(domain)} THEN {domain.cells} "
        f"ELSE {domain.cells + OUT} END"
    )
    return Coding(
        f"enum_code(TRY_CAST({cell.text} AS {enum}))",
        f"CAST({stage} AS {_wide(domain)})",
        (f"CREATE TYPE {enum} AS ENUM ({', '.join(quoted(text) for text in texts)})",),
    )


def _boolean(domain: Boolean, cell: Cell, helper: str, enum: str) -> Coding:
    if cell.family == "bool":
        return Coding(None, _cases(domain, cell, f"WHEN {cell.sql} THEN 1 ELSE 0"))
    words = ", ".join(quoted(word) for word in _YES + _NO)
    found = f"enum_code(TRY_CAST(lower({cell.text}) AS {enum}))"
    arms = f"WHEN {helper} < {len(_YES)} THEN 1 WHEN {helper} IS NOT NULL THEN 0 ELSE {domain.cells + OUT}"
    return Coding(found, _cases(domain, cell, arms), (f"CREATE TYPE {enum} AS ENUM ({words})",))


def _day(value: date) -> str:
    return f"DATE '{value.isoformat()}'"


def _date(domain: Date, cell: Cell, helper: str) -> Coding:
    inside = f"WHEN {helper} BETWEEN {_day(domain.lo)} AND {_day(domain.hi)} THEN {helper} - {_day(domain.lo)}"
    if cell.family in ("date", "time"):
        # an infinite date or time is unequal to every day, so it is out of the domain
        arms = f"{inside} ELSE {domain.cells + OUT}"
        return Coding(f"CAST({cell.sql} AS DATE)", _cases(domain, cell, arms, helper))
    # only ISO text is a date: DuckDB alone would also take 'epoch', 2019/4/1 and other spellings
    text = f"trim({cell.text})"
    instant = f"TRY_CAST(TRY_CAST(regexp_replace({text}, ' +([+-])', '\\1') AS TIMESTAMPTZ) AS DATE)"
    found = (
        f"CASE WHEN length({text}) > 10 AND regexp_matches({text}, {quoted(_OFFSET)}) THEN {instant} "
        f"WHEN {text} LIKE '____-__-__%' THEN TRY_CAST({text} AS DATE) END"
    )
    arms = f"WHEN {helper} IS NULL THEN {domain.cells + UNPARSABLE} {inside} ELSE {domain.cells + OUT}"
    return Coding(found, _cases(domain, cell, arms, helper))


def _clamped(domain: Integer, x: str, low: object, high: object, code: str) -> str:
    return (
        f"CASE WHEN {x} < {low} THEN {domain.cells + BELOW} WHEN {x} > {high} THEN {domain.cells + ABOVE} "
        f"ELSE {code} END"
    )


def _integer(domain: Integer, cell: Cell, helper: str) -> Coding:
    x, lo, hi = cell.sql, domain.lo, domain.hi
    if cell.family in ("int", "huge"):
        arithmetic = "BIGINT" if cell.family == "int" and lo > -(2**63) else "HUGEINT"
        code = f"CAST({x} AS {arithmetic}) - ({lo})"
        return Coding(None, _cases(domain, cell, f"ELSE {_clamped(domain, x, lo, hi, code)}"))
    if cell.family in ("date", "time", "bool"):
        return Coding(None, _cases(domain, cell, f"ELSE {domain.cells + UNPARSABLE}"))
    number = f"CAST({x} AS DOUBLE)" if cell.family == "float" else f"TRY_CAST({cell.text} AS DOUBLE)"
    unreadable = f"{helper} IS NULL OR NOT isfinite({helper}) OR {helper} <> trunc({helper})"
    bad = f"WHEN {unreadable} THEN {domain.cells + UNPARSABLE}"
    whole = f"CAST({helper} AS HUGEINT)"
    near = _clamped(domain, whole, lo, hi, f"{whole} - ({lo})")
    if max(abs(lo), abs(hi)) < EXACT:
        near = _clamped(
            domain, helper, f"CAST({lo} AS DOUBLE)", f"CAST({hi} AS DOUBLE)", f"CAST({helper} AS BIGINT) - ({lo})"
        )
    far = f"CASE WHEN {helper} < 0 THEN {domain.cells + BELOW} ELSE {domain.cells + ABOVE} END"
    if cell.family == "float":
        arms = f"{bad} WHEN abs({helper}) >= 1e30 THEN {far} ELSE {near}"
        return Coding(number, _cases(domain, cell, arms))
    # past 2^53 a double no longer tells whole numbers apart: read the text again, as a decimal of 38 digits
    exact = f"TRY_CAST({cell.text} AS DECIMAL(38, 18))"
    huge = f"CAST({cell.text} AS HUGEINT)"
    beyond = (
        f"CASE WHEN {exact} IS NULL THEN {far} WHEN {exact} <> trunc({exact}) THEN {domain.cells + UNPARSABLE} "
        f"ELSE {_clamped(domain, huge, lo, hi, f'{huge} - ({lo})')} END"
    )
    return Coding(number, _cases(domain, cell, f"{bad} WHEN abs({helper}) < {EXACT} THEN {near} ELSE {beyond}"))


def _double(value: Fraction) -> str:
    return f"CAST('{float(value)!r}' AS DOUBLE)"


def _top(domain: Real) -> int:
    """The code of the upper bound by the same arithmetic as every other value's."""
    lo, hi, step = float(domain.lo), float(domain.hi), float(domain.step)
    return min(floor((hi - lo) / step + 0.5), domain.cells - 1)


def _real(domain: Real, cell: Cell, helper: str) -> Coding:
    if cell.family in ("date", "time", "bool"):
        return Coding(None, _cases(domain, cell, f"ELSE {domain.cells + UNPARSABLE}"))
    typed = cell.family in ("int", "huge", "float")
    number = f"CAST({cell.sql} AS DOUBLE)" if typed else f"TRY_CAST({cell.text} AS DOUBLE)"
    place = f"floor(({helper} - {_double(domain.lo)}) / {_double(domain.step)} + 0.5)"
    last = domain.cells - 1
    arms = (
        f"WHEN {helper} IS NULL OR NOT isfinite({helper}) THEN {domain.cells + UNPARSABLE} "
        f"WHEN {helper} < {_double(domain.lo)} THEN {domain.cells + BELOW} "
        f"WHEN {helper} > {_double(domain.hi)} THEN {domain.cells + ABOVE} "
        f"ELSE CASE WHEN {place} >= CAST({last} AS DOUBLE) THEN {last} ELSE CAST({place} AS BIGINT) END"
    )
    return Coding(number, _cases(domain, cell, arms))
