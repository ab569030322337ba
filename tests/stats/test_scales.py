"""Whole releases whose exact answer is known: is the noise on them as wide as they say?

One release has 32,768 cells. A scale that is a tenth off moves the judge's sum by more than 13 standard deviations, and
7.4 of them are allowed, so it is flagged but for a chance below 1e-20; a right one is flagged with at most 2e-13: how
wide it is and its law are one look each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets.dp import mechanism
from tests.stats.judges import LEVEL, Broken, Kind, fit, spread

G, H = 256, 128
SCHEMA = pets.Schema(
    {
        "t": pets.Table(
            pets.Unit("id", max_rows=1),
            {
                "id": pets.Identifier(),
                "g": pets.Category([f"g{i}" for i in range(G)], nullable=False),
                "h": pets.Category([f"h{i}" for i in range(H)], nullable=False),
            },
        )
    }
)
PEOPLE = [(i * 37 % G, i * 11 % H) for i in range(500)]
ROWS = pd.DataFrame({"id": range(len(PEOPLE)), "g": [f"g{g}" for g, _ in PEOPLE], "h": [f"h{h}" for _, h in PEOPLE]})
EXACT = np.zeros((G, H), dtype=np.int64)
np.add.at(EXACT, tuple(np.array(PEOPLE).T), 1)
ASKED = pets.query("t").group_by("g", "h").agg(n=pets.count())
KINDS: dict[Kind, tuple[pets.Budget, pets.DP]] = {
    "gaussian": (pets.Budget(epsilon=100, delta=1e-6), pets.DP(rho=0.0002)),
    "laplace": (pets.Budget(epsilon=100), pets.DP(epsilon=0.02)),
}


def opened(kind: Kind) -> pets.Session:
    return pets.Session(SCHEMA, {"t": ROWS}, budget=KINDS[kind][0], progress=False)


def looks(session: pets.Session, kind: Kind) -> tuple[float, float]:
    """The judges' p-values of one more release."""
    release = session.release(ASKED, KINDS[kind][1], again=True)
    assert release.mechanism == kind
    noise = release.values - EXACT.reshape(-1)
    return spread(noise, kind, release.scales[0]), fit(noise, kind, release.scales[0])


def planted(patch: pytest.MonkeyPatch, factor: float) -> None:
    for name in ("add_gaussian", "add_laplace"):
        add: Any = getattr(mechanism, name)
        patch.setattr(mechanism, name, lambda values, scale, add=add: add(values, scale * factor))


def flagged_of(tries: int, kind: Kind) -> int:
    session = opened(kind)
    return sum(min(looks(session, kind)) < LEVEL for _ in range(tries))


@pytest.mark.chance(2e-13)  # two looks
@pytest.mark.parametrize("kind", KINDS)
def test_a_release_is_as_noisy_as_it_says(kind: Kind) -> None:
    assert flagged_of(1, kind) == 0


@pytest.mark.chance(1e-19)  # see above
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("factor", [1.1, 1 / 1.1])
def test_a_tenth_is_flagged(kind: Kind, factor: float, monkeypatch: pytest.MonkeyPatch) -> None:
    planted(monkeypatch, factor)
    assert flagged_of(1, kind) == 1


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.chance(4e-11)  # 400 looks
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_flagged_in_200_honest_ones(kind: Kind) -> None:
    assert flagged_of(200, kind) == 0


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.chance(1e-18)  # 20 times as often as above
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("factor", [1.1, 1 / 1.1])
def test_a_tenth_is_flagged_in_all_of_20_tries(kind: Kind, factor: float, monkeypatch: pytest.MonkeyPatch) -> None:
    planted(monkeypatch, factor)
    assert flagged_of(20, kind) == 20


@pytest.mark.parametrize("kind", KINDS)
def test_the_judge_of_width_is_right(kind: Kind) -> None:
    """Another sampler's noise passes, and what is a tenth wider or narrower does not."""
    broken = Broken()
    assert spread(broken.right(kind, 50.0, 32_768), kind, 50.0) > 1e-5
    for wrong in (broken.wider, broken.narrower):
        assert spread(wrong(kind, 50.0, 32_768), kind, 50.0) < LEVEL
