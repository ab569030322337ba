"""Tables by engines that see the rows: whatever goes wrong, no row is in what reaches the caller."""

from __future__ import annotations

import traceback
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets.errors import ReleaseFailedError
from pets.rows.snapshot import Snapshot
from pets.synthetic.sdv import external as external_module
from tests.extras import needs

needs("sdv")

SCHEMA = pets.Schema(
    {
        "stays": pets.Table(
            pets.Unit("id", max_rows=4),
            {"id": pets.Identifier(), "days": pets.Integer(0, 9), "ward": pets.Category(["A", "B", "C"])},
        )
    },
    dataset="unit-test",
)


def opened(people: int = 150) -> pets.Session:
    random = np.random.default_rng(0)
    rows = {"id": [f"real{i}" for i in range(people)], "days": random.integers(0, 10, people)}
    return pets.Session(
        SCHEMA, pd.DataFrame(rows | {"ward": random.choice(["A", "B"], people)}),
        budget=pets.Budget(epsilon=3, delta=1e-6), policy=pets.Policy(allow_unbounded=True), progress=False,
    )  # fmt: skip


def held(error: BaseException) -> list[Any]:
    """All that the frames of an error hold, and those of every error behind it."""
    out: list[Any] = []
    seen: BaseException | None = error
    while seen is not None:
        out += [value for frame, _ in traceback.walk_tb(seen.__traceback__) for value in frame.f_locals.values()]
        seen = seen.__cause__ or seen.__context__
    return out


def failing(kind: type[BaseException]) -> Any:
    def broken(*given: Any, **_: Any) -> Any:
        codes = np.arange(3)  # what stands for rows
        raise kind(f"SECRET {codes} {len(given)}")

    return broken


@pytest.mark.parametrize("where", ["reading", "learning"])
@pytest.mark.parametrize("kind", [ValueError, MemoryError])
def test_an_error_of_an_engine_reaches_the_custodian_alone(
    where: str, kind: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = opened()
    if where == "reading":
        monkeypatch.setattr(Snapshot, "arrow", failing(kind))
    else:
        monkeypatch.setattr(external_module, "external", failing(kind))
    with pytest.raises(ReleaseFailedError, match=r"incident [0-9a-f]{12}\); the request stays on the account") as told:
        session.synthesise(method="gaussian_copula", progress=False)
    error = told.value
    assert "SECRET" not in str(error) and error.__context__ is None and error.__cause__ is None
    assert not any(isinstance(value, (np.ndarray, pd.DataFrame)) or "SECRET" in repr(value) for value in held(error))
    assert "SECRET" in session.incident(str(error).partition("incident ")[2][:12])
    assert session.history()[["state", "unbounded"]].values.tolist() == [["forfeited", True]]


def test_a_plain_sentence_of_an_engine_is_told_without_its_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    session = opened()
    monkeypatch.setattr(external_module, "external", failing(ReleaseFailedError))
    with pytest.raises(ReleaseFailedError, match="SECRET") as told:  # its sentence, made of public names alone
        session.synthesise(method="gaussian_copula", progress=False)
    assert told.value.__context__ is None and told.value.__cause__ is None
    assert not any(isinstance(value, np.ndarray) for value in held(told.value))


def test_whoever_stops_an_engine_gets_no_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external_module, "external", failing(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt) as told:
        opened().synthesise(method="gaussian_copula", progress=False)
    assert told.value.args == () and not any(isinstance(value, np.ndarray) for value in held(told.value))


@pytest.mark.chance(0)
def test_fewer_rows_than_were_asked_for_are_told() -> None:
    """Nine values of a unique column give nine rows at most; real rows that break a rule are told, too."""
    schema = pets.Schema.load(
        {
            "dataset": "fewer",
            "tables": {
                "t": {
                    "unit": "row",
                    "columns": {
                        "n": {"type": "integer", "min": 1, "max": 9, "nullable": False},
                        "a": {"type": "date", "min": "2024-01-01", "max": "2024-12-31"},
                        "b": {"type": "date", "min": "2024-01-01", "max": "2024-12-31"},
                    },
                    "rules": [{"unique": "n"}, {"order": ["a", "b"]}],
                }
            },
        }
    )
    rows = 120
    later = [f"2024-04-{1 + i % 28:02d}" for i in range(rows)]
    table = pd.DataFrame({"n": [1 + i % 9 for i in range(rows)], "a": "2024-03-01", "b": later})
    table.loc[0, "b"] = "2024-02-01"
    session = pets.Session(
        schema, table, budget=pets.Budget(epsilon=1, delta=1e-6), progress=False,
        policy=pets.Policy(allow_unbounded=True),
    )  # fmt: skip
    made = session.synthesise(40, "gaussian_copula", progress=False)
    notes = "\n".join(made.notes)
    assert len(made.table) <= 9 and f"{len(made.table)} rows came of the 40 that were wanted" in notes
    assert "1 real row(s) break a rule of the schema" in notes and "WARNING" not in notes
