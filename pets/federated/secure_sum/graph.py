"""Who masks with whom: everybody up to 30 sites, above that a ring on which each site has k near neighbours.

Source: Bell, Bonawitz, Gascón, Lepoint and Raykova 2020, *Secure Single-Server Aggregation with (Poly)Logarithmic
Overhead*, Algorithm 2 (a Harary graph on an order that follows from the sites' fresh, signed keys). There k is chosen
so that a bad order is unlikely; here so that no order is bad, since a coordinator that chooses who takes part could
try many. With d sites that may be lost and c that collude with it, k ≥ 2d + c, k > d + c, and more than c shares for
every secret:

* no c sites can rebuild a secret of which the others give no share: an honest site gives one kind for each peer;
* the ring stays in one piece without any d + c sites, so the honest ones that signed the survivors are linked by masks;
* a site in the total that did not sign may have been told of d lost neighbours who are not, and d + c − 1 others may be
  gone or collude: one link to a site that signed is left.

So the only sum over honest sites that ever comes out from under its masks is that over all survivors.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from pets.federated.messages.roster import Roster

COMPLETE = 30
DEGREE = 30
"""The least k: small federations' sites know about everybody, and a ring's sites about as many."""
SHARES = DEGREE // 2 + 1
"""The least number of shares that rebuild a secret above :data:`COMPLETE` sites."""


def degree(roster: Roster) -> int:
    """k, an even number: half of the neighbours lie on either side."""
    d, c = roster.dropouts, roster.colluding
    least = max(DEGREE, 2 * d + c, d + c + 1)
    return least + least % 2


def neighbours(present: Sequence[int], seed: bytes, near: int = DEGREE) -> dict[int, tuple[int, ...]]:
    """By site, the sites that it shares masks and secrets with: ``near`` of them, or all.

    >>> neighbours([0, 1, 2], b"")
    {0: (1, 2), 1: (0, 2), 2: (0, 1)}
    """
    count = len(present)
    if count <= max(COMPLETE, near + 1):
        return {site: tuple(other for other in present if other != site) for site in present}
    ring = sorted(present, key=lambda site: hashlib.sha256(seed + site.to_bytes(4, "big")).digest())
    out: dict[int, tuple[int, ...]] = {}
    for place, site in enumerate(ring):
        steps = range(1, near // 2 + 1)
        found = {ring[(place + step) % count] for step in steps} | {ring[(place - step) % count] for step in steps}
        out[site] = tuple(sorted(found - {site}))
    return out


def needed(present: int, roster: Roster) -> int:
    """Shares that rebuild a secret. A neighbourhood without any d sites still holds as many."""
    return roster.threshold if present <= COMPLETE else max(SHARES, roster.colluding + 1)
