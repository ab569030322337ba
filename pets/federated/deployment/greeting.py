"""Greeting: which parties' gates answer now, and how their clocks stand; asked by the coordinator over the line."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping

from pets.common.entropy import random_bytes
from pets.common.signing import SigningKey, VerifyingKey
from pets.federated.keyholder.gate import HOLDER
from pets.federated.messages.errors import ProtocolError
from pets.federated.messages.hello import clock_of, hello, skew
from pets.federated.messages.message import COORDINATOR, Channel, Kind, context_of, parse, said
from pets.federated.messages.roster import Roster

Exchange = Callable[[Mapping[int, bytes]], Mapping[int, bytes]]
"""Carries a round of messages: by the party's number, the message, and the reply."""


def greet(
    roster: Roster, key: SigningKey, holder: VerifyingKey | None, parties: Iterable[int], exchange: Exchange
) -> dict[int, str]:
    """By number, the parties whose gates answered, and how the clock of each stands; empty where it agrees.

    Args:
        key: the coordinator's.
        holder: the key holder's public signing key, where the roster names one; its number is the roster's size.
        parties: who is asked.
    """
    channel = Channel(roster, random_bytes(16), context_of(roster), COORDINATOR, key)
    body = hello()
    message = channel.write(Kind.HELLO, 0, body)
    keys = [*roster.keys, *([] if holder is None else [holder])]
    there = {}
    for party, reply in exchange({party: message for party in parties if party < len(keys)}).items():
        sender = HOLDER if party == roster.size else party
        try:
            answer = parse(reply)
            named = (answer.kind, answer.query, answer.round, answer.sender)
            signed = said(answer, context_of(roster, body))
            if named == (Kind.HELLO, channel.query, 0, sender) and keys[party].verifies(answer.signature, signed):
                there[party] = skew(clock_of(answer.body), dt.datetime.now(dt.UTC))
        except ProtocolError:
            continue
    return there
