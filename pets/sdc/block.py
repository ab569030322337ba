"""Block: the part of a system that one chain of rows joins, with the whole-number tables known to agree with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from pets.common.integers import Ints
from pets.sdc.solve import Engine, Vertex
from pets.sdc.system import GREATEST, System

NEAR = (40, 160)
"""How many atoms near a sum may differ from a known table, before all may."""

POOL = 400
"""How many tables are kept."""

SHORT = 2.0
"""Seconds for each search near a known table."""

_ROUND = 1e-6


class Pool:
    """Whole-number tables of one block, each checked when it was taken in."""

    def __init__(self, system: System) -> None:
        self._system = system
        self.tables = np.zeros((0, system.atoms), dtype=np.int64)

    def add(self, table: Ints | None) -> bool:
        """Take a table in, if it agrees with everything told."""
        if table is None or not self._system.holds(table):
            return False
        self.tables = np.vstack([self.tables[-POOL:], table])
        return True

    def ends(self, cells: Ints) -> tuple[Ints, Ints]:
        """The tables in which a sum is least and greatest."""
        sums = self.tables[:, cells].sum(axis=1)
        return self.tables[int(sums.argmin())], self.tables[int(sums.argmax())]


class Block:
    """The part of a system that one chain of rows joins."""

    def __init__(self, system: System, engine: Callable[[System], Engine], until: float) -> None:
        self.system, self._make, self._until = system, engine, until
        self.pool = Pool(system)
        self.fractional = False
        self._engine: Engine | None = None
        self._rows: list[Ints] | None = None
        self._slack: tuple[Ints, Ints, Ints] | None = None

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self._until - time.monotonic()

    def engine(self) -> Engine:
        """The solver, made when it is first asked."""
        if self._engine is None:
            self._engine = self._make(self.system)
        return self._engine

    def start(self) -> None:
        """Find one table that fits, where none is known."""
        every = np.arange(self.system.atoms)
        if not self.system.rows:
            self.pool.add(np.zeros(self.system.atoms, dtype=np.int64))
        elif self.left > 0:
            self.pool.add(self.engine().whole(every[:0], 1, 0, None, every, self.left))

    def nudge(self, cells: Ints, width: int) -> None:
        """Where one atom may change by ``width`` in the first table, whatever the others are, take both tables in."""
        base, system = self.pool.tables[0], self.system
        if self._slack is None:
            sums, owners = system.sums(base), system.owners()
            up, down = np.full(system.atoms, GREATEST, dtype=np.int64) - base, base.copy()
            np.minimum.at(up, system.indices, (system.hi - sums)[owners])
            np.minimum.at(down, system.indices, (sums - system.lo)[owners])
            self._slack = base, up, down
        base, up, down = self._slack
        more, less = cells[int(up[cells].argmax())], cells[int(down[cells].argmax())]
        if up[more] + down[less] >= width:
            for atom, change in ((more, min(int(up[more]), width)), (less, -min(int(down[less]), width))):
                if change:
                    table = base.copy()
                    table[atom] += change
                    self.pool.add(table)

    def linear(self, cells: Ints, sense: int) -> Vertex | None:
        """An end over fractional tables; where its table is whole it is taken in."""
        if self.left <= 0:
            return None
        vertex = self.engine().linear(cells, sense, self.left)
        if vertex is not None and vertex.table.shape == (self.system.atoms,) and np.isfinite(vertex.table).all():
            rounded = np.rint(vertex.table)
            if np.abs(rounded - vertex.table).max() < _ROUND and rounded.max() <= GREATEST:
                self.pool.add(rounded.astype(np.int64))
            else:
                self.fractional = True
        return vertex

    def reach(self, cells: Ints, width: int, sizes: Sequence[int]) -> None:
        """Look for whole-number tables that put the ends of a sum ``width`` apart, as far as atoms near it may differ.

        Args:
            sizes: how many atoms may differ from a table that is known, at most all; one search each.
        """
        for size in sizes:
            free = self.near(cells, size) if size < self.system.atoms else np.arange(self.system.atoms)
            for sense in (1, -1):
                least, most = self.pool.ends(cells)
                low, high = int(least[cells].sum()), int(most[cells].sum())
                if high - low >= width or self.left <= 0:
                    return
                base, goal = (most, low + width) if sense > 0 else (least, high - width)
                limit = min(self.left, SHORT) if len(free) < self.system.atoms else self.left
                self.pool.add(self.engine().whole(cells, sense, goal, base, free, limit))

    def near(self, cells: Ints, size: int) -> Ints:
        """About ``size`` atoms that share the smallest rows with some."""
        if self._rows is None:
            owners = self.system.owners()
            order = np.argsort(self.system.indices, kind="stable")
            counts = np.bincount(self.system.indices, minlength=self.system.atoms)
            self._rows = np.split(owners[order], np.cumsum(counts)[:-1])
        sizes = np.diff(self.system.indptr)
        inside = np.zeros(self.system.atoms, dtype=np.bool_)
        inside[cells] = True
        edge, seen = cells, set[int]()
        while inside.sum() < size and len(edge):
            rows = {int(row) for atom in edge.tolist() for row in self._rows[atom]} - seen
            before = inside.copy()
            for row in sorted(rows, key=lambda row: (int(sizes[row]), row)):
                seen.add(row)
                members = self.system.cells(row)
                inside[members[: max(0, size - int(inside.sum()))]] = True
                if inside.sum() >= size:
                    break
            edge = np.flatnonzero(inside & ~before)
        return np.flatnonzero(inside)
