"""The time grid: what is shown is shown at a tick, never before it was there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pets.errors import UserError
from pets.service.answering.grid import Grid


@pytest.mark.parametrize(
    ("at", "cells", "shown"),
    [
        (100.0, 1, 100.0),
        (100.01, 1, 100.25),
        (100.24, 10_000, 100.25),
        (100.26, 10_000, 100.5),
        (100.01, 10_001, 102.0),
        (101.99, None, 102.0),
    ],
)
def test_ticks_are_of_the_class_of_the_plan(at: float, cells: int | None, shown: float) -> None:
    assert Grid().tick(at, cells) == shown


@given(st.floats(0, 4e9), st.floats(0.001, 1800), st.integers(0, 20_000))
def test_no_answer_is_shown_before_it_was_there_or_much_later(at: float, step: float, cells: int) -> None:
    grid = Grid(step, 2 * step)
    tick = grid.tick(at, cells)
    assert at <= tick <= at + 2 * step + 1e-6


def test_two_answers_within_a_step_are_shown_together() -> None:
    assert len({Grid().tick(1_800_000_000.001 + part / 1000, 5) for part in range(240)}) == 1


@pytest.mark.parametrize("step", [0, -1, True, "1", 4000, float("nan")])
def test_steps_that_are_none(step: object) -> None:
    with pytest.raises(UserError, match=r"a step of the time grid is from 0\.001 to 3600 seconds"):
        Grid(step)  # type: ignore[arg-type]
