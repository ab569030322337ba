"""The NHS-like pack shows every published rate within its band, keeps every rule.

The draws are seeded: nothing here is left to chance.
"""

from __future__ import annotations

from typing import Any

import pytest

import pets
from pets.synthetic.packs.check import check
from pets.synthetic.packs.pack import load_pack
from tests.plausible.measure import PEOPLE, SEED, TUNED, measure, rates


@pytest.fixture(scope="module")
def tables() -> Any:
    return pets.dummy("nhs", people=PEOPLE, seed=SEED).tables


def test_sixty_rates_lie_in_their_bands(tables: Any) -> None:
    wanted = rates(TUNED)
    found = measure(tables, wanted)
    assert len(wanted) == 60
    assert [(rate.name, found[rate.name]) for rate in wanted if not rate.holds(found[rate.name])] == []


def test_no_rule_is_broken_in_fifty_thousand_people(tables: Any) -> None:
    assert [str(verdict) for verdict in check(load_pack("nhs"), tables) if not verdict] == []


def test_a_rate_beside_its_band_is_seen() -> None:
    (rate,) = [rate for rate in rates(TUNED) if rate.name == "readmission"]
    assert rate.holds(12.5) and rate.holds(15.1)
    assert not rate.holds(12.4) and not rate.holds(15.2) and not rate.holds(3.1)
