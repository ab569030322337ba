"""Totals that no rows could give are refused; what lies within the range is not seen, and the pages say so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets.dp.shares import Shares
from pets.errors import ReleaseFailedError
from pets.federated import Federation, Site, SitePolicy, Totals
from pets.federated.analyst.public_range import check_sums, check_total
from pets.federated.query_round.regression_step import Model, Step
from pets.plan.plan import make_plan

PEOPLE = 3000
N = pets.query("t").agg(n=pets.count())
TOTAL = pets.Total()


def schema() -> pets.Schema:
    columns = {
        "id": pets.Identifier(),
        "v": pets.Integer(-10, 10, nullable=False),
        "x": pets.Real(0, 1, step=0.01, nullable=False),
    }
    return pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=2), columns, people=PEOPLE)}, dataset="range")


def many(monkeypatch: pytest.MonkeyPatch | None = None, poison: int = 0, place: int = 0, **about: Any) -> Federation:
    sites = []
    for number in range(3):
        frame = pd.DataFrame({"id": [f"{number}-{i}" for i in range(65)], "v": 3, "x": np.arange(65) / 100})
        session = pets.Session(
            schema(),
            {"t": frame},
            budget=pets.Budget(epsilon=30, delta=1e-6),
            policy=pets.Policy(allow_unbounded=True),
            progress=False,
        )
        policy = SitePolicy.open(schema(), totals=Totals(allow=True, min_cohort=1))
        sites.append(Site(session, policy=policy, name=f"s{number}"))
    if monkeypatch is not None:
        inner = sites[1]._vector

        def poisoned(*given: Any) -> Any:
            values = inner(*given).copy()
            values[place] += poison
            return values

        monkeypatch.setattr(sites[1], "_vector", poisoned)
    return Federation(sites, progress=False, **({"sites_per_person": 1} | about))


@pytest.mark.parametrize("secure", ["masked", "local"])
@pytest.mark.parametrize("poison", [10**6, -(10**6), 2**61, -(2**61)])
def test_a_poisoned_vector_gives_no_answer(monkeypatch: pytest.MonkeyPatch, secure: str, poison: int) -> None:
    """A vector poisoned by a million gave 1,000,195 ± 14 where there are 3,000 people."""
    sites = many(monkeypatch, poison)
    with pytest.raises(ReleaseFailedError, match="outside what any rows could give"):
        sites.release(N, pets.DP(epsilon=5), secure=secure)
    assert [site.session.remaining().spent.loss > 0 for site in sites.sites.values()] == [True] * 3
    assert not sites._answers  # and it is not kept


def test_exact_totals_too_and_a_count_is_never_below_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ReleaseFailedError, match="outside"):
        many(monkeypatch, 2 * PEOPLE - 194).release(N, TOTAL)
    with pytest.raises(ReleaseFailedError, match="outside"):
        many(monkeypatch, -196).release(N, TOTAL)
    # within the range a lie is not seen: that would need proofs of what each site sent
    assert many(monkeypatch, 2 * PEOPLE - 195).release(N, TOTAL).table["n"][0] == 2 * PEOPLE
    assert many(monkeypatch, -195).release(N, TOTAL).table["n"][0] == 0


def test_a_steps_sums_are_held_against_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model(Step("gaussian", "v", ("x",), (0.0, 0.0)), schema().fields("t"))
    bits = model.bits(2 * PEOPLE)
    assert many().iterate(N, model, TOTAL)[1][0] == 195
    for place, poison in ((1, 1), (1, -196), (2, 196 * 2**bits), (3, -196 * 2**bits)):
        with pytest.raises(ReleaseFailedError, match="outside"):
            many(monkeypatch, poison, place).iterate(N, model, TOTAL)
    check_sums(model, bits, 10, np.array([10, 10 << bits, 0, 0, -(10 << bits), 0, 0]))
    with pytest.raises(ReleaseFailedError, match="outside"):
        check_sums(model, bits, 10, np.array([9, 10 << bits, 0, 0, 0, 0, 0]))


@pytest.mark.parametrize(
    ("mechanism", "scale", "refine", "m", "low", "high"),
    [
        ("gaussian", 10.0, 1, 1, -208, 6000 + 208),  # 12 · 10 · √3, rounded up
        ("gaussian", 10.0, 3, 2, -208, 36000 + 208),  # counted in thirds, and people may be at two sites
        ("laplace", 10.0, 1, 1, -950, 6000 + 950),  # 10 · (92 + 3)
        (None, 1.0, 1, 1, 0, 6000),
    ],
)
def test_the_range_is_public_rows_and_noise(
    mechanism: Any, scale: float, refine: int, m: int, low: int, high: int
) -> None:
    roster = many(sites_per_person=m).roster
    shares = None if mechanism is None else Shares(mechanism, (scale,), (refine,), mechanism == "laplace")
    plan = make_plan(N, schema())
    for fits in (low, high):
        check_total(plan, roster, shares, 3, np.array([fits]))
    for beyond in (low - 1, high + 1):
        with pytest.raises(ReleaseFailedError, match="outside"):
            check_total(plan, roster, shares, 3, np.array([beyond]))


def test_sums_may_be_negative_and_each_block_has_a_range_of_its_own() -> None:
    plan = make_plan(pets.query("t").agg(n=pets.count(), s=pets.sum("v")), schema())
    limits = [measure.limit for measure in plan.measures]
    assert len(set(limits)) == len(limits) == 2
    kinds = [measure.kind for measure in plan.measures]
    roster = many().roster
    good = [limit if kind == "rows" else -limit for kind, limit in zip(kinds, limits, strict=True)]
    check_total(plan, roster, None, 3, np.array(good))
    for place, kind in enumerate(kinds):
        bad = list(good)
        bad[place] += 1 if kind == "rows" else -1
        with pytest.raises(ReleaseFailedError, match="outside"):
            check_total(plan, roster, None, 3, np.array(bad))
