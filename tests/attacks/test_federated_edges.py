"""Exact totals by group whose edges differ by one value: their difference is the people who have that value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pets
from pets import col
from pets.errors import PetsError, PolicyError, ReleaseFailedError
from pets.federated import Federation, Totals
from tests.attacks.test_federated_totals import TOTAL, N, T, few, incidents, many

EDGES = range(20, 28)
EIGHT = Totals(allow=True, min_cohort=10, min_cell=8)
BESIDE = "it differs from an earlier exact total by too few rows in a group"
WITHIN = "two of its numbers differ by too few rows in a group"


def true() -> list[int]:
    """How many people of all three sites are of each age: two or three at a site, so that no table may show it."""
    return (3 * np.bincount(np.arange(150) % 61, minlength=61)).tolist()


def cells(sites: Federation, query: pets.Query) -> list[int] | None:
    """The first numbers of an answer, or ``None`` where there is none."""
    try:
        release = sites.release(query, TOTAL)
    except PetsError:
        return None
    name = release.table.columns[-1]
    return release.histogram(name)["count"].astype(int).tolist() if name == "h" else release.table[name].tolist()


def below(sites: Federation, how: str) -> dict[int, int]:
    """By edge, the people below it, as far as the sites tell."""
    found: dict[int, int] = {}
    for edge in EDGES:
        query: Any = {
            "histogram": T.agg(h=pets.histogram("age", [0, edge, 100])),
            "bins": T.group_by(col("age").bins([0, edge, 100])).agg(n=pets.count()),
            "sum": T.group_by(col("age").bins([0, edge, 100])).agg(n=pets.sum("one")),
            "where": T.where(col("age") < edge).agg(n=pets.count()),
        }[how]
        answer = cells(sites, query)
        if answer is not None:
            found[edge] = int(answer[0])
    return found


def values(found: dict[int, int]) -> dict[int, int]:
    """Each value that the difference of two neighbours shows."""
    return {edge: found[edge + 1] - found[edge] for edge in found if edge + 1 in found}


@pytest.mark.parametrize("how", ["histogram", "bins"])
def test_shifted_edges_read_no_value(how: str) -> None:
    # without the rule, the attack reads every age
    open_sites = few(Totals(allow=True, min_cohort=1))
    assert values(below(open_sites, how)) == {age: true()[age] for age in EDGES[:-1]}
    sites = few(EIGHT)
    assert values(below(sites, how)) == {}
    assert incidents(sites) >= {BESIDE}


def test_edges_of_one_answer_are_as_those_of_two() -> None:
    sites = few(EIGHT)
    edges = [[0, edge, 100] for edge in (20, 21)]
    two = T.agg(a=pets.histogram("age", edges[0]), h=pets.histogram("age", edges[1]))
    assert cells(sites, two) is None
    assert incidents(sites) == {WITHIN}
    assert cells(sites, T.agg(a=pets.histogram("age", edges[0]), h=pets.histogram("age", [0, 30, 100])))


@pytest.mark.parametrize(
    "second",
    [
        T.group_by("ward", col("age").bins([0, 21, 100])).agg(n=pets.count()),  # whose margin has the other edge
        T.where(col("age") <= 20).agg(n=pets.count()),
        T.agg(h=pets.histogram("age", [0, 10, 21, 100])),
        T.group_by(col("age").bins([0, 21])).agg(n=pets.count()),
        T.agg(m=pets.count(where=~(col("age") == 20))),
        T.group_by("ward").where(col("age") != 20).agg(n=pets.count()),
    ],
)
def test_an_edge_is_an_edge_however_it_is_asked(second: pets.Query) -> None:
    """Beside a histogram at 20: what has an edge at 21, or leaves the age of 20 out, tells how many are 20."""
    sites = few(Totals(allow=True, min_cohort=1, min_cell=8))
    assert cells(sites, T.agg(h=pets.histogram("age", [0, 20, 100])))
    assert cells(sites, second) is None
    assert incidents(sites) == {BESIDE}


def test_bins_of_a_quantile_are_edges_too() -> None:
    """Four bins begin at 0, 25, 50 and 75."""
    for edge, leaves in ((25, True), (26, False)):
        sites = few(Totals(allow=True, min_cohort=1, min_cell=8))
        assert cells(sites, T.agg(h=pets.histogram("age", [0, edge, 100])))
        assert (cells(sites, T.agg(q=pets.quantile("age", 0.5, bins=4))) is not None) is leaves


def test_the_difference_of_two_tables_has_the_sizes_of_a_table() -> None:
    """Some four of each ward are from 25 to 29 years old, fourteen from 25 to 44."""
    sites = few(EIGHT)
    by_ward = T.group_by("ward").agg(n=pets.count())
    assert cells(sites, by_ward)
    assert cells(sites, by_ward.where(col("age") < 25))
    assert cells(sites, by_ward.where(col("age") < 30)) is None
    assert incidents(sites) == {BESIDE}
    assert cells(sites, by_ward.where(col("age") < 45))


def test_tables_of_other_columns_do_not_hinder_each_other() -> None:
    """Their cells share few rows each, and no union of some is near a union of the others."""
    sites = few(EIGHT)
    asked = [
        T.group_by("ward").agg(n=pets.count()),
        T.agg(h=pets.histogram("age", list(range(0, 61, 5)))),
        T.group_by("ill").agg(n=pets.count(), s=pets.sum("age")),
        T.group_by("ward").agg(n=pets.count()),  # asked again: it tells nothing new
    ]
    assert all(cells(sites, query) for query in asked)


def test_what_left_before_a_rule_was_made_hinders_only_what_would_split_it() -> None:
    """Small groups that left under an older policy are known; a new answer may leave them whole, not part them."""
    sites = few(Totals(allow=True, min_cohort=1))
    assert cells(sites, T.agg(h=pets.histogram("age", [0, 20, 21, 100])))
    for site in sites.sites.values():
        site.policy = few(Totals(allow=True, min_cohort=1, min_cell=8)).sites["s0"].policy
    again = Federation(list(sites.sites.values()), sites_per_person=1, progress=False)
    assert cells(again, T.group_by("ward").agg(n=pets.count()))
    assert cells(again, T.agg(h=pets.histogram("age", [0, 20, 100])))
    assert cells(again, T.agg(h=pets.histogram("age", [0, 19, 100]))) is None


def test_groups_of_a_person_are_not_capped_in_exact_totals() -> None:
    sites = many(EIGHT)
    with pytest.raises(PolicyError, match="leave groups out of bound"):
        sites.release(N.group_by("ward").bound(groups=1), TOTAL)
    with pytest.raises(PolicyError, match="leave rows_per_group out of bound"):
        sites.release(N.group_by("ward").bound(rows_per_group=1), TOTAL)
    with pytest.raises(PolicyError, match="how many people have many rows"):
        sites.release(pets.query("stays").agg(t=pets.tails()), TOTAL)
    assert sum(len(site.session.history()) for site in sites.sites.values()) == 0


def test_the_number_of_exact_totals_of_a_table_is_limited() -> None:
    sites = few(Totals(allow=True, min_cohort=10, max_totals=3))
    assert cells(sites, T.agg(n=pets.count()))
    with pytest.raises(ReleaseFailedError):
        sites.release(T.where(col("age") == 7).agg(n=pets.count()), TOTAL)  # withheld: it counts all the same
    assert cells(sites, T.where(col("age") < 30).agg(n=pets.count()))
    with pytest.raises(PetsError, match="allows 3 exact totals of table 't'"):
        sites.release(T.where(col("age") > 30).agg(n=pets.count()), TOTAL)
    assert sites.release(T.agg(n=pets.count()), pets.DP(epsilon=0.1))
