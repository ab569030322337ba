"""Above 30 sites each masks with some neighbours only: what colluding sites and a coordinator could make of that."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from pets.federated.secure_sum.graph import COMPLETE, DEGREE, degree, needed, neighbours
from tests.parties import Room


@dataclass(frozen=True)
class Assumed:
    """What the graph reads of a roster."""

    size: int
    dropouts: int
    colluding: int

    @property
    def threshold(self) -> int:
        return self.size - self.dropouts


ROSTERS = [
    Assumed(n, d, c)
    for n in (31, 32, 40, 61, 62, 100, 300)
    for d in range(0, n // 2, 1 if n < 100 else 7)
    for c in range(0, n - 2 * d, 1 if n < 100 else 7)
]


def test_colluding_sites_hold_too_few_shares_of_every_secret() -> None:
    assert len(ROSTERS) > 2000
    for roster in ROSTERS:
        for present in {roster.size, max(roster.threshold, COMPLETE + 1)}:
            near = min(present - 1, degree(roster))  # type: ignore[arg-type]
            shares = needed(present, roster)  # type: ignore[arg-type]
            assert shares > roster.colluding, roster  # so that c sites cannot give what honest ones do not
            # d in all are lost, those included that were never there: what is left of a neighbourhood rebuilds
            assert near + 1 - (roster.dropouts - (roster.size - present)) >= shares, roster


def test_a_coordinator_with_many_sites_opens_no_single_vector() -> None:
    room = Room(40, colluding=30)
    room.run(rounds=3)
    target = room.parties[0]
    colluding = [room.parties[site] for site in range(10, 40)]
    held = [one for one in colluding if 0 in one._held]  # type: ignore[attr-defined]
    assert len(held) < needed(40, room.roster)
    assert any(site < 10 for site in target._near)  # type: ignore[attr-defined]


def linked(near: dict[int, tuple[int, ...]], alive: set[int]) -> bool:
    seen, todo = set(), [min(alive)]
    while todo:
        site = todo.pop()
        if site not in seen:
            seen.add(site)
            todo += [other for other in near[site] if other in alive]
    return seen == alive


@pytest.mark.parametrize(("n", "d", "c"), [(31, 0, 30), (40, 0, 30), (62, 20, 10), (100, 40, 1), (300, 60, 1)])
def test_no_honest_sites_are_cut_off_from_the_others(n: int, d: int, c: int) -> None:
    """Whoever is taken out, the masks of those left hang together: also where neighbours on the ring are."""
    roster = Assumed(n, d, c)
    near = neighbours(range(n), b"seed", degree(roster))  # type: ignore[arg-type]
    ring = [0]  # the ring again: from a site to the one with which it shares most neighbours
    around = {site: set(found) | {site} for site, found in near.items()}
    while len(ring) < n:
        ring.append(max(set(range(n)) - set(ring), key=lambda site: len(around[site] & around[ring[-1]])))
    for start in range(0, n, 3):
        for first in range(0, d + c + 1, 5):  # two gaps, whose lengths add up to d + c
            cut = {ring[(start + step) % n] for step in range(first)}
            cut |= {ring[(start + n // 2 + step) % n] for step in range(d + c - first)}
            assert linked(near, set(range(n)) - cut)
    for seed in range(50):
        assert linked(near, set(range(n)) - set(random.Random(seed).sample(range(n), d + c)))


def test_a_site_told_of_losses_that_were_none_still_masks_with_one_that_signs() -> None:
    for roster in ROSTERS:
        near = min(roster.size - 1, degree(roster))  # type: ignore[arg-type]
        told, gone = roster.dropouts, roster.dropouts + roster.colluding - 1
        assert near - told - gone >= 1 or near == roster.size - 1, roster
    assert degree(Assumed(60, 12, 3)) == DEGREE  # type: ignore[arg-type]
