"""Search: of each protected sum a proof that it is left open, a derivation that it is not, or neither.

In the order of what it costs: tables that are known to agree with everything told, and one atom more or less in them;
the ends over fractional tables, whose multipliers are an attack where they lie too near; whole-number tables near a
known one (before those ends, once they were reached by fractional tables: then they cost more and show less); any
whole-number table. What a solver says is checked (:mod:`pets.sdc.proof`) before it counts; what is not shown in time
is undecided.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from pets.common.integers import Ints
from pets.errors import QueryError
from pets.sdc.attack import derivation, sentence
from pets.sdc.block import NEAR, Block
from pets.sdc.proof import Attack, Protected, verify_attack, verify_pair
from pets.sdc.solve import Engine, Highs, Vertex
from pets.sdc.system import GREATEST, System

__all__ = ["Protected", "Finding", "Findings", "bounds", "check"]

State = Literal["proved", "attack", "undecided"]
CONTRADICTION = (
    "the numbers contradict each other: no whole numbers of people agree with all of them; leave out those of other "
    "people, or of the same people at another time"
)


@dataclass(frozen=True)
class Finding:
    """What was found of one protected sum.

    Attributes:
        protected: which.
        state: ``"proved"``: two tables that agree with everything told lie ``width`` apart in it; nothing is said of
            the numbers between. ``"attack"``: it is derived more closely than that. ``"undecided"``: neither was
            shown, so it is not protected.
        lo, hi: between what it is known to lie at most: it may be narrower, unless it is an attack.
        pair: the two tables, of all atoms. They lie near the true one: for the custodian's eyes only.
        attack: the derivation.
        sentence: the derivation in words; also for the custodian only.
    """

    protected: Protected
    state: State
    lo: int
    hi: int
    pair: tuple[Ints, Ints] | None = field(default=None, repr=False)
    attack: Attack | None = field(default=None, repr=False)
    sentence: str = field(default="", repr=False)


@dataclass(frozen=True)
class Findings:
    """What was found, in the order of what was asked; ``seconds`` is what it took."""

    found: tuple[Finding, ...]
    width: int
    seconds: float

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    def count(self, state: State) -> int:
        """How many there are of one state."""
        return sum(one.state == state for one in self.found)

    @property
    def proved(self) -> bool:
        """Whether every one is."""
        return all(one.state == "proved" for one in self.found)

    @property
    def attacks(self) -> tuple[Finding, ...]:
        """Those that are derived."""
        return tuple(one for one in self.found if one.state == "attack")


def check(
    system: System,
    truth: Ints | None,
    protected: Sequence[Protected],
    width: int,
    seconds: float,
    *,
    tables: Sequence[Ints] = (),
    engine: Callable[[System], Engine] = Highs,
) -> Findings:
    """Look for each protected sum whether its greatest and least possible numbers lie at least ``width`` apart.

    Args:
        system: everything that was told.
        truth: the true counts of the atoms; ``None``: they are not known, and some table that fits is looked for.
        protected: the sums that must stay open.
        width: how far apart two numbers that are possible must lie. So the number is known no better than within a
            range of that length; not every number between them need be possible (parities can rule some out).
        seconds: after that what is left is undecided.
        tables: other tables to try first, such as those of an earlier proof; those that do not fit are left out.
        engine: makes the solver of a system.

    Raises:
        QueryError: no whole numbers agree with everything told, or a sum names an atom that there is not.
        MissingExtraError: the solver is not installed.
    """
    began = time.monotonic()
    if width < 1:
        raise QueryError(f"width={width} protects nothing; use 3, or at least 1")
    for one in protected:
        if not one.cells or not 0 <= min(one.cells) <= max(one.cells) < system.atoms:
            raise QueryError(f"{one.name} adds atoms that are not among the {system.atoms:,}; number atoms from 0 on")
    whole = _Whole(system, protected, truth, began + seconds, engine, tables)
    found = tuple(whole.finding(one, width) for one in protected)
    return Findings(found, width, time.monotonic() - began)


def bounds(
    system: System,
    cells: Sequence[int],
    *,
    truth: Ints | None = None,
    seconds: float = 10,
    engine: Callable[[System], Engine] = Highs,
) -> tuple[int, int, bool]:
    """The least and the greatest number that a sum of atoms can be.

    Returns:
        Both, and whether they are exact: each is reached by a table, and derived in fractions. Otherwise the truth may
        be narrower, never wider.
    """
    one = Protected(tuple(dict.fromkeys(cells)), "the sum")
    whole = _Whole(system, [one], truth, time.monotonic() + seconds, engine, ())
    return whole.ends(one)


class _Whole:
    """A system in blocks of merged atoms, and back."""

    def __init__(
        self,
        system: System,
        protected: Sequence[Protected],
        truth: Ints | None,
        until: float,
        engine: Callable[[System], Engine],
        tables: Sequence[Ints],
    ) -> None:
        self._system = system
        sets = [one.cells for one in protected]
        self._merged, self._number = system.merged(sets)
        joined = [np.unique(self._number[list(cells)]).tolist() for cells in sets]
        self._low, self._high = self._merged.propagated()
        if (self._low > self._high).any():
            raise QueryError(CONTRADICTION)
        if truth is not None and (truth.shape != (system.atoms,) or not system.holds(truth)):
            raise QueryError(CONTRADICTION)
        label = self._merged.blocks(joined)
        self._first = np.unique(self._number, return_index=True)[1]
        order = np.argsort(label, kind="stable")
        self._atoms = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
        self._block_of = np.empty(self._merged.atoms, dtype=np.int64)
        self._place = np.empty(self._merged.atoms, dtype=np.int64)
        for number, atoms in enumerate(self._atoms):
            self._block_of[atoms], self._place[atoms] = number, np.arange(len(atoms))
        starts = self._merged.indices[self._merged.indptr[:-1]]
        rows = [np.flatnonzero(self._block_of[starts] == number) for number in range(len(self._atoms))]
        self._blocks = [
            Block(self._merged.part(mine, atoms), engine, until) for mine, atoms in zip(rows, self._atoms, strict=True)
        ]
        self._free = np.bincount(self._merged.indices, minlength=self._merged.atoms) == 0
        self._rows = rows
        self._base = np.zeros(self._merged.atoms, dtype=np.int64)
        self._fill(truth, [one for one in tables if np.shape(one) == (system.atoms,)])

    def _fill(self, truth: Ints | None, tables: Sequence[Ints]) -> None:
        """Tables to start from: the true one, or some that fits."""
        given = [self._small(one) for one in ([] if truth is None else [truth]) + list(tables)]
        for block, atoms in zip(self._blocks, self._atoms, strict=True):
            for one in given:
                block.pool.add(one[atoms])
            if not len(block.pool.tables):
                block.start()
            if len(block.pool.tables):
                self._base[atoms] = block.pool.tables[0]
        self.started = all(len(block.pool.tables) for block in self._blocks)

    def _small(self, table: Ints) -> Ints:
        out = np.zeros(self._merged.atoms, dtype=np.int64)
        np.add.at(out, self._number, np.asarray(table, dtype=np.int64))
        return out

    def _large(self, block: int, table: Ints) -> Ints:
        """A block's table as one of all atoms: what merged atoms share is all in the first."""
        small = self._base.copy()
        small[self._atoms[block]] = table
        out = np.zeros(self._system.atoms, dtype=np.int64)
        out[self._first] = small
        return out

    def _at(self, one: Protected) -> tuple[int, Block, Ints]:
        merged = np.unique(self._number[list(one.cells)])
        number = int(self._block_of[merged[0]])
        return number, self._blocks[number], self._place[merged]

    def finding(self, one: Protected, width: int) -> Finding:
        """What is found of one sum."""
        number, block, cells = self._at(one)
        low, high = self._plain(one)
        if not self.started:
            return Finding(one, "undecided", low, high)
        proved = self._proved(one, number, block, cells, width)
        if proved is not None:
            return Finding(one, "proved", low, high, proved)
        if block.left > 0:
            block.nudge(cells, width)
        some = [size for size in NEAR if size < block.system.atoms]
        first = block.fractional and high - low >= width
        if first:
            block.reach(cells, width, some)
        proved = self._proved(one, number, block, cells, width)
        vertices = list[Vertex]()
        for sense in (1, -1):
            vertex = block.linear(cells, sense) if proved is None else None
            vertices += [] if vertex is None else [vertex]
            proved = proved or self._proved(one, number, block, cells, width)
        if proved is None and len(vertices) == 2:
            shown = self._derived(one, number, vertices)
            if shown is not None:
                low, high = max(low, shown.lo), min(high, shown.hi)
                if verify_attack(self._system, one, shown, width):
                    said = sentence(self._system, one, shown)
                    return Finding(one, "attack", shown.lo, shown.hi, None, shown, said)
            block.reach(cells, width, [*([] if first else some), block.system.atoms])
            proved = self._proved(one, number, block, cells, width)
        if proved is not None:
            return Finding(one, "proved", low, high, proved)
        return Finding(one, "undecided", low, high)

    def _plain(self, one: Protected) -> tuple[int, int]:
        merged = np.unique(self._number[list(one.cells)])
        return int(self._low[merged].sum()), min(int(self._high[merged].sum()), GREATEST)

    def _proved(self, one: Protected, number: int, block: Block, cells: Ints, width: int) -> tuple[Ints, Ints] | None:
        least, most = block.pool.ends(cells)
        if int(most[cells].sum()) - int(least[cells].sum()) < width:
            return None
        pair = self._large(number, least), self._large(number, most)
        return pair if verify_pair(self._system, one, pair, width) else None

    def _derived(self, one: Protected, number: int, vertices: Sequence[Vertex]) -> Attack | None:
        """What the multipliers of both ends (greatest first) show."""
        most, least = np.zeros(self._system.rows), np.zeros(self._system.rows)
        rows = self._rows[number]
        for full, vertex in ((most, vertices[0]), (least, vertices[1])):
            if vertex.multipliers.shape != (len(rows),) or not np.isfinite(vertex.multipliers).all():
                return None
            full[rows] = vertex.multipliers
        return derivation(self._system, one, least, most)

    def ends(self, one: Protected) -> tuple[int, int, bool]:
        """Both ends of one sum, and whether they are exact."""
        number, block, cells = self._at(one)
        low, high = self._plain(one)
        if not self.started:
            return low, high, False
        if self._free[self._atoms[number][cells]].any():
            return low, GREATEST, False
        vertices = [block.linear(cells, sense) for sense in (1, -1)]
        if vertices[0] is None or vertices[1] is None:
            return low, high, False
        shown = self._derived(one, number, [v for v in vertices if v is not None])
        if shown is not None:
            low, high = max(low, shown.lo), min(high, shown.hi)
        every = np.arange(block.system.atoms)
        reached = []
        for sense, goal in ((-1, low), (1, high)):
            least, most = block.pool.ends(cells)
            base = most if sense > 0 else least
            if sense * (goal - int(base[cells].sum())) > 0 and block.left > 0:
                block.pool.add(block.engine().whole(cells, sense, goal, base, every, block.left))
            least, most = block.pool.ends(cells)
            reached.append(int((most if sense > 0 else least)[cells].sum()))
        return low, high, reached == [low, high]
