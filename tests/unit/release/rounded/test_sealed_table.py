"""Rounded tables as they are sealed: what they show, what they save, and that an edit shows."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pets
from pets import col
from pets.errors import UserError
from pets.release.rounded.reviewed_table import table_of
from pets.release.rounded.rounded_table import ProtectedGrid, RoundedTable
from pets.release.rounded.sealed_table import NONE
from tests.grids import GRID, HES, T, opened


@pytest.fixture(scope="module")
def session() -> pets.Session:
    return opened()


@pytest.fixture(scope="module")
def grid(session: pets.Session) -> ProtectedGrid:
    return session.name_grid(GRID, HES)


@pytest.fixture(scope="module")
def table(session: pets.Session, grid: ProtectedGrid) -> RoundedTable:
    query = T.group_by("region").agg(n=pets.count(), old=pets.rate(col("age") >= 65))
    return session.release(query, HES)


def test_a_sealed_table_holds_no_exact_count(grid: ProtectedGrid, table: RoundedTable) -> None:
    shown = grid.form["shown"]
    assert {number % 5 for number in shown if number >= 0} == {0} and -1 in shown and 0 in shown
    assert not {*range(1, 8)} & {*shown}
    (counts,), (above, below) = table.form["counts"]
    assert counts == below and above != below
    assert {*table.form} == {*RoundedTable.COMMON, *RoundedTable.PARTS}


def test_a_table_shows_numbers_their_ends_and_stars(grid: ProtectedGrid, table: RoundedTable) -> None:
    cells, shown = grid.table, table.table
    assert list(shown) == ["region", "n", "n_low", "n_high", "old", "old_low", "old_high"]
    hidden = cells[cells["n"].isna()]
    assert len(hidden) and {*hidden["n_low"]} == {1} and {*hidden["n_high"]} == {7}
    assert str(shown["n"].dtype) == "Int64"
    text = repr(grid)
    assert "* [1, 7]" in text and "10 [8, 12]" in text and "1 to 7 hidden, others to the nearest 5" in text
    assert grid.guarantee in text and "No differential privacy, and no ε" in grid.guarantee
    assert "* [1, 7]" in grid._repr_html_() and "<script" not in grid._repr_html_()
    assert table.mask["n"].any() and list(table.mask) == ["region", "n", "old"]


def test_a_star_stands_where_only_hidden_cells_have_people(session: pets.Session, grid: ProtectedGrid) -> None:
    cells = grid.table
    for keys, part in cells.groupby(["sex", "region"]):
        asked = T.where((col("sex") == keys[0]) & _region(keys[1])).agg(n=pets.count())
        (row,) = session.release(asked, HES).table.to_dict("records")
        seen, hidden = part["n"].dropna().sum(), int(part["n"].isna().sum())
        assert pd.isna(row["n"]) == (hidden > 0 and seen == 0)
        assert pd.isna(row["n"]) or row["n"] == seen + 4 * hidden
        assert (row["n_low"], row["n_high"]) == (part["n_low"].sum(), part["n_high"].sum())


def _region(name: str) -> Any:
    return col("region").is_null() if name == "missing" else col("region") == name


def test_there_and_back(table: RoundedTable, grid: ProtectedGrid, tmp_path: Path) -> None:
    for one, kind in ((table, RoundedTable), (grid, ProtectedGrid)):
        back = kind.load(one.save(tmp_path / "one.json"))
        assert back == one and back.certificate == one.certificate and hash(back) == hash(one)
        assert pickle.loads(pickle.dumps(one)) == one
        pd.testing.assert_frame_equal(back.table, one.table)
        assert table_of(json.loads((tmp_path / "one.json").read_bytes())) == one
        assert len(pd.read_csv(one.save(tmp_path / "one.csv"))) == one.plan.groups


@pytest.mark.parametrize(
    "change",
    [
        {"pets": "release"},
        {"version": 2},
        {"more": 1},
        {"plan": "0" * 64},
        {"dataset": "other"},
        {"rule": {"threshold": 7}},
        {"notes": ["edited"]},
    ],
    ids=str,
)
def test_what_was_edited_is_refused(change: dict[str, Any], table: RoundedTable, grid: ProtectedGrid) -> None:
    for one in (table, grid):
        with pytest.raises(UserError, match=NONE):
            type(one).sealed(one.to_json() | change)


def test_numbers_that_no_rule_shows_are_refused(table: RoundedTable, grid: ProtectedGrid) -> None:
    unsigned = {name: part for name, part in grid.form.items() if name != "certificate"}
    for number in (3, 7, -2, 5):  # 5 is a multiple of the base, and no count is shown so
        with pytest.raises(UserError, match=NONE):
            ProtectedGrid.sealed(unsigned | {"shown": [number, *grid.form["shown"][1:]]})
    counts = table.form["counts"]
    for wrong in ([], counts[:1], [counts[0], counts[0]], [[{"shown": [1]}], counts[1]]):
        with pytest.raises(UserError, match=NONE):
            RoundedTable.sealed(table.form | {"counts": wrong})


def test_where_files_cannot_be(table: RoundedTable, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a .json or .csv file"):
        table.save(tmp_path / "one.png")
    with pytest.raises(UserError, match="cannot be written"):
        table.save(tmp_path / "none" / "one.json")
    with pytest.raises(UserError, match="cannot be read"):
        RoundedTable.load(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("[", "utf-8")
    with pytest.raises(UserError, match=r"cannot be read from '.*bad\.json'; give a file such as 'answer\.json'"):
        RoundedTable.load(tmp_path / "bad.json")
    with pytest.raises(UserError, match=NONE):
        table_of([1])
