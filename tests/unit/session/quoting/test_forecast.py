"""A forecast says from how many rows on a group is estimable; a release goes by the same number."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

import pets
from pets.plan.plan import make_plan
from pets.release.estimate import Mechanism, estimate
from pets.rows.snapshot import Snapshot
from pets.rows.tabulate import tabulate
from pets.session.quoting.forecast import forecast

SCHEMA = pets.Schema({"t": pets.Table("row", {"x": pets.Integer(0, 99, nullable=False)})}, dataset="forecast")
ASKED = {
    "mean": pets.mean("x"),
    "rate": pets.rate(pets.col("x") >= 50),
    "variance": pets.variance("x"),
    "median": pets.median("x"),
}


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("law", ["gaussian", "laplace"])
@pytest.mark.parametrize("scale", [2.0, 60.0])
def test_groups_below_the_number_that_is_named_are_not_estimable(name: str, law: Mechanism, scale: float) -> None:
    plan = make_plan(pets.query("t").agg(**{name: ASKED[name]}), SCHEMA)
    scales = tuple(scale for _ in plan.measures)
    (expected,) = forecast(plan, law, scales)
    for rows, estimable in ((expected.least - 1, False), (expected.least, True)):
        data = pd.DataFrame({"x": np.arange(rows) % 100})
        snapshot = Snapshot.make(SCHEMA, "t", {"t": data}, key=1, progress=False)
        found = estimate(plan, tabulate(plan, snapshot).reveal(), law, scales, 0.95)[name]
        assert np.isfinite(found.estimate.astype(float)).tolist() == [estimable]
    assert f"not estimable below about {expected.least:,} rows" in str(expected)
    if expected.least > 100:
        assert "n = 100," not in str(expected)
    counts = forecast(make_plan(pets.query("t").agg(n=pets.count(), s=pets.sum("x")), SCHEMA), law, (scale, scale))
    assert [one.least for one in counts] == [0, 0] and "estimable" not in str(counts)


def test_a_quote_of_medians_by_group_says_it() -> None:
    session = pets.Session(SCHEMA, budget=pets.Budget(epsilon=3, delta=1e-6), progress=False)
    query = pets.query("t").group_by(pets.col("x").bins([0, 50, 99], "half")).agg(m=pets.median("x"), n=pets.count())
    quote = session.quote(query, pets.DP(epsilon=0.5))
    said = re.search(r"m  ± \S+ rows of rank; not estimable below about (\d+) rows", str(quote))
    assert said is not None and int(said[1]) == quote.table["least_rows"][0] > 10
    assert pd.isna(quote.table["least_rows"][1])
