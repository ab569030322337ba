"""Coordinator: relays a query's messages, closes its rounds, and learns the total. It never sees a site's vector.

A state machine: :attr:`Relay.outbox` holds the messages to carry, :meth:`Relay.take` hands in a reply, and
:meth:`Relay.close` ends the round. What carries the bytes (:mod:`pets.federated.analyst.transport`) is trusted with
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from pets.common.codec import Json
from pets.common.signing import SigningKey
from pets.errors import ReleaseFailedError
from pets.federated.messages.errors import ProtocolError, Refused
from pets.federated.messages.message import COORDINATOR, Channel, Kind, Message, context_of
from pets.federated.messages.roster import Roster
from pets.federated.query_round.evidence import evidence_of
from pets.federated.query_round.order import Order
from pets.federated.secure_sum.interface import Adder, Task
from pets.federated.secure_sum.registry import collector
from pets.plan.vector import Ints

MAX_REASON = 500
"""Bytes of a site's reason that are shown."""


def plain(body: bytes) -> str:
    """What another party says, as it may be shown: no more of it than fits, and nothing that a terminal acts upon."""
    said = body[:MAX_REASON].decode("utf-8", "replace")
    return "".join(letter for letter in said if letter.isprintable())


class Relay:
    """One query at the coordinator.

    Attributes:
        outbox: by site's number, what to carry to it in this round.
        done: whether the total is known.
        lost: by site's name, why it is not in the answer (as far as anybody may know).
    """

    def __init__(
        self,
        roster: Roster,
        key: SigningKey,
        order: Order,
        signed: bytes,
        size: int,
        everyone: bool,
        adder: Adder | None = None,
    ) -> None:
        self.roster = roster
        self._query = bytes.fromhex(order.id)
        self._channel = Channel(roster, self._query, context_of(roster, order.form), COORDINATOR, key)
        first = Channel(roster, self._query, context_of(roster), COORDINATOR, key)
        self._collector = collector(order.secure, Task(self._channel, size, everyone, adder=adder))
        self._least = roster.least(everyone=everyone)
        message = first.write(Kind.ORDER, 0, signed)
        self.outbox: dict[int, bytes] = dict.fromkeys(range(roster.size), message)
        self.number = 0
        self.done = False
        self.lost: dict[str, str] = {}
        self._replies: dict[int, Message] = {}
        self._reached: set[int] = set()
        self._refused: set[int] = set()
        self._opened = set(self.outbox) if self._collector.opening == 0 else set()
        self._kept: list[Mapping[int, Message]] | None = None if order.step is None else []

    @property
    def rounds(self) -> int:
        """How many rounds there are."""
        return self._collector.rounds

    @property
    def hopeless(self) -> bool:
        """Whether so many sites are lost by now that there can be no answer."""
        return self.roster.size - len(self.lost) < self._least

    @property
    def enough(self) -> bool:
        """Whether the replies of this round that came are as many as an answer needs."""
        return len(self._replies) >= self._least

    @property
    def survivors(self) -> tuple[str, ...]:
        """The names of the sites whose vectors are in the total."""
        return self._named(self._collector.survivors)

    def _named(self, sites: Iterable[int]) -> tuple[str, ...]:
        return tuple(self.roster.members[site].name for site in sorted(sites))

    @property
    def signed(self) -> Mapping[int, Json]:
        """What each site signed of being in the total, by its number."""
        return self._collector.signed

    @property
    def proved(self) -> Mapping[str, str]:
        """By site's name, what it did wrong and its own signatures prove; its vector may be in the total."""
        return {self.roster.members[site].name: what for site, what in sorted(self._collector.proved.items())}

    @property
    def total(self) -> Ints:
        """The sum, after the last round."""
        return self._collector.total.view(np.int64)

    @property
    def evidence(self) -> bytes:
        """Of a step of a regression: what the sites signed, for the step that follows."""
        return evidence_of(self._kept or [])

    @property
    def charged_absent(self) -> tuple[str, ...]:
        """The names of the sites that are not in the total, and may have been charged for it all the same."""
        return self._named(self._opened - self._refused - self._collector.survivors)

    @property
    def charges(self) -> str:
        """Where the query may have been charged by now, for a person."""
        names = self._named(self._opened - self._refused)
        if not names:
            return "no site had opened its data, so nothing stays charged"
        return f"data may have been opened at {', '.join(names)}: what that cost stays charged there"

    def take(self, site: int, data: bytes) -> None:
        """A site's reply. What is not its own, not of this round, or a refusal, makes the site count as lost."""
        try:
            message = self._channel.read(data, self.number, site, None)
        except ProtocolError as error:
            self.lose(site, str(error))
            return
        if message.kind is Kind.ROUND:
            self._replies[site] = message
            self._reached.add(site)
        elif message.kind is Kind.REFUSED:
            self._refused.add(site)
            self.lose(site, f"refused: {plain(message.body)}")
        else:
            self.lose(site, "withheld; what it cost stays charged there")

    def lose(self, site: int, why: str) -> None:
        """A site is out."""
        self.lost.setdefault(self.roster.members[site].name, why)

    def close(self) -> None:
        """End the round with what came.

        Raises:
            Refused: where so many sites' gates refused that there can be no answer.
            ReleaseFailedError: where too few sites are left for another reason.
        """
        for site in self.outbox:
            if site not in self._replies:
                self.lose(site, "no reply")
        try:
            if len(self._replies) < self._least:
                raise ProtocolError(f"{self._least} sites are needed for an answer and {len(self._replies)} are left")
            following = self._collector.close(self.number, self._replies)
            if self._kept is not None:
                self._kept.append(self._replies)
        except ProtocolError as error:
            for name, what in self.proved.items():
                self.lost[name] = f"{what}, by its own signatures, which the coordinator has"
            why = "; ".join(f"{name}: {reason}" for name, reason in self.lost.items())
            if self._refused:
                raise Refused(f"{why}; nothing was released; {self.charges}") from None
            said = f" ({why})" if why else ""
            raise ReleaseFailedError(f"the query ended without an answer: {error}{said}; {self.charges}") from None
        for site in self._replies:
            # (a round that nobody is asked after is the last: then those whose vectors came are in)
            if site not in (following or self._collector.survivors):
                self.lose(site, "its message was not of the form that the round needs")
        self.number += 1
        self._replies = {}
        self.outbox = {
            site: self._channel.write(Kind.ROUND, self.number, body) for site, body in sorted(following.items())
        }
        if self.number == self._collector.opening:
            self._opened = set(self.outbox)
        self.done = not self.outbox

    def abort(self) -> Mapping[int, bytes]:
        """What tells the sites that the query is over: they forget its secrets and give back what is unspent."""
        message = self._channel.write(Kind.ABORT, self.number, b"")
        # (where the line broke, a site may have been reached of which nothing is known)
        unknown = {site for site in self.outbox if self.roster.members[site].name not in self.lost}
        return dict.fromkeys(sorted(self._reached | unknown), message)
