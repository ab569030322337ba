"""Regressions on covariates of many values: one masked exact total for each iteration, against pooled rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

import pets
from pets import col, testing
from pets.errors import PolicyError, QueryError, ReleaseFailedError
from pets.federated import Federation, Site, SitePolicy, TableRule, Totals
from pets.federated.analyst.models import Fit, glm
from pets.federated.messages.errors import Refused
from pets.federated.query_round.next_step import next_step
from pets.federated.query_round.regression_step import MAX_BITS, Model, Step, slack
from pets.federated.site.gate import RANGE, most_rows
from pets.plan.plan import make_plan
from pets.protection.threshold import Threshold
from pets.rows.tabulate import codes

Floats = npt.NDArray[np.float64]


def schema(people: int = 2**14) -> pets.Schema:
    columns = {
        "id": pets.Identifier(),
        "arm": pets.Category(["control", "drug"]),
        "age": pets.Real(18, 90, step=0.01),
        "bmi": pets.Real(12, 50, step=0.001, nullable=False),
        "smokes": pets.Boolean(nullable=False),
        "died": pets.Boolean(),
        "visits": pets.Integer(0, 200, nullable=False),
        "score": pets.Real(0, 100, step=0.25, nullable=False),
    }
    return pets.Schema({"trial": pets.Table(pets.Unit("id", max_rows=1), columns, people=people)}, dataset="trial")


def rows(count: int = 1500) -> pd.DataFrame:
    rng = np.random.default_rng(8)
    age, bmi = np.round(rng.uniform(18, 90, count), 2), np.round(rng.normal(27, 4, count).clip(12, 50), 3)
    drug, smokes = rng.integers(0, 2, count), rng.random(count) < 0.3
    line = -3.5 + 0.04 * age + 0.02 * bmi - 0.6 * drug + 0.5 * smokes
    frame = pd.DataFrame(
        {
            "id": [f"p{i}" for i in range(count)],
            "arm": np.where(drug == 1, "drug", "control"),
            "age": age,
            "bmi": bmi,
            "smokes": smokes,
            "died": rng.random(count) < 1 / (1 + np.exp(-line)),
            "visits": rng.poisson(np.exp(0.5 + line / 3)).clip(0, 200),
            "score": (np.round(4 * (30 + 0.5 * age - 4 * drug + rng.normal(0, 5, count))) / 4).clip(0, 100),
        }
    )
    frame["died"] = frame["died"].astype(object).where(rng.random(count) > 0.02, None)
    frame["age"] = frame["age"].where(rng.random(count) > 0.02)
    return frame


ROWS = rows()
TERMS = ("intercept", "arm[drug]", "age", "bmi", "smokes[True]")
COVARIATES = ["arm", "age", "bmi", "smokes"]


def many(data: Any = ROWS, *, rules: SitePolicy | None = None, sites: int = 3, people: int = 2**14) -> Federation:
    made, table = [], schema(people)
    for number in range(sites):
        session = pets.Session(
            table,
            {"trial": data.iloc[number::sites]},
            budget=pets.Budget(epsilon=1, delta=1e-6),
            policy=pets.Policy(allow_unbounded=True),
            progress=False,
        )
        policy = SitePolicy.open(table, totals=Totals(allow=True, min_cohort=1)) if rules is None else rules
        made.append(Site(session, policy=policy, name=f"s{number}"))
    return Federation(made, sites_per_person=1, progress=False)


def pooled(family: str, outcome: str) -> tuple[Floats, Floats, int]:
    """Newton's method in floating point on all rows, in the columns' own units."""
    frame = ROWS.dropna(subset=[outcome, "age"])
    x = np.column_stack(
        [np.ones(len(frame)), frame["arm"] == "drug", frame["age"], frame["bmi"], frame["smokes"]]
    ).astype(float)
    y = frame[outcome].to_numpy(dtype=float)
    beta = np.zeros(5)
    if family == "poisson":
        beta[0] = math.log(y.mean())
    spread = 1.0
    for _ in range(60):
        eta = x @ beta
        mean = {"gaussian": eta, "binomial": 1 / (1 + np.exp(-eta)), "poisson": np.exp(eta)}[family]
        weight = {"gaussian": np.ones_like(eta), "binomial": mean * (1 - mean), "poisson": mean}[family]
        hessian = x.T @ (x * weight[:, None])
        beta = beta + np.linalg.solve(hessian, x.T @ (y - mean))
    if family == "gaussian":
        spread = ((y - x @ beta) ** 2).sum() / (len(y) - 5)
    return beta, np.sqrt(np.diag(np.linalg.inv(hessian)) * spread), len(y)


@pytest.fixture(scope="module")
def three() -> Federation:
    return many()


@pytest.mark.parametrize(("family", "outcome"), [("gaussian", "score"), ("binomial", "died"), ("poisson", "visits")])
def test_it_is_the_pooled_fit_and_each_step_is_an_entry(three: Federation, family: Any, outcome: str) -> None:
    before = [len(site.session.history()) for site in three.sites.values()]
    found = glm(three, "trial", outcome, COVARIATES, family, pets.Total())
    beta, errors, count = pooled(family, outcome)
    assert found.terms == TERMS
    assert found.rows == count
    assert np.abs(np.array(found.coefficients) - beta).max() < 1e-9
    assert np.abs(np.array(found.errors) - errors).max() < 1e-9
    assert 2 <= found.steps == len(found.ids) <= 12
    assert found.release is None
    assert {"Values of 'age' are clamped to [18, 90] in steps of 0.01."} <= set(found.notes)
    assert len(found.notes) == 2 + (outcome != "died")  # age, bmi, and the outcome
    assert list(found.table.index) == list(TERMS)
    for site, start in zip(three.sites.values(), before, strict=True):
        log = site.session.history()
        assert len(log) == start + found.steps
        assert log["unbounded"].all()
        assert all(f"a step of {family} regression of {outcome}" in what for what in log["what"].iloc[-found.steps :])
        for one in found.ids:
            assert "unbounded" in site.certificates[one].predicate["guarantee"]


def test_few_values_are_still_one_table(three: Federation) -> None:
    found = glm(three, "trial", "died", ["arm", "smokes"], "binomial", pets.Total())
    assert found.release is not None
    assert found.ids == ()


def test_a_filter_and_dummy_data(three: Federation) -> None:
    only = glm(three, "trial", "died", ["age"], "binomial", pets.Total(), where=col("arm") == "drug")
    frame = ROWS[(ROWS["arm"] == "drug")].dropna(subset=["died", "age"])
    assert only.rows == len(frame)
    assert isinstance(glm(three.dummy(rows=300), "trial", "score", ["age"], "gaussian", pets.Exact()), Fit)


def moments(model: Model, part: pd.DataFrame, bits: int, table: pets.Schema) -> npt.NDArray[np.int64]:
    plan = make_plan(pets.query("trial").agg(n=pets.count()), table)
    whole = testing.snapshot(table, {"trial": part}, "trial")
    found: Mapping[str, Any] = codes(plan, whole, model.step.columns)
    assert all((found[name] == codes(plan, whole, [name], "polars")[name]).all() for name in model.step.columns)
    return model.moments(found, bits)


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson"])
def test_the_sums_of_sites_are_the_pooled_sums_bit_for_bit(three: Federation, family: str) -> None:
    table = schema()
    outcome = {"gaussian": "score", "binomial": "died", "poisson": "visits"}[family]
    begun = Model(Step(family, outcome, ("age", "arm"), (0.0, 0.0, 0.0)), table.fields("trial"))
    query = pets.query("trial").agg(n=pets.count())
    first, sums = three.iterate(query, begun, pets.Total())
    assert sums.tolist() == moments(begun, ROWS, begun.bits(2**14), table).tolist()
    model = replace(begun, step=next_step(begun.step, sums, first, begun.bits(2**14)))
    bits = model.bits(2**14)
    assert any(model.step.beta)
    _, sums = three.iterate(query, model, pets.Total())
    assert sums.tolist() == moments(model, ROWS, bits, table).tolist()
    whole = testing.snapshot(table, {"trial": ROWS}, "trial")
    x, y = model.design(codes(make_plan(query, table), whole, model.step.columns))
    mean, weight = model.means(x)
    exact = x.T @ (x * weight[:, None])
    above = np.triu_indices(3)
    assert np.abs(sums[1:7] / 2.0**bits - exact[above]).max() <= len(x) / 2.0 ** (bits + 1) + 1e-9
    assert np.abs(sums[7:10] / 2.0**bits - x.T @ (y - mean)).max() <= len(x) / 2.0 ** (bits + 1) + 1e-9


def test_rows_are_rounded_to_the_nearest_and_a_person_may_be_at_several_sites(three: Federation) -> None:
    table = schema()
    model = Model(Step("binomial", "died", ("age",), (0.3, -0.7)), table.fields("trial"))
    plan = make_plan(pets.query("trial").agg(n=pets.count()), table)
    found = codes(plan, testing.snapshot(table, {"trial": ROWS}, "trial"), model.step.columns)
    coarse, fine = model.moments(found, 12), model.moments(found, 45)
    # each of 1,400 rows is off by at most half a unit, up or down: 6 standard deviations of their sum
    assert np.abs(coarse[1:] - fine[1:] / 2.0**33).max() < 6 * math.sqrt(len(ROWS) / 12)
    sites = list(three.sites.values())
    shared = Federation(sites, sites_per_person=2, progress=False)
    assert most_rows(plan, shared.roster) == 2 * most_rows(plan, three.roster) == 2**15


@pytest.mark.parametrize("beta", [(0.0, 0.0, 0.0), (2.0, -3.0, 4.0), (-9.0, 9.0, 9.0)])
@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson"])
def test_no_row_adds_more_than_the_range_proof_says(family: str, beta: tuple[float, ...]) -> None:
    table = schema()
    outcome = {"gaussian": "score", "binomial": "died", "poisson": "visits"}[family]
    model = Model(Step(family, outcome, ("age", "bmi"), beta), table.fields("trial"))
    bits = model.bits(2**14)
    fields = model.fields
    for age in (0, fields["age"].cells - 1):
        for bmi in (0, fields["bmi"].cells - 1):
            for y in (0, fields[outcome].cells - 1):
                row = {"age": np.array([age]), "bmi": np.array([bmi]), outcome: np.array([y])}
                assert np.abs(model.moments(row, bits)[1:]).max() <= model.most * 2.0**bits + 1
    assert model.most * 2.0**bits * 2**14 <= RANGE
    assert bits == MAX_BITS or model.most * 2.0 ** (bits + 1) * 2**14 > RANGE * 0.999


def test_63_bits_that_are_not_enough_are_refused() -> None:
    with pytest.raises(QueryError, match="63 bits are not enough"):
        glm(many(people=2**33), "trial", "died", COVARIATES, "binomial", pets.Total())
    table = schema()
    model = Model(Step("binomial", "died", ("age",), (0.0, 0.0)), table.fields("trial"))
    with pytest.raises(QueryError, match="63 bits are not enough"):
        model.bits(2**60)
    assert slack(np.eye(2) * 100.0, 400, 40) == pytest.approx(math.sqrt(2) * 4 / 2**41)


def test_what_has_no_fit_is_said(three: Federation) -> None:
    apart = ROWS.assign(died=ROWS["age"] > 50)
    with pytest.raises(QueryError, match=r"settle|separates"):
        glm(many(apart.dropna(subset=["age"])), "trial", "died", ["age"], "binomial", pets.Total())
    same = ROWS.assign(bmi=27.0)
    with pytest.raises(QueryError, match="do not determine"):
        glm(many(same), "trial", "died", ["bmi"], "binomial", pets.Total())
    with pytest.raises(QueryError, match="boolean column"):
        glm(three, "trial", "score", ["age"], "binomial", pets.Total())
    with pytest.raises(QueryError, match="did you mean 'age'"):
        glm(three, "trial", "died", ["age", "agee"], "binomial", pets.Total())
    with pytest.raises(QueryError, match="each covariate once"):
        glm(three, "trial", "died", ["age", "age"], "binomial", pets.Total())
    alone = next(iter(three.sites.values())).session
    with pytest.raises(QueryError, match="asks a federation"):
        glm(alone, "trial", "died", ["age"], "binomial", pets.Total())
    with pytest.raises(PolicyError, match="standard errors"):
        glm(three, "trial", "died", ["age"], "binomial", pets.DP(epsilon=1))


def test_a_sites_policy_decides() -> None:
    allowed = Totals(allow=True)
    for rule, why in (
        (TableRule(aggregates=("count",)), "measure 'glm'"),
        (TableRule(columns=("age",), aggregates=("count", "glm")), "use 'died'"),
    ):
        strict = many(rules=SitePolicy(tables={"trial": rule}, totals=allowed))
        with pytest.raises(Refused, match=why):
            glm(strict, "trial", "died", ["age"], "binomial", pets.Total())
    good = many(rules=SitePolicy(tables={"trial": TableRule(("age", "died"), ("count", "glm"))}, totals=allowed))
    assert glm(good, "trial", "died", ["age"], "binomial", pets.Total()).steps > 2
    with pytest.raises(Refused, match="exact totals"):
        glm(many(rules=SitePolicy(tables={"trial": TableRule()})), "trial", "died", ["age"], "binomial", pets.Total())
    for secure in ("encrypted", "local"):
        with pytest.raises(Refused, match=r"masked|never sent"):
            glm(good, "trial", "died", ["age"], "binomial", pets.Total(), secure=secure)


def test_weights_that_pick_few_rows_are_withheld() -> None:
    """A coordinator's own coefficients cannot make the sums those of a few people."""
    table = schema()
    query = pets.query("trial").agg(n=pets.count())
    strict = many(rules=SitePolicy.open(table, totals=Totals(allow=True, min_cohort=100)))
    model = Model(Step("binomial", "died", ("age",), (0.0, 0.0)), table.fields("trial"))
    assert strict.iterate(query, model, pets.Total())[1][0] > 1000
    site = testing.snapshot(table, {"trial": ROWS.iloc[::3]}, "trial")
    found = codes(make_plan(query, table), site, model.step.columns)
    assert model.thin(found, Threshold(100, zero=True)) == ""
    steep = replace(model, step=replace(model.step, beta=(-20.0, 19.9)))  # only those near 90 weigh anything
    assert steep.thin(found, Threshold(100, zero=True)) == "few rows have most of the weight"
    with pytest.raises(Refused, match="every coefficient at zero"):
        strict.iterate(query, steep, pets.Total())
    few = many(ROWS.iloc[:36])
    wide = Model(Step("binomial", "died", ("age", "bmi", "arm", "smokes"), (0.0,) * 5), table.fields("trial"))
    with pytest.raises(ReleaseFailedError, match="withheld"):
        few.iterate(query, wide, pets.Total())


def test_regressions_on_nearly_the_same_rows_are_withheld() -> None:
    """Two sets of covariates leave out those with nulls: the sums would differ by these few people."""
    strict = many(rules=SitePolicy.open(schema(), totals=Totals(allow=True, min_cohort=50)))
    assert glm(strict, "trial", "score", ["bmi"], "gaussian", pets.Total()).rows == len(ROWS)
    with pytest.raises(ReleaseFailedError, match="withheld"):
        glm(strict, "trial", "score", ["age", "bmi"], "gaussian", pets.Total())


def test_a_step_is_canonical_and_goes_with_a_count_alone(three: Federation) -> None:
    step = Step("binomial", "died", ("age",), (0.1, -1 / 3))
    assert Step.from_json(step.to_json()) == step
    for change in ({"beta": ["nan"]}, {"beta": [0.5]}, {"covariates": [1]}, {"family": "probit"}, {"beta": ["1e9999"]}):
        with pytest.raises(QueryError):
            Step.from_json(step.to_json() | change)
    with pytest.raises(QueryError, match="does not settle"):
        replace(step, beta=(30.0, 30.0))
    model = Model(step, schema().fields("trial"))
    with pytest.raises(Refused, match="goes with a count"):
        three.iterate(pets.query("trial").agg(s=pets.sum("score")), model, pets.Total())
    with pytest.raises(Refused, match="without groups"):
        three.iterate(pets.query("trial").group_by("arm").agg(n=pets.count()), model, pets.Total())
