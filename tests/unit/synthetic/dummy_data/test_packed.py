"""Packed tables: what is held takes a third, and whoever asks gets what was there."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import pets
from pets.synthetic.dummy_data import files
from pets.synthetic.dummy_data.digest import rows_digest
from pets.synthetic.dummy_data.packed import MOST, Tables, joined, packed, plain

ROWS = pa.table({
    "id": [f"p{row}" for row in range(400)],
    "sex": pa.array(["F", None, "M", "F"] * 100),
    "none": pa.nulls(400, pa.string()),
    "n": list(range(400)),
})  # fmt: skip


def kinds(table: pa.Table) -> list[str]:
    return [str(kind) for kind in table.schema.types]


def test_texts_of_few_values_are_packed_and_come_back() -> None:
    held = packed(ROWS)
    short = "dictionary<values=string, indices=int16, ordered=0>"
    assert kinds(held) == ["string", short, short, "int64"] and held.nbytes < ROWS.nbytes
    assert plain(held).equals(ROWS) and plain(ROWS) is ROWS
    assert rows_digest(held) == rows_digest(ROWS)


def test_blocks_are_joined_whatever_each_of_them_held() -> None:
    many = pa.table({"a": [f"x{row}" for row in range(50)]})  # as many texts as rows: not packed by itself
    few = pa.table({"a": ["x1", None] * 50})
    whole = joined([packed(one) for one in (few, many, few)])
    assert kinds(whole) == ["dictionary<values=string, indices=int16, ordered=0>"]
    assert plain(whole).equals(pa.concat_tables([few, many, few]))
    huge = pa.table({"a": [f"x{row}" for row in range(MOST + 1)]})  # more than short numbers name
    whole = joined([packed(one) for one in (few, huge)])
    assert kinds(whole) == ["string"] and whole.equals(pa.concat_tables([few, huge]))
    empty = joined([packed(few.slice(0, 0)), packed(few)])
    assert plain(empty).equals(few)


def test_a_table_is_given_plain_and_files_are_as_of_plain_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = pets.dummy("nhs", people=60, seed=3)
    held = made.tables
    assert isinstance(held, Tables) and any("dictionary" in kind for kind in kinds(held.packed["apc"]))
    assert not any("dictionary" in kind for kind in kinds(made.tables["apc"]))
    assert made["apc"]["SEX"].dtype.name in ("object", "str", "string")
    for name, table in held.items():
        assert rows_digest(table) == rows_digest(held.packed[name])
    monkeypatch.setattr(files, "GROUP", 50)  # several groups of rows
    made.save(tmp_path, "parquet")
    for name, table in held.items():
        read = pq.read_table(tmp_path / f"{name}.parquet")
        assert read.drop_columns(["SYNTHETIC"]).replace_schema_metadata(None).equals(table)
        assert not any("dictionary" in kind for kind in kinds(read))
