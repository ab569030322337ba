"""The cohort of the paper that published these rows, asked as a question about people.

Strack et al., "Impact of HbA1c measurement on hospital readmission rates", BioMed Research International 2014: of each
patient the first encounter, without those that ended in death or a hospice: "almost 70,000", in 18.4 % of which HbA1c
was measured (their abstract). From the published file they are 69,973, and the counts below are those of pandas.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import pets
from pets import col
from pets.testing import exact

DATA = Path(__file__).parents[3] / "shared" / "data" / "diabetes130" / "diabetic_data.csv.gz"
AGES = [f"[{age}-{age + 10})" for age in range(0, 100, 10)]
SCHEMA = pets.Schema(
    {
        "stays": pets.Table(
            pets.Unit("patient_nbr", max_rows=40),
            {
                "patient_nbr": pets.Identifier(),
                "encounter_id": pets.Integer(0, 500_000_000, nullable=False),
                "age": pets.Category(AGES, nullable=False),
                "discharge_disposition_id": pets.Integer(1, 30, nullable=False),
                "A1Cresult": pets.Category(["None", "Norm", ">7", ">8"], nullable=False),
                "readmitted": pets.Category(["NO", ">30", "<30"], nullable=False),
            },
            people=200_000,
        )
    }
)
STAYS = pets.events("stays")
NAMES = {"age": "age", "left": "discharge_disposition_id", "test": "A1Cresult", "again": "readmitted"}
COHORT = pets.people(
    of="stays", **{name: STAYS.first(column, by="encounter_id") for name, column in NAMES.items()}
).where(~col("left").isin([11, 13, 14, 19, 20, 21]))
EARLY = col("again") == "<30"
BY_TEST = {"None": (57_128, 5_199), "Norm": (3_741, 323), ">7": (2_865, 246), ">8": (6_239, 509)}
BY_AGE = [(153, 3), (534, 26), (1121, 83), (2692, 188), (6828, 506)]
BY_AGE += [(12_349, 879), (15_684, 1412), (17_750, 1817), (11_102, 1195), (1760, 168)]

pytestmark = pytest.mark.skipif(not DATA.exists(), reason="the diabetes130 data is not on this machine")


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_the_cohort_of_the_paper(engine: str) -> None:
    asked = COHORT.group_by("test").agg(n=pets.count(), early=pets.count(EARLY))
    found = exact(SCHEMA, DATA, asked, engine=engine).set_index("test")
    counts = {label: (int(n), int(early)) for label, n, early in found.itertuples() if label != "missing"}
    assert counts == BY_TEST and found["n"].sum() == 69_973
    tested = sum(n for label, (n, _) in BY_TEST.items() if label != "None")
    assert round(100 * tested / found["n"].sum(), 1) == 18.4


def test_readmissions_by_age_lie_in_their_intervals() -> None:
    """Of a thousand intervals one misses: none of thirty, of seeded noise."""
    session = pets.Session(SCHEMA, {"stays": DATA}, budget=pets.Budget(epsilon=3, delta=1e-6), progress=False)
    asked = COHORT.group_by("age").agg(n=pets.count(), early=pets.count(EARLY), share=pets.rate(EARLY))
    table = session.release(asked, pets.DP(epsilon=1, confidence=0.999)).table.set_index("age")
    for age, (n, early) in zip(AGES, BY_AGE, strict=True):
        row = table.loc[age]
        assert row["n_low"] <= n <= row["n_high"] and row["early_low"] <= early <= row["early_high"]
        assert row["share_low"] <= early / n <= row["share_high"]
    width = (table["share_high"] - table["share_low"]).loc[AGES[5:9]]
    assert (width < 0.02).all()  # and they tell: 7.1 % of those in their fifties, 10.8 % of those in their eighties
    assert table.loc["[50-60)", "share_high"] < table.loc["[80-90)", "share_low"]
