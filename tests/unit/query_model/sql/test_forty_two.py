"""Forty-two queries of the kind that people write, after the manuals of other tools: each answered or refused.

What needs features of a person, keys that nobody listed, or measures that are not there yet is refused for now, and
marked so: whoever builds it changes the mark.
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
from pets.errors import SqlError
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
            "view_on_professors": table("id", quantity=whole(0, 100)),
            "T": table("id", key=category("a", "b"), income=whole(0, 9)),
            "Patient": table("Patient_ID", sex=SEX),
            "Appointment": table("Patient_ID", ConsultationDate=DAY),
            "drug_exposure": table(
                "person_id",
                "person",
                drug_concept_id=category("40165254", "40165258", "1539403", "1", "974166"),
                drug_exposure_start_date=DAY,
                drug_exposure_end_date=DAY,
            ),
            "person": table("person_id", "-", gender=SEX, year_of_birth=whole(1900, 2024)),
            "condition_era": table(
                "person_id", condition_era_start_date=DAY, age=whole(0, 110, nullable=False), gender=SEX
            ),
            "conditions": table("person_id", condition=category("x", "y")),
            "patients": table("subject_id", "-", gender=SEX, region=category("N", "S")),
            "admissions": table("subject_id", admittime=DAY),
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
        later: it will be answered once features, unknown keys or further measures are there.
    """

    number: str
    wanted: Query | str
    place: str = ""
    later: bool = False

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
FEATURES = "features of a person"

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
    ),
    Case(
        "08",
        "column 'item' is not in table 'view_on_professors'",
        "item",
        later=True,
    ),
    Case("09", "n_low", "DP_INTERVAL_LOW(c)"),
    Case(
        "10",
        query("T").with_columns(x=1 + col("income")).group_by("key").agg(c=pets.count(~col("x").is_null())),
    ),
    Case(
        "11",
        FEATURES,
        "Patient_ID FROM",
        later=True,
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
        FEATURES,
        "de.person_id, gender",
        later=True,
    ),
    Case(
        "15",
        FEATURES,
        "person_id",
        later=True,
    ),
    Case(
        "16",
        "a query reads one table",
        "drug_exposure de2 ON",
    ),
    Case(
        "17",
        FEATURES,
        "statin_users AS",
        later=True,
    ),
    Case(
        "18",
        FEATURES,
        "t AS (SELECT",
        later=True,
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
    Case("21", "rows never leave", "*"),
    Case(
        "22",
        "a query reads one table",
        "patients p ON p.subject_id = a.subject_id",
    ),
    Case(
        "23",
        FEATURES,
        "first_admission AS",
        later=True,
    ),
    Case(
        "24",
        FEATURES,
        "subject_id",
    ),
    Case(
        "25",
        FEATURES,
        "mi AS (SELECT",
        later=True,
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
    Case("33", "release.total", "region, sex"),
    Case(
        "34",
        "session.release([query1, query2], …)",
        "'b', COUNT(*) FROM visits",
    ),
    Case(
        "35",
        "COUNT(DISTINCT patient) … GROUP BY x",
        "diagnosis",
        later=True,
    ),
    Case("36", "QUANTILE_DISC(x, 0.01)", "MIN(admitted)"),
    Case(
        "37",
        "t['n'].sum()",
        "SUM(COUNT(*))",
    ),
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
        FEATURES,
        "person_id",
        later=True,
    ),
    Case(
        "41",
        "QUALIFY",
        "ROW_NUMBER",
    ),
    Case(
        "42",
        FEATURES,
        "patient",
        later=True,
    ),
)


def test_there_are_forty_two() -> None:
    assert [case.number for case in CASES] == [f"{number:02d}" for number in range(1, 43)]
    answered = [case.number for case in CASES if isinstance(case.wanted, Query)]
    assert " ".join(answered) == "01 02 03 04 05 06 10 12 13 19 20 26 27 28 29 30 31 32 38 39"


@pytest.mark.parametrize("case", [case for case in CASES if isinstance(case.wanted, Query)], ids=lambda c: c.number)
def test_a_query_is_that_of_the_fluent_form(case: Case) -> None:
    assert isinstance(case.wanted, Query)
    found = pets.sql(case.sql, SCHEMA)
    assert json.dumps(found.to_json()) == json.dumps(case.wanted.to_json())
    assert found.digest == case.wanted.digest
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
