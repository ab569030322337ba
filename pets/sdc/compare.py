"""Compare: the tables of one population as one system of sums, and the sums of people in it that must stay open.

Looked at are each cell of each table, what is left of a cell without another that lies in it, and each atom.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pets.plan.plan import Plan
from pets.sdc.atoms import Atoms, InTime, Slots, always, atoms_of
from pets.sdc.book import Told
from pets.sdc.counted import counts_of, related

MAX_PAIRS = 200_000
"""Pairs of cells that are looked at for one inside another."""

_NAMED = 3


@dataclass(frozen=True)
class Sum:
    """People in some atoms.

    Attributes:
        atoms: which, increasing.
        name: who they are, for sentences.
    """

    atoms: tuple[int, ...]
    name: str


@dataclass(frozen=True)
class Known:
    """Between what one number of one table says that a sum lies; ``table``: which of them, -1 for the schema."""

    sum: Sum
    low: int
    high: int
    table: int = -1


@dataclass(frozen=True)
class Comparison:
    """Tables of one population on one set of atoms.

    Attributes:
        tables: in the atoms' order.
        known: each number of each table, and last that the schema says how many people there are at most.
        besides: what the tables tell together that atoms do not hold, a sentence each: while there is any, nothing is
            proved, and more may follow than was found.
    """

    atoms: Atoms
    tables: tuple[Told, ...]
    known: tuple[Known, ...]
    besides: tuple[str, ...] = ()

    @property
    def cells(self) -> list[Sum]:
        """Each cell of each table in which somebody may be."""
        return [one.sum for one in self.known[:-1] if one.sum.atoms]

    def hidden(self, in_time: InTime = always) -> tuple[list[Sum], bool]:
        """Sums that no table shows as they are: cells, what is left of them, and atoms, from the plans alone.

        Args:
            in_time: as for :func:`pets.sdc.atoms.atoms_of`.

        Returns:
            They, and whether every pair of cells was looked at for one inside another.
        """
        exact = {one.sum.atoms for one in self.known if one.low == one.high}
        found: dict[tuple[int, ...], Sum] = {}
        left, every = self._left(in_time)
        for one in (*self.cells, *left, *self._atoms()):
            if one.atoms not in exact:
                found.setdefault(one.atoms, one)
        return list(found.values()), every

    def _left(self, in_time: InTime) -> tuple[list[Sum], bool]:
        """What is left of each cell without another that lies in it, and whether every pair was looked at."""
        sums = self.cells
        flags = np.zeros((len(sums), self.atoms.count), dtype=np.bool_)
        for row, one in enumerate(sums):
            flags[row, list(one.atoms)] = True
        sizes, found, looked = flags.sum(axis=1), list[Sum](), 0
        for row, one in enumerate(sums):
            in_time()
            for other in np.flatnonzero(sizes < sizes[row]).tolist():
                looked += 1
                if looked > MAX_PAIRS:
                    return found, False
                if not (flags[other] & ~flags[row]).any():
                    rest = tuple(np.flatnonzero(flags[row] & ~flags[other]).tolist())
                    found.append(Sum(rest, f"{one.name} without {sums[other].name}"))
        return found, True

    def _atoms(self) -> Iterator[Sum]:
        inside: list[list[str]] = [[] for _ in range(self.atoms.count)]
        for one in self.cells:
            for atom in one.atoms:
                inside[atom].append(one.name)
        for atom, names in enumerate(inside):
            said = " and ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
            yield Sum((atom,), f"people in all of {said}" if len(names) > 1 else said)


def compared(tables: Sequence[Told], limit: int, in_time: InTime = always) -> Comparison:
    """Tables of one population, compared; raises as :func:`pets.sdc.atoms.atoms_of`."""
    plans = [one.plan for one in tables if one.plan is not None]
    atoms = atoms_of(plans, limit, in_time)
    known = []
    for block in atoms.slots:
        in_time()
        told = tables[block.table]
        at = counts_of(plans[block.table]).index(block.count)
        for cell, members in enumerate(block.members()):
            ends = int(told.low[at][cell]), int(told.high[at][cell])
            known.append(
                Known(Sum(tuple(members.tolist()), _name(plans[block.table], told, block, cell)), *ends, block.table)
            )
    everybody = Sum(tuple(range(atoms.count)), "everybody by the schema")
    why = related(plans)
    besides = () if why is None else (f"The tables are not compared in full: their {why}.",)
    return Comparison(atoms, tuple(tables), (*known, Known(everybody, 0, plans[0].people)), besides)


def _name(plan: Plan, told: Told, block: Slots, cell: int) -> str:
    """Who is counted in a cell, for the custodian's sentences."""
    group, bin_ = divmod(cell, block.count.width)
    labels = [f"{name} {column[group]}" for name, column in plan.layout.columns().items()]
    if block.count.column is not None:
        labels.append(f"bin {bin_ + 1} of {block.count.column}")
    if block.count.where is not None:
        output = next((o.name for o in plan.outputs if block.count.measure in o.parts), "")
        labels.append(f"counted by {output!r}")
    return f"{', '.join(labels) or 'everybody'} of {told.name}"
