"""Encrypted: each site sends its vector in one encrypted envelope; the coordinator adds them, the key holder opens.

====== ==================================== =====================================================
round  from the coordinator                 from the site
====== ==================================== =====================================================
0      the order, with the key holder's     its envelope: the vector, encrypted and signed
       signed round
1      only where sites are missing: the    its signature on exactly who is in that total
       encrypted total with its parts
====== ==================================== =====================================================

Where all sites are in, there is but one total to open. Where some are missing, the key holder wants the signature of
every site that is in; a site signs one set for a query, and any two sets of t = n − d sites share an honest one, so
that no second set is ever signed. The key holder writes a query's id down before it decrypts, and opens none twice.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pets.common.codec import Json
from pets.errors import UserError
from pets.federated.messages.errors import ProtocolError
from pets.federated.messages.message import Message
from pets.federated.secure_sum.interface import Contribute, Encryptor, Task, Words


class EncryptedParty:
    """The site's side."""

    def __init__(self, task: Task, contribute: Contribute) -> None:
        if task.encryptor is None:
            raise UserError("secure='encrypted' needs the key holder's public key; it was agreed upon with nobody")
        self._encryptor: Encryptor = task.encryptor
        self._contribute = contribute
        self._next = 0

    def answer(self, number: int, body: bytes) -> bytes:
        """The envelope; then, once, the consent to a set that lacks sites."""
        if number != self._next or number > 1:
            raise ProtocolError("a message came out of turn; it was ignored")
        self._next += 1
        if number == 0:
            return self._encryptor.encrypt(self._contribute())
        return self._encryptor.consent(body)


class EncryptedCollector:
    """The coordinator's side: it holds no key, and sees ciphertexts alone until the key holder opened the total."""

    rounds, opening = 2, 0

    def __init__(self, task: Task) -> None:
        if task.adder is None:
            raise UserError("secure='encrypted' needs a key holder; pass key_holder=… to pets.Federation")
        self._task, self._adder = task, task.adder
        self._sum = b""
        self.total: Words = np.zeros(task.size, dtype=np.uint64)
        self.survivors: frozenset[int] = frozenset()
        self.proved: Mapping[int, str] = {}
        self.signed: Mapping[int, Json] = {}

    def close(self, number: int, replies: Mapping[int, Message]) -> Mapping[int, bytes]:
        """Add the envelopes; open the total, or first ask those that are in it for their signatures."""
        bodies = {site: reply.body for site, reply in sorted(replies.items())}
        if number == 0:
            self.survivors, self._sum = self._adder.add(bodies)
            if len(self.survivors) < self._task.least:
                raise ProtocolError(
                    f"{self._task.least} sites are needed for an answer and {len(self.survivors)} sent a sound "
                    "envelope; nothing was opened"
                )
            if len(self.survivors) < self._task.channel.roster.size:
                return dict.fromkeys(self.survivors, self._sum)
            bodies = {}
        elif not self.survivors <= set(bodies):
            raise ProtocolError("a site that is in the total did not sign who is; nothing was opened")
        self.total = self._adder.open(self._sum, bodies)
        self.signed = self._adder.signed(self._sum)
        return {}
