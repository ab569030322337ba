"""``pets draft``: a first schema for the custodian, every guess of it marked until somebody has confirmed it.

A schema holds nothing that was read from rows. So bounds and lists of values are left open for the documentation to
fill; codes come from a data dictionary alone; and a file that still bears a mark is no schema (``Schema.load``).
"""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

from pets.common.yamlfile import CONFIRM, DOCUMENTATION
from pets.errors import DataError, did_you_mean, shown
from pets.rows.drafting import Guess, guesses

_CLOSED = {"integer": ("min", "max"), "real": ("min", "max"), "date": ("min", "max"), "category": ("values",)}


def draft(data: str | Path, dictionary: str | Path | None = None, table: str | None = None) -> str:
    """The text of a first schema for a CSV or Parquet file.

    Args:
        data: the file.
        dictionary: a CSV file with the columns ``column`` and ``value``: which codes the documentation lists.
        table: the table's name (left out: the file's).

    Raises:
        DataError: with the remedy, for a file that cannot be read.
    """
    path = Path(data)
    codes = {} if dictionary is None else _codes(Path(dictionary))
    encoding, found = guesses(path, codes)
    names = [guess.name for guess in found]
    for name in codes:
        if name not in names:
            raise DataError(
                f"the dictionary lists column {shown(name)}, which {path.name} lacks{did_you_mean(name, names)}"
            )
    name = table or path.name.split(".")[0]
    person = next((guess.name for guess in found if guess.kind == "identifier"), None)
    lines = [
        f"# A draft, made by pets draft from {json.dumps(path.name, ensure_ascii=False)}: it is no schema yet.",
        "# Check each marked line against the data's documentation, fill it in, and delete its mark.",
        "# Take out columns that nobody needs.",
        f"dataset: {_name(name)}  {CONFIRM}",
        "tables:",
        f"  {_name(name)}:",
        "    unit:",
        f"      column: {'' if person is None else _name(person)}  {CONFIRM}",
        f"      max_rows:  {DOCUMENTATION}",
    ]
    if encoding != "utf-8":
        lines.append(f"    encoding: {encoding}  {CONFIRM}")
    lines.append("    columns:")
    for guess in found:
        lines += _column(guess, codes.get(guess.name, ()), None if dictionary is None else Path(dictionary).name)
    return "\n".join(lines) + "\n"


def _column(guess: Guess, codes: tuple[str, ...] | list[str], source: str | None) -> list[str]:
    few = "; a few cells are written otherwise, and would have no value" if guess.most else ""
    lines = [f"      {_name(guess.name)}:", f"        type: {guess.kind}  {CONFIRM}{few}"]
    for setting, value in guess.settings.items():
        other = f" (or {guess.also})" if setting == "format" and guess.also else ""
        lines.append(f"        {setting}: {_name(value)}  {CONFIRM}{other}")
    for setting in _CLOSED.get(guess.kind, ()):
        if setting == "values" and codes:
            listed = ", ".join(json.dumps(code, ensure_ascii=False) for code in codes)
            lines.append(f"        values: [{listed}]  {CONFIRM} (from {source})")
        else:
            lines.append(f"        {setting}:  {DOCUMENTATION}")
    if guess.kind == "real":
        step = "1" if not guess.places else f"0.{'0' * (guess.places - 1)}1"
        lines.append(f"        step: {step}  {CONFIRM}")
    return lines


def _name(text: str) -> str:
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text) and text.lower() not in ("null", "true", "false", "yes", "no")
    return text if plain else json.dumps(text, ensure_ascii=False)


def _codes(path: Path) -> dict[str, list[str]]:
    """By column, the codes that a data dictionary lists."""
    found: dict[str, list[str]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            rows = csv.DictReader(handle)
            if not {"column", "value"} <= set(rows.fieldnames or ()):
                raise DataError(f"the dictionary {path.name!r} needs the columns 'column' and 'value'")
            for row in rows:
                values = found.setdefault(row["column"] or "", [])
                if row["value"] and row["value"] not in values:
                    values.append(row["value"])
    except (OSError, ValueError, csv.Error):
        raise DataError(f"the dictionary {path.name!r} cannot be read as UTF-8 CSV; check the path") from None
    return found
