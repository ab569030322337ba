"""Transports: what carries the bytes. In process here; real sites in :mod:`pets.federated.deployment.nvflare_engine`.

A transport may lose, delay, repeat, reorder or alter messages, and nothing but an answer is lost: the parties verify
everything. ``tests/unit/federated/analyst/test_transport.py`` is the suite that each must pass.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from pets.common.progress import bar
from pets.errors import ReleaseFailedError, UserError
from pets.federated.messages.errors import ProtocolError
from pets.federated.query_round.coordinator import Relay

if TYPE_CHECKING:
    from pets.federated.site.site import Site

Heard = Callable[[int], None]


class Transport(Protocol):
    """Carries one round."""

    def exchange(self, messages: Mapping[int, bytes], heard: Heard) -> Mapping[int, bytes]:
        """Send each site its message, and give the replies that came; calls ``heard`` for each site as it answers."""


class InProcess:
    """Sites in this process: plain calls, no socket, no engine."""

    def __init__(self, sites: Sequence[Site]) -> None:
        self._sites = tuple(sites)

    def exchange(self, messages: Mapping[int, bytes], heard: Heard) -> Mapping[int, bytes]:
        """One site after another."""
        replies = {}
        for site, message in messages.items():
            with contextlib.suppress(ProtocolError):
                replies[site] = self._sites[site].handle(message)
                heard(site)
        return replies


def carry(relay: Relay, transport: Transport, *, progress: bool = True) -> None:
    """Carry a query from its order to its total.

    Raises:
        Refused, ReleaseFailedError: as :meth:`Relay.close`; the sites are told that it is over.
    """
    try:
        with _bar(relay, progress) as heard:
            while not relay.done:
                try:
                    replies = transport.exchange(relay.outbox, heard)
                except UserError as error:  # the line is broken
                    raise ReleaseFailedError(f"the query ended without an answer: {error}; {relay.charges}") from None
                for site, reply in replies.items():
                    relay.take(site, reply)
                relay.close()
    except BaseException:
        with contextlib.suppress(Exception):
            transport.exchange(relay.abort(), lambda site: None)
        raise


@contextlib.contextmanager
def _bar(relay: Relay, on: bool) -> Iterator[Heard]:
    """One bar, shown once a second has gone by: which round, and which site answered last."""
    if not on:
        yield lambda site: None
        return
    with bar(relay.rounds * relay.roster.size, "replies", unit="reply") as moved:
        replies = 0

        def heard(site: int) -> None:
            nonlocal replies
            replies += 1
            moved.to(replies, f"round {relay.number + 1} of {relay.rounds}, {relay.roster.members[site].name}")

        yield heard
