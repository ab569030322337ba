"""A unit is a column's name, and a budget that is nearly enough says by how little it is not."""

from __future__ import annotations

import re

import pandas as pd
import pytest

import pets
from pets.errors import BudgetError

COLUMNS = {"pid": {"type": "identifier"}, "x": {"type": "integer", "min": 0, "max": 9}}


def test_a_unit_may_be_its_columns_name_alone() -> None:
    short = pets.Schema.load({"tables": {"t": {"unit": "pid", "columns": COLUMNS}}})
    assert short.table("t").unit == pets.Unit("pid")


def test_cost_and_room_never_read_alike() -> None:
    schema = pets.Schema.load({"tables": {"t": {"unit": "pid", "columns": COLUMNS}}})
    rows = pd.DataFrame({"pid": [str(i) for i in range(50)], "x": 1})
    session = pets.Session(schema, {"t": rows}, budget=pets.Budget(epsilon=1), progress=False)
    query = pets.query("t").agg(n=pets.count())
    session.release(query, pets.DP(epsilon=0.0001))
    with pytest.raises(BudgetError) as caught:
        session.release(query, pets.DP(epsilon=1))
    told = re.findall(r"ε = ([0-9.e-]*[0-9])", str(caught.value))
    assert len(told) >= 2 and told[0] != told[1], caught.value
