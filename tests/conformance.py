"""What any transport must do. A new one is one more entry in ``tests/unit/federated/analyst/test_transport.py``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from pets.common.entropy import random_id
from pets.errors import ReleaseFailedError
from pets.federated import Federation, Site
from pets.federated.analyst.account_replies import ask_accounts
from pets.federated.analyst.transport import Transport
from pets.federated.keyholder.client import KeyHolderClient
from pets.federated.keyholder.gate import KeyHolderGate
from pets.federated.site.account_request import AccountRequest
from pets.he import SecretKey
from pets.protection.protection import Exact
from tests.unit.federated.site.test_site import BY_AGE, HALF, N, federation, spent

Connect = Callable[[Sequence[Site]], Transport]


def dummies(n: int = 3) -> Federation:
    return federation(n, people=12).dummy(rows=40)


def exact_totals_arrive(connect: Connect) -> None:
    many = dummies()
    wanted = many.release(BY_AGE, Exact()).values
    many._transport = connect(list(many.sites.values()))
    assert (many.release(BY_AGE, Exact(), again=True).values == wanted).all()
    for secure in ("local", "encrypted"):
        assert (many.release(BY_AGE, Exact(), secure=secure).values == wanted).all()


def silence_is_a_lost_site(connect: Connect) -> None:
    many = federation(4, dropouts=1, people=20)
    many.sites["s2"].handle = _dead  # type: ignore[method-assign]
    many._transport = connect(list(many.sites.values()))
    assert many.release(N, HALF).notes[0].startswith("3 of 4")
    assert set(many.lost) == {"s2"}
    assert spent(many)[2] == 0


def too_much_silence_is_no_answer(connect: Connect) -> None:
    many = federation(3, people=12)
    many.sites["s2"].handle = _dead  # type: ignore[method-assign]
    many._transport = connect(list(many.sites.values()))
    with pytest.raises(ReleaseFailedError, match="3 sites are needed"):
        many.release(N, HALF)
    assert spent(many) == [0, 0, 0]  # the others were told, and what they reserved is free again


def bytes_arrive_as_they_were(connect: Connect) -> None:
    rng = np.random.default_rng(1)
    sizes = (0, 1, 255, 70_000)
    sent = {site: rng.bytes(size) for site, size in enumerate(sizes)}
    echoes: list[Any] = [_Echo() for _ in sizes]
    heard: list[int] = []
    got: Mapping[int, bytes] = connect(echoes).exchange(sent, heard.append)
    assert dict(got) == {site: data[::-1] for site, data in sent.items()}
    assert sorted(heard) == [0, 1, 2, 3]


def accounts_are_told(connect: Connect) -> None:
    many = federation(3, people=12)
    many.release(N, HALF)
    transport = connect(list(many.sites.values()))
    request = AccountRequest(random_id(), many.roster.digest, many.analyst, ("budget", "history"))
    said, silent = ask_accounts(request, many.roster, many._coordinator, many._analyst, transport)
    assert silent == {}
    assert {name: one.left for name, one in said.items()} == many.remaining()
    assert [len(one.requests) for one in said.values()] == [1, 1, 1]


def a_key_holder_elsewhere_opens_totals(connect: Connect) -> None:
    many = dummies()
    wanted = many.release(BY_AGE, Exact()).values
    holder, roster = many._key_holder()
    assert isinstance(holder, SecretKey)
    gate = KeyHolderGate(holder)
    gate.join(roster)
    line = connect([*many.sites.values(), gate])  # type: ignore[list-item]
    many._transport = line
    many._holder = KeyHolderClient(holder.public, roster, many._coordinator, many._analyst, many.analyst, line, 3)
    assert (many.release(BY_AGE, Exact(), secure="encrypted").values == wanted).all()


class _Echo:
    def handle(self, data: bytes) -> bytes:
        return data[::-1]


def _dead(data: bytes) -> bytes:
    from pets.federated.messages.errors import ProtocolError

    raise ProtocolError("the line is dead")


SUITE = (
    exact_totals_arrive,
    silence_is_a_lost_site,
    too_much_silence_is_no_answer,
    accounts_are_told,
    a_key_holder_elsewhere_opens_totals,
    bytes_arrive_as_they_were,
)
