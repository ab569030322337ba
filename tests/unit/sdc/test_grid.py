"""A grid and the questions that are sums of its cells: by brute force over people, and refused where a cell is cut."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets import col
from pets.errors import QueryError
from pets.plan.plan import make_plan
from pets.sdc.grid import Grid
from tests.grids import COLUMNS, GRID, ROWS, SCHEMA, T

N = pets.count()
BY_AGE = T.group_by(col("age").bins([0, 18, 40, 65, 99])).agg(n=N)
DATES = T.group_by("sex", col("born").period("month")).agg(n=N)

ASKED: dict[str, tuple[pets.Query, pets.Query, list[str], str]] = {
    # the grid, the question, its keys as pandas has them, and whom it takes
    "everybody": (GRID, T.agg(n=N), [], "age >= 0"),
    "one key": (GRID, T.group_by("sex").agg(n=N), ["sex"], "age >= 0"),
    "keys in another order": (GRID, T.group_by("region", "sex").agg(n=N), ["region", "sex"], "age >= 0"),
    "the grid itself": (GRID, GRID, ["sex", "region", "band"], "age >= 0"),
    "a filter by bins": (GRID, T.where(col("age") >= 18).group_by("sex").agg(n=N), ["sex"], "age >= 18"),
    "a filter by values": (GRID, T.where(col("region").isin(["N", "E"])).agg(n=N), [], "region in ['N', 'E']"),
    "not, or": (GRID, T.where(~(col("sex") == "F") | (col("age") < 40)).agg(n=N), [], "sex == 'M' or age < 40"),
    "who did not say": (GRID, T.where(col("region").is_null()).group_by("sex").agg(n=N), ["sex"], "region == ''"),
    "a condition of its own": (GRID, T.agg(n=pets.count(where=col("sex") == "F")), [], "sex == 'F'"),
    "wider bins": (GRID, T.group_by(col("age").bins([0, 40, 99])).agg(n=N), ["wide"], "age >= 0"),
    "bins of some": (GRID, T.group_by(col("age").bins([18, 64])).agg(n=N), ["middle"], "18 <= age < 65"),
    "listed keys": (
        GRID,
        T.group_by(pets.KeySet.of([{"region": "S"}, {"region": "E"}])).agg(n=N),
        ["region"],
        "region in ['S', 'E']",
    ),
    "months to years": (DATES, T.group_by(col("born").year()).agg(n=N), ["year"], "age >= 0"),
    "months to quarters of some years": (
        DATES,
        T.where(col("born") >= "1990-01-01").group_by(col("born").period("quarter")).agg(n=N),
        ["quarter"],
        "born >= '1990-01-01'",
    ),
}


def frame() -> pd.DataFrame:
    """The people, with what a question may be grouped by as pets names it."""
    found = ROWS.fillna({"region": ""}).copy()
    born = pd.to_datetime(found["born"])
    found["band"] = pd.cut(found["age"], [-1, 17, 39, 64, 99], labels=["[0, 18)", "[18, 40)", "[40, 65)", "[65, 99]"])
    found["wide"] = np.where(found["age"] < 40, "[0, 40)", "[40, 99]")
    found["middle"] = "[18, 64]"
    found["year"], found["month"] = born.dt.year.astype(str), born.dt.strftime("%Y-%m")
    found["quarter"] = born.dt.year.astype(str) + "-Q" + born.dt.quarter.astype(str)
    return found


def counted(people: pd.DataFrame, plan: Any, keys: list[str]) -> list[int]:
    """The exact counts of a plan's groups."""
    size = Counter(map(tuple, people[keys].astype(str).values.tolist())) if keys else Counter({(): len(people)})
    labels = list(plan.layout.columns().values())
    named = [tuple("" if str(label) == "missing" else str(label) for label in row) for row in zip(*labels, strict=True)]
    return [size[row] for row in named] if keys else [size[()]]


@pytest.mark.parametrize("name", ASKED)
def test_a_question_is_the_sum_of_its_cells(name: str) -> None:
    """Exact counts of cells, added up, are the exact counts of the question, by pandas."""
    asked_grid, question, keys, whom = ASKED[name]
    grid, plan, people = Grid(make_plan(asked_grid, SCHEMA)), make_plan(question, SCHEMA), frame()
    cells = np.array(counted(people, grid.plan, ["sex", "month"] if asked_grid is DATES else ["sex", "region", "band"]))
    assert cells.sum() == len(people) and grid.cells == len(cells)
    ((one,),) = grid.sums(plan)
    wanted = counted(people.query(whom.replace("middle", "age")), plan, keys)
    assert one.of(cells).tolist() == wanted and sum(wanted) > 0


def test_a_rate_is_two_sums() -> None:
    grid, people = Grid(make_plan(GRID, SCHEMA)), frame()
    cells = np.array(counted(people, grid.plan, ["sex", "region", "band"]))
    plan = make_plan(T.group_by("sex").agg(r=pets.rate(col("age") >= 65)), SCHEMA)
    ((above, below),) = grid.sums(plan)
    old = people[people["age"] >= 65].groupby("sex").size()
    assert above.of(cells).tolist() == old.tolist()
    assert below.of(cells).tolist() == people.groupby("sex").size().tolist()


def test_a_computed_column_is_the_same_one_or_none() -> None:
    made = {"decade": col("age") // 10}
    asked = T.with_columns(**made).group_by("decade").agg(n=N)
    grid = Grid(make_plan(asked, SCHEMA))
    few = T.with_columns(**made).where(col("decade") < 3).agg(n=N)
    ((one,),) = grid.sums(make_plan(few, SCHEMA))
    assert one.of(np.arange(10)).tolist() == [0 + 1 + 2]
    other = T.with_columns(decade=col("age") // 5).where(col("decade") < 3).agg(n=N)
    with pytest.raises(QueryError, match="computes 'decade' in another way"):
        grid.sums(make_plan(other, SCHEMA))


def test_a_bin_beyond_the_greatest_value_is_in_no_sum() -> None:
    grid = Grid(make_plan(T.group_by(col("age").bins([0, 50, 100, 150])).agg(n=N), SCHEMA))
    for question in (T.agg(n=N), T.where(col("age") >= 50).agg(n=N)):
        ((one,),) = grid.sums(make_plan(question, SCHEMA))
        assert one.group.tolist()[2] == -1


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (T.agg(n=N), "write .group_by('sex', …)"),
        (T.group_by("sex").agg(n=N, m=pets.mean("age")), "write .agg(n=pets.count())"),
        (T.group_by("sex").agg(m=pets.mean("age")), "write .agg(n=pets.count())"),
        (T.group_by("sex").agg(n=pets.count(where=col("age") > 9)), "write .agg(n=pets.count())"),
        (T.where(col("age") > 9).group_by("sex").agg(n=N), "leave where(…) and key sets out"),
        (T.group_by(pets.KeySet.of([{"sex": "F"}])).agg(n=N), "leave where(…) and key sets out"),
        (T.group_by("sex", col("age").bins([18, 65])).agg(n=N), "the bins of 'age' leave values of it out"),
        (T.group_by(col("born").month(), col("born").year()).agg(n=N), "by each column once"),
    ],
)
def test_what_is_no_grid(query: pets.Query, said: str) -> None:
    with pytest.raises(QueryError) as caught:
        Grid(make_plan(query, SCHEMA))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (T.where(col("age") > 18).agg(n=N), "has 'age' in steps of its own ([0, 18), [18, 40), [40, 65), [65, 99])"),
        (T.where(col("age") == 18).agg(n=N), "filter by whole steps"),
        (T.group_by("age").agg(n=N), "group by 'age' in whole steps"),
        (T.group_by(col("age").bins([0, 20, 99])).agg(n=N), "in whole steps"),
        (T.agg(n=pets.count(where=col("age") < 30)), "filter by whole steps"),
        (T.group_by(col("born").year()).agg(n=N), "'born' is not in the dataset's grid (sex, region, age)"),
        (T.where(col("born") > "2000-01-01").agg(n=N), "'born' is not in the dataset's grid"),
        (T.agg(m=pets.mean("age")), "table.averages('age') has its sums and means"),
        (T.agg(m=pets.sum("age")), "no rule that is published rounds a sum"),
        (T.agg(m=pets.histogram("age", [0, 18, 99])), "pets.SDC answers counts of people and rates"),
        (T.agg(m=pets.quantile("age")), "pets.SDC answers counts of people and rates"),
    ],
)
def test_what_cuts_a_cell_is_refused(query: pets.Query, said: str) -> None:
    grid = Grid(make_plan(GRID, SCHEMA))
    with pytest.raises(QueryError) as caught:
        grid.sums(make_plan(query, SCHEMA))
    assert said in str(caught.value) and "pets.DP(epsilon=…)" in str(caught.value)


def test_a_person_with_several_rows_is_counted_once_or_not_at_all() -> None:
    several = {name: domain for name, domain in COLUMNS.items() if name in ("id", "sex", "age")}
    schema = pets.Schema({"p": pets.Table(pets.Unit("id", max_rows=2), several)}, dataset="register")
    with pytest.raises(QueryError, match=r"up to 2 rows in table 'p'; ask about people, pets.people\(of='p', …\)"):
        Grid(make_plan(T.group_by("sex").agg(n=N), schema))
    stays = pets.people(of="p", stays=pets.events("p").count(max=2))
    grid = Grid(make_plan(stays.group_by("stays").agg(n=N), schema))
    ((one,),) = grid.sums(make_plan(stays.where(col("stays") >= 2).agg(n=N), schema))
    assert one.of(np.arange(3)).tolist() == [2]
    with pytest.raises(QueryError, match=r"name a table, such as pets\.people"):
        Grid(make_plan(pets.people(stays=pets.events("p").count(max=2)).group_by("stays").agg(n=N), schema))
    with pytest.raises(QueryError, match="people with the features that it names"):
        other = pets.people(of="p", stays=pets.events("p").count(max=1))
        grid.sums(make_plan(other.group_by("stays").agg(n=N), schema))
