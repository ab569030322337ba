"""Column values to integer codes, as DuckDB SQL: the one place that decides what a cell of data means.

A value is first *staged*: a valid one gets its code (0 to ``cells - 1``), any other gets ``cells`` plus one of the
marks below. So one aggregate pass over staged columns counts every fate for the custodian, and :func:`settle` then
turns the marks into what the rules of the proof say: null, or the nearer bound.

The code of a cell is a function of that cell, its column's declared type and the schema. Where a type may itself depend
on other rows (pandas makes whole numbers floats once one is missing), equal values have equal codes whatever the type:
both the SQL here and ``pets.schema.cells`` start from one canonical text. A date-time with an offset is an instant and
is read on the clock of the column's zone, in a typed column and as text; one without an offset is what is written.
"""

from __future__ import annotations

from pets.errors import InternalError
from pets.rows.coding.cell import (
    ABOVE,
    BELOW,
    NULL,
    OUT,
    UNPARSABLE,
    Cell,
    Coding,
    cases,
    code_type,
    quoted,
    trimmed,
    wide,
)
from pets.rows.coding.clocks import clock
from pets.rows.coding.numbers import integer, real
from pets.rows.coding.texts import BROKEN, text
from pets.rows.coding.times import calendar
from pets.schema.cells import canonical, stands_for
from pets.schema.clock.time_of_day import Time
from pets.schema.dates import Calendar, Date, DateTime
from pets.schema.domain import NO, YES, Boolean, Category, Domain, Identifier
from pets.schema.numeric import Integer, Real
from pets.schema.text_column import Text

MARKS: dict[type[Domain], tuple[int, ...]] = {
    Category: (NULL, OUT),
    Boolean: (NULL, OUT),
    Text: (NULL, OUT),
    Date: (NULL, OUT, UNPARSABLE),
    DateTime: (NULL, OUT, UNPARSABLE),
    Time: (NULL, OUT, UNPARSABLE),
    Integer: (NULL, UNPARSABLE, BELOW, ABOVE),
    Real: (NULL, UNPARSABLE, BELOW, ABOVE),
}
"""The marks that a column of each kind can bear."""


def coding(domain: Domain, cell: Cell, helper: str, enum: str) -> Coding:
    """The coding of one column; ``helper`` (a beginning of names) and ``enum`` are free names for it to use."""
    cell = cell.certain(domain)
    if isinstance(domain, Category):
        return _category(domain, cell, helper, enum)
    if isinstance(domain, Boolean):
        return _boolean(domain, cell, helper, enum)
    if isinstance(domain, Text):
        return text(domain, cell, helper)
    if isinstance(domain, Calendar):
        return calendar(domain, cell, helper)
    if isinstance(domain, Time):
        return clock(domain, cell, helper)
    if isinstance(domain, Integer):
        return integer(domain, cell, helper)
    if isinstance(domain, Real):
        return real(domain, cell, helper)
    raise InternalError(f"no coding for a column of type {domain.kind}")


def whole_ids(cell: Cell) -> bool:
    """Whether a person's exact id is a whole number; else it is a text."""
    return cell.family in ("int", "huge")


def identifier(domain: Identifier, cell: Cell, trim: bool) -> str:
    """SQL of a person's exact id: whole-number columns stay numbers, all else is text; null where there is no id."""
    if whole_ids(cell):
        return f"CASE WHEN NOT {cell.missing(domain)} THEN {cell.sql} END"
    sure = cell.certain(domain)
    text = trimmed(sure.text) if trim else sure.text
    listed = ", ".join(quoted(token) for token in ("", *cell.tokens(domain)))
    # NaN is how a float column says that there is no value
    absent = f"isnan({cell.sql}) OR {text} IN ({listed})" if cell.family == "float" else f"{text} IN ({listed})"
    return f"CASE WHEN {absent} THEN NULL ELSE {text} END"


def settle(domain: Domain, column: str, kind: str | None = None) -> str:
    """SQL that turns a staged code into the stored one: clamped values at their bound, every other mark null.

    ``kind`` is the type of the stored code, where it is not DuckDB's.
    """
    if isinstance(domain, Text):
        return f"CASE WHEN {column} = {BROKEN} THEN '' ELSE {column} END"
    kind = kind or code_type(domain)
    marks = MARKS[type(domain)]
    if BELOW not in marks:
        return f"CAST(CASE WHEN {column} < {domain.cells} THEN {column} ELSE {domain.cells} END AS {kind})"
    return (
        f"CAST(CASE WHEN {column} < {domain.cells} THEN {column} WHEN {column} = {domain.cells + BELOW} THEN 0 "
        f"WHEN {column} = {domain.cells + ABOVE} THEN {domain.cells - 1} ELSE {domain.cells} END AS {kind})"
    )


def valueless(domain: Domain, column: str) -> str:
    """SQL that is true where a staged column bears any mark at all."""
    return f"{column} IN ('', {BROKEN})" if isinstance(domain, Text) else f"{column} >= {domain.cells}"


def bears(domain: Domain, column: str, mark: int) -> str:
    """SQL that is true where a staged column bears this mark."""
    if isinstance(domain, Text):
        return f"{column} = {BROKEN if mark == OUT else quoted('')}"
    return f"{column} = {domain.cells + mark}"


def lacks(domain: Domain, column: str) -> str:
    """SQL that is true where a staged column has no value."""
    if isinstance(domain, Text):
        return valueless(domain, column)
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


def _category(domain: Category, cell: Cell, helper: str, enum: str) -> Coding:
    reading = domain.reading
    stands = stands_for(domain) if cell.typed else {}

    def spelt(text: str) -> str:
        short = canonical(text)
        return reading.plain(short if stands.get(short) == text else text)

    # the declared values first: their place in the enum is their code
    places = {spelt(value): code for code, value in enumerate(domain.values)}
    if len(places) != domain.cells:
        raise InternalError("two values of a category would be read as one")
    for spelling, value in reading.map:
        places.setdefault(spelt(spelling), domain.encode(value))
    text = cell.text
    text = trimmed(text) if reading.trim else text
    text = f"lower({text})" if reading.fold else text
    steps = [(f"{helper}_text", text)] if text != cell.text else []
    text = f"{helper}_text" if steps else text
    found = helper
    if len(places) > domain.cells:
        more = ", ".join(map(str, list(places.values())[domain.cells :]))
        spare = f"list_extract([{more}], CAST({helper} AS INTEGER) - {domain.cells - 1})"
        found = f"CASE WHEN {helper} < {domain.cells} THEN {helper} ELSE {spare} END"
    missing = cell.missing(domain, text, reading.plain)
    stage = (
        f"CASE WHEN {helper} IS NOT NULL THEN {found} WHEN {missing} THEN {domain.cells} ELSE {domain.cells + OUT} END"
    )
    return Coding(
        f"CAST({stage} AS {wide(domain)})",
        (*steps, (helper, f"enum_code(TRY_CAST({text} AS {enum}))")),
        (f"CREATE TYPE {enum} AS ENUM ({', '.join(map(quoted, places))})",),
    )


def _boolean(domain: Boolean, cell: Cell, helper: str, enum: str) -> Coding:
    missing = cell.missing(domain)
    if cell.family == "bool":
        return Coding(cases(domain, missing, f"WHEN {cell.sql} THEN 1 ELSE 0"))
    words = ", ".join(quoted(word) for word in YES + NO)
    bare = f"lower({trimmed(cell.text)})"
    short = f"CASE WHEN contains({bare}, '.') THEN regexp_replace({bare}, '^([01])[.]0+$', '\\1') ELSE {bare} END"
    found = f"enum_code(TRY_CAST({short} AS {enum}))"
    arms = f"WHEN {helper} < {len(YES)} THEN 1 WHEN {helper} IS NOT NULL THEN 0 ELSE {domain.cells + OUT}"
    return Coding(cases(domain, missing, arms), ((helper, found),), (f"CREATE TYPE {enum} AS ENUM ({words})",))
