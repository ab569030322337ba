"""A pack of one's own: its errors name the line, hostile files are refused, and two clinics keep their rules."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

import pets
from pets.cli import main
from pets.errors import SchemaError, UserError
from pets.synthetic.packs import grammar
from pets.synthetic.packs.check import check
from pets.synthetic.packs.faults import KINDS
from pets.synthetic.packs.functions import FUNCTIONS
from pets.synthetic.packs.pack import HOME, load_pack, packs
from pets.synthetic.packs.reading.lint import spelling
from pets.synthetic.packs.values import Values

EYES = Path(__file__).parent / "eye_clinic"
DENTAL = HOME / "dental"


@pytest.fixture
def clinic(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DENTAL, tmp_path / "clinic"))


def edited(folder: Path, file: str, old: str, new: str) -> int:
    """Change a line of a file; gives its number."""
    path = folder / file
    text = path.read_text("utf-8")
    assert text.count(old) >= 1, old
    path.write_text(text.replace(old, new, 1), "utf-8")
    return text[: text.index(old)].count("\n") + 1


def said(folder: Path, people: int = 300) -> str:
    with pytest.raises(SchemaError) as caught:
        made = pets.dummy(folder, people=people)
        check(load_pack(folder), made.tables)
    text = str(caught.value)
    assert "\n" not in text and len(text) < 330 and str(folder.parent) not in text
    return text


# two clinics ----------------------------------------------------------------------------------------------------------


def test_the_clinics_are_packs_whose_every_check_holds() -> None:
    assert packs() == ["dental", "nhs"]
    for given, tables in (
        ("dental", ["patients", "visits", "treatments"]),
        (EYES, ["patients", "appointments", "injections"]),
    ):
        made = pets.dummy(given, people=3_000, seed=5)
        verdicts = check(load_pack(given), made.tables)
        assert list(made) == tables and len(verdicts) > 30
        assert [str(verdict) for verdict in verdicts if not verdict] == []
        assert made.tables[tables[0]].num_rows == 3_000
        assert all(made.tables[name].num_rows > 3_000 for name in tables[1:])


def test_what_pandas_sees_of_the_eye_clinic() -> None:
    made = pets.dummy(str(EYES) + "/", people=2_000, seed=1)
    patients, visits, given = made["patients"], made["appointments"], made["injections"]
    assert patients.patient.str.fullmatch(r"\d{16}").all()  # as its head says: by pseudonym
    assert not visits.day.dt.dayofweek.isin([5, 6]).any()
    assert not visits.day.between("2023-12-25", "2024-01-01").any()
    joined = given.merge(visits, on=["patient", "appointment"]).merge(patients, on="patient")
    assert len(joined) == len(given) and (joined.given == joined.day).all() and (joined.disease == "H353").all()
    assert (visits.groupby("patient").day.diff().dropna().dt.days >= 0).all()
    # H353 is 25 to 55 of those under 70 and 60 to 30 of the others, as the weights say
    old = 2025 - patients.born.dt.year >= 72
    assert 0.54 < (patients.disease[old] == "H353").mean() < 0.66 and (patients.disease[~old] == "H353").mean() < 0.4
    assert given.lot_2.notna()[given.drug == "FAR"].all() and not given.lot_2.notna()[given.drug != "FAR"].any()


def test_their_faults_are_found_by_the_checks_that_they_name() -> None:
    for given in ("dental", EYES):
        made = pets.dummy(given, people=1_000, seed=2, faults=True)
        pack, key = load_pack(given), made.answers.to_pandas()
        found = {(v.table, v.check): set((v.rows + 1).tolist()) for v in check(pack, made.tables)}
        for fault in pack.faults:
            rows = set(key[key.fault == fault.name].row)
            assert len(rows) >= 3 and rows <= found[fault.table, fault.breaks], fault.name


def test_every_query_runs_on_a_pack_of_ones_own() -> None:
    made = pets.dummy(EYES, people=500)
    session = pets.Session(made.schema, made, budget=pets.Budget(10), progress=False)
    query = pets.query("injections").group_by("drug").agg(n=pets.count(), who=pets.count_units())
    assert len(session.release(query, pets.DP(epsilon=1)).table) == 4


def test_the_first_people_are_the_same_whatever_the_size() -> None:
    few, many = (pets.dummy("dental", people=n, seed=3) for n in (40, 2_500))
    for name in few:
        assert many.tables[name].slice(0, few.tables[name].num_rows).equals(few.tables[name]), name
    small, large = (pets.dummy("nhs", people=n, seed=3)["apc"] for n in (200, 1_100))
    mine = large[large.NEWNHSNO.isin(small.NEWNHSNO)].reset_index(drop=True)
    assert mine.astype(str).equals(small.astype(str)) and len(small) > 100


def test_numbers_lie_on_the_steps_of_their_column(clinic: Path) -> None:
    line = "price: real 0..900 0.5 | "
    edited(clinic, "visits.yaml", line, "peak: real 50..700 5 | normal(300.0, 60) | Peak flow\n      " + line)
    made = pets.dummy(clinic, people=300)
    peak = made["treatments"].peak
    assert (peak % 5 == 0).all() and peak.nunique() > 30 and 280 < peak.mean() < 320
    off = made.tables["treatments"].to_pandas().assign(peak=peak + 0.25)
    found = check(load_pack(clinic), dict(made.tables) | {"treatments": pa.Table.from_pandas(off)})
    assert [verdict.check for verdict in found if not verdict] == ["peak lies in its domain"]


def test_keys_of_four_digits_are_made_and_run_out_plainly(clinic: Path) -> None:
    edited(clinic, "visits.yaml", "key(7)", "key(4)")
    visits = pets.dummy(clinic, people=500)["visits"]
    assert visits.visit.is_unique and visits.visit.str.fullmatch(r"\d{4}").all()
    assert "key(4) has too few numbers" in said(clinic, people=5_000)


# errors name the line -------------------------------------------------------------------------------------------------

SLIPS = [
    ("pack.yaml", "pack: dental", "pack: Dental!", "small letters"),
    ("pack.yaml", "title: A dental", "titel: A dental", "did you mean 'title'"),
    ("pack.yaml", "window: 2023-01-01..2024-12-31", "window: 2023", "two days"),
    ("pack.yaml", "parts: [visits]", "parts: [../visits]", "names of other files"),
    ("pack.yaml", "    weekdays: 1.2", "    weekday: 1.2", "did you mean 'weekdays'"),
    ("pack.yaml", "rows: {each: nobody}", "rows: {each: everybody}", "write each: nobody"),
    ("pack.yaml", "patient: person | person", "patient: id | person", "one column of type person"),
    ("pack.yaml", "chance(case(", "chanse(case(", "did you mean 'chance'"),
    ("visits.yaml", "      check: 70 55 40 | check-up", "      check: seventy | check-up", "'weight | term'"),
    ("visits.yaml", "each: patients", "each: patient", "did you mean 'patients'"),
    ("visits.yaml", "most: 20", "most: 2000000", "from 1 to 10,000"),
    ("visits.yaml", "unit: {max_rows: 20, rows: 4}", "unit: {max_rows: 0}", "from 1 to 10,000"),
    ("visits.yaml", "day | ordered", "date | ordered", "there is no type 'date'"),
    ("visits.yaml", '"surgery")', '"surgry")', "there is no calendar 'surgry'"),
    ("visits.yaml", 'pick("reason"', 'pick("reasons"', "there is no code list 'reasons'"),
    ("visits.yaml", "years(patients.born, visited)", "years(patients.born)", "write years(first, second)"),
    ("visits.yaml", "cut(_age, 18, 70)", "cut(18, _age)", "needs a column"),
    ("visits.yaml", "whole 0..100 |", "whole 100 |", "write it as in 'whole 0..120'"),
    ("visits.yaml", "whole 0..100 |", "whole 100..0 |", "100"),
    ("visits.yaml", "keep: has(visited)", "keep: visited", "no condition"),
    ("visits.yaml", "{unique: visit}", "{unique: visitt}", "did you mean 'visit'"),
    ("visits.yaml", "unique(visit)", "unique(visitt)", "did you mean 'visit'"),
    ("visits.yaml", '"patients", "patient")', '"patients", "pation")', "there is no column 'pation'"),
    ("visits.yaml", '"patients", "patient")', '"people", "patient")', "there is no table 'people'"),
    ("visits.yaml", 'implies(reason == "pain", pain != "0")', "age", "this check is no condition"),
    ("visits.yaml", "times: 1 + often", "times: reason + often", "which is not made yet"),
    ("visits.yaml", "values 0 1 2 3 | where", "whole 0..3 | where", "its formula gives texts"),
    ("visits.yaml", "visited: day | ordered", "visited: day | 10 ** 18 + ordered", "gives days beyond the years"),
    ("visits.yaml", "70.0 + 10 * uniform(0, 9)", "70.0 / uniform(0, 0)", "division by 0"),
    ("visits.yaml", "least(120, geometric(9))", 'least(120, "A")', "do not go together"),
    ("visits.yaml", "kind: repeat", "kind: repeated", "did you mean 'repeat'"),
    ("visits.yaml", "share: 0.01", "share: 2", "up to 1"),
    ("visits.yaml", "breaks: pain is graded", "breaks: pain is grated", "did you mean 'pain is graded'"),
    ("visits.yaml", "    kind: set", "    kind: later", "date_of_death"),
    ("visits.yaml", "columns: pain", "columns: pains", "did you mean 'pain'"),
]


@pytest.mark.parametrize(("file", "old", "new", "words"), SLIPS, ids=lambda value: str(value)[:30])
def test_a_slip_is_one_sentence_that_names_its_line(file: str, old: str, new: str, words: str, clinic: Path) -> None:
    line = edited(clinic, file, old, new)
    text = said(clinic)
    # a table without its person, and one that is of the wrong people, is named by its own first line
    assert re.match(rf"clinic/{file}:\d+: ", text), text
    named = int(text.split(":")[1])
    assert (named == line or (words in ("one column of type person",) and named < line)) and words in text, text


def test_what_is_not_there_is_said(clinic: Path, tmp_path: Path) -> None:
    (clinic / "visits.yaml").unlink()
    assert "clinic/visits.yaml: there is no such file" in said(clinic)
    (tmp_path / "empty").mkdir()
    assert "empty/pack.yaml: there is no such file" in said(tmp_path / "empty")
    with pytest.raises(UserError, match="there is no pack 'dentel'; did you mean 'dental'"):
        pets.dummy("dentel")
    with pytest.raises(UserError, match=r"people=5\)"):
        pets.dummy(clinic, 5)


# hostile files --------------------------------------------------------------------------------------------------------

BOMB = "a: &a [x, x]\nb: &b [*a, *a, *a, *a]\nc: [*b, *b, *b, *b]\n"
HOSTILE = [
    (BOMB, "alias"),
    ("pack: !!python/object/apply:os.system ['true']\nwindow: 2023-01-01..2023-12-31\n", "YAML tag"),
    ("{" * 3000, "nested too deeply"),
    ("- a\n- b\n", "must be a mapping"),
    ("", "must be a mapping"),
    ("just a text\n", "must be a mapping"),
    ("pack: x\nwindow: 0001-01-01..9999-12-31\n", "years 1000 to 3000"),
    ("pack: x\nwindow: 2023-01-01..2023-12-31\ncodes: 7\n", "mapping of names"),
    ("pack: x\nwindow: 2023-01-01..2023-12-31\n", "has no table"),
    ("pack: x\nwindow: 2023-01-01..2023-12-31\ntables: {manifest: {}}\n", "another name"),
    ("pack: x\npack: y\n", "given twice"),
    ("pack: x\nrun: rm\n", "'run' is not a setting"),
    ("# " + "x" * 2_000_001, "more than 2,000,000 bytes"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "words"), HOSTILE, ids=lambda value: str(value)[:20])
def test_a_hostile_head_is_refused_in_one_sentence(text: str, words: str, tmp_path: Path) -> None:
    folder = tmp_path / "hostile"
    folder.mkdir()
    (folder / "pack.yaml").write_text(text, "utf-8")
    assert words in said(folder)


BIG = [
    ("(2, 17)", "(2, 9" + "9" * 400 + ")", "between -2^53 and 2^53"),
    ("uniform(2, 17)", "(" * 300 + "1" + ")" * 300, "cannot be read"),
    ("uniform(2, 17)", "-" * 1500 + "1", "deep"),
    ("uniform(2, 17)", "1 + " * 900 + "1", "characters"),
    ("uniform(2, 17)", "1 + " * 200 + "1", "deep"),
    ("uniform(2, 17)", "().__class__", "refused in a formula"),
    ("uniform(2, 17)", "open('x')", "no function 'open'"),
    ("uniform(2, 17)", "poisson(1e15 * 1e15)", "cannot be reckoned"),
    ("uniform(2, 17)", "normal(1, 1, 1)", "write normal(mean, spread)"),
    ("    values: {F: 52 | fem", "    numbered: {prefix: C, digits: 9, from: 0, to: 999999999} #", "100,000"),
    ("    values: {F: 52 | female, M: 48 | male}", "    values: {F: 1e308 | female, M: nan | male}", "weights"),
    ("      smoker: truth", "      SMOKER_[1-99999999]: truth", "family of 1 to 99"),
    ("      smoker: truth", "      import: truth", "another name"),
    ("      smoker: truth", "      SYNTHETIC: truth", "another name"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "words"), BIG, ids=lambda value: str(value)[:20])
def test_what_would_stop_a_machine_is_refused_in_one_sentence(old: str, new: str, words: str, clinic: Path) -> None:
    line = edited(clinic, "pack.yaml", old, new)
    text = said(clinic)
    # (a list's own settings are named at the list)
    assert words in text and text.split(":")[1] in (str(line), str(line - 1)), text


def test_more_rows_than_a_machine_holds_are_refused(clinic: Path) -> None:
    edited(clinic, "visits.yaml", "times: 1 + often(where(patients.smoker, 3, 2), 0.8)", "times: 10000")
    edited(clinic, "visits.yaml", "most: 20", "most: 10000")
    assert "more than 4,000,000 rows for 1,000 people; lower 'times' or 'most'" in said(clinic)


# the grammar and the command line -------------------------------------------------------------------------------------


def test_the_grammar_names_all_that_there_is() -> None:
    assert set(grammar.FAULT_KINDS) == set(KINDS)
    assert all(function.__doc__ for function in FUNCTIONS.values())
    assert spelling("often") == "often(mean, shape)" and spelling("case").startswith("case(")
    for one in (grammar.HEAD, grammar.TABLE, grammar.ROWS, grammar.FAULT, grammar.CODES, grammar.CALENDAR):
        assert len(set(one.names)) == len(one.names) and all(s.meaning.endswith(".") for s in one.settings)


def test_a_pack_is_begun_checked_described_and_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main.run(["pack", "new", "My Eyes/"]) == 0
    assert load_pack(Path("My Eyes")).name == "my_eyes"
    assert main.run(["pack", "check", "My Eyes/", "--people", "300"]) == 0
    assert "All 33 checks hold." in capsys.readouterr().out
    assert main.run(["pack", "describe", "My Eyes/", "--table", "visits"]) == 0
    assert "Why the patient came" in capsys.readouterr().out
    assert main.run(["pack", "preview", "My Eyes/", "--people", "1", "--table", "visits"]) == 0
    assert "visits: " in capsys.readouterr().out
    assert main.run(["dummy", "My Eyes/", "--people", "20", "--format", "parquet", "--out", "rows"]) == 0
    assert (tmp_path / "rows" / "treatments.parquet").exists()
    capsys.readouterr()
    for words, text in (
        (["new", "My Eyes/"], "is not empty"),
        (["new", "other/", "--like", "nsh"], "did you mean 'nhs'"),
        (["new", "7/"], "begins with a letter"),
        (["describe", "dental", "--table", "visit"], "did you mean 'visits'"),
        (["preview", "dental", "--table", "visit"], "did you mean 'visits'"),
        (["check", "nowhere"], "pets pack new"),
    ):
        assert main.run(["pack", *words]) in (2, 3)
        told = capsys.readouterr().err
        assert text in told and told.count("\n") == 1


def test_a_broken_check_is_said_with_its_first_row(clinic: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edited(clinic, "visits.yaml", 'digits(uniform(1, 3), 1), "0")', 'digits(uniform(0, 3), 1), "0")')
    assert main.run(["pack", "check", str(clinic)]) == 2
    out, err = capsys.readouterr()
    assert re.search(r"visits: pain is graded: is broken in \d+ rows \(the first: row \d+\)", out)
    assert "1 of 33 checks are broken" in err


def test_partners_stand_near_and_each_is_one_other() -> None:
    asks, gives = Values("truth", np.arange(1000) % 3 == 0), Values("truth", np.arange(1000) % 4 == 1)
    people = _Rows(1000, np.arange(1000))
    found = FUNCTIONS["partner"](people, asks, gives)
    back = FUNCTIONS["partner"](people, gives, asks)
    rows = np.flatnonzero(~found.holes)
    assert (asks.data[rows] & gives.data[found.data[rows]]).all() and (rows // 250 == found.data[rows] // 250).all()
    assert (back.data[found.data[rows]] == rows).all() and (~back.holes).sum() == len(rows)
    every = [min(asks.data[low : low + 250].sum(), gives.data[low : low + 250].sum()) for low in range(0, 1000, 250)]
    assert len(rows) == sum(every)
    age = Values("whole", np.arange(1000))
    assert (FUNCTIONS["of_row"](people, found, age).holes == found.holes).all()
    assert (FUNCTIONS["handed"](people, found, age).data == np.where(found.holes, age.data, found.data)).all()
    few = Values("truth", np.zeros(1000, dtype=bool))
    assert FUNCTIONS["partner"](people, asks, few).holes.all() and FUNCTIONS["partner"](people, few, few).holes.all()
    with pytest.raises(ValueError, match="the table of people"):
        FUNCTIONS["partner"](_Rows(1000, np.zeros(1000, dtype=np.int64)), asks, gives)


class _Rows:
    """As much of a scope as functions of people need."""

    def __init__(self, rows: int, group: npt.NDArray[np.int64]) -> None:
        self.rows, self.group = rows, group
