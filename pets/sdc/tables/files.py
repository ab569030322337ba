"""Files of published tables: titles above the head and notes below it are left out, texts stay as they are."""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path

import pandas as pd

from pets.errors import DataError

MAX_BYTES = 20_000_000


def read_table(path: str | Path) -> pd.DataFrame:
    """A table of a CSV file (comma, semicolon or tab) or a Parquet file.

    Raises:
        DataError: where there is none, or it is of another kind.
    """
    file = Path(path)
    suffix = file.suffix.lower()
    if suffix not in (".csv", ".txt", ".tsv", ".parquet"):
        raise DataError(f"{file.name}: a table to check is a .csv, .tsv or .parquet file; save it as CSV")
    try:
        if suffix == ".parquet":
            return pd.read_parquet(file)
        if file.stat().st_size > MAX_BYTES:
            raise DataError(f"{file.name} is larger than {MAX_BYTES // 10**6} MB, which no published table is")
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"{str(file)!r} cannot be read ({error.strerror or 'no such table'})") from None
    except (ValueError, ImportError):
        raise DataError(f"{file.name} is no Parquet file that can be read; save it as CSV") from None
    return of_text(_decoded(content), file.name)


def of_text(text: str, name: str) -> pd.DataFrame:
    r"""The table in a text.

    >>> of_text("Table 1: stays\n\nregion,people\nNorth,12\nSouth,*\n\n* small\n", "t.csv").to_dict("list")
    {'region': ['North', 'South'], 'people': ['12', '*']}
    """
    lines = list(csv.reader(io.StringIO(text), delimiter=_delimiter(text)))
    widths = Counter(_filled(line) for line in lines if _filled(line) > 1)
    if not widths:
        raise DataError(f"{name} holds no table: no line has two cells")
    usual = max(widths, key=lambda width: (widths[width], width))
    start = next(place for place, line in enumerate(lines) if _filled(line) >= usual)
    head = [cell.strip() for cell in lines[start]]
    width = max(place for place, cell in enumerate(head) if cell) + 1
    blank = (place for place, line in enumerate(lines) if place > start and _filled(line) == 0)
    body = [line for line in lines[start + 1 : next(blank, len(lines))] if _filled(line) > 1]
    body = [[cell.strip() for cell in (line + [""] * width)[:width]] for line in body]
    names = [cell or f"Unnamed: {place}" for place, cell in enumerate(head[:width])]
    return pd.DataFrame(body, columns=names, dtype=str)


def _filled(line: list[str]) -> int:
    return sum(bool(cell.strip()) for cell in line)


def _delimiter(text: str) -> str:
    counts = {mark: sum(line.count(mark) > 0 for line in text.splitlines()[:200]) for mark in "\t;,"}
    return max(counts, key=lambda mark: counts[mark])


def _decoded(content: bytes) -> str:
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")
