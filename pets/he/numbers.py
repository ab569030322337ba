"""Whole numbers to residues and back, and the checksum that shows a total went wrong.

Beyond one plain modulus t, numbers are joined by the Chinese remainder theorem (Garner 1959) and centred, so that
negative totals come back negative. The checksum is Σ r_j·x_j mod t with secret r_j: it is linear, so the total's must
be the total of the checksums. An error in any value passes with a chance of at most 2^−30 for each plain modulus that
shows it (t is a prime of at least 30 bits, r_j is even over 40 bits). To it each party adds a *tag*, a number modulo t
that only this party and the key holder know and that serves once: what opens must hold every party's vector exactly
once. Without tags n times one party's envelope would pass for the sum of n. It does not see a total that wrapped round:
the range is proved before encryption.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pets.errors import UserError, shown
from pets.he.tenseal_engine import U64

_LIMB = 20
_R_BITS = 40


def whole_numbers(values: Any, most: int, what: str = "the values") -> npt.NDArray[Any]:
    """Values as exact whole numbers in one row: int64, or Python's own where they are larger.

    Args:
        values: a list or an array of whole numbers.
        most: the greatest absolute value.

    Raises:
        UserError: for floats, NaN, booleans, text, masked arrays, empty input, and values beyond ``most``; nothing is
            converted.

    >>> whole_numbers([1, -2], 5)
    array([ 1, -2])
    """
    if np.ma.isMaskedArray(values):
        raise UserError(f"{what} must not be a masked array; fill it, or leave out the masked rows, and give its data")
    array = values if isinstance(values, np.ndarray) else _listed(values, what)
    if array.ndim != 1 or array.size == 0:
        raise UserError(f"{what} must be one row of whole numbers, and at least one")
    if array.dtype.kind == "O":
        if any(isinstance(v, (bool, np.bool_)) or not isinstance(v, (int, np.integer)) for v in array):
            raise UserError(f"{what} must be whole numbers; round them, or count in smaller units such as pence")
        array = np.array([int(v) for v in array], dtype=object)
    elif array.dtype.kind not in "iu":
        raise UserError(
            f"{what} must be whole numbers, not {array.dtype}; round them, or count in smaller units such as pence"
        )
    greatest = max(abs(int(array.max())), abs(int(array.min())))
    if greatest > most:
        raise UserError(f"{what} may be at most {most:,} away from 0, which these are not; nothing was encrypted")
    return array.astype(np.int64) if greatest < 2**63 else array.astype(object)


def _listed(values: Any, what: str) -> npt.NDArray[Any]:
    if not isinstance(values, (list, tuple)):
        raise UserError(f"{what} must be a list or an array of whole numbers, not {shown(values)}")
    return np.array(list(values), dtype=object)


def residues(values: npt.NDArray[Any], plain: int) -> U64:
    """Whole numbers modulo t."""
    if values.dtype == np.int64 and values.size and -plain <= int(values.min()) and int(values.max()) < plain:
        return np.where(values < 0, values + plain, values).astype(np.uint64)  # far quicker than dividing
    out: U64 = np.mod(values, plain).astype(np.uint64)
    return out


def joined(parts: Sequence[U64], plain: Sequence[int]) -> npt.NDArray[Any]:
    """The centred numbers with these residues: int64 where the moduli's product allows, else Python's own.

    >>> joined([np.array([5, 2], dtype=np.uint64), np.array([4, 2], dtype=np.uint64)], (7, 5))
    array([-16,   2])
    """
    if len(plain) == 1:
        t = plain[0]
        found = parts[0].astype(np.int64)
        return np.where(found > (t - 1) // 2, found - t, found)
    product = plain[0]
    total = parts[0].astype(object)
    for part, t in zip(parts[1:], plain[1:], strict=True):
        total = total + product * ((part.astype(object) - total) * pow(product, -1, t) % t)
        product *= t
    half = (math.prod(plain) - 1) // 2
    centred = np.where(total > half, total - product, total)
    return centred.astype(np.int64) if product < 2**63 else centred


def factors(seed: bytes, label: str, count: int) -> U64:
    """The secret r_j: 40 even bits each, from SHAKE-256 of the round's seed."""
    stream = hashlib.shake_256(b"pets he checksum 1\0" + label.encode() + b"\0" + seed).digest(8 * count)
    return np.frombuffer(stream, dtype="<u8").astype(np.uint64) & np.uint64(2**_R_BITS - 1)


def tag(seed: bytes, label: str, plain: int) -> int:
    """One party's tag modulo t: 128 bits of SHAKE-256 of its own seed, reduced (a bias below 2^−67)."""
    stream = hashlib.shake_256(b"pets he tag 1\0" + label.encode() + b"\0" + seed).digest(16)
    return int.from_bytes(stream, "little") % plain


def checksum(numbers: U64, r: U64, plain: int) -> int:
    """Σ r_j·x_j mod t, exactly: in limbs of 20 bits, whose products a 64-bit sum of 2^23 of them still holds.

    >>> checksum(np.array([2**59, 7], dtype=np.uint64), np.array([2**39, 1], dtype=np.uint64), 2**60 - 93)
    25563645345799
    """
    mask = np.uint64(2**_LIMB - 1)
    total = 0
    for a in range(-(-plain.bit_length() // _LIMB)):
        left = (numbers >> np.uint64(a * _LIMB)) & mask
        for b in range(_R_BITS // _LIMB):
            right = (r >> np.uint64(b * _LIMB)) & mask
            total += int(np.dot(left, right)) << (_LIMB * (a + b))
    return total % plain
