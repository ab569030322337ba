"""SQL and the fluent form are one question; what cannot be answered is refused as a whole, with its place."""

from __future__ import annotations

import datetime as dt
import json
import re
import warnings
from fractions import Fraction
from typing import Any

import pytest

import pets
from pets import KeySet, col
from pets.errors import QueryError, SchemaError, SqlError
from pets.plan.plan import make_plan
from pets.query_model.display import Display, Order
from pets.query_model.group_keys import ColumnKey
from pets.query_model.query import Query
from pets.schema.schema import Schema

SCHEMA = Schema.load(
    {
        "tables": {
            "stays": {
                "unit": {"column": "patient", "max_rows": 8, "rows": 3},
                "person_table": "people",
                "columns": {
                    "patient": {"type": "identifier"},
                    "episode": {"type": "identifier"},
                    "age": {"type": "integer", "min": 0, "max": 110, "nullable": False},
                    "days": {"type": "integer", "min": 0, "max": 60},
                    "cost": {"type": "real", "min": 0, "max": 1000, "step": 0.5},
                    "sex": {"type": "category", "values": ["F", "M"]},
                    "code": {"type": "category", "values": ["I210", "I214", "J18"]},
                    "emergency": {"type": "boolean"},
                    "admitted": {"type": "date", "min": "2020-01-01", "max": "2021-12-31"},
                    "seen": {"type": "datetime", "min": "2020-01-01 00:00", "max": "2020-12-31 23:59"},
                    "rang": {"type": "time"},
                    "Ward": {"type": "integer", "min": 1, "max": 9},
                    "ward": {"type": "integer", "min": 1, "max": 9},
                },
            },
            "people": {
                "unit": {"column": "patient", "max_rows": 1},
                "columns": {"patient": {"type": "identifier"}, "region": {"type": "category", "values": ["N", "S"]}},
            },
            "rows": {"unit": "row", "columns": {"x": {"type": "integer", "min": 0, "max": 9}}},
        }
    }
)


def full(text: str) -> str:
    """A statement whose usual parts the tables below leave out, to be short."""
    if text.endswith(" …"):
        return f"SELECT {text.removesuffix(' …')} FROM stays"
    start = "COUNT(*) AS n FROM stays"
    return text.replace("…", start if text.startswith("SELECT") else f"SELECT {start}")


STAYS = pets.query("stays")
N = STAYS.agg(n=pets.count())


def where(condition: object) -> Query:
    return STAYS.where(condition).agg(n=pets.count())  # type: ignore[arg-type]


def by(*keys: object) -> Query:
    return STAYS.group_by(*keys).agg(n=pets.count())  # type: ignore[arg-type]


def measured(node: object) -> Query:
    return STAYS.agg(n=node)  # type: ignore[arg-type]


SAME: list[tuple[str, Query]] = [
    # conditions
    ("SELECT COUNT(*) n FROM stays WHERE sex = 'F'", where(col("sex") == "F")),
    ("select count(*) AS n from STAYS s where s.SEX = 'F'", where(col("sex") == "F")),
    ("SELECT COUNT(*) AS n FROM main.stays WHERE 18 <= age", where(col("age") >= 18)),
    ("SELECT COUNT(1) AS n FROM stays WHERE age > 18 AND age < 65 AND days <> 3",
     where((col("age") > 18) & (col("age") < 65) & (col("days") != 3))),
    ("… WHERE (age > 18 AND (age < 65)) AND ((days = 3))",
     where((col("age") > 18) & (col("age") < 65) & (col("days") == 3))),
    ("… WHERE sex = 'F' OR (days = 1 AND age = 2) OR age = 3",
     where((col("sex") == "F") | ((col("days") == 1) & (col("age") == 2)) | (col("age") == 3))),
    ("… WHERE NOT (sex = 'F' AND age = 2)",
     where(~((col("sex") == "F") & (col("age") == 2)))),
    ("… WHERE sex NOT IN ('F')", where(~col("sex").isin(["F"]))),
    ("… WHERE days IS NOT NULL", where(~col("days").is_null())),
    ("… WHERE days NOT BETWEEN -1 AND 3.5", where(~col("days").between(-1, 3.5))),
    ("… WHERE emergency", where(col("emergency") == True)),  # noqa: E712
    ("… WHERE emergency IS FALSE", where(col("emergency") == False)),  # noqa: E712
    ("… WHERE admitted >= '2021-02-03'", where(col("admitted") >= "2021-02-03")),
    ("… WHERE admitted >= DATE '2021-02-03'",
     where(col("admitted") >= dt.date(2021, 2, 3))),
    ("… WHERE seen >= TIMESTAMP '2020-02-03 10:30:00'",
     where(col("seen") >= dt.datetime(2020, 2, 3, 10, 30))),
    ("… WHERE rang >= TIME '08:30:00' AND rang < '17:00'",
     where((col("rang") >= dt.time(8, 30)) & (col("rang") < "17:00"))),
    ("… WHERE rang BETWEEN CAST('08:30' AS TIME) AND '24:00'", where(col("rang").between("08:30", "24:00"))),
    ("… WHERE cost > 1/3", where(col("cost") > Fraction(1, 3))),
    ("… WHERE code LIKE 'I21%'", where(col("code").startswith("I21"))),
    ("… WHERE STARTS_WITH(code, 'I21')", where(col("code").startswith("I21"))),
    ("… WHERE code NOT LIKE 'I%'", where(~col("code").startswith("I"))),
    ("… WHERE SUBSTRING(code, 1, 1) = 'I'", where(col("code").startswith("I"))),
    ("… WHERE LEFT(code, 1) <> 'I'", where(~col("code").startswith("I"))),
    ("… WHERE code LIKE '_2%0'", where(col("code").isin(["I210"]))),
    ("… WHERE code ILIKE 'j18'", where(col("code").isin(["J18"]))),
    # computed columns
    ("SELECT COUNT(*) AS n FROM (SELECT *, 2 * age - days / 4 + 1 AS x FROM stays) WHERE x > 3",
     where(col("x") > 3).with_columns(x=2 * col("age") - 0.25 * col("days") + 1)),
    ("SELECT COUNT(*) AS n FROM (SELECT age, days AS d, patient FROM stays WHERE age > 3) AS s WHERE s.d > 3",
     where((col("age") > 3) & (col("d") > 3)).with_columns(d=col("days"))),
    ("SELECT COUNT(*) AS n FROM (SELECT *, x // 7 AS y FROM (SELECT *, age + 3 AS x FROM stays)) WHERE y = 1",
     where(col("y") == 1).with_columns(x=col("age") + 3, y=col("x") // 7)),
    ("SELECT COUNT(*) AS n FROM (SELECT *, admitted + INTERVAL 30 DAY AS x FROM stays) WHERE x < '2020-05-05'",
     where(col("x") < "2020-05-05").with_columns(x=col("admitted") + 30)),
    ("SELECT COUNT(*) AS n FROM (SELECT *, DATE_DIFF('day', admitted, seen_on + 3) + age AS x FROM "
     "(SELECT *, admitted + 1 AS seen_on FROM stays))",
     N.with_columns(seen_on=col("admitted") + 1, x=col("age") + col("seen_on") - col("admitted") + 3)),
    ("SELECT COUNT(*) AS n FROM (SELECT *, DAYS(seen) - admitted AS x FROM stays)",
     N.with_columns(x=col("seen") - col("admitted"))),
    ("SELECT COUNT(*) AS n FROM (SELECT *, AGE_AT(admitted, seen) AS x, AGE_AT(admitted, '2022-01-01') AS y "
     "FROM stays)",
     N.with_columns(x=col("admitted").age_at(col("seen")), y=col("admitted").age_at("2022-01-01"))),
    ("SELECT COUNT(*) AS n FROM (SELECT *, MIN_OF(days, cost, 7) AS x, GREATEST(age, 18) AS y FROM stays)",
     N.with_columns(x=pets.min_of("days", "cost", 7), y=pets.max_of(col("age"), 18))),
    ("SELECT LEFT(code, 3) AS chapter, … GROUP BY LEFT(code, 3)",
     by("chapter").with_columns(chapter=col("code").prefix(3))),
    ("SELECT CASE code WHEN 'I210' THEN 'mi' WHEN 'I214' THEN 'mi' END AS x, … GROUP BY x",
     by("x").with_columns(x=col("code").map({"I210": "mi", "I214": "mi"}))),
    ("SELECT CASE WHEN code IS NULL THEN NULL WHEN code IN ('I210', 'I214') THEN 'mi' ELSE 'rest' END AS x, … "
     "GROUP BY x",
     by("x").with_columns(x=col("code").map({"I210": "mi", "I214": "mi"}, otherwise="rest"))),
    ("AVG(age - days) AS n …", measured(pets.mean("age_days_linear")).with_columns(
        age_days_linear=col("age") - col("days"))),
    # keys
    ("SELECT age, … GROUP BY age", by("age")),
    ("SELECT age AS years, … GROUP BY 1", by(ColumnKey("age", "years"))),
    ("… GROUP BY sex, emergency", by("sex", "emergency")),
    ("SELECT sex, emergency, … GROUP BY ALL", by("sex", "emergency")),
    ("SELECT EXTRACT(YEAR FROM admitted) AS y, … GROUP BY y", by(col("admitted").year("y"))),
    ("SELECT YEAR(admitted) AS admitted_year, … GROUP BY YEAR(admitted)",
     by(col("admitted").year())),
    ("SELECT DATE_TRUNC('month', admitted) AS admitted_month, … GROUP BY 1",
     by(col("admitted").period("month", name="admitted_month"))),
    ("SELECT sex AS sex, … GROUP BY 1", by(ColumnKey("sex", "sex"))),
    ("SELECT BINS(age, 0, 110) AS age, … GROUP BY 1", by(col("age").bins([0, 110], "age"))),
    ("SELECT DATE_PART('quarter', seen), … GROUP BY 1", by(col("seen").quarter())),
    ("SELECT DATE_TRUNC('month', seen) AS m, … GROUP BY 1", by(col("seen").period("month", "m"))),
    ("SELECT DATE_TRUNC('week', seen) AS w, … GROUP BY 1", by(col("seen").week("w"))),
    ("SELECT MMWR_WEEK(admitted), … GROUP BY 1", by(col("admitted").mmwr_week())),
    ("SELECT DATE_TRUNC('day', seen), … GROUP BY 1", by(col("seen").day())),
    ("SELECT DATE_TRUNC('hour', seen), … GROUP BY 1", by(col("seen").period("hour"))),
    ("SELECT EXTRACT(ISODOW FROM admitted), … GROUP BY 1", by(col("admitted").weekday())),
    ("SELECT HOUR(seen) AS h, … GROUP BY h", by(col("seen").hour("h"))),
    ("SELECT EXTRACT(HOUR FROM rang) AS h, … GROUP BY h", by(col("rang").hour("h"))),
    ("SELECT rang, … GROUP BY rang", by("rang")),
    ("SELECT BINS(rang, TIME '06:00', '12:00:00', TIME '24:00') AS part, … GROUP BY part",
     by(col("rang").bins(["06:00", "12:00", "24:00"], "part"))),
    ("SELECT CASE WHEN rang IS NULL THEN '?' WHEN rang < TIME '06:00' THEN 'night' WHEN rang <= '21:59' THEN 'day' "
     "ELSE 'late' END AS part, … GROUP BY part",
     by(col("rang").bins(["00:00", "06:00", "22:00", "23:59"], "part"))),
    ("SELECT BINS(age, 0, 18, 110) AS band, … GROUP BY band",
     by(col("age").bins([0, 18, 110], "band"))),
    ("SELECT CASE WHEN age < 18 THEN 'a' WHEN age <= 64 THEN 'b' ELSE 'c' END AS band, … GROUP BY band",
     by(col("age").bins([0, 18, 65, 110], "band"))),
    ("SELECT CASE WHEN age >= 65 THEN 'c' WHEN age BETWEEN 18 AND 64 THEN 'b' ELSE 'a' END AS band, … GROUP BY 1",
     by(col("age").bins([0, 18, 65, 110], "band"))),
    ("SELECT BINS(admitted, DATE '2020-01-01', '2020-07-01', DATE '2021-12-31') AS half, … GROUP BY half",
     by(col("admitted").bins(["2020-01-01", "2020-07-01", "2021-12-31"], "half"))),
    ("SELECT BINS(seen, DATE '2020-03-01', TIMESTAMP '2020-03-01 12:30:00') AS part, … GROUP BY part",
     by(col("seen").bins(["2020-03-01", "2020-03-01 12:30"], "part"))),
    ("SELECT CASE WHEN admitted IS NULL THEN '?' WHEN admitted < DATE '2020-07-01' THEN 'a' WHEN admitted BETWEEN "
     "'2020-07-01' AND '2020-12-31' THEN 'b' ELSE 'c' END AS half, … GROUP BY half",
     by(col("admitted").bins(["2020-01-01", "2020-07-01", "2021-01-01", "2021-12-31"], "half"))),
    ("SELECT sex, … GROUP BY sex HAVING sex IN ('F')", by(KeySet.product({"sex": ["F"]}))),
    ("SELECT sex, age, … GROUP BY sex, age HAVING KEYS(age, sex) IN ((3, NULL), (4, 'F'))",
     by(KeySet(("age", "sex"), ((3, None), (4, "F"))))),
    # measures
    ("COUNT(patient) AS n …", N),
    ("COUNT(days) AS n …", measured(pets.count(~col("days").is_null()))),
    ("COUNT(*) - COUNT(days) AS n …", measured(pets.count(col("days").is_null()))),
    ("COUNT(DISTINCT patient) FILTER (WHERE age > 3) AS n …", measured(pets.count_units(col("age") > 3))),
    ("COUNT(DISTINCT CASE WHEN age > 3 THEN patient END) AS n …",
     measured(pets.count_units(col("age") > 3))),
    ("COUNT(CASE WHEN age > 3 THEN 1 END) AS n …", measured(pets.count(col("age") > 3))),
    ("COUNT_IF(age > 3) AS n …", measured(pets.count(col("age") > 3))),
    ("SUM(CASE WHEN age > 3 THEN 1 ELSE 0 END) AS n …", measured(pets.count(col("age") > 3))),
    ("SUM(CASE WHEN age > 3 THEN days ELSE 0 END) AS n …", measured(pets.sum("days", where=col("age") > 3))),
    ("AVG(CASE WHEN age > 3 THEN days END) AS n …", measured(pets.mean("days", where=col("age") > 3))),
    ("AVG(CASE WHEN age > 3 THEN 1.0 ELSE 0 END) AS n …", measured(pets.rate(col("age") > 3))),
    ("1.0 * COUNT(*) FILTER (WHERE age > 3) / NULLIF(COUNT(*), 0) AS n …", measured(pets.rate(col("age") > 3))),
    ("CAST(SUM(CASE WHEN age > 3 THEN 1 ELSE 0 END) AS DOUBLE) / COUNT(*) AS n …",
     measured(pets.rate(col("age") > 3))),
    ("SUM(days) / COUNT(days) AS n …", measured(pets.mean("days"))),
    ("SUM(CLIP(days, 0, 10)) AS n …", measured(pets.sum("days", clip=(0, 10)))),
    ("AVG(LEAST(GREATEST(age, 18), 65)) AS n …", measured(pets.mean("age", clip=(18, 65)))),
    ("AVG(GREATEST(LEAST(age, 65), 18)) AS n …", measured(pets.mean("age", clip=(18, 65)))),
    ("VAR_POP(days) AS n …", measured(pets.variance("days"))),
    ("VAR_SAMP(days) AS n …", measured(pets.variance("days", sample=True))),
    ("VARIANCE(days) AS n …", measured(pets.variance("days", sample=True))),
    ("STDDEV(CLIP(days, 0, 10)) AS n …", measured(pets.std("days", clip=(0, 10), sample=True))),
    ("STDDEV_POP(days) FILTER (WHERE age > 3) AS n …", measured(pets.std("days", where=col("age") > 3))),
    ("VAR_SAMP_IN_STEPS(cost, 10) AS n …", measured(pets.variance("cost", step=10, sample=True))),
    ("COVAR_POP(days, age) AS n …", measured(pets.covariance("days", "age"))),
    ("COVAR_SAMP(age, days) AS n …", measured(pets.covariance("days", "age", sample=True))),
    ("CORR(cost, days) FILTER (WHERE age > 3) AS n …",
     measured(pets.correlation("cost", "days", where=col("age") > 3))),
    ("COVARIANCE(days, age) AS n …", measured(pets.covariance("days", "age"))),
    ("MEDIAN(days) AS n …", measured(pets.median("days"))),
    ("PERCENTILE_DISC(0.9) WITHIN GROUP (ORDER BY days) AS n …", measured(pets.quantile("days", 0.9))),
    ("QUANTILE_CONT(days, 0.9) AS n …", measured(pets.quantile("days", 0.9))),
    ("QUANTILE_IN_BINS(days, 0.9, 7) AS n …", measured(pets.quantile("days", 0.9, bins=7))),
    ("HISTOGRAM(days, 0, 1, 60) AS n …", measured(pets.histogram("days", [0, 1, 60]))),
    ("HISTOGRAM(sex) AS n …", measured(pets.histogram("sex"))),
    ("RATE(age > 3) AS n …", measured(pets.rate(col("age") > 3))),
    ("MEAN(CLIP(days, 0, 10)) FILTER (WHERE age > 3) AS n …",
     measured(pets.mean("days", clip=(0, 10), where=col("age") > 3))),
    # tables
    ("SELECT COUNT(*) AS n FROM BOUND(stays, rows := 2, groups := 1)", N.bound(rows=2, groups=1)),
    ("SELECT region, … GROUP BY region", by("region")),
    ("SELECT COUNT(DISTINCT s.patient) AS n FROM stays s LEFT JOIN people AS p USING (patient) GROUP BY p.region",
     STAYS.group_by("region").agg(n=pets.count_units())),
    ("SELECT COUNT_UNITS() AS n FROM rows", pets.query("rows").agg(n=pets.count_units())),
    ('SELECT COUNT(*) AS n FROM stays GROUP BY "SEX"', by("sex")),
    ("SELECT COUNT(*) AS n FROM (SELECT sex FROM stays WHERE age > 3) GROUP BY sex",
     pets.query("stays").where(col("age") > 3).group_by("sex").agg(n=pets.count())),
    ("FROM stays SELECT COUNT(*) AS n;", N),
    ("SELECT COUNT(*) AS n /* all of them */ FROM stays -- and no more", N),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), SAME, ids=[text[:60] for text, _ in SAME])
def test_sql_is_the_query_of_the_fluent_form(text: str, wanted: Query) -> None:
    found = pets.sql(full(text), SCHEMA)
    assert json.dumps(found.to_json()) == json.dumps(wanted.to_json())
    assert found.digest == wanted.digest
    assert pets.sql(found.sql(SCHEMA), SCHEMA).digest == wanted.digest


def test_measures_without_a_name_have_one() -> None:
    text = "SELECT COUNT(*), COUNT(*) FILTER (WHERE age > 3), COUNT(DISTINCT patient), AVG(days), SUM(days) FROM stays"
    assert [name for name, _ in pets.sql(text, SCHEMA).aggregates] == [
        "count",
        "count_2",
        "people",
        "mean_days",
        "sum_days",
    ]


REFUSED: list[tuple[str, str, str]] = [
    ("RATE(age > 3, 1) AS n …", "write RATE(age >= 65)", "RATE"),
    ("RATE(age > 3) FILTER (WHERE sex = 'F') AS n …", "without FILTER", "RATE"),
    ("COUNT_UNITS(days) AS n …", "takes nothing", "COUNT_UNITS"),
    ("HISTOGRAM() AS n …", "write HISTOGRAM(x)", "HISTOGRAM"),
    ("age, COUNT(*) …", "neither a measure nor a group key", "age"),
    ("SELECT age FROM stays GROUP BY age", "asks for no measure", ""),
    ("SELECT DISTINCT sex, COUNT(*) FROM stays GROUP BY sex", "write GROUP BY for DISTINCT", ""),
    ("SELECT COUNT(*) FROM stay", "did you mean 'stays'", "stay"),
    ("SELECT COUNT(*)", "FROM stays", ""),
    ("SELECT COUNT(*) FROM stays, people", "write LEFT JOIN people ON", "people"),
    ("… JOIN people ON stays.patient = people.patient", "write LEFT JOIN people ON", "people"),
    ("… LEFT JOIN people ON stays.episode = people.patient", "tables meet by the person", "stays.ep"),
    ("SELECT COUNT(DISTINCT p.patient) FROM stays LEFT JOIN people p USING (patient)", "the table itself", "p.patient"),
    ("… WHERE patient = '1'", "only counted, with COUNT(DISTINCT patient)", "patient"),
    ("… WHERE episode = '1'", "no question reads; ask for another column", "episode"),
    ("MIN(patient) AS n …", "only counted, with COUNT(DISTINCT patient)", "patient"),
    ("MAX(stays.episode) AS n …", "no question reads; ask for another column", "stays.episode"),
    ("MODE(patient) FILTER (WHERE age > 3) AS n …", "only counted, with COUNT(DISTINCT patient)", "patient"),
    ("MIN(days) AS n …", "the smallest and the largest value are one person's; write QUANTILE_DISC(x, 0.01)", "MIN"),
    ("MAX(WARD) AS n …", "the smallest and the largest value are one person's; write QUANTILE_DISC(x, 0.01)", "MAX"),
    ("APPROX_COUNT_DISTINCT(patient) AS n …", "write COUNT(DISTINCT …) of the column that names a person", "APPROX"),
    ("… WHERE agee = 1", "did you mean 'age'", "agee"),
    ("… WHERE WARD = 1", "'Ward' or 'ward'", "WARD"),
    ('… WHERE "Ward" = 1', "'Ward' or 'ward'", '"Ward"'),
    ("… WHERE ward = 1", "'Ward' or 'ward'", "ward"),
    ("SELECT days AS g, COUNT(*) AS days FROM stays GROUP BY g HAVING days > 2", "give the measure",
     "days"),
    ("SELECT COUNT(*) AS n, SUM(days) AS N FROM stays GROUP BY sex HAVING n > 9", "'n' or 'N'", "n"),
    ("SELECT AVG(x) FROM (SELECT *, days * 2 AS X, days * 3 AS x FROM stays)", "'X' or 'x'", "x"),
    ('SELECT COUNT(*) FROM stays WHERE sex = "F"', "single quotes", '"F"'),
    ("… WHERE age = days", "not with another column; compare their difference: age - days = 0", "days"),
    ("… WHERE age >= days - 3", "difference: age - (days - 3) >= 0", "days - 3"),
    ("… WHERE 2 * age <> days", "difference: (2 * age) - days <> 0", "days"),
    ("… WHERE seen > admitted", "difference: DAYS(seen) - admitted > 0", "admitted"),
    ("… WHERE sex = code", "declare it in the schema", "code"),
    ("MEDIAN(age - days) …", "FROM (SELECT *, age - days AS computed FROM stays), and write computed", "age - days"),
    ("COUNT(age + days) …", "FROM (SELECT *, age + days AS computed FROM stays), and write computed", "age + days"),
    ("… WHERE age % 10 = 3", "of a row are computed sums", "age % 10"),
    ("… WHERE age * days = 3", "constants alone", "age * days"),
    ("… WHERE days / age > 1", "by a number alone", "days / age"),
    ("… WHERE cost + days - days > 1", "leave 'days' out", "cost + days - days"),
    ("… WHERE days - days + cost > 1", "leave 'days' out", "days - days + cost"),
    ("SUM(cost + 0 * days) …", "leave 'days' out", "cost + 0 * days"),
    ("SUM(days * 0 + cost) …", "leave 'days' out", "days * 0 + cost"),
    ("… WHERE DATE_DIFF('day', admitted, admitted + 3) > 1", "leave 'admitted' out", "DATE_DIFF"),
    ("… WHERE DATEDIFF('day', admitted, seen) > 3", "DAYS(seen)", "seen"),
    ("… WHERE DATEDIFF('year', admitted, seen) > 3", "AGE_AT(birth, day)", "DATEDIFF"),
    ("… WHERE DATEDIFF('week', admitted, seen) > 3", "DATE_DIFF('day', a, b)", "DATEDIFF"),
    ("… WHERE DATE_SUB('year', admitted, seen) > 3", "AGE_AT(birth, day)", "DATE_SUB"),
    ("… WHERE (cost - 5) // 10 = 3", "write FLOOR((cost - 5) / 10)", "cost - 5) // 10"),
    ("… WHERE (days - 9) // 7 = 3", "may be negative; write FLOOR((days - 9) / 7)", "days - 9) // 7"),
    ("… WHERE FLOOR((days - 9) // 7) = 3", "may be negative; write FLOOR((days - 9) / 7)", "days - 9) // 7"),
    ("SUM(age // 2.5) …", "write FLOOR(age / 2.5)", "age // 2.5"),
    ("SUM(age // 2.0) …", "write FLOOR(age / 2.0)", "age // 2.0"),
    ("SUM(cost // 2) …", "write FLOOR(cost / 2)", "cost // 2"),
    ("SUM(2.0 * age // 2) …", "write FLOOR(2.0 * age / 2)", "2.0 * age // 2"),
    ("SUM(FLOOR(age / 7) // 2) …", "write FLOOR(FLOOR(age / 7) / 2)", ""),
    ("SELECT SUM(x // 2) FROM (SELECT *, FLOOR(age / 7) AS x FROM stays)", "write FLOOR(x / 2)", "x // 2"),
    ("… WHERE FLOOR(age / -3) = 3", "greater than 0", "age / -3"),
    ("… WHERE admitted + INTERVAL 'x' DAY > '2020-02-02'", "INTERVAL 30 DAY", ""),
    ("… WHERE days = NULL", "IS NULL", ""),
    ("… WHERE days NOT IN (1, NULL)", "NULL in a list", ""),
    ("… WHERE code LIKE 'X%'", "its values are 'I210'", "code LIKE 'X%'"),
    ("… WHERE code LIKE '%9'", "its values are 'I210'", "code LIKE '%9'"),
    ("… WHERE codelist(code, 'mi.csv')", "query.where(col('code').in_codelist('mi.csv'))", "codelist(code, 'mi.csv')"),
    ("… WHERE age LIKE '3%'", "patterns are of texts", "age LIKE '3%'"),
    ("… GROUP BY SUBSTRING(code, 2, 3)", "write LEFT(x, 3)", "code, 2, 3"),
    ("… GROUP BY LEFT(code, age)", "whole number", "LEFT(code, age)"),
    ("SELECT COUNT(*) FROM (SELECT age FROM stays) WHERE days = 1", "column 'days'", "days"),
    ("SELECT COUNT(*) FROM (SELECT *, age + 1 FROM stays)", "AS days", "age + 1"),
    ("SELECT COUNT(*) FROM (SELECT *, age + 1 AS days FROM stays)", "another name", "age + 1"),
    ("SELECT COUNT(*) FROM (SELECT *, patient AS p FROM stays)", "keeps its name", "patient"),
    ("SELECT COUNT(*) FROM (SELECT *, 3 AS p FROM stays)", "a sub-select lists columns", ""),
    ("SELECT COUNT(*) FROM (SELECT *, age + 1 AS x FROM stays) s LEFT JOIN people USING (patient)", "inside the", ""),
    ("… WHERE UPPER(sex) = 'F'", "case: fold", "UPPER(sex)"),
    ("… WHERE admitted > CURRENT_DATE", "the same tomorrow", ""),
    ("… WHERE admitted > DATE '2021-02-30'", "is not a date", "'2021-02-30'"),
    ("… WHERE emergency IS NOT TRUE", "IS goes with NULL", "emergency"),
    ("… WHERE NOT (emergency IS TRUE)", "outside NOT", "emergency"),
    ("… WHERE NOT (emergency IS FALSE AND age > 50)", "outside NOT", "emergency"),
    ("… WHERE NOT ((emergency IS TRUE) OR age = 3)", "outside NOT", "emergency"),
    ("… WHERE NOT ALL_OF(emergency IS TRUE)", "outside NOT", "emergency"),
    ("… WHERE NOT NOT (emergency IS TRUE)", "outside NOT", "emergency"),
    ("COUNT(*) FILTER (WHERE NOT (emergency IS TRUE)) …", "outside NOT", "emergency"),
    ("COUNT_IF(NOT (emergency IS TRUE)) …", "outside NOT", "emergency"),
    ("… WHERE admitted >= '20210105'", "write DATE '2022-12-31'", "'20210105'"),
    ("… WHERE seen BETWEEN '2020-01-05' AND '2020-W20-2'", "write DATE '2022-12-31'", "'2020-W20-2'"),
    ("… WHERE admitted IN ('2021-W01-2')", "write DATE '2022-12-31'", "'2021-W01-2'"),
    ("… WHERE seen < '2020-06-01 1000'", "write DATE '2022-12-31'", "'2020-06-01 1000'"),
    ("… WHERE admitted >= DATE '20210105'", "is not a date", "'20210105'"),
    ("… WHERE seen >= TIMESTAMP '2021-W01-2'", "is not a timestamp", "'2021-W01-2'"),
    ("… WHERE age IS DISTINCT FROM 1", "OR x IS NULL", "age IS DISTINCT FROM 1"),
    ("… WHERE age BETWEEN SYMMETRIC 3 AND 1", "leave it out", ""),
    ("… WHERE sex", "compare it", "sex"),
    ("… WHERE age IN (SELECT 1)", "has many rows of a person", "stays"),
    ("… WHERE age = ?", "write the value", ""),
    ("… GROUP BY EXTRACT(WEEK FROM admitted)", "DATE_TRUNC('week', day)", "admitted"),
    ("… GROUP BY DAYOFWEEK(admitted)", "1 is Monday", "DAYOFWEEK(admitted)"),
    ("… GROUP BY DAY(admitted)", "DATE_TRUNC('day', day)", "DAY(admitted)"),
    ("… GROUP BY DATE_TRUNC('decade', admitted)", "not 'decade'", "DATE_TRUNC"),
    ("… GROUP BY age % 2", "of a row are computed sums", "age % 2"),
    ("… GROUP BY CASE WHEN sex = 'F' THEN 1 ELSE 2 END", "single quotes", ""),
    ("… GROUP BY CASE WHEN sex = 'F' THEN 'f' ELSE 'm' END", "WHEN sex IS NULL THEN NULL", ""),
    ("… GROUP BY CASE WHEN sex > 'F' THEN 'f' END", "names its values", "sex > 'F'"),
    ("… GROUP BY CASE WHEN emergency THEN 'f' END", "cuts a number, a date or a time into ranges", "emergency"),
    ("… GROUP BY CASE WHEN admitted < 3 THEN 'a' ELSE 'b' END", "3 is not a date", "3"),
    ("… WHERE rang > TIME '8 h'", "write TIME '08:30'", "'8 h'"),
    ("… WHERE rang > rang", "compute whether they agree", "rang"),
    ("… GROUP BY BINS(admitted, 'May', 'June')", "bins are a column and their edges", "BINS"),
    ("… GROUP BY CASE WHEN age < 18 THEN 'a' WHEN age > 64 THEN 'b' ELSE 'c' END HAVING 1 = 1",
     "names no column", ""),
    ("… GROUP BY CASE WHEN age < 18 THEN 'a' WHEN age > 64 THEN 'b' END", "ELSE", ""),
    ("… GROUP BY CASE WHEN age < 18 THEN 'a' WHEN age > 64 THEN 'a' ELSE 'c' END", "one name", ""),
    ("… GROUP BY CASE WHEN age BETWEEN 10 AND 20 THEN 'a' ELSE 'b' END", "no one range", "'b'"),
    ("… GROUP BY CASE WHEN days < 3 THEN 'a' ELSE 'b' END", "rows without a value", "'b'"),
    ("… GROUP BY CASE WHEN COALESCE(days, 0) IS NULL THEN 'u' WHEN days < 3 THEN 'a' ELSE 'b' END",
     "names the column alone", "COALESCE(days, 0)"),
    ("… GROUP BY CASE WHEN days + 1 IS NULL THEN 'u' WHEN days < 3 THEN 'a' ELSE 'b' END",
     "names the column alone", "days + 1"),
    ("… GROUP BY CASE WHEN days IS NULL THEN 'u' WHEN days IS NULL THEN 'v' ELSE 'b' END", "an earlier branch", "days"),
    ("… GROUP BY 1", "no place of a key", "1"),
    ("… GROUP BY CUBE (age, sex)", "release.total", "age, sex"),
    ("AVG(LEAST(days, 3)) …", "MIN_OF", "LEAST"),
    ("AVG(LEAST(age, 3, 4)) …", "at most one number", "age"),
    ("AVG(LEAST(GREATEST(days, 0), 3)) …", "CLIP(days", "LEAST"),
    ("AVG(COALESCE(days, 0)) …", "leave COALESCE out", "COALESCE(days, 0)"),
    ("AVG(days ** 2) …", "of a row are computed sums", "days ** 2"),
    ("AVG(DISTINCT days) …", "a measure is of a column", "days"),
    ("AVG(CASE WHEN age > 3 THEN 1 ELSE NULL END) …", "a share is AVG", ""),
    ("AVG(CASE WHEN age > 3 THEN days ELSE 0 END) …", "a mean of some rows", ""),
    ("SUM(CASE WHEN age > 3 THEN 2 ELSE 0 END) …", "CASE chooses rows", ""),
    ("COUNT(CASE WHEN age > 3 THEN 1 ELSE 0 END) …", "CASE chooses rows", ""),
    ("SUM(CASE sex WHEN 'F' THEN 1 ELSE 0 END) …", "write CASE WHEN sex = 'F' THEN …", "sex"),
    ("… GROUP BY CASE age WHEN 1 THEN 'a' ELSE 'b' END", "write CASE WHEN age = 1 THEN …", "age"),
    ("100.0 * COUNT(*) FILTER (WHERE age > 3) / COUNT(*) …", "share of 1", "100.0 * COUNT"),
    ("SUM(days) / COUNT(*) …", "only a share", "SUM(days)"),
    ("COUNT(*) + 1 …", "only a share", "COUNT(*)"),
    ("COVAR_POP(CLIP(days, 0, 3), age) …", "MIN_OF and MAX_OF", ""),
    ("COVARIANCE(days) …", "(x, y): the two columns", "COVARIANCE(days)"),
    ("CORR(days, days) …", "two columns", "CORR(days, days)"),
    ("PERCENTILE_CONT(0.1) WITHIN GROUP (ORDER BY days DESC) …", "without DESC", "days"),
    ("COUNT(DISTINCT episode) …", "does not name a person", "episode"),
    ("COUNT(DISTINCT sex, age) …", "no column that names a person", "sex, age"),
    ("STRING_AGG(sex, ',') …", "texts of rows never leave", ""),
    ("FIRST(days) …", "which row is first", ""),
    ("SELECT sex, … GROUP BY sex HAVING n > 3 AND sex = 'F'", "belongs into WHERE", "sex"),
    ("SELECT sex, … GROUP BY sex HAVING n > 'x'", "with numbers", "n > 'x'"),
    ("SELECT sex, … GROUP BY sex HAVING n IN (1, TRUE)", "with numbers", "n IN (1"),
    ("SELECT sex, … GROUP BY sex HAVING 2 BETWEEN 1 AND 3", "no place in SELECT", "2"),
    ("SELECT sex, … GROUP BY sex HAVING 2 IN (2, 3)", "no place in SELECT", "2"),
    ("SELECT sex, … GROUP BY sex HAVING (2) IS NOT NULL", "no place in SELECT", "2"),
    ("SELECT sex, … GROUP BY sex HAVING AVG(days) > 3", "not in the answer", "AVG(days)"),
    ("SELECT sex, … GROUP BY sex HAVING sex IN ('F', NULL)", "KEYS(…)", ""),
    ("SELECT sex, … GROUP BY sex ORDER BY days", "neither a group key nor a measure", "days"),
    ("SELECT sex, … GROUP BY sex ORDER BY 3", "SELECT has 2 columns", "3"),
    ("SELECT sex, … GROUP BY sex LIMIT 2 + 2", "whole number of groups", "2 + 2"),
    ("SELECT sex, … GROUP BY sex LIMIT 1, 2", "LIMIT 10 OFFSET 5", "1,"),
    ("SELECT CASE WHEN age < 18 THEN 'a' ELSE 'b' END AS band, … GROUP BY 1 HAVING band IN ('a', '[18, 110]')",
     "no such name", "'[18, 110]'"),
    ("SELECT WITH anonymization … GROUP BY sex", "nothing of its protection", "anonymization"),
    ("SELECT sex, HISTOGRAM(days) AS n FROM stays GROUP BY sex ORDER BY n", "is a histogram", "n"),
    ("COUNT(*) AS n, SUM(days) AS n …", "used twice", "SUM(days)"),
    ("… USING SAMPLE 10%", "BOUND(stays", ""),
    ("SELECT COUNT(*) FROM BOUND(stays, row := 3)", "rows := 3", "row := 3"),
    ("INSERT INTO stays VALUES (1)", "one SELECT", "INSERT"),
    ("SELECT COUNT(*) FROM stays; SELECT 1", "one statement", "SELECT"),
    ("… WHERE", "", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "sentence", "place"), REFUSED, ids=[text[:70] for text, _, _ in REFUSED])
def test_what_is_not_answered_is_refused_with_its_place(text: str, sentence: str, place: str) -> None:
    with pytest.raises(QueryError) as caught:
        pets.sql(full(text), SCHEMA)
    assert sentence in str(caught.value)
    assert "\x1b" not in str(caught.value)
    if place:
        assert isinstance(caught.value, SqlError)
        line, carets = caught.value.excerpt.split("\n")
        assert line[carets.index("^") : len(carets)].startswith(place)


@pytest.mark.parametrize(
    ("wrong", "mended"),
    [
        ("COUNT(*) FROM stays WHERE age = days", "COUNT(*) FROM stays WHERE age - days = 0"),
        ("COUNT(*) FROM stays WHERE age >= days - 3", "COUNT(*) FROM stays WHERE age - (days - 3) >= 0"),
        ("COUNT(*) FROM stays WHERE 2 * age <> days", "COUNT(*) FROM stays WHERE (2 * age) - days <> 0"),
        ("COUNT(*) FROM stays WHERE seen > admitted", "COUNT(*) FROM stays WHERE DAYS(seen) - admitted > 0"),
        (
            "MEDIAN(age - days) FROM stays",
            "MEDIAN(computed) FROM (SELECT *, age - days AS computed FROM stays)",
        ),
        (
            "COUNT(age + days) FROM stays",
            "COUNT(computed) FROM (SELECT *, age + days AS computed FROM stays)",
        ),
    ],
)
def test_a_column_beside_another_is_written_as_the_sentence_says(wrong: str, mended: str) -> None:
    with pytest.raises(QueryError) as caught:
        pets.sql(f"SELECT {wrong}", SCHEMA)
    assert mended[mended.rindex("WHERE ") + 6 if "WHERE" in mended else mended.index("(SELECT") :] in str(caught.value)
    made = make_plan(pets.sql(f"SELECT {mended}", SCHEMA), SCHEMA)
    assert made.fields[made.query.derived[-1][0]].nullable  # days, seen and admitted may be missing


@pytest.mark.parametrize(
    ("wrong", "mended", "made"),
    [
        ("age // 2.5", "FLOOR(age / 2.5)", {"age_floor": col("age") // 2.5}),
        ("cost // 2", "FLOOR(cost / 2)", {"cost_floor": col("cost") // 2}),
        (
            "(days - 9) // 7",
            "FLOOR((days - 9) / 7)",
            {"days_linear": col("days") - 9, "days_linear_floor": col("days_linear") // 7},
        ),
    ],
)
def test_a_quotient_that_sql_does_not_round_down_is_written_with_floor(
    wrong: str, mended: str, made: dict[str, Any]
) -> None:
    with pytest.raises(QueryError, match=re.escape(f"write {mended}")):
        pets.sql(f"SELECT SUM({wrong}) AS n FROM stays", SCHEMA)
    found = pets.sql(f"SELECT SUM({mended}) AS n FROM stays", SCHEMA)
    assert found.digest == STAYS.with_columns(**made).agg(n=pets.sum(list(made)[-1])).digest


def test_names_that_sql_does_not_tell_apart_are_not_written() -> None:
    two = pets.query("stays").group_by("sex").agg(n=pets.count(), N=pets.sum("days"))
    for query in (
        by("Ward"),
        pets.query("stays").where(col("ward") > 3).agg(n=pets.count()),
        pets.query("stays").with_columns(Sex=col("days") * 2).agg(n=pets.mean("Sex")),
        two.shown_as(Display(order=(Order("n"),))),
        two.shown_as(Display(having=col("N") > 3)),
    ):
        with pytest.raises(QueryError, match="give one another name, or keep the question as JSON"):
            query.sql(SCHEMA)
        assert Query.from_json(query.to_json()).digest == query.digest
    assert pets.sql(two.sql(SCHEMA), SCHEMA).digest == two.digest


def test_text_and_schema_are_checked() -> None:
    for text in ("", "  ", 3, None, "SELECT \ud800"):
        with pytest.raises(QueryError, match="SQL"):
            pets.sql(text, SCHEMA)  # type: ignore[arg-type]
    with pytest.raises(SchemaError, match="sql needs a schema"):
        pets.sql("SELECT COUNT(*) FROM stays", {})  # type: ignore[arg-type]
    with pytest.raises(SchemaError, match=r"query\.sql needs a schema"):
        N.sql({})
    with pytest.raises(SchemaError, match="did you mean 'age'"):
        by("agee").sql(SCHEMA)


def test_a_day_beside_times_of_day_is_remarked_upon() -> None:
    for condition, name in (
        ("seen BETWEEN '2020-01-01' AND '2020-12-31'", "2021-01-01"),
        ("seen <= DATE '2020-12-31'", "2021-01-01"),
        ("seen = '2020-02-28'", "2020-02-29"),
        ("seen IN ('2020-02-28')", "2020-02-29"),
    ):
        with pytest.warns(UserWarning, match=f"midnight.*seen < '{name}'"):
            pets.sql(f"SELECT COUNT(*) FROM stays WHERE {condition}", SCHEMA)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for condition in (
            "seen = TIMESTAMP '2020-12-31 00:00'",
            "seen < '2020-12-31'",
            "seen <= '2020-12-31 23:59'",
            "admitted <= '2020-12-31'",
        ):
            pets.sql(f"SELECT COUNT(*) FROM stays WHERE {condition}", SCHEMA)


def test_how_it_is_shown_is_no_part_of_the_question() -> None:
    plain = pets.sql("SELECT sex, COUNT(*) AS n FROM stays GROUP BY sex", SCHEMA)
    shown = pets.sql(
        "SELECT sex, COUNT(*) AS n FROM stays GROUP BY sex "
        "HAVING COUNT(*) > 5 ORDER BY n DESC, 1 NULLS FIRST LIMIT 2 OFFSET 1",
        SCHEMA,
    )
    assert plain == shown and plain.digest == shown.digest
    assert plain.display is None
    assert shown.display is not None
    assert shown.display.order == (Order("n", descending=True), Order("sex", nulls_first=True))
    assert (shown.display.having, shown.display.limit, shown.display.offset) == (col("n") > 5, 2, 1)
    assert pets.sql(shown.sql(SCHEMA), SCHEMA).display == shown.display
    assert shown.bound(rows=1).display == shown.display, "it goes along when a query is changed"
    with pytest.raises(QueryError, match="shown_as"):
        shown.group_by("age")
    assert shown.shown_as(None).group_by("age").display is None
    assert make_plan(shown, SCHEMA).query.display is None, "another's question may be answered from the same plan"


def test_names_of_bins_are_shown() -> None:
    case = "CASE WHEN days IS NULL THEN '?' WHEN days < 3 THEN 'short' ELSE 'long' END AS stay"
    text = f"SELECT {case}, COUNT(*) AS n FROM stays GROUP BY stay"
    asked = pets.sql(text, SCHEMA)
    assert asked.digest == by(col("days").bins([0, 3, 60], "stay")).digest
    assert asked.display is not None
    assert asked.display.shown("stay") == {"[0, 3)": "short", "[3, 60]": "long", "missing": "?"}
    assert pets.sql(asked.sql(SCHEMA), SCHEMA).display == asked.display
    text = text.replace("days <", "admitted < DATE '2020-07-01' AND admitted <").replace("< 3", "< DATE '2021-06-01'")
    asked = pets.sql(text.replace("days", "admitted"), SCHEMA)
    assert asked.display is not None and list(asked.display.shown("stay").values()) == ["short", "long", "?"]
    again = pets.sql(asked.sql(SCHEMA), SCHEMA)
    assert (again.digest, again.display) == (asked.digest, asked.display)


def test_words_of_protection_are_only_words_where_they_are_a_text_or_a_name() -> None:
    columns = {"sex": {"type": "category", "values": ["ANONYMIZATION", "F"]}}
    schema = Schema.load({"tables": {"t": {"unit": "row", "columns": columns}}})
    asked = pets.query("t").where(col("sex") == "ANONYMIZATION").group_by(ColumnKey("sex", "differential_privacy"))
    text = (
        "SELECT sex AS differential_privacy, COUNT(*) AS n FROM t /* anonymization */ WHERE sex = 'ANONYMIZATION' "
        "GROUP BY differential_privacy"
    )
    found = pets.sql(text, schema)
    assert found.digest == asked.agg(n=pets.count()).digest
    assert pets.sql(found.sql(schema), schema).digest == found.digest


def test_listed_bins_read_back_where_a_name_is_another_bins_own_label() -> None:
    case = "CASE WHEN days IS NULL THEN '[3, 60]' WHEN days < 3 THEN 'missing' ELSE '[0, 3)' END AS stay"
    text = f"SELECT {case}, COUNT(*) AS n FROM stays GROUP BY stay HAVING stay IN ('[0, 3)', '[3, 60]')"
    asked = pets.sql(text, SCHEMA)
    assert asked.keyset == KeySet(("stay",), (("[3, 60]",), (None,)))
    again = pets.sql(asked.sql(SCHEMA), SCHEMA)
    assert (again.digest, again.display) == (asked.digest, asked.display)


def test_a_saved_query_that_names_a_key_by_its_own_name_keeps_its_digest_and_is_not_written() -> None:
    plain = by(col("admitted").period("month"))
    form = plain.to_json()
    form["by"][0]["label"] = "admitted_month"
    saved = Query.from_json(form)
    assert saved.to_json() == form and saved.digest != plain.digest
    with pytest.raises(QueryError, match="anew"):
        saved.sql(SCHEMA)
    assert by(*saved.keys).digest == plain.digest, "what is built anew has one digest"
