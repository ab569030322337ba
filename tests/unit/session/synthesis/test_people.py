"""Synthetic tables of people: one row a person, whose columns are the features of a cohort."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets import col
from pets.common.codec import canonical
from pets.errors import QueryError, UserError
from pets.federated import Federation, Site, SitePolicy
from pets.session.synthesis.request import PERSON, ROW
from pets.synthetic.dp_model.cohort import features
from pets.synthetic.synthetic_release import RECORD, SyntheticRelease
from pets.verify.check import Refused, check
from tests.extras import needs
from tests.unit.ledger.log.test_verifier import edited, leaves
from tests.unit.verify.test_check import moved, said_of
from tests.unit.verify.test_made import World

needs("mbi")

SCHEMA = pets.Schema(
    {
        "patients": pets.Table(
            pets.Unit("id", max_rows=1),
            {"id": pets.Identifier(), "sex": pets.Category(["F", "M"], nullable=False), "note": pets.Text(8)},
        ),
        "stays": pets.Table(
            pets.Unit("id", max_rows=5),
            {
                "id": pets.Identifier(),
                "code": pets.Category(["I21", "J18", "Z00"]),
                "kind": pets.Category(["heart", "lung"], lookup=pets.Lookup("code", {"I21": "heart", "J18": "lung"})),
                "admitted": pets.Date("2021-01-01", "2023-12-31"),
                "days": pets.Integer(0, 30),
            },
            person_table="patients",
        ),
    },
    dataset="people-test",
)
STAYS = pets.events("stays")
FIRST = STAYS.where(col("code") == "I21").first("admitted", by="admitted")
COHORT = pets.people(
    first=FIRST,
    again=STAYS.where(col("admitted").within(FIRST, days=(1, 60))).exists(),
    stays=STAYS.count(max=5),
).where(col("first").between("2022-01-01", "2022-12-31"))
WANTED: dict[str, Any] = {"table": COHORT, "columns": ["first", "again", "sex"], "progress": False}


def rows(people: int = 3000) -> dict[str, pd.DataFrame]:
    """A third have a heart attack in 2022 and another one in 2023; half of these, the women, come again in ten days."""
    every = np.arange(people)
    ids, woman = every.astype(str), every % 6 < 3
    patients = pd.DataFrame({"id": ids, "sex": np.where(woman, "F", "M"), "note": "x"})
    ill, soon = every % 3 == 0, (every % 3 == 0) & woman
    first = np.datetime64("2022-01-01") + (every % 365).astype("timedelta64[D]")
    parts = [
        pd.DataFrame({"id": ids[ill], "code": "I21", "admitted": first[ill], "days": 3}),
        pd.DataFrame({"id": ids[ill], "code": "I21", "admitted": np.datetime64("2023-12-30"), "days": 9}),
        pd.DataFrame({"id": ids[soon], "code": "J18", "admitted": first[soon] + np.timedelta64(10, "D"), "days": 2}),
        pd.DataFrame({"id": ids[~ill], "code": "Z00", "admitted": first[~ill], "days": 1}),
    ]
    stays = pd.concat(parts, ignore_index=True)
    return {"patients": patients, "stays": stays.assign(admitted=stays["admitted"].astype(str).str[:10])}


def opened() -> pets.Session:
    return pets.Session(SCHEMA, rows(), budget=pets.Budget(epsilon=9, delta=1e-6), progress=False)


@pytest.fixture(scope="module")
def world() -> World:
    return World(opened())


@pytest.fixture(scope="module")
def made(world: World) -> SyntheticRelease:
    return world.session.synthesise(epsilon=4, **WANTED)


def test_a_row_is_somebody_of_the_cohort(made: SyntheticRelease) -> None:
    table = made.table
    assert list(table) == [RECORD, "first", "again", "sex"] and made.table_name == "people"
    # 1,000 people, not their 3,000 rows; and nobody whom the condition leaves out, whatever noise those slots got
    assert 900 < len(table) < 1100
    assert table["first"].between("2022-01-01", "2022-12-31").all() and table["first"].notna().all()
    assert table["first"].str[:7].nunique() == 12
    assert abs(table["again"].mean() - 0.5) < 0.1 and table["again"].dtype == bool
    assert (table.loc[table["again"], "sex"] == "F").mean() > 0.9
    assert PERSON in made.notes and ROW not in made.notes


def test_what_a_condition_of_two_columns_does_not_do_is_said() -> None:
    """Rows that miss it are drawn; so the note says what holds in every row, and what does not."""
    either = pets.people(of="patients", n=STAYS.count(max=5), m=STAYS.max("days")).where(
        (col("n") == 3) | (col("m") == 1)
    )
    wanted: dict[str, Any] = {"table": either, "columns": ["n", "m"], "bins": {"m": [0, 1, 2, 31]}}
    made = opened().synthesise(epsilon=2, progress=False, **wanted)
    misses = (made.table["n"] != 3) & (made.table["m"] != 1)
    assert misses.any()
    assert any("A condition of one column alone holds in every row; any other" in note for note in made.notes)


def test_a_person_counts_once_however_many_rows_are_read(world: World, made: SyntheticRelease) -> None:
    assert [release.plan.rows for release in made.releases] == [1] * 6
    once = {"l0": 1, "l1": 1, "l2_squared": 1, "linf": 1}
    assert all(one.sensitivity.to_json() == once for release in made.releases for one in release.plan.measures)
    assert "all rows of any one person (id) in all tables of the dataset" in made.guarantee
    assert "at most 1 row of a person count" in made.guarantee
    assert world.session.remaining().spent.loss == made.cost["loss"] <= pets.Budget(4, 1e-6).cap.loss
    quote = world.session.quote_synthesis(epsilon=4, **WANTED)
    assert (quote.table_name, quote.cost.loss) == ("people", made.cost["loss"])
    # the same table again is the same answers, and free
    assert world.session.synthesise(epsilon=4, **WANTED).cost == made.cost
    assert world.session.remaining().spent.loss == made.cost["loss"]


@pytest.mark.chance(0)
def test_the_checker_holds_its_people_to_what_was_asked(world: World, made: SyntheticRelease, tmp_path: Path) -> None:
    made.save(tmp_path / "people.csv")
    assert list(pd.read_csv(tmp_path / "people.csv")) == list(made.table)
    form: Any = made.derived
    assert form["manifest"]["settings"]["people"]["where"] == COHORT.to_json()["where"]
    said = check((tmp_path / "people.certificate.json").read_bytes(), world.key)
    assert said.startswith(made.guarantee) and "6 certificate(s)" in said
    told = ("manifest", "settings", "people")
    lies = [edited(form, path, moved) for path in leaves(form) if path[:3] == told]
    without = {name: part for name, part in form["manifest"]["settings"].items() if name != "people"}
    lies.append(form | {"manifest": form["manifest"] | {"settings": without}})
    lies.append(form | {"manifest": form["manifest"] | {"settings": without | {"people": None}}})
    lies.append(form | {"tables": {"stays": form["tables"]["people"]}})
    assert len(lies) > 10
    for lie in lies:
        with pytest.raises(Refused):
            check(canonical(world.signed(lie, said_of(made))), world.key)  # type: ignore[arg-type]


def test_columns_are_the_features_and_their_slots_what_the_condition_leaves() -> None:
    first, again, stays = features(COHORT, SCHEMA)
    assert (first.name, again.name, stays.name) == ("first", "again", "stays")
    assert (first.size, first.dimension.size, first.lacks) == (4, 13, False)
    assert first.labels == ("2022-Q1", "2022-Q2", "2022-Q3", "2022-Q4")
    days = first.values(np.repeat([0, 3], 2000), np.random.default_rng(0))
    assert (min(days), max(days)) == ("2022-01-01", "2022-12-31") and len(set(days)) == 90 + 92
    few = COHORT.where(col("stays") != 3).where(col("first") >= "2022-03-30")
    first, _, stays = features(few, SCHEMA, bins={"stays": [0, 1, 5]})
    assert set(first.values(np.zeros(200, dtype=np.int64), np.random.default_rng(0))) == {"2022-03-30", "2022-03-31"}
    assert set(stays.values(np.ones(300, dtype=np.int64), np.random.default_rng(0))) == {1, 2, 4, 5}


@pytest.mark.parametrize(
    ("condition", "stays", "days"),
    [
        ((col("stays") == 1) | (col("stays") == 3), {1, 3}, {*range(31)}),
        (((col("stays") == 1) | (col("stays") >= 4)) & (col("stays") != 5) & (col("days") > 28), {1, 4}, {29, 30}),
        ((col("stays") == 1) | (col("days") > 28), {0, 1, 2, 3, 4, 5}, {*range(31)}),
        (((col("stays") == 1) & (col("days") > 28)) | ((col("stays") == 2) & (col("days") == 3)), {1, 2}, {3, 29, 30}),
    ],
)
def test_either_of_two_conditions_leaves_what_one_of_them_does(condition: Any, stays: set[int], days: set[int]) -> None:
    """Of one column alone, exactly what meets it; of two, what either leaves of each."""
    people = pets.people(of="patients", stays=STAYS.count(max=5), days=STAYS.max("days")).where(condition)
    for one, left in zip(features(people, SCHEMA, bins={"days": [0, 31]}), (stays, days), strict=True):
        slots = np.arange(one.size - one.lacks, dtype=np.int64).repeat(1500)
        assert set(one.values(slots, np.random.default_rng(0))) == left


def test_what_people_have_may_be_columns() -> None:
    kinds = pets.people(of="patients", kind=STAYS.first("kind", by="admitted"), days=STAYS.mean("days"))
    more = kinds.with_columns(weeks=col("days") // 7)
    assert [one.name for one in features(more, SCHEMA)] == ["kind", "days", "weeks"]
    kind = features(more, SCHEMA)[0]
    assert (kind.labels, kind.lacks) == (("heart", "lung", "missing"), True)
    assert [one.name for one in features(pets.people(of="patients"), SCHEMA)] == ["sex"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"table": COHORT.group_by("sex")}, "leave group_by and agg out of the question"),
        ({"table": COHORT.agg(n=pets.count())}, "leave group_by and agg out of the question"),
        ({"table": pets.query("stays")}, "write table='stays', or table=pets.people"),
        ({"table": COHORT, "bound": 2}, "leave bound out"),
        ({"table": COHORT.where(col("first") > "2023-01-01")}, "it leaves no value of 'first'"),
        ({"table": COHORT, "columns": ["sex", "note"]}, "is text that nobody listed"),
        ({"table": COHORT, "columns": ["id"]}, "is an identifier"),
        ({"table": COHORT, "columns": ["firts"]}, "did you mean 'first'"),
        ({"table": COHORT, "bins": {"first": "decade"}}, "'year', 'quarter' or 'month'"),
        ({"table": pets.people(n=STAYS.count(max=3)).where(col("n") == 0)}, "somebody without a row in any table"),
        ({"table": COHORT, "method": "hma"}, "learns a table and no people"),
    ],
)
def test_what_is_refused(world: World, settings: dict[str, Any], words: str) -> None:
    spent = world.session.remaining().spent
    price: dict[str, Any] = {} if "method" in settings else {"epsilon": 1}
    with pytest.raises((QueryError, UserError), match=words):
        world.session.synthesise(**price, **settings)
    assert world.session.remaining().spent == spent


def test_sites_make_one_of_their_people_together() -> None:
    every = rows(1500)
    sites = []
    for place in range(3):
        own = {name: frame[frame["id"].astype(int) % 6 // 2 == place] for name, frame in every.items()}
        session = pets.Session(SCHEMA, own, budget=pets.Budget(epsilon=9, delta=1e-6), progress=False)
        sites.append(Site(session, policy=SitePolicy.open(SCHEMA), name=f"s{place}"))
    federation = Federation(sites, sites_per_person=1, progress=False)
    wanted = WANTED | {"columns": ["first", "again"], "bins": {"first": "year"}}
    made = federation.synthesise(300, epsilon=5, secure="masked", **wanted)
    table = made.table
    assert list(table) == [RECORD, "first", "again"] and made.settings["slots"] == {"first": 1, "again": 2}
    assert table["first"].between("2022-01-01", "2022-12-31").all() and abs(table["again"].mean() - 0.5) < 0.1
    assert 400 < made.settings["rows_estimated"] < 600 and PERSON in made.notes
