"""Text: a column whose values nobody listed. What is public of it is how long a text may be and of which signs.

A text is kept in a snapshot as itself, and never numbered: a number given in the order of other people's texts would
change with them, and with it the rank of everybody's rows. So equality is all that a question may use of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NoReturn

from pets.common.arguments import plain_fields
from pets.common.codec import python_value, whole
from pets.common.literals import text as text_of
from pets.errors import QueryError, SchemaError, did_you_mean, shown
from pets.schema.domain import MISSING, Domain
from pets.schema.reading import BLANKS

MAX_LENGTH = 200
"""No text may be longer than this many characters."""

FORMS = {
    "any": (r"[^\x01-\x1f\x7f]+", "any signs but control characters"),
    "letters_digits": ("[A-Za-z0-9]+", "letters A to Z and digits"),
    "icd10": ("[A-Z][0-9][0-9A-Z]{1,5}", "an ICD-10 code such as I21 or I21.0"),
}
"""The forms of a text: the regular expression of the whole text, which Python and RE2 read alike, and its words."""

_CANNOT = (
    "its values are text that nobody listed: compare it with ==, != or isin, or group by keys that were listed or "
    "released (session.group_keys)"
)


@plain_fields(SchemaError)
@dataclass(frozen=True)
class Text(Domain):
    """Texts whose values are not listed: a code of a large code list, the name of a ward.

    Blanks around a text are cut. In form ``icd10`` letters are raised and dots dropped, so that ``i21.0`` is ``I210``.
    A cell that breaks the form or the length has no value, and neither has the text ``missing``, which names the group
    of those without one.

    Attributes:
        max_length: characters of a text at most.
        form: of :data:`FORMS`.

    >>> Text(8, form="icd10").spelt(" i21.0")
    'I210'
    """

    max_length: int = MAX_LENGTH
    form: str = "any"
    kind: ClassVar[str] = "text"

    def __init__(self, max_length: int, *, form: str = "any", nullable: bool = True, null: Sequence[str] = ()) -> None:
        object.__setattr__(self, "max_length", _length(max_length))
        if not isinstance(form, str) or form not in FORMS:
            raise SchemaError(f"form {shown(form)} does not exist{did_you_mean(form, FORMS)}")
        object.__setattr__(self, "form", form)
        if form == "icd10" and self.max_length < 3:
            raise SchemaError(
                f"an ICD-10 code has at least 3 characters, and max_length is {self.max_length}; raise it"
            )
        object.__setattr__(self, "nullable", nullable)
        object.__setattr__(self, "null", null)
        super().__post_init__()

    def plain(self, text: str) -> str:
        """A text as the column compares it, whether or not it has the form."""
        cut = text.strip(BLANKS)
        return undotted(cut) if self.form == "icd10" else cut

    def spelt(self, value: object) -> str:
        """A constant as the column would hold it; raises :class:`QueryError` for what no cell of it can hold."""
        given = python_value(value)
        if isinstance(given, int) and not isinstance(given, bool) and abs(given) < 10**100:
            given = str(int(given))
        if not isinstance(given, str):
            raise QueryError(f"it holds {self.describe()}, so compare it with a text in quotes, not {shown(value)}")
        found = self.plain(text_of(given))
        if found in ("", MISSING):
            raise QueryError(f"{shown(given)} means no value here; use is_null()")
        if len(found) > self.max_length or not re.fullmatch(FORMS[self.form][0], found):
            raise QueryError(f"it holds {self.describe()}, and {shown(given)} is none; write such a text")
        return found

    @property
    def cells(self) -> int:
        self._cannot()

    def encode(self, value: object) -> int:
        self._cannot()

    def _cannot(self) -> NoReturn:
        raise QueryError(_CANNOT)

    def to_json(self) -> dict[str, object]:
        form = {} if self.form == "any" else {"form": self.form}
        return super().to_json() | {"max_length": self.max_length} | form

    def describe(self) -> str:
        return f"text of at most {self.max_length} characters ({FORMS[self.form][1]})"


def undotted(code: str) -> str:
    """A code of a disease without dots, its letters raised: ``I214`` for ``i21.4``.

    ASCII letters alone are raised: what other letters become differs between programs.
    """
    return re.sub("[a-z]+", lambda found: found[0].upper(), code).replace(".", "")


def _length(value: object) -> int:
    try:
        found = int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 9 else whole(value)
    except ValueError:
        found = 0
    if not 1 <= found <= MAX_LENGTH:
        raise SchemaError(f"max_length must be a whole number from 1 to {MAX_LENGTH}, not {shown(value)}")
    return found
