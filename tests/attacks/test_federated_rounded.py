"""Rounded counts over sites that an attacker subtracts, rounds otherwise, or asks at one site with the others' help."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets import col
from pets.federated import Federation, Site, SitePolicy, Totals
from pets.federated.messages.errors import Refused
from pets.protection.sdc import PRESETS
from pets.sdc.book import book_of
from pets.testing import replay
from tests.unit.federated.site.test_rounded import (
    ALL,
    BY_G,
    HES,
    POLICY,
    SCHEMA,
    THREE,
    T,
    entries,
    numbers,
    over,
    session,
    sites,
)

WHY = "left over other sites than this roster's"
FOUR = (*THREE, (9, 2, 30))
BOTH = SitePolicy.open(SCHEMA, sdc=("hes",), totals=Totals(allow=True, min_cohort=1))


def test_four_sites_and_then_three_give_nothing() -> None:
    """The difference would be what the fourth site's cells show, of which nobody but the sites was to know."""
    some = sites(*FOUR, rules=BOTH)
    assert numbers(over(some).release(BY_G, HES))[0] == [14 + 10, 9 + 8, 19 + 12]
    before = entries(some)
    with pytest.raises(Refused, match=f"totals without noise of these people {WHY}.*the numbers of the sites between"):
        over(some[:3]).release(BY_G, HES)
    with pytest.raises(Refused, match=WHY):  # nor one of them exactly
        over(some[:3]).release(ALL, pets.Total())
    assert entries(some) == before
    assert over(some[:3]).release(ALL, pets.DP(epsilon=0.1))


def test_three_sites_and_then_four_give_nothing_either() -> None:
    some = sites(*FOUR)
    assert over(some[:3]).release(BY_G, HES)
    with pytest.raises(Refused, match=WHY):
        over(some).release(BY_G, HES)


def test_an_exact_total_over_other_sites_is_no_neighbour_either() -> None:
    some = sites(*FOUR, rules=BOTH)
    assert over(some).release(ALL, pets.Total())
    with pytest.raises(Refused, match=WHY):
        over(some[:3]).release(BY_G, HES)


def test_what_the_custodians_allow_beside_it_leaves() -> None:
    some = sites(*FOUR)
    assert over(some).release(BY_G, HES)
    fewer = over(some[:3])
    for site in some[:3]:
        tells = site.allow_roster(fewer.roster, reason="s3 was closed", by=["A. One", "B. Two"])
        assert "s3" in tells and "by subtraction they show what the cells of the sites between show" in tells
    assert numbers(fewer.release(BY_G, HES))[0] == [14, 9, 19]


def test_two_presets_would_tell_a_small_number_and_the_second_is_refused() -> None:
    """7 people are hidden as 1 to 7 by one rule and shown as 7 to 12 by another: together they are 7."""
    first, second = (PRESETS[name].rule for name in ("hes", "midpoint6"))
    seven = np.array([7])
    ends = [rule.interval(rule.shown(seven)) for rule in (first, second)]
    assert (max(int(low[0]) for low, _ in ends), min(int(high[0]) for _, high in ends)) == (7, 7)
    some = sites()
    many = over(some)
    assert many.release(BY_G, HES)
    before = entries(some)
    for other in (pets.SDC("midpoint6"), pets.SDC("ons_10_5"), pets.SDC(threshold=9)):
        with pytest.raises(Refused, match="other rules over the same cells could be compared"):
            many.release(BY_G, other)
    assert entries(some) == before


def test_ranges_and_parts_narrow_no_cell() -> None:
    """Of every union of groups, over all sites, the ends are the sums of the groups' own: nothing new is told."""
    many = over(sites())
    each = dict(zip("abc", numbers(many.release(BY_G, HES)), strict=True))
    for part in ("ab", "bc", "ac", "abc"):
        asked = T.where(col("g").isin([*part])).agg(n=pets.count())
        (found,) = numbers(many.release(asked, HES))
        assert found == np.sum([each[group] for group in part], axis=0).tolist()


def test_who_has_all_other_sites_numbers_has_no_more_than_the_last_ones_cells() -> None:
    some = sites()
    found = np.array(numbers(over(some).release(BY_G, HES)))
    others = [site.session.release(BY_G, HES).table for site in some[:2]]
    left = found[:, 1:] - sum(table[["n_low", "n_high"]].to_numpy(dtype=int) for table in others)
    assert left.tolist() == [[8, 12], [1, 7], [23, 27]]


def test_the_custodians_attack_finds_nothing_beside_the_grid() -> None:
    some = sites()
    over(some).release(BY_G, HES)
    found = some[0].session.custody.account.exact()
    assert len(found) == 2 and [one.kind for one in book_of(found).entries] == ["grid"]


@pytest.mark.chance(0)
def test_noise_beside_it_holds_and_it_is_no_noise_itself() -> None:
    """Where 8 people become 7, a 10 becomes hidden, over all sites too: the judge finds that out."""
    data = pd.DataFrame({"id": range(60), "g": ["a"] * 8 + ["b"] * 30 + ["c"] * 22, "ill": False, "x": 1})

    def many(one: pets.Session) -> Federation:
        one.name_grid(BY_G, HES)
        policy = SitePolicy.open(SCHEMA, sdc=("hes",))
        beside = [session(f"{name}-", 20, 20, 20) for name in "pq"]
        for other in beside:
            other.name_grid(BY_G, HES)
        return over([Site(each, policy=policy, name=f"s{n}") for n, each in enumerate([one, *beside])])

    def noise(one: pets.Session) -> Any:
        many(one).release(BY_G, HES)
        return one.release(BY_G, pets.DP(epsilon=1)), one.quote(BY_G, pets.DP(epsilon=2))

    report = replay(SCHEMA, data, noise, count=1, policy=POLICY, person=1)
    assert report.holds, report

    def counts(one: pets.Session) -> Any:
        return many(one).release(BY_G, HES).form["counts"]

    assert not replay(SCHEMA, data, counts, count=1, policy=POLICY, person=1).holds
