"""Custody: one wall before the rows, many sessions behind it."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

import pets
import pets.session.job as job_module
from pets.errors import PolicyError, QueryError, ReleaseFailedError, UserError
from pets.session.custody import Custody
from pets.session.session import Session
from tests.unit.session.test_session import SCHEMA, frame

N = pets.query("stays").agg(n=pets.count())
HALF = pets.DP(epsilon=0.5)


def opened(**settings: object) -> Custody:
    return Custody.open(SCHEMA, frame(30), budget=pets.Budget(epsilon=3, delta=1e-6), progress=False, **settings)  # type: ignore[arg-type]


def test_one_custody_serves_many_analysts_from_one_budget(tmp_path: Path) -> None:
    custody = opened(ledger=tmp_path / "ledger.db", project="asthma", analyst="ann")
    ann, bob = Session.of(custody), Session.of(custody.scoped("flu", "bob"))
    first = ann.release(N, HALF)
    assert (ann.project, ann.analyst, bob.project, bob.analyst) == ("asthma", "ann", "flu", "bob")
    assert ann.snapshots == bob.snapshots
    assert bob.remaining().spent.loss == first.cost["loss"] > 0
    assert bob.release(N, HALF).id == first.id  # the same question: the same release, at no cost
    second = bob.release(N, HALF, again=True)
    assert (second.project, second.analyst) == ("flu", "bob")
    told = [(entry.project, entry.analyst, entry.delivered) for entry in custody.entries()]
    assert told == [("asthma", "ann", False), ("flu", "bob", True), ("flu", "bob", False)]
    assert custody.standing().spent.loss == 2 * first.cost["loss"]


def test_a_name_for_the_account_is_checked() -> None:
    with pytest.raises(UserError, match="analyst must be a printable text"):
        opened().scoped("flu", "bob\n")


def test_incidents_of_all_analysts_are_the_custodians(monkeypatch: pytest.MonkeyPatch) -> None:
    custody = opened()
    other = custody.scoped("flu", "bob")

    def broken(*_: object) -> None:
        raise ValueError("row 17")

    monkeypatch.setattr(job_module, "tabulate", broken)
    with pytest.raises(ReleaseFailedError):
        other.release([other.job(N, HALF)])
    assert "row 17" in custody.incident(custody.entries()[0].id[:12])
    with pytest.raises(UserError, match="no incident 'x'"):
        custody.incident("x")


def test_exact_answers_are_for_invented_rows() -> None:
    custody = opened()
    with pytest.raises(PolicyError, match="dummy data only"):
        custody.job(N, pets.Exact())
    with pytest.raises(PolicyError, match="policy does not allow"):
        custody.job(N, pets.Total())
    invented = custody.dummy(50, 0, None)
    assert (custody.kind, invented.kind) == ("real", "dummy")
    assert invented.account.scope == custody.account.scope
    release = Session.of(invented).release(N, pets.Exact())
    assert release.data == "dummy"
    # nothing of what is asked there is on the real account
    assert custody.entries() == () and custody.standing().spent.loss == 0


def test_what_has_no_guarantee_is_entered_before_it_is_made() -> None:
    custody = opened(policy=pets.Policy(allow_unbounded=True))
    with custody.unbounded("stays", "a look", "q" * 64, {"kind": "look"}):
        assert [(entry.state.value, entry.unbounded) for entry in custody.entries()] == [("started", True)]
    assert [entry.state.value for entry in custody.entries()] == ["committed"]
    with pytest.raises(RuntimeError), custody.unbounded("stays", "a look", "q" * 64, {"kind": "look"}):
        raise RuntimeError("half way")
    assert [entry.state.value for entry in custody.entries()] == ["committed", "forfeited"]


def test_what_has_no_guarantee_is_refused_without_leave_and_free_on_invented_rows() -> None:
    custody, made = opened(), []
    with (
        pytest.raises(PolicyError, match="allow_unbounded=True"),
        custody.unbounded("stays", "a look", "q" * 64, {"kind": "look"}),
    ):
        made.append("real")
    invented = custody.dummy(20, 0, None)
    with invented.unbounded("stays", "a look", "q" * 64, {"kind": "look"}):
        made.append("dummy")
    assert made == ["dummy"]
    assert custody.entries() == invented.entries() == ()


def test_nothing_of_it_is_pickled_or_printed() -> None:
    custody = opened()
    assert repr(custody) == "<Custody of dataset 'unit-test' (real data): stays>"
    with pytest.raises(UserError, match="never pickled"):
        pickle.dumps(custody)


def test_without_data_there_is_no_snapshot() -> None:
    custody = Custody.open(SCHEMA, budget=pets.Budget(epsilon=1))
    assert custody.tables == ()
    with pytest.raises(QueryError, match="opened without data"):
        custody.snapshot("stays")
