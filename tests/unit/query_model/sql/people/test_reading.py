"""Questions about people: SQL and the fluent form are one; what is not exactly understood is refused with its place."""

from __future__ import annotations

import json

import pytest

import pets
from pets import col
from pets.errors import QueryError, SqlError
from pets.plan.plan import make_plan
from pets.query_model.query import Query
from pets.schema.schema import Schema

DAY = {"type": "date", "min": "2020-01-01", "max": "2022-12-31"}
PERSON = {"type": "identifier"}
SCHEMA = Schema.load(
    {
        "tables": {
            "apc": {
                "unit": {"column": "patient", "max_rows": 9},
                "person_table": "patients",
                "columns": {
                    "patient": PERSON,
                    "episode": PERSON,
                    "admitted": DAY,
                    "diagnosis": {"type": "category", "values": ["I210", "I214", "J18"]},
                    "cost": {"type": "integer", "min": 0, "max": 100},
                    "ward": {"type": "integer", "min": 1, "max": 9, "nullable": False},
                    "seen": {"type": "datetime", "min": "2020-01-01 00:00", "max": "2020-12-31 23:59"},
                },
            },
            "rx": {
                "unit": {"column": "pid", "max_rows": 20},
                "person_table": "patients",
                "columns": {"pid": PERSON, "dispensed": DAY, "drug": {"type": "category", "values": ["a", "b"]}},
            },
            "deaths": {
                "unit": {"column": "patient", "max_rows": 1},
                "person_table": "patients",
                "columns": {"patient": PERSON, "date": DAY},
            },
            "patients": {
                "unit": {"column": "patient", "max_rows": 1},
                "columns": {
                    "patient": PERSON,
                    "born": {"type": "date", "min": "1920-01-01", "max": "2022-12-31"},
                    "sex": {"type": "category", "values": ["F", "M"]},
                },
            },
            "alone": {"unit": {"column": "patient", "max_rows": 1}, "columns": {"patient": PERSON, "day": DAY}},
            "nobody": {"unit": "row", "columns": {"x": {"type": "integer", "min": 0, "max": 9}}},
        }
    }
)
APC, RX, DEATHS = pets.events("apc"), pets.events("rx"), pets.events("deaths")
MI = APC.where(col("diagnosis").startswith("I21"))
FIRST = MI.min("admitted")
ALL = 1095
N = {"n": pets.count()}
MI_SQL = "SELECT patient, MIN(admitted) AS first FROM apc WHERE diagnosis LIKE 'I21%' GROUP BY patient"
FIRST_SQL = "(SELECT MIN(admitted) FROM apc WHERE apc.patient = p.patient AND diagnosis LIKE 'I21%')"
SEEN_SQL = "(SELECT MIN(seen) FROM apc WHERE apc.patient = p.patient)"

SAME: list[tuple[str, Query]] = [
    # who is in
    (f"SELECT COUNT(*) AS n FROM ({MI_SQL}) m WHERE first < '2021-01-01'",
     pets.people(first=FIRST).where(col("first") < "2021-01-01").agg(**N)),
    (f"SELECT COUNT(*) AS n FROM ({MI_SQL}) m",
     pets.people(first=FIRST, in_apc=MI.exists()).where(col("in_apc") == True).agg(**N)),  # noqa: E712
    (f"SELECT COUNT(*) AS n FROM ({MI_SQL}) m WHERE NOT (first < '2021-01-01')",
     pets.people(first=FIRST, in_apc=MI.exists())
     .where((col("in_apc") == True) & ~(col("first") < "2021-01-01")).agg(**N)),  # noqa: E712
    ("SELECT COUNT(*) AS n FROM (SELECT DISTINCT patient FROM apc)", pets.people(of="apc").agg(**N)),
    ("SELECT COUNT(*) AS n FROM (SELECT patient, COUNT(*) AS k FROM apc GROUP BY patient) WHERE k > 3",
     pets.people(of="apc", k=APC.count(max=9)).where(col("k") > 3).agg(**N)),
    ("SELECT COUNT(*) AS n FROM (SELECT patient FROM apc GROUP BY patient HAVING COUNT(*) BETWEEN 2 AND 3)",
     pets.people(count_apc=APC.count(max=9)).where(col("count_apc").between(2, 3)).agg(**N)),
    ("SELECT COUNT(*) AS n FROM (SELECT patient FROM apc GROUP BY patient HAVING COUNT(*) < 3)",
     pets.people(count_apc=APC.count(max=9), in_apc=APC.exists())
     .where((col("in_apc") == True) & (col("count_apc") < 3)).agg(**N)),  # noqa: E712
    ("SELECT COUNT(*) AS n FROM (SELECT patient, COUNT(*) AS k FROM BOUND(apc, rows := 2) GROUP BY patient) "
     "WHERE k >= 1",
     pets.people(k=APC.bound(rows=2).count(max=2)).where(col("k") >= 1).agg(**N)),
    (f"SELECT sex, COUNT(*) AS n FROM ({MI_SQL}) m JOIN patients AS p ON m.patient = p.patient WHERE first > "
     "'2021-01-01' GROUP BY sex",
     pets.people(first=FIRST, in_patients=pets.events("patients").exists())
     .where((col("in_patients") == True) & (col("first") > "2021-01-01")).group_by("sex").agg(**N)),  # noqa: E712
    (f"SELECT p.sex, COUNT(*) AS n FROM patients p LEFT JOIN ({MI_SQL}) m USING (patient) WHERE m.first IS NULL "
     "GROUP BY 1",
     pets.people(of="patients", first=FIRST).where(col("first").is_null()).group_by("sex").agg(**N)),
    ("SELECT COUNT(*) AS n FROM patients p LEFT JOIN (SELECT pid, COUNT(*) AS k FROM rx GROUP BY pid) r ON r.pid = "
     "p.patient WHERE COALESCE(k, 0) = 0",
     pets.people(of="patients", k=RX.count(max=20)).where(col("k") == 0).agg(**N)),
    ("SELECT COUNT(*) AS n FROM patients WHERE patient NOT IN (SELECT pid FROM rx WHERE drug = 'a')",
     pets.people(of="patients", in_rx=RX.where(col("drug") == "a").exists()).where(~(col("in_rx") == True)).agg(**N)),  # noqa: E712
    ("SELECT COUNT(*) AS n FROM PEOPLE() AS p WHERE EXISTS (SELECT 1 FROM rx WHERE p.id = rx.pid) AND sex = 'F'",
     pets.people(exists_rx=RX.exists()).where((col("exists_rx") == True) & (col("sex") == "F")).agg(**N)),  # noqa: E712
    ("SELECT COUNT(*) AS n FROM PEOPLE(rx) WHERE sex = 'F'", pets.people(of="rx").where(col("sex") == "F").agg(**N)),
    # what is read
    ("SELECT AVG(a) AS m FROM (SELECT patient, LEAST(COUNT(DISTINCT diagnosis), 5) AS a, MAX(cost) AS b, "
     "CLIP(SUM(cost), 0, 500) AS c, MEAN(cost) AS d, ARG_MIN_NULL(cost, admitted) AS e, ARG_MAX(ward, admitted) AS f, "
     "COUNT(cost) AS g, COUNT(DISTINCT DATE_TRUNC('day', seen)) AS h, MIN(cost) FILTER (WHERE ward > 3) AS i "
     "FROM apc GROUP BY patient)",
     pets.people(of="apc", a=APC.count_distinct("diagnosis", max=5), b=APC.max("cost"),
                 c=APC.sum("cost", clip=(0, 500)),
                 d=APC.mean("cost"), e=APC.first("cost", by="admitted"), f=APC.last("ward", by="admitted"),
                 g=APC.where(~col("cost").is_null()).count(max=9), h=APC.days_with("seen", max=9),
                 i=APC.where(col("ward") > 3).min("cost")).agg(m=pets.mean("a"))),
    ("SELECT COUNT(*) AS n FROM (SELECT patient, ARG_MIN_NULL(admitted, admitted, 2) AS a, "
     "ARG_MAX_NULL(ward, admitted, 3) AS b, ARG_MIN_NULL(cost, admitted, 1) AS c FROM apc GROUP BY patient) "
     "WHERE a > '2021-01-01'",
     pets.people(of="apc", a=APC.first("admitted", by="admitted", nth=2), b=APC.last("ward", by="admitted", nth=3),
                 c=APC.first("cost", by="admitted")).where(col("a") > "2021-01-01").agg(**N)),
    (f"SELECT COUNT(*) AS n FROM (SELECT *, COALESCE({FIRST_SQL}, '2020-01-01') AS x FROM patients p) WHERE x > "
     "'2021-01-01'",
     pets.people(of="patients", x=FIRST.fill("2020-01-01")).where(col("x") > "2021-01-01").agg(**N)),
    (f"SELECT BINS(AGE_AT(born, first), 18, 65, 100) AS age, COUNT(*) AS n FROM ({MI_SQL}) m LEFT JOIN patients USING "
     "(patient) WHERE first > '2021-01-01' GROUP BY age",
     pets.people(first=FIRST).where(col("first") > "2021-01-01")
     .group_by(col("born").age_at(FIRST).bins([18, 65, 100])).agg(**N)),
    (f"SELECT COUNT(*) AS n FROM (SELECT *, DAYS_BETWEEN(first, (SELECT MIN(date) FROM deaths d WHERE d.patient = "
     f"m.patient), 0, 365) AS x FROM ({MI_SQL}) m) WHERE x < 30",
     pets.people(first=FIRST, x=(DEATHS.min("date") - FIRST).days(0, 365)).where(col("x") < 30).agg(**N)),
    (f"SELECT COUNT(*) AS n FROM ({MI_SQL}) m JOIN (SELECT pid, MIN(dispensed) AS first FROM rx GROUP BY pid) r ON "
     "r.pid = m.patient AND r.first > m.first + 7",
     pets.people(first=FIRST, rx_first=RX.min("dispensed"), days=(RX.min("dispensed") - FIRST).days(-ALL, ALL))
     .where(col("days") > 7).agg(**N)),
    # rows compared with features
    (f"SELECT SUM(k) AS s FROM (SELECT *, (SELECT COUNT(*) FROM rx WHERE rx.pid = p.patient AND dispensed >= "
     f"{FIRST_SQL} AND NOT drug = 'a') AS k FROM patients p)",
     pets.people(of="patients", k=RX.where((col("dispensed") >= FIRST) & ~(col("drug") == "a")).count(max=20))
     .agg(s=pets.sum("k"))),
    # what is computed
    ("SELECT SUM(x) AS s FROM (SELECT *, COMPUTED(2 * (SELECT COUNT(*) FROM rx WHERE rx.pid = p.patient) - (SELECT "
     "LEAST(COUNT(*), 3) FROM apc WHERE apc.patient = p.patient) + 1) AS x FROM patients p)",
     pets.people(of="patients", x=2 * RX.count(max=20) - APC.count(max=3) + 1).agg(s=pets.sum("x"))),
    (f"SELECT AVG(w) AS m FROM (SELECT *, {FIRST_SQL} AS f, COMPUTED(FLOOR((SELECT COUNT(*) FROM rx WHERE rx.pid = "
     "p.patient) / 7)) AS w, COMPUTED(MIN_OF((SELECT MAX(cost) FROM apc WHERE apc.patient = p.patient), 5)) AS c FROM "
     "patients p)",
     pets.people(of="patients", f=FIRST, w=RX.count(max=20) // 7, c=pets.min_of(APC.max("cost"), 5))
     .agg(m=pets.mean("w"))),
    ("SELECT g, COUNT(*) AS n FROM (SELECT *, COMPUTED(MAPPED(k, 'rest', 'I210', 'heart')) AS g, COMPUTED(LEFT(k, 1)) "
     "AS c FROM (SELECT *, (SELECT ARG_MIN_NULL(diagnosis, admitted) FROM apc WHERE apc.patient = p.patient) AS k FROM "
     "patients p) AS p) GROUP BY g",
     pets.people(of="patients", k=APC.first("diagnosis", by="admitted"),
                 g=APC.first("diagnosis", by="admitted").map({"I210": "heart"}, otherwise="rest"),
                 c=APC.first("diagnosis", by="admitted").prefix(1)).group_by("g").agg(**N)),
    (f"SELECT SUM(x) AS s FROM (SELECT *, {SEEN_SQL} AS seen, COMPUTED(DAYS((SELECT MAX(seen) FROM apc "
     f"WHERE apc.patient = p.patient)) - DAYS({SEEN_SQL})) AS x FROM patients p)",
     pets.people(of="patients", seen=APC.min("seen"), x=APC.max("seen") - APC.min("seen"))
     .agg(s=pets.sum("x"))),
    ("SELECT s, COUNT(*) AS n FROM (SELECT *, WITH_COLUMN(2 * k + age) AS more, WITH_COLUMN(CASE WHEN sex IS NULL THEN "
     "NULL WHEN sex = 'F' THEN 'w' ELSE 'm' END) AS s FROM (SELECT *, WITH_COLUMN(AGE_AT(born, DATE '2022-01-01')) AS "
     "age, (SELECT COUNT(*) FROM rx WHERE rx.pid = p.patient) AS k FROM patients p) AS p) WHERE more > 3 GROUP BY s",
     pets.people(of="patients", k=RX.count(max=20))
     .with_columns(age=col("born").age_at("2022-01-01"), more=2 * col("k") + col("age"),
                   s=col("sex").map({"F": "w"}, otherwise="m"))
     .where(col("more") > 3).group_by("s").agg(**N)),
    *((f"SELECT COUNT(*) AS n FROM ({MI_SQL}) m WHERE first > '2021-01-01' AND EXISTS (SELECT 1 FROM apc a WHERE "
       f"a.patient = m.patient AND {text})",
       pets.people(first=FIRST, exists_apc=APC.where(wanted).exists())
       .where((col("first") > "2021-01-01") & (col("exists_apc") == True)).agg(**N))  # noqa: E712
      for text, wanted in (
        ("a.admitted > m.first", col("admitted") > FIRST),
        ("m.first < a.admitted", col("admitted") > FIRST),
        ("a.admitted <> m.first", col("admitted") != FIRST),
        ("a.admitted <= m.first + 30", col("admitted").within(FIRST, days=(None, 30))),
        ("a.admitted - m.first > 3", col("admitted").within(FIRST, days=(4, None))),
        ("m.first - a.admitted < 3", col("admitted").within(FIRST, days=(-2, None))),
        ("m.first + INTERVAL 5 DAY = a.admitted", col("admitted").within(FIRST, days=(5, 5))),
        ("a.admitted <> m.first + 5", ~col("admitted").within(FIRST, days=(5, 5))),
        ("a.admitted BETWEEN m.first + 1 AND m.first + 30", col("admitted").within(FIRST, days=(1, 30))),
        ("DATE_DIFF('day', m.first, a.admitted) BETWEEN 1 AND 30", col("admitted").within(FIRST, days=(1, 30))),
        ("DATE_DIFF('day', m.first, a.seen) >= 0", col("seen").within(FIRST, days=(0, None))),
        ("NOT (a.admitted > first OR cost > 3)", ~((col("admitted") > FIRST) | (col("cost") > 3))),
      )),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), SAME, ids=[text[:60] for text, _ in SAME])
def test_sql_is_the_query_of_the_fluent_form(text: str, wanted: Query) -> None:
    found = pets.sql(text, SCHEMA)
    assert json.dumps(found.to_json()) == json.dumps(wanted.to_json())
    assert found.digest == wanted.digest
    assert make_plan(found, SCHEMA).digest == make_plan(wanted, SCHEMA).digest
    assert pets.sql(found.sql(SCHEMA), SCHEMA).digest == wanted.digest


def test_the_cohort_of_the_guide_in_sql() -> None:
    """Three features over three tables, and the very question of the fluent form."""
    first = MI.first("admitted", by="admitted")
    fluent = (
        pets.people(
            first=first,
            readmitted=APC.where(col("admitted").within(first, days=(1, 30))).exists(),
            drugs=RX.where(col("dispensed") >= first).count(max=50),
            death_days=(DEATHS.first("date", by="date") - first).days(0, 3650),
        )
        .where(col("first").between("2022-01-01", "2022-12-31"))
        .group_by("sex", col("born").age_at(first).bins([18, 45, 65, 80]))
        .agg(n=pets.count(), readmitted=pets.rate(col("readmitted") == True), drugs=pets.mean("drugs"))  # noqa: E712
    )
    text = """
        SELECT sex, BINS(AGE_AT(born, first), 18, 45, 65, 80) AS age, COUNT(*) AS n,
               AVG(CASE WHEN readmitted THEN 1 ELSE 0 END) AS readmitted, AVG(drugs) AS drugs
        FROM (SELECT *, EXISTS (SELECT 1 FROM apc WHERE apc.patient = p.patient
                                AND DATE_DIFF('day', first, admitted) BETWEEN 1 AND 30) AS readmitted,
                     (SELECT LEAST(COUNT(*), 50) FROM rx WHERE rx.pid = p.patient AND dispensed >= first) AS drugs,
                     DAYS_BETWEEN(first, (SELECT ARG_MIN_NULL(date, date) FROM deaths d WHERE d.patient = p.patient),
                                  0, 3650) AS death_days
              FROM (SELECT patient, ARG_MIN_NULL(admitted, admitted) AS first FROM apc
                    WHERE diagnosis LIKE 'I21%' GROUP BY patient) AS p LEFT JOIN patients USING (patient))
        WHERE first BETWEEN '2022-01-01' AND '2022-12-31'
        GROUP BY sex, age
    """
    found = pets.sql(text, SCHEMA)
    assert json.dumps(found.to_json()) == json.dumps(fluent.to_json())
    assert pets.sql(fluent.sql(SCHEMA), SCHEMA).digest == fluent.digest


P = "SELECT COUNT(*) AS n FROM patients p"
R = "(SELECT pid FROM rx GROUP BY pid) r ON r.pid = p.patient"
K = "(SELECT pid, COUNT(*) AS k FROM rx GROUP BY pid) r ON r.pid = p.patient"
BY = "FROM apc GROUP BY patient)"
AB = f"(SELECT patient, MIN(cost) AS a, MAX(cost) AS b {BY}"
DATES = f"(SELECT patient, MIN(admitted) AS a, MAX(admitted) AS b {BY}"
TWICE = (
    "(SELECT *, WITH_COLUMN(2 * k) AS m FROM (SELECT *, (SELECT COUNT(*) FROM rx WHERE rx.pid = p.patient) AS k FROM "
    "patients p) AS p) AS p"
)
SOME = "WHERE EXISTS (SELECT 1 FROM rx WHERE rx.pid = p.patient)"
RE = f"WITH mi AS ({MI_SQL}), re AS (SELECT a.patient, COUNT(*) AS k FROM apc a JOIN mi ON a.patient = mi.patient"
REFUSED: list[tuple[str, str, str, str]] = [
    # who is in
    (f"{P} LEFT JOIN {K} WHERE r.k = 0",
     "write COALESCE(r.k, 0)", "r.k",
     f"{P} LEFT JOIN {K} WHERE COALESCE(r.k, 0) = 0"),
    (f"{P} LEFT JOIN {K} WHERE r.k IS NULL", "write r.pid IS NULL", "r.k", f"{P} LEFT JOIN {K} WHERE r.pid IS NULL"),
    (f"SELECT COUNT(k) AS n FROM patients p LEFT JOIN {K}", "write COUNT(r.pid)", "k",
     f"SELECT COUNT(r.pid) AS n FROM patients p LEFT JOIN {K}"),
    (f"SELECT AVG(r.k) AS n FROM patients p LEFT JOIN {K}", "AVG(COALESCE(r.k, 0)) FILTER (WHERE r.pid IS NOT NULL)",
     "r.k", f"SELECT AVG(COALESCE(r.k, 0)) FILTER (WHERE r.pid IS NOT NULL) AS n FROM patients p LEFT JOIN {K}"),
    ("SELECT COUNT(*) AS n FROM (SELECT DISTINCT a.patient FROM apc a JOIN patients q ON q.patient = a.patient) m",
     "LEFT JOIN patients AS q ON a.patient = q.patient", "",
     "SELECT COUNT(*) AS n FROM (SELECT DISTINCT a.patient FROM apc a LEFT JOIN patients AS q ON a.patient = "
     "q.patient) m"),
    (f"{P} LEFT JOIN {K} WHERE COALESCE(k, 1) = 1",
     "write COALESCE(…, 0)", "COALESCE(k, 1)",
     f"{P} LEFT JOIN {K} WHERE COALESCE(k, 0) <= 1"),
    (f"{P} LEFT JOIN (SELECT pid, MIN(dispensed) AS d FROM rx GROUP BY pid HAVING COUNT(*) > 2) r ON r.pid = p.patient "
     "GROUP BY sex", "put it into WHERE", "COUNT(*) > 2",
     f"{P} LEFT JOIN {K} WHERE COALESCE(k, 0) > 2 "
     "GROUP BY sex"),
    (f"{P} LEFT JOIN {R} AND p.sex = 'F'", "belongs into", "p.sex",
     f"{P} LEFT JOIN {R} WHERE p.sex = 'F'"),
    (f"{P} JOIN apc ON apc.patient = p.patient WHERE EXISTS (SELECT 1 FROM rx WHERE rx.pid = p.patient)",
     "(SELECT DISTINCT patient FROM apc) AS p", "apc",
     f"{P} JOIN (SELECT DISTINCT patient FROM apc) AS a ON a.patient = p.patient WHERE EXISTS (SELECT 1 FROM rx WHERE "
     "rx.pid = p.patient)"),
    ("SELECT COUNT(*) AS n FROM apc WHERE patient IN (SELECT pid FROM rx)", "many rows of a person", "apc",
     "SELECT COUNT(*) AS n FROM (SELECT DISTINCT patient FROM apc) AS p WHERE patient IN (SELECT pid FROM rx)"),
    # rows beside other rows of the same table, or of another
    ("SELECT COUNT(DISTINCT a.patient) AS n FROM apc a JOIN apc b ON a.patient = b.patient AND b.admitted > a.admitted",
     "FROM (SELECT patient, MIN(admitted) AS first FROM stays GROUP BY patient), or EXISTS (SELECT 1 FROM", "apc b",
     f"SELECT COUNT(*) AS n FROM (SELECT patient, MIN(admitted) AS first {BY} AS p WHERE EXISTS (SELECT 1 FROM apc "
     "WHERE apc.patient = p.patient AND apc.admitted > p.first)"),
    ("SELECT COUNT(*) AS n FROM apc a, apc b WHERE a.patient = b.patient", "a query reads one table", "",
     f"SELECT COUNT(*) AS n FROM (SELECT patient, COUNT(*) AS k {BY} WHERE k > 1"),
    ("SELECT COUNT(*) AS n FROM apc a JOIN rx r ON a.patient = r.pid", "or EXISTS (SELECT 1 FROM", "rx r",
     "SELECT COUNT(*) AS n FROM (SELECT DISTINCT patient FROM apc) AS p WHERE EXISTS (SELECT 1 FROM rx WHERE rx.pid = "
     "p.patient)"),
    ("SELECT COUNT(*) AS n FROM apc a JOIN apc b ON a.ward = b.ward", "in a sub-query by person", "apc b",
     f"SELECT ward, COUNT(*) AS n FROM (SELECT patient, MIN(ward) AS ward {BY} GROUP BY ward"),
    (f"{P} RIGHT JOIN {R}", "JOIN, or with LEFT JOIN", "",
     f"{P} JOIN {R}"),
    (f"{P} JOIN (SELECT pid FROM rx GROUP BY pid) r ON r.pid <> p.patient", "ON r.pid = p.patient", "r.pid",
     f"{P} JOIN {R}"),
    (f"{P} JOIN {R} OR p.sex = 'F'", "ON r.pid = p.patient", "r.pid",
     f"{P} JOIN {R} AND p.sex = 'F'"),
    (f"{P}, (SELECT pid FROM rx GROUP BY pid) r WHERE r.pid = p.patient", "ON r.pid = p.patient", "",
     f"{P} JOIN {R}"),
    (f"{P} JOIN (SELECT pid FROM rx GROUP BY pid) r USING (patient)", "USING (patient)", "",
     f"{P} JOIN {R}"),
    (f"{P} JOIN (SELECT drug FROM rx GROUP BY drug) r ON r.drug = p.sex", "GROUP BY pid", "drug",
     f"{P} JOIN {R}"),
    ("SELECT COUNT(*) AS n FROM (SELECT drug, COUNT(*) AS k FROM rx GROUP BY drug)", "GROUP BY pid", "drug",
     "SELECT COUNT(*) AS n FROM (SELECT pid, COUNT(*) AS k FROM rx GROUP BY pid)"),
    ("SELECT COUNT(*) AS n FROM (SELECT pid, drug FROM rx GROUP BY pid, drug)", "GROUP BY pid", "drug",
     "SELECT COUNT(*) AS n FROM (SELECT pid, ARG_MIN_NULL(drug, dispensed) AS d FROM rx GROUP BY pid)"),
    ("SELECT COUNT(*) AS n FROM (SELECT DISTINCT pid, drug FROM rx)", "SELECT DISTINCT pid alone", "pid",
     "SELECT COUNT(*) AS n FROM (SELECT DISTINCT pid FROM rx)"),
    ("SELECT COUNT(*) AS n FROM (SELECT DISTINCT FROM rx)", "SELECT DISTINCT pid alone", "rx",
     "SELECT COUNT(*) AS n FROM (SELECT DISTINCT pid FROM rx)"),
    (f"SELECT COUNT(*) AS n FROM (SELECT patient, ward {BY}", "MIN(day) AS first", "ward",
     f"SELECT COUNT(*) AS n FROM (SELECT patient, MIN(ward) AS first {BY}"),
    # tied to the person
    (f"{P} WHERE EXISTS (SELECT 1 FROM apc WHERE cost > 3)", "WHERE apc.patient = p.patient", "",
     f"{P} WHERE EXISTS (SELECT 1 FROM apc WHERE apc.patient = p.patient AND cost > 3)"),
    (f"{P} WHERE EXISTS (SELECT 1 FROM apc WHERE apc.patient = patient)", "WHERE apc.patient = p.patient", "",
     f"{P} WHERE EXISTS (SELECT 1 FROM apc WHERE apc.patient = p.patient)"),
    (f"{P} WHERE EXISTS (SELECT 1 FROM apc p WHERE p.patient = p.patient)", "WHERE apc.patient = p.patient", "",
     f"{P} WHERE EXISTS (SELECT 1 FROM apc WHERE apc.patient = p.patient)"),
    (f"{P} WHERE EXISTS (SELECT 1 FROM apc WHERE apc.episode = p.patient)", "an identifier", "apc.episode",
     f"{P} WHERE EXISTS (SELECT 1 FROM apc WHERE apc.patient = p.patient)"),
    (f"{P} WHERE EXISTS (SELECT 1 FROM apc WHERE apc.patient = p.patient OR cost > 3)", "an identifier", "apc.patient",
     f"{P} WHERE EXISTS (SELECT 1 FROM apc WHERE apc.patient = p.patient AND cost > 3)"),
    (f"{P} WHERE EXISTS (SELECT COUNT(*) FROM apc WHERE apc.patient = p.patient)", "SELECT 1 FROM", "COUNT(*)",
     f"{P} WHERE EXISTS (SELECT 1 FROM apc WHERE apc.patient = p.patient)"),
    (f"{P} WHERE EXISTS (SELECT 1 FROM apc WHERE apc.patient = p.patient LIMIT 0)", "leave it out", "0",
     f"{P} WHERE EXISTS (SELECT 1 FROM apc WHERE apc.patient = p.patient)"),
    (f"{P} WHERE EXISTS (SELECT 1 FROM apc a JOIN rx ON rx.pid = a.patient WHERE a.patient = p.patient)",
     "a query reads one table", "", f"{P} WHERE EXISTS (SELECT 1 FROM apc WHERE apc.patient = p.patient) AND EXISTS "
     "(SELECT 1 FROM rx WHERE rx.pid = p.patient)"),
    (f"{P} LEFT JOIN {R} WHERE EXISTS (SELECT 1 FROM apc WHERE "
     "apc.patient = r.pid)", "the person of the first table", "r.pid",
     f"{P} WHERE EXISTS (SELECT 1 FROM apc WHERE apc.patient = p.patient)"),
    (f"{P} WHERE sex IN (SELECT drug FROM rx)", "the person belongs here", "sex",
     f"{P} WHERE patient IN (SELECT pid FROM rx)"),
    (f"{P} WHERE patient IN (SELECT drug FROM rx)", "SELECT pid FROM rx", "drug",
     f"{P} WHERE patient IN (SELECT pid FROM rx)"),
    (f"{P} WHERE patient IN (SELECT pid FROM rx UNION SELECT patient FROM apc)", "of one SELECT", "",
     f"{P} WHERE patient IN (SELECT pid FROM rx) OR patient IN (SELECT patient FROM apc)"),
    # what is read
    (f"SELECT AVG(x) AS n FROM (SELECT patient, SUM(cost) AS x {BY}",
     "CLIP(SUM(cost), 0, 1000)", "SUM(cost)",
     f"SELECT AVG(x) AS n FROM (SELECT patient, CLIP(SUM(cost), 0, 1000) AS x {BY}"),
    (f"SELECT AVG(x) AS n FROM (SELECT patient, AVG(cost) AS x {BY}", "write MEAN(cost)", "AVG(cost)",
     f"SELECT AVG(x) AS n FROM (SELECT patient, MEAN(cost) AS x {BY}"),
    (f"SELECT AVG(x) AS n FROM (SELECT patient, ARG_MIN(cost, admitted) AS x {BY}",
     "write ARG_MIN_NULL(cost, admitted)", "cost, admitted",
     f"SELECT AVG(x) AS n FROM (SELECT patient, ARG_MIN_NULL(cost, admitted) AS x {BY}"),
    *((f"SELECT AVG(x) AS n FROM (SELECT patient, ARG_MAX_NULL(cost, admitted, {nth}) AS x {BY}",
       "write ARG_MAX_NULL(cost, admitted, 2)", "ARG_MAX_NULL(cost, admitted,",
       f"SELECT AVG(x) AS n FROM (SELECT patient, ARG_MAX_NULL(cost, admitted, 2) AS x {BY}")
      for nth in ("'b'", "1.5", "0", "1000", "admitted", "-1")),
    (f"SELECT AVG(x) AS n FROM (SELECT patient, ARG_MIN(cost, admitted, 2) AS x {BY}",
     "write ARG_MIN_NULL(cost, admitted, 2)", "",
     f"SELECT AVG(x) AS n FROM (SELECT patient, ARG_MIN_NULL(cost, admitted, 2) AS x {BY}"),
    (f"SELECT AVG(x) AS n FROM (SELECT patient, ARG_MIN_NULL(cost) AS x {BY}", "ARG_MIN_NULL(x, day, 2)",
     "ARG_MIN_NULL(cost)", f"SELECT AVG(x) AS n FROM (SELECT patient, ARG_MIN_NULL(cost, admitted, 2) AS x {BY}"),
    (f"{P} WHERE (SELECT SUM(CASE WHEN cost > 3 THEN 1 ELSE 0 END) FROM apc WHERE apc.patient = p.patient) = 0",
     "COUNT(*) FILTER (WHERE …)", "SUM",
     f"{P} WHERE (SELECT COUNT(*) FILTER (WHERE cost > 3) FROM apc WHERE apc.patient = p.patient) = 0"),
    (f"SELECT AVG(x) AS n FROM (SELECT patient, LEAST(MAX(cost), 3) AS x {BY}",
     "LEAST(COUNT(*), 20)", "MAX(cost)",
     f"SELECT AVG(x) AS n FROM (SELECT patient, LEAST(COUNT(*), 20) AS x {BY}"),
    (f"SELECT AVG(x) AS n FROM (SELECT patient, MIN(cost + 1) AS x {BY}", "column's name", "cost + 1",
     f"SELECT AVG(x) AS n FROM (SELECT patient, MIN(cost) AS x {BY}"),
    (f"SELECT COUNT(*) AS n FROM (SELECT patient, LAG(admitted) OVER (PARTITION BY patient) AS x {BY}",
     "EXISTS (SELECT 1", "LAG", f"SELECT COUNT(*) AS n FROM (SELECT patient, MIN(admitted) AS x {BY}"),
    (f"SELECT COUNT(*) AS n FROM (SELECT patient, MIN(admitted) {BY}", "AS first", "MIN(admitted)",
     f"SELECT COUNT(*) AS n FROM (SELECT patient, MIN(admitted) AS first {BY}"),
    (f"SELECT MIN(patient) AS n FROM (SELECT patient, MIN(admitted) AS first {BY}", "only counted, with COUNT(*)",
     "patient", f"SELECT COUNT(*) AS n FROM (SELECT patient, MIN(cost) AS cost {BY}"),
    (f"SELECT MIN(first) AS n FROM (SELECT patient, MIN(admitted) AS first {BY}", "QUANTILE_DISC",
     "MIN(first)", f"SELECT MEDIAN(cost) AS n FROM (SELECT patient, MIN(cost) AS cost {BY}"),
    (f"SELECT b, COUNT(*) AS n FROM (SELECT *, CASE WHEN c > 3 THEN 'hi' ELSE 'lo' END AS b FROM (SELECT patient, "
     f"MAX(cost) AS c {BY}) GROUP BY b", "WHEN c IS NULL THEN 'unknown'", "",
     f"SELECT b, COUNT(*) AS n FROM (SELECT *, CASE WHEN c IS NULL THEN 'unknown' WHEN c > 3 THEN 'hi' ELSE 'lo' END "
     f"AS b FROM (SELECT patient, MAX(cost) AS c {BY}) GROUP BY b"),
    # rows and features
    (f"{RE} WHERE "
     "a.cost > 3 GROUP BY a.patient) SELECT COUNT(*) AS n FROM re", "compare a row with a date of it", "",
     f"WITH mi AS ({MI_SQL}), re AS (SELECT a.patient, COUNT(*) AS k FROM apc a WHERE a.cost > 3 GROUP BY a.patient) "
     "SELECT COUNT(*) AS n FROM re JOIN mi ON re.patient = mi.patient"),
    (f"{RE} WHERE "
     "NOT (a.admitted > mi.first) GROUP BY a.patient) SELECT COUNT(*) AS n FROM re",
     "compare a row with a date of it", "",
     f"{RE} WHERE "
     "a.admitted <= mi.first GROUP BY a.patient) SELECT COUNT(*) AS n FROM re"),
    (f"{P} WHERE EXISTS (SELECT 1 FROM apc WHERE apc.patient = p.patient AND admitted > p.born)",
     "not with a column of", "p.born",
     f"{P} WHERE EXISTS (SELECT 1 FROM apc WHERE apc.patient = p.patient AND admitted > '2020-05-05')"),
    (f"{P} WHERE EXISTS (SELECT 1 FROM apc WHERE apc.patient = p.patient AND seen > {FIRST_SQL} + 3)",
     "DATE_DIFF('day', first, seen)", "",
     f"{P} WHERE EXISTS (SELECT 1 FROM apc WHERE apc.patient = p.patient AND DATE_DIFF('day', {FIRST_SQL}, seen) > 3)"),
    (f"{P} WHERE EXISTS (SELECT 1 FROM apc WHERE apc.patient = p.patient AND EXISTS (SELECT 1 FROM rx WHERE rx.pid = "
     "p.patient))", "beside the sub-query", "",
     f"{P} WHERE EXISTS (SELECT 1 FROM apc WHERE apc.patient = p.patient) AND EXISTS (SELECT 1 FROM rx WHERE rx.pid = "
     "p.patient)"),
    (f"{P} WHERE born > {FIRST_SQL}", "compared with constants alone", "", f"{P} WHERE born > '2020-01-01'"),
    (f"{P} WHERE (SELECT COUNT(*) FROM rx WHERE rx.pid = p.patient) > (SELECT COUNT(*) FROM apc WHERE apc.patient = "
     "p.patient)", "compared with a constant", "", f"{P} WHERE (SELECT COUNT(*) FROM rx WHERE rx.pid = p.patient) > 3"),
    # names
    *(
        (text, "used twice", place, text.replace(twice, "AS other"))
        for text, place, twice in (
            (f"SELECT AVG(a) AS n FROM (SELECT patient, MIN(cost) AS a, MAX(cost) AS A {BY}", "MAX(cost)", "AS A"),
            (f"SELECT AVG(a) AS n FROM (SELECT patient, MIN(cost) AS a, MAX(cost) AS Patient {BY}", "MAX",
             "AS Patient"),
            (f"SELECT AVG(x) AS n FROM (SELECT patient, a AS x, b AS X FROM {AB})", "b", "AS X"),
            (f"SELECT AVG(a) AS n FROM (SELECT *, b AS A FROM {AB})", "b", "AS A"),
            (f"SELECT AVG(a) AS n FROM (SELECT *, b AS patient FROM {AB})", "b", "AS patient"),
            (f"SELECT COUNT(a) AS n FROM (SELECT *, b - a AS PATIENT FROM {DATES})", "b - a",
             "AS PATIENT"),
            (f"SELECT COUNT(*) AS n FROM (SELECT born AS Sex, * FROM patients p {SOME}) WHERE sex IS NULL", "born",
             "AS Sex"),
        )
    ),
    (f"{P} WHERE EXISTS (SELECT 1 FROM nobody WHERE nobody.x = 3)", "names no person", "nobody",
     f"{P} WHERE EXISTS (SELECT 1 FROM rx WHERE rx.pid = p.patient)"),
    (f"WITH a AS ({MI_SQL}), b AS ({MI_SQL}) SELECT COUNT(*) AS n FROM a", "leave it out", "",
     f"WITH a AS ({MI_SQL}) SELECT COUNT(*) AS n FROM a"),
    (f"WITH apc AS ({MI_SQL}) SELECT COUNT(*) AS n FROM apc", "another name", "",
     f"WITH mi AS ({MI_SQL}) SELECT COUNT(*) AS n FROM mi"),
    (f"WITH RECURSIVE mi AS ({MI_SQL}) SELECT COUNT(*) AS n FROM mi", "leave it out", "",
     f"WITH mi AS ({MI_SQL}) SELECT COUNT(*) AS n FROM mi"),
    (f"SELECT COUNT(*) AS n FROM ({MI_SQL}) a JOIN ({MI_SQL.replace('MIN', 'MAX')}) b USING (patient) "
     "WHERE first > '2021-01-01'",
     "say of which: 'a' or 'b'", "first",
     f"SELECT COUNT(*) AS n FROM ({MI_SQL}) a JOIN ({MI_SQL.replace('MIN', 'MAX')}) b ON a.patient = b.patient WHERE "
     "a.first > '2021-01-01'"),
    (f"SELECT COUNT(*) AS n FROM (SELECT patient, MIN(admitted) AS sex {BY}", "another name", "",
     f"SELECT COUNT(*) AS n FROM (SELECT patient, MIN(admitted) AS first {BY}"),
    # what is computed
    *((f"SELECT COUNT(*) AS n FROM (SELECT *, {wrong} AS x FROM (SELECT *, (SELECT COUNT(*) FROM rx WHERE rx.pid = "
       "p.patient) AS k FROM patients p) AS p)", sentence, place,
       f"SELECT COUNT(*) AS n FROM (SELECT *, {right} AS x FROM (SELECT *, (SELECT COUNT(*) FROM rx WHERE rx.pid = "
       "p.patient) AS k FROM patients p) AS p)")
      for wrong, sentence, place, right in (
        ("COMPUTED(sex)", "write COMPUTED(2 * a + b)", "", "COMPUTED(2 * k)"),
        ("COMPUTED(2 * k + born)", "of columns of the person table, WITH_COLUMN does", "born", "WITH_COLUMN(2 * k)"),
        ("COMPUTED(k, 2)", "write COMPUTED(2 * a + b)", "", "COMPUTED(k + 2)"),
        ("COMPUTED((k - 30) // 7)", "stands in COMPUTED of its own", "k - 30", "COMPUTED(FLOOR(COMPUTED(k - 30) / 7))"),
        ("COMPUTED(FLOOR(k / 2) + 1)", "write COMPUTED(FLOOR(k / 2)) here", "k / 2",
         "COMPUTED(COMPUTED(FLOOR(k / 2)) + 1)"),
        ("COMPUTED(k - k)", "'k' is in the sum 0 times", "k - k", "COMPUTED(2 * k - k)"),
        (f"COMPUTED(k - {SEEN_SQL} + {SEEN_SQL})", "write DAYS((SELECT MIN(seen) FROM apc", "MIN(seen)",
         f"COMPUTED(k - DAYS({SEEN_SQL}) + DAYS({SEEN_SQL.replace('MIN', 'MAX')}))"),
        (f"COMPUTED(DATE_DIFF('day', {SEEN_SQL}, {SEEN_SQL.replace('MIN', 'MAX')}))",
         "SQL takes times apart in its own way; write DAYS(", "MAX(seen)",
         f"COMPUTED(DAYS({SEEN_SQL.replace('MIN', 'MAX')}) - DAYS({SEEN_SQL}))"),
        ("COMPUTED(COMPUTED(k - 30) // 7)", "// rounds", "COMPUTED", "COMPUTED(k // 7)"),
        ("WITH_COLUMN(m // 7)", "people have no column 'm'", "m", "WITH_COLUMN(k // 7)"),
        ("COMPUTED(k * k)", "columns are multiplied with constants alone", "k * k", "COMPUTED(2 * k)"),
        ("COMPUTED(MAPPED(k, 'a'))", "then each value and its name", "", "COMPUTED(2 * k)"),
        ("WITH_COLUMN(sex)", "write WITH_COLUMN(2 * n + age)", "", "WITH_COLUMN(2 * k)"),
        ("WITH_COLUMN(2 * COALESCE(k, 0))", "name what is computed first", "", "WITH_COLUMN(2 * k)"),
        ("WITH_COLUMN(2 * nothing)", "people have no column 'nothing'", "nothing", "WITH_COLUMN(2 * k)"),
        ("WITH_COLUMN(2 * patient)", "names a person", "patient", "WITH_COLUMN(2 * k)"),
      )),
    # a name that an inner sub-query gave away is not given again to what is computed otherwise
    *((f"SELECT SUM(other) AS n, SUM({again}) AS j FROM (SELECT patient, other, {wrong} AS {again} FROM (SELECT "
       f"patient, k, m AS other FROM {TWICE}) AS p)", "there is another column 'm'", wrong,
       f"SELECT SUM(other) AS n, SUM(m3) AS j FROM (SELECT patient, other, {wrong} AS m3 FROM (SELECT patient, k, m AS "
       f"other FROM {TWICE}) AS p)")
      for wrong, again in (("WITH_COLUMN(3 * k)", "m"), ("WITH_COLUMN(3 * k)", "M"), ("WITH_COLUMN(2 * k)", "M"))),
    (f"SELECT COUNT(*) AS n FROM (SELECT patient, WITH_COLUMN(3 * k) AS m FROM (SELECT patient, k FROM {TWICE} WHERE m "
     "> 10) AS p) WHERE m > 6", "there is another column 'm'", "WITH_COLUMN(3 * k)",
     f"SELECT COUNT(*) AS n FROM (SELECT patient, WITH_COLUMN(3 * k) AS m3 FROM (SELECT patient, k FROM {TWICE} WHERE "
     "m > 10) AS p) WHERE m3 > 6"),
    # what one source computes is no column of another
    (f"SELECT COUNT(*) AS n FROM (SELECT patient, m FROM {TWICE}) AS a JOIN patients b ON a.patient = b.patient WHERE "
     "b.m > 3", "people have no column 'm'", "b.m",
     f"SELECT COUNT(*) AS n FROM (SELECT patient, m FROM {TWICE}) AS a JOIN patients b ON a.patient = b.patient WHERE "
     "a.m > 3"),
    ("SELECT COUNT(*) AS n FROM alone p WHERE p.day > '2020-05-05' AND EXISTS (SELECT 1 FROM apc WHERE apc.patient = "
     "p.patient)", "read only tables", "",
     "SELECT COUNT(*) AS n FROM alone p WHERE p.day > '2020-05-05' AND EXISTS (SELECT 1 FROM alone a WHERE a.patient = "
     "p.patient)"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "sentence", "place", "mended"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_not_exactly_understood_is_refused(text: str, sentence: str, place: str, mended: str) -> None:
    with pytest.raises(QueryError) as caught:
        pets.sql(text, SCHEMA)
    assert sentence in str(caught.value)
    assert isinstance(caught.value, SqlError)
    line, carets = caught.value.excerpt.split("\n")
    assert line[carets.index("^") : len(carets)].startswith(place)
    found = pets.sql(mended, SCHEMA)
    assert make_plan(found, SCHEMA).query.digest == pets.sql(found.sql(SCHEMA), SCHEMA).digest


def test_the_same_column_computed_again_is_that_column() -> None:
    text = "SELECT SUM(m) AS n, SUM(z) AS j FROM (SELECT patient, z, WITH_COLUMN(2 * k) AS m FROM (SELECT patient, k, "
    wanted = pets.people(of="patients", k=RX.count(max=20)).with_columns(m=2 * col("k"))
    found = pets.sql(f"{text}m AS z FROM {TWICE}) AS p)", SCHEMA)
    assert found.digest == wanted.agg(n=pets.sum("m"), j=pets.sum("m")).digest


def test_names_of_a_sub_query_go_before_those_around_it() -> None:
    """As in SQL: ``cost`` in the sub-query is the table's column, though the person has a feature of that name."""
    text = (
        "SELECT COUNT(*) AS n FROM (SELECT *, EXISTS (SELECT 1 FROM apc a WHERE a.patient = m.patient AND cost = 3) AS "
        "e FROM (SELECT patient, MAX(cost) AS cost FROM apc GROUP BY patient) m) WHERE e"
    )
    wanted = pets.people(of="apc", cost=APC.max("cost"), e=APC.where(col("cost") == 3).exists())
    assert pets.sql(text, SCHEMA).digest == wanted.where(col("e") == True).agg(**N).digest  # noqa: E712
    inside = APC.where(col("cost") >= APC.max("cost")).exists()
    asked = pets.people(of="apc", cost=APC.max("cost"), e=inside).where(col("e") == True).agg(**N)  # noqa: E712
    assert "cost >= (SELECT MAX(cost)" in asked.sql(SCHEMA), "not the feature's name, which the column hides"
    assert pets.sql(asked.sql(SCHEMA), SCHEMA).digest == asked.digest


def test_what_a_sub_query_is_called_is_no_part_of_the_question() -> None:
    def asked(m: str, r: str) -> str:
        text = (
            f"SELECT COUNT(*) AS n FROM ({MI_SQL}) {m} JOIN (SELECT pid, MIN(dispensed) AS first FROM rx GROUP BY pid) "
            f"{r} ON {r}.pid = {m}.patient JOIN (SELECT DISTINCT pid FROM rx WHERE drug = 'a') {m}{r} ON {m}{r}.pid = "
            f"{m}.patient WHERE {m}.first IS NULL OR {r}.first IS NULL"
        )
        return pets.sql(text, SCHEMA).digest

    assert asked("m", "r") == asked("x", "y") == asked("rx", "apc")


def test_features_that_sql_does_not_tell_apart_are_not_written() -> None:
    """``"First"`` and ``"first"`` are one column in DuckDB, and ``id`` is what PEOPLE() calls the person."""
    for names in (("First", "first"), ("Sex", "first"), ("ID", "first")):
        asked = pets.people(of="apc", **dict(zip(names, (APC.min("admitted"), APC.max("admitted")), strict=True)))
        with pytest.raises(QueryError, match="another name"):
            asked.agg(**N).sql(SCHEMA)
    asked = pets.people(of="apc", First=APC.min("admitted"), last=APC.max("admitted")).agg(**N)
    assert pets.sql(asked.sql(SCHEMA), SCHEMA).digest == asked.digest


def test_sub_queries_of_with_are_written_out_within_a_limit() -> None:
    names = ", ".join(
        f"a{n} AS (SELECT a.patient, COUNT(*) AS k FROM a{n - 1} a JOIN a{n - 1} b ON a.patient = b.patient)"
        for n in range(1, 40)
    )
    with pytest.raises(QueryError, match="ask several questions"):
        pets.sql(f"WITH a0 AS ({MI_SQL}), {names} SELECT COUNT(*) FROM a39", SCHEMA)


def test_deep_nonsense_is_refused_in_words() -> None:
    text = "SELECT COUNT(*) FROM patients p WHERE " + "NOT EXISTS (SELECT 1 FROM apc WHERE " * 300 + "1 = 1" + ")" * 300
    with pytest.raises(QueryError):
        pets.sql(text, SCHEMA)
    deep = MI_SQL
    for _ in range(400):
        deep = f"SELECT * FROM ({deep}) x"
    with pytest.raises(QueryError, match="too deeply"):
        pets.sql(f"SELECT COUNT(*) FROM ({deep}) x", SCHEMA)
