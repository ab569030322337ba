"""What a file's columns look like: a type and a spelling for each, for the custodian to confirm.

No cell, bound or list of values leaves here: names, types and spellings alone, and each is a guess.
"""

from __future__ import annotations

import datetime as dt
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pets.errors import DataError
from pets.rows.coding.cell import parquet
from pets.rows.csv_file import header, recoded, relation
from pets.rows.sources import label_of, plain
from pets.schema.time_format import pattern, regex

ROWS = 20_000
"""Rows that are looked at."""

_DAYS = ("yyyymmdd", "dd/mm/yyyy", "mm/dd/yyyy", "dd.mm.yyyy", "dd-mm-yyyy", "dd-Mon-yy", "dd-Mon-yyyy", "dd Mon yyyy",
         "dd Month yyyy", "dd/mm/yy", "dd.mm.yy")  # fmt: skip
_CLOCKS = ("", " hh:mm", " hh:mm:ss")
_ISO = r"[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9:.]+([Zz]|[+-][0-9:]+)?)?"
_OF_DAY = r"([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]*)?)?"
_MARKS = ((".", None), (",", None), (".", ","), (",", "."), (".", "'"))
_AFFIX = r"[£$€%]|EUR|USD|GBP|CHF|kg|cm|mg"
_NUMERIC = rf"[+-]? ?(({_AFFIX}) ?)?[+-]?[0-9][0-9.,']*( ?({_AFFIX}))?"
_FEW = 0.05  # of a column's different texts: what may be no value of the type that the others are
_WORDS = {"true", "false", "t", "f", "yes", "no", "y", "n"}
_ID = re.compile(r"(^|[_ ])(id|nr|no|key|uuid|guid|pid)($|[_ ])|person|patient|nhs|pseudo|ident", re.IGNORECASE)


@dataclass(frozen=True)
class Guess:
    """What a column looks like.

    Attributes:
        kind: a type of the schema.
        settings: how the file writes it.
        places: decimal places of a real.
        also: another format that fits as well.
        most: a few of its cells are written otherwise, and would have no value.
    """

    name: str
    kind: str
    settings: Mapping[str, str] = field(default_factory=dict)
    places: int = 0
    also: str = ""
    most: bool = False


def guesses(path: Path, dictionary: Iterable[str] = ()) -> tuple[str, list[Guess]]:
    """The file's encoding, and a guess for each column; columns in ``dictionary`` are categories.

    Raises :class:`DataError` for a file that cannot be read.
    """
    import duckdb

    label = label_of(path)
    try:
        start = path.open("rb").read(65536)
    except OSError:
        raise DataError(f"{label} cannot be read; check the path") from None
    if not start:
        raise DataError(f"{label} is empty; give a file with a header line and rows")
    with tempfile.TemporaryDirectory(prefix="pets-") as scratch, duckdb.connect() as con:
        encoding = "utf-8"
        link = Path(scratch) / "in"
        try:
            if start[:4] == b"PAR1":
                link.symlink_to(path.resolve())
                found = con.execute(f"SELECT * FROM {parquet(str(link))} LIMIT {ROWS}")
                names = [str(column[0]) for column in found.description]
            else:
                zipped = start[:2] == b"\x1f\x8b"
                encoding = "utf-8" if _is_utf8(path, zipped, Path(scratch)) else "cp1252"
                if encoding == "utf-8":
                    link.symlink_to(path.resolve())
                else:
                    recoded(path, link, label, encoding, zipped)
                    zipped = False
                names, delimiter = header(link, label, None, zipped)
                found = con.execute(f"SELECT * FROM {relation(link, names, delimiter, zipped)} LIMIT {ROWS}")
            columns = list(zip(*found.fetchall(), strict=True)) or [()] * len(names)
        except Exception as error:
            raise plain(error, label) from None
    known = set(dictionary)
    return encoding, [_guess(name, cells, name in known) for name, cells in zip(names, columns, strict=True)]


def _is_utf8(path: Path, zipped: bool, scratch: Path) -> bool:
    try:
        recoded(path, scratch / "probe", label_of(path), "utf-8", zipped)
    except DataError as error:
        if "compressed" in str(error):
            raise
        return False
    return True


def _guess(name: str, cells: Sequence[Any], listed: bool) -> Guess:
    values = [cell for cell in cells if cell is not None and cell != ""]
    kinds = {type(cell) for cell in values}
    if listed:
        return Guess(name, "category")
    if _ID.search(name):
        return Guess(name, "identifier")
    if kinds and kinds != {str}:
        return _typed(name, kinds)
    texts = sorted({text.strip() for text in values} - {""})
    if not texts:
        return Guess(name, "category")
    if {text.lower() for text in texts} <= _WORDS:
        return Guess(name, "boolean")
    if all(re.fullmatch(_OF_DAY, text) for text in texts):
        return Guess(name, "time")
    whole = _day(name, texts) or _number(name, texts)
    return whole or _mostly(name, texts) or Guess(name, "category")


def _mostly(name: str, texts: Sequence[str]) -> Guess | None:
    """What nearly all texts are, where a few are none: ``k.A.`` among ages, the 31st of February among days."""
    few = int(len(texts) * _FEW)
    if not few:
        return None
    left = [text for text in texts if re.search("[0-9]", text)]
    days = [text for text in left if not re.fullmatch(_ISO, text)]
    numbers = [text for text in left if re.fullmatch(_NUMERIC, text)]
    for name_of_day in (day + clock for day in _DAYS for clock in _CLOCKS):
        sample = days[:: max(1, len(days) // 100)]
        if 2 * sum(_fits(text, name_of_day) for text in sample) > len(sample):
            fit = [text for text in days if _fits(text, name_of_day)]
            if len(left) - len(days) + len(fit) >= len(texts) - few and (found := _day(name, fit)):
                return replace(found, most=True)
    if len(numbers) >= len(texts) - few and (found := _number(name, numbers)):
        return replace(found, most=True)
    return None


def _typed(name: str, kinds: set[type]) -> Guess:
    """A column of a typed file."""
    for kind, types in (("boolean", {bool}), ("integer", {int}), ("date", {dt.date, dt.datetime}), ("time", {dt.time})):
        if kinds <= types:
            return Guess(name, kind)
    return Guess(name, "real", places=2)


def _day(name: str, texts: Sequence[str]) -> Guess | None:
    if all(re.fullmatch(_ISO, text) for text in texts):
        return Guess(name, "date")
    fits = [day + clock for day in _DAYS for clock in _CLOCKS if all(_fits(text, day + clock) for text in texts)]
    return Guess(name, "date", {"format": fits[0]}, also=fits[1] if len(fits) > 1 else "") if fits else None


def _fits(text: str, name: str) -> bool:
    found = pattern(name)
    if found is None or not re.fullmatch(regex(found), text):
        return False
    try:
        return 1850 <= dt.datetime.strptime(text, found).year <= 2150
    except ValueError:
        return False


def _number(name: str, texts: Sequence[str]) -> Guess | None:
    settings: dict[str, str] = {}
    bare = list(texts)
    for place, shape in (("prefix", rf"^([+-]?) ?({_AFFIX}) ?"), ("suffix", rf"() ?({_AFFIX})$")):
        found = {match[2] for text in bare if (match := re.search(shape, text))}
        if len(found) == 1:
            settings[place] = found.pop()
            bare = [re.sub(shape, r"\1", text) for text in bare]
    if not settings and any(re.fullmatch(r"0[0-9]+", text) for text in bare):
        return None  # codes with leading noughts
    # 1,234 is more often a thousand than a fraction of three places
    triple = all(re.fullmatch(r"[+-]?[0-9]{1,3}(,[0-9]{3})*|[+-]?[0-9]+", text) for text in bare)
    for decimal, thousands in ((".", None), (".", ","), *_MARKS) if triple else _MARKS:
        whole = "[0-9]+" if thousands is None else rf"([0-9]{{1,3}}({re.escape(thousands)}[0-9]{{3}})*|[0-9]+)"
        shape = rf"[+-]?{whole}({re.escape(decimal)}([0-9]+))?"
        matches = [re.fullmatch(shape, text) for text in bare]
        if all(matches):
            places = max(len(match[match.re.groups] or "") for match in matches if match)
            written = {"decimal": decimal} if decimal != "." and places else {}
            written |= {"thousands": thousands} if thousands else {}
            return Guess(name, "real" if places else "integer", written | settings, places)
    return None
