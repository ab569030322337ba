"""How a column's texts are spelt: what the custodian publishes about the file beside a column's values.

Each setting says what one cell's text means by itself. Values that arrive typed (numbers, days, date-times) need none
of them and read the same with and without. A setting that says what would hold anyway leaves no trace in the canonical
form, so a schema without spellings keeps its digest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations

from pets.common.codec import Json, python_value
from pets.common.literals import text as text_of
from pets.errors import SchemaError, shown
from pets.schema.time_format import contradiction, pattern, two_digit_year, zone

BLANKS = " \t\n\r\x0b\x0c"
"""What counts as blank around an id, a category or a number."""


def groups(mark: str) -> str:
    """The regular expression of digits in groups of three, of which the first does not begin with 0, or of plain ones.

    >>> [bool(re.fullmatch(groups(","), text)) for text in ("1,234", "0123", "0,123", "12,34")]
    [True, True, False, False]
    """
    return f"(?:[1-9][0-9]{{0,2}}(?:{re.escape(mark)}[0-9]{{3}})+|[0-9]+)"


GAP = "[ \u00a0\u202f]*"
"""What may stand between a number and its prefix or suffix: blanks, those that break no line among them."""

THOUSANDS = (",", ".", "'", "’", " ", "\u00a0", "\u202f")
ROUNDS = ("floor", "ceil", "nearest")


def _texts(label: str, value: object) -> tuple[str, ...]:
    given: object = () if value is None else (value,) if isinstance(value, str) else value
    if not isinstance(given, (list, tuple)) or not all(isinstance(item, str) for item in given):
        raise SchemaError(f"{label} must be a text or a list of texts, not {shown(value)}")
    return tuple(text_of(item, SchemaError) for item in given)


@dataclass(frozen=True)
class NumberText:
    """How numbers are written.

    Attributes:
        decimal: the decimal mark, ``"."`` or ``","``.
        thousands: the mark between groups of three digits (``None``: there is none). A number has it between all of
            its groups or nowhere, and the first of several does not begin with 0.
        prefix, suffix: texts that may stand before and after a number, such as ``£`` and ``kg``.
    """

    decimal: str = "."
    thousands: str | None = None
    prefix: tuple[str, ...] = ()
    suffix: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.decimal not in (".", ","):
            raise SchemaError(f"decimal must be '.' or ',', not {shown(self.decimal)}")
        if self.thousands is not None and self.thousands not in THOUSANDS:
            raise SchemaError(f"thousands must be one of , . ' or a blank, not {shown(self.thousands)}")
        if self.thousands == self.decimal:
            remedy = "set decimal: ',' too" if self.decimal == "." else "set thousands: '.'"
            raise SchemaError(f"decimal and thousands are both {self.decimal!r}; {remedy}, or leave thousands out")
        for name in ("prefix", "suffix"):
            listed = _texts(name, getattr(self, name))
            for item in listed:
                if re.search(r"[0-9+-]", item) or not re.search(r"[^.,'’\s]", item):
                    raise SchemaError(
                        f"a {name} is a text such as £ or kg, without digits and signs; {shown(item)} is none"
                    )
            object.__setattr__(self, name, tuple(sorted({item.strip(BLANKS) for item in listed})))

    def to_json(self) -> Json:
        """The canonical form: only what differs from the defaults."""
        out: Json = {} if self.decimal == "." else {"decimal": self.decimal}
        if self.thousands is not None:
            out["thousands"] = self.thousands
        return out | {name: list(getattr(self, name)) for name in ("prefix", "suffix") if getattr(self, name)}


PLAIN_NUMBER = NumberText()


@dataclass(frozen=True)
class CategoryText:
    """How a category's values are written.

    Attributes:
        trim: whether blanks around a text are cut.
        fold: whether upper and lower case are the same.
        map: other spellings and the value that each stands for.
    """

    trim: bool = False
    fold: bool = False
    map: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, trim: object, case: object, spellings: object) -> CategoryText:
        """From the settings ``trim``, ``case`` and ``map``."""
        trim = python_value(trim)
        if not isinstance(trim, bool):
            raise SchemaError(f"trim must be true or false, not {shown(trim)}")
        if case not in (None, "exact", "fold"):
            raise SchemaError(f"case must be 'fold' (a and A are one) or 'exact', not {shown(case)}")
        if spellings is None:
            return cls(trim, case == "fold")
        if not isinstance(spellings, Mapping):
            raise SchemaError(
                f"map must be a mapping of spellings to values, such as {{m: Male}}, not {shown(spellings)}"
            )
        pairs = {_spelling(key): _spelling(value) for key, value in spellings.items()}
        return cls(trim, case == "fold", tuple(sorted(pairs.items())))

    def plain(self, text: str) -> str:
        """A text as the column compares it."""
        cut = text.strip(BLANKS) if self.trim else text
        return folded(cut) if self.fold else cut

    def to_json(self) -> Json:
        """The canonical form: only what differs from the defaults."""
        out: Json = {"trim": True} if self.trim else {}
        if self.fold:
            out["case"] = "fold"
        return out | ({"map": dict(self.map)} if self.map else {})


EXACT_TEXT = CategoryText()


def _spelling(value: object) -> str:
    value = python_value(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**100:
        return str(value)
    if not isinstance(value, str):
        raise SchemaError(f"a spelling and its value must be texts, not {shown(value)}; write it in quotes")
    return text_of(value, SchemaError)


def folded(text: str) -> str:
    """Lower case letter by letter, as the engine has it.

    >>> folded("ÄGE"), folded("ΣΑΣ")
    ('äge', 'σασ')
    """
    return "".join(low if len(low := letter.lower()) == 1 else letter.lower()[0] for letter in text)


@dataclass(frozen=True)
class TimeText:
    """How days and date-times are written.

    Attributes:
        formats: strptime patterns, tried in order; ISO text is read too.
        tz: the time zone whose day and clock an instant (a time with an offset) is read in; UTC unless it says
            otherwise. A time without an offset is what is written.
    """

    formats: tuple[str, ...] = ()
    tz: str = "UTC"

    @classmethod
    def of(cls, formats: object, tz: object) -> TimeText:
        """From the settings ``format`` and ``tz``."""
        found = (pattern(item) for item in _texts("format", formats))
        kept = tuple(dict.fromkeys(item for item in found if item is not None))
        for one, other in permutations(kept, 2):
            if text := contradiction(one, other):
                raise SchemaError(
                    f"the formats {shown(one)} and {shown(other)} read {shown(text)} as two days; keep the "
                    "one that the file has"
                )
        return cls(kept, "UTC" if tz is None else zone(tz))

    @property
    def short_years(self) -> bool:
        """Whether a year may have two digits."""
        return any(two_digit_year(item) for item in self.formats)

    def to_json(self) -> Json:
        """The canonical form: only what differs from the defaults."""
        out: Json = (
            {"format": self.formats[0] if len(self.formats) == 1 else list(self.formats)} if self.formats else {}
        )
        return out | ({} if self.tz == "UTC" else {"tz": self.tz})


ISO_TEXT = TimeText()


def rounding(value: object) -> str | None:
    """The rule for fractions in a column of whole numbers; ``None``: they are no whole numbers."""
    if value is None or value == "null":
        return None
    if not isinstance(value, str) or value not in ROUNDS:
        raise SchemaError(f"round must be floor, ceil or nearest (halves up), not {shown(value)}")
    return value
