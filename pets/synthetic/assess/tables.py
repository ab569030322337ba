"""Tables made comparable: one coding for real, synthetic and kept-out rows.

Each column becomes whole-number codes (categories, and numbers in 20 bins with equally many real rows, as SDNist does),
numbers for learning, and places between 0 and 1 for distances.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pets.common.codec import Json
from pets.errors import UserError, did_you_mean, shown
from pets.schema.domain import Category, Identifier
from pets.schema.schema import Schema
from pets.schema.text_column import Text
from pets.synthetic.assess.reading import frame_of, read
from pets.synthetic.synthetic_release import RECORD

if TYPE_CHECKING:
    import pandas as pd

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

BINS = 20
MIN_ROWS = 100
MIN_HOLDOUT = 50
_FEW = 20  # distinct values up to which a column of numbers is taken as categories


@dataclass(frozen=True)
class Coded:
    """Rows of one table.

    Attributes:
        codes: ``(rows, columns)``; the code after a column's last bin is "no value".
        numbers: the same for learning: numbers as they are, categories as codes, NaN where there is no value.
        exact: the same for matching: equal only where the values are equal.
    """

    codes: Ints
    numbers: Floats
    exact: Ints

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: Any) -> Coded:
        """Some of the rows."""
        return Coded(self.codes[rows], self.numbers[rows], self.exact[rows])

    def shuffled(self, random: np.random.Generator) -> Coded:
        """Each column's values in an order of their own: every column right, nothing between them."""
        order = np.argsort(random.random(self.codes.shape), axis=0)
        return Coded(
            np.take_along_axis(self.codes, order, axis=0),
            np.take_along_axis(self.numbers, order, axis=0),
            np.take_along_axis(self.exact, order, axis=0),
        )


@dataclass(frozen=True)
class Column:
    """One column of all tables: its name, whether it holds numbers, the labels of its codes."""

    name: str
    numeric: bool
    labels: tuple[str, ...]

    @property
    def size(self) -> int:
        """Codes, the one for "no value" included."""
        return len(self.labels)


@dataclass(frozen=True)
class Tables:
    """Real, synthetic and kept-out rows under one coding.

    Attributes:
        left_out: columns that name rows, or that one of the tables lacks, with the reason.
    """

    columns: tuple[Column, ...]
    real: Coded
    synthetic: Coded
    holdout: Coded
    left_out: Mapping[str, str]

    @property
    def names(self) -> list[str]:
        """The columns that are assessed."""
        return [column.name for column in self.columns]


def prepare(real: Any, synthetic: Any, holdout: Any, schema: Schema | None, table: str | None) -> Tables:
    """The three tables under one coding.

    Raises:
        UserError: naming the table or the column and the remedy.
    """
    frames = {
        name: frame_of(name, source)
        for name, source in (("real", real), ("synthetic", synthetic), ("holdout", holdout))
    }
    for name, frame in frames.items():
        least = MIN_HOLDOUT if name == "holdout" else MIN_ROWS
        if len(frame) < least:
            raise UserError(
                f"the {name} table has {len(frame)} rows; scores mean nothing below {least}, give more rows"
            )
    domains = _domains(schema, table)
    left_out: dict[str, str] = {}
    columns: list[Column] = []
    parts: dict[str, list[tuple[Any, Any, Any]]] = {name: [] for name in frames}
    for column in map(str, frames["real"]):
        reason = _unfit(column, frames, domains)
        if reason:
            left_out[column] = reason
            continue
        kind, values = read(column, {name: frame[column] for name, frame in frames.items()}, domains.get(column))
        reason = _no_column(kind, values["real"], column in domains)
        if reason:
            left_out[column] = reason
            continue
        made, coded = _column(column, kind, values, domains.get(column))
        columns.append(made)
        for name in frames:
            parts[name].append(coded[name])
    if len(columns) < 2:
        known = did_you_mean(str(next(iter(frames["synthetic"]), "")), [str(other) for other in frames["real"]])
        raise UserError(f"the tables share {len(columns)} columns that can be compared; two are needed{known}")
    tables = {
        name: Coded(*(np.column_stack([one[i] for one in listed]) for i in range(3))) for name, listed in parts.items()
    }
    return Tables(tuple(columns), tables["real"], tables["synthetic"], tables["holdout"], left_out)


def manifest_of(source: Any) -> Json:
    """What is known of a file: its name and digest, so that who signs knows what, and the manifest beside it.

    A manifest of other rows is not believed. Nothing is known of a data frame.
    """
    if not isinstance(source, (str, Path)):
        return {}
    path = Path(source)
    own: Json = {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    try:
        told = json.loads(path.with_name(f"{path.stem}.manifest.json").read_text("utf-8"))
        return dict(told) if told["sha256"] == own["sha256"] else own
    except (OSError, ValueError, LookupError, TypeError):
        return own


def _domains(schema: Schema | None, table: str | None) -> Mapping[str, Any]:
    if schema is None:
        if table is not None:
            raise UserError(f"table {shown(table)} names a table of a schema; give the schema too, or leave table out")
        return {}
    if not isinstance(schema, Schema):
        raise UserError(f"schema must be a pets.Schema, not {shown(schema)}")
    if table is None and len(schema.tables) > 1:
        raise UserError(f"the schema has several tables; say which with table={next(iter(schema.tables))!r}")
    return schema.fields(next(iter(schema.tables)) if table is None else table)


def _unfit(column: str, frames: Mapping[str, pd.DataFrame], domains: Mapping[str, Any]) -> str:
    lacking = [name for name, frame in frames.items() if column not in frame]
    if lacking:
        return f"not in the {' and the '.join(lacking)} table"
    if column == RECORD or isinstance(domains.get(column), (Identifier, Text)):
        return "an identifier"
    return ""


def _no_column(kind: str, real: Any, told: bool) -> str:
    """Why a column cannot be compared, by the real rows."""
    if not real.notna().any():
        return "without a value in every real row"
    if not told and kind == "texts" and real.nunique() == len(real):
        return "different in every real row: taken as an identifier"
    return ""


def _column(
    name: str, kind: str, values: Mapping[str, pd.Series[Any]], domain: Any
) -> tuple[Column, dict[str, tuple[Ints, Floats, Ints]]]:
    numeric = kind != "texts"
    if numeric and values["real"].nunique() > _FEW:
        return _numbers(name, kind, values)
    texts = {
        table: series.map({value: _label(value, kind) for value in series.dropna().unique()}) if numeric else series
        for table, series in values.items()
    }
    known = _listed(set().union(*(set(series.dropna().unique()) for series in texts.values())), domain)
    place = {text: code for code, text in enumerate(known)}
    out: dict[str, tuple[Ints, Floats, Ints]] = {}
    for table, series in texts.items():
        codes: Ints = np.asarray(series.map(place).fillna(len(known)), dtype=np.int64)
        numbers = np.where(codes == len(known), np.nan, codes).astype(np.float64)
        out[table] = (codes, numbers, codes)
    return Column(name, False, (*known, "missing")), out


def _label(value: float, kind: str) -> str:
    return str(np.datetime64(int(value), "D")) if kind == "days" else f"{value:g}"


def _listed(found: set[str], domain: Any) -> list[str]:
    """Values in the order of the schema, or by their numbers, or by their names."""
    place = {value: rank for rank, value in enumerate(domain.values)} if isinstance(domain, Category) else {}
    try:
        return sorted(found, key=lambda text: (place.get(text, len(place)), 0.0 if place else float(text), text))
    except ValueError:
        return sorted(found)


def _bins(real: Floats, kind: str) -> tuple[Floats, list[str]]:
    """Where bins of equally many real rows begin, but for the first, and what each is called.

    A value that fills a bin by itself (no capital gain, in nine of ten rows) gets one of its own: cut at quantiles
    alone, all rows would be in one bin with it, and a table without any such row would look the same.
    """
    cuts, times = np.unique(np.nanquantile(real, np.linspace(0, 1, BINS + 1), method="lower"), return_counts=True)
    full = set(cuts[times > 1].tolist())
    last = cuts[-1]
    starts: list[tuple[float, str]] = []
    for cut, following in itertools.zip_longest(cuts.tolist(), cuts[1:].tolist()):
        own = _label(cut, kind)
        if cut in full:
            starts.append((cut, own))
            cut, own = float(np.nextafter(cut, np.inf)), f"over {own}"
        if following is None:
            starts += [(cut, own)] if cut > last else []
        else:
            open_ = following == last and following not in full
            starts.append((cut, f"{own} to {'…' if open_ else _label(following, kind)}"))
    (first, label), rest = starts[0], starts[1:]
    if first in full:
        return np.array([start for start, _ in starts]), [f"under {label}", *(label for _, label in starts)]
    label = f"… to {_label(rest[0][0], kind)}" if rest else "every value"
    return np.array([start for start, _ in rest]), [label, *(label for _, label in rest)]


def _numbers(
    name: str, kind: str, values: Mapping[str, pd.Series[Any]]
) -> tuple[Column, dict[str, tuple[Ints, Floats, Ints]]]:
    every = {table: series.to_numpy(dtype=np.float64, na_value=np.nan) for table, series in values.items()}
    edges, labels = _bins(every["real"], kind)
    together = np.concatenate(list(every.values()))
    # 0.1 + 0.2 and 0.3 are one value
    near = np.where(np.abs(together) < 1e9, np.round(np.clip(together, -1e9, 1e9), 6), together)
    found, places = np.unique(near, return_inverse=True)
    exact = dict(zip(every, np.split(places, np.cumsum([len(part) for part in every.values()])[:-1]), strict=True))
    out = {}
    for table, numbers in every.items():
        missing = np.isnan(numbers)
        codes = np.where(missing, len(labels), np.searchsorted(edges, np.where(missing, 0, numbers), side="right"))
        alike = np.where(missing, len(found), exact[table])
        out[table] = (codes.astype(np.int64), numbers, alike.astype(np.int64))
    return Column(name, True, (*labels, "missing")), out
