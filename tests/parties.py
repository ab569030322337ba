"""Sites and a coordinator without data: the protocol alone, for tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pets.common import signing
from pets.common.signing import SigningKey
from pets.federated.messages.message import COORDINATOR, Channel, Kind, Message, context_of
from pets.federated.messages.roster import Member, Roster
from pets.federated.secure_sum.interface import Party, Task, Words
from pets.federated.secure_sum.registry import collector, party

EMPTY = "0" * 64
QUERY = b"q" * 16


def make_roster(keys: list[SigningKey], coordinator: SigningKey, **settings: Any) -> Roster:
    members = tuple(Member(f"s{i}", key.public.raw.hex(), EMPTY, EMPTY, "zcdp", 1e-6) for i, key in enumerate(keys))
    chosen = {"sites_per_person": 1, "analysts": (("local", EMPTY),)} | settings
    return Roster(members, coordinator.public.raw.hex(), **chosen)


@dataclass
class Room:
    """n sites and a coordinator around one query; bodies can be altered on their way."""

    n: int
    size: int = 4
    dropouts: int = 0
    colluding: int = 1
    secure: str = "masked"
    everyone: bool = False
    lost: Mapping[int, int] = field(default_factory=dict)
    """By site, the first round in which it says nothing."""

    def __post_init__(self) -> None:
        self.keys = [signing.ephemeral() for _ in range(self.n)]
        self.coordinator_key = signing.ephemeral()
        self.roster = make_roster(self.keys, self.coordinator_key, dropouts=self.dropouts, colluding=self.colluding)
        context = context_of(self.roster, b"the order")
        self.channels = [Channel(self.roster, QUERY, context, i, key) for i, key in enumerate(self.keys)]
        self.desk = Channel(self.roster, QUERY, context, COORDINATOR, self.coordinator_key)
        rng = np.random.default_rng(self.n)
        self.vectors: list[Words] = [rng.integers(0, 2**64, self.size, dtype=np.uint64) for _ in range(self.n)]
        self.opened: list[int] = []
        self.parties: list[Party] = [
            party(self.secure, Task(channel, self.size, self.everyone), lambda i=i: self.contribute(i))
            for i, channel in enumerate(self.channels)
        ]
        self.collector = collector(self.secure, Task(self.desk, self.size, self.everyone))
        self.sent = [0] * self.n

    def contribute(self, site: int) -> Words:
        self.opened.append(site)
        return self.vectors[site]

    def reply(self, site: int, number: int, body: bytes) -> Message:
        data = self.channels[site].write(Kind.ROUND, number, self.parties[site].answer(number, body))
        self.sent[site] += len(data)
        return self.desk.read(data, number, site)

    def run(self, alter: Callable[[int, int, bytes], bytes] | None = None, rounds: int | None = None) -> Words:
        """Play all rounds (or some); ``alter(round, site, body)`` is a lying coordinator."""
        self.out: Mapping[int, bytes] = dict.fromkeys(range(self.n), b"")
        for number in range(self.collector.rounds if rounds is None else rounds):
            replies = {}
            for site, body in self.out.items():
                if self.lost.get(site, 99) <= number:
                    continue
                replies[site] = self.reply(site, number, body if alter is None else alter(number, site, body))
            self.replies = replies
            self.out = self.collector.close(number, replies)
        return self.collector.total

    @property
    def wanted(self) -> Words:
        chosen = [self.vectors[site] for site in self.collector.survivors]
        return np.sum(chosen, axis=0, dtype=np.uint64)
