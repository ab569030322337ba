"""Who masks with whom: everybody up to 30 sites, above that a ring on which each site has k near neighbours.

Source: Bell, Bonawitz, Gascón, Lepoint and Raykova 2020, *Secure Single-Server Aggregation with (Poly)Logarithmic
Overhead*, Algorithm 2 (a Harary graph on a random order). The order follows from the sites' fresh, signed keys, so
that neither the roster nor the query decides it alone. A coordinator that also chooses who takes part could try many
orders: above :data:`COMPLETE` sites it is assumed to keep to the protocol.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

COMPLETE = 30
DEGREE = 30
"""k: with a fifth of 300 sites lost, neighbourhoods keep their threshold (half of k + 1)."""


def neighbours(present: Sequence[int], seed: bytes) -> dict[int, tuple[int, ...]]:
    """By site, the sites that it shares masks and secrets with.

    >>> neighbours([0, 1, 2], b"")
    {0: (1, 2), 1: (0, 2), 2: (0, 1)}
    """
    if len(present) <= COMPLETE:
        return {site: tuple(other for other in present if other != site) for site in present}
    ring = sorted(present, key=lambda site: hashlib.sha256(seed + site.to_bytes(4, "big")).digest())
    count = len(ring)
    out: dict[int, tuple[int, ...]] = {}
    for place, site in enumerate(ring):
        steps = range(1, DEGREE // 2 + 1)
        near = {ring[(place + step) % count] for step in steps} | {ring[(place - step) % count] for step in steps}
        out[site] = tuple(sorted(near - {site}))
    return out


def needed(present: int, threshold: int) -> int:
    """Shares that rebuild a secret: the roster's threshold, or more than half of a neighbourhood."""
    return threshold if present <= COMPLETE else (DEGREE + 1) // 2 + 1
