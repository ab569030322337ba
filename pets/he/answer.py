"""Answers of computations on encrypted columns, and reading them with the secret key.

An answer is a few ciphertexts with whole multipliers: its number is their weighted sum. Whoever computes it sees none
of that; whoever reads it learns the numbers that :attr:`Answer.shows` says.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pets.codec import canonical
from pets.errors import PetsError, UserError, shown
from pets.he.keyfile import read, write_new
from pets.he.keys import Opener
from pets.he.presets import SUM_PRESETS, Preset, preset
from pets.he.seal import U64, scheme
from pets.he.wire import check, pack, size, unpack

MAGIC = b"pets ans"
Kind = Literal["number", "mean", "variance", "numbers", "vector"]
_DAMAGED = "this is not an answer as pets computed it, or it was damaged; ask the store for it again"


@dataclass(frozen=True)
class Part:
    """One ciphertext of an answer.

    Attributes:
        number: which of the answer's numbers it is a part of (for a vector: which run of rows).
        times: its whole multiplier.
        residues: ``(2 or 3, primes, N)``.
    """

    number: int
    times: int
    residues: U64


@dataclass(frozen=True, repr=False, eq=False)
class Answer:
    """What a store computed; only the secret key reads it: ``secret.read(answer)``.

    Attributes:
        kind: ``"number"``; ``"mean"`` and ``"variance"`` (fractions); ``"numbers"`` (one a group); ``"vector"`` (one a
            row).
        key_id: of the public key.
        rows: over which it was computed.
        reach: the greatest absolute value of each part, proved before it was computed.
        parts: the ciphertexts.
    """

    kind: Kind
    key_id: str
    preset: Preset
    rows: int
    reach: int
    parts: tuple[Part, ...]

    @property
    def shows(self) -> str:
        """What the reader learns."""
        if self.kind == "vector":
            return f"one number for each of {self.rows:,} rows"
        learnt = len({(part.number, part.times) for part in self.parts})
        return f"{len(self.parts)} whole numbers" if learnt > 1 else "one whole number"

    def to_bytes(self) -> bytes:
        """What is written to a file or sent."""
        head = {
            "kind": self.kind,
            "key": self.key_id,
            "preset": self.preset.name,
            "rows": self.rows,
            "reach": self.reach,
            "parts": [[part.number, part.times, len(part.residues)] for part in self.parts],
        }
        text = canonical(head)
        payload = [pack(part.residues, self.preset.chain.kept) for part in self.parts]
        return b"".join((MAGIC, len(text).to_bytes(4, "little"), text, *payload))

    @classmethod
    def from_bytes(cls, data: bytes) -> Answer:
        """The inverse of :meth:`to_bytes`; raises :class:`UserError` for anything else."""
        try:
            if not data.startswith(MAGIC):
                raise ValueError
            start = len(MAGIC) + 4
            end = start + int.from_bytes(data[start - 4 : start], "little")
            head = json.loads(data[start:end])
            found = preset(head["preset"])
            primes, parts = found.chain.kept, []
            for number, times, polys in head["parts"]:
                if polys not in (2, 3):
                    raise ValueError
                length = size(primes, polys * found.degree)
                chunk = data[end : end + length]
                check(chunk, primes, polys * found.degree, "the answer")
                parts.append(Part(int(number), int(times), unpack(chunk, primes, (polys, len(primes), found.degree))))
                end += length
            made = cls(head["kind"], head["key"], found, int(head["rows"]), int(head["reach"]), tuple(parts))
            same = made.kind in _FINISH and made.to_bytes() == data
        except (PetsError, LookupError, TypeError, ValueError, AttributeError, RecursionError):
            same = False
        if not same:
            raise UserError(_DAMAGED)
        return made

    def save(self, path: str | Path) -> Path:
        """Write the answer to a file."""
        return write_new(path, self.to_bytes(), "an answer", owner_only=False)

    @classmethod
    def load(cls, path: str | Path) -> Answer:
        """Read an answer's file."""
        return cls.from_bytes(read(path, "an answer"))

    def __repr__(self) -> str:
        return f"<Answer ({self.kind}) on {self.rows:,} encrypted rows: shows its reader {self.shows}>"


def read_answer(secret: Opener, answer: object) -> Any:
    """The answer's exact value: a whole number, a :class:`~fractions.Fraction`, or a list of whole numbers.

    Raises:
        UserError: for an answer of another key, or one whose numbers lie outside their proved range.
    """
    if not isinstance(answer, Answer):
        raise UserError(f"only answers of encrypted tables are read, not {shown(answer)}")
    if answer.preset.name in SUM_PRESETS:
        raise UserError("this is no answer of a table; a total is opened with open()")
    if answer.key_id != secret.public.id:
        raise UserError("the answer was computed under another public key than this secret key's")
    t, chain = answer.preset.plain[0], answer.preset.chain
    decrypt = scheme(chain, t).decryptor(secret.reveal(chain))

    def numbers(part: Part, count: int) -> list[int]:
        found = decrypt(part.residues)[:count].astype(np.int64)
        centred = np.where(found > t // 2, found - t, found)
        if int(np.abs(centred).max()) > answer.reach:
            raise UserError("the answer lies outside its proved range: it was changed or computed wrongly")
        return [int(number) for number in centred]

    if answer.kind == "vector":
        out: list[int] = []
        for part in answer.parts:
            out += numbers(part, min(answer.preset.degree, answer.rows - len(out)))
        return out
    totals: dict[int, int] = {}
    for part in answer.parts:
        totals[part.number] = totals.get(part.number, 0) + part.times * numbers(part, 1)[0]
    return _FINISH[answer.kind]([totals[number] for number in sorted(totals)], answer.rows)


def _variance(numbers: list[int], rows: int) -> Fraction:
    return Fraction(numbers[1], rows) - Fraction(numbers[0], rows) ** 2


_FINISH: dict[str, Callable[[list[int], int], Any]] = {
    "number": lambda numbers, _: numbers[0],
    "numbers": lambda numbers, _: numbers,
    "mean": lambda numbers, rows: Fraction(numbers[0], rows),
    "variance": _variance,
    "vector": lambda numbers, _: numbers,
}
