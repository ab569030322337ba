"""Payloads: residues as bytes of our own layout, and adding them up without any engine.

For each plain modulus and each prime q of the chain, the residues of all ciphertexts, polynomials and coefficients lie
in *planes*: first the low 4 bytes of every residue, then the next 2, then the last one, as far as q has bytes (40 bits:
4 + 1). So a payload has exactly the bytes that its primes need, and a plane is added with one array operation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pets.errors import InternalError, UserError
from pets.he.presets import Preset
from pets.he.tenseal_engine import U64

Planes = list[tuple[npt.NDArray[Any], int]]
_WIDTHS = {4: "<u4", 2: "<u2", 1: "u1"}


def planes(prime: int) -> list[tuple[str, int]]:
    """The planes of a prime's residues: (numpy type, bits below it).

    >>> planes(2**40 - 87), planes(2**56 - 5)
    ([('<u4', 0), ('u1', 32)], [('<u4', 0), ('<u2', 32), ('u1', 48)])
    """
    left, shift, out = -(-prime.bit_length() // 8), 0, []
    if left < 4:
        raise InternalError("a prime of a chain has at least 25 bits")
    for width, kind in _WIDTHS.items():
        if left & width:
            out.append((kind, shift))
            shift += 8 * width
    return out


def size(primes: Sequence[int], numbers: int) -> int:
    """Bytes of this many residues modulo each prime."""
    return sum(-(-q.bit_length() // 8) for q in primes) * numbers


def payload_size(preset: Preset, chunks: int, polys: int = 2) -> int:
    """Bytes of the payload of this many ciphertexts for each plain modulus."""
    return len(preset.plain) * size(preset.chain.kept, chunks * polys * preset.degree)


def pack(residues: U64, primes: Sequence[int]) -> bytes:
    """Residues ``(…, primes, N)`` as bytes; the inverse of :func:`unpack`."""
    parts = []
    for place in range(len(primes)):
        column = np.ascontiguousarray(residues[..., place, :])
        for kind, shift in planes(primes[place]):
            parts.append((column >> np.uint64(shift)).astype(kind).tobytes())
    return b"".join(parts)


def _columns(
    data: bytes, primes: Sequence[int], numbers: int
) -> Iterator[tuple[int, list[tuple[npt.NDArray[Any], int]]]]:
    """For each prime, its planes as views of the bytes."""
    start = 0
    for q in primes:
        found = []
        for kind, shift in planes(q):
            view = np.frombuffer(data, dtype=kind, count=numbers, offset=start)
            start += view.nbytes
            found.append((view, shift))
        yield q, found


def _joined(parts: Planes) -> U64:
    out = parts[0][0].astype(np.uint64)
    for plane, shift in parts[1:]:
        out |= plane.astype(np.uint64) << np.uint64(shift)
    return out


def check(data: bytes, primes: Sequence[int], numbers: int, what: str) -> None:
    """Refuse bytes of another length, and residues that are not below their prime.

    Raises:
        UserError: naming ``what``; nothing has been decrypted.
    """
    if len(data) != size(primes, numbers):
        raise UserError(f"{what} has another length than its header says; it was cut or damaged, so ask for it again")
    for q, parts in _columns(data, primes, numbers):
        top, shift = parts[-1]
        # only where the top plane reaches that of q can a residue be too large: one in 256 or fewer
        suspects = np.flatnonzero(top >= (q >> shift))
        if suspects.size and int(_joined([(plane[suspects], at) for plane, at in parts]).max()) >= q:
            raise UserError(f"{what} holds numbers outside their range; it was damaged, so ask for it again")


def unpack(data: bytes, primes: Sequence[int], shape: tuple[int, ...]) -> U64:
    """Residues of this shape, ``(…, primes, N)``; check the bytes first."""
    numbers = int(np.prod(shape)) // len(primes)
    out = np.empty(shape, dtype=np.uint64)
    for place, (_, parts) in enumerate(_columns(data, primes, numbers)):
        out[..., place, :] = _joined(parts).reshape(out[..., place, :].shape)
    return out


class Adder:
    """Adds payloads of one preset: planes are summed apart and reduced once at the end."""

    def __init__(self, preset: Preset, chunks: int) -> None:
        self._preset = preset
        self._primes = preset.chain.kept * len(preset.plain)  # plain by plain, prime by prime
        self._numbers = chunks * 2 * preset.degree
        self._sums = [[np.zeros(self._numbers, dtype=np.uint64) for _ in planes(q)] for q in self._primes]
        self._count = 0

    def add(self, payload: bytes) -> None:
        """Add one payload that :func:`check` has passed; raises :class:`UserError` for too many."""
        self._count += 1
        if self._count > self._preset.most_parties or self._count * max(self._primes) >= 2**64:
            raise UserError(
                f"parameter set {self._preset.name!r} holds {self._preset.most_parties:,} parties at most; "
                "the total would be wrong"
            )
        for sums, (_, parts) in zip(self._sums, _columns(payload, self._primes, self._numbers), strict=True):
            for total, (plane, _) in zip(sums, parts, strict=True):
                np.add(total, plane, out=total)

    def payload(self) -> bytes:
        """The sum, as a payload."""
        parts = []
        for q, sums in zip(self._primes, self._sums, strict=True):
            total = sums[0].copy()
            for plane, (_, shift) in zip(sums[1:], planes(q)[1:], strict=True):
                total += plane << np.uint64(shift)
            total %= np.uint64(q)
            parts += [(total >> np.uint64(shift)).astype(kind).tobytes() for kind, shift in planes(q)]
        return b"".join(parts)


def pack_all(arrays: Sequence[U64], preset: Preset) -> bytes:
    """The payload of ciphertexts ``(chunks, polynomials, primes, N)``, one array for each plain modulus."""
    return b"".join(pack(array, preset.chain.kept) for array in arrays)


def unpack_all(payload: bytes, preset: Preset, chunks: int, polys: int = 2) -> list[U64]:
    """The inverse of :func:`pack_all`; check the payload first."""
    each = payload_size(preset, chunks, polys) // len(preset.plain)
    shape = (chunks, polys, len(preset.chain.kept), preset.degree)
    return [
        unpack(payload[place * each : (place + 1) * each], preset.chain.kept, shape)
        for place in range(len(preset.plain))
    ]
