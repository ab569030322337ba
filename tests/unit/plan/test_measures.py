"""Sums stay within 62 bits, whatever the public number of people, their rows and their values allow."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

import pets
from pets.errors import QueryError
from pets.plan.plan import make_plan
from pets.rows.snapshot import Snapshot
from pets.rows.tabulate import LOCAL as ENGINES
from pets.rows.tabulate import tabulate

PEOPLE = 2**40
K = 16
AGGREGATES: dict[str, Any] = {  # weights of up to 2^20 or 2^21: people × K × weight reaches 2^64, and 2^62 without K
    "sum": pets.sum("x"),
    "a sum clipped above": pets.sum("far", clip=(0, 2**20)),
    "mean": pets.mean("x"),
    "variance": pets.variance("near"),
}


def plan(aggregate: Any, people: int, rows: int) -> None:
    columns = {
        "id": pets.Identifier(),
        "x": pets.Integer(0, 2**20, nullable=False),
        "near": pets.Integer(0, 2**11, nullable=False),
        "far": pets.Integer(0, 2**21, nullable=False),
    }
    schema = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=rows), columns, people=people)})
    make_plan(pets.query("t").agg(a=aggregate), schema)


@pytest.mark.parametrize("aggregate", AGGREGATES.values(), ids=AGGREGATES.keys())
def test_a_sum_that_could_pass_62_bits_is_refused(aggregate: Any) -> None:
    """What a sum can reach grows with people and with K alike."""
    plan(aggregate, PEOPLE, 1)
    plan(aggregate, PEOPLE // K, K)
    with pytest.raises(QueryError, match=r"could pass 2\^62"):
        plan(aggregate, PEOPLE, K)


@pytest.mark.parametrize(("people", "top", "fits"), [(1, 2**31, True), (2, 2**31 - 1, True), (2, 2**31, False)])
def test_squares_fit_64_bits_before_their_centre_is_taken_off(people: int, top: int, fits: bool) -> None:
    """Two people at the ends of ±2^31 have squares of 2^63 together, one more than a database's integer holds."""
    columns = {"id": pets.Identifier(), "x": pets.Integer(-top, top, nullable=False)}
    schema = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=1), columns, people=people)})
    asked = pets.query("t").agg(v=pets.variance("x"))
    if not fits:
        with pytest.raises(QueryError, match=r"could pass 2\^62"):
            make_plan(asked, schema)
        return
    made = make_plan(asked, schema)
    rows = pa.table({"id": [str(i) for i in range(people)], "x": [top] * people})
    snapshot = Snapshot.make(schema, "t", {"t": rows}, key=1, progress=False)
    centre = made.measures[0].centre
    for engine in ENGINES:
        found = tabulate(made, snapshot, engine).reveal().tolist()
        assert found[0] == people * (top**2 - centre)


@pytest.mark.parametrize(
    ("ends", "largest"), [((-10, 2), 10), ((-2, 10), 10), ((-7, -1), 7), ((0, 9), 9), ((-3, 3), 3)]
)
@pytest.mark.parametrize("clipped", [False, True])
def test_a_row_moves_a_sum_by_the_greater_of_both_ends(ends: tuple[int, int], largest: int, clipped: bool) -> None:
    """Most often ends that people write are on one side of zero, or uneven around it."""
    wide = (-20, 20) if clipped else ends
    schema = pets.Schema(
        {"t": pets.Table(pets.Unit("id", max_rows=2), {"id": pets.Identifier(), "v": pets.Integer(*wide)})}
    )
    query = pets.query("t").agg(s=pets.sum("v", clip=ends) if clipped else pets.sum("v"))
    (moved,) = (one.sensitivity for one in make_plan(query, schema).measures if one.kind == "total")
    assert (moved.l1, moved.l2_squared, moved.linf) == (2 * largest, (2 * largest) ** 2, 2 * largest)
