"""Columns of a person table on Spark: those of one row of each person, the same whatever the rank key of today is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import pets
from pets.rows.snapshot import Snapshot
from tests.unit.rows.spark.test_making import frame

pytest.importorskip("pyspark", reason="the spark extra")

MANY = 60
SCHEMA = pets.Schema(
    {
        "t": pets.Table(
            pets.Unit("id", max_rows=2), {"id": pets.Identifier(), "n": pets.Integer(0, MANY)}, "p", people=100
        ),
        "p": pets.Table(pets.Unit("who"), {"who": pets.Identifier(), "sex": pets.Category(["f", "m"])}, people=100),
    }
)
TABLES = {  # everybody has one row in t, by which they are told apart, and in p two that disagree
    "t": pa.table({"id": [f"p{n}" for n in range(MANY)], "n": list(range(MANY))}),
    "p": pa.table({"who": [f"p{n}" for n in range(MANY)] * 2, "sex": ["f"] * MANY + ["m"] * MANY}),
}


def made(key: int, folder: Path | None = None) -> dict[str, Snapshot]:
    """Both tables under a key: on Spark where there is a folder, else by DuckDB."""
    on: dict[str, Any] = {"folder": folder, "engine": "duckdb" if folder is None else "spark", "progress": False}
    given = TABLES if folder is None else {name: frame(table) for name, table in TABLES.items()}
    return Snapshot.make_all(SCHEMA, ("t", "p"), given, key=key, **on)


def attached(one: dict[str, Snapshot]) -> list[tuple[int, int]]:
    """Who has which sex in the table of events."""
    n, sex = one["t"].columns["n"], one["t"].columns["sex"]
    return sorted((line[n], line[sex]) for line in one["t"].arrow().to_pylist())


def own(one: dict[str, Snapshot]) -> list[tuple[int, int]]:
    """The same, of the row that counts in the person table's own questions."""
    counts = {line["person"]: line[one["p"].columns["sex"]] for line in one["p"].arrow().to_pylist()}
    return sorted((line[one["t"].columns["n"]], counts[line["person"]]) for line in one["t"].arrow().to_pylist())


def test_which_of_a_persons_rows_is_attached_hangs_on_no_key(tmp_path: Path) -> None:
    """Else a person table and a table that is made later would count two people in one."""
    one, two, other = made(1, tmp_path / "one"), made(2, tmp_path / "two"), made(3)
    assert Counter(sex for _, sex in attached(other)).keys() == {0, 1}, "by the key, both rows have their chance"
    assert attached(one) == attached(two) == attached(other) == own(one) == own(two) == own(other)


def test_one_row_of_a_person_is_attached(tmp_path: Path) -> None:
    assert Counter(n for n, _ in attached(made(1, tmp_path / "s"))) == dict.fromkeys(range(MANY), 1)
