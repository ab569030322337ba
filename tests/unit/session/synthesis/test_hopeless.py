"""Hopeless tables are refused before they are charged, from public numbers alone, and their remedies work."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets.errors import BudgetError
from pets.session import answering
from tests.extras import needs

needs("mbi")


def schema(people: int | None) -> pets.Schema:
    columns = {
        "id": pets.Identifier(),
        "sex": pets.Category(["F", "M"], nullable=False),
        "age": pets.Integer(0, 99, nullable=False),
        "cost": pets.Integer(0, 5000),
        "day": pets.Date("2024-01-15", "2024-12-20"),
    }
    more = {} if people is None else {"people": people}
    return pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=1), columns, **more)}, dataset="small")  # type: ignore[arg-type]


def opened(people: int | None = 400, epsilon: float = 50, rows: int = 400) -> pets.Session:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "id": [f"p{i}" for i in range(rows)],
            "sex": random.choice(["F", "M"], rows),
            "age": random.integers(0, 100, rows),
            "cost": random.integers(0, 5001, rows),
            "day": [f"2024-{1 + i % 12:02d}-17" for i in range(rows)],
        }
    )
    return pets.Session(schema(people), frame, budget=pets.Budget(epsilon=epsilon, delta=1e-6), progress=False)


def refused(session: pets.Session, **settings: Any) -> str:
    with pytest.raises(BudgetError, match="nothing was spent") as told:
        session.synthesise(progress=False, **settings)
    assert session.remaining().spent.loss == 0 and len(session.history()) == 0
    return str(told.value)


def settings_of(way: str) -> dict[str, Any]:
    return dict(eval(f"dict({way.replace(' and bins=', ', bins=')})"))


@pytest.mark.parametrize(
    "asked",
    [{"columns": ["sex", "age", "cost"]}, {"columns": ["sex", "age"], "selection": "aim"}, {"columns": ["sex"]}],
)
def test_a_hopeless_table_is_refused_unread_and_every_remedy_works(
    asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    people = 400 if len(asked["columns"]) > 1 else 40
    session = opened(people, rows=people)
    asked = {"epsilon": 0.2} | asked
    with monkeypatch.context() as patch:
        patch.setattr(answering, "measured", lambda *_: pytest.fail("rows were read"))
        said = refused(session, **asked)
    assert f"at most {people} rows that count" in said
    ways = said.partition("ask with ")[2].partition("; nothing")[0].split(", or with ")
    kinds = [way.partition("=")[0] for way in ways]
    assert kinds == (
        ["epsilon", "bins", "columns"]
        if len(asked["columns"]) == 3
        else ["epsilon", "columns"][: len(asked["columns"])]
    )
    for way in ways:
        made = opened(people, rows=people).synthesise(5, progress=False, **asked | settings_of(way))
        assert len(made.table) == 5, way


def test_the_epsilon_that_is_named_is_hardly_more_than_is_needed() -> None:
    session = opened()
    named = float(re.search(r"ask with epsilon=([0-9.]+)", refused(session, epsilon=0.3)).group(1))  # type: ignore[union-attr]
    assert "at most 400 rows" in refused(session, epsilon=named * 0.85)


def test_a_remedy_that_the_budget_has_no_room_for_is_not_named() -> None:
    said = refused(opened(epsilon=0.4), epsilon=0.3)
    assert "epsilon=" not in said.partition("ask with ")[2] and "columns=" in said
    assert "ask single questions" in refused(opened(people=2, epsilon=0.4, rows=2), epsilon=0.3)


def test_it_is_the_public_bound_that_counts_and_not_the_rows() -> None:
    """The same schema refuses and allows alike, whatever rows there are."""
    assert refused(opened(rows=400), epsilon=0.3) == refused(opened(rows=3), epsilon=0.3)
    # without a public bound nothing is known beforehand: whether it comes to something, noise decides
    assert opened(people=None).quote_synthesis(epsilon=0.3).hopeless == ""
    assert refused(opened().dummy(200), epsilon=0.3) == refused(opened(), epsilon=0.3)
