"""Compare: what each table says of its people, what is protected, and that no sum is forgotten."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import pets
from pets import col
from pets.plan.plan import make_plan
from pets.protection.rounding import Rounding
from pets.sdc.book import EXACT, Told
from pets.sdc.compare import Comparison, compared
from tests.checked_tables import SCHEMA, N, T, between

HES = Rounding(threshold=7, base=5)
NESTED = [T.agg(n=N), T.where(~(col("age") == 40)).agg(n=N)]


def exactly(query: pets.Query, counts: list[int], number: int = 1) -> Told:
    exact = (np.array(counts),)
    return Told(number, "", "", "", EXACT, make_plan(query, SCHEMA), None, exact, exact)


def tables(rule: Rounding | None = None) -> Comparison:
    """386 people, and 385 of them."""
    numbers = [(1, 386), (2, 385)]
    made = [exactly(query, [n], i) for query, (i, n) in zip(NESTED, numbers, strict=True)]
    if rule is not None:
        ends = [rule.interval(rule.shown(one.low[0])) for one in made]
        made = [replace(one, rule=rule, low=(lo,), high=(hi,)) for one, (lo, hi) in zip(made, ends, strict=True)]
    return compared(made, 100)


def test_each_number_is_an_interval_and_the_schema_bounds_them_all() -> None:
    found = tables(HES)
    assert [(one.low, one.high) for one in found.known[:-1]] == [(383, 387), (383, 387)]
    last = found.known[-1]
    assert (last.low, last.high, len(last.sum.atoms)) == (0, make_plan(T.agg(n=N), SCHEMA).people, found.atoms.count)
    assert [(one.low, one.high) for one in tables().known[:-1]] == [(386, 386), (385, 385)]


def test_what_is_left_of_a_cell_without_another_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    found = tables()
    (one,), every = found.hidden()
    assert one.name == "everybody of release 1 without everybody of release 2" and every
    inside = next(cell for cell in found.cells if cell.name == "everybody of release 2")
    assert set(one.atoms) | set(inside.atoms) == set(range(found.atoms.count)) and len(one.atoms) == 1
    monkeypatch.setattr("pets.sdc.compare.MAX_PAIRS", 0)
    assert found.hidden()[1] is False, "what was not looked at is said"


def test_a_difference_of_several_atoms_is_protected_too() -> None:
    # 8 + 8 people on two days that a third table tells apart: neither is small, and the rest of the month is one of 3
    inner, outer, single = T.where(between(0, 9)), T.where(between(0, 11)), T.where(between(10, 10))
    three = [exactly(outer.agg(n=N), [100]), exactly(inner.agg(n=N), [97], 2), exactly(single.agg(n=N), [2], 3)]
    found = compared(three, 100)
    left = {one.atoms for one in found.hidden()[0]}
    outside = set(range(found.atoms.count)) - set(found.cells[1].atoms)
    assert tuple(sorted(outside)) in left and len(outside) == 2


def test_what_a_table_shows_as_it_is_is_not_hidden() -> None:
    found = tables()
    assert {one.atoms for one in found.cells}.isdisjoint({one.atoms for one in found.hidden()[0]})
    assert {one.atoms for one in tables(HES).cells} <= {one.atoms for one in tables(HES).hidden()[0]}
