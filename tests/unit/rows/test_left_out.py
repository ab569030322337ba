"""Whoever opens data of which rows are left out for want of a value is told so at once, and no analyst ever is."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pets
from pets.cli.main import run
from pets.errors import LeftOutWarning
from pets.federated.deployment.notices import Notices
from pets.federated.deployment.serving import note_left_out
from pets.federated.deployment.site_folder import SiteFolder
from pets.rows.report import Report
from pets.schema.schema import Category, Identifier, Integer, Schema, Table, Unit
from pets.session.session import Session

BUDGET = pets.Budget(epsilon=1, delta=1e-6)
# As in the Diabetes 130-US hospitals data: "None" is a value (no test was made), and pandas reads it as no value.
TEXT = "id,a1c,glu\n" + "".join(
    f"p{n},{'None' if n % 50 else '>7'},{'None' if n % 25 else 'Norm'}\n" for n in range(1, 1201)
)
RESULTS = ["None", "Norm", ">7"]


def schema(nullable: str = "false") -> str:
    column = f"{{type: category, values: [None, Norm, '>7'], nullable: {nullable}}}"
    columns = f"{{id: identifier, a1c: {column}, glu: {column}}}"
    return f"dataset: d\ntables:\n  stays:\n    unit: {{column: id, max_rows: 2}}\n    columns: {columns}\n"


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Schema:
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(schema(), "utf-8")
    Path("stays.csv").write_text(TEXT, "utf-8")
    pd.read_csv("stays.csv").to_csv("lossy.csv", index=False)
    return Schema.load("s.yaml")


TOLD = (
    r"table 'stays': 1,176 of 1,200 rows \(98\.0 %\) are left out of every answer, since columns that the schema "
    r"declares nullable: false have no value there \('a1c' in 1,176, 'glu' in 1,152\); declare nullable: true .*"
    r"keep_default_na=False or give its path; then make stored snapshots anew"
)


def opened(known: Schema, data: Any, **more: Any) -> Session:
    return Session(known, data, budget=BUDGET, progress=False, **more)


@pytest.mark.parametrize("engine", ["duckdb", "polars"])  # and Spark: tests/unit/session/test_on_spark.py
def test_whoever_opens_the_data_is_warned_and_each_remedy_works(known: Schema, engine: str) -> None:
    with pytest.warns(LeftOutWarning, match=f"^{TOLD}$") as told:
        session = opened(known, pd.read_csv("stays.csv"), engine=engine)
    assert [one.filename for one in told] == [__file__] and session.report().rows_kept == 24
    Path("nullable.yaml").write_text(schema("true"), "utf-8")
    with warnings.catch_warnings(action="error", category=LeftOutWarning):
        kept = opened(known, pd.read_csv("stays.csv", keep_default_na=False)).report().rows_kept
        assert kept == opened(known, "stays.csv").report().rows_kept == 1200
        assert opened(Schema.load("nullable.yaml"), pd.read_csv("stays.csv")).report().rows_kept == 1200


def test_stored_snapshots_a_refresh_and_a_custodian_warn_alike(known: Schema) -> None:
    with pytest.warns(LeftOutWarning, match=TOLD):
        opened(known, "lossy.csv", snapshots="ready")
    with pytest.warns(LeftOutWarning, match=TOLD) as told:
        custodian = pets.Custodian(known, None, budget=BUDGET, snapshots="ready", progress=False)
    assert [one.filename for one in told] == [__file__]
    (said,) = custodian.check()
    assert re.fullmatch(f"! {TOLD}", said)
    session = opened(known, "stays.csv")
    Path("lossy.csv").rename("stays.csv")
    with pytest.warns(LeftOutWarning, match=TOLD) as told:
        session.refresh()
    assert [one.filename for one in told] == [__file__]


def test_no_analyst_is_told(known: Schema) -> None:
    with pytest.warns(LeftOutWarning):
        custodian = pets.Custodian(known, "lossy.csv", budget=BUDGET, progress=False)
    with warnings.catch_warnings(action="error", category=LeftOutWarning):
        session = custodian.session(analyst="ann")
        asked = pets.query("stays").group_by("a1c").agg(n=pets.count())
        shown = [repr(session), str(session.quote(asked, pets.DP(epsilon=0.5))), str(asked.explain(known))]
        shown.append(str(session.release(asked, pets.DP(epsilon=0.5))))
        session.dummy()
    assert not any("left out of every answer" in text or "1,176" in text for text in shown)
    (lost,) = custodian.custody.left_out
    assert not re.search(r"\d", repr(lost)), "a repr ends up in logs"
    assert not re.search(r"\d", lost.noted.replace("'a1c'", "")) and "'glu'; pets profile counts them" in lost.noted


ROW = {"a": Category(["x"], nullable=False), "b": Category(["x"], nullable=False)}


def frame(rows: int, **empty: range) -> pd.DataFrame:
    return pd.DataFrame({name: [None if n in empty.get(name, ()) else "x" for n in range(rows)] for name in ROW})


@pytest.mark.parametrize(
    ("data", "lacks"),
    [
        (frame(300, a=range(3)), None),
        (frame(300, a=range(4)), {"a": 4}),
        (frame(300, a=range(2), b=range(10, 13)), {"b": 3, "a": 2}),  # neither column alone
        (frame(300, a=range(3), b=range(3)), None),  # the same rows
        (frame(0), None),
        (frame(1, a=range(1)), {"a": 1}),
    ],
)
def test_more_than_one_row_in_a_hundred_is_loud(data: pd.DataFrame, lacks: dict[str, int] | None) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        session = opened(Schema({"t": Table("row", ROW)}), data)  # type: ignore[arg-type]
    found = session.custody.left_out
    assert [str(one.message) for one in told] == [str(one) for one in found]
    assert [list(one.columns.items()) for one in found] == ([] if lacks is None else [list(lacks.items())])


def test_a_table_is_not_blamed_for_its_person_table() -> None:
    tables = {
        "stays": Table(Unit("id"), {"id": Identifier(), "a": ROW["a"]}, person_table="people"),
        "people": Table(Unit("id"), {"id": Identifier(), "b": ROW["b"]}),
    }
    ids = [f"p{n}" for n in range(9)]
    stays = pd.DataFrame({"id": ids, "a": ["x"] * 9})
    people = pd.DataFrame({"id": ids, "b": [None, *["x"] * 8]})
    with pytest.warns(LeftOutWarning, match=r"^table 'people': 1 of 9 rows \(11\.1 %\) .*\('b' in 1\)") as told:
        opened(Schema(tables), {"stays": stays, "people": people})
    assert len(told) == 1


def test_rows_that_are_added_are_looked_at_alone(tmp_path: Path) -> None:
    unit = pets.Unit("id", max_rows=2, arrival="day")
    columns = {"id": Identifier(), "day": Integer(0, 99, nullable=False), "a": ROW["a"]}
    known = Schema({"t": Table(unit, columns)})
    days = pd.DataFrame({"id": [f"p{n}" for n in range(900)], "day": 1, "a": "x"})
    session = opened(known, days, snapshots=tmp_path / "s")
    with pytest.warns(LeftOutWarning, match=r"^of the rows that were added, table 't': 2 of 4 rows .*'a' in 2") as told:
        session.append(pd.DataFrame({"id": list("abcd"), "day": 2, "a": ["x", "x", None, None]}))
    assert [one.filename for one in told] == [__file__] and session.custody.left_out == ()
    with warnings.catch_warnings(action="error", category=LeftOutWarning):
        session.append(pd.DataFrame({"id": ["e"], "day": 3, "a": ["x"]}))


def test_reports_of_a_kind_are_all_that_decides() -> None:
    """Not what lacks a person, for which no declaration is to blame."""
    known = Schema({"t": Table(Unit("id"), {"id": Identifier(), "a": ROW["a"]})})
    session = opened(known, pd.DataFrame({"id": [None] * 9 + ["p"], "a": [None] * 9 + ["x"]}))
    report: Report = session.report()
    assert (report.rows_without_person, report.rows_dropped, session.custody.left_out) == (9, 0, ())


def test_the_commands_tell_the_custodian_on_standard_error(known: Schema, capsys: pytest.CaptureFixture[str]) -> None:
    ask = "query --count stays --epsilon 0.5"
    for command in ("profile", "snapshot --out ready", ask, "demo --out demo"):
        for name, times in (("lossy", 1), ("stays", 0)):
            assert run([*command.split(), "--schema", "s.yaml", "--data", f"{name}.csv"]) == 0
            said = capsys.readouterr()
            assert len(re.findall(f"(?m)^pets: WARNING: {TOLD}$", said.err)) == times, (command, name, said.err)
            assert "are left out of every answer" not in said.out
    run(["snapshot", "--out", "ready", "--schema", "s.yaml", "--data", "lossy.csv"])
    capsys.readouterr()
    assert run([*ask.split(), "--schema", "s.yaml", "--snapshots", "ready"]) == 0
    assert len(re.findall(f"(?m)^pets: WARNING: {TOLD}$", capsys.readouterr().err)) == 1


def test_a_site_tells_its_custodian(known: Schema, capsys: pytest.CaptureFixture[str]) -> None:
    made = ["--schema", "s.yaml", "--data", "lossy.csv", "--budget-epsilon", "1"]
    assert run(["site", "init", "north", *made]) == 0
    assert len(re.findall(f"(?m)^pets: WARNING: {TOLD}$", capsys.readouterr().err)) == 1
    assert run(["site", "status", "north"]) == 0
    said = capsys.readouterr()
    assert len(re.findall(f"(?m)^WARNING: {TOLD}$", said.out)) == 1 and said.err == ""
    lines: list[str] = []
    notices = Notices(Path("north"), lines.append)
    note_left_out(SiteFolder(Path("north")).site, notices)
    (line,) = lines
    assert "WARNING: table 'stays': too many rows are left out" in line, "it can be read out on the telephone"
    assert not re.search(r"1,1\d\d|98", line)
