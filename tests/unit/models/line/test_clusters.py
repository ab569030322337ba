"""Lines where a person has several rows: exact errors are statsmodels'; under noise two releases make one."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

import pets
from pets.common.codec import canonical
from pets.errors import BudgetError, QueryError, UserError
from pets.models.fit import Fit
from tests.chance import SOURCES

pytestmark = pytest.mark.chance(0)

COLUMNS: dict[str, Any] = {
    "age": pets.Integer(0, 120),
    "bmi": pets.Real(10, 60, "0.1", nullable=False),
    "sick": pets.Boolean(nullable=False),
    "region": pets.Category(["N", "S", "E"], nullable=False),
    "cost": pets.Real(0, 1000, "0.5"),
    "died": pets.Boolean(nullable=False),
}
SCHEMA = pets.Schema(
    {"p": pets.Table(pets.Unit("id", max_rows=4, rows=4), {"id": pets.Identifier(), **COLUMNS}, people=100_000)},
    dataset="visits",
)


def visits(people: int, seed: int = 0) -> pd.DataFrame:
    """One to four rows of each person, which are alike."""
    draw = np.random.default_rng(seed)
    person = np.repeat(np.arange(people), draw.integers(1, 5, people))
    count = len(person)
    age = np.clip(draw.integers(20, 90, people)[person] + draw.integers(0, 4, count), 0, 120)
    frame = pd.DataFrame(
        {
            "id": [f"p{one}" for one in person],
            "age": age.astype(float),
            "bmi": np.round(draw.normal(27, 4, people).clip(10, 60), 1)[person],
            "sick": draw.random(count) < 0.3,
            "region": draw.choice(["N", "S", "E"], people)[person],
        }
    )
    line = 100 + 3 * frame.age + 60 * frame.sick + draw.normal(0, 60, people)[person] + draw.normal(0, 40, count)
    frame["cost"] = (np.round(line * 2) / 2).clip(0, 1000)
    frame["died"] = draw.random(count) < 0.3
    frame.loc[draw.random(count) < 0.03, "age"] = np.nan
    frame.loc[draw.random(count) < 0.03, "cost"] = np.nan
    return frame


FEW, MANY = visits(150), visits(4000, 1)
LINE = pets.linear("cost ~ age + sick", data="p")


def opened(rows: pd.DataFrame = MANY, **more: Any) -> pets.Session:
    more.setdefault("budget", pets.Budget(epsilon=100, delta=1e-6))
    return pets.Session(SCHEMA, {"p": rows}, progress=False, **more)


def exact(formula: str, rows: pd.DataFrame = FEW, **more: Any) -> Fit:
    asked = opened(rows, policy=pets.Policy(allow_unbounded=True))
    return asked.fit(pets.linear(formula, data="p", **more), pets.Total())


@pytest.mark.parametrize(
    "formula", ["cost ~ age", "cost ~ age + sick + bmi", "cost ~ age * sick", "cost ~ C(region) + bmi", "died ~ bmi"]
)
def test_exact_errors_are_those_of_statsmodels_by_cluster(formula: str) -> None:
    fit = exact(formula)
    whole = FEW.dropna(subset=[name for name in ("age", "cost") if name in formula]).copy()
    for name in ("sick", "died"):
        whole[name] = whole[name].astype(float)
    whole["region"] = pd.Categorical(whole["region"], categories=["N", "S", "E"])
    found = smf.ols(formula, whole).fit(cov_type="cluster", cov_kwds={"groups": whole["id"]}, use_t=True)
    order = sorted(range(len(found.params)), key=lambda at: _name(found.params.index[at]))
    mine = fit.table.loc[sorted(fit.terms, key=_name)]
    ends = found.conf_int().to_numpy()
    for own, other in (
        (mine["coefficient"], found.params),
        (mine["error"], found.bse),
        (mine["low"], ends[:, 0]),
        (mine["high"], ends[:, 1]),
        (mine["p"], found.pvalues),
    ):
        assert np.allclose(own.to_numpy(), np.asarray(other)[order], rtol=1e-8, atol=1e-12)
    assert fit.people == whole["id"].nunique() and fit.rows == len(whole)


def _name(term: str) -> str:
    """A term's name, whoever wrote it."""
    said = term.replace("Intercept", "intercept").replace("C(region)[T.", "region[").replace("[True]", "")
    return ":".join(sorted(said.split(":")))


def test_errors_by_row_are_too_small_here_and_those_by_person_are_not_theirs() -> None:
    alone = exact("cost ~ age", FEW.drop_duplicates("id").assign(id=lambda one: one["id"]))
    assert alone.meat is not None  # (K is 4, whatever rows there are)
    whole = FEW.dropna(subset=["age", "cost"])
    by_row = smf.ols("cost ~ age", whole).fit().bse["age"]
    assert exact("cost ~ age").table.loc["age", "error"] > 1.2 * by_row


def test_exact_errors_of_weighted_rows_are_those_of_statsmodels_without_its_small_sample() -> None:
    fit = exact("cost ~ age + bmi", weights=1)
    whole = FEW.dropna(subset=["age", "cost"])
    length = 1 + (whole.age / 60 - 1) ** 2 + (whole.bmi / 25 - 1.4) ** 2
    found = smf.wls("cost ~ age + bmi", whole, weights=np.floor(1024 / length) / 1024).fit(
        cov_type="cluster", cov_kwds={"groups": whole["id"], "use_correction": False}
    )
    groups = whole["id"].nunique()
    # (n is the sum of weights, as everywhere in a weighted line)
    small = groups / (groups - 1) * (fit.rows - 1) / (fit.rows - 3)
    own = fit.table["error"].to_numpy() / math.sqrt(small)
    assert np.allclose(own, found.bse[["Intercept", "age", "bmi"]].to_numpy(), rtol=1e-7)


def test_two_releases_cost_what_was_quoted_and_an_equal_fit_nothing() -> None:
    asked, under = opened(), pets.DP(epsilon=1)
    price = asked.quote_fit(LINE, under)
    assert "A person has up to 4 rows" in str(price) and "A person has up to 4 rows" in price._repr_html_()
    fit = asked.fit(LINE, under)
    assert fit.meat is not None and fit.estimable
    parts = [release.cost["loss"] for release in (fit.release, fit.meat)]
    assert parts[1] == pytest.approx(0.15 * sum(parts), rel=1e-4)
    assert sum(parts) == asked.remaining().spent.loss == pytest.approx(price.price.cost.loss, rel=1e-4)
    assert sum(parts) <= price.price.cost.loss
    assert asked.fit(LINE, under).table.equals(fit.table)
    assert asked.remaining().spent.loss == sum(parts)
    other = asked.fit(LINE, under, again=True)
    assert not other.table.equals(fit.table) and asked.remaining().spent.loss == pytest.approx(2 * sum(parts))


def test_nothing_is_asked_where_there_is_no_room_for_both() -> None:
    asked = opened(budget=pets.Budget(epsilon=1, delta=1e-6))
    with pytest.raises(BudgetError, match="the 2 questions of this fit"):
        asked.fit(LINE, pets.DP(epsilon=1.05))
    assert asked.remaining().spent.loss == 0
    assert asked.fit(LINE, pets.DP(epsilon=1)).meat is not None


def test_one_that_was_broken_off_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, under = opened(), pets.DP(epsilon=1)
    right = Fit.__post_init__
    monkeypatch.setattr("pets.models.linear.asked_at", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        asked.fit(LINE, under)
    monkeypatch.undo()
    spent = asked.remaining().spent.loss
    fit = asked.fit(LINE, under)
    assert fit.meat is not None and right is Fit.__post_init__
    assert asked.remaining().spent.loss == spent + fit.meat.cost["loss"] and spent == fit.release.cost["loss"]


def test_where_there_is_no_line_scores_are_not_paid_for() -> None:
    asked = opened(visits(30))
    fit = asked.fit(LINE, pets.DP(epsilon=0.1))
    assert fit.meat is None and not fit.estimable and math.isnan(fit.people)
    assert asked.remaining().spent.loss < 0.86 * asked.quote_fit(LINE, pets.DP(epsilon=0.1)).price.cost.loss
    assert "too few" in fit.notes[0] and Fit.from_json(fit.to_json()).notes == fit.notes


def test_errors_under_noise_are_by_person_and_never_below_those_by_row() -> None:
    with SOURCES.seeded("errors by person"):  # (under real noise the ratio lies between 0.75 and 1.25)
        fit = opened().fit(pets.linear("cost ~ age + bmi", data="p", weights=None), pets.DP(epsilon=90))
    exactly = exact("cost ~ age + bmi", MANY)
    ratio = fit.table["sampling"] / exactly.table["error"]
    assert ((ratio > 0.9) & (ratio < 1.15)).all()
    assert abs(fit.people - exactly.people) < 0.02 * exactly.people
    alone = fit._solved.sampling
    assert (np.diag(_turned(fit, alone)) < 0.7 * exactly.table["error"] ** 2).all()
    assert (np.diag(fit._own[2]) >= np.diag(_turned(fit, alone)) * (1 - 1e-12)).all()


def _turned(fit: Fit, one: Any) -> Any:
    from pets.models.least_squares import back

    turn, _ = back(fit.design)
    return turn @ one @ turn.T


def test_what_is_said_names_both_and_the_length() -> None:
    fit = opened().fit(LINE, pets.DP(epsilon=1))
    for text in (fit.summary(), fit._repr_html_()):
        assert "2 releases, which together are differentially private with ε = 1 and δ = 1e-06" in text
        assert "errors of sampling are by person" in text and "is shortened to a length of" in text
        assert "The line is that of the clamped values" in text
    assert "people: about" in fit.summary()
    said = exact("cost ~ age").summary()
    assert "G / (G - 1)" in said and "people: 1" in said and "Rows without a value in age, cost are left out." in said


def test_a_fit_that_was_saved_is_read_and_an_edited_one_is_not() -> None:
    asked = opened()
    fit = asked.fit(LINE, pets.DP(epsilon=1))
    form = json.loads(canonical(fit.to_json()))
    anew = json.loads(canonical(asked.fit(LINE, pets.DP(epsilon=1), again=True).to_json()))
    assert Fit.from_json(form).summary() == fit.summary() and sorted(form)[0] == "meat"
    alone = {name: part for name, part in form.items() if name != "meat"}
    other = json.loads(canonical(opened().fit(LINE, pets.DP(epsilon=1)).to_json()))
    for edited in (
        alone,
        form | {"meat": form["release"]},
        form | {"meat": other["meat"]},
        form | {"meat": anew["meat"]},
        form | {"more": 1},
    ):
        with pytest.raises(UserError):
            Fit.from_json(edited)
    with pytest.raises(UserError):
        Fit(LINE, fit.release)
    one = pets.linear("cost ~ age + sick", data=pets.query("p").bound(rows=1))
    with pytest.raises(UserError):
        Fit(one, opened().fit(one, pets.DP(epsilon=1)).release, fit.meat)


def test_such_a_line_is_averaged_over_a_population_that_is_given() -> None:
    asked = opened()
    fit = asked.fit(LINE, pets.DP(epsilon=2))
    told = fit.margins("sick", over={"age": [40, 60]})
    assert told.differences["error"].iloc[0] == pytest.approx(fit.table.loc["sick[True]", "error"])
    with pytest.raises(UserError, match=r"a data frame .* bound\(rows=1\)"):
        fit.margins("sick")
    by_region = asked.fit(pets.linear("cost ~ C(region) + sick", data="p"), pets.DP(epsilon=2))
    counted = pets.query("p").bound(rows=1).group_by("region").agg(n=pets.count())
    assert by_region.margins("sick", over=asked.release(counted, pets.DP(epsilon=1))) is not None


def test_invented_rows_are_fitted_and_say_so() -> None:
    fit = opened().dummy(500).fit(LINE, pets.Exact())
    assert fit.meat is not None and fit.people > 50 and fit.summary().startswith("DUMMY")
    assert opened().dummy(2000).fit(LINE, pets.DP(epsilon=5)).meat is not None


def test_rows_of_one_person_alone_give_no_errors() -> None:
    fit = exact("cost ~ age", pd.concat([FEW.head(3).assign(id="p0", age=[30, 40, 50], cost=[1, 3, 4])]))
    assert not fit.estimable and "fewer than two people" in fit.notes[0]


@pytest.mark.parametrize(
    "model",
    [
        pets.logistic("died ~ age", data="p"),
        pets.poisson("age ~ sick", data="p"),
        pets.kaplan_meier("age", "died", data="p"),
        pets.log_rank("age", "died", by="sick", data="p"),
        pets.cox("age", "died", ["sick"], data="p"),
    ],
    ids=lambda model: str(model.kind),
)
def test_other_models_take_one_row_of_a_person_and_say_how(model: Any) -> None:
    asked, under = opened(), pets.DP(epsilon=5)
    for verb in (asked.fit, asked.quote_fit):
        with pytest.raises(QueryError, match=r"bound\(rows=1\), or of people: data=pets.people\(of='p', …\)"):
            verb(model, under)
    assert asked.remaining().spent.loss == 0

    assert asked.quote_fit(replace(model, data=pets.query("p").bound(rows=1)), under) is not None
    rows = pets.events("p")
    features = pets.people(
        of="p",
        age=rows.max("age").fill(0),
        died=rows.where(pets.col("died").isin([True])).exists(),
        sick=rows.where(pets.col("sick").isin([True])).exists(),
    )
    assert asked.quote_fit(replace(model, data=features), under) is not None


def test_the_release_of_scores_says_the_greatest_of_its_distances() -> None:
    meat = opened().fit(LINE, pets.DP(epsilon=3)).meat
    assert meat is not None
    assert "(each ± at most " in str(meat)
    counts = opened().release(pets.query("p").agg(h=pets.histogram("age", [0, 40, 80, 121])), pets.DP(epsilon=3))
    assert "(each ± " in str(counts) and "at most " not in str(counts).partition("(each")[2].partition(")")[0]
