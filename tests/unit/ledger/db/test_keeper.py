"""One thread renews every lease of a process, whatever becomes of the others, as long as there are any."""

from __future__ import annotations

import contextlib
import threading
from types import SimpleNamespace

import pytest

from pets.ledger.db.keeper import Keeper
from pets.ledger.ledger import Ledger
from tests.services import until


def threads() -> set[threading.Thread]:
    return {one for one in threading.enumerate() if one.name == "pets-keeper"}


def test_every_lease_is_renewed_again_and_again_by_one_thread() -> None:
    keeper, calls, before = Keeper(0.01), [0] * 5, threads()

    def renew(place: int) -> None:
        calls[place] += 1
        if place == 1:
            raise SystemError("the others go on, and so does this one")
        if place == 2:
            raise SystemExit

    with contextlib.ExitStack() as stack:
        for place in range(5):
            stack.enter_context(keeper.keeping(lambda place=place: renew(place)))  # type: ignore[misc]
        until(lambda: min(calls) >= 3)
        assert len(threads() - before) == 1  # (those of other ledgers may end meanwhile)
    until(lambda: not threads() - before)


def test_one_that_was_let_go_is_renewed_no_more_and_the_others_are() -> None:
    keeper, calls = Keeper(0.01), {"short": 0, "long": 0}

    def renew(name: str) -> None:
        calls[name] += 1

    with keeper.keeping(lambda: renew("long")):
        with contextlib.suppress(ValueError), keeper.keeping(lambda: renew("short")):
            until(lambda: calls["short"] and calls["long"])
            raise ValueError
        seen = calls["long"]
        until(lambda: calls["long"] > seen + 1)  # (one call may have been under way)
        last, seen = calls["short"], calls["long"]
        until(lambda: calls["long"] > seen + 3)
        assert calls["short"] == last


def test_leases_that_follow_one_another_are_kept_too() -> None:
    """Its thread may just be about to end."""
    keeper, calls = Keeper(0.002), [0]

    def renew() -> None:
        calls[0] += 1

    for _ in range(20):
        before = calls[0]
        with keeper.keeping(renew):
            until(lambda before=before: calls[0] > before)  # type: ignore[misc]


def test_a_lease_is_not_renewed_before_its_time() -> None:
    keeper = Keeper(1e6)
    with keeper.keeping(lambda: 1 / 0):
        assert keeper._runs and threads()
    assert not keeper._kept


def test_where_no_thread_can_be_had_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else what nobody answers any more would be renewed as long as the process lives, once there are threads again."""
    keeper = Keeper(1e6)

    def refused(**_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr("pets.ledger.db.keeper.threading", SimpleNamespace(Thread=refused))
        with pytest.raises(RuntimeError), keeper.keeping(lambda: None):
            pass
    assert not keeper._kept
    with keeper.keeping(lambda: None):
        assert keeper._runs and len(keeper._kept) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_whatever_ends_its_thread_the_next_one_renews_all(monkeypatch: pytest.MonkeyPatch) -> None:
    keeper, calls, before = Keeper(0.01), {"first": 0, "second": 0}, threads()

    def renew(name: str) -> None:
        calls[name] += 1

    def fails(*_: object) -> float:
        raise SystemExit

    with keeper.keeping(lambda: renew("first")):
        until(lambda: calls["first"])
        with monkeypatch.context() as patch:
            patch.setattr("pets.ledger.db.keeper.min", fails, raising=False)
            until(lambda: not threads() - before)
        assert not keeper._runs
        seen = calls["first"]
        with keeper.keeping(lambda: renew("second")):
            until(lambda: calls["second"] and calls["first"] > seen + 1)


def test_once_it_is_closed_nothing_is_called_and_what_was_has_ended() -> None:
    keeper, begun, go, ended, closed = Keeper(0.002), threading.Event(), threading.Event(), [0], threading.Event()
    calls = [0]

    def renew() -> None:
        calls[0] += 1
        begun.set()
        go.wait(600)
        ended[0] += 1

    def close() -> None:
        keeper.close()
        closed.set()

    with keeper.keeping(renew), keeper.keeping(renew):
        assert begun.wait(600)
        closing = threading.Thread(target=close)
        closing.start()
        until(lambda: not keeper._kept)
        assert not closed.is_set(), "a call is under way"
        go.set()
        closing.join(600)
        assert closed.is_set() and ended == calls == [1]
        until(lambda: not keeper._runs)
        assert calls == [1]
    with keeper.keeping(renew):
        until(lambda: calls[0] > 1)  # it may be used anew, as the database may


def test_a_ledger_that_is_closed_renews_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, kept = Ledger(None), []
    monkeypatch.setattr(ledger._store, "close", lambda: kept.append(len(ledger.keeper._kept)))
    with ledger.keeper.keeping(lambda: None):
        ledger.close()
    assert kept == [0]
