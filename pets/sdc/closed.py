"""Closed: whether two tables count the same people, by atoms and not by what is written; no row is read.

Tables of different people of a dataset (a table with one row a person, and people made of linked tables) have no atoms
in common. Nobody is in both where they take apart the values of one column that each person has once.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pets.plan.person_steps import Attribute
from pets.plan.plan import Plan
from pets.plan.predicate import Range, overlap, union
from pets.schema.schema import Schema
from pets.sdc.atoms import Atoms, InTime, always, atoms_of
from pets.sdc.counted import population


def share_people(schema: Schema, one: Plan, other: Plan, limit: int, in_time: InTime = always) -> bool:
    """Whether somebody may be counted in both tables.

    Args:
        limit, in_time: as for :func:`pets.sdc.atoms.atoms_of`.

    Raises:
        QueryError: where it cannot be told: tables of other schemas, that atoms cannot stand for, or too many atoms.
    """
    if population(one) != population(other) and one.schema_digest == other.schema_digest == schema.digest:
        mine, theirs = (_once(schema, plan, limit, in_time) for plan in (one, other))
        return all(overlap(mine[name], theirs[name]) for name in mine.keys() & theirs.keys())
    atoms = atoms_of([one, other], limit, in_time)
    inside = np.zeros((2, atoms.count), dtype=np.bool_)
    for block in atoms.slots:
        inside[block.table] |= block.slot >= 0
    return bool(inside.all(axis=0).any())


def _once(schema: Schema, plan: Plan, limit: int, in_time: InTime) -> Mapping[tuple[str, str], tuple[Range, ...]]:
    """Of each column that decides who is counted and that a person has once: the codes of those who are."""
    atoms = atoms_of([plan], limit, in_time)
    found = {}
    for axis, one in enumerate(atoms.layout.dimensions):
        if (column := _column(schema, plan, one.column)) is not None:
            found[column] = _codes(atoms, axis, plan.fields[one.column].codes)
    return found


def _column(schema: Schema, plan: Plan, name: str) -> tuple[str, str] | None:
    """The column of a table with one row a person that a column of a plan is, with the table's name."""
    table, column = plan.table, name
    if plan.people_of is not None:
        step = plan.people_of.steps[dict(plan.people_of.names)[name]]
        if not isinstance(step, Attribute):
            return None
        table, column = step.table, step.column
    return (table, column) if schema.table(table).unit.max_rows == 1 else None


def _codes(atoms: Atoms, axis: int, codes: int) -> tuple[Range, ...]:
    """The codes of one column whose people are in any atom, as ranges."""
    one = atoms.layout.dimensions[axis]
    shape = [other.size for other in atoms.layout.dimensions]
    inside = [bool(part.any()) for part in np.moveaxis(atoms.atom.reshape(shape) >= 0, axis, 0)]
    ends = [*one.breaks[1:], codes]
    runs = zip(one.breaks, ends, one.slots, strict=True)
    return union([[(low, end - 1)] for low, end, slot in runs if inside[slot]])
