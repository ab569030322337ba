"""What one cell of Python data reads as: a text that depends on that cell and the schema alone, never on other rows.

A column's type must not be guessed from its values: one person's "x" among numbers would change how everybody's cells
read, and with it what one person can move. So equal values have one canonical text whatever type their column got:
``3``, ``3.0`` and ``Decimal("3.00")`` read ``3``, yes and no read ``true`` and ``false``, a day ``2019-04-01``, a
date-time ``2019-04-01 23:30:00``, an instant ``2019-04-02 04:30:00+00`` (in UTC), a time of day ``23:30:00``.
``pets.rows.coding.coding`` says the same in SQL.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pets.schema.domain import Category, Domain, Identifier
from pets.schema.numeric import Integer, Numeric
from pets.schema.text_column import Text

if TYPE_CHECKING:
    import pyarrow as pa

EXACT = 2**53
"""Every whole number below this is a double of its own."""

FLOAT_IDS = "pets: ids too large for floating-point numbers"
"""The engine's error where two people's ids may already have become one number."""

FLOAT_WHOLES = "pets: whole numbers too large for floating-point numbers"
"""The same for values of a column, where the schema tells such numbers apart."""

_CHUNK = 65_536  # cells
_NUMBER = r"-?(?:0|[1-9][0-9]*)\.[0-9]+"
_INTERVAL = re.compile(r"([\[(])(-?[0-9.]+), (-?[0-9.]+)([\])])")


def canonical(text: str) -> str:
    """The canonical text of the number or truth value that a declared text spells; any other text as it is.

    >>> [canonical(text) for text in ("3.0", "2.50", "True", "03", "a.0")]
    ['3', '2.5', 'true', '03', 'a.0']
    """
    if text in ("True", "False"):
        return text.lower()
    if re.fullmatch(_NUMBER, text):
        short = text.rstrip("0").rstrip(".")
        return "0" if short == "-0" else short
    if found := _INTERVAL.fullmatch(text):  # what pandas.cut names its groups
        return f"{found[1]}{canonical(found[2])}, {canonical(found[3])}{found[4]}"
    return text


def stands_for(domain: Domain) -> dict[str, str]:
    """For the canonical text of a typed value, the declared text it equals: ``3`` may be declared as ``3.0``.

    Values go before texts for null, and an exact spelling before any other.
    """
    mark = domain.reading.decimal if isinstance(domain, Numeric) else "."
    found: dict[str, str] = {}
    for declared in (_listed(domain), domain.null):
        for spelt in (str, canonical, lambda text: canonical(text.replace(mark, "."))):
            for text in declared:
                found.setdefault(spelt(text), text)
    return found


def _listed(domain: Domain) -> tuple[str, ...]:
    """The texts that mean a value: a category's own, then their other spellings."""
    if not isinstance(domain, Category):
        return ()
    return (*domain.values, *(spelling for spelling, _ in domain.reading.map))


def doubtful(domain: Domain) -> float:
    """Up to which magnitude a float of 2^53 or more may have lost digits that the domain tells apart; 0 where none."""
    if isinstance(domain, (Identifier, Text)):  # every digit may tell two apart
        return math.inf
    texts = [canonical(text) for text in (*_listed(domain), *domain.null)]
    known = [abs(int(text)) for text in texts if re.fullmatch(r"-?[0-9]{1,40}", text)]
    if isinstance(domain, Integer):
        known += [abs(domain.lo), abs(domain.hi)]
    top = max(known, default=0)
    return 2.0 * top if top >= EXACT else 0.0


class Texts:
    """Reads the cells of one column, each by itself."""

    def __init__(self, domain: Domain) -> None:
        import numpy as np
        import pandas as pd

        self._np, self._pd = np, pd
        self._stands = stands_for(domain)
        self._doubt = doubtful(domain)
        # the commonest types, read as _typed reads them
        self._quick = {int: _whole, float: self._float, bool: _truth, dt.date: dt.date.isoformat, Decimal: _decimal}
        self.spells_truth = not {"true", "false"}.isdisjoint(self._stands)
        self._mark = domain.reading.decimal if isinstance(domain, Numeric) else None
        self._refusal = FLOAT_IDS if isinstance(domain, Identifier) else FLOAT_WHOLES

    def column(self, values: Any) -> pa.ChunkedArray:
        """The text of every cell of a list or an array."""
        import pyarrow as pa

        parts = (values[start : start + _CHUNK] for start in range(0, len(values), _CHUNK))
        return pa.chunked_array([self._part(part) for part in parts], type=pa.large_string())

    def _part(self, values: Any) -> pa.Array:
        import pyarrow as pa

        if set(map(type, values)) <= {str, type(None), float}:
            try:  # texts and what is missing need no work each; a number among them is an error here
                return pa.array(values, type=pa.large_string(), from_pandas=True)
            except (pa.ArrowException, UnicodeError):
                pass
        return pa.array([self.of(value) for value in values], type=pa.large_string())

    def of(self, value: Any) -> str | None:
        """The text of one cell; ``None`` where it has no value or no reading."""
        quick: Any = self._quick.get(type(value))
        if quick is not None:
            return self._spelt(value, quick(value))
        if value is None or value is self._pd.NA or value is self._pd.NaT:
            return None
        if isinstance(value, str):
            text = str.__str__(value)
            return text if text.isascii() or _encodable(text) else None
        if isinstance(value, (bytes, bytearray, memoryview)):
            try:
                return bytes(value).decode()
            except UnicodeDecodeError:
                return None
        if type(value).__module__ == "pyarrow.lib" and hasattr(value, "as_py"):
            return self.of(value.as_py())
        return self._spelt(value, self._typed(value))

    def _spelt(self, value: Any, plain: str | None) -> str | None:
        """The text that the column's settings read as the value: a float with all its digits, the mark as declared."""
        if plain is None or plain in self._stands or self._mark is None or plain.isdecimal():
            return None if plain is None else self._stands.get(plain, plain)
        if isinstance(value, (float, self._np.floating)) and math.isfinite(value):
            plain = str(Decimal(float(value)))  # 5e-07 as text would be more than the float is
        return plain.replace(".", self._mark)

    def _typed(self, value: Any) -> str | None:
        np, pd = self._np, self._pd
        if isinstance(value, (bool, np.bool_)):
            return _truth(value)
        if isinstance(value, (float, np.floating)):
            return self._float(float(value))
        try:
            if isinstance(value, (dt.timedelta, np.timedelta64)):  # the latter is also an integer to numpy
                value = pd.Timedelta(value)  # the type that pandas gives to a column of them
                return None if value is pd.NaT else str(value)
            if isinstance(value, (int, np.integer)):
                return _whole(value)
            if isinstance(value, Decimal):
                return _decimal(value)
            if isinstance(value, np.datetime64):
                value = pd.Timestamp(value)
            if value is pd.NaT:
                return None
            if isinstance(value, dt.datetime):
                return _moment(value)
            if isinstance(value, dt.date):
                return value.isoformat()
            if isinstance(value, dt.time):
                return _of_day(value)
        except (ArithmeticError, TypeError, ValueError):  # such as a day past the year 9999
            return None
        if isinstance(value, (complex, np.complexfloating)):
            if value.imag == 0:
                return self._float(float(value.real))
            return None if np.isnan(value) else str(complex(value))
        return self._other(value)

    def _float(self, value: float) -> str | None:
        if EXACT <= abs(value) <= self._doubt:
            raise ValueError(self._refusal)
        if math.isnan(value):
            return None
        return str(int(value)) if abs(value) < 1e38 and value == int(value) else repr(value)

    def _other(self, value: Any) -> str | None:
        if isinstance(value, self._pd.Interval):
            ends = ", ".join(str(self._typed(end)) for end in (value.left, value.right))
            return f"{'[' if value.closed_left else '('}{ends}{']' if value.closed_right else ')'}"
        try:
            if self._pd.api.types.is_scalar(value) and self._pd.isna(value):
                return None
            text = str(value)
        except Exception:
            return None
        return text if _encodable(text) else None


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _truth(value: Any) -> str:
    return "true" if value else "false"


def _whole(value: Any) -> str | None:
    try:
        return str(int(value))
    except ValueError:  # of thousands of digits
        return None


def _decimal(value: Decimal) -> str | None:
    if value.is_nan():
        return None
    if not value.is_finite():
        return "inf" if value > 0 else "-inf"
    if abs(value.adjusted()) > 400:
        return str(value)
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _moment(value: Any) -> str:
    """A date-time as DuckDB writes it; an instant (with an offset) in UTC."""
    instant = value.utcoffset() is not None
    if instant:
        value = value.astimezone(dt.UTC)
    parts = f"{value.microsecond:06}{getattr(value, 'nanosecond', 0):03}".rstrip("0")
    day = f"{value.year:04}-{value.month:02}-{value.day:02} {value.hour:02}:{value.minute:02}:{value.second:02}"
    return f"{day}{'.' if parts else ''}{parts}{'+00' if instant else ''}"


def _of_day(value: dt.time) -> str:
    """A time of day as DuckDB writes it, with its offset where it has one."""
    offset = value.utcoffset()
    text = f"{value.hour:02}:{value.minute:02}:{value.second:02}"
    parts = f"{value.microsecond:06}".rstrip("0")
    if offset is None:
        return f"{text}{'.' if parts else ''}{parts}"
    minutes = abs(offset) // dt.timedelta(minutes=1)
    behind = f":{minutes % 60:02}" if minutes % 60 else ""
    sign = "-" if offset < dt.timedelta() else "+"
    return f"{text}{'.' if parts else ''}{parts}{sign}{minutes // 60:02}{behind}"


def pandas_column(series: Any, texts: Texts) -> pa.Array | pa.ChunkedArray:
    """One pandas column as Arrow: a plain type as it is, anything else as the text of each cell.

    Which type pandas gave the column may depend on every row; a value reads the same whichever it is.
    """
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    kind = series.dtype
    if isinstance(kind, pd.CategoricalDtype):
        codes = series.cat.codes.to_numpy()
        if not len(kind.categories):
            return pa.nulls(len(codes), pa.string())
        return pandas_column(pd.Series(kind.categories), texts).take(pa.array(codes, mask=codes < 0))
    if _plain(kind):
        try:
            return pa.Array.from_pandas(series.astype("float32") if kind == "float16" else series)
        except (pa.ArrowException, OverflowError, TypeError, ValueError, NotImplementedError):
            pass
    return texts.column(np.asarray(series.astype(object), dtype=object))


def _plain(kind: Any) -> bool:
    """Whether pandas holds the column as numbers, truth values, texts or times of one type."""
    import pandas as pd
    import pyarrow.types as at

    if isinstance(kind, pd.ArrowDtype):
        held = kind.pyarrow_dtype
        tests = (at.is_boolean, at.is_integer, at.is_float32, at.is_float64, at.is_string, at.is_large_string)
        return any(test(held) for test in (*tests, at.is_timestamp, at.is_date32, at.is_decimal128, at.is_binary))
    if isinstance(kind, (pd.StringDtype, pd.DatetimeTZDtype)):
        return True
    is_ = pd.api.types
    number = is_.is_integer_dtype(kind) or is_.is_float_dtype(kind) or is_.is_bool_dtype(kind)
    return not isinstance(kind, pd.SparseDtype) and (number or is_.is_datetime64_dtype(kind))


def sqlite_table(con: Any, sql: str, texts: Sequence[Texts], boolean: Sequence[bool], names: Sequence[str]) -> pa.Table:
    """The rows of a query on a ``sqlite3`` connection, where each cell has a type of its own, as text.

    ``boolean`` tells the columns that are declared so: SQLite keeps their values as 1 and 0, and here they are those
    numbers unless the schema lists true or false.
    """
    import pyarrow as pa

    factory, con.text_factory = con.text_factory, bytes  # text that is not UTF-8 is one cell's trouble
    try:
        cursor = con.execute(sql)
        columns: list[list[pa.Array]] = [[] for _ in texts]
        while rows := cursor.fetchmany(_CHUNK):
            for column, values, reader, truth in zip(columns, zip(*rows, strict=True), texts, boolean, strict=True):
                cells = values
                if truth and reader.spells_truth:
                    cells = tuple(bool(v) if type(v) is int and v in (0, 1) else v for v in values)
                column += reader.column(cells).chunks
    finally:
        con.text_factory = factory
    kind = pa.large_string()
    return pa.table([pa.chunked_array(column, type=kind) for column in columns], names=list(names))
