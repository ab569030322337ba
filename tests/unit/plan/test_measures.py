"""Sums stay within 62 bits, whatever the public number of people, their rows and their values allow."""

from __future__ import annotations

from typing import Any

import pytest

import pets
from pets.errors import QueryError
from pets.plan.plan import make_plan

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
