"""Regressions and survival curves over sites against the same on pooled rows, by another route."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

import pets
from pets.errors import PolicyError, QueryError
from pets.federated import Federation, Site, SitePolicy, Totals
from pets.federated.analyst.models import _curve, glm, kaplan_meier

SCHEMA = pets.Schema(
    {
        "trial": pets.Table(
            pets.Unit("id", max_rows=1),
            {
                "id": pets.Identifier(),
                "arm": pets.Category(["control", "drug"], nullable=False),
                "age": pets.Integer(40, 60, nullable=False),
                "days": pets.Integer(0, 30, nullable=False),
                "visits": pets.Integer(0, 50, nullable=False),
                "score": pets.Real(0, 100, step=0.5),
                "died": pets.Boolean(nullable=False),
            },
        )
    },
    dataset="trial",
)


def rows(count: int = 900) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    age, drug = rng.integers(40, 61, count), rng.integers(0, 2, count)
    risk = 1 / (1 + np.exp(-(-4 + 0.07 * age - 0.6 * drug)))
    return pd.DataFrame(
        {
            "id": [f"p{i}" for i in range(count)],
            "arm": np.where(drug == 1, "drug", "control"),
            "age": age,
            "days": rng.integers(0, 31, count),
            "visits": np.minimum(rng.poisson(np.exp(-1 + 0.04 * age + 0.3 * drug)), 50),
            "score": np.clip(np.round(2 * (20 + 0.8 * age - 5 * drug + rng.normal(0, 4, count))) / 2, 0, 100),
            "died": rng.random(count) < risk,
        }
    )


ROWS = rows()


@pytest.fixture(scope="module")
def many() -> Federation:
    policy = SitePolicy.open(SCHEMA, totals=Totals(allow=True, min_cohort=1))
    sites = []
    for number in range(3):
        session = pets.Session(
            SCHEMA,
            {"trial": ROWS.iloc[number::3]},
            budget=pets.Budget(epsilon=1, delta=1e-6),
            policy=pets.Policy(allow_unbounded=True),
            progress=False,
        )
        sites.append(Site(session, policy=policy, name=f"s{number}"))
    return Federation(sites, sites_per_person=1, progress=False)


def newton(family: str, y: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Row by row, by Newton's method on the log-likelihood: another route than grouped IRLS."""
    x = np.column_stack([np.ones(len(ROWS)), ROWS["arm"] == "drug", ROWS["age"]]).astype(float)
    if family == "gaussian":
        beta, *_ = np.linalg.lstsq(x, y, rcond=None)
        variance = ((y - x @ beta) ** 2).sum() / (len(y) - 3)
        return beta, np.sqrt(np.diag(np.linalg.inv(x.T @ x)) * variance)
    beta = np.array([np.log(y.mean()), 0, 0]) if family == "poisson" else np.zeros(3)
    for _ in range(60):
        mean = np.exp(x @ beta) if family == "poisson" else 1 / (1 + np.exp(-x @ beta))
        hessian = x.T @ (x * (mean if family == "poisson" else mean * (1 - mean))[:, None])
        beta = beta + np.linalg.solve(hessian, x.T @ (y - mean))
    return beta, np.sqrt(np.diag(np.linalg.inv(hessian)))


@pytest.mark.parametrize(("family", "outcome"), [("gaussian", "score"), ("binomial", "died"), ("poisson", "visits")])
def test_a_regression_is_the_pooled_one(many: Federation, family: str, outcome: str) -> None:
    found = glm(many, "trial", outcome, ["arm", "age"], family, pets.Total())  # type: ignore[arg-type]
    beta, errors = newton(family, ROWS[outcome].to_numpy(dtype=float))
    assert found.terms == ("intercept", "arm[drug]", "age")
    assert found.rows == len(ROWS)
    assert np.abs(np.array(found.coefficients) - beta).max() < 1e-9
    assert np.abs(np.array(found.errors) - errors).max() < 1e-9
    assert list(found.table.columns) == ["coefficient", "error", "z", "low", "high"]
    assert found.release.epsilon is None
    ends = {"score": "[0, 100] in steps of 0.5", "visits": "[0, 50] in steps of 1"}
    said = ["Values of 'age' are clamped to [40, 60] in steps of 1."]
    if outcome in ends:
        said.insert(0, f"Values of {outcome!r} are clamped to {ends[outcome]}.")
    assert list(found.notes) == said


def test_a_survival_curve_is_the_pooled_one_bit_for_bit(many: Federation) -> None:
    curve = kaplan_meier(many, "trial", "days", "died", pets.Total()).table
    survival, at_risk = 1.0, len(ROWS)
    for place, day in enumerate(range(31)):
        here = ROWS[ROWS["days"] == day]
        survival *= 1 - int(here["died"].sum()) / at_risk
        assert curve["survival"][place] == survival
        assert curve["at_risk"][place] == at_risk
        at_risk -= len(here)
    lifelines = pytest.importorskip("lifelines")
    judge = lifelines.KaplanMeierFitter().fit(ROWS["days"], ROWS["died"]).survival_function_["KM_estimate"]
    assert np.abs(judge.loc[curve["time"]].to_numpy() - curve["survival"]).max() < 1e-12


def test_quantiles_and_contingency_tables_are_the_pooled_ones() -> None:
    table = pets.query("trial").group_by("arm", "died").agg(n=pets.count(), q=pets.quantile("age", 0.9))
    found = pets.testing.exact(SCHEMA, ROWS, table, engine="federated", sites=3)
    assert found.equals(pets.testing.exact(SCHEMA, ROWS, table))
    assert found["n"].sum() == len(ROWS)


def test_what_has_no_fit_is_said(many: Federation) -> None:
    with pytest.raises(PolicyError, match="standard errors"):
        glm(many, "trial", "died", ["arm"], "binomial", pets.DP(epsilon=1))
    with pytest.raises(QueryError, match="did you mean"):
        glm(many, "trial", "died", ["arm"], "binomal", pets.Total())  # type: ignore[arg-type]
    with pytest.raises(QueryError, match=r"glm has no argument|glm needs"):
        glm(many, "trial", outcom="died")  # type: ignore[call-arg]
    apart = ROWS.assign(died=ROWS["arm"] == "drug")
    alone = pets.Session(SCHEMA, {"trial": apart}, budget=pets.Budget(epsilon=1), progress=False,
                         policy=pets.Policy(allow_unbounded=True))  # fmt: skip
    with pytest.raises(QueryError, match="does not settle"):
        glm(alone, "trial", "died", ["arm"], "binomial", pets.Total())


def test_arguments_that_are_none_are_said(many: Federation) -> None:
    total = pets.Total()
    for call, why in (
        (lambda: glm(many, "trial", "died", "arm", "binomial", total), "list of column names"),
        (lambda: glm(many, "trial", "died", None, "binomial", total), "list of column names"),  # type: ignore[arg-type]
        (lambda: glm(many, "trial", "died", ["arn"], "binomial", total), "did you mean 'arm'"),
        (lambda: glm(many, "trial", "did", ["score"], "binomial", total), "did you mean 'died'"),
        (lambda: glm(many, "trial", "score", ["score", "arm"], "gaussian", total), "the outcome and a covariate"),
        (lambda: glm(many, "trial", "died", ["score"], "binomial", total, secur="x"), "did you mean 'secure'"),
        (lambda: glm("many", "trial", "died", ["arm"], "binomial", total), "a session or a federation"),  # type: ignore[arg-type]
        (lambda: kaplan_meier(None, "trial", "days", "died", total), "a session or a federation"),  # type: ignore[arg-type]
        (lambda: kaplan_meier(many, "trial", "dayz", "died", total), "did you mean 'days'"),
        (lambda: kaplan_meier(many, "trial", "arm", "died", total), "an integer column"),
        (lambda: kaplan_meier(many, "trial", "score", "died", total), "an integer column"),
    ):
        with pytest.raises(QueryError, match=why):
            call()


def test_a_noisy_curve_ends_where_nobody_is_left_and_states_no_error(many: Federation) -> None:
    # noise can bring the number at risk below 1, and above it again days later: those come after the end
    frame = pd.DataFrame({"day": [0, 1, 2, 3, 4], "n": [40, 9, -3, 5, -4], "d": [4, 12, 0, 5, 1]})
    curve = _curve(frame, "day", noisy=True)
    assert list(curve["time"]) == [0, 1]
    assert list(curve["at_risk"]) == [47, 7]
    assert list(curve["survival"]) == [1 - 4 / 47, 0.0]
    assert curve["error"].isna().all()
    assert kaplan_meier(many, "trial", "days", "died", pets.DP(epsilon=0.5)).table["error"].isna().all()
    assert kaplan_meier(many, "trial", "days", "died", pets.Total()).table["error"].notna().any()


def test_a_value_named_missing_is_a_value_where_there_are_no_nulls() -> None:
    columns = {
        "id": pets.Identifier(),
        "told": pets.Category(["missing", "yes", "no"], nullable=False),
        "days": pets.Integer(0, 30, nullable=False),
    }
    table = pets.Schema({"trial": pets.Table(pets.Unit("id", max_rows=1), columns)}, dataset="missing")
    told = ["missing", "yes", "no"]
    frame = pd.DataFrame({"id": ROWS["id"], "told": [told[i % 3] for i in range(len(ROWS))], "days": ROWS["days"]})
    session = pets.Session(
        table, {"trial": frame}, budget=pets.Budget(epsilon=1), policy=pets.Policy(allow_unbounded=True), progress=False
    )
    found = glm(session, "trial", "days", ["told"], "gaussian", pets.Total())
    means = frame.groupby("told")["days"].mean()
    assert found.rows == len(frame)
    assert found.terms == ("intercept", "told[yes]", "told[no]")
    wanted = [means["missing"], means["yes"] - means["missing"], means["no"] - means["missing"]]
    assert np.abs(np.array(found.coefficients) - wanted).max() < 1e-9
