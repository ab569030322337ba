"""EncryptedTable: columns of one owner on an untrusted store, which computes on them and learns nothing.

Values lie in the coefficients of plaintext polynomials, x(X) = Σ x_i·X^i. Multiplied by w_0 − Σ w_i·X^(N−i) modulo
X^N + 1, the constant coefficient is Σ x_i·w_i: a dot product with one multiplication for each ciphertext, exact, and
without Galois keys. A mask that is encrypted is packed that other way round, so that a product of two ciphertexts has
the masked sum as its constant coefficient; it is decrypted as three polynomials, without relinearisation keys.

Before an answer leaves, uniform numbers are added to all that is not asked for: to the other coefficients, and, where
one ciphertext does not bear the noise of the whole answer, to the constant coefficients of the several, so that these
cancel in the answer and each ciphertext alone shows nothing.

There is no CKKS here, and no argument for it: its approximate answers give the secret key away to whoever sees them
decrypted (Li and Micciancio 2021), and exact whole numbers need none of it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pets.common.entropy import random_bytes
from pets.common.progress import Bar, bar, steps
from pets.errors import QueryError, UserError, did_you_mean, shown
from pets.he.keys.party import Party, PartyKey
from pets.he.keys.public_key import PublicKey
from pets.he.numbers import residues, whole_numbers
from pets.he.presets import PRESETS, max_products, max_weight
from pets.he.tables.answer import MAX_GROUPS, Answer, Part
from pets.he.tables.columns import backwards, described, packed, positional
from pets.he.tables.tablefile import Chunks, Layout, free, write
from pets.he.tenseal_engine import U64, scheme

_DIGIT = 16  # the base of weights too great for one multiplication
_MAX_MEMORY = 2**29  # of an answer's ciphertexts, one or more for each group


class EncryptedTable:
    """Encrypted columns in a file; made with :meth:`encrypt` by their owner, opened with :meth:`open` by a store.

    Every method gives an :class:`~pets.he.tables.answer.Answer` for the key holder: ``secret.read(answer)``. What the
    store sees: how many rows, the columns' names and public bounds, and which computations were asked for. It is
    trusted to compute what it was asked, on this table: no proof of that exists here.
    """

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks
        self._layout = chunks.layout
        self._scheme = scheme(chunks.layout.preset.chain, chunks.layout.preset.plain[0])

    # making and opening -----------------------------------------------------------------------------------------

    @classmethod
    def encrypt(
        cls,
        path: str | Path,
        columns: Mapping[str, Any],
        public_key: PublicKey,
        *,
        bounds: Mapping[str, int],
        squares: Sequence[str] = (),
        masks: Mapping[str, Any] | None = None,
        owner: PartyKey | None = None,
        progress: bool = True,
    ) -> EncryptedTable:
        """Encrypt columns of whole numbers into a file, a chunk at a time (memory-mapped arrays will do).

        Args:
            path: the new file.
            columns: arrays of equal length.
            public_key: the owner's own, or another key holder's who is to read the answers.
            bounds: for each column the greatest absolute value that it may have: public, never read from the values.
            squares: columns whose squares are stored, too, so that a variance can be asked for.
            masks: arrays of True and False that stay encrypted, for group sums; they need
                ``pets.he.keygen(products=True)`` and the larger parameter set.
            owner: signs the file (``pets.he.partykey(name)``), so that ``open(path, owner=…)`` notices chunks, bounds
                or keys of another table. Without it, whoever can write to the file can exchange them.
            progress: show on stderr what takes longer than a second.

        Raises:
            UserError: for values that are not whole or beyond their bound, before the chunk they are in is encrypted;
                the file does not appear then.
        """
        if not isinstance(public_key, PublicKey):
            raise UserError(f"public_key comes from pets.he.keygen() or PublicKey.load(path), not {shown(public_key)}")
        if owner is not None and not isinstance(owner, PartyKey):
            raise UserError(f"owner must be a key of pets.he.partykey(name), not {shown(owner)}")
        free(path)
        chosen = PRESETS["row42" if masks else "dot50"]
        public, engine = public_key.of(chosen.chain), scheme(chosen.chain, chosen.plain[0])
        listed, arrays = described(columns, bounds, squares, {} if masks is None else masks, chosen.reach)
        layout = Layout(public_key.id, chosen, len(arrays[0]), listed, None if owner is None else owner.public.sign)
        encrypt, store = engine.encryptor(public), engine.transformed

        def chunks(progress: Bar) -> Iterator[U64]:
            for column, array in zip(listed, arrays, strict=True):
                for start in range(0, layout.rows, chosen.degree):
                    yield store(encrypt(packed(column, array, start, layout)))
                    progress.update()

        with bar(len(listed) * layout.chunks, "encrypting", show=progress) as moved:
            write(path, layout, chunks(moved), owner)
        return cls.open(path)

    @classmethod
    def open(cls, path: str | Path, *, owner: Party | None = None) -> EncryptedTable:
        """Open a table's file.

        Args:
            path: the file.
            owner: the public half of the key that must have signed it. Left out, accidents are still noticed, but not
                what somebody changed on purpose.

        Raises:
            UserError: where it is missing, damaged or not signed by ``owner``.
        """
        if owner is not None and not isinstance(owner, Party):
            raise UserError(f"owner must be the public half of its key, key.public, not {shown(owner)}")
        return cls(Chunks(path, owner))

    @property
    def digest(self) -> str:
        """SHA-256 of the file's header and chunks: each answer names the table it was computed on by this."""
        return self._chunks.digest

    @property
    def rows(self) -> int:
        """How many rows each column has."""
        return self._layout.rows

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns of values."""
        return tuple(column.name for column in self._layout.columns if column.kind == "value")

    # computations -------------------------------------------------------------------------------------------------

    def sum(self, column: str) -> Answer:
        """Σ x."""
        return self._answer("number", f"sum({column!r})", self._total(self._place(column, "value"), 0))

    def mean(self, column: str) -> Answer:
        """Σ x ÷ rows, as an exact fraction."""
        return self._answer("mean", f"mean({column!r})", self._total(self._place(column, "value"), 0))

    def variance(self, column: str) -> Answer:
        """Σ x² ÷ rows − mean², as an exact fraction; the column's squares must have been uploaded."""
        parts = self._total(self._place(column, "value"), 0) + self._total(self._place(column, "square"), 1)
        return self._answer("variance", f"variance({column!r})", parts, 2)

    def dot(self, column: str, weights: Any) -> Answer:
        """Σ w·x with public whole weights, one for each row.

        Weights that are too great for one multiplication are split into digits; the reader learns the whole alone.
        """
        found = self._numbers(weights, 2**62, "weights")
        asked = f"dot({column!r}, {_called(found, 'weights')})"
        return self._answer("number", asked, self._weighted(self._place(column, "value"), found, 0))

    def group_sums(self, column: str, groups: Any) -> Answer:
        """Σ x in each public group; ``groups`` holds each row's number, 0 or greater.

        A group without rows costs nothing; each other one costs a ciphertext. They may take 512 MiB of memory: that
        are 4,096 groups, or 1,365 in a table with masks.
        """
        labels = self._numbers(groups, MAX_GROUPS - 1, "groups")
        place, parts = self._place(column, "value"), []
        if int(labels.min()) < 0:
            raise UserError(f"groups must be {self.rows:,} whole numbers, 0 or greater: one for each row")
        present = np.unique(labels)
        preset = self._layout.preset
        most = _MAX_MEMORY // (2 * len(preset.chain.kept) * preset.degree * 8)
        if len(present) > most:
            raise QueryError(
                f"{len(present):,} groups have rows, and an answer of at most {most:,} fits into 512 MiB of memory; "
                "ask for fewer groups at a time"
            )
        with steps(present.tolist(), "adding up groups") as groups:
            for group in groups:
                parts += self._weighted(place, (labels == group).astype(np.int64), group)
        asked = f"group_sums({column!r}, {_called(labels, 'groups')})"
        return self._answer("numbers", asked, parts, int(labels.max()) + 1)

    def masked_sum(self, column: str, mask: str) -> Answer:
        """Σ x over the rows of an encrypted mask; the store learns neither the rows nor how many they are."""
        left, right = self._place(column, "value"), self._place(mask, "mask")
        reach = self._fits(self._layout.columns[left].most * self.rows)
        at_once = max_products(self._layout.preset)
        starts = range(0, self._layout.chunks, at_once)
        parts = []
        with steps(starts, "multiplying") as each:
            for start, cover in zip(each, self._covers([1] * len(starts)), strict=True):
                places = range(start, min(start + at_once, self._layout.chunks))
                pairs = ((self._chunks.chunk(left, i), self._chunks.chunk(right, i)) for i in places)
                parts.append(Part(0, 1, reach, self._scheme.sum_of_products(pairs, cover)))
        return self._answer("number", f"masked_sum({column!r}, {mask!r})", parts)

    def score(self, weights: Mapping[str, int], intercept: int = 0) -> Answer:
        """A linear model with public whole coefficients: intercept + Σ w·column, for each row."""
        if not isinstance(weights, Mapping) or not weights:
            raise UserError("weights must be a mapping such as {'age': 3, 'stays': -2}, with whole numbers")
        factors = whole_numbers([*weights.values(), intercept], self._layout.preset.reach, "weights").tolist()
        if not any(factors[:-1]):
            raise UserError("at least one weight must differ from 0")
        places = [self._place(name, "value") for name in weights]
        most = sum(abs(w) * self._layout.columns[p].most for w, p in zip(factors, places, strict=False))
        reach = self._fits(most + abs(factors[-1]))
        if sum(abs(w) for w in factors[:-1]) > max_weight(self._layout.preset):
            raise QueryError(
                "the weights are too great for the noise that a ciphertext bears; scale them down, or encrypt the "
                "table with masks= (its parameter set bears far more)"
            )
        t, degree = self._layout.preset.plain[0], self._layout.preset.degree
        plain = residues(np.array(factors), t)
        parts = []
        with steps(range(self._layout.chunks), "scoring") as chunks:
            for chunk in chunks:
                terms = ((self._chunks.chunk(p, chunk), plain[i : i + 1]) for i, p in enumerate(places) if factors[i])
                parts.append(Part(chunk, 1, reach, self._scheme.sum_of_times(terms, np.full(degree, plain[-1]))))
        asked = f"score({dict(zip(weights, factors, strict=False))!r}, {factors[-1]})"
        return self._answer("vector", asked, parts, len(parts))

    # how ----------------------------------------------------------------------------------------------------------

    def _total(self, place: int, number: int) -> list[Part]:
        """Ciphertexts are added first and multiplied once: far less noise than a dot product with ones."""
        reach = self._fits(self._layout.columns[place].most * self.rows)
        preset, primes = self._layout.preset, np.array(self._layout.preset.chain.kept, dtype=np.uint64)[:, None]
        if preset.degree * math.sqrt(self._layout.chunks) > max_weight(preset):
            raise QueryError("the table has too many rows for one sum; split it into several files")
        total = np.zeros((2, len(primes), preset.degree), dtype=np.uint64)
        for chunk in range(self._layout.chunks):
            total = (total + self._chunks.chunk(place, chunk)) % primes
        ones = backwards(np.ones(preset.degree, dtype=np.int64), preset.degree, preset.plain[0])
        (cover,) = self._covers([1])
        return [Part(number, 1, reach, self._scheme.sum_of_times([(total, ones)], cover))]

    def _weighted(self, place: int, weights: Any, number: int) -> list[Part]:
        preset = self._layout.preset
        reach = self._fits(self._layout.columns[place].most * int(np.abs(weights).astype(object).sum()))
        if not weights.any():  # SEAL does not multiply by zero: something that is covered altogether, times 0
            cover = uniform(preset.degree, preset.plain[0])
            return [Part(number, 0, 0, self._scheme.covered(self._chunks.chunk(place, 0), cover))]
        digits = self._digits(weights)
        parts = []
        for (times, digit), cover in zip(digits, self._covers([times for times, _ in digits]), strict=True):
            terms = (
                (self._chunks.chunk(place, start // preset.degree), backwards(run, preset.degree, preset.plain[0]))
                for start in range(0, self.rows, preset.degree)
                if (run := digit[start : start + preset.degree]).any()
            )
            parts.append(Part(number, times, reach, self._scheme.sum_of_times(terms, cover)))
        return parts

    def _digits(self, weights: Any) -> list[tuple[int, Any]]:
        """The weights themselves, where the noise ledger allows, else their signed digits to base 16."""
        if self._noise_of(weights) <= max_weight(self._layout.preset):
            return [(1, weights)]
        out, left, times = [], weights, 1
        while left.any():
            digit = (left + _DIGIT // 2) % _DIGIT - _DIGIT // 2
            if self._noise_of(digit) > max_weight(self._layout.preset):
                raise QueryError("the table has too many rows for one dot product; split it into several files")
            if digit.any():
                out.append((times, digit))
            left, times = (left - digit) // _DIGIT, times * _DIGIT
        return out

    def _noise_of(self, weights: Any) -> float:
        """√Σ (Σ|w| of each chunk)²: how much greater the noise of their dot product is than a ciphertext's."""
        starts = np.arange(0, self.rows, self._layout.preset.degree)
        each = np.add.reduceat(np.abs(weights).astype(np.float64), starts)
        return float(np.sqrt(np.square(each).sum()))

    def _covers(self, times: Sequence[int]) -> list[U64]:
        """Uniform numbers for the parts of one answer, whose constant ones cancel: Σ times·constant = 0 modulo t.

        So a single part has 0 there, and of several any all but one are uniform and independent.
        """
        t = self._layout.preset.plain[0]
        covers = [uniform(self._layout.preset.degree, t) for _ in times]
        rest = sum(by * int(cover[0]) for by, cover in zip(times[1:], covers[1:], strict=True))
        covers[0][0] = -rest * pow(times[0], -1, t) % t
        return covers

    def _fits(self, most: int) -> int:
        if most > self._layout.preset.reach:
            raise QueryError(
                f"the answer could pass {self._layout.preset.reach:,}, which is what the table's parameter set holds; "
                "encrypt it with tighter bounds, or ask with smaller weights"
            )
        return most

    def _numbers(self, values: Any, most: int, what: str) -> Any:
        found = whole_numbers(positional(values, what), most, what)
        if len(found) != self.rows:
            raise UserError(f"{what} must be {self.rows:,} whole numbers: one for each row")
        return found

    def _place(self, name: object, kind: str) -> int:
        known = {column.name: place for place, column in enumerate(self._layout.columns) if column.kind == kind}
        if isinstance(name, str) and name in known:
            return known[name]
        if kind == "square":
            raise QueryError(f"the squares of {shown(name)} were not uploaded; encrypt the table with squares=[…]")
        raise QueryError(f"{shown(name)} is not a {kind} column of this table{did_you_mean(name, known)}")

    def _answer(self, kind: Any, asked: str, parts: Iterable[Part], count: int = 1) -> Answer:
        layout = self._layout
        return Answer(kind, asked, layout.key_id, self.digest, layout.preset, layout.rows, count, tuple(parts))

    def __repr__(self) -> str:
        names = ", ".join(f"{column.name} ({column.kind})" for column in self._layout.columns)
        return f"<EncryptedTable of {self.rows:,} rows: {names}>"


def uniform(count: int, plain: int) -> U64:
    """Uniform numbers below t, from the operating system: numbers of as many bits, until all are below."""
    mask = np.uint64((1 << plain.bit_length()) - 1)
    out = np.frombuffer(random_bytes(8 * count), dtype="<u8").astype(np.uint64) & mask
    while (wrong := np.flatnonzero(out >= np.uint64(plain))).size:
        out[wrong] = np.frombuffer(random_bytes(8 * wrong.size), dtype="<u8").astype(np.uint64) & mask
    return out


def _called(numbers: Any, what: str) -> str:
    """How an answer names what is too long to be repeated."""
    return f"{what} of SHA-256 {hashlib.sha256(np.ascontiguousarray(numbers, dtype='<i8').tobytes()).hexdigest()}"
