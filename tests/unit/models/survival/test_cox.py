"""Cox regressions without noise are those of statsmodels and lifelines; with noise, it is in every error."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import lifelines  # type: ignore[import-untyped]
import lifelines.datasets as shipped  # type: ignore[import-untyped]
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import pets
from pets.errors import QueryError, UserError
from pets.models.survival.hazards import Hazards
from pets.models.survival.partial import partial
from pets.models.survival.streams import Streams
from tests.unit.models.survival.test_curves import arms, session

SETS: dict[str, tuple[str, str, list[str]]] = {
    "rossi": ("week", "arrest", ["fin", "race", "mar", "paro"]),
    "larynx": ("time", "death", ["Stage_II", "Stage_III", "Stage_IV"]),
    "leukemia": ("t", "status", ["Rx", "sex"]),
    "gbsg2": ("time", "cens", ["horTh", "menostat", "tgrade"]),
    "kidney_transplant": ("time", "death", ["black_male", "white_male", "black_female"]),
}


def exactly(name: str) -> tuple[Hazards, pd.DataFrame, list[str]]:
    """The fit on real people, times cut to at most 500 whole numbers, and the same rows for others."""
    time, event, names = SETS[name]
    given = getattr(shipped, f"load_{name}")()
    step = max(1, int(given[time].max()) // 500 + 1)
    rows = pd.DataFrame({"time": (given[time] * (10 if name == "larynx" else 1)).round().astype(int) // step})
    rows["event"] = given[event] == 1
    columns: dict[str, Any] = {"time": pets.Integer(0, int(rows.time.max()), nullable=False)}
    columns["event"] = pets.Boolean(nullable=False)
    for column in names:
        values = sorted(map(str, given[column].unique()))
        rows[column] = given[column].astype(str)
        columns[column] = pets.Category(values, nullable=False)
    schema = pets.Schema({"t": pets.Table(pets.Unit(None), columns, people=5000)})
    asked = pets.Session(
        *(schema, {"t": rows}), budget=pets.Budget(epsilon=1), policy=pets.Policy(allow_unbounded=True), progress=False
    )
    found = asked.fit(pets.cox("time", "event", names, data="t", bins=1000), pets.Total())
    design = pd.DataFrame(
        {
            str(term): (rows[column] == value).astype(float)
            for term in found.covariates.terms
            for column, value in term.parts
        }
    )
    return found, rows.join(design), list(design)


@pytest.mark.parametrize("name", SETS)
def test_exact_fits_are_those_of_statsmodels_and_lifelines(name: str) -> None:
    found, rows, terms = exactly(name)
    other = sm.PHReg(rows.time + 1.0, rows[terms], status=rows.event.astype(int), ties="efron").fit(disp=0)
    # statsmodels stops when it is near: one more of Newton's steps, with its own score and Hessian, is its answer
    model, beta = other.model, np.asarray(other.params)
    for _ in range(6):
        beta = beta - np.linalg.solve(model.hessian(beta), model.score(beta))
    told = found.table
    assert np.allclose(told.coefficient, beta, rtol=1e-9, atol=1e-9)
    assert np.allclose(told.error, np.sqrt(np.diag(np.linalg.inv(-model.hessian(beta)))), rtol=1e-9)
    assert (told.noise == 0).all() and np.allclose(told.ratio, np.exp(beta))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = lifelines.CoxPHFitter().fit(
            rows[["time", "event", *terms]].astype(float), "time", "event", fit_options={"precision": 1e-13}
        )
    assert np.allclose(told.coefficient, theirs.params_, atol=1e-6) and found.estimable  # (it stops sooner)


def test_with_noise_every_error_holds_it() -> None:
    many = arms(20_000)
    asked = session(many, policy=pets.Policy(allow_unbounded=True))
    model = pets.cox("days", "died", "arm", data="t", edges=range(0, 101, 5))
    found, truth = asked.fit(model, pets.DP(epsilon=1)), asked.fit(model, pets.Total())
    told, exact = found.table, truth.table
    assert told.index.tolist() == ["arm[new]"]
    assert np.allclose(told.error**2, told.noise**2 + told.sampling**2) and (told.noise > 0).all()
    assert (np.abs(told.coefficient - exact.coefficient) < 5 * told.noise).all()
    assert np.allclose(told.sampling, exact.sampling, rtol=0.1)
    assert told.ratio_low.iloc[0] < 0.7 < told.ratio_high.iloc[0] and told.p.iloc[0] < 0.001
    assert "contain both" in found.summary() and any("proportional" in note for note in found.notes)
    assert found.covariance.shape == (1, 1) and found._repr_html_() and found.coefficients["arm[new]"] < 0
    spent = asked.remaining().spent
    asked.fit(pets.kaplan_meier("days", "died", "arm", data="t", edges=range(0, 101, 5)), pets.DP(epsilon=1))
    assert asked.remaining().spent == spent, "the curves of the same counts are free"


def test_the_noise_on_coefficients_is_the_derivative_s() -> None:
    draw = np.random.default_rng(0)
    design = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    left = [Streams(draw.uniform(20, 60, 6), draw.uniform(20, 90, 7), 2.0) for _ in range(4)]
    wide = np.array([1.0, 1, 0, 1, 0, 1])
    found = partial(left, design, wide)
    assert found.settled
    noise = np.zeros((2, 2))
    for at, one in enumerate(left):
        for name in ("events", "others"):
            counts, slopes = getattr(one, name), []
            for place in range(len(counts)):
                step = np.zeros(len(counts))
                step[place] = 1e-3
                ends = [
                    partial(
                        [*left[:at], replace(one, **{name: counts + by * step}), *left[at + 1 :]], design, wide
                    ).coefficients
                    for by in (1, -1)
                ]
                slopes.append((ends[0] - ends[1]) / 2e-3)
            slope = np.array(slopes).T
            noise += slope @ one.covariance(len(counts)) @ slope.T
    assert np.allclose(noise, found.noise, rtol=1e-4)


def three(count: int, rare: int, seed: int = 0) -> pets.Session:
    draw = np.random.default_rng(seed)
    place = np.where(np.arange(count) < rare, "c", draw.choice(["a", "b"], count))
    time, lost = draw.exponential(60, count), draw.uniform(20, 120, count)
    rows = pd.DataFrame({"days": np.minimum(time, lost).astype(int), "died": time <= lost, "place": place})
    columns: dict[str, Any] = {
        "days": pets.Integer(0, 119, nullable=False),
        "died": pets.Boolean(nullable=False),
        "place": pets.Category(["a", "b", "c"], nullable=False),
        "dose": pets.Real(0, 1, "0.5"),
    }
    schema = pets.Schema({"t": pets.Table(pets.Unit(None), columns, people=20_000)})
    budget = pets.Budget(epsilon=1000, delta=1e-6)
    return pets.Session(schema, {"t": rows.assign(dose=0.5)}, budget=budget, progress=False)


MODEL = pets.cox("days", "died", "place", data="t", bins=12)


def test_a_value_that_hardly_anybody_has_gets_no_coefficient_and_the_others_do() -> None:
    found = three(4000, 10).fit(MODEL, pets.DP(epsilon=0.5))
    assert np.isnan(found.coefficients["place[c]"]) and not np.isnan(found.coefficients["place[b]"])
    assert "No coefficient of place[c]" in found.notes[0] and found.estimable
    few = three(60, 5).fit(MODEL, pets.DP(epsilon=0.1))
    assert not few.estimable and "No coefficients" in few.notes[0] and few.table.coefficient.isna().all()
    assert few.summary() and few._repr_html_()
    sound = three(4000, 1000).fit(MODEL, pets.DP(epsilon=1))
    assert not np.isnan(list(sound.coefficients.values())).any()


@pytest.mark.parametrize("rare", [14, 20, 30])
def test_more_epsilon_takes_no_coefficient_away(rare: int) -> None:
    """A value of enough events, and at no time of enough people, told nothing, and the others with it."""
    asked, apart = three(6000, rare), list[bool]()
    for epsilon in (1, 2, 3, 4, 6, 9):
        found = asked.fit(MODEL, pets.DP(epsilon=epsilon))
        assert abs(found.coefficients["place[b]"]) < 0.15, epsilon
        apart.append(not np.isnan(found.coefficients["place[c]"]))
        against = pets.cox("days", "died", "place", data="t", bins=12, reference={"place": "c"})
        other = asked.fit(against, pets.DP(epsilon=epsilon))
        assert other.estimable == apart[-1]
        assert apart[-1] or "too few events or people beside the noise with place[c]" in other.notes[0]
        assert apart[-1] or "such as reference={'place': " in other.notes[0]
    assert not apart[0]


def test_an_edited_reference_does_not_load() -> None:
    found = three(4000, 1000).fit(MODEL, pets.DP(epsilon=1))
    form = found.to_json()
    for name, value in (("place", "nowhere"), ("place", True), ("dose", 1), ("days", 3)):
        model = form["model"] | {"reference": [{"column": name, "value": value}]}
        with pytest.raises(UserError, match="edited or damaged"):
            Hazards.from_json(form | {"model": model})
    again = Hazards.from_json(form | {"model": form["model"] | {"reference": [{"column": "place", "value": "b"}]}})
    assert again.coefficients["place[a]"] == pytest.approx(-found.coefficients["place[b]"])


def test_whole_numbers_are_covariates_as_they_are() -> None:
    draw = np.random.default_rng(5)
    dose = draw.integers(0, 4, 8000)
    time, lost = draw.exponential(60, 8000) / np.exp(-0.3 * dose), draw.uniform(20, 120, 8000)
    rows = pd.DataFrame({"days": np.minimum(time, lost).astype(int), "died": time <= lost, "dose": dose})
    columns = {"days": pets.Integer(0, 119), "died": pets.Boolean(), "dose": pets.Integer(0, 3)}
    schema = pets.Schema({"t": pets.Table(pets.Unit(None), columns, people=20_000)})
    asked = pets.Session(schema, {"t": rows}, budget=pets.Budget(epsilon=9, delta=1e-6), progress=False)
    found = asked.fit(pets.cox("days", "died", ["dose"], data="t"), pets.DP(epsilon=1))
    assert found.terms == ("dose",) and abs(found.coefficients["dose"] + 0.3) < 4 * found.table.error.iloc[0]


def doses(dose: Any, died: Any, time: Any = None, by: str = "dose", **more: Any) -> pets.Session:
    draw = np.random.default_rng(7)
    count = len(dose)
    time = np.minimum(draw.exponential(60, count), draw.uniform(20, 120, count)) if time is None else time
    rows = pd.DataFrame({"days": np.minimum(time, 119).astype(int), "died": died, "dose": dose})
    columns = {"days": pets.Integer(0, 119), "died": pets.Boolean(), "dose": pets.Integer(0, 3)}
    schema = pets.Schema({"t": pets.Table(pets.Unit(None), columns, people=20_000)})
    policy = pets.Policy(allow_unbounded=True)
    return pets.Session(schema, {"t": rows}, budget=pets.Budget(epsilon=99, delta=1e-6), policy=policy, progress=False)


BY_DOSE = pets.cox("days", "died", ["dose"], data="t", bins=24)


def test_a_number_with_a_rare_value_has_no_ratio_under_noise_and_its_remedy_works() -> None:
    draw = np.random.default_rng(5)
    dose, died = draw.choice(4, 6000, p=[0.96, 0.03, 0.005, 0.005]), draw.random(6000) < 0.6
    asked = doses(dose, died)
    found = asked.fit(BY_DOSE, pets.DP(epsilon=1))
    assert not found.estimable and found.table.ratio_low.isna().all()
    assert found.notes[0].startswith("No coefficients: some value of 'dose' has fewer events than 8 standard")
    assert asked.fit(BY_DOSE, pets.DP(epsilon=30)).estimable and asked.fit(BY_DOSE, pets.Total()).estimable
    nobody = doses(dose, np.zeros(6000, dtype=bool))
    assert not nobody.fit(BY_DOSE, pets.DP(epsilon=1)).estimable
    assert "epsilon" not in nobody.fit(BY_DOSE, pets.Total()).notes[0]


def test_bins_that_end_long_after_people_do_give_no_ratio_and_earlier_ones_do() -> None:
    draw = np.random.default_rng(5)
    dose, time = draw.integers(0, 4, 4000), draw.exponential(2, 4000)
    asked = doses(dose, np.ones(4000, dtype=bool), time)
    far = asked.fit(BY_DOSE, pets.DP(epsilon=1))
    assert not far.estimable and "edges that lie closer together where people leave" in far.notes[0]
    near = pets.cox("days", "died", ["dose"], data="t", edges=range(8))
    assert not asked.fit(near, pets.DP(epsilon=1)).estimable, "half of those at risk leave in a bin"
    time = draw.exponential(60, 4000)
    slow = doses(dose, time < 119, time)
    few = slow.fit(BY_DOSE, pets.DP(epsilon=0.1))
    assert not few.estimable and "less than half of the events" in few.notes[0]
    assert slow.fit(BY_DOSE, pets.DP(epsilon=2)).estimable


def test_a_pattern_leaves_the_likelihood_where_few_of_it_are_at_risk() -> None:
    events, others = np.full(6, 40.0), np.append(np.full(6, 40.0), 400)
    gone = replace(Streams(events, others, 8.0), others=np.array([300.0, 300, 300, 0, 0, 0, 0]))
    gone = replace(gone, events=np.array([40.0, 40, 40, 0, 0, 9]))  # nine who are noise
    left = [Streams(events, others, 8.0), gone]
    design, wide = np.array([[0.0], [1.0]]), np.ones(6)
    found = partial(left, design, wide)
    more = partial([left[0], replace(gone, events=np.array([40.0, 40, 40, 0, 9, 0]))], design, wide)
    assert found.settled and np.allclose(found.coefficients, more.coefficients, atol=0.02)


def test_newton_s_steps_that_end_far_out_have_not_settled() -> None:
    """All events are of one pattern: there 1 - exp(-37) is 1 to a computer, and a step has length 0."""
    for seed in range(5):
        draw = np.random.default_rng(seed)
        left = [
            Streams(draw.integers(1, 40, 12) * (1.0 * at), draw.integers(5, 60, 13).astype(float), 0.0) for at in (0, 1)
        ]
        assert not partial(left, np.array([[0.0], [1.0]]), np.zeros(12)).settled


def test_an_exact_number_that_separates_the_events_has_no_ratio() -> None:
    draw = np.random.default_rng(5)
    dose = draw.integers(0, 4, 4000)
    for only in (0, 3):
        found = doses(dose, (dose == only) & (draw.random(4000) < 0.5)).fit(BY_DOSE, pets.Total())
        assert not found.estimable and found.notes[0].endswith("do not determine them; take fewer covariates.")


def test_a_quote_forecasts_the_errors_and_spends_nothing() -> None:
    asked = three(10_000, 3333)
    quote = asked.quote_fit(MODEL, pets.DP(epsilon=1))
    assert asked.remaining().spent.loss == 0 and list(quote.table.index) == ["place[b]", "place[c]"]
    told = asked.fit(MODEL, pets.DP(epsilon=1)).table
    ratio = quote.table["error_at_10000"] / told.error
    assert ((ratio > 0.7) & (ratio < 1.6)).all(), ratio


def test_saved_and_read_again_it_is_the_same(tmp_path: Path) -> None:
    found = three(4000, 1000).fit(MODEL, pets.DP(epsilon=1))
    again = Hazards.load(found.save(tmp_path / "cox.json"))
    assert again.table.equals(found.table) and again.model == found.model
    with pytest.raises(UserError, match="not a Cox regression"):
        Hazards.from_json(found.to_json() | {"pets": "fit"})


@pytest.mark.parametrize(
    ("covariates", "says"),
    [
        ([], "name a column that tells them apart"),
        (["dose"], "a boolean or a whole number of few values"),
        (3, "by is"),
    ],
)
def test_what_is_no_covariate_is_refused_and_costs_nothing(covariates: Any, says: str) -> None:
    asked = three(50, 10)
    with pytest.raises(QueryError, match=says):
        asked.fit(pets.cox("days", "died", covariates, data="t"), pets.DP(epsilon=1))
    assert asked.remaining().spent.loss == 0
