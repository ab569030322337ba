"""What tests of rounded tables share: a register of people, each with one row, and a grid of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

import pets
from pets import col

COLUMNS: dict[str, Any] = {
    "id": pets.Identifier(),
    "sex": pets.Category(["F", "M"], nullable=False),
    "region": pets.Category(["N", "S", "E"]),
    "age": pets.Integer(0, 99, nullable=False),
    "born": pets.Date("1925-01-01", "2024-12-31", nullable=False),
}
SCHEMA = pets.Schema({"p": pets.Table(pets.Unit("id", max_rows=1), COLUMNS)}, dataset="register")
EDGES = [0, 18, 40, 65, 99]
T = pets.query("p")
GRID = T.group_by("sex", "region", col("age").bins(EDGES)).agg(n=pets.count())
HES = pets.SDC("hes")
POLICY = pets.Policy(sdc=("hes", "ons_10_5", "opensafely", "midpoint6", "own"))
BUDGET = pets.Budget(epsilon=50, delta=1e-6, threshold_delta=1e-7)


def people(count: int = 300, seed: int = 1) -> pd.DataFrame:
    """People of whom few live in E, and some say nothing of where: many cells are small, some are empty."""
    draw = np.random.default_rng(seed)
    region = draw.choice(["N", "S", "E", None], count, p=[0.55, 0.35, 0.05, 0.05])
    age = draw.integers(0, 100, count)
    born = pd.DatetimeIndex(pd.to_datetime("2024-06-01") - pd.to_timedelta(age * 365, unit="D"))
    sex = draw.choice(["F", "M"], count)
    found = {"id": [f"i{n}" for n in range(count)], "sex": sex, "region": region, "age": age}
    return pd.DataFrame(found | {"born": born.strftime("%Y-%m-%d")})


ROWS = people()


def opened(rows: pd.DataFrame | None = None, **more: Any) -> pets.Session:
    """A session of everything, on an account in memory unless ``more`` names a ledger."""
    given: dict[str, Any] = {"budget": BUDGET, "policy": POLICY, "progress": False}
    return pets.Session(SCHEMA, ROWS if rows is None else rows, **(given | more))
