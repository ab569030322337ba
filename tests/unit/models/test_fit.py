"""Fits without noise are those of statsmodels to ten digits; with noise, what is said of them is what there is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

import pets
from pets.common.codec import canonical
from pets.errors import QueryError, UserError
from pets.models.fit import Fit
from tests.aggregates import counts_for

COLUMNS: dict[str, Any] = {
    "age": pets.Integer(0, 120),
    "los": pets.Integer(0, 60, nullable=False),
    "bmi": pets.Real(10, 60, "0.1"),
    "dose": pets.Integer(1, 2),
    "sex": pets.Category(["F", "M"]),
    "region": pets.Category(["N", "S", "E", "W"]),
    "ward": pets.Category(["a", "b", "c"], nullable=False),
    "sick": pets.Boolean(),
    "cost": pets.Real(0, 1000, "0.5"),
    "died": pets.Boolean(nullable=False),
    "grade": pets.Integer(3, 6, nullable=False),
}
SCHEMA = pets.Schema({"p": pets.Table(pets.Unit(None), COLUMNS, people=20_000)}, dataset="fits")
MODELS = [
    "cost ~ age",
    "cost ~ age + los + bmi",
    "cost ~ sex + sick + dose",
    "cost ~ C(region)",
    "cost ~ age + C(region) + C(ward) + sick",
    "cost ~ age * los",
    "cost ~ age * sick + sex",
    "cost ~ age * C(region)",
    "cost ~ C(region) * C(ward)",
    "cost ~ age * sex * sick",
    "los ~ bmi + sex",
    "died ~ age + sick",
    "cost ~ C(grade) + age",
    "cost ~ C(dose) * age + C(region)",
    "cost ~ C(grade) * bmi + sick",
]


def people(count: int = 400, seed: int = 0, missing: float = 0.04) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": draw.integers(18, 100, count),
            "los": np.minimum(draw.poisson(6, count), 60),
            "bmi": np.round(draw.normal(27, 4, count).clip(10, 60), 1),
            "dose": draw.integers(1, 3, count),
            "sex": draw.choice(["F", "M"], count),
            "region": draw.choice(["N", "S", "E", "W"], count, p=[0.4, 0.3, 0.2, 0.1]),
            "ward": draw.choice(["a", "b", "c"], count),
            "sick": draw.random(count) < 0.3,
        }
    )
    line = 50 + 3 * frame.age + 8 * frame.los + 40 * (frame.sex == "M") - 25 * (frame.region == "S") + 60 * frame.sick
    frame["cost"] = (np.round((line + draw.normal(0, 60, count)) * 2) / 2).clip(0, 1000)
    frame["died"] = draw.random(count) < 0.002 * frame.age
    hidden = draw.random(frame.shape) < missing
    hidden[:, [1, 6, 9]] = False
    grades = np.random.default_rng(seed + 1).integers(3, 7, count)
    return frame.astype(object).mask(hidden, None).assign(grade=grades)


ROWS = people()


@dataclass
class Row:
    values: dict[str, Any]


def session(rows: pd.DataFrame = ROWS, **more: Any) -> pets.Session:
    more.setdefault("budget", pets.Budget(epsilon=1000, delta=1e-6))
    return pets.Session(SCHEMA, {"p": rows}, progress=False, **more)


def other(formula: str, rows: pd.DataFrame = ROWS, weights: Any = None) -> Any:
    """The same by statsmodels: rows that lack a value left out, the schema's first value against the others."""
    names = {name for name in COLUMNS if name in formula}
    whole = rows.dropna(subset=list(names)).copy()
    for name in names:
        domain = COLUMNS[name]
        if isinstance(domain, pets.Category) or f"C({name})" in formula:
            values = domain.values if isinstance(domain, pets.Category) else range(int(domain.lo), int(domain.hi) + 1)
            whole[name] = pd.Categorical(whole[name], categories=list(values))
        else:
            whole[name] = whole[name].astype(float)
    return smf.ols(formula, whole).fit() if weights is None else smf.wls(formula, whole, weights=weights).fit()


def in_order(fit: Fit, found: Any) -> list[int]:
    """The places of statsmodels' terms, which it calls otherwise."""
    calls = []
    for term in found.params.index:
        parts = []
        for part in term.replace("C(", "").replace(")", "").split(":"):
            name, _, value = part.partition("[T.")
            known = isinstance(COLUMNS.get(name), pets.Boolean)
            parts.append(f"{name}[{value}" if value else f"{name}[True]" if known else name)
        calls.append(
            "intercept" if term == "Intercept" else ":".join(sorted(parts, key=lambda one: one.partition("[")[0]))
        )
    return [calls.index(term) for term in fit.terms]


@pytest.mark.parametrize("formula", MODELS)
def test_exact_fits_are_those_of_statsmodels_to_ten_digits(formula: str) -> None:
    fit = session(policy=pets.Policy(allow_unbounded=True)).fit(pets.linear(formula, data="p"), pets.Total())
    found = other(formula)
    at = in_order(fit, found)
    ends = found.conf_int().to_numpy()[at]
    told = fit.table
    for name, wanted in (
        ("coefficient", found.params),
        ("error", found.bse),
        ("p", found.pvalues),
        ("low", ends[:, 0]),
        ("high", ends[:, 1]),
    ):
        wanted = np.asarray(wanted)[at] if name in ("coefficient", "error", "p") else wanted
        scale = np.abs(np.asarray(found.bse)[at]) if name in ("coefficient", "low", "high") else 0.0
        assert np.allclose(told[name], wanted, rtol=1e-10, atol=1e-10 * np.max(scale) + 1e-300), name
    assert fit.rows == found.nobs
    assert fit.residual == pytest.approx(np.sqrt(found.scale), rel=1e-10)
    assert (told.noise == 0).all() and (told.noise_share == 0).all() and np.allclose(told.sampling, told.error)
    assert np.allclose(fit.covariance.to_numpy(), found.cov_params().to_numpy()[np.ix_(at, at)], rtol=1e-8, atol=1e-9)


WEIGHTED = [
    "cost ~ age + los",
    "cost ~ age + C(region) + sick",
    "cost ~ age * C(region)",
    "cost ~ C(region) * C(ward) + los",
    "cost ~ C(grade) * sick + los",
]


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
@pytest.mark.parametrize("formula", WEIGHTED)
def test_exact_fits_of_weighted_rows_are_those_of_statsmodels(formula: str, engine: str) -> None:
    model = pets.linear(formula, data="p", weights=1.8)
    fit = session(policy=pets.Policy(allow_unbounded=True), engine=engine).fit(model, pets.Total())
    names = {name for name in COLUMNS if name in formula}
    whole = ROWS.dropna(subset=list(names))
    ((_, sums),) = model.settled(SCHEMA, pets.Total()).query.aggregates
    shares = [float(counts_for(sums, COLUMNS, Row(row))) for row in whole.to_dict("records")]  # type: ignore[arg-type]
    assert 0.1 < min(shares) < 0.8 and len({*shares}) > 10
    found = other(formula, weights=np.array(shares))
    assert np.allclose(fit.table.coefficient, np.asarray(found.params)[in_order(fit, found)], rtol=1e-9, atol=1e-9)
    assert fit.rows == pytest.approx(sum(shares), rel=1e-12)
    assert "Weighted least squares, R² = 1.8" in fit.notes[0] and "Rows by weight: " in fit.summary()
    residual = np.sum(np.array(shares) * np.asarray(found.resid) ** 2) / (sum(shares) - len(fit.terms))
    assert fit.residual == pytest.approx(np.sqrt(residual), rel=1e-9)


@pytest.mark.parametrize("weights", [1, 2])
def test_weights_that_are_alike_change_neither_the_line_nor_its_errors(weights: int) -> None:
    """R² ÷ 3 for every row, with two columns of two values: but for degrees of freedom, which are of the weights."""
    asked = session(policy=pets.Policy(allow_unbounded=True))
    fits = [asked.fit(pets.linear("cost ~ sex + sick", data="p", weights=one), pets.Total()) for one in (None, weights)]
    plain, alike = (one.table for one in fits)
    assert np.allclose(alike.coefficient, plain.coefficient, rtol=1e-12)
    n, share = fits[0].rows, fits[1].rows / fits[0].rows
    assert share == pytest.approx(weights / 3, rel=0.01)
    assert np.allclose(alike.error, plain.error * np.sqrt((n - 3) / (n - 3 / share)), rtol=1e-9)


def test_weights_are_taken_where_noise_is_and_only_there() -> None:
    model = pets.linear("cost ~ age + los + C(region) + sick", data="p")
    for protection, chosen in ((pets.DP(epsilon=1), Fraction(7, 2)), (pets.Total(), None), (pets.Exact(), None)):
        assert model.settled(SCHEMA, protection).weights == chosen
    assert model.settled(SCHEMA, pets.DP(epsilon=9)) == model.settled(SCHEMA, pets.DP(rho=0.1))
    for plain in ("cost ~ sex + sick", "cost ~ age"):
        assert pets.linear(plain, data="p").settled(SCHEMA, pets.DP(epsilon=1)).weights is None
    ordinary = pets.linear("cost ~ age + los + C(region) + sick", data="p", weights=None)
    assert ordinary.settled(SCHEMA, pets.DP(epsilon=1)) == ordinary
    asked = session(MANY)
    quotes = [asked.quote_fit(one, pets.DP(epsilon=1)) for one in (model, ordinary)]
    assert "R² = 3.5" in str(quotes[0]) and "R²" not in str(quotes[1])
    assert "R² = 3.5" in quotes[0]._repr_html_() and "R²" not in quotes[1]._repr_html_()
    fits = [asked.fit(one, pets.DP(epsilon=9)) for one in (model, ordinary)]
    assert [one.design.weights for one in fits] == [Fraction(7, 2), None]
    assert fits[0].table.noise.mean() < 0.85 * fits[1].table.noise.mean()
    assert Fit.from_json(json.loads(canonical(fits[0].to_json()))).table.equals(fits[0].table)
    assert "Weighted" not in str(fits[1]) and "weights=None" in str(fits[0])


def test_the_dummy_twin_gives_the_same_path_exactly() -> None:
    twin = session().dummy(500, seed=3)
    fit = twin.fit(pets.linear("cost ~ age + C(region)", data="p"), pets.Exact())
    assert fit.estimable and fit.release.data == "dummy" and "DUMMY" in str(fit)
    again = session().dummy(500, seed=3).fit(pets.linear("cost ~ age + C(region)", data="p"), pets.Exact())
    assert fit.table.equals(again.table)


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_conditions_computed_columns_and_bounds_are_a_question_s(engine: str) -> None:
    rows = ROWS.assign(id=[n // 2 for n in range(len(ROWS))])
    schema = pets.Schema(
        {"p": pets.Table(pets.Unit("id", max_rows=2), {"id": pets.Identifier(), **COLUMNS}, people=999)}
    )
    data = (
        pets.query("p")
        .where((pets.col("age") >= 40) & (pets.col("sex") == "F"))
        .with_columns(old=pets.col("age") - 65, far=pets.min_of(pets.col("los"), 10))
        .bound(rows=1)
    )
    asked = pets.Session(
        *(schema, {"p": rows}),
        budget=pets.Budget(epsilon=9, delta=1e-6),
        engine=engine,
        policy=pets.Policy(allow_unbounded=True),
        progress=False,
    )
    fit = asked.fit(pets.linear("cost ~ old + far", data=data), pets.Total())
    kept = pets.testing.exact(schema, {"p": rows}, data.agg(n=pets.count(where=~pets.col("cost").is_null())))
    # (another key ranks the rows: which of a person's two counts is another one)
    assert 0 < fit.rows < len(rows) / 2 and fit.rows == pytest.approx(kept["n"].iloc[0], abs=25)
    assert set(fit.coefficients) == {"intercept", "old", "far"}


def test_people_s_features_are_fitted_too() -> None:
    columns = {"id": pets.Identifier(), "cost": pets.Integer(0, 100, nullable=False), "los": pets.Integer(0, 9)}
    schema = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=4), columns, people=500)})
    draw = np.random.default_rng(1)
    ids = np.repeat(np.arange(150), draw.integers(1, 5, 150))
    rows = pd.DataFrame({"id": ids, "cost": draw.integers(0, 101, len(ids)), "los": draw.integers(0, 10, len(ids))})
    stays = pets.events("t")
    cohort = pets.people(
        of="t", n=stays.count(max=4), most=stays.max("cost"), any=stays.where(pets.col("los") > 6).exists()
    )
    asked = pets.Session(schema, {"t": rows}, budget=pets.Budget(epsilon=9), policy=pets.Policy(allow_unbounded=True))
    fit = asked.fit(pets.linear("most ~ n + any", data=cohort), pets.Total())
    whole = rows.groupby("id").agg(n=("cost", "size"), most=("cost", "max"), any=("los", lambda los: (los > 6).any()))
    found = smf.ols("most ~ n + any", whole.astype(float)).fit()
    assert np.allclose(list(fit.coefficients.values()), found.params[["Intercept", "n", "any"]], rtol=1e-10)
    assert np.allclose(fit.table.error, found.bse[["Intercept", "n", "any"]], rtol=1e-10)


# ── with noise ────────────────────────────────────────────────────────────────────────────────────────────────────────

MANY = people(6000, seed=5)
LINE = pets.linear("cost ~ age + sex + sick", data="p")


def test_with_noise_the_error_holds_both_and_says_the_share_of_each() -> None:
    fit = session(MANY).fit(LINE, pets.DP(epsilon=2))
    told, truth = fit.table, other("cost ~ age + sex + sick", MANY)
    assert np.allclose(told.error**2, told.noise**2 + told.sampling**2)
    assert np.allclose(told.noise_share, told.noise**2 / told.error**2)
    assert (told.noise_share > 0.05).all() and (told.noise_share < 1).all()
    assert np.allclose(told.high - told.coefficient, 1.959963984540054 * told.error)
    assert (np.abs(told.coefficient - np.asarray(truth.params)[in_order(fit, truth)]) < 5 * told.noise).all()
    assert np.allclose(told.sampling, np.asarray(truth.bse)[in_order(fit, truth)], rtol=0.25)
    assert fit.rows == pytest.approx(truth.nobs, abs=200) and fit.rows != truth.nobs
    assert fit.health > 4 and fit.certificate is not None


def test_the_same_model_costs_nothing_again_and_another_is_charged() -> None:
    asked = session(MANY)
    first = asked.fit(LINE, pets.DP(epsilon=1))
    left = asked.remaining().left
    assert asked.fit(LINE, pets.DP(epsilon=1)).table.equals(first.table)
    assert asked.remaining().left == left
    asked.fit(LINE, pets.DP(epsilon=1), again=True)
    assert asked.remaining().left.loss < left.loss
    assert asked.fit(LINE, pets.DP(epsilon=1), key="k").table is not None


def test_more_epsilon_makes_less_noise_in_proportion() -> None:
    asked = session(MANY)
    noise = [asked.fit(LINE, pets.DP(rho=rho)).table.noise.to_numpy() for rho in (0.5, 50)]
    assert np.allclose(noise[0] / noise[1], 10, rtol=0.1)


def test_too_few_people_for_the_noise_have_no_coefficients_and_it_is_said() -> None:
    fit = session(people(60)).fit(pets.linear("cost ~ age + los + C(region)", data="p"), pets.DP(epsilon=0.1))
    assert not fit.estimable and fit.table[["coefficient", "error", "low", "high", "p"]].isna().all(axis=None)
    assert "No coefficients" in fit.notes[0] and "No coefficients" in fit.summary()
    with pytest.raises(UserError, match="no coefficients"):
        fit.predict({"age": [40], "los": [2], "region": ["N"]})
    assert Fit.from_json(fit.to_json()).table.equals(fit.table)


def test_what_noise_cannot_tell_apart_is_named() -> None:
    rows = MANY.assign(dose=np.where(MANY.sex == "M", 2, 1))
    fit = session(rows).fit(pets.linear("cost ~ age + sex + dose", data="p"), pets.DP(epsilon=1))
    assert not fit.estimable and "'sex[M]'" in fit.notes[0] and "'dose'" in fit.notes[0]
    assert "'age'" not in fit.notes[0]


def test_exact_sums_that_determine_no_line_say_so() -> None:
    rows = ROWS.assign(dose=np.where(ROWS.sex == "M", 2, 1))
    asked = session(rows, policy=pets.Policy(allow_unbounded=True))
    fit = asked.fit(pets.linear("cost ~ age + sex + dose", data="p"), pets.Total())
    assert not fit.estimable and "do not determine one best line" in fit.notes[0] and "'dose'" in fit.notes[0]
    few = session(ROWS.dropna().head(4), policy=pets.Policy(allow_unbounded=True))
    assert "no more rows than coefficients" in few.fit(LINE, pets.Total()).notes[0]
    none = session(ROWS.head(0), policy=pets.Policy(allow_unbounded=True))
    assert not none.fit(LINE, pets.Total()).estimable


def test_a_poor_fit_is_marked() -> None:
    asked = session(people(900))
    found = [asked.fit(LINE, pets.DP(epsilon=epsilon)) for epsilon in (0.5, 1, 2, 4, 8, 16)]
    poor = [fit for fit in found if 1 <= fit.health < 4]
    assert poor and all("Noise is large" in fit.notes[0] and fit.estimable for fit in poor)
    assert not any("Noise is large" in fit.notes[0] for fit in found if fit.health >= 4)


# ── what is done with a fit ───────────────────────────────────────────────────────────────────────────────────────────


def exactly(formula: str = "cost ~ age * sick + C(region) + dose") -> Fit:
    return session(policy=pets.Policy(allow_unbounded=True)).fit(pets.linear(formula, data="p"), pets.Total())


def test_predictions_are_those_of_statsmodels() -> None:
    formula = "cost ~ age * sick + C(region) + dose"
    fit, found = exactly(formula), other(formula)
    new = people(50, seed=9, missing=0).astype({"age": float, "dose": float, "sick": float})
    assert np.allclose(fit.predict(new.assign(sick=new.sick == 1)), found.predict(new), rtol=1e-10)


def test_values_of_a_number_are_predicted_and_no_others() -> None:
    fit, found = exactly("cost ~ C(grade) * los"), other("cost ~ C(grade) * los")
    new = people(50, seed=9, missing=0).astype({"los": float, "grade": int})
    assert np.allclose(fit.predict(new), found.predict(new), rtol=1e-10)
    assert np.allclose(fit.predict(new.astype({"grade": float})), fit.predict(new), rtol=0)
    assert fit.terms[1:4] == ("grade[4]", "grade[5]", "grade[6]")
    with pytest.raises(UserError, match="holds 7, which is not one of its values"):
        fit.predict({"grade": [7], "los": [1]})
    assert Fit.from_json(json.loads(canonical(fit.to_json()))).table.equals(fit.table)


def test_a_prediction_takes_the_schema_s_bounds_and_values() -> None:
    fit = exactly()
    row: dict[str, list[Any]] = {"age": [50], "sick": [True], "region": ["S"], "dose": [2]}
    assert fit.predict(row | {"age": [500]}) == fit.predict(row | {"age": [120]})
    assert np.isnan(fit.predict(row | {"age": [None]})).all() and np.isnan(fit.predict(row | {"region": [None]})).all()
    with pytest.raises(UserError, match="no column 'dose'"):
        fit.predict({name: value for name, value in row.items() if name != "dose"})
    with pytest.raises(UserError, match="'north', which is not one of its categories"):
        fit.predict(row | {"region": ["north"]})
    with pytest.raises(UserError, match="other than numbers"):
        fit.predict(row | {"age": ["old"]})


def test_saved_and_read_again_it_is_the_same_and_an_edited_one_is_refused(tmp_path: Path) -> None:
    fit = session(MANY).fit(LINE, pets.DP(epsilon=1))
    again = Fit.load(fit.save(tmp_path / "fit.json"))
    assert again.table.equals(fit.table) and again.model == fit.model and again.certificate == fit.certificate
    form = json.loads(canonical(fit.to_json()))
    for edited in (
        form | {"model": pets.linear("cost ~ age", data="p").to_json()},
        form | {"release": form["release"] | {"values": [1, *form["release"]["values"][1:]]}},
        form | {"version": 2},
        form | {"more": 1},
        [],
        None,
    ):
        with pytest.raises(UserError):
            Fit.from_json(edited)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="cannot be read"):
        Fit.load(tmp_path / "none.json")
    with pytest.raises(UserError, match="cannot be written"):
        fit.save(tmp_path / "no" / "fit.json")
    with pytest.raises(UserError, match=r"such as 'fit\.json'"):
        fit.save(3)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"such as 'fit\.json'"):
        Fit.load(3)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"made by session\.fit"):
        Fit(pets.linear("cost ~ age", data="p"), fit.release)


def test_the_summary_names_noise_data_and_guarantee() -> None:
    fit = session(MANY).fit(LINE, pets.DP(epsilon=1))
    said = fit.summary()
    assert "cost ~ age + sex + sick" in said and "sex[M]" in said and "Rows: about" in said
    assert "contain both the choice of people and the noise" in said and fit.release.guarantee in said
    page = fit._repr_html_()
    assert "share of noise" in page and "sick[True]" in page and "<script" not in page
    assert repr(fit) == str(fit) == said


def test_rows_that_do_not_count_are_told() -> None:
    fit = session(MANY).fit(LINE, pets.DP(epsilon=1))
    (said,) = [note for note in fit.notes if "are left out" in note]
    assert all(name in said for name in ("cost", "age", "sex", "sick"))
    whole = session(MANY).fit(pets.linear("los ~ C(ward) + died", data="p"), pets.DP(epsilon=1))
    assert not any("are left out" in note for note in whole.notes)


def test_a_summary_names_what_values_are_held_against() -> None:
    fit = session(MANY).fit(pets.linear("cost ~ age + C(region) * sick + C(grade)", data="p"), pets.DP(epsilon=2))
    (said,) = [note for note in fit.notes if "are against" in note]
    assert all(one in said for one in ("region[N]", "sick[False]", "grade[3]")) and "age" not in said
    assert said in fit.summary() and said in fit._repr_html_()
    assert not {"region[N]", "sick[False]", "grade[3]"} & set(fit.terms)
    plain = session(MANY).fit(pets.linear("cost ~ age + los", data="p"), pets.DP(epsilon=2))
    assert not any("are against" in note for note in plain.notes)


def test_a_forest_plot_has_each_coefficient_with_its_interval() -> None:
    fit = session(MANY).fit(LINE, pets.DP(epsilon=1))
    drawn = json.loads(fit.chart().to_json())
    rows = [layer["data"]["values"] for layer in drawn["layer"]] if "data" in drawn["layer"][1] else None
    rows = rows or [list(part) for part in drawn["datasets"].values()]
    (found,) = [part for part in rows[:2] if len(part) > 1]
    said = fit.table
    assert [one["term"] for one in found] == list(fit.terms)[1:] and len(found) == 3
    for one in found:
        assert {name: said.loc[one["term"], name] for name in ("coefficient", "low", "high")} == {
            name: one[name] for name in ("coefficient", "low", "high")
        }
        assert one["low"] < one["coefficient"] < one["high"]
    assert fit.release.guarantee in drawn["title"]["subtitle"] and "DUMMY" not in drawn["title"]["text"]
    invented = session(MANY).dummy().fit(LINE, pets.Exact())
    assert json.loads(invented.plot().to_json())["title"]["text"].startswith("DUMMY")


# ── before anything is spent ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "formula",
    [
        "cost ~ nothing",
        "cost ~ C(age)",
        "cost ~ C(bmi)",
        "region ~ age",
        "cost ~ age + cost",
        "cost ~ age:sex",
        "cost ~ {age}",
    ],
)
def test_a_refusal_spends_nothing(formula: str) -> None:
    asked = session()
    with pytest.raises(QueryError):
        asked.fit(pets.linear(formula, data="p"), pets.DP(epsilon=1))
    assert asked.remaining().spent.loss == 0 and len(asked.history()) == 0


def test_a_quote_forecasts_the_errors_and_spends_nothing() -> None:
    """On rows that are spread as it says, evenly and independently, and coefficients about as great as it guesses."""
    draw = np.random.default_rng(2)
    count = 10_000
    even = people(count, missing=0).assign(
        age=draw.integers(0, 121, count),
        los=draw.integers(0, 61, count),
        sick=draw.random(count) < 0.5,
        region=draw.choice(["N", "S", "E", "W"], count),
    )
    line = 300 + (even.age - 60) * 2 + even.sick * 150 + (even.sex == "M") * 150 + (even.los - 30) * 2
    even["cost"] = np.rint(line + draw.uniform(-300, 300, count)).clip(0, 1000)
    asked = session(even)
    model = pets.linear("cost ~ age * sick + los + sex + C(region)", data="p")
    quote = asked.quote_fit(model, pets.DP(epsilon=3))
    assert asked.remaining().spent.loss == 0 and quote.price.epsilon == pytest.approx(3)
    fit = asked.fit(model, pets.DP(epsilon=3))
    assert quote.forecast.terms == fit.terms
    ratio = quote.table["noise_at_10000"] / fit.table.noise
    assert ((ratio > 0.75) & (ratio < 1.35)).all(), ratio
    ratio = quote.table["error_at_10000"] / fit.table.error
    assert ((ratio > 0.8) & (ratio < 2)).all(), ratio
    assert quote.forecast.health[1] == pytest.approx(fit.health, rel=0.2)
    said = str(quote)
    assert "n = 10,000" in said and "region[S]" in said and "κ" in str(asked.quote_fit(model, pets.DP(epsilon=0.1)))
    assert "error_at_1000" in quote._repr_html_()


def test_explain_tells_the_sensitivity_of_a_model_s_sums() -> None:
    said = str(session().explain(LINE.query))
    assert "sums of a regression of cost" in said and "L2 = " in said
    assert "values of 'age' are clamped to [0, 120]" in said and "R²" not in said
    weighted = pets.linear("cost ~ age + sex + sick", data="p", weights=2.5)
    assert "sums of a regression of cost on weighted rows, R² = 2.5" in str(session().explain(weighted.query))
