"""Unmask: the coordinator's side of secure aggregation. It relays, adds, and takes masks off the total.

It needs no trust: every list that it sends is signed by the sites themselves or checked by them (see
:mod:`pets.federated.secure_sum.masked`). Too few sites left ends the query with nothing revealed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from pets.federated.messages.errors import ProtocolError
from pets.federated.messages.message import Message, bitmap
from pets.federated.secure_sum import shamir
from pets.federated.secure_sum.graph import degree, needed, neighbours
from pets.federated.secure_sum.interface import Task, Words
from pets.federated.secure_sum.local import words
from pets.federated.secure_sum.masked import COMMITMENT, ENCRYPTED_SHARES, KEYS, cast, commitment, mask_seed, own_mask
from pets.federated.secure_sum.primitives import Agreement, mask


class MaskedCollector:
    """One query at the coordinator."""

    rounds, opening = 5, 2

    def __init__(self, task: Task) -> None:
        self._task = task
        roster = task.channel.roster
        self._size = roster.size
        self._least = roster.size if task.everyone else roster.threshold
        self._keys: dict[int, bytes] = {}
        self._near: dict[int, tuple[int, ...]] = {}
        self._shared: frozenset[int] = frozenset()
        self._commitments: dict[int, bytes] = {}
        self._sums: dict[int, Words] = {}
        self._opened: dict[int, bytes] = {}
        self.survivors: frozenset[int] = frozenset()
        self.total: Words = np.zeros(task.size, dtype=np.uint64)

    def close(self, number: int, replies: Mapping[int, Message]) -> Mapping[int, bytes]:
        """End a round; see the table in :mod:`pets.federated.secure_sum.masked`.

        Raises:
            ProtocolError: where too few sites are left.
        """
        steps = (self._keys_in, self._shares_in, self._sums_in, self._signatures_in, self._shares_out)
        return steps[number](replies)

    def _keys_in(self, replies: Mapping[int, Message]) -> Mapping[int, bytes]:
        good = {site: reply for site, reply in replies.items() if len(reply.body) == KEYS and _are_keys(reply.body)}
        self._enough(len(good))
        self._keys = {site: reply.body for site, reply in sorted(good.items())}
        self._cast = cast(self._task.channel.context, self._keys)
        self._near = neighbours(sorted(self._keys), self._cast, degree(self._task.channel.roster))
        listed = b"".join(_raw(good[site]) for site in sorted(good))
        return dict.fromkeys(self._keys, listed)

    def _shares_in(self, replies: Mapping[int, Message]) -> Mapping[int, bytes]:
        lengths = {site: COMMITMENT + ENCRYPTED_SHARES * len(near) for site, near in self._near.items()}
        bodies = {site: reply.body for site, reply in replies.items() if len(reply.body) == lengths.get(site)}
        self._enough(len(bodies))
        self._commitments = {site: body[:COMMITMENT] for site, body in bodies.items()}
        good = {site: body[COMMITMENT:] for site, body in bodies.items()}
        self._shared = frozenset(good)
        listed = bitmap(self._shared, self._size)
        out: dict[int, bytes] = {}
        for site in self._shared:
            parts = [listed]
            for other in self._near[site]:
                if other in self._shared:
                    start = ENCRYPTED_SHARES * self._near[other].index(site)
                    parts.append(good[other][start : start + ENCRYPTED_SHARES])
            out[site] = b"".join(parts)
        return out

    def _sums_in(self, replies: Mapping[int, Message]) -> Mapping[int, bytes]:
        size = self._task.size
        self._sums = {
            site: words(reply.body, size)
            for site, reply in replies.items()
            if site in self._shared and len(reply.body) == 8 * size
        }
        self._enough(len(self._sums))
        self.survivors = frozenset(self._sums)
        return dict.fromkeys(self.survivors, bitmap(self.survivors, self._size))

    def _signatures_in(self, replies: Mapping[int, Message]) -> Mapping[int, bytes]:
        agreed = bitmap(self.survivors, self._size)
        good = {site: reply for site, reply in replies.items() if site in self.survivors and reply.body == agreed}
        self._enough(len(good))
        listed = b"".join(_raw(good[site]) for site in sorted(good))
        return dict.fromkeys(good, listed)

    def _shares_out(self, replies: Mapping[int, Message]) -> Mapping[int, bytes]:
        shares: dict[int, dict[int, bytes]] = {site: {} for site in self._shared}
        for site, reply in replies.items():
            about = sorted({site, *(other for other in self._near[site] if other in self._shared)} - {site})
            if site not in self.survivors or len(reply.body) != shamir.SHARE * (1 + len(about)):
                continue
            for place, other in enumerate((site, *about)):
                shares[other][site + 1] = reply.body[shamir.SHARE * place : shamir.SHARE * (place + 1)]
        threshold = needed(len(self._keys), self._task.channel.roster)
        secrets = {site: self._rebuilt(site, shares[site], threshold) for site in sorted(self._shared)}
        total: Words = sum(self._sums.values(), start=np.zeros(self._task.size, dtype=np.uint64))
        for site, secret in secrets.items():
            total -= own_mask(secret, self._cast, len(total)) if site in self.survivors else self._pads(site, secret)
        self.total = total
        self._sums.clear()
        return {}

    def _rebuilt(self, site: int, shares: Mapping[int, bytes], threshold: int) -> bytes:
        """A site's secret: the one that it committed to, from whichever of the shares give it.

        Raises:
            ProtocolError: where none do. Whether the site dealt wrong shares or others handed in wrong ones is not
                known, so nobody is named.
        """
        if len(shares) < threshold:
            return shamir.join(shares, threshold)  # which says so
        for holders in _sets(sorted(shares), threshold):
            try:
                secret = shamir.join({holder: shares[holder] for holder in holders}, threshold)
            except ProtocolError:
                continue
            if self._is_right(site, secret):
                return secret
        raise ProtocolError("the shares of a site's secret do not fit what that site signed; there is no answer")

    def _is_right(self, site: int, secret: bytes) -> bool:
        if site in self.survivors:
            return commitment(secret, self._cast) == self._commitments[site]
        return Agreement(secret).public == self._keys[site][32:]

    def _pads(self, lost: int, secret: bytes) -> Words:
        """The masks that survivors shared with a site whose vector never came, as they stand in the total."""
        own = Agreement(secret)
        pads: Words = np.zeros(self._task.size, dtype=np.uint64)
        for other in self._near[lost]:
            if other in self.survivors:
                pad = mask(mask_seed(own, lost, other, self._keys[other], self._cast), len(pads))
                pads = pads + pad if other < lost else pads - pad
        return pads

    def _enough(self, left: int) -> None:
        if left < self._least:
            raise ProtocolError(
                f"{self._least} sites are needed for an answer and {left} are left; nothing was revealed; ask again "
                "when more sites can be reached"
            )


def _are_keys(body: bytes) -> bool:
    """Whether both of a site's public keys are some; with one of small order it would end the query of the others."""
    try:
        for start in (0, 32):
            Agreement().with_(body[start : start + 32])
    except ProtocolError:
        return False
    return True


def _sets(holders: Sequence[int], threshold: int) -> Iterator[tuple[int, ...]]:
    """Sets of holders to try: runs around the circle, of which one avoids any one wrong share; then some others."""
    count = len(holders)
    for start in range(count if count > threshold else 1):
        yield tuple(holders[(start + place) % count] for place in range(threshold))
    if count > threshold:
        yield from itertools.islice(itertools.combinations(holders, threshold), 1000)


def _raw(message: Message) -> bytes:
    return message.signed + message.signature
