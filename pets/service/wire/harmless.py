"""Harmless: what another machine says, so that it cannot steer the terminal on which it is shown."""

from __future__ import annotations

import unicodedata
from typing import TypeVar

from pets.errors import UserError

T = TypeVar("T")


def harmless(told: T) -> T:
    """A text, or all texts of a form, with what steers a screen written out: control characters, and marks that turn
    the direction of letters.

    Lines end where they ended. What is signed is not for this: it is shown as it was signed, or not at all.

    >>> harmless("a\\x1b[2Jb"), harmless({"said": ["two\\nlines"]})
    ('a\\\\x1b[2Jb', {'said': ['two\\nlines']})
    """
    try:
        return _harmless(told)
    except RecursionError:
        raise UserError("what the service says is nested too deeply to be read; tell whoever runs it") from None


def _harmless(told: T) -> T:
    made: object = told
    if isinstance(told, str):
        made = told if told.isprintable() else "".join(ascii(one)[1:-1] if _steers(one) else one for one in told)
    elif isinstance(told, list):
        made = [_harmless(one) for one in told]
    elif isinstance(told, dict):
        made = {_harmless(name): _harmless(part) for name, part in told.items()}
    return made  # type: ignore[return-value]


_TURNS = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


def _steers(letter: str) -> bool:
    if letter == "\n":
        return False
    return unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") or unicodedata.bidirectional(letter) in _TURNS
