"""The key holder's grid, attacked: sums of its cells, other lists of sites, and noise that is drawn beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets import col, he
from pets.errors import PetsError
from pets.federated import Federation, Site, SitePolicy
from pets.testing import replay
from tests.unit.federated.site.test_holder_grid import RULES, ask, some
from tests.unit.federated.site.test_rounded import BY_G, HES, POLICY, SCHEMA, THREE, T, entries, numbers, over, session

OPEN = SitePolicy.open(SCHEMA, sdc_encrypted=("hes",))


def test_sums_and_parts_narrow_no_cell() -> None:
    """Of every union of groups the ends are the sums of the groups' own: nothing new is told, however much is asked."""
    many = over(some())
    each = dict(zip("abc", numbers(many.name_grid(BY_G, HES)), strict=True))
    for part in ("ab", "bc", "ac", "abc"):
        (found,) = numbers(ask(many, T.where(col("g").isin([*part])).agg(n=pets.count())))
        assert found == np.sum([each[group] for group in part], axis=0).tolist()


def test_a_key_that_shows_two_lists_of_sites_would_give_a_site_away_and_none_does() -> None:
    """Of c, 43 people over three sites and 73 over four: the fourth's 30 would lie between 26 and 34."""
    secret = he.keygen()[1]
    houses = some(*THREE, (9, 2, 30), rules=RULES)
    over(houses[:3], key_holder=secret).name_grid(BY_G, HES)
    before = entries(houses)
    for sites in (houses, [houses[0], houses[1], houses[3]], houses[1:]):
        for key in (secret, he.keygen()[1]):
            with pytest.raises(PetsError, match=r"one grid|another key holder|left over other sites"):
                over(sites, key_holder=key).name_grid(BY_G, HES)
    assert entries(houses) == before


@pytest.mark.chance(0)
def test_noise_beside_it_holds_and_it_is_no_noise_itself() -> None:
    """Where 8 people become 7 over all sites, a 10 becomes hidden: the judge finds that out."""
    data = pd.DataFrame({"id": range(60), "g": ["a"] * 8 + ["b"] * 30 + ["c"] * 22, "ill": False, "x": 1})

    def many(one: pets.Session) -> Federation:
        beside = [session(f"{name}-", 0, 20, 20) for name in "pq"]
        return over([Site(each, policy=OPEN, name=f"s{n}") for n, each in enumerate([one, *beside])])

    def noise(one: pets.Session) -> Any:
        many(one).name_grid(BY_G, HES)
        return one.release(BY_G, pets.DP(epsilon=1)), one.quote(BY_G, pets.DP(epsilon=2))

    report = replay(SCHEMA, data, noise, count=1, policy=POLICY, person=1)
    assert report.holds, report

    def shown(one: pets.Session) -> Any:
        return many(one).name_grid(BY_G, HES).sharing["grid"]["shown"]

    assert not replay(SCHEMA, data, shown, count=1, policy=POLICY, person=1).holds
