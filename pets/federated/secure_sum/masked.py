"""Masked: the site's side of secure aggregation over Z_2^64. What leaves a site is a uniformly random vector.

Source: Bonawitz et al. 2017, *Practical Secure Aggregation for Privacy-Preserving Machine Learning*, Figure 4 (the
variant against active adversaries, with signed keys and the consistency check), over the graph of Bell et al. 2020.

====== ==================================== =====================================================
round  from the coordinator                 from the site
====== ==================================== =====================================================
0      the order                            two fresh public keys
1      everybody's signed keys              a commitment to b; for each neighbour a share of either secret,
                                            each under a key of its own, and commitments to these keys
2      the neighbours' commitments to its   x + PRG(b) + Σ ± PRG(k): its vector under masks
       keys
3      who survived                         its signature under that list
4      at least t signatures on that list   of each neighbour the key of *one* share: of b if it survived,
                                            else of s
====== ==================================== =====================================================

So every share is signed by who dealt it, as ciphertext and commitment, before any is opened, and a holder checks on
receipt that it has the keys. A key that does not fit its commitment shows a wrong holder; shares that open, and rebuild
no b that was committed to and no s of the public key, show a wrong dealer. A holder that has other keys than the dealer
(or the coordinator) says opens none of that dealer's shares: which of them is wrong nobody can prove. An opened key
tells what the share itself would tell, and no more. Mask and commitment are two keys derived from b, neither of which
tells anything of the other.
"""

from __future__ import annotations

import hashlib
from typing import NoReturn

from pets.common.entropy import random_bytes
from pets.errors import InternalError
from pets.federated.messages.errors import ProtocolError, Refused
from pets.federated.messages.message import OVERHEAD, bitmap, from_bitmap
from pets.federated.secure_sum import shamir
from pets.federated.secure_sum.graph import degree, needed, neighbours
from pets.federated.secure_sum.interface import Contribute, Task, Words
from pets.federated.secure_sum.primitives import KEY, Agreement, derive, encrypted, mask

KEYS = 64
"""Bytes of the two public keys."""
COMMITMENT = 13
"""Bytes of the commitment to b: nobody gains by two that are alike, and one that fits a given b takes 2^104 trials."""
KEY_COMMITMENT = 9
"""Bytes that commit to a share's key. Who finds another that fits, in 2^72 trials, can blame its dealer, no more."""
COMMITMENTS = 2 * KEY_COMMITMENT
"""Bytes that commit to the keys of one neighbour's two shares."""
DEALT = COMMITMENTS + 2 * shamir.SHARE
"""Bytes of one neighbour's shares: the commitments, then the share of b and that of s, encrypted."""
NONE = bytes(KEY)
"""Instead of a key: this site opens none of that dealer's shares."""


class MaskedParty:
    """One site in one query. Its secrets live as long as the query and are shown to nobody whole.

    Raises:
        ProtocolError: from :meth:`answer`, where the coordinator's list is unsigned, too short, or not the one that
            others signed. Nothing that such a request was after is given.
    """

    def __init__(self, task: Task, contribute: Contribute) -> None:
        self._task, self._contribute = task, contribute
        self._me = task.channel.sender
        self._size = task.channel.roster.size
        self._least = task.least
        self._sharing, self._masking = Agreement(), Agreement()
        self._seed = random_bytes(shamir.SECRET)
        self._keys: dict[int, bytes] = {}
        self._cast = b""
        self._near: tuple[int, ...] = ()
        self._agreed: dict[int, bytes] = {}
        self._held: dict[int, tuple[bytes, bytes]] = {}
        self._shared: frozenset[int] = frozenset()
        self._survivors: frozenset[int] = frozenset()
        self._own = b""

    def __repr__(self) -> str:
        return f"<MaskedParty {self._me} of {self._size}>"

    def __reduce__(self) -> NoReturn:
        raise InternalError("a party's secrets are never pickled")

    def answer(self, number: int, body: bytes) -> bytes:
        """See the table at the top of this file."""
        steps = (self._advertise, self._share, self._mask, self._agree, self._unmask)
        if not 0 <= number < len(steps):
            raise ProtocolError("a message came out of turn; it was ignored")
        return steps[number](body)

    # rounds -----------------------------------------------------------------------------------------------------

    def _advertise(self, body: bytes) -> bytes:
        return self._sharing.public + self._masking.public

    def _share(self, body: bytes) -> bytes:
        for message in self._messages(body, KEYS, 0):
            self._keys[message[0]] = message[1]
        self._least_of(frozenset(self._keys))
        if self._keys[self._me] != self._sharing.public + self._masking.public:
            raise ProtocolError("the list of keys has another key for this site; the query was left")
        self._cast = cast(self._task.channel.context, self._keys)
        roster = self._task.channel.roster
        self._near = neighbours(sorted(self._keys), self._cast, degree(roster))[self._me]
        threshold = needed(len(self._keys), roster)
        holders = [site + 1 for site in sorted((self._me, *self._near))]
        seeds = shamir.split(self._seed, threshold, holders)
        secrets = shamir.split(self._masking.reveal(), threshold, holders)
        self._own = seeds[self._me + 1]
        out = [commitment(self._seed, self._cast)]
        for site in self._near:
            self._agreed[site] = self._sharing.with_(self._keys[site][:32])
            keys = share_keys(self._agreed[site], self._cast, self._me, site)
            out += [key_commitment(key, self._cast) for key in keys]
            out += [encrypted(key, part[site + 1]) for key, part in zip(keys, (seeds, secrets), strict=True)]
        return b"".join(out)

    def _mask(self, body: bytes) -> bytes:
        width = -(-self._size // 8)
        self._shared = from_bitmap(body[:width], self._size)
        if not self._shared <= frozenset(self._keys):
            raise ProtocolError("shares are said to come from sites that sent no keys; the query was left")
        self._least_of(self._shared)
        senders = [site for site in self._near if site in self._shared]
        if len(body) != width + COMMITMENTS * len(senders):
            raise ProtocolError("the list of shares does not fit the list of sites; the query was left")
        if 1 + len(senders) < needed(len(self._keys), self._task.channel.roster):
            raise ProtocolError("too few neighbours are left to hold this site's secrets; the query was left")
        for place, site in enumerate(senders):
            start = width + COMMITMENTS * place
            keys = share_keys(self._agreed[site], self._cast, site, self._me)
            fits = b"".join(key_commitment(key, self._cast) for key in keys) == body[start : start + COMMITMENTS]
            if not fits:
                self._check_others_hold(site)
            self._held[site] = keys if fits else (NONE, NONE)
        # everything that could end the query here is behind us: only now is the data opened and the charge final
        vector = self._contribute()
        total: Words = vector + own_mask(self._seed, self._cast, len(vector))
        for site in senders:
            seed = mask_seed(self._masking, self._me, site, self._keys[site], self._cast)
            pad = mask(seed, len(vector))
            total = total + pad if self._me < site else total - pad
        return total.astype("<u8", copy=False).tobytes()

    def _agree(self, body: bytes) -> bytes:
        survivors = from_bitmap(body, self._size)
        if not survivors <= self._shared:
            raise ProtocolError("the list of survivors names sites that shared nothing; nothing was revealed")
        self._least_of(survivors)
        self._survivors = survivors
        return bitmap(survivors, self._size)

    def _unmask(self, body: bytes) -> bytes:
        agreed = bitmap(self._survivors, self._size)
        signers = set()
        for sender, said in self._messages(body, len(agreed), 3):
            if said != agreed:
                raise ProtocolError("sites were told different lists of survivors; nothing was revealed")
            signers.add(sender)
        if not signers <= self._survivors or len(signers) < self._least:
            raise ProtocolError("too few sites signed the list of survivors; nothing was revealed")
        out = [self._own]
        for site in sorted(self._held):
            # of a site that is in the total, the key of b's share; of one that is not, of s's: never both of one
            seed, secret = self._held[site]
            out.append(seed if site in self._survivors else secret)
        self._forget()
        return b"".join(out)

    # parts ------------------------------------------------------------------------------------------------------

    def _messages(self, body: bytes, length: int, number: int) -> list[tuple[int, bytes]]:
        """Other sites' signed messages of one round, in the order of their numbers: (number, body)."""
        each = OVERHEAD + length
        if not body or len(body) % each:
            raise ProtocolError("a list of signed messages is cut off; the query was left")
        out: list[tuple[int, bytes]] = []
        for start in range(0, len(body), each):
            message = self._task.channel.read(body[start : start + each], number)
            if message.sender >= self._size or (out and message.sender <= out[-1][0]):
                raise ProtocolError("a list of signed messages names a site twice; the query was left")
            out.append((message.sender, message.body))
        return out

    def _least_of(self, sites: frozenset[int]) -> None:
        if self._me not in sites:
            raise ProtocolError("this site is not on the coordinator's list; the query was left")
        if len(sites) < self._least:
            raise ProtocolError(f"{self._least} sites are needed and {len(sites)} are left; nothing was revealed")

    def _check_others_hold(self, dealer: int) -> None:
        """Leave before the data is opened, where nobody could rebuild a dealer's secret without this site."""
        roster = self._task.channel.roster
        near = neighbours(sorted(self._keys), self._cast, degree(roster))[dealer]
        others = [site for site in (dealer, *near) if site in self._shared and site != self._me]
        if len(others) < needed(len(self._keys), roster):
            raise Refused(
                f"this site cannot open the shares that site {roster.members[dealer].name!r} dealt to it, and without "
                "them there is no answer; whether it, the other or the coordinator is wrong cannot be proved"
            )

    def _forget(self) -> None:
        self._held, self._agreed, self._own, self._seed = {}, {}, b"", b""
        del self._sharing, self._masking


def cast(context: bytes, keys: dict[int, bytes]) -> bytes:
    """What binds everything after round 1 to the query and to the keys of all who take part."""
    listed = b"".join(site.to_bytes(2, "big") + keys[site] for site in sorted(keys))
    return hashlib.sha256(context + listed).digest()


def pair(first: int, second: int) -> bytes:
    """Two sites' numbers, in this order."""
    return first.to_bytes(2, "big") + second.to_bytes(2, "big")


def commitment(seed: bytes, salt: bytes) -> bytes:
    """What a site signs of b before anybody has a share of it."""
    return hashlib.sha256(b"pets.federated.v1 commit" + salt + seed).digest()[:COMMITMENT]


def key_commitment(key: bytes, salt: bytes) -> bytes:
    """What a dealer signs of the key of a share before anybody has the share."""
    return hashlib.sha256(b"pets.federated.v1 key of a share" + salt + key).digest()[:KEY_COMMITMENT]


def share_keys(agreed: bytes, salt: bytes, dealer: int, holder: int) -> tuple[bytes, bytes]:
    """The keys of two shares, of b and of s: what dealer and holder agreed upon gives each, for one query."""
    both = pair(dealer, holder)
    return derive(agreed, salt, b"share of b" + both), derive(agreed, salt, b"share of s" + both)


def own_mask(seed: bytes, salt: bytes, size: int) -> Words:
    """PRG(b): the mask that a site shares with nobody."""
    return mask(derive(seed, salt, b"own mask"), size)


def mask_seed(own: Agreement, me: int, other: int, keys: bytes, salt: bytes) -> bytes:
    """The seed of the mask that two sites share: the lower number adds it, the higher takes it away."""
    return derive(own.with_(keys[32:]), salt, b"mask" + pair(min(me, other), max(me, other)))
