"""Evidence: what all sites signed in a masked query, from which anybody on its roster reckons the total again.

A coordinator that states a total could state any. What the sites signed it cannot make: each signed its masked vector
once, and its shares once, for this query alone. So whoever replays those messages through the coordinator's own state
machine gets the one total that they have, and learns nothing that the coordinator did not know.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from pets.federated.messages.errors import ProtocolError
from pets.federated.messages.message import Channel, Message
from pets.federated.secure_sum.interface import Task
from pets.federated.secure_sum.registry import collector
from pets.plan.vector import Ints

_LENGTH = struct.Struct("<I")
_WITH_EVIDENCE = b"\x01"
"""An order's body that carries evidence begins with it; one without begins with the order's own brace."""


def evidence_of(rounds: Sequence[Mapping[int, Message]]) -> bytes:
    """The sites' signed messages, round by round."""
    listed = [_joined([message.signed + message.signature for _, message in sorted(one.items())]) for one in rounds]
    return _joined(listed)


def attested(evidence: bytes, channel: Channel, size: int, *, everyone: bool) -> Ints:
    """The total of a masked query, from what its sites signed; ``channel`` is about that query.

    Raises:
        ProtocolError: where the messages are not those of the sites, or give no total.
    """
    closing = collector("masked", Task(channel, size, everyone))
    rounds = list(_parts(evidence))
    if len(rounds) != closing.rounds:
        raise ProtocolError("the evidence of a total has another number of rounds than masked queries have")
    for number, listed in enumerate(rounds):
        replies: dict[int, Message] = {}
        for data in _parts(listed):
            message = channel.read(data, number)
            if message.sender >= channel.roster.size or message.sender in replies:
                raise ProtocolError("the evidence of a total names a site twice, or somebody who is none")
            replies[message.sender] = message
        closing.close(number, replies)
    return closing.total.view(np.int64)


def packed(signed: bytes, evidence: bytes) -> bytes:
    """The body of an order's message: the signed order, and the evidence of the total that it follows from."""
    return _WITH_EVIDENCE + _joined([signed, evidence]) if evidence else signed


def unpacked(body: bytes) -> tuple[bytes, bytes]:
    """The inverse of :func:`packed`; raises :class:`ProtocolError` for what is cut off.

    >>> unpacked(packed(b"{}", b"total")), unpacked(packed(b"{}", b""))
    ((b'{}', b'total'), (b'{}', b''))
    """
    if not body.startswith(_WITH_EVIDENCE):
        return body, b""
    parts = list(_parts(body[len(_WITH_EVIDENCE) :]))
    if len(parts) != 2:
        raise ProtocolError("the order's message is cut off; it was ignored")
    return parts[0], parts[1]


def _joined(parts: Sequence[bytes]) -> bytes:
    return b"".join(_LENGTH.pack(len(part)) + part for part in parts)


def _parts(data: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        end = start + _LENGTH.size
        if end > len(data) or end + _LENGTH.unpack_from(data, start)[0] > len(data):
            raise ProtocolError("a list of messages is cut off; it was ignored")
        end += _LENGTH.unpack_from(data, start)[0]
        yield data[start + _LENGTH.size : end]
        start = end
