"""How many values lie above a stated noise threshold: those that nobody has are counted as seldom as is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets.errors import QueryError

CODES = [f"c{number}" for number in range(400)]
SCHEMA = pets.Schema(
    {"t": pets.Table(pets.Unit("id", max_rows=2), {"id": pets.Identifier(), "code": pets.Category(CODES)})}, dataset="d"
)
BY = pets.query("t").group_by("code").agg(people=pets.count_units())


def rows() -> pd.DataFrame:
    """Fifty codes of 100 people each, 30 of one person each, the others of nobody; and rows without a code."""
    listed = [CODES[place % 50] for place in range(5000)] + CODES[50:80] + [None] * 500
    return pd.DataFrame({"id": range(len(listed)), "code": listed})


@pytest.fixture(scope="module")
def session() -> pets.Session:
    budget = pets.Budget(epsilon=1000, delta=1e-6)
    return pets.Session(SCHEMA, {"t": rows()}, budget=budget, progress=False)


@pytest.mark.parametrize("protection", [pets.DP(epsilon=1), pets.DP(epsilon=0.5, pure=True)])
def test_values_that_surely_occur_are_counted(session: pets.Session, protection: pets.DP) -> None:
    release = session.release(BY, protection)
    found = release.values_above()
    assert found.listed == 400, "rows without a value are no value"
    assert found.least == found.sure > 10
    assert found.values == 50
    assert f"50 of 400 listed values have a noisy count of at least {found.sure}" in str(found)
    assert "so there are at least so many" in str(found)


def test_noise_alone_reaches_the_threshold_as_seldom_as_is_said(session: pets.Session) -> None:
    """Of 320 values that nobody has, in 25 releases: any at all in at most about 5 of 100."""
    passed = 0
    empty = CODES[80:]
    for _ in range(25):
        release = session.release(BY, pets.DP(epsilon=0.7), again=True)
        least, table = release.values_above().least, release.table.set_index("code")["people"]
        passed += bool((table.reindex(empty) >= least).any())
    assert passed <= 8  # a threshold for one value alone would let pass in every one


def test_a_lower_threshold_says_that_noise_may_reach_it(session: pets.Session) -> None:
    release = session.release(BY, pets.DP(epsilon=1))
    low, high = release.values_above(least=5), release.values_above("people", 10_000)
    assert low.values > 50 and low.sure > low.least == 5
    assert "noise alone may reach that" in str(low)
    assert high.values == 0 and "so there are at least so many" in str(high)


def test_exact_counts_of_invented_rows_have_no_noise(session: pets.Session) -> None:
    release = session.dummy(rows=3000).release(BY, pets.Exact())
    found = release.values_above()
    table = release.table
    assert found.sure == 1 and found.values == int((table[table["code"] != "missing"]["people"] >= 1).sum())


@pytest.mark.parametrize(
    ("query", "given", "said"),
    [
        (BY, {"output": "n"}, "is no count of this release; did you mean|is no count of this release; there"),
        (BY, {"least": 0}, "above 0, not 0"),
        (BY, {"least": True}, "above 0, not True"),
        (BY, {"least": "x"}, "above 0, not 'x'"),
        (pets.query("t").agg(n=pets.count()), {}, "a release of counts by value"),
        (BY.agg(n=pets.count()), {}, "this release has 2 counts; name one of people, n$"),
    ],
)
def test_what_is_no_count_by_value_is_refused(
    query: Any, given: dict[str, Any], said: str, session: pets.Session
) -> None:
    release = session.dummy().release(query, pets.Exact())
    with pytest.raises(QueryError, match=said):
        release.values_above(**given)


def test_sql_names_it_where_values_are_counted_distinctly(session: pets.Session) -> None:
    with pytest.raises(QueryError, match=r"release\.values_above\(\) says how many values surely occur"):
        session.sql("SELECT COUNT(DISTINCT code) AS n FROM t")
    instead = session.sql("SELECT code, COUNT(DISTINCT id) AS people FROM t GROUP BY code")
    assert instead.digest == BY.digest
    assert np.isclose(session.release(instead, pets.DP(epsilon=1)).values_above().values, 50)
