"""The NHS-like pack: its declarations, its rows, its rules, its faults; and the small language it is written in."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pytest

import pets
from pets.cli import main
from pets.cli.demo import choose_query
from pets.common import yamlfile
from pets.errors import SchemaError, UserError
from pets.synthetic.dummy_data.dataset import Dummy
from pets.synthetic.packs.check import check
from pets.synthetic.packs.checkdigits import reserved_numbers, snomed
from pets.synthetic.packs.declared import Pack
from pets.synthetic.packs.faults import KINDS, plant
from pets.synthetic.packs.field import field
from pets.synthetic.packs.formula import Formula, read
from pets.synthetic.packs.functions import FUNCTIONS, GROUPED
from pets.synthetic.packs.generator import make
from pets.synthetic.packs.pack import HOME, load_pack, read_pack

PEOPLE = 4_000
NINE = ["demographics", "apc", "op", "ae", "ecds", "sgss", "vaccinations", "deaths"]
THERAPY = ["ids001mpi", "ids101referral", "ids201carecontact", "ids202careactivity", "ids607codedscoredassessment"]


@pytest.fixture(scope="module")
def pack() -> Pack:
    return load_pack("nhs")


@pytest.fixture(scope="module")
def world() -> Dummy:
    return pets.dummy("nhs", people=PEOPLE, seed=7)


@pytest.fixture(scope="module")
def faulty() -> Dummy:
    return pets.dummy("nhs", people=PEOPLE, seed=7, faults=True)


# what is declared -----------------------------------------------------------------------------------------------------


def test_all_nine_data_sets_are_there(pack: Pack, world: Dummy) -> None:
    assert list(world) == [table.name for table in pack.files] == NINE + THERAPY
    assert all(table.num_rows for table in world.tables.values())
    assert world.tables["demographics"].num_rows == PEOPLE


def lined(tree: Any) -> Any:
    """A file's tree with the line of every key."""
    if isinstance(tree, yamlfile.Lines):
        return [(name, tree.at[name], lined(value)) for name, value in tree.items()]
    return [lined(one) for one in tree] if isinstance(tree, list) else tree


@pytest.mark.parametrize("path", sorted(HOME.glob("*/*.yaml")), ids=lambda path: path.name)
def test_a_file_means_the_same_to_both_readers_of_yaml(path: Path) -> None:
    text = path.read_text("utf-8")
    quick, careful = (lined(read(text, path.name)) for read in (yamlfile.parse, yamlfile.carefully))
    assert quick == careful and careful


def test_every_field_has_a_meaning_and_a_source(pack: Pack) -> None:
    for table in pack.files:
        assert table.title and table.person and table.checks, table.name
        for one in table.fields:
            if not one.hidden:
                assert one.about and pack.sources[one.source], (table.name, one.name)


def test_the_data_dictionary_tells_every_column(pack: Pack, world: Dummy) -> None:
    told = world.dictionary.to_pandas()
    columns = [(name, column) for name, table in world.tables.items() for column in table.column_names]
    assert list(zip(told.table, told.column, strict=True)) == columns
    assert (told[["meaning", "values", "source", "no_value"]] != "").all().all()
    line = told[(told.table == "apc") & (told.column == "ADMIMETH")].iloc[0]
    assert "21 emergency, via this provider's emergency department" in line["values"]


def test_the_published_field_names_are_there(world: Dummy) -> None:
    apc = {"EPIKEY", "EPISTART", "EPIEND", "EPIORDER", "ADMIDATE", "DISDATE", "ADMIMETH", "ADMISORC", "CLASSPAT"}
    apc |= {"DISMETH", "DISDEST", "FYEAR", "STARTAGE", "SEX", "ETHNOS", "PROCODE5", "TRETSPEF", "MAINSPEF", "SPELBGIN"}
    apc |= {f"DIAG_4_{i:02d}" for i in range(1, 21)} | {f"OPERTN_4_{i:02d}" for i in range(1, 25)}
    apc |= {f"OPDATE_{i:02d}" for i in range(1, 25)}
    assert apc <= set(world.tables["apc"].column_names)
    assert {"AEKEY", "AEATTENDDISP", "INITDUR", "DEPTIME", "EPIKEY"} <= set(world.tables["ae"].column_names)
    assert {"REG_DATE_OF_DEATH", "S_COD_CODE_15", "DEC_AGEC"} <= set(world.tables["deaths"].column_names)


# the rows -------------------------------------------------------------------------------------------------------------


def broken(pack: Pack, tables: Any) -> dict[tuple[str, str], set[int]]:
    return {(v.table, v.check): set((v.rows + 1).tolist()) for v in check(pack, tables) if not v}


def test_no_rule_is_broken(pack: Pack, world: Dummy) -> None:
    assert broken(pack, world.tables) == {}


@pytest.mark.soak
def test_no_rule_is_broken_in_a_million_rows(pack: Pack) -> None:
    made = pets.dummy("nhs", people=75_000, seed=1)
    assert sum(table.num_rows for table in made.tables.values()) > 1_000_000
    assert broken(pack, made.tables) == {}


def test_rules_that_pandas_finds_kept(world: Dummy) -> None:
    """Without the checker: the rules that matter most, computed anew."""
    people, apc, deaths = world["demographics"], world["apc"], world["deaths"]
    numbers = people.nhs_number
    digits = np.array([[int(digit) for digit in number] for number in numbers])
    assert (numbers.str[:3] == "999").all() and numbers.is_unique
    assert ((digits[:, :9] @ np.arange(10, 1, -1) + digits[:, 9]) % 11 == 0).all()
    for name in world:
        key = load_pack("nhs").person_of(name)
        assert world[name][key].isin(numbers).all(), name
    dead = people.dropna(subset=["date_of_death"]).set_index("nhs_number").date_of_death
    stays = apc[apc.DISMETH == "4"]
    assert len(stays) and (stays.NEWNHSNO.map(dead) == stays.DISDATE).all()
    assert stays.NEWNHSNO.is_unique and (stays.DISDEST == "79").all()
    assert set(deaths.DEC_CONF_NHS_NUMBER) == set(dead.index)
    after = apc.NEWNHSNO.map(dead)
    assert not (after < apc.EPIEND).any()
    whole = apc[apc.DISDATE > "1900"].sort_values(["NEWNHSNO", "ADMIDATE", "DISDATE"])
    following = whole.groupby("NEWNHSNO").ADMIDATE.shift(-1)
    assert not (following < whole.DISDATE).any()  # nobody lies in two beds
    codes = apc[[f"DIAG_4_{i:02d}" for i in range(1, 21)]]
    assert (codes.nunique(axis=1) == codes.notna().sum(axis=1)).all()  # no diagnosis twice in an episode
    assert (codes.notna().sum(axis=1) == apc.DIAG_COUNT).all() and apc.DIAG_COUNT.max() > 8
    doses = world["vaccinations"].sort_values(["NHS_NUMBER", "DOSE_SEQUENCE"])
    gaps = doses.groupby("NHS_NUMBER").VACCINATION_DATE.diff().dropna()
    assert gaps.min() >= pd.Timedelta(days=21) and doses.VACCINATION_DATE.min() >= pd.Timestamp("2020-12-08")
    admitted = world["ae"].dropna(subset=["EPIKEY"]).merge(apc, on="EPIKEY", how="left")
    assert (admitted.ADMIMETH == "21").all() and (admitted.ARRIVALDATE == admitted.ADMIDATE).all() and len(admitted)
    scores = world["ids607codedscoredassessment"].merge(world["ids101referral"], on="PATHWAYID")
    phq = scores[(scores.CODEDASSTOOLTYPE == "720433000") & scores.PHQ9_LASTSCORE.notna()].sort_values("ASSDATE")
    pairs = phq.groupby("PATHWAYID").agg(
        first=("PERSSCORE", "first"),
        last=("PERSSCORE", "last"),
        a=("PHQ9_FIRSTSCORE", "first"),
        b=("PHQ9_LASTSCORE", "first"),
    )
    assert (pairs["first"] == pairs.a).all() and (pairs["last"] == pairs.b).all() and len(pairs)
    assert pairs["last"].mean() < pairs["first"].mean()


def test_it_looks_like_life(world: Dummy) -> None:
    """Relations that a trainee should find: old people die and stay longer, winter is busy, conditions fit the sex."""
    people, apc = world["demographics"], world["apc"]
    age = 2024 - people.date_of_birth.dt.year
    assert people.date_of_death.notna()[age > 80].mean() > 10 * people.date_of_death.notna()[age < 60].mean()
    last = apc.dropna(subset=["SPELDUR"])
    assert last.SPELDUR[last.STARTAGE_CALC >= 80].mean() > 2 * last.SPELDUR[last.STARTAGE_CALC.between(18, 44)].mean()
    assert (apc[apc.ADMIMETH.isin(["31", "32"])].SEX == "2").all()
    assert not (apc[apc.SEX == "2"].DIAG_4_01 == "C61X").any() and (apc.DIAG_4_01 == "C61X").any()
    assert 8 < sum(table.num_rows for table in world.tables.values()) / PEOPLE < 30


def test_null_texts_are_those_of_the_published_data(world: Dummy, pack: Pack) -> None:
    assert (world["apc"].DISDATE == "1801-01-01").any() and (world["demographics"].gp_practice_code == "V81999").any()
    assert "&" in pack.schema.table("apc").columns["OPERTN_4_01"].null


# reproducible ---------------------------------------------------------------------------------------------------------


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path, faulty: Dummy) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        pets.dummy("nhs", people=300, seed=seed, faults=True).save(tmp_path / name)
    first, second, other = (digests(tmp_path / name) for name in "abc")
    assert first == second and len(first) == 13 + 3
    assert all(first[name] != other[name] for name in first if name not in ("schema.json", "data_dictionary.csv"))


def test_blocks_join_without_a_seam(monkeypatch: pytest.MonkeyPatch, pack: Pack) -> None:
    monkeypatch.setattr("pets.synthetic.packs.generator.BLOCK", 150)
    made = pets.dummy("nhs", people=500, seed=2)
    assert made.tables["demographics"].num_rows == 500
    assert broken(pack, made.tables) == {}


def test_people_are_named_by_number_or_by_pseudonym() -> None:
    named = pets.dummy("nhs", people=200, link="pseudonym")
    assert "PERSON_ID_DEID" in named["apc"] and "NEWNHSNO" not in named["apc"]
    assert named["demographics"].person_id.str.fullmatch(r"\d{16}").all()
    assert broken(load_pack("nhs", "pseudonym"), named.tables) == {}
    plain = pets.dummy("nhs", people=200)
    assert plain["apc"].drop(columns="NEWNHSNO").equals(named["apc"].drop(columns="PERSON_ID_DEID"))


def test_more_people_than_numbers_are_refused_at_once() -> None:
    with pytest.raises(UserError, match=r"only 909,091 valid ones.*at most 909,091 people, or link by pseudonym"):
        pets.dummy("nhs", people=909_092)
    everyone = next(make(load_pack("nhs"), 909_091, 0))["demographics"]
    assert everyone.rows and len(reserved_numbers()) == 909_091


# every query runs -----------------------------------------------------------------------------------------------------


def test_a_private_query_runs_on_every_table(world: Dummy) -> None:
    session = pets.Session(world.schema, dict(world.tables), budget=pets.Budget(100, 1e-6), progress=False)
    for name in world:
        fates = session.report(name)
        assert fates.rows_read == fates.rows_kept == world.tables[name].num_rows, name
        assert not any(c.out_of_domain or c.unparsable or c.clamped for c in fates.columns.values()), name
        release = session.release(choose_query(world.schema, name), pets.DP(epsilon=1))
        assert len(release.table), name
    twin = session.dummy(rows=200)
    for name in world:
        assert len(twin.release(choose_query(world.schema, name), pets.Exact()).table), name


def test_the_schema_alone_makes_rows_that_keep_its_rules(pack: Pack) -> None:
    made = pets.dummy(pack.schema, rows=400)["apc"]
    both = made.dropna(subset=["EPISTART", "EPIEND"])
    assert (both.EPISTART <= both.EPIEND).all() and len(both)


# faults ---------------------------------------------------------------------------------------------------------------


def test_every_fault_is_found_by_the_check_that_it_names(pack: Pack, faulty: Dummy) -> None:
    found, key = broken(pack, faulty.tables), faulty.answers.to_pandas()
    assert set(key.fault) == {fault.name for fault in pack.faults}
    assert {fault.kind for fault in pack.faults} == set(KINDS)
    for fault in pack.faults:
        rows = set(key[key.fault == fault.name].row)
        assert len(rows) >= 3 and rows <= found[fault.table, fault.breaks], fault.name


def test_nothing_but_what_the_key_says_is_changed(world: Dummy, faulty: Dummy) -> None:
    key = faulty.answers.to_pandas()
    for name in world:
        before, after = world[name].astype(str), faulty[name].astype(str)
        mine = key[(key.table == name) & (key.column != "(whole row)")]
        copies = key[(key.table == name) & (key.column == "(whole row)")]
        kept = after.drop(index=copies.row - 1)  # what is left stands in its order
        assert len(kept) == len(before)
        changed = np.argwhere(before.to_numpy() != kept.to_numpy())
        told = {
            (kept.index.get_loc(row - 1), before.columns.get_loc(column))
            for row, column in zip(mine.row, mine.column, strict=True)
        }
        assert {tuple(place) for place in changed.tolist()} == told, name
        for row, now in zip(copies.row, copies.now, strict=True):
            source = int(now.rsplit(" ", 1)[1])
            assert source < row and after.iloc[row - 1].equals(after.iloc[source - 1].rename(row - 1))
        if len(copies):  # where they are is not to be guessed
            assert set(copies.row) != set(range(len(before) + 1, len(after) + 1))
            assert np.ptp(copies.row) > 3 * len(copies)
    swap = key[key.fault == "episode-ends-before-it-begins"].iloc[0]
    assert str(faulty["apc"].loc[swap.row - 1, swap.column])[:10] == swap.now != swap.was
    assert all(key.lesson.str.len() > 40)


def test_no_row_bears_two_faults_however_many_there_are(world: Dummy, pack: Pack) -> None:
    many = replace(pack, faults=tuple(replace(fault, share=0.4) for fault in pack.faults))
    key = plant(many, world.tables, 1)[1].to_pandas()
    assert (key.groupby(["table", "row"]).fault.nunique() == 1).all() and len(key) > 10_000


def test_faults_are_planted_only_on_demand(world: Dummy, tmp_path: Path) -> None:
    assert world.answers is None and world.manifest["faults"] == 0
    assert not any(path.name == "answer_key.csv" for path in world.save(tmp_path))


def test_the_key_lies_in_no_folder_that_is_handed_out(faulty: Dummy, world: Dummy, tmp_path: Path) -> None:
    out = tmp_path / "out"
    rows = faulty.answers.num_rows
    assert rows > 20 and not any("key" in path.name for path in faulty.save(out))
    key = tmp_path / "trainer" / "key.csv"
    assert faulty.save(out, key=key)[-1] == key
    assert len(key.read_text("utf-8").splitlines()) == rows + 1 and key.stat().st_mode & 0o077 == 0
    assert not any(b"duplicated-episodes" in path.read_bytes() for path in out.iterdir())
    inside = tmp_path / "out2"
    for name in (inside / "key.csv", inside / "deep" / "key.csv", tmp_path / "out" / ".." / "out2" / "k.csv"):
        with pytest.raises(UserError, match="would lie in the folder that is handed out"):
            faulty.save(inside, key=name)
    assert not inside.exists()
    with pytest.raises(UserError, match="no fault was planted, so there is no key"):
        world.save(out, key=key)


# files ----------------------------------------------------------------------------------------------------------------


def test_the_command_line_writes_a_whole_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "out")
    assert main.run(["dummy", "nhs", "--people", "300", "--faults", "--out", out]) == 0
    assert "apc.csv" in capsys.readouterr().out
    told = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert told["pack"] == {
        "name": "nhs",
        "version": "1.3",
        "title": "NHS-like linked health data",
        "link": "nhs_number",
    }
    assert told["level"]["name"] == "valid" and told["faults"] > 20
    schema = pets.Schema.load(tmp_path / "out" / "schema.json")
    data = {"apc": f"{out}/apc.csv"}
    query = pets.query("apc").group_by("ADMIMETH").agg(n=pets.count())
    assert len(pets.Session(schema, data, budget=pets.Budget(1)).release(query, pets.DP(epsilon=1)).table)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nsh"], "did you mean 'nhs'"),
        ([], "say what to invent"),
        (["nhs", "--schema", "x.yaml"], "say what to invent"),
        (["nhs", "--people", "0"], "people must be"),
        (["nhs", "--people", "999999"], "909,091"),
        (["nhs", "--rows", "5"], "use --people"),
        (["nhs", "--format", "xls"], "there are: csv, parquet, duckdb"),
        (["nhs", "--link", "name"], "link must be"),
        (["stays.yaml"], "--schema stays.yaml"),
    ],
)
def test_the_command_line_says_what_is_wrong(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["dummy", *words, "--out", str(tmp_path / "new")]) == 2
    told = capsys.readouterr().err
    assert said in told and told.count("\n") == 1
    assert not list(tmp_path.glob("new/*"))


def test_a_pack_takes_people_and_a_schema_rows(pack: Pack) -> None:
    with pytest.raises(UserError, match="must be built from"):
        pets.dummy("nhs", query="apc")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="a schema takes rows"):
        pets.dummy(pack.schema, people=5)
    # rows that are passed over would be a table of another size than was asked for
    with pytest.raises(UserError, match=r"say pets.dummy\('nhs', people=500\)"):
        pets.dummy("nhs", 500)


# the lint -------------------------------------------------------------------------------------------------------------


EDITS = [
    ("codes_emergency", "1064901000000108", "1064901000000103", "no valid snomed code"),
    ("codes_illnesses", "I219: 0 0 0 0 0.232 0.278", "I21.9: 0 0 0 0 0.232 0.278", "no valid icd10 code"),
    ("codes_illnesses", "I219: 0 0 0 0 0.232 0.278", "I219: 0 0 0.5 0.6", "same number of weights"),
    ("codes_admin", 'P: 0.5 | any other black', 'P: -0.5 | any other black', "not be negative"),
    ("hospital", "EPISTART: day | _spells", "EPISTART: dya | _spells", "did you mean 'day'"),
    ("hospital", "| DISDATE - ADMIDATE |", "| DISDAT - ADMIDATE |", "did you mean 'DISDATE'"),
    ("hospital", "fiscal_year(EPIEND) |", "fiscal_yaer(EPIEND) |", "did you mean 'fiscal_year'"),
    ("hospital", "| EPIEND - EPISTART |", "| __import__('os') |", "no function '__import__'"),
    ("hospital", "| EPIEND - EPISTART |", "| (1).real |", "refused"),
    ("hospital", "_following, _ill", "following(ADMIDATE), _ill", "every row"),
    ("hospital", "codes sex |", "codes sexx |", "did you mean 'sex'"),
    ("hospital", "each: _spells", "each: _spell", "no earlier table"),
    ("hospital", "Number of diagnoses", "Number of diagnoses | HSE", "did you mean 'HES'"),
    ("hospital", "    title: Hospital", "    titel: Hospital", "did you mean 'title'"),
    ("faults", "columns: EPISTART EPIEND", "columns: EPISTART EPIENDE", "did you mean 'EPIEND'"),
    ("faults", "table: sgss", "table: sgs", "did you mean 'sgss'"),
]  # fmt: skip


@pytest.mark.parametrize(("part", "old", "new", "words"), EDITS, ids=lambda value: str(value)[:40])
def test_a_slip_in_a_pack_is_found_when_it_is_read(part: str, old: str, new: str, words: str, tmp_path: Path) -> None:
    shutil.copytree(HOME / "nhs", tmp_path / "nhs")
    path = tmp_path / "nhs" / f"{part}.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(SchemaError, match=re.escape(words)) as caught:
        read_pack(tmp_path / "nhs")
    assert "\n" not in str(caught.value)


def test_every_snomed_code_is_checked(pack: Pack) -> None:
    for codes in pack.lists.values():
        long = [code for code in codes.codes if re.fullmatch(r"\d{8,18}", code)]
        assert all(snomed(code) for code in long) and (not long or codes.form == "snomed"), codes.name


# the language ---------------------------------------------------------------------------------------------------------


def test_a_formula_is_read_and_never_run() -> None:
    for text in ("open('x')", "a.b.c", "[1]", "lambda: 1", "a if b else c", "f'{a}'", "a @ b", "a := 1", "x[0]", ""):
        with pytest.raises(SchemaError):
            read(text, FUNCTIONS)
    assert sorted(Formula.names(read("least(a, t.b) + D[slot]", FUNCTIONS))) == ["D[]", "a", "slot", "t.b"]
    with pytest.raises(SchemaError, match="working column of its own"):
        read("where(a, total(), 1)", FUNCTIONS, GROUPED)


def test_a_field_needs_its_parts() -> None:
    for text, words in (
        ("day", "needs a formula"),
        ("day | start", "needs its meaning"),
        ("day blnak=1 | start | x", "did you mean 'blank'"),
    ):
        with pytest.raises(SchemaError, match=words):
            field("A", text, "HES", {})


def test_checks_see_what_is_missing(pack: Pack, world: Dummy) -> None:
    with pytest.raises(UserError, match="'apc' is not among those"):
        check(pack, {name: table for name, table in world.tables.items() if name != "apc"})
    less = dict(world.tables) | {"op": world.tables["op"].drop_columns(["APPTDATE"])}
    with pytest.raises(UserError, match="no column 'APPTDATE'"):
        check(pack, less)


def test_checks_run_on_written_files(pack: Pack, tmp_path: Path) -> None:
    pets.dummy("nhs", people=200, faults=True, seed=3).save(tmp_path, "parquet")
    import pyarrow.parquet as pq

    tables = {table.name: pq.read_table(tmp_path / f"{table.name}.parquet") for table in pack.files}
    found = broken(pack, tables)
    assert {fault.breaks for fault in pack.faults if fault.table == "apc"} <= {name for _, name in found}
    assert isinstance(tables["apc"], pa.Table)
