"""Margins: exact ones are g-computation with statsmodels by hand; under noise, all of it is in their errors."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy import stats
from statsmodels.tools.numdiff import approx_fprime_cs

import pets
from pets.errors import UserError
from pets.models.fit import Fit
from pets.models.least_squares import noisy
from pets.models.margins.result import Margins
from pets.release.estimate import noise_of
from tests.unit.models.test_glm import BIG, EXACT, SCHEMA, session

Z = 1.959963984540054
JOBS = ["student", "service", "office", "skilled", "manager", "professional"]


@cache
def shipped(name: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Real rows that ship with statsmodels, and what they are."""
    data = getattr(sm.datasets, name).load_pandas().data
    columns: dict[str, Any]
    if name == "fair":
        rows = pd.DataFrame({"affair": data.affairs > 0, "age": data.age, "married": data.yrs_married})
        rows["job"] = [JOBS[int(one) - 1] for one in data.occupation]
        rows["happy"], rows["faith"] = data.rate_marriage >= 4, data.religious.astype(int)
        columns = {"affair": pets.Boolean(nullable=False), "age": pets.Real(10, 50, "0.5", nullable=False)}
        columns |= {"married": pets.Real(0, 30, "0.5", nullable=False), "job": pets.Category(JOBS, nullable=False)}
        columns |= {"happy": pets.Boolean(nullable=False), "faith": pets.Integer(1, 4, nullable=False)}
    elif name == "spector":
        rows = pd.DataFrame({"grade": data.GRADE == 1, "gpa": data.GPA, "tuce": data.TUCE.astype(int)})
        rows["psi"] = data.PSI == 1
        columns = {"grade": pets.Boolean(nullable=False), "gpa": pets.Real(2, 4, "0.01", nullable=False)}
        columns |= {"tuce": pets.Integer(10, 30, nullable=False), "psi": pets.Boolean(nullable=False)}
    else:
        rows = pd.DataFrame({"visits": data.mdvis.astype(int), "ill": data.disea.round(1)})
        rows["limits"] = data.physlm > 0.5
        rows["plan"], rows["days"] = data.idp == 1, 100 + (np.arange(len(data)) * 37) % 266
        rows["health"] = np.select(
            [data.hlthp == 1, data.hlthf == 1, data.hlthg == 1], ["poor", "fair", "good"], "fine"
        )
        columns = {"visits": pets.Integer(0, 80, nullable=False), "ill": pets.Real(0, 60, "0.1", nullable=False)}
        columns |= {"limits": pets.Boolean(nullable=False), "plan": pets.Boolean(nullable=False)}
        columns |= {"health": pets.Category(["fine", "good", "fair", "poor"], nullable=False)}
        columns |= {"days": pets.Integer(50, 400, nullable=False)}
    return rows, columns


CASES = [
    ("fair", "logistic", "affair ~ happy + age + job + faith", "happy", None),
    ("fair", "logistic", "affair ~ happy * age + job + faith", "happy", None),
    ("fair", "logistic", "affair ~ happy + age + job", "job", None),
    ("fair", "linear", "married ~ job + happy + age", "job", None),
    ("fair", "linear", "married ~ happy * age + happy * job", "happy", None),
    ("spector", "logistic", "grade ~ psi + gpa + tuce", "psi", None),
    ("randhie", "poisson", "visits ~ plan + health + ill", "health", None),
    ("randhie", "poisson", "visits ~ plan * health + ill + limits", "plan", "days"),
]


@cache
def fitted(name: str, kind: str, formula: str, exposure: str | None = None) -> tuple[Any, Any]:
    """The fit of pets without noise, and that of statsmodels."""
    rows, columns = shipped(name)
    schema = pets.Schema({"t": pets.Table(pets.Unit(None), columns, people=50_000)}, dataset=name)
    made = {"exposure": exposure} if exposure else {}
    model = getattr(pets, kind)(formula, data="t", **made)
    fit = pets.Session(
        schema, {"t": rows}, budget=pets.Budget(epsilon=100, delta=1e-6), policy=EXACT, progress=False
    ).fit(model, pets.Total())
    return fit, by_hand(rows, columns, kind, formula, exposure)


def by_hand(rows: pd.DataFrame, columns: dict[str, Any], kind: str, formula: str, exposure: str | None) -> Any:
    rows = rows.copy()
    for column, domain in columns.items():
        if isinstance(domain, pets.Category):
            rows[column] = pd.Categorical(rows[column], categories=list(domain.values))
        else:
            rows[column] = rows[column].astype(float)
    if kind == "linear":
        return smf.ols(formula, rows).fit()
    family = sm.families.Binomial() if kind == "logistic" else sm.families.Poisson()
    more = {"exposure": rows[exposure]} if exposure else {}
    return smf.glm(formula, rows, family=family, **more).fit(tol=1e-14, maxiter=100)


def columns_at(found: Any, people: pd.DataFrame, by: str, level: Any) -> Any:
    """statsmodels' own design of these people, all with this level."""
    import patsy  # type: ignore[import-untyped]

    rows = people.assign(**{by: level})
    for name in rows:
        if rows[name].dtype == object and isinstance(rows[name].iloc[0], str):
            continue
        rows[name] = rows[name].astype(float)
    return np.asarray(patsy.dmatrix(found.model.data.model_spec, rows, return_type="dataframe"))


def inverse(kind: str, eta: Any) -> Any:
    return eta if kind == "linear" else np.exp(eta) if kind == "poisson" else 1 / (1 + np.exp(-eta))


def computed(found: Any, kind: str, designs: list[Any], weights: Any) -> tuple[Any, Any]:
    """G-computation: the mean at each level, and its covariance by a numeric derivative (complex steps)."""

    def means(beta: Any) -> Any:
        return np.array([np.sum(weights * inverse(kind, one @ beta)) / weights.sum() for one in designs])

    beta = found.params.to_numpy()
    jacobian = approx_fprime_cs(beta, means)
    return means(beta), jacobian @ found.cov_params().to_numpy() @ jacobian.T


@pytest.mark.parametrize(("name", "kind", "formula", "by", "exposure"), CASES)
def test_exact_ones_over_a_public_population_are_g_computation(
    name: str, kind: str, formula: str, by: str, exposure: str | None
) -> None:
    fit, found = fitted(name, kind, formula, exposure)
    rows, columns = shipped(name)
    people = rows.sample(40, random_state=1, replace=True).reset_index(drop=True)
    weights = np.random.default_rng(2).integers(1, 90, 40)
    told = fit.margins(by, over=people.assign(n=weights), weights="n")
    domain = columns[by]
    levels = list(domain.values) if isinstance(domain, pets.Category) else [False, True]
    means, both = computed(found, kind, [columns_at(found, people, by, one) for one in levels], weights)
    table, apart = told.table, told.differences
    assert list(table.index) == levels and table.columns[0] == told.what
    assert np.allclose(table[told.what], means, rtol=1e-8, atol=0)
    error = np.sqrt(np.diag(both))
    assert np.allclose(table["error"], error, rtol=1e-8, atol=0) and (table["noise"] == 0).all()
    z = Z if kind != "linear" else stats.t(found.df_resid).ppf(0.975)
    gap = means[1:] - means[0]
    of_gap = np.sqrt(np.diag(both)[1:] + both[0, 0] - 2 * both[0, 1:])
    assert np.allclose(apart["difference"], gap, rtol=1e-8, atol=0)
    assert np.allclose(apart["error"], of_gap, rtol=1e-8) and np.allclose(apart["high"], gap + z * of_gap, rtol=1e-6)
    assert np.allclose(told.covariance, both, rtol=1e-8, atol=1e-8 * np.diag(both).max())
    if kind == "linear":
        assert np.allclose(table["low"], means - z * error)
        with pytest.raises(UserError, match="ratios are of risks"):
            told.ratios  # noqa: B018
        return
    ratios = told.ratios
    parts = both / np.outer(means, means)
    of_log = np.sqrt(np.diag(parts)[1:] + parts[0, 0] - 2 * parts[0, 1:])
    assert np.allclose(ratios["ratio"], means[1:] / means[0]) and np.allclose(ratios["log_error"], of_log, rtol=1e-8)
    assert np.allclose(ratios["low"], means[1:] / means[0] * np.exp(-Z * of_log))
    assert np.allclose(ratios["p"], 2 * stats.norm.sf(np.abs(np.log(ratios["ratio"])) / of_log))
    if kind == "logistic":
        logit = stats.norm.ppf(0.975) * error / (means * (1 - means))
        assert np.allclose(table["high"], 1 / (1 + np.exp(-np.log(means / (1 - means)) - logit)))
    else:
        assert np.allclose(table["low"], means * np.exp(-Z * error / means))


def test_a_number_has_levels_and_another_may_be_held_against() -> None:
    fit, found = fitted("spector", "logistic", "grade ~ psi + gpa + tuce")
    people = {"psi": [True, False], "tuce": [20, 25]}
    told = fit.margins("gpa", over=people, levels=[2.5, 3, 3.5], against=3)
    designs = [columns_at(found, pd.DataFrame(people), "gpa", one) for one in (3, 2.5, 3.5)]
    assert list(told.table.index) == [3, 2.5, 3.5] and list(told.differences.index) == ["2.5 − 3", "3.5 − 3"]
    assert np.allclose(told.table["risk"], computed(found, "logistic", designs, np.ones(2))[0], rtol=1e-8)


def test_over_the_study_s_own_people_their_choice_is_in_the_errors() -> None:
    rows, columns = shipped("fair")
    schema = pets.Schema({"t": pets.Table(pets.Unit(None), columns, people=50_000)}, dataset="fair")
    asked = pets.Session(schema, {"t": rows}, budget=pets.Budget(epsilon=9, delta=1e-6), policy=EXACT, progress=False)
    formula = "affair ~ happy * job + faith"
    fit = asked.fit(pets.logistic(formula, data="t"), pets.Total())
    # (more keys than the model has columns, whose cells add up)
    count = asked.release(pets.query("t").group_by("job", "faith", "happy").agg(n=pets.count()), pets.Total())
    told = fit.margins("happy", over=count)
    found = by_hand(rows, columns, "logistic", formula, None)
    designs = [columns_at(found, rows, "happy", one) for one in (False, True)]
    means, fixed = computed(found, "logistic", designs, np.ones(len(rows)))
    each = np.array([inverse("logistic", one @ found.params.to_numpy()) for one in designs])
    both = fixed + np.cov(each, bias=True) / len(rows)
    assert np.allclose(told.table["risk"], means, rtol=1e-8)
    assert np.allclose(told.covariance, both, rtol=1e-7) and told.table["noise_share"].eq(0).all()
    assert any("6,366 people" in note for note in told.notes)


@pytest.mark.parametrize("formula", ["married ~ happy * age + job", "married ~ job * happy + age"])
@pytest.mark.parametrize("by", ["happy", "job"])
def test_a_line_s_own_people_are_in_its_sums(formula: str, by: str) -> None:
    fit, found = fitted("fair", "linear", formula)
    rows, columns = shipped("fair")
    told = fit.margins(by)
    levels = list(told.levels)
    designs = [columns_at(found, rows, by, one) for one in levels]
    means, fixed = computed(found, "linear", designs, np.ones(len(rows)))
    each = np.array([one @ found.params.to_numpy() for one in designs])
    assert np.allclose(told.table["mean"], means, rtol=1e-9)
    assert np.allclose(told.covariance, fixed + np.cov(each, bias=True) / len(rows), rtol=1e-7, atol=1e-12)
    assert columns[by] is not None and any("mean columns" in note for note in told.notes)


LINE = pets.linear("cost ~ sick * age + C(region) + sex", data="p")


@pytest.mark.parametrize("weights", [None, "3"])
def test_noise_moves_means_as_their_errors_say(weights: Any) -> None:
    """Each released sum, moved by a little, moves the means by what is in the covariance: numbers, not the formula."""
    model = pets.linear("cost ~ sick * age + C(region) + sex", data="p", weights=weights)
    fit = session(BIG).fit(model, pets.DP(epsilon=2))
    told = fit.margins("sick")
    (measure,) = fit.release.plan.measures
    deviation = noise_of(fit.release).deviation(0)
    values = [int(one) for one in fit.release.values]

    def means(moved: list[int]) -> Any:
        """Of a line through these sums, by prediction at the mean columns of the same sums."""
        solved = noisy(fit.design, measure, moved, deviation)
        other = object.__new__(Fit)
        object.__setattr__(other, "model", fit.model)
        object.__setattr__(other, "release", fit.release)
        other.__dict__["_solved"] = solved
        return Margins(other, "sick", (False, True), None)._found.means

    step = round(deviation / 1000)
    moves = []
    for at in range(len(values)):
        ends = [means([one + side * step * (at == place) for place, one in enumerate(values)]) for side in (1, -1)]
        moves.append((ends[0] - ends[1]) / (2 * step) * deviation)
    noise = np.array(moves).T @ np.array(moves)
    assert np.allclose(np.sqrt(np.diag(noise)), told.table["noise"], rtol=1e-4)
    apart = math.sqrt(noise[0, 0] + noise[1, 1] - 2 * noise[0, 1])
    assert told.differences["noise"].iloc[0] == pytest.approx(apart, rel=1e-3)
    assert (told.table["noise"] > 0).all() and told.guarantee == fit.guarantee
    assert any("weighted rows" in note for note in told.notes) == (weights is not None)


ODDS = pets.logistic("died ~ sick + C(region)", data="p")
COUNT = pets.query("p").group_by("region").agg(n=pets.count())


def noisy_pair() -> tuple[Any, Any]:
    asked = session(BIG)
    return asked.fit(ODDS, pets.DP(epsilon=1)), asked.release(COUNT, pets.DP(epsilon=0.1))


def test_the_noise_of_the_people_is_in_the_errors_and_both_are_promised() -> None:
    fit, count = noisy_pair()
    told = fit.margins("sick", over=count)
    shown = count.table[count.table["region"] != "missing"]
    weights = shown["n"].to_numpy(dtype=float)
    people = pd.DataFrame({"region": shown["region"]}).reset_index(drop=True)
    fixed = fit.margins("sick", over=people.assign(n=np.maximum(weights, 0)), weights="n")
    assert np.allclose(told.table["risk"], fixed.table["risk"])
    each = np.array([fit.predict_mean(people.assign(sick=one)) for one in (False, True)])
    away = each - told.table["risk"].to_numpy()[:, None]
    deviation = noise_of(count).deviation(0)
    beside = (away**2).sum(axis=1) * (deviation / weights.sum()) ** 2
    assert np.allclose(told.table["noise"] ** 2, fixed.table["noise"] ** 2 + beside)
    chosen = (weights * away**2).sum(axis=1) / weights.sum() ** 2
    assert np.allclose(told.table["sampling"] ** 2, fixed.table["sampling"] ** 2 + chosen)
    assert "6 releases, which together" in told.guarantee and "δ = 1e-06" in told.guarantee
    assert fixed.guarantee == fit.guarantee and "public population" in fixed.notes[0]
    total = sum(one.cost["loss"] for one in told.releases)
    assert total == sum(one.cost["loss"] for one in fit.releases) + count.cost["loss"]


def test_it_is_saved_and_an_edited_one_does_not_load(tmp_path: Path) -> None:
    fit, count = noisy_pair()
    public = {"region": ["N", "S"], "n": [2, 1]}
    for told in (
        fit.margins("sick", over=count),
        fit.margins("region", over={"sick": [True]}, levels=["N", "W"], against="W"),
        fit.margins("sick", over=public, weights="n"),
        session(BIG).fit(LINE, pets.DP(epsilon=2)).margins("age", levels=[30, 60]),
    ):
        again = pets.load(told.save(tmp_path / "margins.json"))
        assert again.table.equals(told.table) and again.summary() == told.summary()
        form = json.loads((tmp_path / "margins.json").read_bytes())
        for edit in ({"by": "region" if told.by == "sick" else "sick"}, {"levels": [1]}, {"version": 2}, {"fit": {}}):
            with pytest.raises(UserError, match="edited or damaged"):
                Margins.from_json({**form, **edit})
    with pytest.raises(UserError, match="logistic or a Poisson regression, and not averages"):
        Margins.from_json(fit.to_json())


def test_it_is_shown_as_text_page_and_chart() -> None:
    fit, count = noisy_pair()
    told = fit.margins("sick", over=count)
    said, page = told.summary(), told._repr_html_()
    for part in ("Standardised risks: died ~ sick", "True − False", "True / False", told.guarantee):
        assert part in said
    assert page.count("<table>") == 3 and "DUMMY" not in said
    row = told.ratios.iloc[0]
    drawn = json.loads(told.chart("ratios").to_json())
    bars = next(one for one in drawn["layer"] if one["mark"]["type"] == "rule" and "x2" in one["encoding"])
    assert bars["encoding"]["x"]["scale"]["type"] == "log"
    values = [one for part in [drawn, *drawn["layer"]] for one in part.get("data", {}).get("values", [])]
    values += [one for part in drawn.get("datasets", {}).values() for one in part]
    assert {"term": "True / False", "ratio": row["ratio"], "ratio_low": row["low"], "ratio_high": row["high"]} in values
    assert told.guarantee in drawn["title"]["subtitle"]
    for of in ("table", "differences"):
        assert "log" not in json.dumps(told.plot(of).to_dict()["layer"][0])
    with pytest.raises(UserError, match="'table', 'differences' or 'ratios'"):
        told.chart("levels")
    invented = session(BIG).dummy(400).fit(LINE, pets.Exact()).margins("sick")
    assert invented.summary().startswith("DUMMY") and "DUMMY" in invented.chart().to_dict()["title"]["text"]


def test_a_level_of_which_nothing_is_known_has_none() -> None:
    frame = BIG.copy()
    frame.loc[frame["region"] == "W", "died"] = True
    fit = session(frame).fit(ODDS, pets.DP(epsilon=3))
    assert fit.hidden == ("region[W]",)
    told = fit.margins("region", over={"sick": [True, False]})
    assert told.table["risk"].isna().tolist() == [False, False, False, True]
    assert np.isfinite(told.differences["high"].to_numpy()[:2]).all() and np.isnan(told.ratios["low"].iloc[2])
    assert any("NaN" in note for note in told.notes)


def test_over_sites_it_is_the_same() -> None:
    budget = pets.Budget(epsilon=90, delta=1e-6)
    many = pets.Federation(
        [pets.Session(SCHEMA, {"p": BIG.iloc[at::3]}, budget=budget, progress=False) for at in range(3)],
        progress=False,
        sites_per_person=1,
    )
    fit, count = many.fit(ODDS, pets.DP(epsilon=8)), many.release(COUNT, pets.DP(epsilon=2))
    told = fit.margins("sick", over=count)
    pooled = session(BIG).fit(ODDS, pets.DP(epsilon=50)).margins("sick", over=count)
    assert (told.differences["difference"] - pooled.differences["difference"]).abs().max() < 0.02
    assert (told.table["noise"] > 0).all()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"by": "sik"}, "no column of the model's terms; did you mean 'sick'"),
        ({"by": "sick"}, r"group_by\('region', 'age'\).*'age' is a number: count by its own values"),
        ({"by": "sick", "over": {"region": ["N"]}}, "no column 'age'"),
        ({"by": "sick", "over": {"region": ["N"], "age": [130]}}, "outside the schema's range"),
        ({"by": "sick", "over": {"region": ["N"], "age": [None]}}, "no value of 'age'"),
        ({"by": "sick", "over": {"region": ["X"], "age": [3]}}, "not one of its categories"),
        ({"by": "sick", "over": {"region": ["N"], "age": [3], "n": [0]}, "weights": "n"}, "not all 0"),
        ({"by": "sick", "over": {"region": ["N"], "age": [3]}, "weights": "m"}, "no column 'm' of weights"),
        ({"by": "sick", "over": {"region": [], "age": []}}, "from 1 to 100,000 rows"),
        ({"by": "sick", "over": 3}, "over= is a data frame"),
        ({"by": "sick", "weights": "n"}, "weights names a column"),
        ({"by": "age", "over": {"region": ["N"], "sick": [True]}}, r"levels=\[0, 120\]"),
        ({"by": "age", "over": {"region": ["N"], "sick": [True]}, "levels": [3]}, "two of its values"),
        ({"by": "age", "over": {"region": ["N"], "sick": [True]}, "levels": [3, 200]}, "from 0 to 120"),
        ({"by": "region", "over": {"age": [3], "sick": [True]}, "levels": ["N", "Q"]}, "'Q' is no value of 'region'"),
        ({"by": "region", "over": {"age": [3], "sick": [True]}, "levels": ["N"]}, "two values of 'region'"),
        ({"by": "region", "over": {"age": [3], "sick": [True]}, "against": "Q"}, "against is one of the levels"),
    ],
)
def test_what_it_cannot_be_is_said(asked: dict[str, Any], said: str) -> None:
    fit = exact_odds()
    with pytest.raises(UserError, match=said):
        fit.margins(**asked)


@cache
def exact_odds() -> Any:
    return session(policy=EXACT).fit(pets.logistic("died ~ sick + C(region) + age", data="p"), pets.Total())


def test_releases_that_do_not_tell_the_columns_are_refused() -> None:
    fit = exact_odds()
    asked = session(BIG, policy=EXACT)
    by_bins = pets.query("p").group_by(pets.col("age").bins([0, 50, 120]), "region").agg(n=pets.count())
    with pytest.raises(UserError, match="'age' is a number, so count by its own values"):
        fit.margins("sick", over=asked.release(by_bins, pets.DP(epsilon=1)))
    with pytest.raises(UserError, match="count people by 'region', 'age'"):
        fit.margins("sick", over=asked.release(pets.query("p").group_by("age").agg(n=pets.count()), pets.Total()))
    few = session(BIG.head(30)).release(COUNT, pets.DP(epsilon=0.1))
    odds, _ = noisy_pair()
    with pytest.raises(UserError, match="too few people for its noise"):
        odds.margins("sick", over=few)
    means = asked.release(pets.query("p").group_by("region").agg(m=pets.mean("age")), pets.DP(epsilon=1))
    with pytest.raises(UserError, match=r"ask for pets.count\(\) by 'region'"):
        odds.margins("sick", over=means)
    ages = asked.release(pets.query("p").group_by("age", "region").agg(n=pets.count()), pets.Total())
    assert fit.margins("sick", over=ages).table["risk"].between(0, 1).all()  # each age has its own people


def test_people_are_counted_by_a_number_or_by_its_steps_as_the_remedy_says() -> None:
    asked = session(BIG)
    data = pets.query("p").with_columns(decade=pets.col("age") // 10)
    found = []
    for name, rows, cells in (("decade", data, 13), ("age", pets.query("p"), 121)):
        fit = asked.fit(pets.logistic(f"died ~ sick + {name}", data=rows), pets.DP(epsilon=3))
        count = asked.release(rows.group_by(name).agg(n=pets.count()), pets.DP(epsilon=1))
        told = fit.margins("sick", over=count)
        assert len(told.over.weights) == cells and told.differences["noise_share"].iloc[0] < 0.3
        found.append(told.differences["difference"].iloc[0])
    assert abs(found[0] - found[1]) < 0.01


def test_of_one_column_alone_nobody_else_needs_to_be_known() -> None:
    fit = session(BIG).fit(pets.logistic("died ~ region", data="p"), pets.DP(epsilon=3))
    told = fit.margins("region")
    assert np.allclose(told.table["risk"], fit.predict_mean({"region": ["N", "S", "E", "W"]}))


def test_a_fit_without_coefficients_has_none() -> None:
    fit = session(BIG.head(40)).fit(pets.logistic("died ~ sick + sex", data="p"), pets.DP(epsilon=0.5))
    assert not fit.estimable
    with pytest.raises(UserError, match="nothing to average: No coefficients"):
        fit.margins("sick", over={"sex": ["F"]})
