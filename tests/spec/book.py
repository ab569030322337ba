"""A spec: small tables, a query and its answer, written so that a person can check it by hand.

The same texts are run on every engine (``test_spec.py``) and rendered into the manual (``render.py``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import pandas as pd
import yaml

import pets
from pets.query_model.query import Query
from pets.schema.schema import Schema

NOTHING = "–"
"""How an answer's cell without a value is written; in a data table an empty cell has no value."""


@dataclass(frozen=True)
class Spec:
    """One example.

    Attributes:
        title: what it shows, as a heading.
        query: Python source, evaluated with ``pets`` and ``col``.
        answer: the table it must give.
        tables: rows of each table (``None``: the chapter's).
        schema: YAML (``None``: the chapter's).
        why: one or two sentences, where the title does not say it all.
        grid, rule: the protected grid, as Python source, and the rule by which its sums are shown ("": the answer is
            exact).
    """

    title: str
    query: str
    answer: str
    tables: Mapping[str, str] | None = None
    schema: str | None = None
    why: str = ""
    grid: str = ""
    rule: str = ""


@dataclass(frozen=True)
class Chapter:
    """Specs of one theme, with the schema and the rows that they share unless they bring their own."""

    title: str
    text: str
    specs: tuple[Spec, ...]
    schema: str = ""
    tables: Mapping[str, str] | None = None

    def schema_of(self, spec: Spec) -> str:
        """The YAML text a spec runs against."""
        return spec.schema if spec.schema is not None else self.schema

    def tables_of(self, spec: Spec) -> Mapping[str, str]:
        """The rows a spec runs on."""
        tables = spec.tables if spec.tables is not None else self.tables
        assert tables is not None, f"{self.title}: {spec.title} has no tables"
        return tables


def lines(text: str) -> list[list[str]]:
    """The cells of an ASCII table, line by line; rules of dashes are left out."""
    rows = [line for line in text.strip("\n").splitlines() if line.strip()]
    rows = [line for line in rows if not set(line.strip()) <= set("-+| ")]
    return [[cell.strip() for cell in line.split("|")] for line in rows]


def frame(text: str) -> pd.DataFrame:
    """A data table: every cell is text, an empty one is no value. Quotes keep blanks: ``' 7'``."""
    head, *rows = lines(text)
    cells = [[_cell(cell) for cell in row] for row in rows]
    return pd.DataFrame(cells, columns=head, dtype=object)


def _cell(text: str) -> str | None:
    if len(text) >= 2 and text[0] == text[-1] == "'":
        return text[1:-1]
    return text or None


@cache
def schema(text: str) -> Schema:
    """The schema of a YAML text: read once for all specs and engines that it is the schema of."""
    return Schema.load(yaml.load(text, Loader=yaml.BaseLoader))


def asked(text: str) -> Query:
    """The query of a Python text."""
    found = eval(compile(text.strip(), "<spec>", "eval"), {"pets": pets, "col": pets.col})
    assert isinstance(found, Query)
    return found


def shown(cell: Any) -> str:
    """An answer's cell as it is written in a spec: at most six significant digits after a point."""
    if isinstance(cell, (list, tuple)):
        return "[" + ", ".join(shown(item) for item in cell) + "]"
    if cell is None or cell is pd.NA or (isinstance(cell, float) and math.isnan(cell)):
        return NOTHING
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    return str(cell)


def mistakes(wanted: str, found: pd.DataFrame) -> list[str]:
    """Where an answer differs from what a spec says; whole numbers to the last digit, fractions to nine."""
    head, *rows = lines(wanted)
    if list(found.columns) != head:
        return [f"columns {list(found.columns)}, not {head}"]
    actual = [[shown(cell) for cell in row] for row in found.itertuples(index=False, name=None)]
    if len(actual) != len(rows):
        return [f"{len(actual)} rows, not {len(rows)}: {actual}"]
    return [
        f"row {index}: {name} is {b}, not {a}"
        for index, (expected, got) in enumerate(zip(rows, actual, strict=True))
        for name, a, b in zip(head, expected, got, strict=True)
        if not _equal(a, b)
    ]


def _equal(wanted: str, found: str) -> bool:
    if wanted == found:
        return True
    try:
        a, b = Fraction(wanted), Fraction(found)
    except (ValueError, ZeroDivisionError):
        return False
    # a point in the expected text means a fraction, which a float holds to sixteen digits
    return "." in wanted + found and "e" not in wanted and abs(a - b) <= abs(a) * Fraction(1, 10**9)
