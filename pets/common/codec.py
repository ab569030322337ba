"""One canonical JSON form, and its SHA-256 digest, for everything that crosses a boundary.

Numbers that are not whole travel as decimal text, so that no reader can round them differently.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

from pets.errors import UserError

Json = dict[str, Any]

REPAIR = "read it again with its right encoding, such as UTF-8"
_BITS = 512  # of a number's numerator and denominator: more than any column's values need, and a float still holds it
_DIGITS = 700
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical(value: Any) -> bytes:
    """UTF-8 JSON with sorted keys, no spaces, and neither NaN nor infinity.

    >>> canonical({"b": 1, "a": [True, None, "é"]})
    b'{"a":[true,null,"\\xc3\\xa9"],"b":1}'
    """
    try:
        return _ENCODER.encode(value).encode("utf-8")
    except UnicodeEncodeError:
        raise UserError(f"a text holds half a character (a lone surrogate); {REPAIR}") from None


def digest(value: Any) -> str:
    """SHA-256 of the canonical form, in hex."""
    return hashlib.sha256(canonical(value)).hexdigest()


def number(value: Fraction) -> int | str:
    """A rational as JSON: an int when whole, else exact decimal text (or ``"p/q"`` when it has none).

    >>> number(Fraction(3)), number(Fraction(1, 100)), number(Fraction(1, 3))
    (3, '0.01', '1/3')
    """
    if value.denominator == 1:
        return int(value)
    twos = (value.denominator & -value.denominator).bit_length() - 1
    rest, fives = value.denominator >> twos, 0
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1:
        return f"{value.numerator}/{value.denominator}"
    places = max(twos, fives)  # the fraction is in lowest terms: no fewer will do
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def encodable(text: str) -> bool:
    """Whether a text can be written as UTF-8: not where half a character (a lone surrogate) is in it."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def python_value(value: object) -> object:
    """A numpy scalar as Python's own value (a ``datetime64`` of a whole day as a date); else the value itself."""
    if type(value) in (str, int, float, bool):
        return value
    names = {base.__name__ for base in type(value).__mro__ if base.__module__ == "numpy"}
    if "generic" not in names or "timedelta64" in names:
        return value
    scalar: Any = value
    if "datetime64" in names:
        day = scalar.astype("datetime64[D]")
        found = day if day == scalar else scalar.astype("datetime64[us]")
        moment = found.item()
        # a moment finer than Python's own counts must not become a whole day, or a whole second
        finer = isinstance(moment, dt.datetime) and found != scalar
        return moment.replace(microsecond=moment.microsecond or 1) if finer else moment
    return scalar.item()


def whole(value: object) -> int:
    """A whole number of Python or numpy; raises ``ValueError`` for anything else (booleans and texts too)."""
    value = python_value(value)
    if isinstance(value, bool) or not isinstance(value, int) or value.bit_length() > _BITS:
        raise ValueError("not a whole number")
    return int(value)


def fraction(value: object) -> Fraction:
    """An exact rational from an int, a decimal text or a float (read as its shortest decimal, so 0.01 is 1/100).

    Raises ``ValueError`` for anything that is not a finite number of ordinary size.
    """
    value = python_value(value)
    if isinstance(value, bool):
        raise ValueError("not a number")
    if isinstance(value, (int, Fraction)):
        exact = Fraction(value)
    elif isinstance(value, Decimal):
        exact = _of_decimal(value)
    elif isinstance(value, (str, float)):
        text = value.strip() if isinstance(value, str) else float.__repr__(value)
        if len(text) > _DIGITS:
            raise ValueError("not a number")
        try:
            exact = Fraction(text) if "/" in text else _of_decimal(Decimal(text))
        except ArithmeticError:
            raise ValueError("not a number") from None
    else:
        raise ValueError("not a number")
    if max(exact.numerator.bit_length(), exact.denominator.bit_length()) > _BITS:
        raise ValueError("not a number of ordinary size")
    return exact


def _of_decimal(value: Decimal) -> Fraction:
    if not value.is_finite() or abs(value.adjusted()) > _BITS or len(value.as_tuple().digits) > _DIGITS:
        raise ValueError("not a finite number of ordinary size")
    return Fraction(value)
