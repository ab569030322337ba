"""Orders whose noise is not what they seem to pay for: every site reckons for itself, and lets none of them in."""

from __future__ import annotations

from dataclasses import replace

import pytest

import pets
from pets.common.entropy import random_id
from pets.dp.shares import Shares
from pets.errors import BudgetError
from pets.federated import Federation, SitePolicy, TableRule
from pets.federated.site import gate
from tests.attacks.test_federated_replay import deliver, order_for, said
from tests.unit.federated.site.test_site import HALF, N, federation, spent


def order_json(many: Federation, secure: str) -> dict[str, object]:
    asked = many._request(N, HALF, secure)
    assert asked.shares is not None
    return asked.shares.to_json()


def test_whole_noise_on_a_finer_grid_would_be_hardly_any() -> None:
    # one site's own noise is charged on the plan's grid; on a grid 2^31 times finer it would be 2^31 times smaller, and
    # the vector would come out exact for the price of ε = 0.5
    many = federation(people=30)
    form = order_json(many, "local") | {"refine": [2**31]}
    with pytest.raises(BudgetError, match="no shares of noise"):
        Shares.from_json(form)
    real = many._request(N, HALF, "local").shares
    assert real is not None
    forged = replace(real)
    object.__setattr__(forged, "refine", (2**31,))
    with pytest.raises(pets.UserError, match="not in the form"):
        deliver(many, order_for(many, secure="local", shares=forged))
    assert spent(many) == [0, 0, 0]


@pytest.mark.parametrize("change", [{"scales": [], "refine": []}, {"scales": ["1e200"]}, {"refine": []}])
def test_noise_that_is_none_or_fits_no_number_is_refused(change: dict[str, object]) -> None:
    many = federation(people=30)
    for secure in ("local", "masked"):
        with pytest.raises(BudgetError, match="no shares of noise"):
            Shares.from_json(order_json(many, secure) | change)


def test_rho_is_not_read_as_epsilon_nor_epsilon_as_rho() -> None:
    # Gaussian noise of ρ = 0.5 is about ε = 5; a pure protection of ε = 0.5 must not be bought with it, and certified
    many = federation(people=30, budget=pets.Budget(epsilon=30, delta=1e-6))
    pure, gaussian = pets.DP(epsilon=0.5, pure=True), many._request(N, pets.DP(rho=0.5), "masked").shares
    alone = replace(gaussian, alone=True, refine=(1,))  # type: ignore[type-var]
    laplace = many._request(N, pets.DP(epsilon=0.004, pure=True), "local").shares
    for protection, shares, secure in (
        (pure, gaussian, "masked"),
        (pure, alone, "local"),
        (pets.DP(rho=0.5), laplace, "local"),
    ):
        order = order_for(many, id=random_id(), protection=protection, shares=shares, secure=secure)
        assert "another kind than its protection" in said(deliver(many, order))
    assert spent(many) == [0, 0, 0]
    assert many.release(N, pure, secure="local").delta == 0


def test_who_is_at_two_sites_is_charged_for_at_both() -> None:
    """The gate itself multiplies by m: noise for people at one site is half of what people at two need."""
    many = federation(people=30, sites_per_person=2)
    for secure in ("masked", "local"):
        right = many._request(N, HALF, secure).shares
        assert right is not None
        half = replace(right, scales=tuple(scale / 2 for scale in right.scales))
        order = order_for(many, id=random_id(), secure=secure, shares=half)
        assert "less than its protection promises" in said(deliver(many, order))
        # where an accuracy was asked for, noise may be what it is: it costs m² as much as for people at one site
        asked = pets.DP(within=500)
        order = order_for(many, id=random_id(), secure=secure, shares=half, protection=asked)
        before = spent(many)[0]
        deliver(many, order)
        alone = federation(people=30)
        deliver(alone, order_for(alone, secure=secure, shares=half, protection=asked))
        assert (spent(many)[0] - before) / spent(alone)[0] == pytest.approx(4, rel=1e-4)


def test_the_range_is_that_of_all_a_persons_sites(monkeypatch: pytest.MonkeyPatch) -> None:
    many = federation(people=30, sites_per_person=2)
    limit = many._request(N, HALF, "masked").plan.measures[0].limit
    monkeypatch.setattr(gate, "RANGE", 2 * limit - 1)
    assert "2^62" in said(deliver(many, order_for(many)))
    monkeypatch.setattr(gate, "RANGE", 2 * limit)
    deliver(many, order_for(many))
    assert spent(many)[0] > 0


def test_exact_totals_that_name_noise_do_not_fit_together() -> None:
    many = federation(people=30)
    shares = many._request(N, HALF, "masked").shares
    for protection in (pets.Total(), pets.Exact()):
        order = order_for(many, id=random_id(), protection=protection, shares=shares)
        assert "bear no noise" in said(deliver(many, order))


def test_what_the_roster_says_of_a_site_must_still_be_so() -> None:
    many = federation(people=30)
    site = many.sites["s0"]
    site.policy = replace(site.policy, max_epsilon=2.0)
    assert "policy has changed" in said(deliver(many, order_for(many)))
    with pytest.raises(pets.UserError, match="does not have site 's0' as it is"):
        site.join(many.roster)
    # a ledger that was renewed at a smaller δ: the roster's ε would not hold in it
    order, member = order_for(many), many.roster.members[1]
    other = many.sites["s1"]
    for delta, fits in ((1e-6, True), (1e-9, False)):
        budget = pets.Budget(epsilon=3, delta=delta)
        desk = gate.Desk(member, many.schema, other.policy, other.session.policy, budget, "real")
        if fits:
            assert gate.admit(order, many.roster, desk).cost.loss > 0
        else:
            with pytest.raises(BudgetError, match="another delta"):
                gate.admit(order, many.roster, desk)


def test_a_share_of_noise_never_travels_in_the_clear() -> None:
    """Sent by one site alone, a vector with its share of the noise only would show that site to the coordinator."""
    many = federation(people=30)
    share, whole = many._request(N, HALF, "masked").shares, many._request(N, HALF, "local").shares
    for secure, shares in (("local", share), ("masked", whole)):
        for rules in (HALF, pets.DP(rho=0.001), pets.DP(within=500)):
            order = order_for(many, id=random_id(), secure=secure, shares=shares, protection=rules)
            assert "does not go with its way to combine" in said(deliver(many, order))
    assert spent(many) == [0, 0, 0]


@pytest.mark.parametrize("secure", ["masked", "local"])
def test_a_way_that_the_policy_does_not_list_is_refused(secure: str) -> None:
    other = "local" if secure == "masked" else "masked"
    rules = SitePolicy(tables={"stays": TableRule()}, secure=(other, "encrypted"))
    many = federation(people=30, rules=rules)
    shares = many._request(N, HALF, secure).shares
    order = order_for(many, secure=secure, shares=shares)
    assert f"does not allow secure='{secure}'" in said(deliver(many, order))
    assert spent(many) == [0, 0, 0]
    assert "local" not in SitePolicy().secure  # nor does any policy list it that does not say so
