"""Hello: is a party's gate there, and what does its clock say? Signed both ways; no row, ledger or policy is read.

A process that carries messages may be there without a gate behind it, and what is not signed says nothing of who is
there. Both ends compare the clocks, since certificates and entries in ledgers rest on them.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable

from pets.common.clock import now
from pets.common.codec import canonical
from pets.federated.messages.errors import ProtocolError
from pets.federated.messages.message import COORDINATOR, Channel, Kind, Message, Signer, context_of, verified
from pets.federated.messages.roster import Roster

SKEW = 120.0
"""Seconds by which clocks may differ unnamed: a message may be under way for some of them."""


def hello() -> bytes:
    """The body of a hello, and of its reply: what the clock here says."""
    return canonical({"pets": "federated-hello", "version": 1, "at": now()})


def clock_of(body: bytes) -> dt.datetime:
    """What the other party's clock says; raises :class:`ProtocolError` for anything else."""
    try:
        form = json.loads(body)
        if (form["pets"], form["version"]) != ("federated-hello", 1):
            raise ValueError("another form")
        at = dt.datetime.fromisoformat(form["at"])
        at - dt.datetime.now(dt.UTC)  # two times that cannot be compared are none
    except (TypeError, LookupError, ValueError, OverflowError, RecursionError):
        raise ProtocolError("a hello is not in the form that pets writes; it was ignored") from None
    return at


def hello_reply(
    message: Message,
    rosters: Iterable[Roster],
    seen: set[bytes],
    sender: Callable[[Roster], int],
    key: Signer,
    notice: Callable[[str], None],
) -> bytes:
    """A party's reply: that it is there, and its clock.

    Args:
        sender: the party's number on a roster.
        notice: told where the two clocks differ.

    Raises:
        ProtocolError: for what is forged or replayed.
    """
    roster = next((r for r in rosters if verified(message, r, context_of(r))), None)
    if roster is None or message.sender != COORDINATOR or message.round != 0 or message.query in seen:
        raise ProtocolError("the hello is not a new one from the coordinator of a roster that is pinned here")
    seen.add(message.query)
    if said := skew(dt.datetime.now(dt.UTC), clock_of(message.body)):
        notice(f"This machine's clock is {said} against the coordinator's; set the one that is wrong.")
    channel = Channel(roster, message.query, context_of(roster, message.body), sender(roster), key)
    return channel.write(Kind.HELLO, 0, hello())


def skew(here: dt.datetime, there: dt.datetime) -> str:
    """How a clock stands against another: ``'3 h 2 min slow'``; empty where both agree well enough.

    >>> skew(dt.datetime(2026, 1, 1, 9), dt.datetime(2026, 1, 1, 12, 2))
    '3 h 2 min slow'
    >>> skew(dt.datetime(2037, 1, 1), dt.datetime(2026, 1, 1))
    '4018 days fast'
    >>> skew(dt.datetime(2026, 1, 1, 9, 0, 50), dt.datetime(2026, 1, 1, 9))
    ''
    """
    seconds = (here - there).total_seconds()
    if abs(seconds) <= SKEW:
        return ""
    minutes, way = round(abs(seconds) / 60), "fast" if seconds > 0 else "slow"
    if minutes >= 2 * 24 * 60:
        return f"{minutes // (24 * 60)} days {way}"
    return f"{minutes // 60} h {minutes % 60} min {way}" if minutes >= 60 else f"{minutes} min {way}"
