"""Forty-two queries of the kind that people write, after the manuals of other tools: each answered or refused.

Nothing is answered in part: a query that asks for one thing more than pets answers is refused as a whole, and what to
write instead is written here, and is answered.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

import pets
from pets import col
from pets.errors import QueryError, SqlError
from pets.plan.plan import make_plan
from pets.query_model.query import Query
from pets.schema.schema import Schema


def category(*values: str) -> dict[str, object]:
    return {"type": "category", "values": list(values)}


def whole(low: int, high: int, nullable: bool = True) -> dict[str, object]:
    return {"type": "integer", "min": low, "max": high, "nullable": nullable}


DAY = {"type": "date", "min": "2010-01-01", "max": "2024-12-31"}
SEX = category("F", "M")


def table(person: str | None, people_table: str = "", **columns: object) -> dict[str, object]:
    unit = "row" if person is None else {"column": person, "max_rows": 1 if people_table == "-" else 10}
    own = {} if person is None else {person: {"type": "identifier"}}
    attached = {"person_table": people_table} if people_table not in ("", "-") else {}
    return {"unit": unit, "columns": own | columns} | attached


SCHEMA = Schema.load(
    {
        "tables": {
            "PUMS": table(None, sex=SEX, married={"type": "boolean"}, age=whole(0, 100), income=whole(0, 500_000)),
            "df": table(
                None,
                species=category("Adelie", "Gentoo"),
                bill_length_mm={"type": "real", "min": 30, "max": 65, "step": 0.1},
            ),
            "day_data": table(
                "visitor",
                time_entered={"type": "datetime", "min": "2024-01-01 00:00", "max": "2024-12-31 23:59"},
                **{"Hour Entered": whole(0, 23)},
            ),
            "week_data": table(
                "visitor", Day=whole(1, 7), money_spent={"type": "real", "min": 0, "max": 65, "step": 0.01}
            ),
            "students": table("id", item=category("pen")),
            "view_on_professors": table("id", item={"type": "text", "max_length": 20}, quantity=whole(0, 100)),
            "T": table("id", key=category("a", "b"), income=whole(0, 9)),
            "Patient": table("Patient_ID", "-", sex=SEX),
            "AllowedPatientsWithTypeOneDissent": table("Patient_ID", since=DAY),
            "condition_occurrence": table(
                "person_id", "person", condition_concept_id=category("2", "3"), condition_start_date=DAY
            ),
            "observation_period": table(
                "person_id", "person", observation_period_start_date=DAY, observation_period_end_date=DAY
            ),
            "Appointment": table("Patient_ID", ConsultationDate=DAY),
            "drug_exposure": table(
                "person_id",
                "person",
                drug_concept_id=category("40165254", "40165258", "1539403", "1", "974166"),
                drug_exposure_start_date=DAY,
                drug_exposure_end_date=DAY,
            ),
            "person": table(
                "person_id",
                "-",
                gender=SEX,
                year_of_birth=whole(1900, 2024),
                birth={"type": "date", "min": "1900-01-01", "max": "2024-12-31"},
            ),
            "condition_era": table(
                "person_id", condition_era_start_date=DAY, age=whole(0, 110, nullable=False), gender=SEX
            ),
            "conditions": table("person_id", condition=category("x", "y")),
            "patients": table(
                "subject_id",
                "-",
                gender=SEX,
                region=category("N", "S"),
                dob={"type": "date", "min": "1900-01-01", "max": "2024-12-31"},
            ),
            "admissions": table("subject_id", "patients", admittime=DAY, dischtime=DAY),
            "apc": table("patient", admitted=DAY, diagnosis=category("I210", "I214", "J18")),
            "stays": table(
                "patient",
                provider=category("A", "B"),
                ward=category("1", "2"),
                days=whole(0, 60),
                admitted=DAY,
                discharge_date=DAY,
                diagnosis=category("I210", "J18"),
            ),
            "linelist": table(
                "case_id", district=category("N", "S"), status=category("confirmed", "probable"), onset=DAY
            ),
            "ae": table("patient", org=category("A", "B"), period=category("1", "2"), wait_minutes=whole(0, 2000)),
            "pums": table("id", age=whole(0, 100), income=whole(0, 100_000)),
            "people": table("id", region=category("N", "S"), sex=SEX),
            "prescriptions": table("subject_id", "patients", dispensed=DAY),
        }
    }
)


@dataclass(frozen=True)
class Case:
    """One query.

    Attributes:
        wanted: the query that it asks, in the fluent form; or what its refusal says.
        place: what the refusal underlines.
        rewrite: what to write instead of what is refused, as SQL that is answered ('': it is no SQL).
        keys: it is answered once the keys of a text column are released: session.group_keys.
    """

    number: str
    wanted: Query | str
    place: str = ""
    rewrite: str = ""
    keys: bool = False

    @property
    def sql(self) -> str:
        """Its text."""
        return TEXTS[self.number]


TEXTS = dict(
    re.findall(r"^-- (\d\d):.*\n((?:(?!--).+\n)+)", Path(__file__).with_name("forty_two.sql").read_text("utf-8"), re.M)
)


def query(name: str) -> Query:
    return pets.query(name)


EXPOSED = col("drug_concept_id").isin([40165254, 40165258])
APC, DRUGS = pets.events("apc"), pets.events("drug_exposure")
MI = APC.where(col("diagnosis").startswith("I21"))
FIRST_MI = MI.min("admitted")
TREATED = DRUGS.where(col("drug_concept_id") == 1).min("drug_exposure_start_date")
DIAGNOSED = pets.events("condition_occurrence").where(col("condition_concept_id") == 2).min("condition_start_date")
ALL_DAYS = 5478
"""From the first day of the schema to the last."""

CASES = (
    Case("01", query("PUMS").group_by("sex").agg(mean_age=pets.mean("age"))),
    Case(
        "02",
        query("PUMS").group_by("married").agg(income=pets.mean("income"), n=pets.count()),
    ),
    Case(
        "03",
        query("df").agg(nb_penguins=pets.count(), avg_bill=pets.mean("bill_length_mm")),
    ),
    Case(
        "04",
        query("df")
        .group_by("species")
        .agg(
            n=pets.count(~col("bill_length_mm").is_null()),
            avg_bl=pets.mean("bill_length_mm"),
            std_bl=pets.std("bill_length_mm", sample=True),
        ),
    ),
    Case("05", query("day_data").group_by(col("time_entered").hour("hour_entered")).agg(visits=pets.count())),
    Case(
        "06",
        query("week_data").group_by("Day").agg(visits=pets.count(), spent=pets.sum("money_spent")),
    ),
    Case(
        "07",
        r"session.release(query, pets.DP(epsilon=…))",
        "DIFFERENTIAL_PRIVACY",
        "SELECT item, COUNT(*) FROM students GROUP BY item",
    ),
    Case("08", query("view_on_professors").group_by("item").agg(average_quantity=pets.mean("quantity")), keys=True),
    Case("09", "n_low", "DP_INTERVAL_LOW(c)", "SELECT key, COUNT(*) AS c FROM T GROUP BY key"),
    Case(
        "10",
        query("T").with_columns(x=1 + col("income")).group_by("key").agg(c=pets.count(~col("x").is_null())),
    ),
    Case(
        "11",
        pets.people(
            of="Patient", in_AllowedPatientsWithTypeOneDissent=pets.events("AllowedPatientsWithTypeOneDissent").exists()
        )
        .where(col("in_AllowedPatientsWithTypeOneDissent") == True)  # noqa: E712
        .group_by("sex")
        .agg(n=pets.count()),
    ),
    Case(
        "12",
        query("Appointment")
        .where(col("ConsultationDate") >= dt.date(2022, 1, 1))
        .group_by(col("ConsultationDate").period("month", "m"))
        .agg(n=pets.count()),
    ),
    Case(
        "13",
        query("drug_exposure").where(EXPOSED).group_by("drug_concept_id").agg(num_persons=pets.count_units()),
    ),
    Case(
        "14",
        "write LEFT JOIN person AS p ON",
        "person p ON",
        # the difference of years counts New Years, AGE_AT birthdays; people are counted once in each group
        "SELECT EXTRACT(YEAR FROM drug_exposure_start_date) AS year_of_exposure, AGE_AT(birth, "
        "drug_exposure_start_date) AS age, gender, COUNT(DISTINCT person_id) AS num_persons FROM drug_exposure WHERE "
        "drug_concept_id IN (40165254) GROUP BY gender, year_of_exposure, age",
    ),
    Case(
        "15",
        "QUANTILE_DISC(x, 0.01)",
        "MIN(drugs)",
        "SELECT AVG(drugs), MEDIAN(drugs), STDDEV(drugs), QUANTILE_DISC(drugs, 0.01), QUANTILE_DISC(drugs, 0.99) FROM "
        "(SELECT person_id, COUNT(DISTINCT drug_concept_id) AS drugs FROM drug_exposure WHERE drug_exposure_start_date "
        "BETWEEN DATE '2017-01-01' AND DATE '2017-12-31' GROUP BY person_id) d",
    ),
    Case(
        "16",
        "EXISTS (SELECT 1",
        "drug_exposure de2 ON",
        "SELECT COUNT(*) AS num_users, COUNT(*) FILTER (WHERE EXISTS (SELECT 1 FROM drug_exposure de2 WHERE "
        "de2.person_id = u.person_id AND de2.drug_concept_id = 974166 AND de2.drug_exposure_start_date < u.last)) AS "
        "also_bp FROM (SELECT person_id, MAX(drug_exposure_end_date) AS last FROM drug_exposure WHERE drug_concept_id "
        "= 1539403 GROUP BY person_id) u",
    ),
    Case(
        "17",
        "table 'observation_period' has many rows of a person",
        "observation_period op",
        "WITH statin_users AS (SELECT person_id, MIN(drug_exposure_start_date) AS index_date FROM drug_exposure WHERE "
        "drug_concept_id IN (1539403) GROUP BY person_id), op AS (SELECT person_id, MIN(observation_period_start_date) "
        "AS started, MAX(observation_period_end_date) AS ended FROM observation_period GROUP BY person_id) SELECT "
        "BINS(DATE_DIFF('day', su.index_date, op.ended), 0, 365, 730, 1095) AS follow_up, COUNT(*) AS persons FROM "
        "statin_users su JOIN op ON su.person_id = op.person_id WHERE op.started + INTERVAL 180 DAY < su.index_date "
        "GROUP BY 1 ORDER BY 1",
    ),
    Case(
        "18",
        pets.people(
            treatment_start=TREATED, first_diagnosis=DIAGNOSED, days=(TREATED - DIAGNOSED).days(-ALL_DAYS, ALL_DAYS)
        )
        .where(col("days") >= 0)
        .agg(treated=pets.count()),
    ),
    Case(
        "19",
        query("condition_era")
        .group_by(col("condition_era_start_date").year("year"), col("age").bins([0, 10, 20, 110], "age_grp"), "gender")
        .agg(n=pets.count()),
    ),
    Case(
        "20",
        query("patients").group_by("gender").agg(people=pets.count_units()),
    ),
    Case("21", "rows never leave", "*", "SELECT COUNT(*) FROM patients"),
    Case(
        "22",
        "write LEFT JOIN patients AS p ON",
        "patients p ON p.subject_id = a.subject_id",
        "SELECT DATE_TRUNC('month', first) AS month, COUNT(*) FROM (SELECT subject_id, MIN(admittime) AS first FROM "
        "admissions GROUP BY subject_id) GROUP BY month",
    ),
    Case(
        "23",
        "write LEFT JOIN patients AS p ON",
        "patients p ON",
        # the difference of years counts New Years; AGE_AT counts birthdays
        "WITH first_admission AS (SELECT subject_id, MIN(admittime) AS first_admittime FROM admissions GROUP BY "
        "subject_id) SELECT CASE WHEN first_age IS NULL THEN 'unknown' WHEN first_age > 89 THEN '>89' "
        "WHEN first_age >= 14 THEN 'adult' WHEN first_age <= 1 THEN 'neonate' ELSE 'middle' END AS age_group, gender, "
        "COUNT(subject_id) AS n FROM (SELECT f.subject_id, p.gender, AGE_AT(p.dob, f.first_admittime) AS first_age "
        "FROM first_admission f JOIN patients p ON p.subject_id = f.subject_id) GROUP BY age_group, gender",
    ),
    Case(
        "24",
        "EXISTS (SELECT 1",
        "subject_id",
        "SELECT COUNT(*) FROM (SELECT subject_id, MIN(dischtime) AS left FROM admissions GROUP BY subject_id) f "
        "WHERE EXISTS (SELECT 1 FROM admissions a WHERE a.subject_id = f.subject_id AND DATE_DIFF('day', f.left, "
        "a.admittime) BETWEEN 1 AND 30)",
    ),
    Case(
        "25",
        pets.people(
            first=FIRST_MI,
            exists_apc=APC.where(
                (col("admitted") > FIRST_MI) & col("admitted").within(FIRST_MI, days=(None, 30))
            ).exists(),
            in_apc=MI.exists(),
        )
        .where(col("in_apc") == True)  # noqa: E712
        .agg(n=pets.count(), readmitted=pets.count(col("exists_apc") == True)),  # noqa: E712
    ),
    Case(
        "26",
        query("stays")
        .where(col("admitted").between("2022-04-01", "2023-03-31"))
        .group_by("provider")
        .agg(spells=pets.count(), mean_los=pets.mean("days"), median_los=pets.median("days")),
    ),
    Case(
        "27",
        query("apc")
        .with_columns(chapter=col("diagnosis").prefix(3))
        .where(col("diagnosis").startswith("I"))
        .group_by("chapter")
        .agg(n=pets.count()),
    ),
    Case(
        "28",
        query("linelist")
        .where(col("status") == "confirmed")
        .group_by("district", col("onset").week("week"))
        .agg(cases=pets.count()),
    ),
    Case(
        "29",
        query("ae").group_by("org", "period").agg(breach_rate=pets.rate(col("wait_minutes") > 240)),
    ),
    Case(
        "30",
        query("ae").group_by("org").agg(breaches=pets.count(col("wait_minutes") > 240), n=pets.count()),
    ),
    Case(
        "31",
        query("stays")
        .group_by("ward")
        .agg(
            discharged=pets.count(~col("discharge_date").is_null()),
            still_in=pets.count(col("discharge_date").is_null()),
        ),
    ),
    Case(
        "32",
        query("pums").agg(
            count=pets.count(),
            variance_age=pets.variance("age", sample=True),
            correlation_age_income=pets.correlation("age", "income"),
            covariance_age_income=pets.covariance("age", "income"),
        ),
    ),
    Case("33", "release.total", "region, sex", "SELECT region, sex, COUNT(*) FROM people GROUP BY region, sex"),
    Case(
        "34",
        "session.release([query1, query2], …)",
        "'b', COUNT(*) FROM visits",
        "SELECT COUNT(*) FROM stays",
    ),
    Case(
        "35",
        "COUNT(DISTINCT patient) … GROUP BY x",
        "diagnosis",
        "SELECT ward, diagnosis, COUNT(DISTINCT patient) AS people FROM stays GROUP BY ward, diagnosis",
    ),
    Case(
        "36",
        "QUANTILE_DISC(x, 0.01)",
        "MIN(admitted)",
        "SELECT QUANTILE_DISC(days, 0.01), QUANTILE_DISC(days, 0.99) FROM stays",
    ),
    Case("37", "t['n'].sum()", "SUM(COUNT(*))", "SELECT sex, COUNT(*) AS n FROM people GROUP BY sex"),
    Case(
        "38",
        query("day_data").group_by("Hour Entered").agg(N=pets.count()),
    ),
    Case(
        "39",
        query("prescriptions")
        .where(col("dispensed") >= "2023-01-01")
        .group_by("region")
        .agg(prescriptions=pets.count(), people=pets.count_units()),
    ),
    Case(
        "40",
        pets.people(of="conditions", n_conditions=pets.events("conditions").count_distinct("condition", max=10))
        .group_by("n_conditions")
        .agg(people=pets.count()),
    ),
    Case(
        "41",
        "QUALIFY",
        "ROW_NUMBER",
        "SELECT diagnosis, COUNT(*) FROM (SELECT patient, ARG_MIN_NULL(diagnosis, admitted) AS diagnosis FROM apc "
        "GROUP BY patient) GROUP BY diagnosis",
    ),
    Case(
        "42",
        pets.people(count_apc=APC.count(max=10)).where(col("count_apc") >= 2).agg(count=pets.count()),
    ),
)


def test_there_are_forty_two() -> None:
    assert [case.number for case in CASES] == [f"{number:02d}" for number in range(1, 43)]
    answered = [case.number for case in CASES if isinstance(case.wanted, Query)]
    assert " ".join(answered) == "01 02 03 04 05 06 08 10 11 12 13 18 19 20 25 26 27 28 29 30 31 32 38 39 40 42"


@pytest.mark.parametrize("case", [case for case in CASES if isinstance(case.wanted, Query)], ids=lambda c: c.number)
def test_a_query_is_that_of_the_fluent_form(case: Case) -> None:
    assert isinstance(case.wanted, Query)
    found = pets.sql(case.sql, SCHEMA)
    assert json.dumps(found.to_json()) == json.dumps(case.wanted.to_json())
    assert found.digest == case.wanted.digest
    if case.keys:
        with pytest.raises(QueryError, match="group_keys"):
            make_plan(found, SCHEMA)
    else:
        assert make_plan(found, SCHEMA).digest == make_plan(case.wanted, SCHEMA).digest
    assert pets.sql(found.sql(SCHEMA), SCHEMA).digest == found.digest


@pytest.mark.parametrize("case", [case for case in CASES if isinstance(case.wanted, str)], ids=lambda c: c.number)
def test_a_refusal_shows_the_place_and_what_to_write(case: Case) -> None:
    with pytest.raises(SqlError) as caught:
        pets.sql(case.sql, SCHEMA)
    assert str(case.wanted) in caught.value.sentence
    line, carets = caught.value.excerpt.split("\n")
    place = line[carets.index("^") : len(carets)]
    assert carets.strip() == "^" * len(place), "one run of carets"
    assert place.startswith(case.place), place
    made = pets.sql(case.rewrite, SCHEMA)
    assert make_plan(made, SCHEMA).query.digest == pets.sql(made.sql(SCHEMA), SCHEMA).digest
