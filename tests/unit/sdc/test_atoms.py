"""Atoms: the numbers of every table are sums of them, by the engine that counts rows; and no two are told apart."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

import pets
from pets import col
from pets.common.integers import Ints
from pets.errors import QueryError
from pets.plan.plan import Plan, make_plan
from pets.rows.tabulate import tabulate
from pets.sdc.atoms import Atoms, atoms_of
from pets.sdc.counted import beyond, counts_of, unfit
from tests.checked_tables import SCHEMA, N, T, between, opened, rows

AGES = {"N": "north", "E": "rest", "S": "rest", "W": "rest"}
TABLES = [
    T.agg(n=N),
    T.group_by("sex", "region").agg(n=N),
    T.where(col("age") >= 18).group_by(col("age").bins([0, 18, 40, 65])).agg(n=N),
    T.where(~(col("region") == "N") | col("age").is_null()).group_by(col("came").period("week")).agg(n=N),
    T.where(between(3, 16)).group_by(col("came").weekday()).agg(n=pets.count_units()),
    T.group_by("region").agg(old=pets.rate(col("age") > 70), n=N),
    T.group_by("sex").agg(ages=pets.histogram("age", [0, 30, 60, 100])),
    T.group_by("sex").agg(median=pets.quantile("age", 0.5, bins=20)),
    T.group_by(pets.KeySet(["sex", "region"], [("f", "N"), ("m", None)])).agg(n=N),
    T.with_columns(part=col("region").map(AGES)).group_by("part").agg(n=N),
    T.with_columns(decade=col("age") // 10).where(col("decade") == 4).agg(n=N),
]


def plans(tables: list[pets.Query]) -> list[Plan]:
    return [make_plan(one, SCHEMA) for one in tables]


def people_in(custodian: pets.Custodian, plan: Plan, atoms: Atoms) -> Ints:
    """The people in each atom, counted by the engine in every cell that was merged into them."""
    usual: Any = {"kind": "rows", "where": None, "column": None, "breaks": (), "levels": (), "width": 1}
    count = dataclasses.replace(plan.measures[0], **usual)
    joint = dataclasses.replace(plan, where=None, layout=atoms.layout, measures=(count,), outputs=())
    return atoms.of(tabulate(joint, custodian.custody.rows_of(plan)).reveal())


@pytest.fixture(scope="module")
def custodian() -> pets.Custodian:
    return opened(rows(400, seed=3))


@pytest.mark.parametrize("some", [TABLES, TABLES[:1], TABLES[2:5], TABLES[5:8], TABLES[8:]])
def test_every_number_of_every_table_is_a_sum_of_atoms(custodian: pets.Custodian, some: list[pets.Query]) -> None:
    every = plans(some)
    atoms = atoms_of(every, 20_000)
    people = people_in(custodian, every[0], atoms)
    assert len({(one.table, one.count) for one in atoms.slots}) == sum(len(counts_of(one)) for one in every)
    for block in atoms.slots:
        plan = every[block.table]
        exact = block.count.of(plan, tabulate(plan, custodian.custody.rows_of(plan)).reveal())
        sums = [int(people[members].sum()) for members in block.members()]
        assert sums == exact.tolist(), plan.query


def signatures(atoms: Atoms) -> list[tuple[int, ...]]:
    return [tuple(int(one.slot[atom]) for one in atoms.slots) for atom in range(atoms.count)]


def test_no_two_atoms_lie_in_the_same_groups_and_each_lies_in_one() -> None:
    found = signatures(atoms_of(plans(TABLES), 20_000))
    assert len(set(found)) == len(found) and all(max(one) >= 0 for one in found)


def test_what_no_table_tells_apart_is_one_atom() -> None:
    # ages under 18 and unknown ones are in no group; 60 days are one of two weeks' ends, or between them
    atoms = atoms_of(plans([T.where(between(0, 9)).agg(n=N), T.where(between(5, 19)).agg(n=N)]), 100)
    assert atoms.count == 3 and sorted(signatures(atoms)) == [(-1, 0), (0, -1), (0, 0)]
    assert atoms_of(plans([T.agg(n=N)]), 1).count == 1


def test_all_ranges_of_days_are_as_many_atoms_as_days() -> None:
    ranges = [T.where(between(i, j)).agg(n=N) for i in range(12) for j in range(i, 12)]
    assert atoms_of(plans(ranges), 12).count == 12


def test_too_many_atoms_are_refused_from_the_plans_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(QueryError, match=r"into 10 groups together, .* compares 9 \(sdc_atoms\)"):
        atoms_of(plans([T.group_by("sex", "region").agg(n=N)]), 9)
    monkeypatch.setattr("pets.sdc.atoms.MAX_JOINT", 119)
    with pytest.raises(QueryError, match="into 120 cells together"):
        atoms_of(plans([T.group_by("sex").agg(n=N), T.group_by("came").agg(n=N)]), 20_000)


def test_what_atoms_cannot_stand_for_is_named() -> None:
    several = pets.Schema(
        {"people": dataclasses.replace(SCHEMA.table("people"), unit=pets.Unit("id", max_rows=2))}, dataset="several"
    )
    plan = make_plan(T.agg(n=N), several)
    assert unfit(plan) == "a person may have several rows in it" and counts_of(plan) == ()
    with pytest.raises(QueryError, match="cannot be compared with others: a person may have several"):
        atoms_of([plan], 10)
    mean, total = plans([T.agg(m=pets.mean("age")), T.agg(d=pets.sum("age", clip=(0, 50)))])
    assert unfit(mean) is None and str(beyond(mean)) == "it tells more than counts of people (total)"
    assert unfit(total) == beyond(total) == "it has no count of people"


def test_tables_of_other_people_have_no_atoms_in_common() -> None:
    other = pets.Schema({"people": SCHEMA.table("people")}, dataset="another")
    with pytest.raises(QueryError, match="different people or schemas"):
        atoms_of([make_plan(T.agg(n=N), SCHEMA), make_plan(T.agg(n=N), other)], 10)


def test_atoms_of_joint_cells_are_sums_of_them() -> None:
    atoms = atoms_of(plans([T.group_by("sex").agg(n=N)]), 10)
    assert atoms.of(np.arange(1, atoms.layout.groups + 1)).tolist() == [1, 2]
