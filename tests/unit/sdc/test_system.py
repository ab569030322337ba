"""Systems: what is merged, what subtraction tells, and what nothing joins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pets.errors import QueryError
from pets.sdc.system import GREATEST, Statement, System

TOLD = [Statement((0, 1, 2), 10, 12, "a"), Statement((2, 3), 5, 5, "b"), Statement((5,), 4, 9, "c")]
SYSTEM = System.from_statements(7, TOLD)


def test_atoms_that_nothing_tells_apart_are_one() -> None:
    merged, number = SYSTEM.merged()
    assert number.tolist() == [0, 0, 1, 2, 3, 4, 3]  # of 4 and 6 nothing is told
    assert [merged.cells(row).tolist() for row in range(3)] == [[0, 1], [1, 2], [4]]
    assert (merged.lo.tolist(), merged.hi.tolist(), merged.sources) == ([10, 5, 4], [12, 5, 9], ("a", "b", "c"))


def test_what_must_stay_apart_is_not_merged() -> None:
    _, number = SYSTEM.merged([(1, 6)])
    assert number.tolist() == [0, 1, 2, 3, 4, 5, 6]


def test_the_sums_of_a_table_and_whether_it_fits() -> None:
    assert SYSTEM.sums(np.array([1, 2, 4, 8, 16, 32, 64])).tolist() == [7, 12, 32]
    assert SYSTEM.holds(np.array([5, 5, 1, 4, 0, 9, 0]))
    for wrong in ([5, 5, 1, 3, 0, 9, 0], [5, 5, 3, 2, 0, 9, 0], [5, 5, 1, 4, 0, 10, 0], [5, 7, -1, 6, 0, 9, 0]):
        assert not SYSTEM.holds(np.array(wrong))


def test_subtraction() -> None:
    told = [Statement((0, 1), 23, 23, "row"), Statement((1,), 20, 20, "cell"), Statement((0, 2), 5, 8, "column")]
    low, high = System.from_statements(4, told).propagated()
    assert (low.tolist(), high.tolist()) == ([3, 20, 2, 0], [3, 20, 5, GREATEST])


def test_blocks() -> None:
    assert SYSTEM.blocks().tolist() == [0, 0, 0, 0, 4, 5, 6]
    assert SYSTEM.blocks([(4, 5)]).tolist() == [0, 0, 0, 0, 4, 4, 6]
    chain = System.from_statements(50, [Statement((at, at + 1), 0, 9, "") for at in reversed(range(49))])
    assert chain.blocks().tolist() == [0] * 50


def test_a_part_is_numbered_anew() -> None:
    part = SYSTEM.part(np.array([1]), np.array([3, 2]))
    assert (part.atoms, part.cells(0).tolist(), part.sources) == (2, [1, 0], ("b",))


@pytest.mark.parametrize(
    ("cells", "lo", "hi", "told"),
    [
        ((), 0, 1, "at least one atom"),
        ((1, 1), 0, 1, "each once"),
        ((1,), 3, 2, "between 3 and 2"),
        ((1,), 0, -1, "between 0 and -1"),
        ((1,), 0, GREATEST + 1, "at most 1,000,000,000,000"),
    ],
)
def test_statements_that_say_nothing_possible(cells: Any, lo: int, hi: int, told: str) -> None:
    with pytest.raises(QueryError, match=f"North .*{told}"):
        Statement(cells, lo, hi, "North")


def test_a_statement_of_less_than_nobody_starts_at_nobody() -> None:
    assert Statement((0,), -2, 2).lo == 0


@pytest.mark.parametrize("cell", [7, -1])
def test_an_atom_that_there_is_not(cell: int) -> None:
    with pytest.raises(QueryError, match="among the 7"):
        System.from_statements(7, [Statement((cell,), 0, 1)])
