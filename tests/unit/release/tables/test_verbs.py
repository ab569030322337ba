"""Shares of a total and cross-tables: by hand, without noise, and how often their intervals hold the truth."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets.errors import QueryError
from pets.release.tables.shares import interval

SCHEMA = pets.Schema(
    {
        "t": pets.Table(
            pets.Unit(None),
            {
                "age": pets.Category(["young", "old"], nullable=False),
                "area": pets.Category(["n", "s", "w"], nullable=False),
                "x": pets.Integer(0, 9, nullable=False),
            },
        )
    }
)
BY = pets.query("t").group_by("age", "area")
QUERY = BY.agg(n=pets.count(), m=pets.mean("x"), s=pets.sum("x"))


def people(size: int = 6000) -> pd.DataFrame:
    draw = np.random.default_rng(5)
    area = draw.choice(["n", "s", "w"], size, p=[0.6, 0.3, 0.1])
    return pd.DataFrame({"age": draw.choice(["young", "old"], size), "area": area, "x": draw.integers(0, 10, size)})


def released(query: pets.Query, protection: Any, rows: pd.DataFrame) -> pets.Release:
    policy = pets.Policy(allow_unbounded=True)
    budget = pets.Budget(epsilon=100, delta=1e-6)
    return pets.Session(SCHEMA, {"t": rows}, budget=budget, policy=policy, progress=False).release(query, protection)


ROWS = people()


@cache
def exact() -> pets.Release:
    return released(QUERY, pets.Total(), ROWS)


@cache
def noisy() -> pets.Release:
    return released(QUERY, pets.DP(epsilon=2), ROWS)


def test_shares_are_those_of_the_rows() -> None:
    for within in ((), "age", ["area"]):
        kept = [within] if isinstance(within, str) else list(within)
        found = exact().shares("n", within=within)
        assert found.columns.tolist() == ["age", "area", "share"]
        counts = ROWS.groupby(["age", "area"]).size()
        wanted = counts / (counts.groupby(kept).transform("sum") if kept else counts.sum())
        for age, area, share in found.itertuples(index=False):
            assert share == pytest.approx(wanted[age, area])
        sums = found.groupby(kept)["share"].sum().to_list() if kept else [found["share"].sum()]
        assert sums == pytest.approx([1] * len(sums))


def test_noise_has_an_interval_and_shares_add_up_all_the_same() -> None:
    found, truth = noisy().shares("n", within="age"), exact().shares("n", within="age")["share"]
    assert ((found["share_low"] < found["share"]) & (found["share"] < found["share_high"])).all()
    assert ((found["share_low"] <= truth) & (truth <= found["share_high"])).all()
    assert found.groupby("age")["share"].sum().to_list() == pytest.approx([1, 1])
    alone = noisy().shares("n", within=("age", "area"))  # each is the whole of itself, whatever the noise
    assert alone["share"].eq(1).all() and alone[["share_low", "share_high"]].to_numpy() == pytest.approx(1)


def test_an_interval_by_hand() -> None:
    """30 of 100 in two cells, noise 5: the ends solve (30 − 100p)² = z²·25·(1 − 2p + 2p²)."""
    share, low, high = interval(np.array([30.0]), np.array([100.0]), 2, np.array([10.0])).ravel()
    assert share == 0.3
    for end in (low, high):
        assert (30 - 100 * end) ** 2 == pytest.approx(4 * 25 * (1 - 2 * end + 2 * end**2))
    assert 0.2 < low < 0.3 < high < 0.4


def test_what_noise_could_be_has_no_share() -> None:
    assert released(QUERY, pets.DP(epsilon=0.1), people(60)).shares("n", within="age")["share"].isna().all()
    few = interval(np.array([3.0]), np.array([10.0]), 4, np.array([10.0]))
    assert np.isnan(few).all()  # 2·5·√4 is more than 10


@pytest.mark.parametrize("shares", [(0.3, 0.3, 0.4), (0.02, 0.08, 0.9)])
def test_intervals_hold_as_often_as_they_say(shares: tuple[float, ...]) -> None:
    """And such of the cell's noise alone hold less often, or for nothing more often. A fixed seed."""
    draw, truth, sd = np.random.default_rng(3), 1000 * np.array(shares), 40.0
    cells = truth + draw.normal(0, sd, (20_000, 3))
    total = cells.sum(axis=1)
    for place, share in enumerate(shares):
        _, low, high = interval(cells[:, place], total, 3, np.full(20_000, 1.959964 * sd))
        held = float(((low <= share) & (share <= high)).mean())
        assert 0.944 < held < 0.956, (place, held)
    alone = np.abs(cells[:, 2] / total - shares[2]) <= 1.96 * sd / total
    assert not 0.944 < float(alone.mean()) < 0.956


def test_only_counts_have_shares() -> None:
    for name, said in (("m", "such as 'n'"), ("s", "such as 'n'"), ("k", "not an output")):
        with pytest.raises(QueryError, match=said):
            exact().shares(name)
    with pytest.raises(QueryError, match="so ask for"):
        released(BY.agg(m=pets.mean("x")), pets.Total(), ROWS).shares("m")
    for within, said in (("ages", "not a key"), (3, "a list of the release's keys")):
        with pytest.raises(QueryError, match=said):
            exact().shares("n", within=within)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"rows": ["age", "area"]}, r"each the name of one key, such as rows='age', not \['age', 'area'\]; other keys"),
        ({"columns": ["area"]}, "each the name of one key"),
        ({"rows": "agee"}, "did you mean 'age'"),
        ({"margins": ["All"]}, "what the margins are called, such as 'All', not"),
    ],
)
def test_a_cross_table_has_one_key_each_way(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(QueryError, match=said):
        exact().crosstab("n", **({"rows": "age", "columns": "area"} | wrong))


def test_a_cross_table_adds_up_and_says_its_errors() -> None:
    found = noisy().crosstab("n", rows="age", columns="area")
    table, errors = found.table, found.errors
    assert list(table.index) == ["young", "old", "All"] and list(table.columns) == ["n", "s", "w", "All"]
    assert (table.index.name, table.columns.name) == ("age", "area")
    cells = noisy().table.set_index(["age", "area"])["n"]
    assert all(table.loc[age, area] == n for (age, area), n in cells.items())
    assert (table.loc[["young", "old"]].sum() == table.loc["All"]).all()
    assert (table[["n", "s", "w"]].sum(axis=1) == table["All"]).all()
    # n is counted by the release's own measure, whose σ is its scale
    sigma = errors.loc["old", "w"]
    index = next(c.output.parts[0] for c in noisy().estimates if c.output.name == "n")
    assert sigma == noisy().scales[index] > 0
    assert errors.loc["All", "w"] == pytest.approx(sigma * math.sqrt(2))
    assert errors.loc["old", "All"] == pytest.approx(sigma * math.sqrt(3))
    assert errors.loc["All", "All"] == pytest.approx(sigma * math.sqrt(6))
    low, high = noisy().total("n")[["n_low", "n_high"]].iloc[0]
    assert (high - low) / 2 == pytest.approx(1.96 * errors.loc["All", "All"], rel=0.05)


def test_a_cross_table_without_noise_is_that_of_pandas() -> None:
    found = exact().crosstab("n", rows="area", columns="age", margins="Total")
    wanted = pd.crosstab(ROWS["area"], ROWS["age"], margins=True, margins_name="Total")
    assert (found.table.loc[wanted.index, wanted.columns] == wanted).all(axis=None)
    assert (found.errors == 0).all(axis=None) and found.note == ""
    sums = exact().crosstab("s", rows="area", columns="age").table
    assert sums.loc["All", "All"] == ROWS["x"].sum()
    assert "All" in repr(found) or "Total" in repr(found)


def test_a_cross_table_of_listed_groups_has_gaps() -> None:
    listed = pets.KeySet.of([{"age": "young", "area": "n"}, {"age": "old", "area": "s"}])
    found = released(pets.query("t").group_by(listed).agg(n=pets.count_units()), pets.DP(epsilon=2), ROWS)
    made = found.crosstab("n", rows="age", columns="area")
    assert math.isnan(made.table.loc["young", "s"]) and math.isnan(made.errors.loc["young", "s"])
    assert made.table.loc["young", "All"] == made.table.loc["young", "n"]
    assert made.table.loc["All", "All"] == found.table["n"].sum() and "once in each group" in made.note
    assert "once in each group" in made._repr_html_()


def test_keys_of_a_cross_table_stand_in_their_own_order() -> None:
    listed = pets.KeySet.of([{"age": "old", "area": "n"}, {"age": "young", "area": "w"}, {"age": "young", "area": "s"}])
    found = released(pets.query("t").group_by(listed).agg(n=pets.count()), pets.DP(epsilon=2), ROWS)
    for rows, columns in (("age", "area"), ("area", "age")):
        table = found.crosstab("n", rows=rows, columns=columns).table
        order = {"age": ["young", "old", "All"], "area": ["n", "s", "w", "All"]}
        assert table.index.tolist() == order[rows] and table.columns.tolist() == order[columns]
        cells = found.table.set_index([rows, columns])["n"]
        assert all(table.loc[key] == n for key, n in cells.items())


@pytest.mark.parametrize(
    ("output", "settings", "said"),
    [
        ("m", {}, "name a count or a sum"),
        ("n", {"rows": "ages"}, "not a key"),
        ("n", {"columns": "age"}, "name another key for the columns"),
        ("n", {"margins": "w"}, "such as margins='Total'"),
    ],
)
def test_what_is_no_cross_table_is_refused(output: str, settings: dict[str, str], said: str) -> None:
    with pytest.raises(QueryError, match=said):
        exact().crosstab(output, **{"rows": "age", "columns": "area"} | settings)
