"""Answers of computations on encrypted columns, and reading them with the secret key.

An answer is a few ciphertexts with whole multipliers: each of its numbers is their weighted sum modulo t. Where a
number has several ciphertexts, uniform numbers that cancel in that sum are on them, so that none of them shows anything
alone. Whoever computes an answer sees none of that; whoever reads it learns the numbers that :attr:`Answer.shows` says.

    b"pets ans" | length | header | ciphertexts | SHA-256 of all of it

What is checked: that an answer is whole and well formed (the digest shows accidents, and anybody can make a new one),
and that its numbers lie within the range that was proved before they were computed. What is *not* checked, because
nothing here could: that the store computed what it says. It is trusted to, as to the table it used.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pets.common.codec import canonical
from pets.errors import PetsError, UserError, shown
from pets.he.ciphertext_bytes import check, pack, size, unpack
from pets.he.keys.keyfile import read, write_new
from pets.he.keys.public_key import Opener
from pets.he.numbers import joined
from pets.he.presets import SUM_PRESETS, Preset, preset
from pets.he.tenseal_engine import U64, scheme

MAGIC = b"pets ans"
MAX_GROUPS = 2**20
Kind = Literal["number", "mean", "variance", "numbers", "vector"]
_DIGEST = 32
_DAMAGED = "this is not an answer as pets computed it, or it was damaged; ask the store for it again"


@dataclass(frozen=True, eq=False)
class Part:
    """One ciphertext of an answer.

    Attributes:
        number: which of the answer's numbers it is a part of (for a vector: which run of rows).
        times: its whole multiplier.
        reach: the greatest absolute value of that number, proved before it was computed (for a vector: of each row's).
        residues: ``(2 or 3, primes, N)``.
    """

    number: int
    times: int
    reach: int
    residues: U64

    def fits(self, preset: Preset) -> bool:
        """Whether this is a ciphertext of the parameter set, with a range that its modulus holds."""
        if any(type(value) is not int for value in (self.number, self.times, self.reach)):
            return False
        shapes = [(polys, len(preset.chain.kept), preset.degree) for polys in (2, 3)]
        array = isinstance(self.residues, np.ndarray) and self.residues.dtype == np.uint64
        return array and self.residues.shape in shapes and 0 <= self.reach <= preset.reach and self.times >= 0


@dataclass(frozen=True, repr=False, eq=False)
class Answer:
    """What a store computed; only the secret key reads it: ``secret.read(answer)``.

    ``asked`` and ``table`` say what the store claims to have computed, and of which file: compare them with what you
    asked and with :attr:`EncryptedTable.digest <pets.he.tables.table.EncryptedTable.digest>`. They show mix-ups. They
    prove nothing about a store that lies.

    Attributes:
        kind: ``"number"``; ``"mean"`` and ``"variance"`` (fractions); ``"numbers"`` (one a group); ``"vector"`` (one a
            row).
        asked: the question, as it would be typed; many weights or groups by SHA-256 of their 64-bit little-endian form.
        key_id: of the public key.
        table: the digest of the table's file.
        rows: over which it was computed.
        count: of numbers (for a vector: of runs of rows); a group without rows has no part, and its number is 0.
        parts: the ciphertexts.
    """

    kind: Kind
    asked: str
    key_id: str
    table: str
    preset: Preset
    rows: int
    count: int
    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        if not self._fits():
            raise UserError(_DAMAGED)

    def _fits(self) -> bool:
        texts = (self.kind, self.asked, self.key_id, self.table)
        if not all(isinstance(text, str) and text.isprintable() for text in texts) or self.kind not in _FINISH:
            return False
        if not isinstance(self.preset, Preset) or len(self.preset.plain) != 1:
            return False
        if any(type(value) is not int or value < 1 for value in (self.rows, self.count)):
            return False
        if not isinstance(self.parts, tuple) or not all(isinstance(part, Part) for part in self.parts):
            return False
        return all(part.fits(self.preset) for part in self.parts) and self._structured()

    def _structured(self) -> bool:
        """Whether the parts are those of such an answer: each number has all of its own, in order."""
        numbers = [part.number for part in self.parts]
        if self.kind == "vector":
            runs = -(-self.rows // self.preset.degree)
            return numbers == list(range(runs)) and self.count == runs and all(p.times == 1 for p in self.parts)
        known = set(numbers)
        if numbers != sorted(numbers) or len({(part.number, part.reach) for part in self.parts}) != len(known):
            return False
        if self.kind == "numbers":  # groups without rows have no part
            return bool(known) and self.count <= MAX_GROUPS and numbers[0] >= 0 and numbers[-1] < self.count
        return self.count == (2 if self.kind == "variance" else 1) and known == set(range(self.count))

    @property
    def shows(self) -> str:
        """What the reader learns: exactly this, and of the rows nothing else."""
        if self.kind == "vector":
            return f"one number for each of {self.rows:,} rows"
        if self.kind == "variance":
            return "two whole numbers, the sum and the sum of squares"
        return "one whole number" if self.count == 1 else f"{self.count:,} whole numbers"

    def _head(self) -> bytes:
        head = {
            "pets": "he-answer",
            "version": 1,
            "kind": self.kind,
            "asked": self.asked,
            "key": self.key_id,
            "table": self.table,
            "preset": self.preset.name,
            "rows": self.rows,
            "count": self.count,
            "parts": [[part.number, part.times, part.reach, len(part.residues)] for part in self.parts],
        }
        return canonical(head)

    def to_bytes(self) -> bytes:
        """What is written to a file or sent."""
        text = self._head()
        payload = [pack(part.residues, self.preset.chain.kept) for part in self.parts]
        body = b"".join((MAGIC, len(text).to_bytes(4, "little"), text, *payload))
        return body + hashlib.sha256(body).digest()

    @classmethod
    def from_bytes(cls, data: bytes) -> Answer:
        """The inverse of :meth:`to_bytes`; raises :class:`UserError` for anything else."""
        try:
            made = cls._read(data)
        except (PetsError, LookupError, TypeError, ValueError, AttributeError, RecursionError):
            raise UserError(_DAMAGED) from None
        return made

    @classmethod
    def _read(cls, data: bytes) -> Answer:
        stop = len(data) - _DIGEST
        start = len(MAGIC) + 4
        end = start + int.from_bytes(data[start - 4 : start], "little")
        if not data.startswith(MAGIC) or end > stop or hashlib.sha256(data[:stop]).digest() != data[stop:]:
            raise ValueError
        head = json.loads(data[start:end])
        found = preset(head["preset"])
        primes, parts, place = found.chain.kept, [], end
        for number, times, reach, polys in head["parts"]:
            if polys not in (2, 3):
                raise ValueError
            length = size(primes, polys * found.degree)
            chunk = data[place : min(place + length, stop)]
            check(chunk, primes, polys * found.degree, "the answer")
            parts.append(Part(number, times, reach, unpack(chunk, primes, (polys, len(primes), found.degree))))
            place += length
        texts = (head["asked"], head["key"], head["table"])
        made = cls(head["kind"], *texts, found, head["rows"], head["count"], tuple(parts))
        if place != stop or made._head() != data[start:end]:
            raise ValueError
        return made

    def save(self, path: str | Path) -> Path:
        """Write the answer to a file."""
        return write_new(path, self.to_bytes(), "an answer", owner_only=False)

    @classmethod
    def load(cls, path: str | Path) -> Answer:
        """Read an answer's file."""
        return cls.from_bytes(read(path, "an answer"))

    def __repr__(self) -> str:
        asked = self.asked if len(self.asked) <= 200 else f"{self.asked[:199]}…"
        return (
            f"<Answer to {asked} on {self.rows:,} encrypted rows of table {self.table[:16]}: shows its reader "
            f"{self.shows}>"
        )


def read_answer(secret: Opener, answer: object) -> Any:
    """The answer's exact value: a whole number, a :class:`~fractions.Fraction`, or a list of whole numbers.

    Raises:
        UserError: for an answer of another key, or one whose numbers lie outside their proved range. Within that range
            a store that computed something else is believed. Let no store see what its answers say or whether one was
            refused: with enough crafted answers it could learn about rows and key from that.
    """
    if not isinstance(answer, Answer):
        raise UserError(f"only answers of encrypted tables are read, not {shown(answer)}")
    if answer.preset.name in SUM_PRESETS:
        raise UserError("this is no answer of a table; a total is opened with open()")
    if answer.key_id != secret.public.id:
        raise UserError("the answer was computed under another public key than this secret key's")
    t, chain = answer.preset.plain[0], answer.preset.chain
    decrypt = scheme(chain, t).decryptor(secret.reveal(chain))

    def proved(numbers: Any, reach: int) -> list[int]:
        if max(abs(int(numbers.max())), abs(int(numbers.min()))) > reach:
            raise UserError("the answer lies outside its proved range: it was changed or computed wrongly")
        return [int(number) for number in numbers]

    if answer.kind == "vector":
        out: list[int] = []
        for part in answer.parts:
            run = decrypt(part.residues)[: min(answer.preset.degree, answer.rows - len(out))]
            out += proved(joined((run,), (t,)), part.reach)
        return out
    totals, reaches = [0] * answer.count, [0] * answer.count
    for part in answer.parts:
        totals[part.number] += part.times * int(decrypt(part.residues)[0])
        reaches[part.number] = part.reach
    numbers = []
    for total, reach in zip(totals, reaches, strict=True):
        numbers += proved(joined((np.array([total % t], dtype=np.uint64),), (t,)), reach)
    return _FINISH[answer.kind](numbers, answer.rows)


def _variance(numbers: list[int], rows: int) -> Fraction:
    return Fraction(numbers[1], rows) - Fraction(numbers[0], rows) ** 2


_FINISH: dict[str, Callable[[list[int], int], Any]] = {
    "number": lambda numbers, _: numbers[0],
    "numbers": lambda numbers, _: numbers,
    "mean": lambda numbers, rows: Fraction(numbers[0], rows),
    "variance": _variance,
    "vector": lambda numbers, _: numbers,
}
