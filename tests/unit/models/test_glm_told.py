"""What a regression of noisy steps does not tell: fits that have not settled, and groups of one outcome."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets.errors import QueryError

COUNT = 20_000
COLUMNS: dict[str, Any] = {
    "age": pets.Integer(0, 120, nullable=False),
    "lab": pets.Integer(0, 500, nullable=False),
    "a": pets.Boolean(nullable=False),
    "b": pets.Boolean(nullable=False),
    "w": pets.Category(["p", "q", "r"], nullable=False),
    "died": pets.Boolean(nullable=False),
    "falls": pets.Integer(0, 14, nullable=False),
}
SCHEMA = pets.Schema({"t": pets.Table(pets.Unit(None), COLUMNS, people=50_000)}, dataset="told")


def rows() -> pd.DataFrame:
    draw = np.random.default_rng(0)
    frame = pd.DataFrame({"age": draw.integers(0, 121, COUNT), "a": draw.random(COUNT) < 0.5})
    frame["b"], frame["w"] = draw.random(COUNT) < 0.5, draw.choice(list("pqr"), COUNT)
    frame["lab"] = np.clip(np.rint(draw.normal(100, 40, COUNT)), 0, 500).astype(int)
    line = -1 + 0.02 * (frame.age - 50) + 0.6 * frame.a
    frame["died"] = draw.random(COUNT) < 1 / (1 + np.exp(-line))
    frame["falls"] = np.minimum(draw.poisson(2, COUNT), 14)
    return frame


ROWS = rows()


def fitted(frame: pd.DataFrame, model: Any, epsilon: float = 3) -> Any:
    asked = pets.Session(SCHEMA, {"t": frame}, progress=False, budget=pets.Budget(epsilon=100, delta=1e-6))
    return asked.fit(model, pets.DP(epsilon=epsilon))


def test_a_number_that_separates_the_outcomes_has_no_coefficient() -> None:
    fit = fitted(ROWS.assign(died=ROWS.age > 60), pets.logistic("died ~ age + a", data="t"))
    assert not fit.estimable and fit.table["coefficient"].isna().all()
    assert "have not settled" in fit.notes[0] and "'age'" in fit.notes[0] and "take the term out" in fit.notes[0]


def test_nor_has_one_whose_bounds_are_wide_and_tighter_ones_give_it() -> None:
    draw = np.random.default_rng(3)
    frame = ROWS.assign(died=draw.random(COUNT) < 1 / (1 + np.exp(1 - 0.05 * (ROWS.lab - 100))))
    fit = fitted(frame, pets.logistic("died ~ lab + a", data="t"))
    assert not fit.estimable and "State tighter bounds in the schema" in fit.notes[0]
    tight = pets.Schema(
        {"t": pets.Table(pets.Unit(None), COLUMNS | {"lab": pets.Integer(0, 220, nullable=False)}, people=50_000)}
    )
    asked = pets.Session(tight, {"t": frame}, progress=False, budget=pets.Budget(epsilon=100, delta=1e-6))
    told = asked.fit(pets.logistic("died ~ lab + a", data="t"), pets.DP(epsilon=3))
    assert told.estimable and told.table.loc["lab", "low"] < 0.05 < told.table.loc["lab", "high"]


@pytest.mark.parametrize(
    ("family", "value", "formula"), [("logistic", True, "died ~ age + a * b"), ("poisson", 0, "falls ~ age + a * b")]
)
def test_a_group_by_two_columns_with_one_outcome_has_no_product(family: str, value: Any, formula: str) -> None:
    frame, (outcome, _) = ROWS.copy(), formula.split(" ~ ")
    frame.loc[frame.a & frame.b, outcome] = value
    fit = fitted(frame, getattr(pets, family)(formula, data="t"))
    assert fit.hidden == ("a[True]:b[True]",) and math.isnan(fit.coefficients["a[True]:b[True]"])
    assert fit.table.drop("a[True]:b[True]").notna().all(axis=None)
    assert fit.covariance["a[True]:b[True]"].isna().all()
    sound = fitted(ROWS, getattr(pets, family)(formula, data="t"))
    assert sound.hidden == () and sound.estimable and not any("settled" in note for note in sound.notes)


def test_products_of_categories_are_looked_at_too() -> None:
    frame = ROWS.copy()
    frame.loc[~frame.a & (frame.w == "q"), "died"] = False
    fit = fitted(frame, pets.logistic("died ~ age + a * w", data="t"), 5)
    assert fit.hidden == ("w[q]", "a[True]:w[q]")


def test_where_the_value_that_others_are_held_against_has_one_outcome_the_intercept_is_hidden() -> None:
    frame = ROWS.copy()
    frame.loc[frame.w == "p", "died"] = True
    fit = fitted(frame, pets.logistic("died ~ age + a + w", data="t"), 8)
    assert fit.hidden == ("intercept", "w[q]", "w[r]") and not math.isnan(fit.coefficients["age"])
    assert "put another value of a category first (map lists them in its order)" in fit.notes[0]
    other = pets.query("t").with_columns(v=pets.col("w").map({"q": "q", "p": "p", "r": "r"}))
    assert fitted(frame, pets.logistic("died ~ age + v", data=other)).hidden == ("v[p]",)
    assert fit.predict({"age": [40.0], "a": [True], "w": ["q"]}).isna().all()
    other = ROWS.copy()
    other.loc[~other.a, "died"] = False
    fit = fitted(other, pets.logistic("died ~ age * a + b", data="t"), 8)
    assert fit.hidden == ("intercept", "age", "a[True]", "a[True]:age")
    assert not math.isnan(fit.coefficients["b[True]"])


def test_it_predicts_rows_that_what_is_not_given_does_not_enter_and_says_nothing_of_others() -> None:
    frame = ROWS.copy()
    frame.loc[frame.w == "q", "died"] = True
    fit = fitted(frame, pets.logistic("died ~ age + w", data="t"))
    new = {"age": [0.0, 90.0, 120.0, np.nan], "w": ["p", "q", "r", "p"]}
    assert fit.hidden == ("w[q]",) and np.isnan(fit.predict_mean(new)).tolist() == [False, True, False, True]
    assert fit.predict(new).isna().tolist() == [False, True, False, True]
    assert fit.predict(new)[0] is np.False_ and bool(fit.predict(new)[2])


def test_where_means_could_pass_the_greatest_outcome_it_is_said() -> None:
    draw = np.random.default_rng(5)
    steep = ROWS.assign(falls=np.minimum(draw.poisson(np.exp(-0.6 + 0.03 * ROWS.age)), 14))
    fit = fitted(steep, pets.poisson("falls ~ age", data="t"))
    assert "the mean may pass 14" in fit.notes[0] and "the mean may pass 14" in fit.summary()
    flat = fitted(ROWS, pets.poisson("falls ~ age", data="t"))
    assert not any("the mean may pass" in note for note in flat.notes)


def test_a_poisson_regression_of_a_boolean_is_refused_under_noise_and_costs_nothing() -> None:
    asked = pets.Session(SCHEMA, {"t": ROWS}, progress=False, budget=pets.Budget(epsilon=100, delta=1e-6))
    model = pets.poisson("died ~ age + a", data="t")
    for ask in (asked.fit, asked.quote_fit):
        with pytest.raises(QueryError, match=r"take pets\.logistic"):
            ask(model, pets.DP(epsilon=3))
    assert asked.remaining().spent.loss == 0
    exact = pets.Session(
        SCHEMA, {"t": ROWS}, policy=pets.Policy(allow_unbounded=True), budget=pets.Budget(epsilon=1), progress=False
    )
    assert exact.fit(model, pets.Total()).estimable
    assert asked.fit(pets.logistic("died ~ age + a", data="t"), pets.DP(epsilon=3)).estimable
