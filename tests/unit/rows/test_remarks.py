"""The custodian is told where a column did not survive its reading, with a remedy that works; nobody else is told."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pets
from pets.cli.main import run
from pets.errors import DataError
from pets.rows.report import Report
from pets.rows.snapshot import Snapshot
from pets.schema.schema import Boolean, Category, Date, DateTime, Domain, Integer, Real, Schema, Table, Time
from pets.session.custody import Custody

DAYS = {"lo": "2020-01-01", "hi": "2022-12-31"}


def told(domain: Domain, values: list[Any], share: float = 0.05) -> tuple[str, ...]:
    schema = Schema({"t": Table("row", {"x": domain})})  # type: ignore[arg-type]
    made = Snapshot.make(schema, "t", {"t": pd.DataFrame({"x": pd.Series(values, dtype=object)})}, progress=False)
    stored = Report.from_json(made.report.to_json())
    assert stored == made.report and stored.remarks(share) == made.report.remarks(share)
    return made.report.remarks(share)


@pytest.mark.parametrize(
    ("domain", "values", "says", "mended"),
    [
        (Date(**DAYS), ["31/05/2021"], "100.0 % of its cells are no days .*format: dd/mm/yyyy",
         Date(**DAYS, format="dd/mm/yyyy")),
        (Date(**DAYS), ["2031-05-01"], "outside min and max, and have no value now: look the bounds up",
         Date("2020-01-01", "2032-12-31")),
        (DateTime("2020-01-01", "2020-12-31 23:59"), ["31/05/2020 10:30"], "are no date-times .*format: dd/mm/yyyy",
         DateTime("2020-01-01", "2020-12-31 23:59", format="dd/mm/yyyy hh:mm")),
        (Time(), ["0830"], "are no times of day.*format: hhmm", Time(format="hhmm")),
        (Time("08:00", "17:59"), ["18:30"], "outside min and max, and have no value now: look the bounds up", Time()),
        (Integer(0, 9), ["0.5"], "no whole numbers .* fractions need round: floor", Integer(0, 9, round="floor")),
        (Integer(0, 9), ["15"], "are the nearer bound now: look the bounds up", Integer(0, 20)),
        (Real(0, 9, 1), ["£5"], r"no numbers .* \(decimal, thousands, prefix, suffix\)", Real(0, 9, 1, prefix="£")),
        (Real(0, 9, 1), ["-3"], "are the nearer bound now", Real(0, 9, 1, null=["-3"])),
        (Category(["Male"]), [" m "], "not among values, .* trim: true, case: fold",
         Category(["Male"], trim=True, map={"m": "Male"})),
        (Boolean(), ["ja"], "neither yes nor no: declare a category", Category(["ja", "nein"])),
    ],
)  # fmt: skip
def test_each_remark_names_a_remedy_that_works(domain: Domain, values: list[Any], says: str, mended: Domain) -> None:
    (remark,) = told(domain, values)
    assert re.search(f"^! column 'x': .*{says}", remark)
    assert told(mended, values) == ()


def test_a_share_and_less_is_no_remark() -> None:
    values = ["1"] * 19 + ["x"]
    assert told(Integer(0, 9), values) == ()
    assert len(told(Integer(0, 9), values, 0.04)) == 1
    assert told(Integer(0, 9), [None, ""] * 10) == (), "what is empty was not misread"
    with pytest.raises(DataError, match="share must be a number from 0 to 1"):
        told(Integer(0, 9), values, 5)


SCHEMA = """
dataset: d
tables:
  t:
    unit: {column: id, max_rows: 2}
    columns: {id: identifier, x: {type: integer, min: 0, max: 9}}
"""
REMARK = "! column 'x': 100.0 % of its cells are no whole numbers"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "s.yaml").write_text(SCHEMA, "utf-8")
    (tmp_path / "bad.csv").write_text("id,x\n1,a\n2,b\n", "utf-8")
    (tmp_path / "good.csv").write_text("id,x\n1,3\n2,4\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_commands_tell_the_custodian(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("snapshot --out ready", "profile"):
        for name, times in (("bad", 1), ("good", 0)):
            assert run([*command.split(), "--schema", "s.yaml", "--data", f"{name}.csv"]) == 0
            assert capsys.readouterr().out.count(REMARK) == times
        assert run([*command.split(), "--schema", "s.yaml", "--data", "bad.csv", "--share", "1"]) == 0
        assert REMARK not in capsys.readouterr().out
    assert run(["demo", "--schema", "s.yaml", "--data", "bad.csv", "--out", "demo"]) == 0
    assert " ".join(capsys.readouterr().out.split()).count(REMARK) == 1


def test_a_file_for_the_owner_lies_beside_the_snapshot(files: Path) -> None:
    schema = Schema.load("s.yaml")
    for name in ("bad", "good"):
        session = pets.Session(schema, f"{name}.csv", budget=pets.Budget(epsilon=1, delta=1e-6), snapshots=files / name)
        page = files / name / "t.report.txt"
        assert page.read_text("utf-8") == f"{session.report()}\n"
        assert (REMARK in page.read_text("utf-8")) is (name == "bad")
        assert stat.S_IMODE(page.stat().st_mode) == 0o600


def test_a_session_says_no_remark_by_itself(
    files: Path, capsys: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    seen = []
    for name in ("bad", "good"):
        session = pets.Session(
            Schema.load("s.yaml"), f"{name}.csv", budget=pets.Budget(epsilon=1, delta=1e-6), progress=False
        )
        seen.append((repr(session), capsys.readouterr(), [str(warning.message) for warning in recwarn.list]))
        recwarn.clear()
    assert seen[0] == seen[1]
    assert "how the rows were read: session.report()" in seen[0][0]


def events(max_rows: int, tables: int = 2) -> Custody:
    unit = pets.Unit("id", max_rows=max_rows)
    columns = {"id": pets.Identifier(), "day": Integer(0, 99)}
    many = {f"t{number}": Table(unit, columns, person_table="people") for number in range(tables - 1)}
    people = {"people": Table(pets.Unit("id"), {"id": pets.Identifier(), "age": Integer(0, 99)})}
    rows = pd.DataFrame({"id": [1] * 10 + [2] * 10, "day": range(20)})
    data = dict.fromkeys(many, rows) | {"people": pd.DataFrame({"id": [1, 1, 1, 2], "age": [5, 6, 7, 8]})}
    budget = pets.Budget(epsilon=1, delta=1e-6)
    return pets.Session(Schema(many | people), data, budget=budget, progress=False).custody


def test_rows_that_no_question_sees_are_a_remark_on_linked_event_tables() -> None:
    (remark,) = events(4).remarks("t0", 0.05)
    assert remark.startswith("! table 't0': 60.0 % of its rows lie beyond max_rows (4), and no question sees them")
    assert events(10).remarks("t0", 0.05) == (), "the remedy"
    assert events(4).remarks("t0", 0.6) == ()
    assert events(4).remarks("people", 0.05) == (), "one row of a person is what a person table is for"
    with pytest.raises(DataError, match="share must be a number from 0 to 1"):
        events(4).remarks("t0", 5)
    alone = Schema({"t": Table(pets.Unit("id", max_rows=1), {"id": pets.Identifier(), "day": Integer(0, 99)})})
    rows = pd.DataFrame({"id": [1, 1], "day": [1, 2]})
    assert pets.Session(alone, rows, budget=pets.Budget(epsilon=1), progress=False).custody.remarks("t", 0.05) == ()
