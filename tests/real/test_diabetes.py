"""Real rows: Diabetes 130-US hospitals (101,766 encounters of 71,518 people). Skipped where the data is absent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import pets
from pets import col
from pets.dp.calibrate import calibrate
from pets.dp.mechanism import measure
from pets.plan.plan import make_plan
from pets.release.estimate import estimate
from pets.rows.snapshot import Snapshot
from pets.rows.tabulate import tabulate
from pets.testing import KEY, exact

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data" / "diabetes130" / "diabetic_data.csv.gz"
SCHEMA = pets.Schema.load(ROOT / "examples" / "diabetes130.yaml")

pytestmark = pytest.mark.skipif(not DATA.exists(), reason="the diabetes130 data is not on this machine")


@pytest.fixture(scope="module")
def stays() -> Iterator[Snapshot]:
    yield Snapshot.make(SCHEMA, "stays", {"stays": DATA}, key=KEY, progress=False)


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_exact_totals(engine: str) -> None:
    query = (
        pets.query("stays")
        .group_by("readmitted")
        .agg(n=pets.count(), days=pets.sum("time_in_hospital"), drugs=pets.sum("num_medications"))
        .bound(rows=40)
    )
    table = exact(SCHEMA, DATA, query, engine=engine).set_index("readmitted")
    assert table["n"].to_dict() == {"NO": 54_864, ">30": 35_545, "<30": 11_357}
    assert table["days"].sum() == 447_362 and table["drugs"].sum() == 1_630_479


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_one_row_a_person(engine: str) -> None:
    query = pets.query("stays").agg(n=pets.count(), people=pets.count_units()).bound(rows=1)
    assert exact(SCHEMA, DATA, query, engine=engine).to_dict("records") == [{"n": 71_518, "people": 71_518}]


def test_published_counts_by_gender_and_result(stays: Snapshot) -> None:
    gender = exact(SCHEMA, DATA, pets.query("stays").group_by("gender").agg(n=pets.count()).bound(rows=40))
    assert gender["n"].tolist() == [54_708, 47_055, 3] and gender["gender"].tolist()[-1] == "missing"
    result = exact(SCHEMA, DATA, pets.query("stays").group_by("A1Cresult").agg(n=pets.count()).bound(rows=40))
    assert dict(zip(result["A1Cresult"], result["n"], strict=True)) == {
        "None": 84_748,
        "Norm": 4_990,
        ">7": 3_812,
        ">8": 8_216,
    }


QUERY = (
    pets.query("stays")
    .where(col("gender").isin(["Female", "Male"]))
    .group_by("age")
    .agg(
        stays=pets.count(),
        patients=pets.count_units(),
        days=pets.sum("time_in_hospital"),
        mean_days=pets.mean("time_in_hospital"),
        early=pets.rate(col("readmitted") == "<30"),
    )
)


@pytest.mark.parametrize(
    ("protection", "budget"),
    [
        (pets.DP(epsilon=0.5), pets.Budget(epsilon=3, delta=1e-6)),
        (pets.DP(epsilon=0.5), pets.Budget(epsilon=3)),
        (pets.DP(epsilon=40), pets.Budget(epsilon=50, delta=1e-6)),
    ],
    ids=["gaussian", "laplace", "small scales"],
)
def test_intervals_cover_the_bounded_answer(stays: Snapshot, protection: pets.DP, budget: pets.Budget) -> None:
    """1,000 private answers: the 95 % intervals hold the bounded answer in 93-97 % (at least 93 % below scale 10).

    Of 10,000 nearly independent intervals an output, 95 % covered, a share outside 93-97 % has a chance below 1e-18.
    Means and rates are judged where a group has over 1,000 rows; elsewhere they may be "not estimable".
    """
    plan = make_plan(QUERY, SCHEMA)
    values = tabulate(plan, stays).reveal()
    truth = estimate(plan, values, "none", (0.0,) * len(plan.measures))
    noise = calibrate(plan, protection, budget)
    covered: dict[str, list[np.ndarray]] = {output.name: [] for output in plan.outputs}
    for _ in range(1000):
        private = estimate(plan, measure(plan, values, noise), noise.mechanism, noise.scales)
        for column, exactly in zip(private, truth, strict=True):
            inside = (column.low <= exactly.estimate) & (exactly.estimate <= column.high)
            large = truth["stays"].estimate > 1000 if column.output.kind in ("mean", "rate") else slice(None)
            covered[column.output.name].append(inside[large])
    for output in plan.outputs:
        share = np.concatenate(covered[output.name]).mean()
        scales = [noise.scales[part] for part in output.parts]
        assert share >= 0.93, output.name
        if min(scales) >= 10:
            assert share <= 0.97, output.name
