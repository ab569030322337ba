"""Combine: how the sites' vectors become one total. One way is one pair of state machines behind these two doors.

The layers around (signatures, turns, replay, gate, ledger, noise) are the same for all. What encrypts, adds and opens
envelopes is handed in (:class:`Encryptor`, :class:`Adder`): a way to combine knows no cryptosystem.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pets.common.codec import Json
from pets.errors import UserError, did_you_mean, shown
from pets.federated.messages.message import Channel, Message

Words = npt.NDArray[np.uint64]
"""Whole numbers modulo 2^64; a negative one is its two's complement."""


class Encryptor(Protocol):
    """The site's half of encrypted envelopes, agreed for one query before anything is charged."""

    def encrypt(self, vector: Words) -> bytes:
        """The vector, encrypted and signed."""

    def consent(self, total: bytes) -> bytes:
        """This site's signature on exactly who is in a total; raises :class:`ProtocolError` where it must not sign."""


class Adder(Protocol):
    """The coordinator's half: it adds without a key, and asks the key holder to open."""

    def add(self, envelopes: Mapping[int, bytes]) -> tuple[frozenset[int], bytes]:
        """Whose envelopes are sound, and their encrypted total."""

    def signed(self, total: bytes) -> Mapping[int, Json]:
        """What the sites in a total signed of their envelopes."""

    def open(self, total: bytes, consents: Mapping[int, bytes]) -> Words:
        """The total's numbers; the key holder gives them once for each query."""


@dataclass(frozen=True)
class Task:
    """What both ends know before the first round.

    Attributes:
        channel: this party's messages.
        size: the length of the vector.
        everyone: whether no site may be lost (exact totals: two answers that differ by a site would show it).
        encryptor, adder: for encrypted envelopes, this end's half.
    """

    channel: Channel
    size: int
    everyone: bool = False
    encryptor: Encryptor | None = None
    adder: Adder | None = None

    @property
    def least(self) -> int:
        """Sites that must stay to the end."""
        return self.channel.roster.least(everyone=self.everyone)


class Party(Protocol):
    """The site's side. It is called once a round, in order; its state is this query's alone."""

    def answer(self, number: int, body: bytes) -> bytes:
        """The body to send back in this round; round 0 is the order itself.

        Raises :class:`pets.federated.messages.errors.ProtocolError` where the coordinator asks for what must not be
        given.
        """


class Collector(Protocol):
    """The coordinator's side. It learns the total, and nothing about one site."""

    @property
    def rounds(self) -> int:
        """How many rounds there are, the order's included."""

    @property
    def opening(self) -> int:
        """The round that opens the sites' data: from its messages on, a site may have been charged."""

    def close(self, number: int, replies: Mapping[int, Message]) -> Mapping[int, bytes]:
        """End a round: from the verified replies to the bodies of the next round, by site (none: it is over)."""

    @property
    def total(self) -> Words:
        """The sum over the survivors, after the last round."""

    @property
    def survivors(self) -> frozenset[int]:
        """Whose vectors are in the total."""

    @property
    def signed(self) -> Mapping[int, Json]:
        """What each site signed of being in the total; nothing where that would show its numbers."""

    @property
    def proved(self) -> Mapping[int, str]:
        """What sites did wrong, where their own signatures prove it; they may be in the total all the same."""


Contribute = Callable[[], Words]
"""Reserve is done; this opens the data: it charges for good, computes, adds noise, seals, and gives the vector once."""

WAYS = ("masked", "encrypted", "local")


def check_way(secure: object) -> str:
    """A way to combine by name.

    Raises:
        UserError: where there is no such way.
    """
    if not isinstance(secure, str) or secure not in WAYS:
        raise UserError(f"secure={shown(secure)} is no way to combine{did_you_mean(secure, WAYS)}")
    return secure
