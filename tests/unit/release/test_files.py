"""Files as their names say, and the table for every kind of data frame."""

from __future__ import annotations

import json
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import pets
from pets import col
from pets.errors import MissingExtraError, UserError
from pets.release import views
from pets.release.files import WRITERS
from tests.hosts import named
from tests.sample_releases import ASKED, GUARANTEE, release

SAMPLE = ASKED.group_by("age", "ward").agg(n=pets.count(), mean=pets.mean("days"))


def cells(path: Path, sheet: int = 1) -> dict[str, str]:
    """What stands in each cell of an Excel sheet, as its XML says."""
    with zipfile.ZipFile(path) as book:
        texts = re.findall(r"<si><t[^>]*>(.*?)</t></si>", book.read("xl/sharedStrings.xml").decode(), re.DOTALL)
        rows = book.read(f"xl/worksheets/sheet{sheet}.xml").decode()
    assert "<f>" not in rows
    found = re.findall(r'<c r="([A-Z]+\d+)"(?: s="\d+")?( t="s")?(?: t="b")?><v>([^<]*)</v></c>', rows)
    return {place: texts[int(value)] if text else value for place, text, value in found}


@pytest.mark.parametrize("ending", list(WRITERS))
def test_a_file_is_what_its_name_says(ending: str, tmp_path: Path) -> None:
    sample = release(SAMPLE)
    path = sample.save(tmp_path / f"answer{ending.upper()}")
    content = path.read_bytes()
    begins = {
        ".json": b"{",
        ".html": b"<!doctype html>",
        ".csv": b"age,ward,n,",
        ".xlsx": b"PK\x03\x04",
        ".parquet": b"PAR1",
        ".png": b"\x89PNG",
        ".svg": b"<svg",
    }
    assert content.startswith(begins[ending])
    assert [file.name for file in tmp_path.iterdir()] == [path.name]  # nothing half-written beside it
    if ending in (".html", ".svg", ".csv"):
        assert named(content.decode()) == []


def test_the_sealed_form_is_as_it_was(tmp_path: Path) -> None:
    sample = release(SAMPLE)
    assert json.loads(sample.save(tmp_path / "a.json").read_bytes()) == json.loads(json.dumps(sample.to_json()))
    assert pets.Release.load(tmp_path / "a.json") == sample


@pytest.mark.parametrize("name", ["answer.xls", "answer.txt", "answer", ".json", "answer.json.gz"])
def test_another_ending_is_refused_with_what_there_is(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"must end in one of \.json, \.html, \.csv, \.xlsx, \.parquet, \.png, \.svg"):
        release(SAMPLE).save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(UserError, match="cannot be written"):
        release(SAMPLE).save(tmp_path / "a.csv")
    assert [file.name for file in tmp_path.iterdir()] == ["a.csv"]


def test_excel_holds_numbers_and_the_promise_and_no_formula(tmp_path: Path) -> None:
    evil = pets.Schema(
        {"t": pets.Table("row", {"who": pets.Category(["=1+1", "https://x.example", "12"], nullable=False)})}
    )
    dummy = pets.Session(evil, budget=pets.Budget(epsilon=1)).dummy(rows=50)
    answer = dummy.release(pets.query("t").group_by("who").agg(n=pets.count()), pets.Exact())
    found = cells(answer.save(tmp_path / "a.xlsx"))
    assert [found[place] for place in ("A1", "B1", "A2", "A3", "A4")] == ["who", "n", "=1+1", "https://x.example", "12"]
    assert [int(found[f"B{row}"]) for row in (2, 3, 4)] == answer.table["n"].tolist()
    assert "DUMMY DATA: invented rows" in cells(tmp_path / "a.xlsx", 2).values()
    with zipfile.ZipFile(tmp_path / "a.xlsx") as book:
        assert not [name for name in book.namelist() if "hyperlink" in name or name.endswith("sheet1.xml.rels")]
    sample = release(SAMPLE)
    found = cells(sample.save(tmp_path / "b.xlsx"))
    assert float(found["C2"]) == sample.table["n"][0]
    assert GUARANTEE in cells(tmp_path / "b.xlsx", 2).values()
    gap = sample.table["mean"].isna().to_numpy().nonzero()[0][0]
    assert f"F{gap + 2}" not in found  # not estimable: an empty cell


def test_every_kind_of_data_frame_has_the_table(tmp_path: Path) -> None:
    sample = release(SAMPLE)
    table = sample.table
    pd.testing.assert_frame_equal(pd.DataFrame(sample), table)
    pd.testing.assert_frame_equal(sample.to_pandas(), table)
    pd.testing.assert_frame_equal(sample.to_arrow().to_pandas(), table)
    pd.testing.assert_frame_equal(pa.table(sample).to_pandas(), table)
    assert pl.DataFrame(sample).equals(sample.to_polars())
    assert sample.to_polars()["n"].to_list() == table["n"].tolist()
    assert sample.to_arrow().schema.metadata[b"guarantee"].decode() == GUARANTEE
    read = pq.read_table(sample.save(tmp_path / "a.parquet"))
    pd.testing.assert_frame_equal(read.to_pandas(), table)
    assert read.schema.metadata[b"digest"].decode() == sample.digest
    csv = pd.read_csv(sample.save(tmp_path / "a.csv"))
    assert csv["n"].tolist() == table["n"].tolist()


def dated(*keys: Any, **domain: Any) -> pets.Release:
    day = pets.Date(domain.pop("lo", "2023-11-20"), domain.pop("hi", "2024-02-10"), **domain)
    schema = pets.Schema({"t": pets.Table("row", {"day": day, "sex": pets.Category(["F", "M"])})})
    dummy = pets.Session(schema, budget=pets.Budget(epsilon=1)).dummy(rows=400)
    return dummy.release(pets.query("t").group_by(*keys).agg(n=pets.count(), h=pets.count()), pets.Exact())


@pytest.mark.parametrize(
    ("unit", "days"),
    [
        ("month", ["2023-11-01", "2023-12-01", "2024-01-01", "2024-02-01"]),
        ("quarter", ["2023-10-01", "2024-01-01"]),
        ("year", ["2023-01-01", "2024-01-01"]),
    ],
)
def test_periods_are_times_in_tables_and_words_in_the_answer(unit: Any, days: list[str], tmp_path: Path) -> None:
    answer = dated(col("day").period(unit, "when"))
    found = answer.table["when"]
    assert found.dtype == np.dtype("datetime64[ns]")
    assert found.dropna().dt.strftime("%Y-%m-%d").tolist() == days
    assert found.isna().tolist() == [False] * len(days) + [True]  # the group without a day
    labels = answer.plan.layout.columns()["when"]
    assert labels[0] == {"month": "2023-11", "quarter": "2023-Q4", "year": "2023"}[unit]
    assert labels[0] in str(answer)
    assert labels[0] in answer._repr_html_()
    assert list(views.frame(answer, times=False)["when"]) == labels
    assert (answer.save(tmp_path / "a.csv")).read_text().splitlines()[1].startswith(f"{labels[0]},")
    pd.testing.assert_series_equal(answer.total("n", by="when")["when"], found)
    assert cells(answer.save(tmp_path / "a.xlsx"))[f"A{len(days) + 2}"] == "missing"


def test_days_are_times_in_every_view() -> None:
    answer = dated("day", "sex", nullable=False)
    assert answer.table["day"].dtype == answer.view(whole=True)["day"].dtype == np.dtype("datetime64[ns]")
    assert answer.table["day"].iloc[[0, -1]].dt.strftime("%Y-%m-%d").tolist() == ["2023-11-20", "2024-02-10"]
    total = answer.total("n", by=["sex"])
    assert total["sex"].tolist() == ["F", "M", "missing"]
    by_day = answer.total("n", by="day")
    assert by_day["n"].tolist() == answer.table.groupby("day")["n"].sum().tolist()
    assert by_day["day"].tolist() == sorted(set(answer.table["day"]))


def test_days_beyond_pandas_usual_unit_are_kept() -> None:
    found = dated("day", lo="1500-01-01", hi="1500-01-03", nullable=False).table["day"]
    assert found.dtype == np.dtype("datetime64[s]")
    assert [str(day) for day in found.dt.date] == ["1500-01-01", "1500-01-02", "1500-01-03"]


def test_a_histogram_by_day_keeps_its_keys() -> None:
    sample = release(ASKED.group_by("sex").agg(bins=pets.histogram("days")))
    assert sample.histogram("bins")["sex"].tolist() == ["F"] * 14 + ["M"] * 14


@pytest.mark.parametrize(("module", "ending"), [("xlsxwriter", ".xlsx"), ("vl_convert", ".png"), ("altair", ".svg")])
def test_a_missing_extra_is_named_before_anything_is_written(
    module: str, ending: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match="pip install"):
        release(SAMPLE).save(tmp_path / f"a{ending}")
    assert not list(tmp_path.iterdir())
