"""What a statement about people means in DuckDB is what its question answers, where no bound bites.

Who is in (JOIN and LEFT JOIN, IN, EXISTS, HAVING), what is missing (three-valued logic, counts of nobody), and days.
"""

from __future__ import annotations

import math
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

import pets
from pets.schema.schema import Schema

DAY = {"type": "date", "min": "2020-01-01", "max": "2021-12-31"}
SCHEMA = Schema.load(
    {
        "tables": {
            "apc": {
                "unit": {"column": "patient", "max_rows": 50},
                "person_table": "patients",
                "columns": {
                    "patient": {"type": "identifier"},
                    "admitted": DAY,
                    "diagnosis": {"type": "category", "values": ["I210", "I214", "J18"]},
                    "cost": {"type": "integer", "min": 0, "max": 20},
                    "emergency": {"type": "boolean"},
                },
            },
            "rx": {
                "unit": {"column": "pid", "max_rows": 50},
                "person_table": "patients",
                "columns": {
                    "pid": {"type": "identifier"},
                    "dispensed": DAY,
                    "drug": {"type": "category", "values": ["a", "b"]},
                    "seen": {"type": "datetime", "min": "2020-01-01 00:00", "max": "2021-12-31 23:59"},
                },
            },
            "patients": {
                "unit": {"column": "patient", "max_rows": 1},
                "columns": {
                    "patient": {"type": "identifier"},
                    "born": {"type": "date", "min": "1930-01-01", "max": "2021-12-31"},
                    "sex": {"type": "category", "values": ["F", "M"]},
                },
            },
        }
    }
)
RNG = np.random.default_rng(8)


def some(values: Any, share: float = 0.2) -> Any:
    return pd.Series(values, dtype=object).where(RNG.random(len(values)) > share, None)


def days(rows: int) -> Any:
    return some((pd.Timestamp("2020-01-01") + pd.to_timedelta(RNG.integers(0, 700, rows), "D")).date, 0.15)


def tables() -> dict[str, pd.DataFrame]:
    """Some 50 people, each of the tables without some of them; of p41 and p42 no day is known."""
    apc = {
        "patient": [f"p{n}" for n in RNG.integers(0, 40, 150)],
        "admitted": days(150),
        "diagnosis": some(RNG.choice(["I210", "I214", "J18"], 150)),
        "cost": pd.array(some(RNG.integers(0, 21, 150)), dtype="Int64"),
        "emergency": pd.array(some(RNG.random(150) > 0.5), dtype="boolean"),
    }
    seen = pd.Timestamp("2020-01-01") + pd.to_timedelta(RNG.integers(0, 700 * 1440, 120), "min")
    rx = {
        "pid": [f"p{n}" for n in RNG.integers(10, 50, 120)],
        "dispensed": days(120),
        "drug": some(RNG.choice(["a", "b"], 120)),
        "seen": pd.Series(seen).where(RNG.random(120) > 0.1, pd.NaT),
    }
    born = some((pd.Timestamp("1930-01-01") + pd.to_timedelta(RNG.integers(0, 33_000, 45), "D")).date, 0.1)
    patients = {"patient": [f"p{n}" for n in range(45)], "born": born, "sex": some(RNG.choice(["F", "M"], 45))}
    undated = ["p41", "p41", "p42"]
    apc["admitted"] = apc["admitted"].where(~pd.Series(apc["patient"]).isin(undated), None)
    rx["dispensed"] = rx["dispensed"].where(~pd.Series(rx["pid"]).isin(undated), None)
    more = {"apc": {"patient": undated, "cost": [1, 12, 7]}, "rx": {"pid": undated, "drug": ["a", "b", "a"]}}
    frames = {"apc": pd.DataFrame(apc), "rx": pd.DataFrame(rx)}
    for name, rows in more.items():
        added = pd.DataFrame(rows).reindex(columns=frames[name].columns).astype(frames[name].dtypes)
        frames[name] = pd.concat([frames[name], added], ignore_index=True)
    return {**frames, "patients": pd.DataFrame(patients)}


DATA = tables()
MACROS = """
CREATE MACRO clip(x, a, b) AS CASE WHEN x IS NOT NULL THEN least(greatest(x, a), b) END;
CREATE MACRO days_between(a, b, low, high) AS CASE WHEN b - a BETWEEN low AND high THEN b - a END;
CREATE MACRO age_at(a, b) AS CASE WHEN b >= a THEN
    year(b) - year(a) - CASE WHEN (month(b), day(b)) < (month(a), day(a)) THEN 1 ELSE 0 END END;
"""
MI = "SELECT patient, MIN(admitted) AS first, COUNT(*) AS n FROM apc WHERE diagnosis LIKE 'I21%' GROUP BY patient"
RX = "SELECT pid, MIN(dispensed) AS d, COUNT(*) AS k FROM rx GROUP BY pid"

TEXTS = [
    # who is in
    f"SELECT COUNT(*) AS n FROM ({MI})",
    f"SELECT COUNT(*) AS n, COUNT(first) AS dated, COUNT(patient) AS p, COUNT(DISTINCT patient) AS d FROM ({MI}) m",
    "SELECT COUNT(*) AS n FROM (SELECT patient FROM apc GROUP BY patient HAVING COUNT(*) >= 4) x",
    "SELECT COUNT(*) AS n FROM (SELECT patient FROM apc WHERE cost > 9 GROUP BY patient HAVING MAX(cost) < 19) x",
    "SELECT COUNT(*) AS n FROM (SELECT patient FROM apc GROUP BY 1 HAVING NOT (MIN(cost) > 3 OR COUNT(*) < 3)) x",
    "SELECT COUNT(*) AS n FROM (SELECT DISTINCT pid FROM rx WHERE drug = 'a')",
    f"SELECT COUNT(*) AS n FROM ({MI}) m JOIN ({RX}) r ON m.patient = r.pid",
    f"SELECT COUNT(*) AS n, COUNT(r.pid) AS treated, COUNT(r.d) AS dated FROM ({MI}) m LEFT JOIN ({RX}) r"
    " ON m.patient = r.pid",
    f"SELECT sex, COUNT(*) AS n FROM ({MI}) m JOIN patients p ON p.patient = m.patient GROUP BY sex",
    f"SELECT sex, COUNT(*) AS n FROM ({MI}) m LEFT JOIN patients p USING (patient) GROUP BY sex",
    "SELECT sex, COUNT(*) AS n FROM (SELECT DISTINCT patient FROM apc WHERE cost > 15) m JOIN patients p"
    " USING (patient) GROUP BY sex",
    "SELECT p.sex, COUNT(*) AS n FROM patients p LEFT JOIN (SELECT pid FROM rx GROUP BY pid) r ON r.pid = p.patient"
    " WHERE r.pid IS NULL GROUP BY p.sex",
    "SELECT COUNT(*) AS n FROM patients p LEFT JOIN (SELECT DISTINCT pid FROM rx) r ON r.pid = p.patient"
    " WHERE r.pid IS NOT NULL AND NOT p.sex = 'F'",
    "SELECT COUNT(*) AS n FROM patients WHERE patient IN (SELECT pid FROM rx WHERE drug <> 'a')",
    "SELECT COUNT(*) AS n FROM patients p WHERE p.patient NOT IN (SELECT pid FROM rx WHERE NOT (drug = 'a'))",
    "SELECT COUNT(*) AS n FROM patients WHERE patient IN (SELECT pid FROM rx GROUP BY pid HAVING COUNT(*) > 2)",
    "SELECT COUNT(*) AS n FROM patients WHERE patient NOT IN"
    " (SELECT pid FROM rx GROUP BY pid HAVING MIN(dispensed) > '2020-06-01')",
    *(
        f"SELECT {measure} AS n FROM patients{where}"
        for having in (
            "MIN(dispensed) > '2020-06-01'",
            "NOT (MIN(dispensed) > '2020-06-01' AND COUNT(*) > 1)",
            "NOT (MIN(dispensed) > '2020-06-01' OR COUNT(*) > 4 OR MAX(seen) < '2020-02-01')",
            "MAX(dispensed) - MIN(dispensed) > 30",
        )
        for people in (f"(SELECT pid FROM rx GROUP BY pid HAVING {having})",)
        for measure, where in (
            ("COUNT(*)", f" WHERE patient NOT IN {people}"),
            ("COUNT(*)", f" WHERE NOT (patient IN {people} AND NOT sex = 'F')"),
            (f"SUM(CASE WHEN patient NOT IN {people} THEN 1 ELSE 0 END)", ""),
            (f"AVG(CASE WHEN patient IN {people} THEN 1 ELSE 0 END)", ""),
        )
    ),
    "SELECT COUNT(*) AS n FROM patients p WHERE p.patient IN (SELECT patient FROM apc) OR p.sex = 'F'",
    "SELECT COUNT(*) AS n FROM patients p WHERE NOT EXISTS (SELECT 1 FROM rx WHERE rx.pid = p.patient)",
    "SELECT COUNT(*) AS n FROM patients p WHERE EXISTS (SELECT * FROM apc a WHERE p.patient = a.patient"
    " AND (a.cost > 15 OR a.emergency)) AND NOT (sex = 'F')",
    # what is missing
    f"SELECT COUNT(*) AS n FROM patients p LEFT JOIN ({RX}) r ON r.pid = p.patient WHERE COALESCE(r.k, 0) < 3",
    "SELECT AVG(COALESCE(k, 0)) AS m, SUM(COALESCE(k, 0)) AS s FROM patients p"
    " LEFT JOIN (SELECT pid, COUNT(drug) AS k FROM rx GROUP BY pid) r ON r.pid = p.patient",
    f"SELECT COUNT(*) AS n FROM patients p LEFT JOIN ({RX}) r ON r.pid = p.patient WHERE NOT (r.d > '2020-03-01')",
    f"SELECT COUNT(*) AS n FROM patients p LEFT JOIN ({RX}) r ON r.pid = p.patient"
    " WHERE r.d IS NULL OR NOT (r.d BETWEEN '2020-02-01' AND '2020-05-01')",
    "SELECT COUNT(*) AS n FROM patients p WHERE (SELECT MIN(cost) FROM apc WHERE apc.patient = p.patient) <> 0",
    "SELECT COUNT(*) AS n FROM patients p WHERE NOT ((SELECT MIN(cost) FROM apc WHERE apc.patient = p.patient) = 0)",
    "SELECT COUNT(*) AS n FROM patients p WHERE (SELECT COUNT(*) FROM apc WHERE apc.patient = p.patient) = 0",
    "SELECT COUNT(*) AS n FROM patients p WHERE COALESCE((SELECT MIN(cost) FROM apc WHERE apc.patient = p.patient), 7)"
    " IN (0, 7)",
    "SELECT AVG(x) AS m FROM (SELECT patient, CLIP(SUM(cost), 0, 1000) AS x FROM apc WHERE cost > 3 OR NOT emergency"
    " GROUP BY patient)",
    "SELECT AVG(CLIP(x, 0, 40)) AS m FROM"
    " (SELECT *, (SELECT CLIP(SUM(cost), 0, 900) FROM apc WHERE apc.patient = p.patient) AS x FROM patients p)",
    "SELECT AVG(CASE WHEN x > 2 THEN 1 ELSE 0 END) AS r, SUM(x) AS s FROM"
    " (SELECT patient, SUM(CASE WHEN cost > 9 THEN 1 ELSE 0 END) AS x FROM apc GROUP BY patient)",
    "SELECT x, COUNT(*) AS n FROM (SELECT patient, COUNT(DISTINCT diagnosis) AS x FROM apc GROUP BY patient)"
    " GROUP BY x",
    "SELECT x, COUNT(*) AS n FROM (SELECT pid, COUNT(DISTINCT CAST(seen AS DATE)) AS x FROM rx GROUP BY pid)"
    " GROUP BY x",
    "SELECT x, y, COUNT(*) AS n FROM (SELECT pid, COUNT(*) FILTER (WHERE drug = 'a') AS x, LEAST(COUNT(*), 3) AS y"
    " FROM rx GROUP BY pid) GROUP BY ALL",
    # days
    f"WITH mi AS ({MI}) SELECT COUNT(*) AS n, SUM(CASE WHEN EXISTS (SELECT 1 FROM apc a WHERE a.patient = mi.patient"
    " AND a.admitted > mi.first AND a.admitted <= mi.first + INTERVAL 90 DAY) THEN 1 ELSE 0 END) AS readmitted FROM mi",
    f"WITH mi AS ({MI}), re AS (SELECT a.patient, COUNT(*) AS k FROM apc a JOIN mi ON a.patient = mi.patient"
    " WHERE a.admitted BETWEEN mi.first + 1 AND mi.first + 200 GROUP BY a.patient)"
    " SELECT AVG(COALESCE(re.k, 0)) AS m, COUNT(re.patient) AS n FROM mi LEFT JOIN re ON re.patient = mi.patient",
    f"WITH mi AS ({MI}) SELECT COUNT(*) AS n FROM mi JOIN ({RX}) y ON mi.patient = y.pid AND y.d >= mi.first",
    f"WITH mi AS ({MI}) SELECT COUNT(*) AS n FROM mi JOIN ({RX}) y ON mi.patient = y.pid"
    " WHERE NOT (y.d BETWEEN mi.first AND mi.first + 99)",
    "SELECT AVG(b - a) AS m, COUNT(*) FILTER (WHERE b - a > 30) AS n FROM"
    " (SELECT patient, MIN(admitted) AS a, MAX(admitted) AS b FROM apc GROUP BY patient)",
    "SELECT AVG(d) AS m FROM (SELECT *, CASE WHEN b - a BETWEEN 1 AND 300 THEN b - a END AS d FROM"
    " (SELECT patient, MIN(admitted) AS a, MAX(admitted) AS b FROM apc GROUP BY patient))",
    "SELECT CASE WHEN age IS NULL THEN '?' WHEN age < 40 THEN 'a' WHEN age < 65 THEN 'b' ELSE 'c' END AS band,"
    " COUNT(*) AS n FROM (SELECT *, AGE_AT(p.born, m.first) AS age FROM (SELECT patient AS person, MIN(admitted) AS"
    " first FROM apc GROUP BY patient) m JOIN patients p ON p.patient = m.person) GROUP BY band",
    f"SELECT DATE_TRUNC('month', first) AS m, COUNT(*) AS n FROM ({MI}) GROUP BY m",
    "SELECT COUNT(*) AS n FROM patients p WHERE EXISTS (SELECT 1 FROM rx WHERE rx.pid = p.patient AND DATE_DIFF('day',"
    " (SELECT MIN(admitted) FROM apc WHERE apc.patient = p.patient), rx.seen) BETWEEN -20 AND 150)",
    *(
        f"SELECT COUNT(*) AS n FROM (SELECT patient, MIN(admitted) AS f FROM apc GROUP BY patient) m WHERE {there}"
        f"EXISTS (SELECT 1 FROM rx WHERE rx.pid = m.patient AND {days})"
        for there, days in (
            ("", "DATE_DIFF('day', rx.dispensed, m.f) BETWEEN 0 AND 60"),
            ("", "NOT DATE_DIFF('day', rx.seen, m.f) BETWEEN -200 AND 30"),
            ("", "m.f - rx.dispensed BETWEEN -7 AND 60"),
            ("", "200 BETWEEN DATE_DIFF('day', rx.dispensed, m.f) AND DATE_DIFF('day', m.f, rx.dispensed)"),
            ("", "-200 BETWEEN rx.dispensed - m.f AND m.f - rx.dispensed"),
            ("NOT ", "0 BETWEEN m.f - rx.dispensed AND rx.dispensed - m.f"),
            ("", "m.f BETWEEN rx.dispensed - 90 AND rx.dispensed + 3"),
            ("", "m.f BETWEEN rx.dispensed AND rx.dispensed + 30"),
        )
    ),
    "SELECT COUNT(*) AS n FROM patients p WHERE EXISTS (SELECT 1 FROM apc x WHERE x.patient = p.patient AND x.admitted"
    " = (SELECT MAX(admitted) FROM apc y WHERE y.patient = x.patient) AND x.emergency)",
    "SELECT COUNT(*) AS n FROM patients p WHERE EXISTS (SELECT 1 FROM apc x WHERE x.patient = p.patient AND NOT"
    " (x.admitted <> (SELECT MAX(admitted) FROM apc y WHERE y.patient = x.patient)) AND x.cost < 9)",
    "SELECT COUNT(*) AS n FROM patients p WHERE EXISTS (SELECT 1 FROM apc x WHERE x.patient = p.patient AND NOT"
    " (x.admitted - (SELECT MIN(dispensed) FROM rx WHERE rx.pid = p.patient) < -10 OR x.cost > 9))",
    "SELECT COUNT(*) AS n FROM (SELECT *, (SELECT ARG_MIN_NULL(emergency, admitted) FROM apc WHERE"
    " apc.patient = p.patient AND cost > 17) AS e FROM patients p) WHERE NOT e",
]  # fmt: skip


@pytest.fixture(scope="module")
def session() -> pets.Session:
    policy, budget = pets.Policy(allow_unbounded=True), pets.Budget(epsilon=1)
    return pets.Session(SCHEMA, DATA, policy=policy, budget=budget)


@pytest.fixture(scope="module")
def connection() -> Any:
    with duckdb.connect() as found:
        for name, frame in DATA.items():
            found.register(f"{name}_", frame)
            dates = [column for column in ("admitted", "dispensed", "born") if column in frame]
            casts = ", ".join(f"{column}::DATE AS {column}" for column in dates)
            found.execute(f"CREATE VIEW {name} AS SELECT * REPLACE ({casts}) FROM {name}_")
        found.execute(MACROS)
        yield found


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_the_answer_is_that_of_the_statement(text: str, session: pets.Session, connection: Any) -> None:
    query = pets.sql(text, SCHEMA)
    assert query.people is not None
    again = pets.sql(query.sql(SCHEMA), SCHEMA)
    assert again == query and again.digest == query.digest
    release = session.release(query, pets.Total())
    wanted = connection.execute(text).df()
    keys = [key.name for key in query.keys]
    order = [*keys, *(name for name, _ in query.aggregates)]
    rows = [tuple(cell(one) for one in row) for row in wanted[order].itertuples(index=False, name=None)]
    ours = [tuple(cell(one) for one in row) for row in release.table[order].itertuples(index=False, name=None)]
    ours = [row for row in ours if any(one not in (0, None) for one in row[len(keys) :])]
    rows, ours = sorted(rows, key=repr), sorted(ours, key=repr)
    assert len(ours) == len(rows)
    assert any(row[-1] for row in rows), "the statement finds somebody"
    for mine, theirs in zip(ours, rows, strict=True):
        assert mine[: len(keys)] == theirs[: len(keys)]
        assert mine[len(keys) :] == pytest.approx(theirs[len(keys) :], rel=1e-9)


def cell(one: Any) -> Any:
    """Days as text, numbers as floats, and what is missing in one form."""
    if one is None or one is pd.NaT or one is pd.NA or one == "missing" or (isinstance(one, float) and math.isnan(one)):
        return None
    if isinstance(one, pd.Timestamp):
        return str(one.date())
    return one if isinstance(one, str) else round(float(one), 9)
