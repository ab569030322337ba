"""A dataset of one row a person, for tables without noise: by sex, region, age and day of arrival."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import numpy as np
import pandas as pd

import pets
from pets import col

FIRST = dt.date(2024, 1, 1)
REGIONS = ["N", "E", "S", "W"]
SCHEMA = pets.Schema(
    {
        "people": pets.Table(
            pets.Unit("id", max_rows=1),
            {
                "id": pets.Identifier(),
                "sex": pets.Category(["f", "m"], nullable=False),
                "region": pets.Category(REGIONS),
                "age": pets.Integer(0, 99),
                "came": pets.Date("2024-01-01", "2024-02-29", nullable=False),
            },
        )
    },
    dataset="checked-tables",
)
T = pets.query("people")
N = pets.count()
BUDGET = pets.Budget(epsilon=20, delta=1e-6)
ALLOWED = pets.Policy(allow_unbounded=True)


def rows(people: int = 300, seed: int = 0) -> pd.DataFrame:
    """Invented people, some without a region or an age."""
    draw = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "id": [f"p{i}" for i in range(people)],
            "sex": draw.choice(["f", "m"], people),
            "region": draw.choice([*REGIONS, None], people, p=[0.4, 0.3, 0.15, 0.1, 0.05]),
            "age": pd.array(np.where(draw.random(people) < 0.05, None, draw.integers(0, 100, people)), dtype="Int64"),
            "came": [FIRST + dt.timedelta(days=int(d)) for d in draw.integers(0, 60, people)],
        }
    )


def of_counts(counts: dict[tuple[str, str], int]) -> pd.DataFrame:
    """So many people of each sex and region, of an age of 40, who came on the first day."""
    cells = [cell for cell, n in counts.items() for _ in range(n)]
    return pd.DataFrame(
        {
            "id": [f"p{i}" for i in range(len(cells))],
            "sex": [sex for sex, _ in cells],
            "region": [region for _, region in cells],
            "age": 40,
            "came": FIRST,
        }
    )


def of_days(counts: list[int]) -> pd.DataFrame:
    """So many people on each day."""
    days = [day for day, n in enumerate(counts) for _ in range(n)]
    frame = of_counts({("f", "N"): len(days)})
    return frame.assign(came=[FIRST + dt.timedelta(days=day) for day in days])


def between(first: int, last: int) -> Any:
    """Who came on one of these days, counted from 0."""
    ends = [FIRST + dt.timedelta(days=day) for day in (first, last)]
    return (col("came") >= ends[0]) & (col("came") <= ends[1])


def opened(data: Any = None, **more: Any) -> pets.Custodian:
    """A custodian of these people."""
    more = {"budget": BUDGET, "policy": ALLOWED, "progress": False} | more
    return pets.Custodian(SCHEMA, rows() if data is None else data, **more)


def searched_here(question: Any) -> Any:
    """The search in this process, in place of one of its own."""
    from pets.session.disclosure.worker import answered

    return json.loads(json.dumps(answered(question.to_json())))


def total(custodian: pets.Custodian, query: pets.Query) -> Any:
    """An exact table, as the custodian's policy allows."""
    return custodian.session(analyst="ann").release(query, pets.Total())
