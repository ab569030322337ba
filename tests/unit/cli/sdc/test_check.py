"""``pets sdc check`` and ``export`` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pets.cli.main import run
from pets.session.disclosure import solving
from tests import doors
from tests.checked_tables import searched_here
from tests.grids import GRID, HES, opened
from tests.unit.sdc.exports.tables import FAILING, PASSING, released
from tests.unit.sdc.exports.test_crate import FACTS


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    FAILING.to_csv("failing.csv", index=False)
    PASSING.to_csv("passing.csv", index=False)
    Path("crate.yaml").write_text("\n".join(f"{name}: {json.dumps(value)}" for name, value in vars(FACTS).items()))
    return tmp_path


def test_the_code_says_what_was_found(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sdc", "check", "failing.csv"]) == 31
    assert "fail  failing.csv, row 1: cell (North, F) is 3: 23 − 20" in capsys.readouterr().out
    assert run(["sdc", "check", "passing.csv", "--preset", "hes"]) == 0
    assert capsys.readouterr().out.startswith("PASS: 2 pass")
    (tables / "odd.csv").write_text("r,n\na,*\nb,50\nTotal,20\n")
    assert run(["sdc", "check", "odd.csv"]) == 30


def test_it_writes_a_page_a_folder_for_the_viewer_and_a_crate(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["sdc", "check", "passing.csv", "--preset", "hes", "--out", "page.html", "--acro", "outputs"]
    assert run([*line, "--crate", "crate.zip", "--facts", "crate.yaml"]) == 0
    assert "✓" in (tables / "page.html").read_text() and (tables / "crate.zip").stat().st_size > 500
    assert json.loads((tables / "outputs" / "results.json").read_text())["results"]["output_0"]["status"] == "pass"
    assert run([*line, "--crate", "crate.zip"]) == 2
    assert "--facts crate.yaml" in capsys.readouterr().err


def test_columns_are_named_where_they_are_not_recognised(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tables / "years.csv").write_text("2019,code,admitted\n7,A,20\n9,B,*\n3,Total,24\n")
    assert run(["sdc", "check", "years.csv", "--keys", "code", "--counts", "admitted"]) == 31
    assert "cell (B) is 4: 24 − 20" in capsys.readouterr().out
    assert run(["sdc", "check", "years.csv", "--counts", "admited"]) == 5
    assert "did you mean 'admitted'" in capsys.readouterr().err


def test_a_release_is_exported_for_review(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    released().save(tables / "answer.json")
    assert run(["sdc", "export", "answer.json"]) == 2 and "--acro FOLDER" in capsys.readouterr().err
    assert run(["sdc", "export", "answer.json", "--acro", "out"]) == 0
    assert json.loads((tables / "out" / "results.json").read_text())["results"]["output_0"]["status"] == "review"


def test_a_table_of_disclosure_control_is_exported_as_it_is_shown(
    tables: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = opened()
    grid = session.name_grid(GRID, HES)
    grid.save(tables / "grid.json")
    assert run(["sdc", "export", "grid.json", "--acro", "out"]) == 0
    (record,) = json.loads((tables / "out" / "results.json").read_text())["results"].values()
    assert record["properties"] == {"method": "crosstab", "mitigation": "round", "round_base": 5}
    assert record["status"] == "review" and record["summary"] == f"review: {grid.guarantee}"
    lines = (tables / "out" / "output_0_0.csv").read_text().splitlines()[1:]
    assert any(",*,1,7" in line for line in lines) and len(lines) == len(grid.table)
    (tables / "grid.json").write_text("{}")
    assert run(["sdc", "export", "grid.json", "--acro", "new"]) == 2 and "pets: " in capsys.readouterr().err


def test_a_table_outside_the_grid_is_exported_too(tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solving, "_replies", searched_here)
    custodian, query = doors.kept(), doors.days(0, 1)
    doors.let_out(custodian, query)
    table = custodian.session(analyst="ann").release(query, doors.HES)
    table.save(tables / "outside.json")
    flags = ["--acro", "out", "--crate", "out.zip", "--facts", "crate.yaml"]
    assert run(["sdc", "export", "outside.json", *flags]) == 0 and (tables / "out.zip").exists()
    (record,) = json.loads((tables / "out" / "results.json").read_text())["results"].values()
    assert record["properties"] == {"method": "crosstab", "mitigation": "round", "round_base": 5}
    assert record["status"] == "review" and record["summary"] == f"review: {table.guarantee}"
    assert (tables / "out" / "output_0_0.csv").read_text().splitlines()[1].startswith("everybody,10,8,12")
