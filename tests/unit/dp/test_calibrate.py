"""Calibration: what a request means, never more than it, the best split, and accuracies that hold."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pets.dp import noise as dp_noise
from pets.dp.calibrate import Noise, calibrate
from pets.dp.mechanism import measure
from pets.dp.split import sensitivities, split
from pets.errors import BudgetError, InternalError
from pets.plan.measure import Measure, Output, Sensitivity
from pets.protection.budget import UNIT, Budget, rho_from_epsilon
from pets.protection.protection import DP
from pets.release.noise_quantiles import Kind, half_width
from tests.work import calls

Floats = npt.NDArray[np.float64]
ZCDP, PURE = Budget(epsilon=1, delta=1e-6), Budget(epsilon=1)


@dataclass(frozen=True)
class FakePlan:
    measures: tuple[Measure, ...]
    outputs: tuple[Output, ...]
    groups: int = 10


def block(l1: int, l2_squared: int, width: int = 1) -> Measure:
    return Measure("m", "rows", Sensitivity(1, l1, l2_squared, 1), "test", 10**6, width=width)


def answer(kind: str, *needs: tuple[int, float], name: str = "x") -> Output:
    return Output(name, kind, tuple(j for j, _ in needs), needs)  # type: ignore[arg-type]


K = 3
ROWS, TOTAL, UNITS = block(K, K * K), block(50 * K, (50 * K) ** 2), block(K, K)
COUNT = FakePlan((ROWS,), (answer("count", (0, 1.0)),))
COUNT_SUM = FakePlan((ROWS, TOTAL), (answer("count", (0, 1.0)), answer("sum", (1, 1.0), (0, 50.0))))
WIDE = FakePlan(
    (ROWS, TOTAL, UNITS, block(K, K * K, width=20)),
    (
        answer("count", (0, 1.0)),
        answer("count_units", (2, 1.0)),
        answer("sum", (1, 0.01), (0, 50.0)),
        answer("histogram", (3, 1.0)),
    ),
)
PLANS = [COUNT, COUNT_SUM, WIDE]


def test_what_a_request_means_in_each_ledger() -> None:
    """The table of DESIGN's "Currency"."""
    target = math.floor(Fraction(rho_from_epsilon(0.5, 1e-6)) * UNIT)
    found = calibrate(COUNT_SUM, DP(epsilon=0.5), ZCDP)
    assert (found.mechanism, found.epsilon, found.delta) == ("gaussian", 0.5, 1e-6)
    assert target * (1 - 1e-4) < found.cost.loss <= target
    found = calibrate(COUNT_SUM, DP(epsilon=0.5, delta=1e-9), ZCDP)
    assert found.delta == 1e-9
    assert found.cost.loss <= rho_from_epsilon(0.5, 1e-9) * UNIT
    found = calibrate(COUNT_SUM, DP(rho=0.01), ZCDP)
    assert 0.01 * UNIT * (1 - 1e-4) < found.cost.loss <= 0.01 * UNIT
    assert found.epsilon == pytest.approx(ZCDP.describe(found.cost)[0])
    found = calibrate(COUNT_SUM, DP(epsilon=0.5, pure=True), ZCDP)
    assert (found.mechanism, found.epsilon, found.delta) == ("laplace", 0.5, 0.0)
    assert 0.125 * UNIT * (1 - 1e-4) < found.cost.loss <= 0.125 * UNIT
    assert found.cost.currency == "zcdp"
    for asked in (DP(epsilon=0.5), DP(epsilon=0.5, pure=True)):
        found = calibrate(COUNT_SUM, asked, PURE)
        assert (found.mechanism, found.epsilon, found.delta, found.rho) == ("laplace", 0.5, 0.0, None)
        assert found.cost.currency == "pure"
        assert 0.5 * UNIT * (1 - 1e-4) < found.cost.loss <= 0.5 * UNIT


@pytest.mark.parametrize(
    ("asked", "said"), [(DP(rho=0.1), "ask with epsilon="), (DP(epsilon=1, delta=1e-6), "leave delta out")]
)
def test_a_pure_ledger_refuses_what_it_cannot_count(asked: DP, said: str) -> None:
    with pytest.raises(BudgetError, match=said):
        calibrate(COUNT, asked, PURE)


def test_a_threshold_delta_is_not_used_for_conversion() -> None:
    found = calibrate(COUNT, DP(epsilon=1), Budget(1, 1e-6, 9e-7))
    assert found.cost.loss <= rho_from_epsilon(1.0, 1.0000000001e-7) * UNIT


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("budget", [ZCDP, PURE, Budget(1 / 3, 1e-5), Budget(1 / 3)])
def test_equal_request_and_cap_fit_exactly_once(plan: FakePlan, budget: Budget) -> None:
    cost = calibrate(plan, DP(epsilon=budget.epsilon), budget).cost
    assert cost.fits(budget.cap)
    assert not (cost + cost).fits(budget.cap)


@settings(deadline=None, max_examples=60)
@given(
    st.floats(1e-3, 50),
    st.lists(st.tuples(st.integers(1, 10**9), st.floats(1e-3, 1e3)), min_size=1, max_size=5),
    st.booleans(),
)
def test_the_charge_is_opendps_map_and_never_above_the_target(
    epsilon: float, moves: list[tuple[int, float]], pure: bool
) -> None:
    plan = FakePlan(
        tuple(block(move, move * move) for move, _ in moves),
        (answer("sum", *((j, a) for j, (_, a) in enumerate(moves))),),
    )
    found = calibrate(plan, DP(epsilon=epsilon), PURE if pure else ZCDP)
    charge = Fraction(0)
    for block_, scale, loss in zip(plan.measures, found.scales, found.losses, strict=True):
        assert len(Decimal(repr(scale)).normalize().as_tuple().digits) <= 6
        at = block_.sensitivity
        said = dp_noise.laplace_epsilon(at.l1, scale) if pure else dp_noise.gaussian_rho(at.l2_squared, scale)
        exact = Fraction(at.l1) / Fraction(scale) if pure else Fraction(at.l2_squared) / (2 * Fraction(scale) ** 2)
        assert Fraction(loss, UNIT) >= Fraction(said) >= exact
        charge += Fraction(loss, UNIT)
    assert charge * UNIT == sum(found.losses) == found.cost.loss
    target = Fraction(epsilon) if pure else Fraction(rho_from_epsilon(epsilon, 1e-6))
    assert target * Fraction(999, 1000) < charge <= target * (1 + Fraction(1, 10**12))


@pytest.mark.parametrize("plan", PLANS)
def test_json_round_trip(plan: FakePlan) -> None:
    for asked in (DP(epsilon=1), DP(rho=0.1), DP(epsilon=1, pure=True)):
        found = calibrate(plan, asked, ZCDP)
        assert Noise.from_json(found.to_json()) == found
    for bad in (None, {}, found.to_json() | {"mechanism": "uniform"}, found.to_json() | {"scales": "x"}):
        with pytest.raises(BudgetError):
            Noise.from_json(bad)


def shares(parts: int, steps: int) -> Floats:
    """Every way to share 1 among so many parts, in steps."""
    if parts == 1:
        return np.ones((1, 1))
    grid = np.array(list(itertools.product(range(1, steps), repeat=parts - 1)))
    grid = grid[grid.sum(axis=1) < steps]
    return np.column_stack([grid, steps - grid.sum(axis=1)]) / steps


def at_shares(moves: list[float], share: Floats, kind: Kind) -> Floats:
    """The scales that spend these shares of a total of 1."""
    return np.array(moves) / (np.sqrt(2 * share) if kind == "gaussian" else share)


def objective(plan: FakePlan, kind: Kind, scales: Floats) -> Floats:
    """Σ variance ÷ variance alone, the latter by brute force over shares, not by the formula."""
    every = sensitivities(plan.measures, kind)
    total = np.zeros(len(scales))
    for output in plan.outputs:
        if output.kind == "count" and any(output.needs[0][0] in dict(o.needs) for o in plan.outputs if o != output):
            continue
        at, weights = [j for j, _ in output.needs], np.array([a * a for _, a in output.needs])
        choices = at_shares([every[j] for j in at], shares(len(at), 400 if len(at) < 3 else 60), kind)
        total += (scales[:, at] ** 2 @ weights) / (choices**2 @ weights).min()
    return total


@pytest.mark.parametrize("kind", ["gaussian", "laplace"])
@pytest.mark.parametrize(
    "plan",
    [
        COUNT_SUM,
        FakePlan((ROWS, UNITS), (answer("count", (0, 1.0)), answer("count_units", (1, 1.0)))),
        FakePlan((ROWS, block(7, 49), UNITS), (answer("sum", (1, 0.3), (0, 11.0)), answer("count_units", (2, 1.0)))),
        FakePlan((ROWS, TOTAL, block(9, 81)), (answer("sum", (1, 1.0), (0, 50.0)), answer("mean", (2, 4.0), (0, 2.0)))),
    ],
)
def test_the_split_is_the_best_there_is(plan: FakePlan, kind: Kind) -> None:
    """No split on a fine grid does better (by more than the grid's own coarseness in each output's best error)."""
    moves = sensitivities(plan.measures, kind)
    ours = objective(plan, kind, np.array([split(plan, kind, 1.0)]))[0]
    many = len(moves)
    assert ours <= objective(plan, kind, at_shares(moves, shares(many, 400 if many == 2 else 80), kind)).min() * (
        1 + 1e-3
    )
    assert ours <= objective(plan, kind, at_shares(moves, np.full((1, many), 1 / many), kind))[0] * (1 + 1e-9)


def test_count_and_sum_share_evenly_and_the_sum_gains_from_the_midpoint() -> None:
    found = calibrate(COUNT_SUM, DP(epsilon=1), ZCDP)
    assert found.losses[0] == pytest.approx(found.losses[1], rel=1e-4)
    rows, total = found.scales
    assert math.hypot(total, 50 * rows) <= 0.75 * 100 * rows  # 0.71: the sum of v in [0, 100] without a midpoint is 1


def test_every_measure_gets_noise() -> None:
    """Counts asked twice, a count beside a sum with midpoint 0, a measure that enters no error."""
    for plan in (
        FakePlan((ROWS,), (answer("count", (0, 1.0)), answer("count", (0, 1.0)))),
        FakePlan((ROWS, TOTAL), (answer("count", (0, 1.0)), answer("sum", (1, 1.0), (0, 0.0)))),
        FakePlan((ROWS, TOTAL), (answer("sum", (1, 1.0)),)),
    ):
        for budget in (ZCDP, PURE):
            for asked in (DP(epsilon=1), DP(within=100)):
                found = calibrate(plan, asked, budget)
                assert all(math.isfinite(scale) and scale > 0 for scale in found.scales)
                assert all(found.losses)


def test_requests_too_small_or_too_great() -> None:
    with pytest.raises(BudgetError, match="too small to be counted"):
        calibrate(WIDE, DP(rho=2e-12), ZCDP)
    with pytest.raises(BudgetError, match="narrow the range"):
        calibrate(FakePlan((block(2**55, 2**110),), (answer("sum", (0, 1.0)),)), DP(epsilon=0.01), ZCDP)
    tiny = calibrate(COUNT_SUM, DP(rho=5e-12), ZCDP)
    assert tiny.cost.loss <= 5
    assert min(calibrate(COUNT, DP(epsilon=1e5), ZCDP).scales) > 0


@pytest.mark.parametrize("budget", [ZCDP, PURE])
@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("within", [0.4, 8, 50, 1000, 1e6])
def test_an_accuracy_is_reached_and_not_overpaid(plan: FakePlan, budget: Budget, within: float) -> None:
    found = calibrate(plan, DP(within=within), budget)

    def widths(scales: tuple[float, ...]) -> list[float]:
        return [
            half_width(found.mechanism, tuple((a, scales[j]) for j, a in output.needs), 0.95) for output in plan.outputs
        ]

    assert max(widths(found.scales)) <= within
    for j in range(len(found.scales)):  # no measure could have had a quarter more noise
        assert max(widths(tuple(s * 1.25 if i == j else s for i, s in enumerate(found.scales)))) > within
    assert found.mechanism == ("gaussian" if budget is ZCDP else "laplace")
    if budget is ZCDP:
        assert found.epsilon == pytest.approx(budget.describe(found.cost)[0])


def test_an_accuracy_costs_no_more_than_the_best_split_at_the_same_accuracy() -> None:
    """By brute force over splits, where noise is wide enough to be smooth."""
    found = calibrate(WIDE, DP(within=2000), ZCDP)
    moves = sensitivities(WIDE.measures, "gaussian")
    scales = at_shares(moves, shares(4, 40), "gaussian")
    widths = [
        1.96 * np.sqrt((scales[:, [j for j, _ in output.needs]] ** 2) @ np.array([a * a for _, a in output.needs]))
        for output in WIDE.outputs
    ]
    best = float(((np.max(widths, axis=0) / 2000) ** 2).min())  # ρ goes with 1/width²
    assert found.cost.loss / UNIT <= best * 1.01


def test_simultaneous_means_all_cells() -> None:
    one = calibrate(WIDE, DP(within=50), ZCDP)
    every = calibrate(WIDE, DP(within=50, simultaneous=True), ZCDP)
    assert every.cost.loss > one.cost.loss
    cells = 10 * (1 + 1 + 1 + 20)
    width = half_width("gaussian", ((1.0, every.scales[3]),), 0.95 ** (1 / cells))
    assert 0.97 * 50 <= width <= 50


@pytest.mark.parametrize("kind", ["mean", "rate", "variance", "quantile"])
def test_an_accuracy_is_not_promised_where_it_depends_on_the_data(kind: str) -> None:
    plan = FakePlan((ROWS, TOTAL), (answer("count", (0, 1.0)), answer(kind, (1, 1.0), name="days")))
    with pytest.raises(BudgetError, match=r"'days'.*epsilon=.*n=100"):
        calibrate(plan, DP(within=50), ZCDP)


def test_the_noise_of_each_block_is_its_own() -> None:
    plan = FakePlan((ROWS, block(K, K * K, width=3), TOTAL), (), groups=1000)
    found = Noise("gaussian", (1e-3, 50.0, 1e6), (1, 1, 1), calibrate(COUNT, DP(epsilon=1), ZCDP).cost, 1.0, 1e-6)
    noisy = measure(plan, np.arange(5000, dtype=np.int64), found) - np.arange(5000)
    assert noisy.dtype == np.int64
    assert not noisy[:1000].any()
    assert 45 < noisy[1000:4000].std() < 55
    assert 0.8e6 < noisy[4000:].std() < 1.2e6
    with pytest.raises(InternalError):
        measure(plan, np.zeros(4999, dtype=np.int64), found)


def test_quick() -> None:
    calibrate(WIDE, DP(epsilon=1), ZCDP)
    work = calls(lambda: [calibrate(WIDE, DP(epsilon=1 + k / 100), ZCDP) for k in range(20)])
    assert work / 20 < 7000  # 2,300 each
