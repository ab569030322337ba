"""Margins at their edges: levels of numpy, edited populations, and means that noise carries out of their range."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets.errors import UserError
from pets.models.margins.result import Margins
from tests.unit.models.test_glm import BIG, EXACT, SCHEMA, session
from tests.unit.models.test_margins import Z, exact_odds


def test_levels_of_numpy_are_the_schema_s_own_and_what_is_no_value_is_said(tmp_path: Path) -> None:
    rows = BIG.assign(dose=np.arange(len(BIG)) % 3)
    columns = {**SCHEMA.tables["p"].columns, "dose": pets.Integer(0, 2, nullable=False)}
    schema = pets.Schema({"p": pets.Table(SCHEMA.tables["p"].unit, columns, people=100_000)}, dataset="doses")
    asked = pets.Session(schema, {"p": rows}, budget=pets.Budget(epsilon=9, delta=1e-6), progress=False)
    fit = asked.fit(pets.linear("cost ~ sick + C(dose)", data="p"), pets.DP(epsilon=3))
    people = {"sick": [True, False]}
    told = fit.margins("dose", people, levels=list(rows["dose"].unique()), against=np.int64(2))
    assert [(one, type(one)) for one in told.levels] == [(2, int), (0, int), (1, int)]
    assert pets.load(told.save(tmp_path / "margins.json")).summary() == told.summary()
    sick = fit.margins("sick", levels=[np.True_, 0], against=np.False_)
    assert [*map(repr, sick.levels)] == ["False", "True"] and pets.load(sick.save(tmp_path / "sick.json")).levels
    for other in (np.array([0, 1]), pd.Series([0, 1]), [0, 1], {}, None):
        with pytest.raises(UserError, match="is no value of 'dose'; there are: 0, 1, 2"):
            fit.margins("dose", people, levels=[other, 1])
        if other is not None:
            with pytest.raises(UserError, match="against is one of the levels, such as 0, not"):
                fit.margins("dose", people, against=other)


def test_a_public_population_is_loaded_as_it_was_written_or_not_at_all() -> None:
    form = exact_odds().margins("sick", over={"region": ["N"], "age": [30]}).to_json()
    assert Margins.from_json(form).to_json() == form
    over = form["over"]
    for edit in ({"more": 1}, {"values": {**over["values"], "sex": ["F"]}}, {"weights": ["1"]}):
        with pytest.raises(UserError, match="edited or damaged"):
            Margins.from_json({**form, "over": {**over, **edit}})


@pytest.mark.parametrize("kind", ["logistic", "poisson"])
def test_means_that_noise_carries_out_of_their_range_keep_intervals_and_have_no_ratio(kind: str) -> None:
    """Cells in which there is nobody, where the mean would be greatest, count less than nobody by noise."""
    fit = exact_odds() if kind == "logistic" else exact_rates()
    count = session(BIG).release(pets.query("p").group_by("region", "age").agg(n=pets.count()), pets.DP(epsilon=1))
    told = fit.margins("sick", over=count)
    assert told.over is not None and told.over.deviation > 0
    top = 1.0 if kind == "logistic" else math.inf
    for means in ([-0.01, 0.2], [0.2, -0.01], [0.0, 0.2]):
        moved = object.__new__(Margins)
        for name in ("fit", "by", "levels", "over"):
            object.__setattr__(moved, name, getattr(told, name))
        found = replace(told._found, means=np.array(means), noise=np.diag([0.02, 0.02]) ** 2)
        moved.__dict__["_found"] = found
        at = int(np.argmin(means))
        row = moved.table.iloc[at]
        assert row["low"] == 0 and row["high"] == pytest.approx(max(means[at] + Z * row["error"], 0))
        other = moved.table.iloc[1 - at]
        assert 0 < other["low"] < 0.2 < other["high"] < top
        assert moved.ratios.isna().all(axis=None) and moved.differences.notna().all(axis=None)
        assert any("lies outside its range" in note and "more epsilon" in note for note in moved.notes)
    assert not any("outside its range" in note for note in told.notes)


@cache
def exact_rates() -> Any:
    return session(policy=EXACT).fit(pets.poisson("falls ~ sick + C(region) + age", data="p"), pets.Total())


def test_people_whose_value_is_called_missing_are_not_left_out() -> None:
    place = np.where(np.arange(len(BIG)) % 4 < 3, "missing", "here")
    columns = {**SCHEMA.tables["p"].columns, "place": pets.Category(["here", "missing"], nullable=False)}
    schema = pets.Schema({"p": pets.Table(SCHEMA.tables["p"].unit, columns, people=100_000)}, dataset="places")
    budget = pets.Budget(epsilon=9, delta=1e-6)
    asked = pets.Session(schema, {"p": BIG.assign(place=place)}, budget=budget, policy=EXACT, progress=False)
    fit = asked.fit(pets.logistic("died ~ sick + place", data="p"), pets.Total())
    count = asked.release(pets.query("p").group_by("place").agg(n=pets.count()), pets.Total())
    told = fit.margins("sick", over=count)
    people = {"place": ["here", "missing"], "n": [int((place == one).sum()) for one in ("here", "missing")]}
    assert told.over is not None and told.over.total == len(BIG)
    assert np.allclose(told.table["risk"], fit.margins("sick", over=people, weights="n").table["risk"])


def test_a_row_that_stands_for_nobody_takes_no_mean_away() -> None:
    frame = BIG.copy()
    frame.loc[frame["region"] == "W", "died"] = True
    fit = session(frame).fit(pets.logistic("died ~ sick + C(region)", data="p"), pets.DP(epsilon=3))
    assert fit.hidden == ("region[W]",)
    told = fit.margins("sick", over={"region": ["N", "W", "S"], "n": [2, 0, 1]}, weights="n")
    without = fit.margins("sick", over={"region": ["N", "S"], "n": [2, 1]}, weights="n")
    assert told.table.notna().all(axis=None) and np.allclose(told.table, without.table, rtol=1e-12)
    assert fit.margins("sick", over={"region": ["N", "W"]}).table["risk"].isna().all()


NULLS = {
    "id": pets.Identifier(),
    "age": pets.Integer(0, 120, null=["999", "0"]),
    "sex": pets.Category(["f", "m"], null=["u"]),
    "sick": pets.Boolean(null=["2"]),
    "y": pets.Boolean(nullable=False),
}


def test_what_the_schema_declares_to_mean_null_is_no_value_of_new_rows_either() -> None:
    """It is none in the table that a model is fitted to: 999 is no age of 120."""
    schema = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=1), NULLS)}, dataset="nulls")
    draw, n = np.random.default_rng(1), 2000
    rows = pd.DataFrame({"id": range(n), "age": draw.integers(1, 121, n), "sex": draw.choice(["f", "m", "u"], n)})
    rows["sick"], rows["y"] = draw.choice(["true", "false", "2"], n), draw.random(n) < 0.4
    rows.loc[:200, "age"] = 999
    allowed = pets.Policy(allow_unbounded=True)
    asked = pets.Session(schema, rows, budget=pets.Budget(9, 1e-6), policy=allowed, progress=False)
    odds = asked.fit(pets.logistic("y ~ age + sex + sick", data="t"), pets.Total())
    assert odds.rows == ((rows.age != 999) & (rows.sex != "u") & (rows.sick != "2")).sum()
    network = asked.train(pets.classifier("y", ["age", "sex", "sick"], data="t", steps=3), pets.DP(epsilon=1))
    for ages in ([50, 999, 0, 120, 50, 50], [50.0, 999.0, 0.0, 120.0, 50.0, 50.0], [50, "999", "0", 120, 50, 50]):
        given = {"age": ages, "sex": ["f", "f", "f", "f", "u", "f"], "sick": [True, True, False, True, True, 2]}
        for model in (odds, network):
            assert np.isnan(model.predict_proba(given)[:, 0]).tolist() == [False, True, True, False, True, True]
    line = asked.fit(pets.linear("age ~ sex", data="t"), pets.Total())
    wanted = line.score({"age": [30, 40], "sex": ["f", "m"]})
    assert line.score({"age": [30, 999, 40], "sex": ["f", "f", "m"]}) == wanted
    with pytest.raises(UserError, match="no value of 'sex'"):
        odds.margins("age", over={"sex": ["f", "u"], "sick": [True, True]}, levels=[40, 50])
    with pytest.raises(UserError, match="0 means no value of 'age' in the schema; give other levels"):
        odds.margins("age", over={"sex": ["f"], "sick": [True]}, levels=[40, 0])


def test_a_release_that_computes_a_column_otherwise_is_no_population() -> None:
    """Though it has the model's name for it, and values that the model knows."""
    data = pets.query("p")
    asked = session(BIG)

    def counted(by: str, steps: int, **more: Any) -> pets.Release:
        rows = data.with_columns(**{"tens": pets.col("age") // steps}, **more)
        return asked.release(rows.group_by(by).agg(n=pets.count()), pets.DP(epsilon=9))

    rows = data.with_columns(tens=pets.col("age") // 10).with_columns(half=pets.col("tens") // 2)
    fit = asked.fit(pets.logistic("died ~ half + sick", data=rows), pets.DP(epsilon=20))
    twice = {"half": pets.col("tens") // 2}
    good = fit.margins("sick", over=counted("half", 10, **twice))
    assert Margins.from_json(good.to_json()).table.equals(good.table)
    for other in (counted("half", 20, **twice), counted("half", 10, half=pets.col("tens") // 4)):
        with pytest.raises(UserError, match="computes 'half' otherwise than the model's rows"):
            fit.margins("sick", over=other)
        with pytest.raises(UserError, match="ask for the original file"):
            Margins.from_json(good.to_json() | {"over": {"release": other.to_json()}})


def test_two_columns_of_one_name_are_none() -> None:
    fit = exact_odds()
    names = ["age", "age", "region", "sick", "n", "n"]
    twice = pd.DataFrame([[30, 40, "N", True, 1, 2]], columns=names)
    judged = pd.DataFrame([[30, "N", True, True, True]], columns=["age", "region", "sick", "died", "died"])
    for ask in (
        lambda: fit.predict_proba(twice),
        lambda: fit.margins("region", over=twice),
        lambda: fit.margins("age", over=twice, weights="n", levels=[30, 40]),
        lambda: fit.score(judged),
    ):
        with pytest.raises(UserError, match=r"several columns '(age|n|died)'; leave one of them"):
            ask()
