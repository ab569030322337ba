"""Shamir's secret sharing: any t of the holders can rebuild a secret, fewer learn nothing at all.

Source: Shamir 1979, *How to Share a Secret*; used as in Bonawitz et al. 2017, *Practical Secure Aggregation*, section
3.1. The field is GF(2^256 + 297), the smallest prime field that holds every 32-byte secret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from pets.common.entropy import random_below
from pets.errors import InternalError
from pets.federated.messages.errors import ProtocolError

PRIME = 2**256 + 297
SECRET = 32
SHARE = 33
"""Bytes of a secret and of a share."""


def split(secret: bytes, threshold: int, holders: Sequence[int]) -> dict[int, bytes]:
    """One share a holder: the value at the holder's number of a random polynomial whose value at 0 is the secret.

    Args:
        secret: 32 bytes.
        threshold: how many shares rebuild it.
        holders: their numbers, from 1, all different.
    """
    if len(secret) != SECRET or not 1 <= threshold <= len(holders):
        raise InternalError("a secret of 32 bytes is shared among at least as many holders as are needed")
    polynomial = [int.from_bytes(secret, "big"), *(random_below(PRIME) for _ in range(threshold - 1))]
    return {holder: value(polynomial, holder).to_bytes(SHARE, "big") for holder in _numbers(holders)}


def value(polynomial: Sequence[int], at: int) -> int:
    """A polynomial's value in the field; coefficients from the constant up.

    >>> value([7, 1, 2], 3)
    28
    """
    out = 0
    for coefficient in reversed(polynomial):
        out = (out * at + coefficient) % PRIME
    return out


def join(shares: Mapping[int, bytes], threshold: int) -> bytes:
    """The secret, from ``threshold`` of the shares (which ones does not matter).

    Raises:
        ProtocolError: with too few shares, or where they are of no 32-byte secret.
    """
    if len(shares) < threshold:
        raise ProtocolError(f"{threshold} shares are needed to rebuild a secret and {len(shares)} were given")
    holders = tuple(sorted(_numbers(list(shares)))[:threshold])
    weights = _weights(holders)
    total = 0
    for holder, weight in zip(holders, weights, strict=True):
        share = int.from_bytes(shares[holder], "big")
        if len(shares[holder]) != SHARE or share >= PRIME:
            raise ProtocolError("a share is not of this field; a site sent something else")
        total += share * weight
    secret = total % PRIME
    if secret >= 2**256:
        raise ProtocolError("the shares belong to no secret; a site sent a wrong one")
    return secret.to_bytes(SECRET, "big")


@lru_cache(maxsize=4096)
def _weights(holders: tuple[int, ...]) -> tuple[int, ...]:
    """Lagrange's coefficients at 0."""
    out = []
    for i in holders:
        above, below = 1, 1
        for j in holders:
            if j != i:
                above, below = above * j % PRIME, below * (j - i) % PRIME
        out.append(above * pow(below, -1, PRIME) % PRIME)
    return tuple(out)


def _numbers(holders: Sequence[int]) -> Sequence[int]:
    if len(set(holders)) != len(holders) or any(not 0 < holder < 2**32 for holder in holders):
        raise InternalError("holders of shares have different numbers, from 1 up")
    return holders
