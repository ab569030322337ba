"""Texts of published cells: numbers with separators and notes, and the marks that stand where no number is shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

import pandas as pd

from pets.common.codec import python_value

_NOTE = re.compile(r"\s*(?:\[[a-z]{1,3}\d?\]|\([a-z]\d?\)|(?<=\d)[epr])$", re.IGNORECASE)
_GROUPS = re.compile(r"(?<=\d)[ ,'’\u00a0\u2009\u202f](?=\d{3}(?:\D|$))")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_BELOW = re.compile(r"(?:<|≤|<=|&lt;|under|fewer than|less than|at most|up to)\s*(\d+)", re.IGNORECASE)
_BETWEEN = re.compile(r"(\d+)\s*(?:-|–|to)\s*(\d+)")

HIDDEN = frozenset({"*", "**", "c", "[c]", "(c)", "s", "[s]", "(s)", "#", "~", "[low]", "redacted", "[redacted]"})
"""Marks of a count that is kept back since it is small."""

ABSENT = frozenset(
    {"", ".", "..", "...", ":", "-", "–", "—", "z", "[z]", "x", "[x]", "u", "[u]", "w", "[w]"}
    | {"n/a", "na", "nan", "none", "null", "<na>"}
)
"""Marks of a number that is not there, for whatever reason."""


class Kind(Enum):
    """What a cell holds."""

    NUMBER = "a number"
    HIDDEN = "hidden"
    ABSENT = "not there"
    TEXT = "text"


@dataclass(frozen=True)
class Shown:
    """What one cell shows.

    Attributes:
        text: as it stands in the file.
        kind: what it holds.
        number: the number; ``None`` where there is none.
        low, high: the ends that a mark states of itself (``<5``, ``1-4``); ``None`` where it states none.
        digits: how many stand behind the decimal point.
    """

    text: str
    kind: Kind
    number: Fraction | None = None
    low: int | None = None
    high: int | None = None
    digits: int = 0

    @property
    def count(self) -> int | None:
        """The number, where it is whole."""
        return int(self.number) if self.number is not None and self.number.denominator == 1 else None


def read_cell(value: object) -> Shown:
    """What a value of a table shows.

    >>> [read_cell(text).count for text in ("1,234", "12 [p]", "1 234 567", "7r", "8.0")]
    [1234, 12, 1234567, 7, 8]
    >>> read_cell("<5").kind, read_cell("<5").high, read_cell("[c]").kind, read_cell("..").kind
    (<Kind.HIDDEN: 'hidden'>, 4, <Kind.HIDDEN: 'hidden'>, <Kind.ABSENT: 'not there'>)
    """
    value = python_value(value)
    text = "" if value is None or value is pd.NA or value != value else str(value).strip()  # NaN differs from itself
    lowered = text.lower()
    if lowered in HIDDEN:
        return Shown(text, Kind.HIDDEN)
    if lowered in ABSENT:
        return Shown(text, Kind.ABSENT)
    if below := _BELOW.fullmatch(text):
        strict = text.lstrip()[0] not in "≤aAuU" and not text.startswith("<=")
        strict = strict or lowered.startswith("under")
        return Shown(text, Kind.HIDDEN, high=int(below[1]) - strict)
    if between := _BETWEEN.fullmatch(text):
        return Shown(text, Kind.HIDDEN, low=int(between[1]), high=int(between[2]))
    bare = _GROUPS.sub("", _NOTE.sub("", text))
    if _NUMBER.fullmatch(bare):
        digits = len(bare.partition(".")[2]) if isinstance(value, str) else len(bare.partition(".")[2].rstrip("0"))
        return Shown(text, Kind.NUMBER, Fraction(bare), digits=digits)
    return Shown(text, Kind.TEXT)


_TOTAL = re.compile(
    r"(?:grand |sub[- ]?)?totals?|all(?! other)(?: .*)?|overall|both(?: .*)?|persons|everyone|everybody|sum",
    re.IGNORECASE,
)


def is_total(label: str, words: frozenset[str] = frozenset()) -> bool:
    """Whether a label names all of its column together.

    >>> is_total("Total"), is_total("All ages"), is_total("all other"), is_total("Ball")
    (True, True, False, False)
    """
    return label.casefold() in words or _TOTAL.fullmatch(label.strip()) is not None
