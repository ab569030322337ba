"""Logistic and Poisson regressions over sites: before noise a step has the pooled sums; no site pays too much."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pets
from pets.errors import BudgetError, PolicyError, ReleaseFailedError
from tests.conformance import _dead
from tests.unit.models.test_fit import in_order
from tests.unit.models.test_glm import BIG, SCHEMA, other

SITES = 3
ODDS = pets.logistic("died ~ age + sick", data="p")
AT = (-(2**30), 2**28, 2**29)


def federation(rows: Any = BIG, last: float = 100, **more: Any) -> pets.Federation:
    """Sites of which the last has another budget."""
    sites = [
        pets.Session(
            SCHEMA,
            {"p": rows.iloc[at::SITES]},
            budget=pets.Budget(epsilon=last if at == SITES - 1 else 100, delta=1e-6),
            progress=False,
        )
        for at in range(SITES)
    ]
    return pets.Federation(sites, progress=False, **({"sites_per_person": 1} | more))


@pytest.mark.parametrize("secure", ["masked", "encrypted", "local"])
def test_before_noise_a_step_s_sums_are_the_pooled_ones_bit_for_bit(secure: str) -> None:
    rows = {"p": BIG.head(400)}
    for at in (None, AT):
        query = ODDS.asked(at, SCHEMA, fine=False)
        pooled = pets.testing.exact(SCHEMA, rows, query)
        apart = pets.testing.exact(SCHEMA, rows, query, engine="federated", sites=SITES, secure=secure)
        assert pooled["fit"].iloc[0] == apart["fit"].iloc[0]


@pytest.mark.parametrize("secure", ["masked", "encrypted", "local"])
def test_a_fit_over_sites_is_near_the_pooled_one_and_each_site_pays_once(secure: str) -> None:
    many, found = federation(), other("died ~ age + sick", BIG)
    fit = many.fit(ODDS, pets.DP(epsilon=6), secure=secure)
    told = fit.table
    away = np.abs(told["coefficient"] - found.params.to_numpy()[in_order(fit, found)])
    # (rows have weights, so it is another fit; with all of their errors they are near)
    assert len(fit.releases) == 5 and (away < 5 * told["error"]).all()
    spent = {name: one.spent.loss for name, one in many.remaining().items()}
    assert len(set(spent.values())) == 1
    assert 0 < spent.popitem()[1] <= pets.Budget(epsilon=6, delta=1e-6).cap.loss + 5


def test_nothing_is_asked_where_one_site_has_no_room() -> None:
    many = federation(BIG.head(600), last=0.5)
    with pytest.raises(BudgetError, match=r"5 questions .*together and site .*ask with a smaller epsilon"):
        many.fit(ODDS, pets.DP(epsilon=1))
    assert all(one.spent.loss == 0 for one in many.remaining().values())
    with pytest.raises(PolicyError, match=r"pets\.federated\.glm"):
        many.fit(ODDS, pets.Total())
    with pytest.raises(PolicyError, match="sites_per_person=1"):
        federation(BIG.head(300), sites_per_person=2).fit(ODDS, pets.DP(epsilon=1))


def test_invented_rows_are_fitted_exactly() -> None:
    fit = federation(BIG.head(600)).dummy(600).fit(ODDS, pets.Exact())
    assert fit.exact and fit.releases[0].data == "dummy" and (fit.table["noise"] == 0).all()


def test_sites_that_change_between_the_questions_make_no_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    sites = [
        pets.Session(SCHEMA, {"p": BIG.iloc[at::5]}, budget=pets.Budget(epsilon=100, delta=1e-6), progress=False)
        for at in range(5)
    ]
    many, count = pets.Federation(sites, progress=False, sites_per_person=1, dropouts=1), []
    right = many._one

    def lost(*args: Any) -> Any:
        count.append(1)
        if len(count) == 4:
            monkeypatch.setattr(list(many.sites.values())[2], "handle", _dead)
        return right(*args)

    monkeypatch.setattr(many, "_one", lost)
    with pytest.raises(ReleaseFailedError, match=r"rows or sites changed .* with again=True"):
        many.fit(ODDS, pets.DP(epsilon=6))
    assert len(count) == 4
    fit = many.fit(ODDS, pets.DP(epsilon=6), again=True)
    assert fit.estimable and any("is not in the answer" in note for note in fit.notes)


def test_a_site_whose_rows_change_between_the_questions_makes_no_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    many, count = federation(), []
    right = many._one

    def refreshed(*args: Any) -> Any:
        count.append(1)
        if len(count) == 4:
            next(iter(many.sites.values())).session.refresh()
        return right(*args)

    monkeypatch.setattr(many, "_one", refreshed)
    with pytest.raises(ReleaseFailedError, match="rows or sites changed"):
        many.fit(ODDS, pets.DP(epsilon=6))
    assert len(count) == 4 and many.fit(ODDS, pets.DP(epsilon=6), again=True).estimable


def test_a_fit_that_was_paid_for_needs_no_room() -> None:
    many = federation(BIG.head(3000), last=1.1)
    first = many.fit(ODDS, pets.DP(epsilon=1))
    assert many.fit(ODDS, pets.DP(epsilon=1)).table.equals(first.table)
    with pytest.raises(BudgetError, match="5 questions"):
        many.fit(ODDS, pets.DP(epsilon=1), again=True)


def test_invented_rows_have_no_budget() -> None:
    invented = federation(BIG.head(300), last=1.1).dummy(600)
    for epsilon in (1, 2, 5):
        assert invented.fit(ODDS, pets.DP(epsilon=epsilon)).releases[0].data == "dummy"


def test_a_site_that_allows_less_a_query_refuses_before_the_first() -> None:
    sessions = [
        pets.Session(SCHEMA, {"p": BIG.iloc[at::3]}, budget=pets.Budget(epsilon=100, delta=1e-6), progress=False)
        for at in range(3)
    ]
    rules = pets.federated.SitePolicy(max_epsilon=0.6)
    many = pets.Federation(
        [pets.federated.Site(one, policy=rules, name=f"s{at}") for at, one in enumerate(sessions)],
        progress=False,
        sites_per_person=1,
    )
    with pytest.raises(BudgetError, match=r"its policy allows 0\.6 a query"):
        many.fit(ODDS, pets.DP(epsilon=1))
    assert all(one.spent.loss == 0 for one in many.remaining().values())


@pytest.mark.parametrize("secure", ["masked", "local"])
def test_a_fit_that_was_broken_off_goes_on_when_the_site_is_back_at_no_second_charge(
    secure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    many, count = federation(BIG.head(6000)), []
    right, site = many._one, list(many.sites.values())[1]

    def lost(*args: Any) -> Any:
        count.append(1)
        if len(count) == 4:
            monkeypatch.setattr(site, "handle", _dead)
        return right(*args)

    with monkeypatch.context() as patch:
        patch.setattr(many, "_one", lost)
        with pytest.raises(ReleaseFailedError, match=r"3 questions of this fit had been answered, .* stays"):
            many.fit(ODDS, pets.DP(epsilon=2), secure=secure)
    known, broken = list(many._answers), {name: one.spent.loss for name, one in many.remaining().items()}
    assert len(known) == 3 and len(many.history()[many.history().state == "committed"]) >= 9
    monkeypatch.undo()
    fit = many.fit(ODDS, pets.DP(epsilon=2), secure=secure)
    assert [one.id for one in fit.releases[:3]] == [many._answers[key].id for key in known]
    spent = {name: one.spent.loss for name, one in many.remaining().items()}
    rest = sum(one.cost["loss"] for one in fit.releases[3:])
    assert spent == {name: one + rest for name, one in broken.items()}
    assert spent[site.name] == sum(one.cost["loss"] for one in fit.releases)
    assert many.quote_fit(ODDS, pets.DP(epsilon=2), secure=secure).price.cost.loss == pytest.approx(
        spent[site.name], rel=1e-4
    )
