"""Unlisted keys and choices by noise over several sites are refused, with the reason; what is said instead works."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

import pets
from pets.errors import UserError

SCHEMA = pets.Schema(
    {"apc": pets.Table(pets.Unit("id", max_rows=2), {"id": pets.Identifier(), "diagnosis": pets.Text(3)})},
    dataset="codes",
)
DP = pets.DP(epsilon=2)


def site(number: int) -> pets.Session:
    rows = pd.DataFrame({"id": [f"{number}-{i}" for i in range(200)], "diagnosis": ["I21", "J45"] * 100})
    budget = pets.Budget(epsilon=20, delta=1e-6, threshold_delta=1e-7)
    return pets.Session(SCHEMA, {"apc": rows}, budget=budget, progress=False)


@pytest.fixture(scope="module")
def sites() -> list[pets.Session]:
    return [site(number) for number in range(3)]


def keys(one: pets.Session | pets.Federation) -> Any:
    return one.group_keys("apc", by=["diagnosis"], protection=DP)


def top(one: pets.Session | pets.Federation) -> Any:
    return one.top_keys(counts(), 1, DP)


def counts(listed: pets.KeySet | None = None) -> pets.Query:
    known = listed or pets.KeySet.of([{"diagnosis": "I21"}, {"diagnosis": "J45"}, {"diagnosis": "K35"}])
    return pets.query("apc").group_by(known).agg(n=pets.count_units())


@pytest.mark.parametrize("ask", [keys, top])
def test_a_federation_refuses_and_no_site_pays(ask: Callable[[Any], Any], sites: list[pets.Session]) -> None:
    before = [one.remaining().spent for one in sites]
    said = {keys: "secure union.*session.group_keys(…)", top: "what is opened would be the counts.*session.top_keys(…)"}
    with pytest.raises(UserError, match=re.escape(said[ask]).replace(r"\.\*", ".*")):
        ask(pets.Federation(sites, sites_per_person=1))
    assert [one.remaining().spent for one in sites] == before


def test_quotes_are_refused_too(sites: list[pets.Session]) -> None:
    federation = pets.Federation(sites, sites_per_person=1)
    with pytest.raises(UserError, match="secure union"):
        federation.quote_keys("apc", by=["diagnosis"], protection=DP)
    with pytest.raises(UserError, match="what is opened would be the counts"):
        federation.quote_top_keys(counts(), 1, DP)


def test_keys_of_one_site_are_grouped_by_over_all(sites: list[pets.Session]) -> None:
    """The remedy: one site pays for the keys, ρ and δ; every site then for an ordinary question."""
    federation, before = pets.Federation(sites, sites_per_person=1), sites[1].remaining().spent
    own = keys(sites[0])
    assert own.rows == (("I21",), ("J45",))
    assert sites[1].remaining().spent == before
    found = federation.release(counts(own), pets.DP(epsilon=5), secure="local").table
    assert found["n"].tolist() == pytest.approx([300, 300], abs=90)


def test_the_greatest_of_released_counts_are_those_of_all_sites(sites: list[pets.Session]) -> None:
    found = pets.Federation(sites, sites_per_person=1).release(counts(), pets.DP(epsilon=5), secure="local").table
    assert set(found.nlargest(2, "n")["diagnosis"]) == {"I21", "J45"}
