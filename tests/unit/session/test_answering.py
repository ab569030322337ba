"""What makes two requests the same question, and so one answer that is paid for once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pets
from pets.common.codec import canonical
from pets.ledger.account import Account
from pets.session.verbs.analyst_session import AnalystSession
from pets.verify.check import check
from tests.attacks.replay_cases import KEY_ROWS, KEYS

SCHEMA = pets.Schema(
    {
        "t": pets.Table(
            pets.Unit("id", max_rows=4, rows=2),
            {
                "id": pets.Identifier(),
                "g": pets.Category(["a", "b", "c"], nullable=False),
                "h": pets.Category(["u", "v"], nullable=False),
                "x": pets.Integer(0, 10, nullable=False),
            },
        )
    },
    dataset="same-question",
)
ROWS = pd.DataFrame({"id": range(60), "g": ["a", "b", "c"] * 20, "h": ["u", "v"] * 30, "x": [1, 2, 3] * 20})
ASKED = pets.query("t").group_by("g").agg(n=pets.count())


def session(folder: Path, **more: Any) -> pets.Session:
    """One ledger and one stored snapshot for all of a folder's sessions."""
    (folder / "t.parquet").exists() or ROWS.to_parquet(folder / "t.parquet")
    places = {"ledger": folder / "ledger.db", "snapshots": folder / "snapshots"}
    known = (folder / "ledger.db").exists()
    budget = {} if known else {"budget": pets.Budget(epsilon=9, delta=1e-6)}
    return pets.Session(SCHEMA, None if known else folder / "t.parquet", progress=False, **places, **budget, **more)


@pytest.mark.chance(0)
def test_the_same_question_under_another_policy_is_another_question(tmp_path: Path) -> None:
    first = session(tmp_path).release(ASKED, pets.DP(epsilon=0.5))
    again = session(tmp_path)
    assert again.release(ASKED, pets.DP(epsilon=0.5)).id == first.id
    other = session(tmp_path, policy=pets.Policy(allow_unbounded=True))
    answer = other.release(ASKED, pets.DP(epsilon=0.5))
    assert answer.id != first.id and answer.snapshot_id == first.snapshot_id
    assert other.remaining().spent.loss == 2 * first.cost["loss"]


class Caught(Exception):
    """What was asked, before anything is charged."""


def asked_of_the_ledger(of: pets.Session, monkeypatch: pytest.MonkeyPatch, ask: Any) -> str:
    """The name under which the ledger looks for an answer that it has."""

    def reserve(self: Account, requests: Any, **_: object) -> None:
        (request,) = requests
        raise Caught(request.asked)

    with monkeypatch.context() as patch, pytest.raises(Caught) as caught:
        patch.setattr(Account, "reserve", reserve)
        ask(of)
    return str(caught.value)


def test_an_answer_is_kept_for_its_own_question_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = pets.Policy(allow_unbounded=True)

    def name(of: pets.Session, query: pets.Query = ASKED, protection: Any = None) -> str:
        return asked_of_the_ledger(of, monkeypatch, lambda one: one.release(query, protection or pets.DP(epsilon=0.5)))

    here, open_ = session(tmp_path), session(tmp_path, policy=policy)
    same = name(here)
    assert name(here) == name(session(tmp_path)) == same
    others = [
        name(here, ASKED.bound(rows=1)),
        name(here, ASKED.where(pets.col("x") > 1)),
        name(here, protection=pets.DP(epsilon=0.6)),
        name(here, protection=pets.DP(epsilon=0.5, confidence=0.9)),
        name(open_),
        name(open_, protection=pets.Total()),
        name(pets.Session(SCHEMA, ROWS, ledger=tmp_path / "ledger.db", progress=False)),  # a snapshot of its own
    ]
    assert len({same, *others}) == 1 + len(others)


def test_an_adaptive_table_is_kept_for_its_own_settings_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mbi")
    base: dict[str, Any] = {"selection": "aim", "columns": ["g", "h"], "rows": 5, "epsilon": 1, "progress": False}

    def name(of: pets.Session, **more: Any) -> str:
        return asked_of_the_ledger(of, monkeypatch, lambda one: one.synthesise(**base | more))

    here = session(tmp_path)
    same = name(here)
    assert name(here) == name(session(tmp_path)) == name(here, rows=9) == same
    others = [
        name(here, epsilon=2),
        name(here, seed=1),
        name(here, cells=500),
        name(here, columns=["g", "x"]),
        name(here, columns=["g", "h", "x"]),
        name(here, bound=1),
        name(session(tmp_path, policy=pets.Policy(allow_unbounded=True))),
        name(pets.Session(SCHEMA, ROWS, ledger=tmp_path / "ledger.db", progress=False)),
    ]
    assert len({same, *others}) == 1 + len(others)


# the account that a repeat tells -------------------------------------------------------------------------------------

COUNT = pets.query("t").agg(n=pets.count())

ASKS: dict[str, Callable[[AnalystSession], Any]] = {
    "a release": lambda session: session.release(COUNT, pets.DP(epsilon=1)).to_json(),
    "keys": lambda session: session.group_keys("t", by=["code"], protection=pets.DP(epsilon=1), groups=2).signed,
}


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
def test_a_repeat_tells_the_account_that_its_certificate_tells(
    ask: Callable[[AnalystSession], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = pets.Budget(epsilon=50, delta=1e-5, threshold_delta=5e-6)
    custodian = pets.Custodian(KEYS, {"t": KEY_ROWS}, budget=budget, progress=False)
    ask(custodian.session(analyst="first"))
    before, deliver = custodian.remaining().spent, Account.deliver

    def late(self: Account, *given: Any) -> Any:
        """Somebody else asks, and pays, between the look at the account and the delivery."""
        custodian.session(analyst="third").release(COUNT, pets.DP(epsilon=2))
        return deliver(self, *given)

    monkeypatch.setattr(Account, "deliver", late)
    form = ask(custodian.session(analyst="second"))
    check(canonical(form), custodian.ledger.key.raw)  # by the independent checker
    assert form["budget"]["spent"] == custodian.remaining().spent.loss > before.loss
