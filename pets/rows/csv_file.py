"""CSV files: their encoding, the names in their first line, and the one strict way in which they are read."""

from __future__ import annotations

import csv
import gzip
import io
import shutil
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pets.errors import DataError
from pets.rows.coding.cell import quoted

_HEADER = 1_000_000  # bytes of a CSV's first line that are read at most
_DELIMITERS = (",", ";", "\t", "|")
NOT_UTF8 = "the text is not UTF-8; save the file as UTF-8, or set the table's encoding, such as encoding: latin-1"


def recoded(path: Path, copy: Path, label: str, encoding: str, zipped: bool) -> None:
    """The text of a file as UTF-8, in the private folder."""
    try:
        with path.open("rb") as raw, copy.open("w", encoding="utf-8", newline="") as out:
            stream: Any = gzip.GzipFile(fileobj=raw) if zipped else raw
            shutil.copyfileobj(io.TextIOWrapper(stream, encoding=encoding, newline=""), out)
    except UnicodeError:
        raise DataError(
            f"{label}: the text is not {encoding}, as the schema says; set the table's encoding to that of the file"
        ) from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise DataError(f"{label}: the compressed file is damaged or cut short; copy it again") from None


def relation(link: Path, names: Sequence[str], delimiter: str, zipped: bool) -> str:
    """The SQL that reads a file, each cell as text."""
    columns = ", ".join(f"'s{index}': 'VARCHAR'" for index in range(len(names)))
    options = (
        f"auto_detect=false, header=true, skip=0, columns={{{columns}}}, delim={quoted(delimiter)}, quote='\"', "
        "escape='\"', comment='', nullstr='', strict_mode=true, null_padding=false, ignore_errors=false, "
        f"max_line_size=16777216, compression={'gzip' if zipped else 'none'!r}"
    )
    return f"read_csv({quoted(str(link))}, {options})"


def header(path: Path, label: str, wanted: Sequence[str] | None, zipped: bool) -> tuple[list[str], str]:
    """The names in the first line and the delimiter: the first under which every wanted name is there, else a comma.

    Where nobody knows which names are wanted (``None``), the delimiter that makes the most of them.
    """
    try:
        with path.open("rb") as raw:
            stream = gzip.GzipFile(fileobj=raw) if zipped else raw
            line = stream.readline(_HEADER)
            # a quoted name may itself hold a line break
            while line.count(b'"') % 2 and len(line) < _HEADER and (more := stream.readline(_HEADER)):
                line += more
        first = line.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{label}, line 1: {NOT_UTF8}") from None
    except (OSError, EOFError, zlib.error):
        raise DataError(f"{label}: the compressed file is damaged or cut short; copy it again") from None
    if not first.strip():
        raise DataError(f"{label} has no header line; give a file whose first line names the columns")
    readings: list[tuple[list[str], str]] = []
    for delimiter in _DELIMITERS:
        try:
            names = next(csv.reader(io.StringIO(first, newline=""), delimiter=delimiter, strict=True))
        except (csv.Error, StopIteration):
            continue
        if wanted is not None and set(wanted) <= set(names):
            return names, delimiter
        readings.append((names, delimiter))
    if not readings:
        raise DataError(f"{label}, line 1: a quoted name does not end properly; mend the header line")
    best, delimiter = max(readings, key=lambda reading: len(reading[0]))
    return best, delimiter if wanted is None else _DELIMITERS[0]
