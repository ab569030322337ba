"""One raw column: the SQL that reads its cells as canonical texts, and what says that a cell holds no value."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from pets.schema.cells import EXACT, FLOAT_IDS, FLOAT_WHOLES, doubtful, stands_for
from pets.schema.domain import Domain, Identifier
from pets.schema.reading import BLANKS
from pets.schema.text_column import Text

NULL, OUT, UNPARSABLE, BELOW, ABOVE = range(5)
"""Marks: no value; outside the domain; no reading of this type; clamped to the lower or the upper bound."""

_INTS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
_HUGE = {"UBIGINT", "HUGEINT"}
_TYPED = ("int", "huge", "float", "decimal", "bool", "date", "time")


def narrow(top: int) -> str:
    """The narrowest unsigned DuckDB type that holds ``top``."""
    for bits, name in ((8, "UTINYINT"), (16, "USMALLINT"), (32, "UINTEGER")):
        if top < 2**bits:
            return name
    return "UBIGINT"


def code_type(domain: Domain) -> str:
    """The stored type of a column: it holds every code, and null as code ``cells``; a text is stored as itself."""
    return "VARCHAR" if isinstance(domain, Text) else narrow(domain.cells)


def code_kind(domain: Domain, marks: int = 0) -> str:
    """The type of Spark, which has no unsigned ones, that holds every code of a column (and so many marks more)."""
    return "STRING" if isinstance(domain, Text) else whole_kind(domain.cells + marks)


def whole_kind(top: int) -> str:
    """The type of Spark that holds numbers up to ``top``."""
    return "SMALLINT" if top < 2**15 else "INT" if top < 2**31 else "BIGINT"


def null_code(domain: Domain) -> str:
    """SQL of what a snapshot holds where there is no value: the code after the last, or the empty text."""
    return "''" if isinstance(domain, Text) else str(domain.cells)


def quoted(text: str) -> str:
    """A text as an SQL literal.

    >>> quoted("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def parquet(*paths: str) -> str:
    """Parquet files as a relation: their own columns alone, whatever the folders above them are called.

    DuckDB would take a folder ``year=2020`` for a column, in place of the files' own ``year``.

    >>> parquet("one", "two")
    "read_parquet(['one', 'two'], hive_partitioning=false)"
    """
    return f"read_parquet([{', '.join(map(quoted, paths))}], hive_partitioning=false)"


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


def _same(text: str) -> str:
    return text


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
    def nested(self) -> bool:
        """Whether a cell holds several values: a list, a structure, a map."""
        kind = self.kind.upper()
        return kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION", "LIST", "VARIANT"))

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

    def missing(
        self, domain: Domain, text: str | None = None, plain: Callable[[str], str] = _same, also: Iterable[str] = ()
    ) -> str:
        """SQL, never null, that is true where the cell holds no value: null, the empty text, or a declared token.

        ``text`` is the SQL of the text as the column compares it, and ``plain`` does the same to a token; ``also`` is
        more SQL that is true where there is no value.
        """
        x, tokens = self.sql, self.tokens(domain)
        if self.family in ("int", "huge") and not also:  # numbers compare faster than their texts
            numbers = [t for t in tokens if t.removeprefix("-").isascii() and t.removeprefix("-").isdecimal()]
            same = [t for t in numbers if str(int(t)) == t and abs(int(t)) < 2**120]
            return f"({x} IS NULL OR {x} IN ({', '.join(same)}))" if same else f"({x} IS NULL)"
        tests = list(also)
        if tokens or not self.typed:
            listed = ", ".join(quoted(plain(token)) for token in ("", *tokens))
            tests.insert(0, f"{text or self.text} IN ({listed})")
        return f"({' OR '.join([f'{x} IS NULL', *(f'coalesce({test}, false)' for test in tests)])})"

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
        stage: SQL of the staged code, over the raw column and the steps.
        steps: names and SQL of what is computed once for each row beforehand, each over the raw column and the steps
            before it.
        setup: statements to run first (an enum type that holds a category's values).
    """

    stage: str
    steps: tuple[tuple[str, str], ...] = ()
    setup: tuple[str, ...] = ()


def wide(domain: Domain) -> str:
    """The type of a staged column: it holds every code and every mark."""
    return narrow(domain.cells + ABOVE)


def cases(domain: Domain, missing: str, arms: str) -> str:
    """SQL of a staged code: the mark of a cell without a value, else the first of the arms that holds."""
    return f"CAST(CASE WHEN {missing} THEN {domain.cells} {arms} END AS {wide(domain)})"


def trimmed(sql: str) -> str:
    """SQL of a text without the blanks around it."""
    return f"trim({sql}, {quoted(BLANKS)})"
