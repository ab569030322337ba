"""Snapshots that grow, on random deliveries: the promise holds after each of them, and each is the whole so far."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pets
from pets.plan.plan import make_plan
from pets.rows.growing import append
from pets.rows.snapshot import Snapshot
from pets.rows.tabulate import tabulate
from tests.generative import neighbours
from tests.growing import Row, frame, grown, kept, schema, whole

IDS = ["a", "a ", "1", "01", "1.0", "é", None, ""]
VALUES = ["0", "1", "2", "9", "11", "x", ""]
ASKED = pets.query("t").agg(
    n=pets.count(), s=pets.sum("v"), p=pets.count_units(), h=pets.histogram("v"), late=pets.rate(pets.col("load") > 2)
)
QUICK = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def deliveries(draw: Any) -> list[list[Row]]:
    """One to four deliveries, some of them empty, each with rows of one or two loads of its own."""
    out: list[list[Row]] = []
    for number in range(draw(st.integers(1, 4))):
        loads = [str(2 * number + 1), str(2 * number + 2), ""]
        row = st.tuples(st.sampled_from(IDS), st.sampled_from(loads), st.sampled_from(VALUES))
        out.append(draw(st.lists(row, max_size=14)))
    return out


@QUICK
@given(given=deliveries(), max_rows=st.integers(1, 5))
def test_each_delivery_makes_the_snapshot_of_all_rows_so_far(given: list[list[Row]], max_rows: int) -> None:
    with tempfile.TemporaryDirectory() as made:
        one, other = Path(made) / "grown", Path(made) / "whole"
        found, at_once = grown(schema(max_rows), given, one), whole(schema(max_rows), given, other, one)
        assert kept(found) == kept(at_once) and found.report == at_once.report
        codes = found.arrow()["person"].to_pylist()
        assert set(codes) == set(range(found.report.people)), "codes of people are dense"


def states(given: list[list[Row]], folder: Path, max_rows: int, like: Path | None = None) -> list[Snapshot]:
    """The snapshot after each delivery; under the rank key of another folder, where one is given."""
    of = schema(max_rows)
    if like is not None:
        folder.mkdir(mode=0o700)
        shutil.copy2(like / "t.key", folder / "t.key")
    return [grown(of, given[:1], folder), *(append(of, "t", frame(rows), folder, progress=False) for rows in given[1:])]


@QUICK
@given(given=deliveries(), max_rows=st.integers(1, 5), place=st.integers(0, 5), k=st.integers(1, 5))
def test_after_each_delivery_one_person_moves_the_vector_by_at_most_its_sensitivity(
    given: list[list[Row]], max_rows: int, place: int, k: int
) -> None:
    """Without somebody in any delivery, and with each delivery's rows in another order."""
    plan = make_plan(ASKED.bound(rows=min(k, max_rows)), schema(max_rows))
    gone = IDS[place]
    fewer = [[row for row in rows[::-1] if row[0] != gone] for rows in given]
    with tempfile.TemporaryDirectory() as made:
        with_all = Path(made) / "with"
        before = states(given, with_all, max_rows)
        after = states(fewer, Path(made) / "without", max_rows, like=with_all)
        for one, other in zip(before, after, strict=True):
            neighbours.promise_kept(plan, one, other)
            rows, left = Counter(neighbours.rows_kept(one)), Counter(neighbours.rows_kept(other))
            assert (rows - left).total() <= 1 and not left - rows, "nobody else's rows change"


def test_the_check_finds_deliveries_that_are_ranked_apart(tmp_path: Path) -> None:
    """Somebody with a row in each of three deliveries would move a count of K = 1 row by 3."""
    given: list[list[Row]] = [[("a", load, "1"), ("b", load, "2")] for load in "123"]
    plan = make_plan(pets.query("t").agg(n=pets.count()).bound(rows=1), schema(max_rows=3))
    counts = {
        who: sum(
            int(
                tabulate(
                    plan, grown(schema(3), [[row for row in rows if row[0] in who]], tmp_path / f"{who}{at}")
                ).reveal()[0]
            )
            for at, rows in enumerate(given)
        )
        for who in ("ab", "b")
    }
    assert neighbours.Moved.between([counts["ab"]], [counts["b"]]).passes(plan.measures[0].sensitivity)
