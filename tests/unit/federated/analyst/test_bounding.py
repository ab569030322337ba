"""What bounds leave out at all sites together: a release like any other, and the sum of what each site leaves out."""

from __future__ import annotations

import pytest

import pets
from pets.errors import PetsError
from pets.federated import Federation, Site, SitePolicy
from tests.unit.session.synthesis.test_synthesise import SCHEMA, frame

ROWS = frame(1500)
DP = pets.DP(epsilon=2)


def many(sites_per_person: int = 1) -> Federation:
    number = ROWS["id"].astype(int)
    made = []
    for part in range(3):
        rows = {"stays": ROWS[number % 3 == part]}
        session = pets.Session(SCHEMA, rows, budget=pets.Budget(epsilon=8, delta=1e-6), progress=False)
        made.append(Site(session, policy=SitePolicy.open(SCHEMA), name=f"s{part}"))
    return Federation(made, sites_per_person=sites_per_person, progress=False)


@pytest.fixture(scope="module")
def federation() -> Federation:
    return many()


def test_it_is_the_sum_of_what_each_site_leaves_out() -> None:
    federation = many()  # whose accounts nobody else charges
    lost = federation.rows_lost("stays", DP)
    rows = ROWS.groupby("id").size()
    exact = [int((rows - k).clip(lower=0).sum()) for k in (1, 2, 3, 4)]
    table = lost.table
    assert table["rows"].tolist() == [1, 2, 3, 4]
    for found, left, sure in zip(exact, table["lost"], table["lost_high"] - table["lost_low"], strict=True):
        assert abs(found - left) <= 3 * sure + 1
    assert table["lost"][0] > 100  # (and it is about the rows, not about nothing)
    assert "K = 2 counts about" in lost.sentence(2)
    spent = {site.session.remaining().spent.loss for site in federation.sites.values()}
    assert spent == {lost.release.cost["loss"]}
    assert federation.rows_lost("stays", DP).release is lost.release  # asked again, it costs nothing
    other = federation.rows_lost("stays", pets.DP(epsilon=1), "sex", secure="local")
    assert not other.whole and len(other.table) == 8


def test_a_person_at_two_sites_is_in_the_noise(federation: Federation) -> None:
    once, twice = (one.rows_lost("stays", DP).release.scales[0] for one in (federation, many(sites_per_person=2)))
    assert twice == pytest.approx(2 * once, rel=1e-4)


def test_the_full_answer_is_no_answer_over_sites(federation: Federation) -> None:
    """Whether two answers are about the same rows shows in their snapshots, and sites' are not told."""
    lost = federation.rows_lost("stays", DP)
    asked = pets.query("stays").bound(rows=2).agg(n=pets.count())
    with pytest.raises(PetsError, match="over several sites") as caught:
        lost.full(federation.release(asked, DP), "n")
    assert "larger K" in str(caught.value) and "ask for both" not in str(caught.value)


@pytest.mark.parametrize("secure", ["masked", "local"])
def test_the_best_bound_is_that_of_least_error_over_all_sites(federation: Federation, secure: str) -> None:
    lost = federation.rows_lost("stays", DP)
    asked = pets.query("stays").agg(n=pets.count())

    def error(k: int, epsilon: float) -> float:
        quote = federation.quote(asked.bound(rows=k), pets.DP(epsilon=epsilon, confidence=0.6827), secure=secure)
        (found,) = [one.half_width for one in quote.errors[0]]
        return float(lost.at(k).estimate[0]) ** 2 + found**2

    for epsilon in (0.002, 0.02, 1.0):
        best = federation.best_rows(asked, lost, pets.DP(epsilon=epsilon), secure=secure)
        errors = {k: error(k, epsilon) for k in (1, 2, 3, 4)}
        assert errors[best] <= 1.1 * min(errors.values()), (best, errors)
    assert federation.best_rows(asked, lost, pets.DP(epsilon=0.002)) < federation.best_rows(asked, lost, DP)
    with pytest.raises(PetsError, match=r"pets\.DP\(epsilon=…\) or"):
        federation.best_rows(asked, lost, pets.Exact())  # type: ignore[arg-type]


def test_on_invented_rows_it_is_exact(federation: Federation) -> None:
    twin = federation.dummy(rows=40, seed=2)
    lost = twin.rows_lost("stays", pets.Exact())
    assert lost.table["lost"].tolist() == [
        sum(site.session.rows_lost("stays", pets.Exact()).at(k).estimate[0] for site in twin.sites.values())
        for k in (1, 2, 3, 4)
    ]


def test_a_table_that_is_not_there_is_refused_unasked(federation: Federation) -> None:
    with pytest.raises(PetsError, match="did you mean 'stays'"):
        federation.rows_lost("stay", DP)
