"""Fits over sites: before noise the pooled sums, bit for bit; without an honest interval refused, at no cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pets
from pets.errors import PolicyError
from tests.unit.models.survival.test_curves import ARMS as FOLLOWED
from tests.unit.models.survival.test_curves import MANY as ARMS
from tests.unit.models.test_fit import LINE, MANY, SCHEMA, in_order, other

SITES = 3


def federation(rows: Any = MANY, **more: Any) -> pets.Federation:
    budget = pets.Budget(epsilon=100, delta=1e-6)
    policy = pets.Policy(allow_unbounded=True)
    sites = [
        pets.Session(SCHEMA, {"p": rows.iloc[at::SITES]}, budget=budget, policy=policy, progress=False)
        for at in range(SITES)
    ]
    return pets.Federation(sites, progress=False, **({"sites_per_person": 1} | more))


@pytest.mark.parametrize("secure", ["masked", "encrypted", "local"])
def test_before_noise_the_sums_are_the_pooled_ones_bit_for_bit(secure: str) -> None:
    model = pets.linear("cost ~ age * sick + C(region)", data="p")
    rows = {"p": MANY.head(400)}
    pooled = pets.testing.exact(SCHEMA, rows, model.query)
    apart = pets.testing.exact(SCHEMA, rows, model.query, engine="federated", sites=SITES, secure=secure)
    assert pooled["fit"].iloc[0] == apart["fit"].iloc[0]


@pytest.mark.parametrize("secure", ["masked", "encrypted", "local"])
def test_a_fit_over_sites_is_near_the_pooled_one_and_its_errors_hold_the_noise_of_all(secure: str) -> None:
    many = federation()
    fit, truth = many.fit(LINE, pets.DP(epsilon=4), secure=secure), other("cost ~ age + sex + sick", MANY)
    told = fit.table
    assert (np.abs(told.coefficient - np.asarray(truth.params)[in_order(fit, truth)]) < 5 * told.noise).all()
    alone = pets.Session(SCHEMA, {"p": MANY}, budget=pets.Budget(epsilon=100, delta=1e-6), progress=False)
    central = alone.fit(LINE, pets.DP(epsilon=4)).table
    ratio = told.noise / central.noise
    assert ((ratio > 0.95) & (ratio < 3)).all()
    if secure == "local":  # three sites' noise, each as much as one alone would add
        assert np.allclose(ratio, np.sqrt(SITES), rtol=0.1)
    spent = {one.spent.loss for one in many.remaining().values()}
    assert len(spent) == 1 and spent.pop() > 0


def test_what_cannot_be_fitted_honestly_is_refused_and_costs_nothing() -> None:
    many = federation(MANY.head(300))
    for protection, why in (
        (pets.Total(), r"pets\.federated\.glm"),
        (pets.SDC("hes"), r"pets\.DP\(epsilon=…\)"),
        (pets.DP(epsilon=1, pure=True), "without pure"),
        (pets.DP(within=9), "no one distance"),
    ):
        with pytest.raises(PolicyError, match=why):
            many.fit(LINE, protection)
    with pytest.raises(PolicyError, match="sites_per_person=1"):
        federation(MANY.head(300), sites_per_person=2).fit(LINE, pets.DP(epsilon=1))
    assert all(one.spent.loss == 0 and one.unbounded == 0 for one in many.remaining().values())


def test_invented_rows_are_fitted_exactly() -> None:
    fit = federation(MANY.head(300)).dummy(300).fit(LINE, pets.Exact())
    assert fit.estimable and fit.release.data == "dummy" and (fit.table.noise == 0).all()


def test_a_site_gives_no_exact_total_of_a_regression_s_sums() -> None:
    many = federation(MANY.head(300))
    with pytest.raises(pets.UserError):
        many.release(LINE.query, pets.Total())
    assert all(one.unbounded == 0 for one in many.remaining().values())


# ── survival ──────────────────────────────────────────────────────────────────────────────────────────────────────────

CURVES = pets.kaplan_meier("days", "died", by="arm", data="t", edges=range(0, 101, 10))
TEST = pets.log_rank("days", "died", "arm", data="t", edges=range(0, 101, 10))


def hospitals(rows: Any = ARMS, **more: Any) -> pets.Federation:
    budget = pets.Budget(epsilon=100, delta=1e-6)
    policy = pets.Policy(allow_unbounded=True)
    sites = [
        pets.Session(FOLLOWED, {"t": rows.iloc[at::SITES]}, budget=budget, policy=policy, progress=False)
        for at in range(SITES)
    ]
    return pets.Federation(sites, progress=False, **({"sites_per_person": 1} | more))


@pytest.mark.parametrize("secure", ["masked", "encrypted", "local"])
def test_before_noise_who_leaves_when_is_the_pooled_list_bit_for_bit(secure: str) -> None:
    rows = {"t": ARMS.head(400)}
    pooled = pets.testing.exact(FOLLOWED, rows, CURVES.query)
    apart = pets.testing.exact(FOLLOWED, rows, CURVES.query, engine="federated", sites=SITES, secure=secure)
    assert pooled["fit"].tolist() == apart["fit"].tolist()


@pytest.mark.parametrize("secure", ["masked", "encrypted", "local"])
def test_curves_over_sites_are_near_the_pooled_ones_and_hold_the_noise_of_all(secure: str) -> None:
    many = hospitals()
    alone = pets.Session(
        *(FOLLOWED, {"t": ARMS}),
        budget=pets.Budget(epsilon=100, delta=1e-6),
        policy=pets.Policy(allow_unbounded=True),
        progress=False,
    )
    told, truth = many.fit(CURVES, pets.DP(epsilon=2), secure=secure).table, alone.fit(CURVES, pets.Total()).table
    assert (np.abs(told.survival - truth.survival) < 5 * told.noise).all()
    ratio = told.noise / alone.fit(CURVES, pets.DP(epsilon=2)).table.noise
    assert ((ratio > 0.9) & (ratio < 3)).all()
    if secure == "local":
        assert np.allclose(ratio, np.sqrt(SITES), rtol=0.15)
    spent = [one.spent.loss for one in many.remaining().values()]
    found = many.fit(TEST, pets.DP(epsilon=2), secure=secure)
    assert found.p < 0.01 and 0 < found.noise_share < 1
    assert len(set(spent)) == 1 and spent[0] > 0
    cox = pets.cox("days", "died", "C(arm)", data="t", edges=range(0, 101, 10), reference={"arm": "new"})
    ratios = many.fit(cox, pets.DP(epsilon=2), secure=secure)
    assert ratios.terms == ("arm[old]",) and ratios.table.ratio_low.iloc[0] > 1
    curves = ratios.predict_survival({"arm": ["old", "new"]})
    assert curves[curves.to == 50].survival.is_monotonic_increasing and (curves.noise > 0).all()
    assert [one.spent.loss for one in many.remaining().values()] == spent, "they are of the same counts"


def test_survival_that_cannot_be_had_honestly_is_refused_and_costs_nothing() -> None:
    many = hospitals(ARMS.head(300))
    with pytest.raises(PolicyError, match=r"pets\.federated\.kaplan_meier"):
        many.fit(CURVES, pets.Total())
    with pytest.raises(PolicyError, match="sites_per_person=1"):
        hospitals(ARMS.head(300), sites_per_person=2).fit(CURVES, pets.DP(epsilon=1))
    with pytest.raises(pets.UserError):
        many.release(CURVES.query, pets.Total())
    assert all(one.spent.loss == 0 and one.unbounded == 0 for one in many.remaining().values())
    exact = many.dummy(300).fit(CURVES, pets.Exact())
    assert exact.release.data == "dummy" and (exact.table.noise.fillna(0) == 0).all()


# ── the price ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("model", [LINE, CURVES, TEST], ids=["line", "curves", "test"])
def test_a_quote_has_the_price_and_the_noise_of_all_sites_and_spends_nothing(model: Any) -> None:
    many = federation(MANY.head(300)) if model is LINE else hospitals(ARMS.head(300))
    dp = pets.DP(epsilon=1)
    masked, local = (many.quote_fit(model, dp, secure=secure) for secure in ("masked", "local"))
    alone = next(iter(many.sites.values())).session.quote_fit(model, dp)
    names = [name for name in alone.table if str(name).startswith("noise")]
    for name in names:
        ones = [one.table[name].to_numpy(dtype=float) for one in (alone, masked, local)]
        assert np.allclose(ones[1] / ones[0], np.sqrt(SITES / 2), rtol=2e-3, equal_nan=True)  # two of them are honest
        assert np.allclose(ones[2] / ones[0], np.sqrt(SITES), rtol=2e-3, equal_nan=True)
    assert names and str(masked).startswith("Cost: ε = 1, δ = 1e-06")
    assert 0 <= alone.price.cost.loss - masked.price.cost.loss <= 1e-5 * alone.price.cost.loss
    assert all(one.spent.loss == 0 for one in many.remaining().values()) and many.history().empty
    with pytest.raises(pets.UserError, match="quote with"):
        many.dummy(99).quote_fit(model, pets.Exact())
    with pytest.raises(PolicyError):
        many.quote_fit(model, pets.Total())
    with pytest.raises(PolicyError, match="sites_per_person=1"):
        again = federation if model is LINE else hospitals
        again((MANY if model is LINE else ARMS).head(300), sites_per_person=2).quote_fit(model, dp)
