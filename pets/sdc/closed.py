"""Closed: whether two tables count the same people, by atoms and not by what is written; no row is read."""

from __future__ import annotations

import numpy as np

from pets.plan.plan import Plan
from pets.sdc.atoms import atoms_of


def share_people(one: Plan, other: Plan, limit: int) -> bool:
    """Whether somebody may be counted in both tables.

    Args:
        limit: of atoms, as for :func:`pets.sdc.atoms.atoms_of`.

    Raises:
        QueryError: where it cannot be told: tables of different people, or too many atoms.
    """
    atoms = atoms_of([one, other], limit)
    inside = np.zeros((2, atoms.count), dtype=np.bool_)
    for block in atoms.slots:
        inside[block.table] |= block.slot >= 0
    return bool(inside.all(axis=0).any())
