"""A code list's file: a CSV as OpenCodelists writes it, of which one column holds the codes. It is read once."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from pets.errors import QueryError, did_you_mean, shown
from pets.query_model.expression import MAX_VALUES

MAX_BYTES = 50_000_000
_SAVE = "save it as CSV in UTF-8, with commas"


def read_codes(path: object, column: object) -> tuple[str, ...]:
    """The codes in a column of a CSV file, as text, without blanks around them; raises :class:`QueryError`.

    A first line names the columns. Cells without a code and blank lines are left out; a code that stands there twice
    is one. A line with more cells than names, or too few for the column, is refused: it would be misread. Codes are
    never numbers: those of SNOMED CT have 18 digits, and others begin with 0.
    """
    if not isinstance(path, (str, Path)):
        raise QueryError(f"a code list is read from a file, such as in_codelist('mi.csv'), not from {shown(path)}")
    if not isinstance(column, str) or not column.strip():
        raise QueryError(f"column is the name of the file's column of codes, such as 'code', not {shown(column)}")
    where = f"the code list {str(path)!r}"
    lines = _lines(_text(path, where), where)
    names = [cell.strip() for cell in lines[0][1]]
    found = [at for at, name in enumerate(names) if name == column.strip()]
    if not found and len(names) == 1 and set(names[0]) & set(";\t|"):
        raise QueryError(f"{where} has no column {column!r}, as no commas part its columns; {_SAVE}")
    if not found:
        raise QueryError(
            f"{where} has no column {column!r}{did_you_mean(column, names)}; the one that holds the codes is "
            "named in in_codelist(file, column=…)"
        )
    if len(found) > 1:
        raise QueryError(f"{where} has {len(found)} columns {column!r}; rename all but the one that holds the codes")
    named = max(at for at, name in enumerate(names, 1) if name)
    for number, line in lines[1:]:
        # a comma outside quotation marks moves all that follows one cell on: the code would be read from another cell
        if any(map(str.strip, line[named:])):
            raise QueryError(
                f"{where} has more cells in line {number:,} than names in its first line; put a term with a comma in "
                "quotation marks, and a name above each column"
            )
        if len(line) <= found[0]:
            raise QueryError(
                f"{where} has no cell in line {number:,} for its column {column!r}; write one there, blank where "
                "there is no code"
            )
    codes = {line[found[0]].strip() for _, line in lines[1:]} - {""}
    if not codes:
        raise QueryError(f"{where} has no codes in its column {column!r}; add them, one a line, below that name")
    if len(codes) > MAX_VALUES:
        raise QueryError(f"{where} has {len(codes):,} codes and at most {MAX_VALUES:,} are taken; use a shorter one")
    return tuple(sorted(codes))


def _text(path: str | Path, where: str) -> str:
    try:
        with Path(path).expanduser().open("rb") as file:
            held = file.read(MAX_BYTES + 1)
    except (OSError, ValueError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or "that is no path"
        raise QueryError(f"{where} cannot be read ({why}); give the path of a CSV file") from None
    if len(held) > MAX_BYTES:
        raise QueryError(f"{where} is longer than {MAX_BYTES // 1_000_000} MB; keep its column of codes alone")
    try:
        text = held.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise QueryError(f"{where} is no text in UTF-8; {_SAVE}")
    if not text.strip():
        raise QueryError(f"{where} is empty; it needs a first line of names, such as code,term, and codes below")
    return text


def _lines(text: str, where: str) -> list[tuple[int, list[str]]]:
    """The lines that are not blank, with the number of each in the file."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        found = [(reader.line_num, line) for line in reader if any(map(str.strip, line))]
    except csv.Error:
        raise QueryError(
            f"{where} breaks the rules of CSV: a quotation mark opens a cell and none closes it, or stands inside one; "
            f"{_SAVE}"
        ) from None
    if not found:
        raise QueryError(f"{where} is empty; it needs a first line of names, such as code,term, and codes below")
    return found
