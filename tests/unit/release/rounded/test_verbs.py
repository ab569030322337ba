"""What is computed of rounded tables: rates, sums and means hold those of the exact counts, and tell no more."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets import col
from pets.errors import QueryError
from pets.release.rounded.averages import _least_mean
from pets.release.rounded.rounded_table import ProtectedGrid, RoundedTable
from pets.release.rounded.standardised import Between, ends, reaches
from pets.release.standardise import byar, interval
from tests.grids import POLICY, SCHEMA, T, opened

BANDS = col("age").bins([0, 40, 65, 99], "band")
WEIGHTS = {"[0, 40)": 50, "[40, 65)": 30, "[65, 99]": 20}
N = pets.count()


def people(count: int = 700, seed: int = 4) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    found = {"id": [f"i{n}" for n in range(count)], "sex": draw.choice(["F", "M"], count, p=[0.8, 0.2])}
    found |= {"region": draw.choice(["N", "S", "E"], count, p=[0.6, 0.3, 0.1]), "age": draw.integers(0, 100, count)}
    return pd.DataFrame(found | {"born": "1990-01-01"})


@pytest.fixture(scope="module", params=["hes", "ons_10_5", "midpoint6"])
def grid(request: pytest.FixtureRequest) -> tuple[pets.Session, pets.SDC, pd.DataFrame]:
    rows, rule = people(), pets.SDC(request.param)
    session = opened(rows)
    session.name_grid(T.group_by("sex", "region", BANDS).agg(n=N), rule)
    return session, rule, rows


def test_a_rate_holds_dobsons_interval_of_the_exact_counts(grid: Any) -> None:
    session, rule, rows = grid
    table = session.release(T.group_by("sex", BANDS).agg(cases=pets.count(col("region") == "E"), n=N), rule)
    found = table.standardise("cases", "n", by="band", population=WEIGHTS, per=1)
    assert found.attrs["standard"] == "the weights given" and list(found.columns) == [
        "sex",
        "rate",
        "rate_low",
        "rate_high",
    ]
    share = np.array(list(WEIGHTS.values())) / 100
    band = pd.cut(rows["age"], [-1, 39, 64, 99], labels=list(WEIGHTS))
    for sex, low, high in zip(found["sex"], found["rate_low"], found["rate_high"], strict=True):
        mine = rows[rows["sex"] == sex]
        exact = [
            mine.groupby(band, observed=False).size(),
            mine[mine["region"] == "E"].groupby(band, observed=False).size(),
        ]
        n, x = (one.to_numpy(dtype=float) for one in exact)
        rate, down, up = interval(x, n, share, (0.0, 0.0), 0.95)
        assert low <= down <= rate <= up <= high


def test_public_people_are_not_rounded(grid: Any) -> None:
    session, rule, _ = grid
    table = session.release(T.where(col("region") == "N").group_by(BANDS).agg(cases=N), rule)
    known = dict.fromkeys(WEIGHTS, 10_000)
    (row,) = table.standardise("cases", known, by="band", population=WEIGHTS, per=1).to_dict("records")
    counts = table.table
    assert row["rate"] == pytest.approx(
        sum(w / 100 * x / 1e4 for w, x in zip(WEIGHTS.values(), counts["cases"], strict=True))
    )
    least = sum(w / 100 * x / 1e4 for w, x in zip(WEIGHTS.values(), counts["cases_low"], strict=True))
    assert row["rate_low"] < least < row["rate"] < row["rate_high"]
    missing = table.standardise("cases", known | {"[0, 40)": math.nan}, by="band", population=WEIGHTS)
    assert missing[["rate", "rate_low", "rate_high"]].isna().all(axis=None)


def test_the_ends_hold_every_table_that_is_shown_so() -> None:
    """All tables of two ages whose counts are 0 to 2 and 1 to 3 events, of 8 or 15 and of 5 or 15 people."""
    cases = Between(np.array([1.0, 2.0]), np.array([0.0, 1.0]), np.array([2.0, 3.0]), np.array([False, False]))
    persons = Between(np.array([15.0, 15.0]), np.array([8.0, 5.0]), np.array([15.0, 15.0]), np.array([False, False]))
    share = np.array([0.3, 0.7])
    value, low, high = ends(cases, persons, share, 0.9)
    assert value == pytest.approx(0.3 * 1 / 15 + 0.7 * 2 / 15)
    for a, b, n, m in itertools.product(range(3), range(1, 4), (8, 15), (5, 15)):
        _, down, up = interval(np.array([a, b], float), np.array([n, m], float), share, (0.0, 0.0), 0.9)
        assert low <= down and up <= high
    nobody = Between(*(np.zeros(2),) * 2, np.array([4.0, 0.0]), np.array([True, False]))
    value, low, high = ends(nobody, persons, share, 0.9)
    assert math.isnan(value) and low == 0
    assert high >= interval(np.zeros(2), np.array([8.0, 5.0]), share, (0.0, 0.0), 0.9)[2]
    assert all(map(math.isnan, ends(cases, nobody, share, 0.9)))


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_how_far_limits_reach_is_bounded_where_not_each_number_is_tried(confidence: float) -> None:
    far = reaches(5, 10**9, confidence)
    for events in (5, 17, 400, 10_004, 10_006, 20_000, 10**6, 10**9):
        low, high = byar(events, confidence)
        assert (events - low) / math.sqrt(events) <= far[0] and (high - events) / math.sqrt(events) <= far[1]
    assert reaches(0, 0, confidence) == (0.0, 0.0)


def test_sums_and_means_hold_those_of_the_exact_counts() -> None:
    rows = people(400).assign(age=np.random.default_rng(5).integers(0, 4, 400))
    session = opened(rows)
    session.name_grid(T.group_by("sex", "age").agg(n=N), pets.SDC("hes"))
    table = session.release(T.group_by("sex", "age").agg(n=N), pets.SDC("hes"))
    found = table.averages("age")
    assert list(found.columns) == ["sex", "sum", "sum_low", "sum_high", "mean", "mean_low", "mean_high"]
    for row in found.to_dict("records"):
        mine = rows[rows["sex"] == row["sex"]]["age"]
        assert row["sum_low"] <= mine.sum() <= row["sum_high"] and row["mean_low"] <= mine.mean() <= row["mean_high"]
        shown = table.table[table.table["sex"] == row["sex"]]
        assert row["sum"] == (shown["n"] * shown["age"]).sum() and row["mean"] == row["sum"] / shown["n"].sum()


def test_a_bin_leaves_all_of_its_values_open_and_nobody_without_one_counts(grid: Any) -> None:
    session, rule, rows = grid
    (row,) = session.release(T.group_by(BANDS).agg(n=N), rule).averages("band").to_dict("records")
    assert row["sum_low"] <= rows["age"].sum() <= row["sum_high"]
    assert row["mean_low"] < 39.5 < row["mean"] < row["mean_high"] and row["mean_high"] - row["mean_low"] > 25
    assert row["mean_low"] <= rows["age"].mean() <= row["mean_high"]


def test_the_least_mean_is_that_of_all_tables() -> None:
    draw = np.random.default_rng(6)
    for _ in range(60):
        size = int(draw.integers(1, 5))
        values = [int(one) for one in draw.integers(-4, 9, size)]
        low = [int(one) for one in draw.integers(0, 3, size)]
        high = [few + int(more) for few, more in zip(low, draw.integers(0, 4, size), strict=True)]
        tables = itertools.product(*(range(few, many + 1) for few, many in zip(low, high, strict=True)))
        means = [np.dot(values, one) / sum(one) for one in tables if sum(one)]
        found = _least_mean(values, low, high)  # type: ignore[arg-type]
        assert (found is None) == (not means)
        assert found is None or float(found) == pytest.approx(min(means))


def test_what_is_computed_is_a_function_of_what_is_shown(grid: Any) -> None:
    """Saved and read again, with no session near, it gives the same."""
    session, rule, _ = grid
    table = session.release(T.group_by("sex", BANDS).agg(n=N), rule)
    again = RoundedTable.sealed(table.to_json())
    assert again.averages("band").equals(table.averages("band"))
    assert len(session.history()) <= 6  # the grid, and what was released from it: nothing more is entered


def test_hidden_people_alone_have_no_sum() -> None:
    rows = people(3).assign(age=[10, 50, 80], sex="F", region="N")
    session = pets.Session(SCHEMA, rows, budget=pets.Budget(epsilon=1, delta=1e-6), policy=POLICY, progress=False)
    made = session.name_grid(T.group_by(BANDS).agg(n=N), pets.SDC("hes"))
    assert isinstance(made, ProtectedGrid)
    (row,) = made.averages("band").to_dict("records")
    assert math.isnan(row["sum"]) and math.isnan(row["mean"])
    assert (row["sum_low"], row["sum_high"]) == (0 + 40 + 65, 7 * (39 + 64 + 99))


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda one: one.averages("bnd"), "did you mean 'band'"),
        (lambda one: one.averages("sex"), r"col\('age'\).bins"),
        (lambda one: one.averages("band"), "people='…', one of n, e"),
        (lambda one: one.averages("band", people="r"), "release one beside it"),
        (lambda one: one.averages("band", people="m"), "is not an output"),
        (lambda one: one.standardise("r", "n", by="band", population=WEIGHTS), "release one beside it"),
        (lambda one: one.standardise("e", "n", by="age", population=WEIGHTS), "is not a key"),
        (lambda one: one.standardise("e", 7, by="band", population=WEIGHTS), "public people by key"),
        (lambda one: one.standardise("e", "n", by="band", population={"[0, 40)": 1}), "the population has no"),
    ],
)
def test_what_cannot_be_is_refused(grid: Any, ask: Any, said: str) -> None:
    session, rule, _ = grid
    asked = T.group_by("sex", BANDS).agg(n=N, e=pets.count(col("region") == "E"), r=pets.rate(col("region") == "E"))
    with pytest.raises(QueryError, match=said):
        ask(session.release(asked, rule))
