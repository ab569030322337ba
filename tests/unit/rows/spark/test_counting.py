"""Caps, people and sums on Spark: the integers of DuckDB, in few jobs; and a sum that would not fit is an error."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from pyspark.errors import ArithmeticException

import pets
from pets import col
from pets.plan.plan import make_plan
from pets.rows.engine import spark_rows
from pets.rows.engine.backends import backend
from pets.rows.tabulate import tabulate
from tests.sparks import batched, spark
from tests.unit.rows.engine.test_caps import BY_DAY, SCHEMAS, SNAPSHOTS

BOUNDS = ({"rows": 7}, {"groups": 1}, {"groups": 2}, {"rows": 5, "groups": 2, "rows_per_group": 2})
ASKED = (BY_DAY, BY_DAY.where(col("spent") > 20), pets.query("visits").group_by("day", col("hour").bins([0, 12, 24])))


@pytest.mark.parametrize("prepared", SCHEMAS)
def test_the_first_rows_and_groups_of_each_person_count(prepared: str) -> None:
    plans = [
        make_plan(
            asked.agg(n=pets.count(), u=pets.count_units(), s=pets.sum("spent")).bound(**given), SCHEMAS[prepared]
        )
        for asked in ASKED
        for given in BOUNDS
    ]
    wanted = [tabulate(plan, SNAPSHOTS[prepared]).reveal().tolist() for plan in plans]
    found = batched([partial(tabulate, plan, SNAPSHOTS[prepared], "spark") for plan in plans])
    assert [one.reveal().tolist() for one in found] == wanted
    assert len({str(one[: len(one) // 3]) for one in wanted}) > 6, "the bounds bite"


def test_a_sum_that_does_not_fit_is_an_error_and_no_other_number() -> None:
    """In our own session, whatever the caller's says."""
    spark().conf.set("spark.sql.ansi.enabled", "false")
    try:
        one: Any = backend(SNAPSHOTS["ranked"], "spark")
        table = one.table("")
        for too_much in (table[SNAPSHOTS["ranked"].columns["spent"]] * 2**60).sum(), (table["rank"] + 2**62).sum():
            with pytest.raises(ArithmeticException):
                one.to_pyarrow(too_much.name("s").as_table())
        assert spark_rows.sql_of(table.count().as_table())
        assert spark().conf.get("spark.sql.ansi.enabled") == "false", "theirs stays as it is"
    finally:
        spark().conf.unset("spark.sql.ansi.enabled")
