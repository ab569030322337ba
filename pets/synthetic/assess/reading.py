"""What the cells of the compared tables mean: one meaning for a value, however each table spells it.

A custodian compares a file, a data frame and what a session made. The same value is ``1`` in one, ``1.0`` beside a gap
in another and ``"01"`` nowhere; a day is a text here and a moment there. Compared as they are spelt, equal tables would
seem to share nothing. So every cell is read by its canonical text (``pets.schema.cells``, as snapshots read it), the
schema says which texts mean "no value", and without a schema a column's kind is what all of its texts look like.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from pets.errors import DataError, UserError, shown
from pets.schema.cells import Texts, canonical
from pets.schema.clock.time_of_day import Time, seconds_of
from pets.schema.dates import Calendar
from pets.schema.domain import Boolean, Category, Domain
from pets.schema.numeric import Numeric
from pets.schema.standard_text import standard
from pets.synthetic.synthetic_release import SyntheticRelease

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["numbers", "days", "texts"]

_NUMBER = r"[+-]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?:inf|Infinity)"
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T][0-9:.]+(?:Z|[+-][0-9:]+)?)?"
# without a schema: what pandas, R and SQL write where a number is missing
_GAPS = ("NA", "N/A", "n/a", "#N/A", "NaN", "nan", "-nan", "None", "NULL", "null", "<NA>", "NaT")

Series: TypeAlias = Any
"""A pandas series."""


def frame_of(name: str, source: Any) -> pd.DataFrame:
    """A table as a data frame: a frame, a synthetic release, or the path of a CSV or Parquet file.

    A CSV file's cells are texts: guessing would make ``01`` a number, and take the value ``None`` for a gap.
    """
    import pandas as pd

    if isinstance(source, pd.DataFrame):
        frame = source
    elif isinstance(source, SyntheticRelease):
        frame = source.table
    elif isinstance(source, (str, Path)):
        try:
            path = Path(source)
            frame = pd.read_parquet(path) if path.suffix == ".parquet" else _csv(path)
        except pd.errors.ParserWarning:
            raise DataError(
                f"the {name} table cannot be read from {shown(str(source))} (a row has more fields than the heading)"
            ) from None
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else "it is no table"
            raise DataError(f"the {name} table cannot be read from {shown(str(source))} ({why})") from None
    else:
        raise UserError(f"the {name} table is a data frame or the path of a CSV or Parquet file, not {shown(source)}")
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise UserError(f"the {name} table has two columns named {twice[0]!r}; rename or drop one")
    return frame


def _csv(path: Path) -> pd.DataFrame:
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        # (index_col: where rows have a field too many, pandas would take the first for their names, and shift the rest)
        return pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""], index_col=False)


def read(column: str, values: Mapping[str, Series], domain: Domain | None) -> tuple[Kind, dict[str, Series]]:
    """One column of every table, read alike: numbers (days as days since 1970), or texts; gaps are missing.

    Args:
        column: its name.
        values: of each table.
        domain: what the schema says of it.

    Raises:
        UserError: where no value of a table is one that the schema lists: the table was read amiss.
    """
    if domain is None:
        return _guessed(values)
    texts = {table: _texts(series, domain) for table, series in values.items()}
    if isinstance(domain, Numeric):
        return "numbers", {table: _numbers(series) for table, series in texts.items()}
    if isinstance(domain, Calendar):  # (a date-time is compared by its day)
        # (a moment of a day that stands for "no value" is that day)
        days = {table: series.str.slice(0, 10) for table, series in texts.items()}
        return "days", {table: _days(series.where(~series.isin(domain.null))) for table, series in days.items()}
    if isinstance(domain, Time):
        hours = {table: series.map(_hour, na_action="ignore") for table, series in texts.items()}
        return "numbers", {table: _numbers(series) for table, series in hours.items()}
    known = set(domain.values) if isinstance(domain, Category) else {"true", "false"}
    for table, series in texts.items():
        found = set(series.dropna().unique())
        if found and not found & known:
            raise UserError(
                f"no value of column {column!r} in the {table} table is one that the schema lists; read it as text, "
                "so that codes such as '01' keep their zeros, or mend the schema"
            )
    return "texts", texts


def _guessed(values: Mapping[str, Series]) -> tuple[Kind, dict[str, Series]]:
    """A column that no schema tells of: numbers or days where every value of every table looks like one."""
    plain = {table: series for table, series in values.items() if _holds_numbers(series)}
    texts = {table: _texts(series, None) for table, series in values.items() if table not in plain}
    looks = [series[~series.isin(_GAPS)].dropna().drop_duplicates() for series in texts.values()]
    if all(look.str.fullmatch(_NUMBER).all() for look in looks):
        return "numbers", {table: _numbers(plain.get(table, texts.get(table))) for table in values}
    if not plain and all(look.str.fullmatch(_DAY).all() for look in looks):
        return "days", {table: _days(series) for table, series in texts.items()}
    texts |= {table: _texts(series, None) for table, series in plain.items()}
    # 1.0 and True of a file are the 1 and the true of a data frame
    spelt = {text: canonical(text) for series in texts.values() for text in series.dropna().unique()}
    return "texts", {table: texts[table].map(spelt) for table in values}


def _holds_numbers(series: Series) -> bool:
    import pandas as pd

    is_ = pd.api.types
    number = is_.is_numeric_dtype(series) and not is_.is_bool_dtype(series) and not is_.is_complex_dtype(series)
    return bool(number and series.notna().any())


def _texts(series: Series, domain: Domain | None) -> Series:
    """The canonical text of each cell; missing where there is no value, or where the schema says that it is none."""
    import pandas as pd

    reader = Texts(Boolean() if domain is None else domain)
    try:
        found = reader.column(np.asarray(series.astype(object), dtype=object)).to_pandas()
    except ValueError:
        raise UserError(
            f"column {series.name!r} holds whole numbers too large for floating-point numbers; read it as text"
        ) from None
    out = pd.Series(found.to_numpy(dtype=object), index=series.index, dtype=object)
    gaps = {"", *(() if domain is None else domain.null)}
    out = out.where(~out.isin(gaps), None)
    spell = None if domain is None else standard(domain)
    return out if spell is None else out.map(spell, na_action="ignore")


def _numbers(series: Series) -> Series:
    """Numbers; what is none, or infinite, is missing, as in a snapshot."""
    import pandas as pd

    numbers: Series = pd.to_numeric(series, errors="coerce")
    numbers = numbers.astype("float64")
    return numbers.where(np.isfinite(numbers))


def _hour(text: str) -> float | None:
    """A time of day in hours."""
    read = seconds_of(text)
    return None if read is None else read / 3600


def _days(series: Series) -> Series:
    import pandas as pd

    moments = pd.to_datetime(series.str.slice(0, 10), errors="coerce", format="%Y-%m-%d")
    days = (moments - pd.Timestamp(1970, 1, 1)) / pd.Timedelta(days=1)
    return days.astype("float64")
