"""The NHS-like pack shows every published rate within its band, keeps every rule.

The draws are seeded: nothing here is left to chance.
"""

from __future__ import annotations

from typing import Any

import pytest

import pets
from pets.synthetic.packs.check import check
from pets.synthetic.packs.pack import load_pack
from tests.plausible.measure import (
    FIRST_LOOK,
    HELD_OUT,
    LIVES,
    MANY,
    OTHER_SEED,
    PEOPLE,
    SECOND_LOOK,
    SEED,
    SEEN,
    THIRD_LOOK,
    TUNED,
    Rate,
    kept,
    measure,
    rates,
    shown,
)


@pytest.fixture(scope="module")
def tables() -> Any:
    return pets.dummy("nhs", people=PEOPLE, seed=SEED).tables


def seen() -> list[Rate]:
    return [rate for file in SEEN for rate in rates(file)]


def test_sixty_rates_lie_in_their_bands(tables: Any) -> None:
    files = (TUNED, FIRST_LOOK, SECOND_LOOK, THIRD_LOOK, LIVES, HELD_OUT)
    assert [len(rates(file)) for file in files] == [60, 15, 15, 15, 12, 15]
    assert len({rate.name for file in files for rate in rates(file)}) == 132
    found = measure(tables, rates(TUNED))
    assert [(rate.name, found[rate.name]) for rate in rates(TUNED) if not rate.holds(found[rate.name])] == []


def test_whatever_was_seen_lies_in_its_band_of_many_people() -> None:
    found = kept()["many"]["rates"]
    beside = [(rate.name, found[rate.name]) for rate in seen() if not rate.holds(found[rate.name])]
    gradients = {rate.name for rate in rates(LIVES)}
    assert {name for name, _ in beside} <= gradients and len(beside) <= 2, beside


def test_the_page_shows_what_is_measured_now(tables: Any) -> None:
    told, wanted = kept(), seen() + rates(HELD_OUT)
    assert (told["people"], told["seed"]) == (PEOPLE, SEED)
    assert told["rows"] == {name: table.num_rows for name, table in tables.items()}
    assert told["rates"] == {name: float(f"{value:.3g}") for name, value in measure(tables, wanted).items()}


def test_no_rule_is_broken_in_fifty_thousand_people(tables: Any) -> None:
    assert [str(verdict) for verdict in check(load_pack("nhs"), tables) if not verdict] == []


def test_a_rate_beside_its_band_is_seen() -> None:
    (rate,) = [rate for rate in rates(TUNED) if rate.name == "readmission"]
    assert rate.holds(12.5) and rate.holds(15.1)
    assert not rate.holds(12.4) and not rate.holds(15.2) and not rate.holds(3.1)


@pytest.mark.soak
def test_many_people_show_what_the_page_says() -> None:
    assert shown(MANY, OTHER_SEED, seen() + rates(HELD_OUT)) == kept()["many"]


@pytest.mark.soak
def test_no_rule_is_broken_in_a_million_people() -> None:
    tables = pets.dummy("nhs", people=1_000_000, seed=7, link="pseudonym").tables
    assert [str(verdict) for verdict in check(load_pack("nhs", "pseudonym"), tables) if not verdict] == []
