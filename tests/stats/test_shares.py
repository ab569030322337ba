"""Noise of encrypted totals, end to end: as large as the release says, and its intervals hold what they promise."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import pets
from pets import he
from pets.protection.budget import epsilon_from_rho
from tests.he_parties import schema, table

GROUPS = 2000


def totals(rho: float, count: int, sent: int) -> pets.Release:
    """A release over parties of one person each, all in group 0; every other group is empty, so it is noise alone."""
    at = table(count, groups=GROUPS, noise=pets.DP(rho=rho), least=sent)
    rows = pd.DataFrame({"person": ["a"], "g": [0], "v": [1]})
    where = schema(GROUPS, 1000, 100)
    envelopes = []
    for key in at.keys[:sent]:
        session = pets.Session(where, {"t": rows}, budget=pets.Budget(epsilon=50, delta=1e-6), progress=False)
        envelopes.append(he.encrypt(session, at.round.query, at.public, round=at.round, party=key))
    total = he.add(envelopes)
    return at.secret.open(total, [he.consent(total, key) for key in at.keys[:sent]])


# 1,999 draws: a deviation is off by 12 % with 2e-13 (χ²), a mean by 7.5 standard errors with 7e-14, and fewer than
# 90 % of intervals hold where 94.8 % must with 5e-18 (binomial)
@pytest.mark.chance(5e-13)
@pytest.mark.parametrize(
    ("rho", "count", "sent"), [(0.005, 3, 3), (0.005, 5, 3), (0.2, 2, 2), (5.0, 3, 3), (2.0, 4, 2)]
)
def test_noise_is_what_the_release_says(rho, count, sent):
    release = totals(rho, count, sent)
    noise = release.values[1:].astype(float)
    honest = release.protection["honest"]
    (said,) = release.scales
    central = 1 / math.sqrt(2 * rho)
    finer = release.protection["refine"][0]
    drawn = math.sqrt(sent / honest) * central  # the parties that are not needed for the promise add to it
    if finer > 1:
        assert said**2 == pytest.approx(drawn**2 + 0.25, rel=0.02)
        assert drawn * 0.88 < noise.std() < said * 1.12
    else:
        assert said == pytest.approx(drawn, rel=0.01)
        assert 0.88 < noise.std() / said < 1.12
    assert abs(noise.mean()) < 7.5 * said / math.sqrt(len(noise))
    shown = release.table.iloc[1:]
    inside = ((shown["n_low"] <= 0) & (shown["n_high"] >= 0)).mean()
    assert inside >= 0.90
    assert release.rho <= rho


@pytest.mark.chance(0)
def test_the_share_of_one_party_is_less_than_the_whole():
    """A party's own noise (what is left if all others collude) is what the certificate prints for it."""
    release = totals(0.005, 3, 3)
    (share,) = (float(x) for x in release.protection["shares"])
    assert share == pytest.approx(1 / math.sqrt(2 * 0.005) / math.sqrt(2), rel=0.01)
    alone = epsilon_from_rho(1 / (2 * share**2), 1e-6)
    assert float(release.protection["alone_epsilon"]) == pytest.approx(alone, rel=1e-3)
    assert np.isfinite(alone)
