"""How fast one may ask, and try tokens: nobody takes from another, and what is not looked up costs nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from pets.errors import BusyError
from pets.ledger.tokens import Tokens
from pets.service.access import rates
from pets.service.access.bearer import Bearer
from pets.service.access.rates import Rates, Strangers
from pets.service.access.tokens import ServiceTokens
from tests.http_services import custodian, served


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Books:
    """Who is known, and what was looked up."""

    def __init__(self, *known: str) -> None:
        self.known, self.looked = set(known), list[str]()

    def __call__(self, token: str) -> str | None:
        self.looked.append(token)
        return token if token in self.known else None


def refused(strangers: Strangers, token: str, address: str, books: Books) -> bool:
    before = len(books.looked)
    try:
        strangers.look_up(token, address, books)
    except BusyError as error:
        assert error.retry_after is not None and error.retry_after >= 1 and len(books.looked) == before
        return True
    return False


def test_one_caller_has_so_many_requests_and_no_more_until_later() -> None:
    clock = Clock()
    many = Rates(60, clock)
    for _ in range(60):
        many.take("a")
    with pytest.raises(BusyError, match="more than 60 requests in a minute"):
        many.take("a")
    many.take("b")
    many.give_back("a")
    many.take("a")
    clock.now += 2
    for _ in range(2):
        many.take("a")
    with pytest.raises(BusyError):
        many.take("a")
    for _ in range(61):
        many.give_back("a")  # never more than there were
    with pytest.raises(BusyError):
        [many.take("a") for _ in range(61)]


def test_callers_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "_MAX_KNOWN", 5)
    many, strangers, books = Rates(1), Strangers(), Books(*"abcdefgh")
    for number in range(20):
        many.take(number)
    assert len(many._left) == 5
    for token in books.known:
        strangers.look_up(token, "", books)
    assert len(strangers._known) == 5


def test_tokens_that_nobody_knows_are_looked_up_so_often_and_no_more() -> None:
    clock, books = Clock(), Books("good", "other")
    strangers = Strangers(5, clock)
    assert strangers.look_up("good", "192.0.2.1", books) == "good"
    assert [refused(strangers, f"bad {number}", "192.0.2.1", books) for number in range(7)] == [False] * 5 + [True] * 2
    # one that was valid lately is looked up all the same, and so is anything from elsewhere
    for _ in range(10):
        assert strangers.look_up("good", "192.0.2.1", books) == "good"
    assert not refused(strangers, "bad", "192.0.2.2", books)
    # one that is valid, and was not seen yet, waits for a moment, as one that is not: neither is told from the other
    assert refused(strangers, "other", "192.0.2.1", books)
    clock.now += 12
    assert strangers.look_up("other", "192.0.2.1", books) == "other"
    assert not refused(strangers, "bad", "192.0.2.1", books), "a valid one does not count"
    # one that ended is a stranger's from then on
    books.known.remove("good")
    assert strangers.look_up("good", "192.0.2.3", books) is None
    assert refused(strangers, "good", "192.0.2.1", books)


def test_who_has_many_addresses_has_them_all_from_one_network() -> None:
    strangers, books = Strangers(3), Books()
    found = [refused(strangers, str(number), f"2001:db8:1:2::{number:x}", books) for number in range(1, 6)]
    assert found == [False] * 3 + [True] * 2
    assert not refused(strangers, "x", "2001:db8:1:3::1", books) and not refused(strangers, "x", "192.0.2.9", books)


@pytest.mark.usefixtures("no_minute_passes")
def test_over_http_a_bad_token_is_read_from_no_database_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = custodian(tmp_path)
    good, _ = Tokens(keeper.ledger).create("script", "asthma", ["analyst"])
    looked: list[str] = []
    find = Tokens.find
    monkeypatch.setattr(Tokens, "find", lambda self, secret: looked.append(secret) or find(self, secret))
    with served(keeper, auth=Bearer(ServiceTokens(keeper.ledger), strangers=Strangers(4))) as client:
        told = {"Authorization": f"Bearer {good}"}
        assert client.get("/datasets", headers=told).status_code == 200
        bad = [{"Authorization": f"Bearer pets_{number}"} for number in range(8)]
        replies = [client.get("/datasets", headers=one) for one in bad]
        assert [one.status_code for one in replies] == [401] * 4 + [429] * 4 and len(looked) == 5
        assert replies[-1].json()["code"] == "busy" and float(replies[-1].headers["retry-after"]) >= 1
        assert client.get("/datasets", headers=told).status_code == 200
        # what is open to all stays open to whoever sends them
        assert client.get("/log/checkpoint", headers=bad[0]).status_code == 200 and len(looked) == 6
