"""One canonical JSON form, and its SHA-256 digest, for everything that crosses a boundary.

Numbers that are not whole travel as decimal text, so that no reader can round them differently.
"""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

Json = dict[str, Any]


def canonical(value: Any) -> bytes:
    """UTF-8 JSON with sorted keys, no spaces, and neither NaN nor infinity.

    >>> canonical({"b": 1, "a": [True, None, "é"]})
    b'{"a":[true,null,"\\xc3\\xa9"],"b":1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode("utf-8")


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
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest != 1:
        return f"{value.numerator}/{value.denominator}"
    places = 0
    while (value * 10**places).denominator != 1:
        places += 1
    scaled = value * 10**places
    return format(Decimal(int(scaled)).scaleb(-places), "f")


def fraction(value: object) -> Fraction:
    """An exact rational from an int, a decimal text or a float (read as its shortest decimal, so 0.01 is 1/100).

    Raises ``ValueError`` for anything that is not a finite number.
    """
    if isinstance(value, bool):
        raise ValueError("not a number")
    if isinstance(value, (int, Fraction)):
        return Fraction(value)
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError("not a finite number")
        return Fraction(value)
    text = str(value).strip() if isinstance(value, str) else repr(float(value))  # type: ignore[arg-type]
    if len(text) > 64:
        raise ValueError("not a number")
    try:
        if "/" in text:
            return Fraction(text)
        parsed = Decimal(text)
    except (ArithmeticError, ValueError) as error:
        raise ValueError("not a number") from error
    if not parsed.is_finite() or abs(parsed.adjusted()) > 40:
        raise ValueError("not a finite number")
    return Fraction(parsed)
