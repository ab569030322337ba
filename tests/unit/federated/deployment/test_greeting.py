"""In touch is whose gate answered, signed; both ends see how the clocks stand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest

from pets import he
from pets.common import signing
from pets.federated import Federation
from pets.federated.analyst.transport import InProcess
from pets.federated.deployment.greeting import greet
from pets.federated.keyholder.gate import KeyHolderGate
from pets.federated.messages import hello
from pets.federated.messages.errors import ProtocolError
from pets.federated.messages.message import COORDINATOR, Channel, Kind, context_of
from tests.unit.federated.site.test_site import federation

START = dt.datetime(2026, 11, 28, 9, tzinfo=dt.UTC)


@pytest.fixture
def many() -> Federation:
    return federation(people=60)


def greeted(many: Federation, exchange: Any = None, **more: Any) -> dict[int, str]:
    def in_process(messages: Mapping[int, bytes]) -> Mapping[int, bytes]:
        return InProcess(tuple(many.sites.values())).exchange(messages, lambda site: None)

    about = {"key": many._coordinator, "holder": None, "parties": range(3)} | more
    return greet(many.roster, exchange=exchange or in_process, **about)


def test_every_gate_that_answers_is_in_touch(many: Federation) -> None:
    assert greeted(many) == {0: "", 1: "", 2: ""}
    assert greeted(many, parties=[1]) == {1: ""}
    assert greeted(many, lambda messages: {}) == {}


def test_a_gate_that_is_busy_with_another_query_is_in_touch(many: Federation) -> None:
    site = many.sites["s1"]
    with site._lock:
        assert greeted(many) == {0: "", 1: "", 2: ""}


def test_nobody_else_is_in_touch_in_a_sites_place(many: Federation) -> None:
    sites = tuple(many.sites.values())
    kept: list[Mapping[int, bytes]] = []

    def crossed(messages: Mapping[int, bytes]) -> Mapping[int, bytes]:
        return {0: sites[1].handle(messages[0]), 1: b"", 2: messages[2]}

    def recorded(messages: Mapping[int, bytes]) -> Mapping[int, bytes]:
        kept.append({number: sites[number].handle(message) for number, message in messages.items()})
        return kept[-1]

    assert greeted(many, crossed) == {}
    assert greeted(many, recorded) == {0: "", 1: "", 2: ""}
    assert greeted(many, lambda messages: kept[0]) == {}  # an old reply says nothing of now
    with pytest.raises(ProtocolError):  # and a stranger's hello is not answered
        stranger = Channel(many.roster, b"q" * 16, context_of(many.roster), COORDINATOR, signing.ephemeral())
        sites[0].handle(stranger.write(Kind.HELLO, 0, hello.hello()))
    own = Channel(many.roster, b"q" * 16, context_of(many.roster), COORDINATOR, many._coordinator)
    message = own.write(Kind.HELLO, 0, hello.hello())
    assert sites[0].handle(message)
    with pytest.raises(ProtocolError):
        sites[0].handle(message)
    with pytest.raises(ProtocolError):
        sites[0].handle(Channel(own.roster, b"r" * 16, own.context, COORDINATOR, own.key).write(Kind.HELLO, 0, b"{}"))


def test_the_key_holder_is_greeted_too() -> None:
    public, secret = he.keygen()
    from pets.federated import Site
    from tests.unit.federated.site.test_site import sessions

    many = Federation(
        [Site(one, name=f"s{i}") for i, one in enumerate(sessions(people=60))],
        sites_per_person=1,
        key_holder=secret,
        progress=False,
    )
    holder = KeyHolderGate(secret)
    holder.join(many.roster)
    found = greeted(many, lambda messages: {3: holder.handle(messages[3])}, parties=[3], holder=public.holder)
    assert found == {3: ""}
    other = he.keygen()[0]
    assert greeted(many, lambda messages: {3: holder.handle(messages[3])}, parties=[3], holder=other.holder) == {}


@pytest.mark.parametrize(
    ("site", "said"),
    [
        (START - dt.timedelta(hours=3), "3 h 0 min slow"),
        (START + dt.timedelta(days=11 * 365), "4015 days fast"),
        (START + dt.timedelta(minutes=4), "4 min fast"),
        (START + dt.timedelta(seconds=90), ""),
    ],
)
def test_a_wrong_clock_is_named_at_both_ends(
    many: Federation, site: dt.datetime, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock(dt.datetime):
        at = START

        @classmethod
        def now(cls, tz: Any = None) -> dt.datetime:
            return cls.at

    monkeypatch.setattr(hello, "now", lambda: Clock.at.isoformat())
    monkeypatch.setattr(dt, "datetime", Clock)
    noted: list[str] = []
    for one in many.sites.values():
        one.notice = noted.append

    def exchange(messages: Mapping[int, bytes]) -> Mapping[int, bytes]:
        Clock.at = site
        replies = {1: many.sites["s1"].handle(messages[1])}
        Clock.at = START
        return replies

    assert greeted(many, exchange) == {1: said}
    want = [f"This machine's clock is {said} against the coordinator's; set the one that is wrong."] if said else []
    assert noted == want
