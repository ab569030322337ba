"""Logistic and Poisson regressions: exact ones are those of statsmodels; with noise, what is said is what there is."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from sklearn.metrics import accuracy_score, d2_tweedie_score

import pets
from pets.errors import BudgetError, PolicyError, QueryError, ReleaseFailedError, UserError
from pets.models.glm.fit import GlmFit
from pets.models.glm.stepping import shares
from pets.models.regression import regression_of
from tests.unit.models.test_fit import COLUMNS, in_order, people

COLUMNS = COLUMNS | {"days": pets.Integer(5, 40, nullable=False), "falls": pets.Integer(0, 30)}
SCHEMA = pets.Schema({"p": pets.Table(pets.Unit(None), COLUMNS, people=20_000)}, dataset="glm")
EXACT = pets.Policy(allow_unbounded=True)


def rows(count: int = 600, seed: int = 1) -> pd.DataFrame:
    frame = people(count, seed)
    draw = np.random.default_rng(seed + 10)
    age = frame.age.astype(float).fillna(50)
    line = -1 + 0.02 * (age - 50) + 0.6 * (frame.sick == True) - 0.4 * (frame.region == "S")  # noqa: E712
    frame["died"] = draw.random(count) < 1 / (1 + np.exp(-line))
    frame["days"] = draw.integers(5, 41, count)
    frame["falls"] = np.minimum(draw.poisson(frame.days * np.exp(line) / 10), 30)
    return frame


ROWS = rows()
BIG = rows(12_000, 2)


def session(frame: pd.DataFrame = ROWS, **more: Any) -> pets.Session:
    more.setdefault("budget", pets.Budget(epsilon=1000, delta=1e-6))
    return pets.Session(SCHEMA, {"p": frame}, progress=False, **more)


def other(formula: str, frame: pd.DataFrame, exposure: str | None = None) -> Any:
    names = {name for name in COLUMNS if name in formula} | ({exposure} if exposure else set())
    whole = frame.dropna(subset=list(names)).copy()
    for name in names:
        domain = COLUMNS[name]
        if isinstance(domain, pets.Category):
            whole[name] = pd.Categorical(whole[name], categories=list(domain.values))
        else:
            whole[name] = whole[name].astype(float)
    family = sm.families.Binomial() if formula.startswith("died") else sm.families.Poisson()
    settings = {"exposure": whole[exposure]} if exposure else {}
    return smf.glm(formula, whole, family=family, **settings).fit(tol=1e-14, maxiter=100)


CASES = [
    ("died ~ age", None),
    ("died ~ age + los + bmi", None),
    ("died ~ sex + sick + dose", None),
    ("died ~ age + C(region) + C(ward) + sick", None),
    ("died ~ age * sick + sex", None),
    ("died ~ age * C(ward)", None),
    ("falls ~ age", None),
    ("falls ~ age + sick + C(region)", None),
    ("falls ~ age + sick + C(region)", "days"),
    ("falls ~ bmi + sex * sick", "days"),
    ("died ~ age * sex * sick", None),
    ("falls ~ los", "bmi"),
]


@pytest.mark.parametrize(("formula", "exposure"), CASES)
def test_exact_fits_are_those_of_statsmodels(formula: str, exposure: str | None) -> None:
    model: Any = pets.logistic(formula, data="p") if exposure is None and formula.startswith("died") else None
    model = model or pets.poisson(formula, data="p", exposure=exposure)
    fit = session(policy=EXACT).fit(model, pets.Total())
    found = other(formula, ROWS, exposure)
    at = in_order(fit, found)
    told = fit.table
    assert np.abs(told["coefficient"] - found.params.to_numpy()[at]).max() <= (1e-9 if exposure is None else 3e-9)
    assert np.abs(told["error"] / found.bse.to_numpy()[at] - 1).max() <= 1e-7
    assert np.abs(told["p"] - found.pvalues.to_numpy()[at]).max() <= 1e-8
    assert (told["noise"] == 0).all() and fit.rows == found.nobs and fit.exact


def test_with_little_noise_it_is_nearly_the_weighted_fit() -> None:
    found = other("died ~ age + sick + C(region)", BIG)
    fit = session(BIG).fit(pets.logistic("died ~ age + sick + C(region)", data="p", weights=None), pets.DP(epsilon=300))
    at = in_order(fit, found)
    away = (fit.table["coefficient"] - found.params.to_numpy()[at]) / fit.table["sampling"]
    assert np.abs(away).max() < 0.1 and (fit.table["noise_share"] < 0.01).all()
    assert len(fit.releases) == 5
    weighted = session(BIG).fit(
        pets.logistic("died ~ age + sick + C(region)", data="p", weights=2), pets.DP(epsilon=300)
    )
    assert (weighted.table["coefficient"] != fit.table["coefficient"]).all()
    assert any("min(1, 2 / ‖x‖²)" in note for note in weighted.notes)


MODEL = pets.logistic("died ~ age + sick", data="p")


def test_the_whole_is_charged_and_asked_again_it_costs_nothing() -> None:
    asked = session(BIG)
    quote = asked.quote_fit(MODEL, pets.DP(epsilon=1))
    first = asked.fit(MODEL, pets.DP(epsilon=1))
    spent = asked.remaining().spent.loss
    assert 0.999 * quote.price.cost.loss <= spent <= quote.price.cost.loss
    table = first.table
    assert np.allclose(table["error"] ** 2, table["noise"] ** 2 + table["sampling"] ** 2) and (table["noise"] > 0).all()
    parts = [release.cost["loss"] for release in first.releases]
    assert sum(parts) == spent and "ε = 1 and" in first.guarantee
    assert np.allclose(np.array(parts) / spent, shares(MODEL, SCHEMA), rtol=1e-3)
    assert np.allclose(np.array(parts[2:]) / parts[1], [2, 4, 8], rtol=1e-3)
    again = asked.fit(MODEL, pets.DP(epsilon=1))
    assert again.to_json()["releases"][-1]["values"] == first.to_json()["releases"][-1]["values"]
    assert asked.remaining().spent.loss == spent


def test_nothing_is_asked_where_the_whole_has_no_room() -> None:
    asked = session(BIG, budget=pets.Budget(epsilon=0.9, delta=1e-6))
    with pytest.raises(
        BudgetError, match=r"5 questions of this fit would cost ε = 1 .*room for ε = 0\.9.*nothing was spent"
    ):
        asked.fit(MODEL, pets.DP(epsilon=1))
    assert asked.remaining().spent.loss == 0 and len(asked.history()) == 0
    asked.fit(MODEL, pets.DP(epsilon=0.89))
    spent = asked.remaining().spent.loss
    asked.fit(MODEL, pets.DP(epsilon=0.89))  # for which there is no room, and which costs nothing
    assert asked.remaining().spent.loss == spent
    with pytest.raises(BudgetError):
        asked.fit(MODEL, pets.DP(epsilon=0.89), again=True)


def test_a_fit_that_was_broken_off_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = session(BIG, budget=pets.Budget(epsilon=1, delta=1e-6))
    right, count = pets.Session._sealed, []

    def breaks(self: Any, *args: Any, **more: Any) -> Any:
        count.append(1)
        if len(count) == 4:
            raise KeyboardInterrupt
        return right(self, *args, **more)

    monkeypatch.setattr(pets.Session, "_sealed", breaks)
    with pytest.raises(KeyboardInterrupt):
        asked.fit(MODEL, pets.DP(epsilon=0.99))
    monkeypatch.undo()
    assert len(asked.history()) == 3
    fit = asked.fit(MODEL, pets.DP(epsilon=0.99))
    assert fit.estimable and len(asked.history()) == 5


def test_a_key_names_a_whole_fit() -> None:
    asked = session(BIG)
    first = asked.fit(MODEL, pets.DP(epsilon=1), key="k")
    spent = asked.remaining().spent.loss
    again = asked.fit(MODEL, pets.DP(epsilon=1), key="k", again=True)
    assert [one.id for one in again.releases] != [] and asked.remaining().spent.loss == spent
    assert np.array_equal(again.releases[-1].values, first.releases[-1].values)


def test_invented_rows_are_fitted_exactly() -> None:
    invented = session().dummy(rows=2000, seed=3)
    fit = invented.fit(pets.logistic("died ~ age + sick", data="p"), pets.Exact())
    assert fit.estimable and "INVENTED" in fit.summary().upper()
    assert invented.fit(MODEL, pets.DP(epsilon=1)).releases[0].cost["loss"] == 0


def test_a_group_with_one_outcome_has_no_coefficient_and_the_others_have() -> None:
    frame = BIG.copy()
    frame.loc[frame.sick == True, "died"] = True  # noqa: E712
    fit = session(frame).fit(pets.logistic("died ~ age + sick + C(ward)", data="p"), pets.DP(epsilon=3))
    assert fit.hidden == ("sick[True]",) and any("sick[True]" in note for note in fit.notes)
    assert math.isnan(fit.coefficients["sick[True]"]) and not math.isnan(fit.coefficients["age"])
    assert fit.table.loc["sick[True]"].isna().all() and fit.table.loc["age"].notna().all()
    assert np.isnan(fit.predict_mean({"age": [40.0], "sick": [True], "ward": ["a"]})).all()
    exact = session(frame, policy=EXACT).fit(pets.logistic("died ~ sick", data="p"), pets.Total())
    assert not exact.estimable or exact.hidden == ("sick[True]",)


def test_what_cannot_be_estimated_is_said() -> None:
    few = session(BIG.head(60)).fit(MODEL, pets.DP(epsilon=0.5))
    assert not few.estimable and "too few rows for this noise" in few.notes[0] and len(few.releases) == 1
    alike = BIG.assign(died=True)
    same = session(alike).fit(MODEL, pets.DP(epsilon=1))
    assert "all outcomes are the same" in same.notes[0] and len(same.releases) == 1
    hard = session(BIG.head(1500)).fit(
        pets.logistic("died ~ age * los + bmi + C(region)", data="p"), pets.DP(epsilon=1)
    )
    assert "noise could be all" in hard.notes[0] and hard.table["coefficient"].isna().all()
    wide = session(BIG)
    with pytest.raises(QueryError, match="use a coarser step"):
        wide.fit(pets.logistic("died ~ age * los * bmi", data="p"), pets.DP(epsilon=1))
    assert wide.remaining().spent.loss == 0
    with pytest.raises(UserError, match="predicts nothing"):
        hard.predict(BIG)
    twice = session(policy=EXACT, frame=ROWS.assign(dose=np.where(ROWS.sex == "M", 2, 1)).dropna(subset=["sex"]))
    both = twice.fit(pets.logistic("died ~ sex + dose", data="p"), pets.Total())
    assert "do not determine one best fit" in both.notes[0]


def test_it_predicts_and_scores_as_others_do() -> None:
    fit = session(policy=EXACT).fit(pets.logistic("died ~ age + sick + sex", data="p"), pets.Total())
    found = other("died ~ age + sick + sex", ROWS)
    whole = ROWS.dropna(subset=["age", "sick", "sex", "died"])
    new = whole.assign(sick=whole.sick.astype(float), age=whole.age.astype(float))
    assert np.allclose(fit.predict_mean(whole), found.predict(new), rtol=1e-9)
    assert np.allclose(fit.predict_proba(whole).sum(axis=1), 1)
    assert math.isclose(fit.score(whole), accuracy_score(whole.died.astype(bool), fit.predict(whole)))
    counts = session(policy=EXACT).fit(pets.poisson("falls ~ age + sick", data="p", exposure="days"), pets.Total())
    whole = ROWS.dropna(subset=["age", "sick", "falls"])
    told = other("falls ~ age + sick", ROWS, "days")
    new = whole.assign(sick=whole.sick.astype(float), age=whole.age.astype(float))
    assert np.allclose(counts.predict(whole), told.predict(new, exposure=whole.days.astype(float)), rtol=1e-9)
    plain = session(policy=EXACT).fit(pets.poisson("falls ~ age + sick", data="p"), pets.Total())
    wanted = d2_tweedie_score(whole.falls.astype(float), plain.predict(whole), power=1)
    assert math.isclose(plain.score(whole), wanted, rel_tol=1e-9)
    with pytest.raises(UserError, match="ask predict"):
        counts.predict_proba(whole)


def test_a_fit_is_saved_and_an_edited_one_is_none(tmp_path: Path) -> None:
    fit = session(BIG).fit(pets.poisson("falls ~ age + sick", data="p", exposure="days"), pets.DP(epsilon=2))
    there = GlmFit.load(fit.save(tmp_path / "fit.json"))
    assert there.summary() == fit.summary() and there.to_json() == fit.to_json()
    assert "Coefficients of values are against sick[False]." in fit.notes
    assert "rate ratio" in fit.summary() and "<table" in fit._repr_html_()
    drawn = json.loads(fit.plot().to_json())
    (ends,) = [layer["data"]["values"] for layer in drawn["layer"] if "term" in layer["data"]["values"][0]][:1]
    assert [one["term"] for one in ends] == list(fit.terms)[1:] and fit.guarantee in drawn["title"]["subtitle"]
    assert [one["ratio_low"] for one in ends] == fit.table.ratio_low.tolist()[1:]
    form = json.loads((tmp_path / "fit.json").read_text())
    form["releases"] = form["releases"][1:]
    with pytest.raises(UserError, match="not a fit as pets wrote it"):
        GlmFit.from_json(form)
    with pytest.raises(UserError, match="not a fit as pets wrote it"):
        GlmFit.from_json({**fit.to_json(), "model": MODEL.to_json()})


def edited(fit: GlmFit) -> dict[str, list[Any]]:
    """Releases of its own model, each genuine, which are together no fit."""
    other = session(BIG).fit(MODEL, pets.DP(epsilon=1))
    mine, its = fit.to_json()["releases"], other.to_json()["releases"]
    return {
        "the last is missing": mine[:-1],
        "one in the middle is missing": [*mine[:2], *mine[3:]],
        "one is there twice": [*mine[:2], mine[1], *mine[2:-1]],
        "two are swapped": [mine[0], mine[2], mine[1], *mine[3:]],
        "its start is of another fit": [its[0], *mine[1:]],
        "its last is of another fit": [*mine[:-1], its[-1]],
        "one more": [*mine, its[-1]],
    }


def test_the_answers_of_a_fit_follow_from_one_another() -> None:
    asked = session(BIG)
    fit = asked.fit(MODEL, pets.DP(epsilon=1))
    assert GlmFit.from_json(fit.to_json()).table.equals(fit.table)
    for name, releases in edited(fit).items():
        with pytest.raises(UserError, match="not a fit as pets wrote it"):
            GlmFit.from_json({**fit.to_json(), "releases": releases})
            pytest.fail(name)
    # of the same rows: only what leads from one to the next can tell
    anew = asked.fit(MODEL, pets.DP(epsilon=1), again=True)
    for at in range(1, 5):
        with pytest.raises(UserError, match="made by session"):
            GlmFit(MODEL, (*fit.releases[:at], *anew.releases[at:]))
    exact = session(policy=EXACT).fit(MODEL, pets.Total())
    assert GlmFit.from_json(exact.to_json()).table.equals(exact.table) and len(exact.releases) > 3
    with pytest.raises(UserError, match="made by session"):
        GlmFit(MODEL, exact.releases[:-2])


def test_rows_that_change_between_the_questions_make_no_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    frame, count = BIG.copy(), []
    asked, right = session(frame), pets.Session._sealed

    def changed(self: Any, *args: Any, **more: Any) -> Any:
        count.append(1)
        if len(count) == 4:
            frame["died"] = ~frame["died"].astype(bool)
            self.refresh()
        return right(self, *args, **more)

    monkeypatch.setattr(pets.Session, "_sealed", changed)
    with pytest.raises(ReleaseFailedError, match=r"rows or sites changed .* with again=True"):
        asked.fit(MODEL, pets.DP(epsilon=1))
    assert len(count) == 4 and asked.fit(MODEL, pets.DP(epsilon=1), again=True).estimable


@pytest.mark.parametrize(
    "model",
    [
        MODEL,
        pets.logistic("died", ["age", "ward"], data=pets.query("p").where(pets.col("age") > 30), weights="4.5"),
        pets.poisson("falls ~ age * C(region)", data="p", exposure="days", weights=None),
    ],
)
def test_a_model_has_one_form(model: Any) -> None:
    assert regression_of(json.loads(json.dumps(model.to_json()))) == model
    assert type(model).from_json(model.to_json()).digest == model.digest


def test_a_person_has_one_row_and_noise_is_normal() -> None:
    with pytest.raises(PolicyError, match="Laplace"):
        session().fit(MODEL, pets.DP(epsilon=1, pure=True))
    unit = pets.Unit("id", max_rows=3, rows=3)
    many = pets.Schema({"p": pets.Table(unit, {"id": pets.Identifier(), **COLUMNS}, people=2000)}, dataset="m")
    asked = pets.Session(many, {"p": ROWS.assign(id=range(len(ROWS)))}, budget=pets.Budget(9, 1e-6), progress=False)
    with pytest.raises(QueryError, match="one row"):
        asked.fit(MODEL, pets.DP(epsilon=1))
    assert asked.fit(pets.logistic("died ~ sick", data=pets.query("p").bound(rows=1)), pets.DP(epsilon=5)).rows > 0


def test_the_quote_foresees_the_errors() -> None:
    """Of columns that are spread as it says: the noise that a fit tells is near to that foreseen."""
    draw = np.random.default_rng(0)
    count = 10_000
    frame = pd.DataFrame({"age": draw.integers(0, 121, count), "sick": draw.random(count) < 0.5})
    frame["died"] = draw.random(count) < 0.5
    for name in set(COLUMNS) - set(frame):
        frame[name] = None if COLUMNS[name].nullable else ("a" if name == "ward" else 5)
    frame["falls"] = np.minimum(draw.poisson(7.5, count), 30)
    asked = session(frame)
    for model in (MODEL, pets.poisson("falls ~ age + sick", data="p")):
        foreseen = asked.quote_fit(model, pets.DP(epsilon=1)).table
        told = asked.fit(model, pets.DP(epsilon=1)).table
        assert (np.abs(told["noise"] / foreseen["noise_at_10000"] - 1) < 0.25).all(), (told, foreseen)


def test_what_a_later_question_would_be_refused_for_is_refused_before_the_first() -> None:
    limited = session(BIG, policy=pets.Policy(max_numbers=20))
    many = pets.logistic("died ~ age + los + bmi + C(region)", data="p")
    for verb in (limited.fit, limited.quote_fit):
        with pytest.raises(PolicyError, match="this custodian's policy allows 20"):
            verb(many, pets.DP(epsilon=3))
    assert limited.remaining().spent.loss == 0 and len(limited.history()) == 0
    wide = {"y": pets.Integer(0, 3000, nullable=False), "e": pets.Integer(1, 2000, nullable=False)}
    schema = pets.Schema({"p": pets.Table(pets.Unit(None), wide | {"x": pets.Integer(0, 10)}, people=50_000)})
    frame = pd.DataFrame({"y": np.arange(90) % 9, "e": 5, "x": np.arange(90) % 10})
    asked = pets.Session(schema, frame, progress=False, budget=pets.Budget(epsilon=9, delta=1e-6), policy=EXACT)
    with pytest.raises(QueryError, match="raise its min"):
        asked.fit(pets.poisson("y ~ x", data="p", exposure="e"), pets.Total())
    assert len(asked.history()) == 0


def test_a_key_that_is_used_for_another_question_is_refused_before_anything_is_charged() -> None:
    asked = session(BIG)
    question = pets.query("p").agg(n=pets.count())
    asked.release(question, pets.DP(epsilon=0.1), key="k (3)")
    assert asked.fit(MODEL, pets.DP(epsilon=1), key="k").estimable
    assert asked.fit(MODEL, pets.DP(epsilon=1), key="k" * 128).estimable  # as long as a key may be
    spent = asked.remaining().spent.loss
    with pytest.raises(UserError):
        asked.fit(pets.logistic("died ~ age", data="p"), pets.DP(epsilon=1), key="k")
    assert asked.remaining().spent.loss == spent


def test_where_room_is_lost_on_the_way_the_fit_goes_on_later(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, count, right = session(BIG, budget=pets.Budget(epsilon=1.2, delta=1e-6)), [], pets.Session._sealed

    def crowded(self: Any, *args: Any, **more: Any) -> Any:
        count.append(1)
        if len(count) == 3:
            right(self, [pets.query("p").agg(n=pets.count())], pets.DP(epsilon=0.7), again=False, key=None)
        return right(self, *args, **more)

    monkeypatch.setattr(pets.Session, "_sealed", crowded)
    with pytest.raises(
        BudgetError, match=r"that are left .*stays charged, and the same fit goes on once there is room"
    ):
        asked.fit(MODEL, pets.DP(epsilon=1))


def test_each_step_has_its_certificate(tmp_path: Path) -> None:
    asked = pets.Session(
        SCHEMA, {"p": BIG}, progress=False, budget=pets.Budget(epsilon=9, delta=1e-6), ledger=tmp_path / "account.db"
    )
    fit = asked.fit(MODEL, pets.DP(epsilon=1))
    assert [one.subject for one in fit.certificates] == [release.digest for release in fit.releases]
