"""DuckDB's own bytes differ between runs; its rows, in their order, are those of the other formats."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import pets
from pets.synthetic.dummy_data.digest import rows_digest
from pets.synthetic.dummy_data.manifest import MARKER


def test_rows_stand_in_the_same_order_in_every_format(tmp_path: Path) -> None:
    few, told = pets.dummy("nhs", people=300, seed=3), {}
    for format in ("csv", "parquet", "duckdb"):
        few.save(tmp_path / format, format)
        told[format] = json.loads((tmp_path / format / "manifest.json").read_text())["rows_sha256"]
    assert told["csv"] == told["parquet"] == told["duckdb"] and list(told["csv"]) == list(few)
    with duckdb.connect(str(next((tmp_path / "duckdb").glob("*.duckdb"))), read_only=True) as con:
        for name, digest in told["duckdb"].items():
            stored = con.sql(f"SELECT * EXCLUDE ({MARKER}) FROM {name}").to_arrow_table()
            assert rows_digest(stored) == digest, name
            read = pq.read_table(tmp_path / "parquet" / f"{name}.parquet").drop_columns([MARKER])
            assert rows_digest(read) == digest, name
            turned = stored.take(np.r_[1, 0, 2 : stored.num_rows])
            assert rows_digest(turned) != digest and rows_digest(stored.slice(1)) != digest, name


def test_parquet_of_one_seed_has_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        pets.dummy("nhs", people=60, seed=4).save(tmp_path / name, "parquet")
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "b").iterdir()) and "apc.parquet" in files
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)


def column(*values: object, type: pa.DataType | None = None) -> str:
    return rows_digest(pa.table({"a": pa.array(values, type)}))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (column("ab", "c"), column("a", "bc")),
        (column("", None), column(None, "")),
        (column("", "x"), column(None, "x")),
        (column(0, 1), column(None, 1)),
        (column(0.5, 1.0), column(0.5, 1.5)),
        (column(True, False), column(False, True)),
        (column("a"), rows_digest(pa.table({"b": ["a"]}))),
    ],
)
def test_another_value_or_place_is_another_digest(one: str, other: str) -> None:
    assert one != other


def test_how_arrow_holds_a_value_is_no_part_of_it() -> None:
    texts = ["x", None, "y", "x"]
    plain = column(*texts)
    assert plain == column(*texts, type=pa.large_string())
    assert plain == rows_digest(pa.table({"a": pa.array(texts).dictionary_encode()}))
    chunked = pa.chunked_array([["z", "x"], [None], ["y", "x"]])
    assert plain == rows_digest(pa.table({"a": chunked}).slice(1))
    assert column(1, None, 3) == column(1, None, 3, type=pa.int32())
    assert column(None, None, type=pa.null()) == column(None, None, type=pa.null())
