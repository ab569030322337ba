"""System: what releases say of counts of people, as sums of atoms between two whole numbers.

An atom is a cell so fine that every number that was told is a sum of atoms; its count is a whole number of 0 or more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pets.common.integers import Ints
from pets.errors import QueryError

GREATEST = 10**12
"""No count is above this: it bounds atoms of which nothing is told, and keeps sums of 64-bit numbers exact."""


@dataclass(frozen=True)
class Statement:
    """One number that was told: ``lo`` ≤ people in the atoms ``cells`` ≤ ``hi``.

    Attributes:
        cells: the atoms, each once.
        lo, hi: between what the number lies, both included; equal where it is exact.
        source: who told it, for sentences: "North, total of release 2".

    Raises:
        QueryError: it says that no number fits.
    """

    cells: tuple[int, ...]
    lo: int
    hi: int
    source: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "cells", tuple(int(cell) for cell in self.cells))
        object.__setattr__(self, "lo", max(int(self.lo), 0))
        object.__setattr__(self, "hi", int(self.hi))
        if len(set(self.cells)) != len(self.cells) or not self.cells:
            raise QueryError(f"{self.source or 'a number'} must add at least one atom, each once; name its atoms again")
        if self.lo > self.hi or self.hi > GREATEST:
            raise QueryError(
                f"{self.source or 'a number'} cannot lie between {self.lo:,} and {self.hi:,}; give a least number that "
                f"is not above the greatest, which is at most {GREATEST:,}"
            )


@dataclass(frozen=True)
class System:
    """Every statement about the same people; row ``r`` adds the atoms ``indices[indptr[r]:indptr[r + 1]]``.

    Attributes:
        atoms: how many there are.
        indptr, indices: the rows, compressed.
        lo, hi: between what each row's sum lies.
        sources: who told each row.
    """

    atoms: int
    indptr: Ints
    indices: Ints
    lo: Ints
    hi: Ints
    sources: tuple[str, ...]

    @classmethod
    def from_statements(cls, atoms: int, statements: Iterable[Statement]) -> System:
        """The system of some statements; raises :class:`QueryError` where one names an atom that there is not."""
        told = list(statements)
        sizes = [len(one.cells) for one in told]
        indices = np.array([cell for one in told for cell in one.cells], dtype=np.int64)
        if atoms < 1 or (indices.size and not 0 <= int(indices.min()) <= int(indices.max()) < atoms):
            raise QueryError(f"a number adds atoms that are not among the {atoms:,}; number atoms from 0 on")
        return cls(
            atoms,
            np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            indices,
            np.array([one.lo for one in told], dtype=np.int64),
            np.array([one.hi for one in told], dtype=np.int64),
            tuple(one.source for one in told),
        )

    @property
    def rows(self) -> int:
        """How many statements there are."""
        return len(self.sources)

    def cells(self, row: int) -> Ints:
        """The atoms of a row."""
        return self.indices[self.indptr[row] : self.indptr[row + 1]]

    def sums(self, table: Ints) -> Ints:
        """Each row's sum in a table of the atoms."""
        if not self.rows:
            return np.zeros(0, dtype=np.int64)
        return np.add.reduceat(np.asarray(table, dtype=np.int64)[self.indices], self.indptr[:-1])

    def holds(self, table: Ints) -> bool:
        """Whether a table of whole numbers agrees with every statement."""
        sums = self.sums(table)
        return bool((table >= 0).all() and (self.lo <= sums).all() and (sums <= self.hi).all())

    def part(self, rows: Ints, atoms: Ints) -> System:
        """Some rows, on some atoms that hold all of theirs; both are numbered anew in the order given."""
        place = np.full(self.atoms, -1, dtype=np.int64)
        place[atoms] = np.arange(len(atoms))
        indices = [place[self.cells(row)] for row in rows.tolist()]
        sizes = [len(one) for one in indices]
        flat = np.concatenate(indices) if indices else np.zeros(0, dtype=np.int64)
        pointers = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return System(
            len(atoms), pointers, flat, self.lo[rows], self.hi[rows], tuple(self.sources[row] for row in rows.tolist())
        )

    def owners(self) -> Ints:
        """The row of each entry of ``indices``."""
        return np.repeat(np.arange(self.rows), np.diff(self.indptr))

    def merged(self, apart: Sequence[Sequence[int]] = ()) -> tuple[System, Ints]:
        """The same with one atom for all that no row, and none of the sets ``apart``, tells from each other.

        Returns:
            The smaller system, and the number in it of each atom.
        """
        extra = [np.asarray(one, dtype=np.int64) for one in apart]
        owners = [self.owners(), *(np.full(len(one), self.rows + i) for i, one in enumerate(extra))]
        atoms, rows = np.concatenate([self.indices, *extra]), np.concatenate(owners)
        order = np.lexsort((rows, atoms))
        starts = np.searchsorted(atoms[order], np.arange(self.atoms + 1))
        listed = rows[order]
        seen: dict[bytes, int] = {}
        number = np.array(
            [
                seen.setdefault(listed[a:b].tobytes(), len(seen))
                for a, b in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)
            ],
            dtype=np.int64,
        )
        mapped = [np.unique(number[self.cells(row)]) for row in range(self.rows)]
        flat = np.concatenate(mapped) if mapped else np.zeros(0, dtype=np.int64)
        pointers = np.concatenate([[0], np.cumsum([len(one) for one in mapped])]).astype(np.int64)
        return System(len(seen), pointers, flat, self.lo, self.hi, self.sources), number

    def propagated(self, rounds: int = 20) -> tuple[Ints, Ints]:
        """Between what each atom lies, as subtraction alone tells: every row less the ends of its other atoms."""
        low = np.zeros(self.atoms, dtype=np.int64)
        high = np.full(self.atoms, GREATEST, dtype=np.int64)
        if not self.rows:
            return low, high
        owners = self.owners()
        for _ in range(rounds):
            least, most = self.sums(low)[owners], self.sums(high)[owners]
            new_low, new_high = low.copy(), high.copy()
            np.maximum.at(new_low, self.indices, self.lo[owners] - (most - high[self.indices]))
            np.minimum.at(new_high, self.indices, self.hi[owners] - (least - low[self.indices]))
            if (new_low == low).all() and (new_high == high).all():
                break
            low, high = new_low, new_high
            if (low > high).any():
                break
        return low, high

    def blocks(self, joined: Sequence[Sequence[int]] = ()) -> Ints:
        """The block of each atom: atoms in different ones are joined by no chain of rows and sets ``joined``."""
        block = np.arange(self.atoms)
        extra = [np.asarray(one, dtype=np.int64) for one in joined]
        atoms = np.concatenate([self.indices, *extra])
        owners = np.concatenate([self.owners(), *(np.full(len(one), self.rows + i) for i, one in enumerate(extra))])
        while True:
            least = np.full(self.rows + len(extra), self.atoms)
            np.minimum.at(least, owners, block[atoms])
            new = block.copy()
            np.minimum.at(new, atoms, least[owners])
            new = new[new]
            if (new == block).all():
                return block
            block = new
