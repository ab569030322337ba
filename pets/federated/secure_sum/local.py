"""Local: each site protects its own vector fully, and sends it. One round; the coordinator sees every site's noisy one.

Under DP each vector bears the whole noise, so the sum bears √n times as much as a pooled answer. For exact totals it
would show each site's numbers, and is refused.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pets.common.codec import Json
from pets.federated.messages.errors import ProtocolError
from pets.federated.messages.message import Message
from pets.federated.secure_sum.interface import Contribute, Task, Words


class LocalParty:
    """The site's side: one vector, in answer to the order."""

    def __init__(self, task: Task, contribute: Contribute) -> None:
        self._contribute = contribute

    def answer(self, number: int, body: bytes) -> bytes:
        """The site's noisy vector, 8 bytes a number, lowest byte first."""
        if number != 0:
            raise ProtocolError("a message came out of turn; it was ignored")
        return self._contribute().astype("<u8").tobytes()


class LocalCollector:
    """The coordinator's side: adds what came."""

    rounds, opening = 1, 0

    def __init__(self, task: Task) -> None:
        self._task = task
        self.total: Words = np.zeros(task.size, dtype=np.uint64)
        self.survivors: frozenset[int] = frozenset()
        self.proved: Mapping[int, str] = {}
        self.signed: Mapping[int, Json] = {}

    def close(self, number: int, replies: Mapping[int, Message]) -> Mapping[int, bytes]:
        """Add the vectors of those that answered."""
        size = self._task.size
        vectors = {site: words(reply.body, size) for site, reply in replies.items() if len(reply.body) == 8 * size}
        if len(vectors) < self._task.least:
            raise ProtocolError(
                f"{self._task.least} sites are needed for an answer and {len(vectors)} sent a vector of its length"
            )
        self.survivors = frozenset(vectors)
        self.total = sum(vectors.values(), start=self.total)
        return {}


def words(body: bytes, size: int) -> Words:
    """A vector from its bytes; raises :class:`ProtocolError` where it is of another length."""
    if len(body) != 8 * size:
        raise ProtocolError("a site sent a vector of another length; all sites must run one version of pets")
    return np.frombuffer(body, dtype="<u8").astype(np.uint64)
