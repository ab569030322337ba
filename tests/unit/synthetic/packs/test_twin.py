"""The dummy twin from a pack: rows that look like it, and people who meet a question."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import pets
from pets import col
from pets.errors import SchemaError, UserError
from pets.schema.schema import Schema
from pets.schema.twin.hints import Twin
from pets.synthetic.linked import LOOKED, fitting
from pets.synthetic.packs.check import check
from pets.synthetic.packs.pack import load_pack
from tests.unit.synthetic.packs.test_own_pack import EYES

CLINIC = """\
dataset: ours
dummy: dental
tables:
  visits:
    unit: {column: patient, max_rows: 20}
    columns:
      patient: identifier
      visit: identifier
      visited: {type: date, min: 2023-01-01, max: 2024-12-31}
      age: {type: integer, min: 0, max: 100}
      reason: {type: category, values: [check, pain, injury, denture, other]}
      clinical: {type: category, values: ["yes", "no"], lookup: {column: reason, map: {pain: "yes", check: "no"}}}
  treatments:
    unit: {column: patient, max_rows: 60}
    columns: {patient: identifier, visit: identifier, price: {type: real, min: 0, max: 900, step: 0.5}}
"""


def ours() -> Schema:
    return Schema.load(yaml.load(CLINIC, Loader=yaml.BaseLoader))


def test_children_stay_as_long_as_in_the_pack() -> None:
    """Drawn evenly from domains they stayed 43 days, and in the pack 2."""
    schema = load_pack("nhs").schema
    session = pets.Session(schema, budget=pets.Budget(1), progress=False)
    stays = (
        pets.query("apc")
        .where((col("STARTAGE_CALC") < 18) & ~col("SPELDUR").is_null())
        .agg(days=pets.mean("SPELDUR"), n=pets.count())
    )
    table = session.dummy(rows=1_000).release(stays, pets.Exact()).table
    assert table.n.iloc[0] > 50 and 0.5 < table.days.iloc[0] < 4
    bare = Schema(schema.tables, schema.dataset)
    assert pets.dummy(bare, rows=2_000)["apc"].query("STARTAGE_CALC < 18").SPELDUR.mean() > 20


def test_the_twin_of_a_packs_schema_is_the_pack() -> None:
    for given in ("dental", EYES):
        pack = load_pack(given)
        rows, made = pets.dummy(pack.schema, rows=300, seed=4), pets.dummy(given, people=300, seed=4)
        assert all(rows.tables[name].equals(made.tables[name]) for name in made)


def test_a_schema_that_names_a_pack_has_its_rows(tmp_path: Path) -> None:
    schema = ours()
    made = pets.dummy(schema, rows=400, seed=1)
    whole = pets.dummy("dental", people=400, seed=1)
    assert list(made) == ["visits", "treatments"] and list(made["visits"]) == [
        "patient",
        "visit",
        "visited",
        "age",
        "reason",
    ]
    assert made["visits"].equals(whole["visits"][list(made["visits"])])
    session = pets.Session(schema, budget=pets.Budget(1), progress=False)
    query = pets.query("visits").group_by("reason").agg(n=pets.count())
    found = session.dummy(rows=400, seed=1).release(query, pets.Exact()).table.set_index("reason").n
    assert found["check"] == (whole["visits"].reason == "check").sum()
    # from a file, one's own pack is beside it
    (tmp_path / "mine").mkdir()
    for path in Path(load_pack(EYES).home or "").glob("*.yaml"):
        (tmp_path / "mine" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "s.yaml").write_text(
        "dummy: mine/\ntables: {patients: {unit: {column: patient, max_rows: 1}, columns: {patient: identifier}}}\n"
    )
    assert pets.dummy(tmp_path / "s.yaml", rows=30)["patients"].patient.str.fullmatch(r"\d{16}").all()


def test_the_pack_named_by_a_schema_changes_nothing_else(tmp_path: Path) -> None:
    form = yaml.load(CLINIC, Loader=yaml.BaseLoader)
    del form["dummy"]
    assert Schema.load(form).digest == ours().digest and Schema.load(form) == ours()
    pets.dummy("dental", people=5).save(tmp_path / "a")
    assert Schema.load(tmp_path / "a" / "schema.json").twin == Twin("dental")
    pets.dummy(EYES, people=5).save(tmp_path / "b")  # no path of this machine is handed on
    assert Schema.load(tmp_path / "b" / "schema.json").twin == Twin()


def test_a_bare_name_is_never_a_folder_that_lies_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    for path in EYES.glob("*.yaml"):
        (tmp_path / "mine" / path.name).write_bytes(path.read_bytes())
    form = yaml.load(CLINIC, Loader=yaml.BaseLoader) | {"dummy": "mine"}
    with pytest.raises(SchemaError, match=r"there is no pack 'mine'.*named by its folder"):
        pets.dummy(Schema.load(form))
    assert len(pets.dummy("mine", people=10)["patients"]) == 10  # asked for by name, it is


def test_what_the_pack_has_not_is_said() -> None:
    form = yaml.load(CLINIC, Loader=yaml.BaseLoader)
    form["tables"]["visits"]["columns"]["ages"] = form["tables"]["visits"]["columns"].pop("age")
    with pytest.raises(SchemaError, match=r"has no column 'ages'; did you mean 'age'.*take 'dummy' out"):
        pets.dummy(Schema.load(form))
    form["tables"]["visit"] = form["tables"].pop("visits")
    with pytest.raises(SchemaError, match=r"has no table 'visit'; did you mean 'visits'.*take 'dummy' out"):
        fitting(Schema.load(form))
    with pytest.raises(UserError, match="there is no pack 'dentel'; did you mean 'dental'"):
        pets.dummy(Schema.load(form | {"dummy": "dentel"}))
    with pytest.raises(SchemaError, match="only where the schema itself is loaded from a file"):
        Schema.load(form | {"dummy": "elsewhere/"})
    for wrong in ("", 7.5, ["nhs"]):
        with pytest.raises(SchemaError):
            Schema.load(form | {"dummy": wrong})


# a question -----------------------------------------------------------------------------------------------------------


def test_people_who_meet_a_condition_are_among_them() -> None:
    rare = pets.query("visits").where((col("reason") == "denture") & (col("age") < 26)).agg(n=pets.count())
    none = pets.dummy("dental", people=100, seed=1)["visits"]
    assert none[(none.reason == "denture") & (none.age < 26)].patient.nunique() <= 3
    made = pets.dummy("dental", people=100, seed=1, query=rare)
    visits = made["visits"]
    meets = visits[(visits.reason == "denture") & (visits.age < 26)].patient.nunique()
    assert meets >= 25 and made["patients"].patient.nunique() == len(made["patients"]) == 100
    assert all(verdict for verdict in check(load_pack("dental"), made.tables))
    assert made.manifest["query_sha256"] == rare.digest and "and a query" in made.manifest["made_from"]
    # the others are the first people of the plain rows
    assert made["patients"].patient.isin(pets.dummy("dental", people=100, seed=1)["patients"].patient).sum() >= 50


def test_people_who_meet_a_cohort_are_judged_by_the_engine() -> None:
    """As an engine counts them, which knows nothing of how they were made."""
    apc, deaths = pets.events("apc"), pets.events("deaths")
    first = apc.where(col("DIAG_4_01").isin(["I214", "I219"])).first("ADMIDATE", by="ADMIDATE")
    query = (
        pets.people(of="demographics", first=first, died=deaths.first("DATE_OF_DEATH", by="DATE_OF_DEATH"))
        .where(~col("first").is_null() & ~col("died").is_null())
        .agg(n=pets.count())
    )
    made = pets.dummy("nhs", people=200, seed=2, query=query)
    session = pets.Session(
        made.schema, made, budget=pets.Budget(1), progress=False, policy=pets.Policy(allow_unbounded=True)
    )
    counted = session.release(query, pets.Total()).table.n.iloc[0]
    stays = made["apc"]
    hearts = stays[stays.DIAG_4_01.isin(["I214", "I219"]) & stays.ADMIDATE.notna()].NEWNHSNO
    died = made["deaths"].DEC_CONF_NHS_NUMBER
    assert counted == hearts[hearts.isin(died)].nunique() >= 10
    twin = pets.Session(made.schema, budget=pets.Budget(1), progress=False).dummy(rows=200)
    assert twin.release(query, pets.Exact()).table.n.iloc[0] >= 10


def test_each_part_of_an_answer_finds_people() -> None:
    query = pets.query("visits").agg(
        old=pets.count(col("age") > 90),
        young=pets.count(col("age") < 4),
        dentures=pets.count(col("reason") == "denture"),
    )
    visits = pets.dummy("dental", people=60, seed=3, query=query)["visits"]
    assert (visits.age > 90).any() and (visits.age < 4).any() and (visits.reason == "denture").any()


def test_a_condition_that_nobody_meets_is_refused_and_the_twin_draws_from_the_columns() -> None:
    never = pets.query("visits").where((col("reason") == "denture") & (col("age") < 10)).agg(n=pets.count())
    with pytest.raises(UserError, match=f"nobody of {LOOKED:,} invented people meets.*leave query out"):
        pets.dummy("dental", people=100, query=never)
    session = pets.Session(load_pack("dental").schema, budget=pets.Budget(1), progress=False)
    assert session.dummy(rows=200).release(never, pets.Exact()).table.n.iloc[0] > 0
