"""Federated totals against the pooled ones, bit for bit: random queries over 3 to 32 sites, each by its whole path.

Each query goes through order, gate, ledger, masks and unmasking at every site; the pooled vector is one tabulation of
all rows. The default run takes a slice; the soak takes the whole count.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, seed, settings

import pets
from pets import testing
from pets.federated import Federation
from pets.plan.plan import make_plan
from pets.protection.protection import Exact
from pets.query_model.query import Query
from pets.rows.snapshot import Snapshot
from pets.rows.tabulate import tabulate
from tests import strategies

SCHEMA = pets.Schema(
    {
        "t": pets.Table(
            pets.Unit("id", max_rows=4, rows=2),
            {
                "id": pets.Identifier(),
                "c": pets.Category(["a", "b", "c"]),
                "i": pets.Integer(-9, 30),
                "r": pets.Real(0, 10, step=0.25),
                "d": pets.Date("2020-01-01", "2021-12-31"),
                "b": pets.Boolean(),
            },
        )
    },
    dataset="soak",
)

SLICE = {3: 60, 4: 25, 8: 10, 16: 4, 32: 1}
"""Queries by number of sites, in the default run: 100."""
WHOLE = dict.fromkeys(range(3, 7), 1900) | dict.fromkeys(range(7, 17), 200) | dict.fromkeys(range(17, 33), 27)
"""The whole count: 10,032, most of them where most federations are."""


def rows(count: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(6)
    start = dt.date(2020, 1, 1)
    frame = pd.DataFrame(
        {
            "id": [f"p{n}" for n in rng.integers(0, count // 2, count)],
            "c": rng.choice(["a", "b", "c", ""], count),
            "i": rng.integers(-12, 34, count),
            "r": rng.integers(0, 44, count) / 4,
            "d": [str(start + dt.timedelta(days=int(n))) for n in rng.integers(0, 735, count)],
            "b": rng.choice(["true", "false", ""], count),
        }
    )
    return frame.astype({"i": object, "r": object}).where(rng.random(frame.shape) > 0.1, None)


def agree(counts: Mapping[int, int], first: int) -> dict[str, int]:
    """How many queries were asked, numbers compared and found different."""
    whole = testing.snapshot(SCHEMA, {"t": rows()}, "t")
    told = {"queries": 0, "numbers": 0, "sites": 0, "not zero": 0, "wrong": 0}
    for sites, count in counts.items():
        many = testing.federation(SCHEMA, testing.split(SCHEMA, whole, sites))
        run = settings(max_examples=count, deadline=None, database=None)(
            given(strategies.queries(SCHEMA))(_check(whole, many, sites, told))
        )
        seed(first + sites)(run)()
    return told


def _check(whole: Snapshot, many: Federation, sites: int, told: dict[str, int]) -> Callable[[Query], None]:
    def check(query: Query) -> None:
        pooled = tabulate(make_plan(query, SCHEMA), whole).reveal()
        found = many.release(query, Exact(), again=True).values
        told["queries"] += 1
        told["numbers"] += len(pooled)
        told["sites"] += sites
        told["not zero"] += int(np.count_nonzero(pooled))
        told["wrong"] += not (found.dtype == pooled.dtype and np.array_equal(found, pooled))
        assert not told["wrong"], (sites, query)

    return check


def judged(told: Mapping[str, int], counts: Mapping[int, int], capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\nfederated against pooled, {min(counts)} to {max(counts)} sites:", dict(told))
    assert told["wrong"] == 0
    assert told["queries"] >= sum(counts.values())
    assert told["not zero"] > told["queries"]  # an engine that always said nothing would agree, too


@pytest.mark.timeout(1800)
def test_random_queries_over_many_sites(capsys: pytest.CaptureFixture[str]) -> None:
    assert sum(SLICE.values()) == 100
    judged(agree(SLICE, first=0), SLICE, capsys)


def test_the_whole_count() -> None:
    assert sum(WHOLE.values()) >= 10_000
    assert (min(WHOLE), max(WHOLE)) == (3, 32)


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("sites", WHOLE)
def test_ten_thousand_random_queries_over_3_to_32_sites(sites: int, capsys: pytest.CaptureFixture[str]) -> None:
    counts = {sites: WHOLE[sites]}
    judged(agree(counts, first=1000), counts, capsys)
