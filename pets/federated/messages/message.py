"""Messages: 21 bytes of header, a body, and the sender's Ed25519 signature over all of it and over its context.

The context (which roster, which order) is signed and not sent: who has pinned another roster, or was told another
query, cannot verify the message, and so never acts on it. ::

    version 1 │ kind 1 │ round 1 │ query id 16 │ sender 2 │ body … │ signature 64
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Protocol

from pets.common.signing import VerifyingKey
from pets.federated.messages.errors import ProtocolError
from pets.federated.messages.roster import Roster

VERSION = 1
COORDINATOR = 0xFFFF
"""The coordinator's number as a sender."""
_HEADER = struct.Struct(">BBB16sH")
SIGNATURE = 64
OVERHEAD = _HEADER.size + SIGNATURE
MAX_MESSAGE = 2**28
_DOMAIN = b"pets.federated.v1\x00"


class Kind(IntEnum):
    """What a message is."""

    ORDER = 1
    """Coordinator to site: a query, signed by its analyst."""
    ROUND = 2
    """Either way: one round of the way to combine."""
    REFUSED = 3
    """Site to coordinator: the gate refused; the body says why (public facts only)."""
    WITHHELD = 4
    """Site to coordinator: nothing comes from here, and why is not said."""
    ABORT = 5
    """Coordinator to site: the query is over; forget its secrets."""
    ACCOUNT_REQUEST = 6
    """Coordinator to site: what is left in its ledger? Signed by its analyst."""
    ACCOUNT_REPLY = 7
    """Site to coordinator: what its ledger says (public facts only)."""
    KEY = 8
    """Coordinator to key holder: a round is wanted, signed by its analyst; and back: the round."""
    OPEN = 9
    """Coordinator to key holder: an encrypted total; and back: its numbers."""
    HELLO = 10
    """Coordinator to any party: are you there, and what does your clock say? And back: that it is."""


_KINDS = frozenset(Kind)


@dataclass(frozen=True)
class Message:
    """A message, not yet verified."""

    kind: Kind
    round: int
    query: bytes
    sender: int
    body: bytes
    signature: bytes
    signed: bytes


def parse(data: bytes) -> Message:
    """The parts of a message; nothing is verified yet.

    Raises:
        ProtocolError: for anything that is no message.
    """
    if not isinstance(data, (bytes, bytearray, memoryview)) or not OVERHEAD <= len(data) <= MAX_MESSAGE:
        raise ProtocolError("these bytes are no message of a federated query")
    data = bytes(data)
    version, kind, number, query, sender = _HEADER.unpack_from(data)
    if version != VERSION or kind not in _KINDS:
        raise ProtocolError("this message is of another version; all parties must run one version of pets")
    return Message(
        Kind(kind), number, query, sender, data[_HEADER.size : -SIGNATURE], data[-SIGNATURE:], data[:-SIGNATURE]
    )


def unsigned(kind: Kind, number: int, query: bytes, sender: int, body: bytes) -> bytes:
    """A message without its signature."""
    return _HEADER.pack(VERSION, kind, number, query, sender) + body


def context_of(roster: Roster, order: bytes = b"") -> bytes:
    """What every message of a query is about; before the order is known, the roster alone."""
    return hashlib.sha256(_DOMAIN + bytes.fromhex(roster.digest) + hashlib.sha256(order).digest()).digest()


class Signer(Protocol):
    """What signs messages."""

    def sign(self, message: bytes) -> bytes:
        """An Ed25519 signature."""


@dataclass(frozen=True)
class Channel:
    """One party's way to write and read the messages of one query.

    Attributes:
        roster, query, context: what the messages are about.
        sender: this party's number.
        key: signs what it writes.
    """

    roster: Roster
    query: bytes
    context: bytes
    sender: int
    key: Signer

    def write(self, kind: Kind, number: int, body: bytes) -> bytes:
        """A signed message."""
        head = unsigned(kind, number, self.query, self.sender, body)
        return head + self.key.sign(_DOMAIN + self.context + head)

    def read(self, data: bytes, number: int, sender: int | None = None, kind: Kind | None = Kind.ROUND) -> Message:
        """A message that is verified: of this query, this round, this kind, and signed by who it says.

        Raises:
            ProtocolError: otherwise.
        """
        message = parse(data)
        if message.query != self.query:
            raise ProtocolError("a message of another query was handed in; it was ignored")
        if message.round != number or (kind is not None and message.kind is not kind):
            raise ProtocolError("a message came out of turn; it was ignored")
        if sender is not None and message.sender != sender:
            raise ProtocolError("a message came from somebody else than it should; it was ignored")
        if not verified(message, self.roster, self.context):
            raise ProtocolError(
                "a message is not signed by who it names, or is about another roster or another query; it was ignored"
            )
        return message


def verified(message: Message, roster: Roster, context: bytes) -> bool:
    """Whether its sender is on the roster and signed exactly this, in this context."""
    if message.sender == COORDINATOR:
        key: VerifyingKey = roster.coordinator_key
    elif message.sender < roster.size:
        key = roster.keys[message.sender]
    else:
        return False
    signed = said(message, context)
    if len(signed) > _SHORT:
        return key.verifies(message.signature, signed)
    return _verifies(key.raw, message.signature, signed)


def said(message: Message, context: bytes) -> bytes:
    """The bytes that a message's signature is over, in a context."""
    return _DOMAIN + context + message.signed


_SHORT = 4096


@lru_cache(maxsize=4096)
def _verifies(key: bytes, signature: bytes, said: bytes) -> bool:
    """A pure function of public bytes: where several parties share a process, each message is checked once."""
    return VerifyingKey(key).verifies(signature, said)


def bitmap(present: set[int] | frozenset[int], size: int) -> bytes:
    """A set of sites as bits, the first site in the lowest.

    >>> bitmap({0, 2, 8}, 9).hex()
    '0501'
    """
    return sum(1 << site for site in present).to_bytes(-(-size // 8), "little")


def from_bitmap(data: bytes, size: int) -> frozenset[int]:
    """The inverse of :func:`bitmap`; raises :class:`ProtocolError` for anything else."""
    bits = int.from_bytes(data, "little")
    if len(data) != -(-size // 8) or bits >> size:
        raise ProtocolError("a list of sites names sites that are not on the roster")
    return frozenset(site for site in range(size) if bits >> site & 1)
