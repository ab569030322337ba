"""A quote's warning: a δ that lets the promise fail for somebody among the people that a schema states."""

from __future__ import annotations

import pandas as pd
import pytest

import pets
from pets.session.quoting.quote import large_delta

COLUMNS = {"id": pets.Identifier(), "age": pets.Integer(0, 9, nullable=False)}
ROWS = pd.DataFrame({"id": ["a", "b"], "age": [1, 2]})
ASKED = pets.query("t").agg(n=pets.count())


def quoted(people: int | None, budget: pets.Budget, protection: pets.DP) -> str:
    table = pets.Table(pets.Unit("id"), COLUMNS, **({} if people is None else {"people": people}))  # type: ignore[arg-type]
    session = pets.Session(pets.Schema({"t": table}), {"t": ROWS}, budget=budget, progress=False)
    return str(session.quote(ASKED, protection)) + " ".join(session.quote(ASKED, protection).notes)


@pytest.mark.parametrize(
    ("people", "delta", "warned"),
    [
        (2_000_000, 1e-6, True),
        (1_000_000, 1e-6, False),
        (999_999, 1e-6, False),
        (50_000, 1e-4, True),
        (None, 1e-4, False),
    ],
)
def test_a_delta_above_one_in_the_people(people: int | None, delta: float, warned: bool) -> None:
    said = quoted(people, pets.Budget(3, delta), pets.DP(epsilon=0.5))
    assert (f"δ = {delta:g} is more than 1 in the" in said) is warned
    if warned:  # the remedy works
        assert "is more than 1 in" not in quoted(people, pets.Budget(3, delta), pets.DP(epsilon=0.5, delta=1e-9))


def test_no_delta_no_warning() -> None:
    assert "is more than 1 in" not in quoted(100, pets.Budget(3), pets.DP(epsilon=0.5))
    assert large_delta([], 0.5) == ()
