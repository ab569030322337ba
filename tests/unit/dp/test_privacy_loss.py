"""What noise costs and means, against the noise itself: its own probabilities, and OpenDP's map."""

from __future__ import annotations

import math

import opendp.domains
import opendp.measurements
import opendp.metrics
import opendp.mod
import pytest

import pets
from pets.dp.calibrate import calibrate
from pets.dp.privacy_loss import privacy_loss
from pets.dp.shares import Spread, View, alone, shared, shares_loss
from pets.errors import BudgetError
from pets.plan.plan import make_plan
from pets.protection.budget import Currency, epsilon_from_rho

ROWS, DELTA = 5, 1e-6
PEOPLE = pets.Table(pets.Unit("id", max_rows=ROWS), {"id": pets.Identifier()}, people=1000)
PLAN = make_plan(pets.query("t").agg(n=pets.count()), pets.Schema({"t": PEOPLE}, dataset="test"))
VIEWS = [View("zcdp", DELTA), View("pure", 0.0)]


def laplace_epsilon(scale: float, moved: int) -> float:
    """The greatest |log P(k) / P(k + moved)| of the discrete Laplace, from its probabilities."""
    return max(abs(abs(k + moved) - abs(k)) / scale for k in range(-3 * moved, 3 * moved))


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("asked", [pets.DP(within=20, pure=True), pets.DP(epsilon=0.5, pure=True)])
@pytest.mark.parametrize("sites_per_person", [1, 2])
def test_laplace_noise_means_its_own_epsilon_in_either_ledger(
    view: View, asked: pets.DP, sites_per_person: int
) -> None:
    spread = Spread(PLAN, sites_per_person)
    shares = alone(spread, asked, view, 3)
    found = shares_loss(spread, shares, 2, view.currency, view.delta, asked)
    true = laplace_epsilon(shares.scales[0], ROWS * sites_per_person)
    assert found.epsilon == pytest.approx(true, rel=1e-4)  # an ε that was asked for is stated as it was asked
    assert found.epsilon >= true * (1 - 1e-12)
    assert found.delta == 0
    wanted = true if view.currency == "pure" else true**2 / 2
    assert found.cost.currency == view.currency
    assert found.cost.loss / 10**12 == pytest.approx(wanted, rel=1e-9)
    assert found.rho == (None if view.currency == "pure" else pytest.approx(wanted, rel=1e-9))
    whole = calibrate(spread, asked, view)
    if asked.within is None:
        assert (whole.cost, whole.epsilon, whole.delta, whole.rho) == (found.cost, found.epsilon, 0.0, found.rho)


@pytest.mark.parametrize("asked", [pets.DP(within=20), pets.DP(epsilon=0.5), pets.DP(epsilon=0.5, delta=1e-9)])
def test_gaussian_noise_means_opendps_rho_at_the_stated_delta(asked: pets.DP) -> None:
    opendp.mod.enable_features("contrib")
    shares = shared(PLAN, asked, VIEWS[0], 2, 3)
    found = shares_loss(PLAN, shares, 2, "zcdp", DELTA, asked)
    space = opendp.domains.vector_domain(opendp.domains.atom_domain(T="i64")), opendp.metrics.l2_distance(T="f64")
    together = opendp.measurements.make_gaussian(*space, scale=math.sqrt(2) * shares.scales[0])
    rho = together.map(float(ROWS))
    assert shares.refine == (1,)
    assert found.rho == pytest.approx(rho, rel=1e-6)
    assert found.cost.loss / 10**12 == found.rho
    assert found.delta == (asked.delta or DELTA)
    assert found.epsilon == pytest.approx(epsilon_from_rho(rho, found.delta), rel=1e-4)


def test_several_measures_add_up_and_a_pure_ledger_takes_no_gaussian() -> None:
    currencies: tuple[Currency, Currency] = ("zcdp", "pure")
    zcdp, pure = (privacy_loss([10**11, 2 * 10**11], "laplace", currency, DELTA) for currency in currencies)
    assert (zcdp.epsilon, zcdp.rho, zcdp.cost.loss) == (0.3, 0.045, 45 * 10**9)
    assert (pure.epsilon, pure.rho, pure.cost.loss) == (0.3, None, 3 * 10**11)
    with pytest.raises(BudgetError, match="without a delta"):
        privacy_loss([1], "gaussian", "pure", 0.0)
