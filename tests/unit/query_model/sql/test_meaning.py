"""What a statement means in DuckDB is what its query answers, where no bound bites: nulls, shares, ranges, joins."""

from __future__ import annotations

import math
import warnings
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

import pets
from pets.schema.schema import Schema

SCHEMA = Schema.load(
    {
        "tables": {
            "stays": {
                "unit": {"column": "patient", "max_rows": 100},
                "person_table": "people",
                "columns": {
                    "patient": {"type": "identifier"},
                    "age": {"type": "integer", "min": 0, "max": 110, "nullable": False},
                    "days": {"type": "integer", "min": -5, "max": 60},
                    "cost": {"type": "real", "min": 0, "max": 100, "step": 0.5},
                    "sex": {"type": "category", "values": ["M", "F"]},
                    "emergency": {"type": "boolean"},
                    "admitted": {"type": "date", "min": "2020-01-01", "max": "2021-12-31"},
                    "seen": {"type": "datetime", "min": "2020-01-01 00:00", "max": "2020-12-31 23:59"},
                },
            },
            "people": {
                "unit": {"column": "patient", "max_rows": 1},
                "columns": {"patient": {"type": "identifier"}, "region": {"type": "category", "values": ["N", "S"]}},
            },
        }
    }
)


def _table(rows: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(5)

    def some(values: Any) -> Any:
        return pd.Series(values, dtype=object).where(rng.random(rows) > 0.2, None)

    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 700, rows), "D")
    times = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 366 * 1440, rows), "min")
    return pd.DataFrame(
        {
            "patient": [f"p{n}" for n in rng.integers(0, 60, rows)],
            "age": rng.integers(0, 111, rows),
            "days": pd.array(some(rng.integers(-5, 61, rows)), dtype="Int64"),
            "cost": some(rng.integers(0, 201, rows) / 2).astype(float),
            "sex": some(rng.choice(["F", "M"], rows)),
            "emergency": pd.array(some(rng.random(rows) > 0.5), dtype="boolean"),
            "admitted": pd.Series(days.date).where(rng.random(rows) > 0.1, None),
            "seen": pd.Series(times).where(rng.random(rows) > 0.1, pd.NaT),
        }
    )


STAYS = _table()
PEOPLE = pd.DataFrame({"patient": [f"p{n}" for n in range(40)], "region": ["N", "S", None, "S"] * 10})

TEXTS = [
    "SELECT sex, COUNT(*) AS n, COUNT(days) AS d, COUNT(*) - COUNT(days) AS l FROM stays GROUP BY sex",
    "SELECT COUNT(*) AS n, SUM(days) AS s, AVG(cost) AS m, VAR_POP(cost) AS v FROM stays",
    "SELECT emergency, COUNT(DISTINCT patient) AS p, COUNT(patient) AS n FROM stays GROUP BY emergency",
    "SELECT COUNT(*) AS n FROM stays WHERE sex <> 'F'",
    "SELECT COUNT(*) AS n FROM stays WHERE NOT (sex = 'F')",
    "SELECT COUNT(*) AS n FROM stays WHERE NOT (sex = 'F' AND days > 3)",
    "SELECT COUNT(*) AS n FROM stays WHERE NOT (sex = 'F' OR days > 3)",
    "SELECT COUNT(*) AS n FROM stays WHERE sex = 'F' OR NOT sex = 'F'",
    "SELECT COUNT(*) AS n FROM stays WHERE days NOT IN (1, 2, 3) AND days NOT BETWEEN 10 AND 20",
    "SELECT COUNT(*) AS n FROM stays WHERE days IS NULL OR cost IS NOT NULL",
    "SELECT COUNT(*) AS n FROM stays WHERE NOT (days IS NULL)",
    "SELECT COUNT(*) AS n FROM stays WHERE NOT NOT emergency",
    "SELECT COUNT(*) AS n FROM stays WHERE emergency AND NOT (days < 5)",
    "SELECT COUNT(*) AS n FROM stays WHERE emergency IS TRUE OR emergency = FALSE",
    "SELECT COUNT(*) AS n FROM stays WHERE -3 < days AND 7/2 >= days",
    "SELECT COUNT(*) AS n FROM stays WHERE days = 2 OR days = 3 AND sex = 'F'",
    "SELECT COUNT(*) AS n FROM stays WHERE (days = 2 OR days = 3) AND sex = 'F'",
    "SELECT COUNT(*) AS n FROM stays WHERE cost IN (1.5, 2.25, 1e1)",
    "SELECT COUNT(*) AS n FROM stays WHERE admitted >= '2021-01-01' AND admitted < DATE '2021-06-01'",
    "SELECT COUNT(*) AS n FROM stays WHERE admitted BETWEEN '2020-03-01' AND '2020-12-31'",
    "SELECT COUNT(*) AS n FROM stays WHERE seen BETWEEN '2020-03-01' AND '2020-12-31'",
    "SELECT COUNT(*) AS n FROM stays WHERE seen > TIMESTAMP '2020-05-01 12:30:00' AND seen <> '2020-06-01'",
    "SELECT sex, COUNT(*) FILTER (WHERE days > 5) AS a, COUNT(DISTINCT patient) FILTER (WHERE emergency) AS b"
    " FROM stays GROUP BY sex",
    "SELECT sex, SUM(CASE WHEN days > 5 THEN 1 ELSE 0 END) AS a, COUNT(CASE WHEN days > 5 THEN 1 END) AS b"
    " FROM stays GROUP BY sex",
    "SELECT sex, SUM(CASE WHEN age > 50 THEN days ELSE 0 END) AS a, SUM(CASE WHEN age > 50 THEN cost END) AS b"
    " FROM stays GROUP BY sex",
    "SELECT sex, AVG(CASE WHEN days > 5 THEN 1 ELSE 0 END) AS a, AVG(CASE WHEN days > 5 THEN cost END) AS b"
    " FROM stays GROUP BY sex",
    "SELECT sex, SUM(CASE WHEN days > 5 THEN 1 ELSE 0 END) * 1.0 / COUNT(*) AS a FROM stays GROUP BY sex",
    "SELECT COUNT(*) FILTER (WHERE days > 5) / COUNT(*) AS a, SUM(days) / COUNT(days) AS b FROM stays",
    "SELECT COUNT_IF(days > 5) AS a, COUNT(DISTINCT CASE WHEN days > 5 THEN patient END) AS b FROM stays",
    "SELECT SUM(days) FILTER (WHERE age > 50) / COUNT(days) FILTER (WHERE age > 50) AS a FROM stays",
    "SELECT AVG(LEAST(GREATEST(age, 20), 60)) AS a, SUM(GREATEST(LEAST(age, 60), 20)) AS b FROM stays",
    "SELECT QUANTILE_DISC(age, 0.25) AS a, PERCENTILE_DISC(0.9) WITHIN GROUP (ORDER BY days) AS b FROM stays",
    "SELECT SUM(age // 7) AS a, SUM((2 * age + 3) // 7 // 2) AS b, SUM(FLOOR(days / 2.5)) AS c FROM stays",
    "SELECT SUM(FLOOR(cost / 1.5)) AS b FROM stays",
    "SELECT COUNT(*) AS n, SUM(x // 2 + days) AS s FROM (SELECT *, GREATEST(age // 7, 3) AS x FROM stays)",
    "SELECT EXTRACT(YEAR FROM admitted) AS y, quarter(admitted) AS q, COUNT(*) AS n FROM stays GROUP BY y, 2",
    "SELECT DATE_PART('month', seen) AS m, COUNT(*) AS n FROM stays GROUP BY ALL",
    "SELECT DATE_TRUNC('month', admitted) AS m, SUM(age) AS n FROM stays WHERE age > 3 GROUP BY 1",
    "SELECT DATE_TRUNC('week', admitted) AS w, COUNT(*) AS n FROM stays GROUP BY 1",
    "SELECT DATE_TRUNC('day', seen) AS d, COUNT(*) AS n FROM stays GROUP BY d",
    "SELECT EXTRACT(HOUR FROM seen) AS h, EXTRACT(ISODOW FROM seen) AS d, COUNT(*) AS n FROM stays GROUP BY h, d",
    "SELECT CASE WHEN age < 18 THEN 'a' WHEN age <= 64 THEN 'b' ELSE 'c' END AS band, COUNT(*) AS n"
    " FROM stays GROUP BY band",
    "SELECT CASE WHEN days IS NULL THEN '?' WHEN days > 10 THEN 'long' ELSE 'short' END AS band, COUNT(*) AS n"
    " FROM stays GROUP BY 1",
    "SELECT CASE WHEN cost >= 50.25 THEN 'c' WHEN cost BETWEEN 10 AND 50 THEN 'b' WHEN 10 > cost THEN 'a' END AS band,"
    " COUNT(*) AS n FROM stays GROUP BY 1",
    "SELECT p.region, COUNT(*) AS n, COUNT(DISTINCT s.patient) AS p"
    " FROM stays s LEFT JOIN people p ON s.patient = p.patient GROUP BY p.region",
    "SELECT sex, COUNT(*) AS n FROM stays GROUP BY sex HAVING COUNT(*) > 100 ORDER BY n DESC",
    "SELECT age, COUNT(*) AS n FROM stays GROUP BY age HAVING n > 0 ORDER BY n DESC, age LIMIT 7 OFFSET 2",
    "SELECT sex, COUNT(*) AS n FROM stays GROUP BY sex ORDER BY sex LIMIT 1",
    "SELECT sex, COUNT(*) AS n FROM stays GROUP BY sex ORDER BY sex DESC LIMIT 1",
    "SELECT sex, emergency, COUNT(*) AS n FROM stays GROUP BY ALL ORDER BY emergency, sex DESC LIMIT 5",
    "SELECT CASE WHEN days IS NULL THEN 'b' WHEN days < 9 THEN 'c' WHEN days < 30 THEN 'd' ELSE 'A' END AS band,"
    " COUNT(*) AS n FROM stays GROUP BY 1 ORDER BY band LIMIT 3",
    "SELECT CASE WHEN days IS NULL THEN '?' WHEN days > 10 THEN 'long' ELSE 'short' END AS band, COUNT(*) AS n"
    " FROM stays GROUP BY band HAVING band IN ('?', 'long') ORDER BY band DESC",
    "SELECT sex, emergency, SUM(cost) AS s"
    " FROM stays GROUP BY sex, emergency HAVING (sex, emergency) IN (('F', TRUE), ('M', FALSE)) ORDER BY s",
]  # fmt: skip


@pytest.fixture(scope="module")
def session() -> pets.Session:
    policy, budget = pets.Policy(allow_unbounded=True), pets.Budget(epsilon=1)
    return pets.Session(SCHEMA, {"stays": STAYS, "people": PEOPLE}, policy=policy, budget=budget)


@pytest.mark.parametrize("text", TEXTS, ids=[text[7:80] for text in TEXTS])
def test_the_answer_is_that_of_the_statement(text: str, session: pets.Session) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of days beside times: their meaning is what is looked at
        query = pets.sql(text, SCHEMA)
    release = session.release(query, pets.Total())
    with duckdb.connect() as connection:
        connection.register("stays_", STAYS)
        connection.register("people", PEOPLE)
        connection.execute("CREATE VIEW stays AS SELECT * REPLACE (admitted::DATE AS admitted) FROM stays_")
        wanted = connection.execute(text).df()
    keys = [key.name for key in query.keys]
    order = [*keys, *(name for name in wanted if name not in keys)]
    rows = [tuple(_cell(cell) for cell in row) for row in wanted[order].itertuples(index=False, name=None)]
    table = release.table[order]
    ours = [tuple(_cell(cell) for cell in row) for row in table.itertuples(index=False, name=None)]
    if query.display is None or not (query.display.order or query.display.having):
        # groups that no row is in are answered too, and one table is not sorted
        ours = [row for row in ours if any(cell not in (0, None) for cell in row[len(keys) :])]
        rows, ours = sorted(rows, key=repr), sorted(ours, key=repr)
    assert len(ours) == len(rows)
    for mine, theirs in zip(ours, rows, strict=True):
        assert mine[: len(keys)] == theirs[: len(keys)]
        assert mine[len(keys) :] == pytest.approx(theirs[len(keys) :], rel=1e-9)


def _cell(cell: Any) -> Any:
    """Days as text, numbers as floats, and what is missing in one form."""
    if isinstance(cell, (bool, np.bool_)):
        return bool(cell)
    if (
        cell is None
        or cell is pd.NaT
        or cell is pd.NA
        or cell == "missing"
        or (isinstance(cell, float) and math.isnan(cell))
    ):
        return None
    if isinstance(cell, pd.Timestamp):
        return str(cell.date())
    return cell if isinstance(cell, str) else round(float(cell), 9)
