"""Strict JSON: one reader for the text of a request, which refuses whatever two readers could take differently.

Refused are duplicate names, NaN and infinities (also ``1e999``), numbers of very many digits, half characters (lone
surrogates), a byte order mark, and more bytes, depth or values than a request needs. Its work is bounded by the number
of bytes.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from pets.common.codec import encodable
from pets.errors import UserError, shown
from pets.service.wire.errors import TooLargeError

MAX_BYTES = 1_000_000
MAX_DEPTH = 64
MAX_VALUES = 50_000
_DIGITS = 155  # as many as pets.common.codec takes of a number (512 bits)


def read(body: bytes, *, max_bytes: int = MAX_BYTES) -> Any:
    """The value that a text in JSON stands for.

    Raises:
        TooLargeError: for more than ``max_bytes``.
        UserError: for anything else that is not plain JSON; the message quotes nothing of it but a short name.
    """
    if len(body) > max_bytes:
        raise TooLargeError(f"the body has more than {max_bytes:,} bytes; ask a smaller question, or two")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise UserError("the body is not UTF-8; send JSON in UTF-8") from None
    try:
        value = json.loads(
            text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_float, parse_int=_int
        )
    except RecursionError:
        raise _deep() from None
    except ValueError:  # JSONDecodeError among them
        raise UserError("the body is not JSON; send one JSON object") from None
    _check(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise UserError(f"the body names {shown(twice)} twice in one object; keep one")
    return found


def _constant(text: str) -> NoReturn:
    raise UserError(f"the body holds {text}, which is no number of JSON; leave it out")


def _float(text: str) -> float:
    value = float(text) if len(text) <= _DIGITS else math.inf
    if not math.isfinite(value):
        raise UserError("the body holds a number that is too large or has too many digits; write a shorter one")
    return value


def _int(text: str) -> int:
    if len(text) > _DIGITS:
        raise UserError("the body holds a number that is too large or has too many digits; write a shorter one")
    return int(text)


def _check(value: Any) -> None:
    """Depth, number of values, and whole characters; level by level, so that no depth is too much for the check."""
    level, count = [value], 0
    for _ in range(MAX_DEPTH):
        count += len(level)
        if count > MAX_VALUES:
            raise TooLargeError(f"the body holds more than {MAX_VALUES:,} values; ask a smaller question, or two")
        deeper: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                _whole(*one)
                deeper += one.values()
            elif isinstance(one, list):
                deeper += one
            elif isinstance(one, str):
                _whole(one)
        if not deeper:
            return
        level = deeper
    raise _deep()


def _whole(*texts: str) -> None:
    if not all(encodable(text) for text in texts):
        raise UserError("the body holds half a character (a lone surrogate); write whole characters")


def _deep() -> UserError:
    return UserError(f"the body is nested more than {MAX_DEPTH} levels deep; ask a simpler question, or two")
