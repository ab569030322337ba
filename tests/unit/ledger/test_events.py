"""Events: every change of a request is told once, after it is durable, to whoever listens; none hides an answer."""

from __future__ import annotations

import logging

import pandas as pd
import pytest

import pets
from pets.errors import BudgetError, ReleaseFailedError, UserError
from pets.ledger.events import KINDS, Event
from pets.ledger.ledger import Ledger
from tests.ledgers import MILLI, Place, account, ask, opened, request

CANARY = "canary7f"


def test_what_becomes_of_requests_is_told_in_order(place: Place) -> None:
    told: list[Event] = []
    with opened(place) as ledger:
        asker = account(ledger)
        ledger.listeners.on("*", told.append)
        (sealed,) = ask(asker, request(milli=7))
        asker.close(asker.reserve([request(milli=5)]))
        asker.close(asker.reserve([request(milli=5)], start=False))
        with pytest.raises(BudgetError):
            asker.reserve([request(milli=5000)])
        kinds = ["started", "committed", "started", "forfeited", "reserved", "voided", "denied"]
        assert [one.kind for one in told] == kinds
        assert [one.request for one in told[:2]] == [sealed.request] * 2
        assert [one.loss for one in told] == [one * MILLI for one in (7, 7, 5, 5, 5, 5, 5000)]
        assert {(one.dataset, one.project, one.analyst) for one in told} == {("d", "p", "a")}
        for one in told:
            assert Event.from_json(one.to_json()) == one and one.kind in KINDS
        ended = [one for one in told if one.kind in ("committed", "forfeited", "voided")]
        assert all(one.seconds is not None and one.seconds >= 0 for one in ended)


def test_what_is_told_is_durable() -> None:
    states: list[str] = []
    with Ledger(None) as ledger:
        asker = account(ledger)
        ledger.listeners.on("*", lambda _: states.append(asker.entries()[-1].state.value))
        ask(asker, request())
        assert states == ["started", "committed"]


def test_requests_that_others_left_behind_are_told() -> None:
    told: list[Event] = []
    now = [1_800_000_000.0]
    with Ledger(None, clock=lambda: now[0]) as ledger:
        asker = account(ledger)
        asker.reserve([request(milli=3)])
        asker.reserve([request(milli=4)], start=False)
        ledger.listeners.on("forfeited", told.append)
        ledger.listeners.on("voided", told.append)
        now[0] += 31
        ledger.recover()
    assert [(one.kind, one.loss) for one in told] == [("forfeited", 3 * MILLI), ("voided", 4 * MILLI)]


def test_a_listener_that_raises_hides_nothing_and_its_words_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    def broken(event: Event) -> None:
        raise RuntimeError(CANARY)

    told: list[Event] = []
    with Ledger(None) as ledger, caplog.at_level(logging.DEBUG):
        ledger.listeners.on("committed", broken)
        ledger.listeners.on("committed", told.append)
        assert len(ask(account(ledger), request())) == 1
    assert len(told) == 1 and "raised RuntimeError" in caplog.text and CANARY not in caplog.text


@pytest.mark.parametrize(
    ("kind", "call", "said"),
    [
        ("comitted", print, "there is no event 'comitted'; did you mean 'committed'"),
        (None, print, "there is no event None"),
        ("committed", 3, "calling a function, and 3 is none"),
    ],
)
def test_what_cannot_be_listened_to(kind: str, call: object, said: str) -> None:
    with Ledger(None) as ledger, pytest.raises(UserError, match=said):
        ledger.listeners.on(kind, call)  # type: ignore[arg-type]


# a custodian's ------------------------------------------------------------------------------------------------------

SCHEMA = pets.Schema(
    {"stays": pets.Table(pets.Unit("id"), {"id": pets.Identifier(), "ward": pets.Category(["a", "b"])})},
    dataset="events-test",
)
QUERY = pets.query("stays").group_by("ward").agg(n=pets.count())


def kept() -> pets.Custodian:
    rows = pd.DataFrame({"id": [f"{CANARY}{i}" for i in range(9)], "ward": ["a", "b", CANARY] * 3})
    return pets.Custodian(SCHEMA, rows, budget=pets.Budget(epsilon=5, delta=1e-6), progress=False)


def test_every_delivery_is_told_those_at_no_cost_too() -> None:
    told: list[Event] = []
    custodian = kept()
    custodian.on("delivered", told.append)
    for analyst in ("amina", "amina", "ben"):
        custodian.session(analyst=analyst).release([QUERY, QUERY], pets.DP(epsilon=1))
    assert [(one.kind, one.analyst, one.loss) for one in told] == [
        *[("delivered", "amina", 0)] * 2,
        ("delivered", "ben", 0),
    ]


def test_a_custodian_hears_of_its_own_dataset_and_no_value_of_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Event] = []
    custodian = kept()
    custodian.on("*", told.append)
    ask(account(custodian.ledger, "another"), request())
    assert told == []
    custodian.session(analyst="amina").release(QUERY, pets.DP(epsilon=1))

    def broken(*_: object) -> None:
        raise RuntimeError(f"in row {CANARY}1")

    monkeypatch.setattr("pets.session.job.tabulate", broken)
    with pytest.raises(ReleaseFailedError):
        custodian.session(analyst="amina").release(QUERY, pets.DP(epsilon=0.5))
    kinds = ["started", "committed", "delivered", "started", "forfeited"]
    assert [one.kind for one in told] == kinds and CANARY not in str(told)
    with pytest.raises(UserError, match="there is no event 'done'"):
        custodian.on("done", print)
