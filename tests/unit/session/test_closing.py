"""A session and a custodian let go of what they opened, and of nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pets
from pets.errors import UserError

SCHEMA = pets.Schema(
    {"t": pets.Table(pets.Unit("id", max_rows=1), {"id": pets.Identifier(), "sex": pets.Category(["f", "m"])})},
    dataset="closing",
)
ROWS = pd.DataFrame({"id": ["a", "b"], "sex": ["f", "m"]})
N = pets.query("t").agg(n=pets.count())
BUDGET = pets.Budget(epsilon=1, delta=1e-6)


@pytest.fixture
def closes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ledgers that were closed."""
    found: list[str] = []
    close = pets.Ledger.close

    def closing(ledger: pets.Ledger) -> None:
        found.append(Path(ledger.label).name)
        close(ledger)

    monkeypatch.setattr(pets.Ledger, "close", closing)
    return found


@pytest.mark.parametrize("kind", [pets.Session, pets.Custodian])
def test_a_with_block_closes_the_ledger_that_it_opened(kind: Any, tmp_path: Path, closes: list[str]) -> None:
    with kind(SCHEMA, ROWS, budget=BUDGET, ledger=tmp_path / "own.db", progress=False) as one:
        assert not one.closed and one.remaining().spent.loss == 0
    assert closes == ["own.db"] and one.closed and repr(one).endswith(", closed>")
    for ask in (lambda: one.remaining(), lambda: one.schema, lambda: one.refresh(), lambda: one.ledger):
        with pytest.raises(UserError, match="was closed; open it again"):
            ask()
    one.close()
    assert closes == ["own.db"]


@pytest.mark.parametrize("kind", [pets.Session, pets.Custodian])
def test_a_ledger_that_was_open_before_stays_open(kind: Any, tmp_path: Path, closes: list[str]) -> None:
    ledger = pets.Ledger(tmp_path / "given.db")
    with kind(SCHEMA, ROWS, budget=BUDGET, ledger=ledger, progress=False):
        pass
    assert closes == []
    ledger.close()


def test_an_analysts_end_is_not_the_custodians(tmp_path: Path, closes: list[str]) -> None:
    custodian = pets.Custodian(SCHEMA, ROWS, budget=BUDGET, ledger=tmp_path / "l.db", progress=False)
    with custodian.session(analyst="amina") as amina, custodian.session(analyst="ben") as ben:
        amina.close()
        assert amina.closed and ben.quote(N, pets.DP(epsilon=0.1)).fits and "closed" in amina._repr_html_()
        assert ben.dummy(10).release(N, pets.Exact()).table["n"].tolist() == [10]
    assert closes == [] and custodian.remaining().spent.loss == 0
    custodian.close()
