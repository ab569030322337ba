"""EncryptedTable: columns of one owner on an untrusted store, which computes on them and learns nothing.

Values lie in the coefficients of plaintext polynomials, x(X) = Σ x_i·X^i. Multiplied by w_0 − Σ w_i·X^(N−i) modulo
X^N + 1, the constant coefficient is Σ x_i·w_i: a dot product with one multiplication for each ciphertext, exact, and
without Galois keys. A mask that is encrypted is packed that other way round, so that a product of two ciphertexts has
the masked sum as its constant coefficient; it is decrypted as three polynomials, without relinearisation keys. The
other coefficients are hidden by adding uniform numbers before an answer leaves.

There is no CKKS here, and no argument for it: its approximate answers give the secret key away to whoever sees them
decrypted (Li and Micciancio 2021), and exact whole numbers need none of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pets.entropy import random_bytes
from pets.errors import QueryError, UserError, did_you_mean, shown
from pets.he.answer import Answer, Part
from pets.he.keys import PublicKey
from pets.he.ledger import most_weight, product_chunks
from pets.he.numbers import residues, whole_numbers
from pets.he.presets import PRESETS
from pets.he.progress import bar, steps
from pets.he.seal import U64, scheme
from pets.he.tablefile import Chunks, Column, Layout, write

_DIGIT = 16  # the base of weights too great for one multiplication


class EncryptedTable:
    """Encrypted columns in a file; made with :meth:`encrypt` by their owner, opened with :meth:`open` by a store.

    Every method gives an :class:`~pets.he.answer.Answer` for the key holder: ``secret.read(answer)``. What the store
    sees: how many rows, the columns' names and public bounds, and which computations were asked for.
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
            progress: show on stderr what takes longer than a second.

        Raises:
            UserError: for values that are not whole or beyond their bound, before the chunk they are in is encrypted;
                the file does not appear then.
        """
        if not isinstance(public_key, PublicKey):
            raise UserError(f"public_key comes from pets.he.keygen() or PublicKey.load(path), not {shown(public_key)}")
        chosen = PRESETS["row42" if masks else "dot50"]
        public, engine = public_key.of(chosen.chain), scheme(chosen.chain, chosen.plain[0])
        listed, arrays = _described(columns, bounds, squares, masks or {}, chosen.reach)
        layout = Layout(public_key.id, chosen, len(arrays[0]), listed)
        if any(len(array) != layout.rows for array in arrays):
            raise UserError("columns and masks must have equally many rows")
        encrypt, store = engine.encryptor(public), engine.transformed

        def chunks() -> Iterator[U64]:
            with bar(len(listed) * layout.chunks, "encrypting", show=progress) as tick:
                for column, array in zip(listed, arrays, strict=True):
                    for start in range(0, layout.rows, chosen.degree):
                        yield store(encrypt(_packed(column, array[start : start + chosen.degree], layout)))
                        tick.update()

        write(path, layout, chunks())
        return cls.open(path)

    @classmethod
    def open(cls, path: str | Path) -> EncryptedTable:
        """Open a table's file; raises :class:`UserError` where it is missing or damaged."""
        return cls(Chunks(path))

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
        return self._answer("number", self._total(self._place(column, "value"), 0))

    def mean(self, column: str) -> Answer:
        """Σ x ÷ rows, as an exact fraction."""
        return self._answer("mean", self._total(self._place(column, "value"), 0))

    def variance(self, column: str) -> Answer:
        """Σ x² ÷ rows − mean², as an exact fraction; the column's squares must have been uploaded."""
        parts = self._total(self._place(column, "value"), 0) + self._total(self._place(column, "square"), 1)
        return self._answer("variance", parts)

    def dot(self, column: str, weights: Any) -> Answer:
        """Σ w·x with public whole weights, one for each row.

        Weights that are too great for one multiplication are split into digits; the reader then learns the dot product
        with each digit as well.
        """
        return self._answer("number", self._weighted(self._place(column, "value"), self._weights(weights), 0))

    def group_sums(self, column: str, groups: Any) -> Answer:
        """Σ x in each public group; ``groups`` holds each row's number, 0 or greater."""
        labels = whole_numbers(groups, 2**20, "groups")
        if len(labels) != self.rows or int(labels.min()) < 0:
            raise UserError(f"groups must be {self.rows:,} whole numbers, 0 or greater: one for each row")
        place, parts = self._place(column, "value"), []
        for group in steps(range(int(labels.max()) + 1), "adding up groups"):
            parts += self._weighted(place, (labels == group).astype(np.int64), group)
        return self._answer("numbers", parts)

    def masked_sum(self, column: str, mask: str) -> Answer:
        """Σ x over the rows of an encrypted mask; the store learns neither the rows nor how many they are."""
        left, right = self._place(column, "value"), self._place(mask, "mask")
        self._fits(self._layout.columns[left].most * self.rows)
        at_once = product_chunks(self._layout.preset)
        parts = []
        for start in range(0, self._layout.chunks, at_once):
            places = range(start, min(start + at_once, self._layout.chunks))
            pairs = ((self._chunks.chunk(left, i), self._chunks.chunk(right, i)) for i in places)
            parts.append(Part(0, 1, self._scheme.sum_of_products(pairs, self._cover())))
        return self._answer("number", parts)

    def score(self, weights: Mapping[str, int], intercept: int = 0) -> Answer:
        """A linear model with public whole coefficients: intercept + Σ w·column, for each row."""
        if not isinstance(weights, Mapping) or not weights:
            raise UserError("weights must be a mapping such as {'age': 3, 'stays': -2}, with whole numbers")
        factors = whole_numbers([*weights.values(), intercept], self._layout.preset.reach, "weights").tolist()
        if not any(factors[:-1]):
            raise UserError("at least one weight must differ from 0")
        places = [self._place(name, "value") for name in weights]
        most = sum(abs(w) * self._layout.columns[p].most for w, p in zip(factors, places, strict=False))
        self._fits(most + abs(factors[-1]))
        if sum(abs(w) for w in factors[:-1]) > most_weight(self._layout.preset):
            raise QueryError(
                "the weights are too great for the noise that a ciphertext bears; scale them down, or encrypt the "
                "table with masks= (its parameter set bears far more)"
            )
        t, degree = self._layout.preset.plain[0], self._layout.preset.degree
        plain = residues(np.array(factors), t)
        parts = []
        for chunk in steps(range(self._layout.chunks), "scoring"):
            terms = ((self._chunks.chunk(p, chunk), plain[i : i + 1]) for i, p in enumerate(places) if factors[i])
            parts.append(Part(chunk, 1, self._scheme.sum_of_times(terms, np.full(degree, plain[-1]))))
        return self._answer("vector", parts)

    # how ----------------------------------------------------------------------------------------------------------

    def _total(self, place: int, number: int) -> list[Part]:
        """Ciphertexts are added first and multiplied once: far less noise than a dot product with ones."""
        self._fits(self._layout.columns[place].most * self.rows)
        preset, primes = self._layout.preset, np.array(self._layout.preset.chain.kept, dtype=np.uint64)[:, None]
        total = np.zeros((2, len(primes), preset.degree), dtype=np.uint64)
        for chunk in range(self._layout.chunks):
            total = (total + self._chunks.chunk(place, chunk)) % primes
        ones = backwards(np.ones(preset.degree, dtype=np.int64), preset.degree, preset.plain[0])
        if preset.degree * math.sqrt(self._layout.chunks) > most_weight(preset):
            raise QueryError("the table has too many rows for one sum; split it into several files")
        return [Part(number, 1, self._scheme.sum_of_times([(total, ones)], self._cover()))]

    def _weighted(self, place: int, weights: Any, number: int) -> list[Part]:
        preset = self._layout.preset
        self._fits(self._layout.columns[place].most * int(np.abs(weights).astype(object).sum()))
        if not weights.any():  # SEAL does not multiply by zero: something that is covered altogether, times 0
            cover = uniform(preset.degree, preset.plain[0])
            return [Part(number, 0, self._scheme.covered(self._chunks.chunk(place, 0), cover))]
        parts = []
        for times, digit in self._digits(weights):
            terms = (
                (self._chunks.chunk(place, start // preset.degree), backwards(run, preset.degree, preset.plain[0]))
                for start in range(0, self.rows, preset.degree)
                if (run := digit[start : start + preset.degree]).any()
            )
            parts.append(Part(number, times, self._scheme.sum_of_times(terms, self._cover())))
        return parts

    def _digits(self, weights: Any) -> list[tuple[int, Any]]:
        """The weights themselves, where the noise ledger allows, else their signed digits to base 16."""
        if self._noise_of(weights) <= most_weight(self._layout.preset):
            return [(1, weights)]
        out, left, times = [], weights, 1
        while left.any():
            digit = (left + _DIGIT // 2) % _DIGIT - _DIGIT // 2
            if self._noise_of(digit) > most_weight(self._layout.preset):
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

    def _cover(self) -> U64:
        """Uniform numbers on every coefficient but the constant one, which is the answer."""
        cover = uniform(self._layout.preset.degree, self._layout.preset.plain[0])
        cover[0] = 0
        return cover

    def _fits(self, most: int) -> None:
        if most > self._layout.preset.reach:
            raise QueryError(
                f"the answer could pass {self._layout.preset.reach:,}, which is what the table's parameter set holds; "
                "encrypt it with tighter bounds, or ask with smaller weights"
            )

    def _weights(self, weights: Any) -> Any:
        found = whole_numbers(weights, 2**62, "weights")
        if len(found) != self.rows:
            raise UserError(f"weights must be {self.rows:,} whole numbers: one for each row")
        return found

    def _place(self, name: object, kind: str) -> int:
        known = {column.name: place for place, column in enumerate(self._layout.columns) if column.kind == kind}
        if isinstance(name, str) and name in known:
            return known[name]
        if kind == "square":
            raise QueryError(f"the squares of {shown(name)} were not uploaded; encrypt the table with squares=[…]")
        raise QueryError(f"{shown(name)} is not a {kind} column of this table{did_you_mean(name, known)}")

    def _answer(self, kind: Any, parts: list[Part]) -> Answer:
        layout = self._layout
        return Answer(kind, layout.key_id, layout.preset, layout.rows, layout.preset.reach, tuple(parts))

    def __repr__(self) -> str:
        names = ", ".join(f"{column.name} ({column.kind})" for column in self._layout.columns)
        return f"<EncryptedTable of {self.rows:,} rows: {names}>"


def backwards(weights: Any, degree: int, plain: int) -> U64:
    """w_0 − Σ w_i·X^(N−i), as coefficients modulo t.

    >>> backwards(np.array([5, 1, 2]), 4, 17)
    array([ 5,  0, 15, 16], dtype=uint64)
    """
    out = np.zeros(degree, dtype=np.uint64)
    out[0] = weights[0] % plain
    out[degree - len(weights) + 1 :] = residues(-weights[:0:-1], plain)
    return out


def uniform(count: int, plain: int) -> U64:
    """Uniform numbers below t, from the operating system: numbers of as many bits, until all are below."""
    mask = np.uint64((1 << plain.bit_length()) - 1)
    out = np.frombuffer(random_bytes(8 * count), dtype="<u8").astype(np.uint64) & mask
    while (wrong := np.flatnonzero(out >= np.uint64(plain))).size:
        out[wrong] = np.frombuffer(random_bytes(8 * wrong.size), dtype="<u8").astype(np.uint64) & mask
    return out


def _described(
    columns: object, bounds: object, squares: Sequence[str], masks: Mapping[str, Any], reach: int
) -> tuple[tuple[Column, ...], list[Any]]:
    if not isinstance(columns, Mapping) or not columns or not all(isinstance(name, str) for name in columns):
        raise UserError("columns must be a mapping such as {'cost': array}, and hold at least one")
    if not isinstance(bounds, Mapping) or set(bounds) != set(columns):
        raise UserError("bounds must name each column's greatest absolute value: {'cost': 100_000}")
    listed, arrays = [], []
    for name, array in columns.items():
        most = bounds[name]
        if isinstance(most, bool) or not isinstance(most, int) or not 0 < most <= reach:
            raise UserError(f"the bound of {name!r} must be a whole number from 1 to {reach:,}, not {shown(most)}")
        listed.append(Column(name, "value", most))
        arrays.append(array)
    for name in squares:
        if name not in columns:
            raise UserError(f"squares name {shown(name)}, which is not a column{did_you_mean(name, columns)}")
        if bounds[name] ** 2 > reach:
            raise UserError(f"squares of {name!r} could pass the table's parameter set; give it a tighter bound")
        listed.append(Column(name, "square", bounds[name] ** 2))
        arrays.append(columns[name])
    for name, array in masks.items():
        if not isinstance(name, str):
            raise UserError("masks must be a mapping such as {'female': array of True and False}")
        listed.append(Column(name, "mask", 1))
        arrays.append(array)
    if any(not hasattr(array, "__len__") or len(array) == 0 for array in arrays):
        raise UserError("columns and masks must be arrays of at least one row")
    return tuple(listed), arrays


def _packed(column: Column, run: Any, layout: Layout) -> U64:
    t, what = layout.preset.plain[0], f"column {column.name!r}"
    if column.kind == "mask":
        flags = np.asarray(run)
        if flags.dtype != bool:
            raise UserError(f"mask {column.name!r} must be an array of True and False")
        return backwards(flags.astype(np.int64), layout.preset.degree, t)
    most = math.isqrt(column.most) if column.kind == "square" else column.most
    numbers = whole_numbers(np.asarray(run), most, what)
    return residues(numbers * numbers if column.kind == "square" else numbers, t)
