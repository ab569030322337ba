"""Unmask: the coordinator's side of secure aggregation. It relays, adds, and takes masks off the total.

It needs no trust: every list that it sends is signed by the sites themselves or checked by them (see
:mod:`pets.federated.secure_sum.masked`). Too few sites left ends the query with nothing revealed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from pets.common.codec import Json
from pets.federated.messages.errors import ProtocolError
from pets.federated.messages.message import Message, bitmap
from pets.federated.secure_sum import shamir
from pets.federated.secure_sum.graph import degree, needed, neighbours
from pets.federated.secure_sum.interface import Task, Words
from pets.federated.secure_sum.local import words
from pets.federated.secure_sum.masked import (
    COMMITMENT,
    COMMITMENTS,
    DEALT,
    KEY_COMMITMENT,
    KEYS,
    NONE,
    cast,
    commitment,
    key_commitment,
    mask_seed,
    own_mask,
)
from pets.federated.secure_sum.primitives import KEY, Agreement, encrypted, mask

BAD_KEY = "signed a key that opens no share of those it was dealt"
BAD_SHARES = "dealt shares that are of no secret that it signed"
FAULTS = (BAD_KEY, BAD_SHARES)
"""What a site's own signature can prove of it, to whoever has its messages."""


class MaskedCollector:
    """One query at the coordinator."""

    rounds, opening = 5, 2

    def __init__(self, task: Task) -> None:
        self._task = task
        roster = task.channel.roster
        self._size = roster.size
        self._least = task.least
        self._keys: dict[int, bytes] = {}
        self._near: dict[int, tuple[int, ...]] = {}
        self._shared: frozenset[int] = frozenset()
        self._dealt: dict[int, bytes] = {}
        self._sums: dict[int, Words] = {}
        self.survivors: frozenset[int] = frozenset()
        self.total: Words = np.zeros(task.size, dtype=np.uint64)
        self.proved: dict[int, str] = {}
        self.signed: Mapping[int, Json] = {}

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
        lengths = {site: COMMITMENT + DEALT * len(near) for site, near in self._near.items()}
        self._dealt = {site: reply.body for site, reply in replies.items() if len(reply.body) == lengths.get(site)}
        self._enough(len(self._dealt))
        self._shared = frozenset(self._dealt)
        listed = bitmap(self._shared, self._size)
        return {site: listed + b"".join(self._committed(o, site) for o in self._dealers(site)) for site in self._shared}

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
        self.signed = {site: {"signature": reply.signature.hex()} for site, reply in good.items()}
        listed = b"".join(_raw(good[site]) for site in sorted(good))
        return dict.fromkeys(good, listed)

    def _shares_out(self, replies: Mapping[int, Message]) -> Mapping[int, bytes]:
        keys = self._opened(replies)
        threshold = needed(len(self._keys), self._task.channel.roster)
        secrets = {site: self._rebuilt(site, keys[site], threshold) for site in sorted(self._shared)}
        total: Words = sum(self._sums.values(), start=np.zeros(self._task.size, dtype=np.uint64))
        for site, secret in secrets.items():
            total -= own_mask(secret, self._cast, len(total)) if site in self.survivors else self._pads(site, secret)
        self.total = total
        self._sums.clear()
        return {}

    def _opened(self, replies: Mapping[int, Message]) -> dict[int, dict[int, bytes]]:
        """By dealer and holder, the keys that open the dealer's shares; of the dealer itself, its own share of b."""
        out: dict[int, dict[int, bytes]] = {site: {} for site in self._shared}
        for site, reply in sorted(replies.items()):
            about = self._dealers(site)
            if site not in self.survivors or len(reply.body) != shamir.SHARE + KEY * len(about):
                continue
            out[site][site] = reply.body[: shamir.SHARE]
            for place, dealer in enumerate(about):
                start = shamir.SHARE + KEY * place
                key, kind = reply.body[start : start + KEY], KEY_COMMITMENT * (dealer not in self.survivors)
                if key == NONE:
                    continue
                if key_commitment(key, self._cast) == self._committed(dealer, site)[kind : kind + KEY_COMMITMENT]:
                    out[dealer][site] = key
                else:  # it said by its vector that it has the key, and by its signature that this is it
                    self.proved[site] = BAD_KEY
        return out

    def _share(self, dealer: int, holder: int, key: bytes) -> bytes:
        """A share as its dealer signed it."""
        if dealer == holder:
            return key
        start = self._place(dealer, holder) + COMMITMENTS + shamir.SHARE * (dealer not in self.survivors)
        return encrypted(key, self._dealt[dealer][start : start + shamir.SHARE])

    def _rebuilt(self, site: int, keys: Mapping[int, bytes], threshold: int) -> bytes:
        """A site's secret: the one that it committed to, from whichever of its shares give it.

        Raises:
            ProtocolError: where none do. Each share is what the site itself dealt, so it is the one that is wrong.
        """
        if len(keys) < threshold:
            name = self._task.channel.roster.members[site].name
            raise ProtocolError(f"{threshold} shares of site {name!r} are needed and {len(keys)} can be opened")
        for holders in _sets(sorted(keys), threshold):
            try:
                shares = {holder + 1: self._share(site, holder, keys[holder]) for holder in holders}
                secret = shamir.join(shares, threshold)
            except ProtocolError:
                secret = b""
            if secret and self._is_right(site, secret):
                return secret
            self.proved[site] = BAD_SHARES
        raise ProtocolError("a site's shares do not fit what that site signed; there is no answer")

    def _is_right(self, site: int, secret: bytes) -> bool:
        if site in self.survivors:
            return commitment(secret, self._cast) == self._dealt[site][:COMMITMENT]
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

    def _dealers(self, site: int) -> list[int]:
        """Whose shares a site holds."""
        return [other for other in self._near[site] if other in self._shared]

    def _place(self, dealer: int, holder: int) -> int:
        """Where in a dealer's signed message that begins which is for a holder."""
        return COMMITMENT + DEALT * self._near[dealer].index(holder)

    def _committed(self, dealer: int, holder: int) -> bytes:
        """A dealer's commitments to the keys of a holder's two shares."""
        start = self._place(dealer, holder)
        return self._dealt[dealer][start : start + COMMITMENTS]

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
