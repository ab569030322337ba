"""What large tables need: few rows read for a question about few days, and a bar that tells how long."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import pets
from pets.rows.scratch_db import SHARES, whole
from pets.rows.snapshot import Snapshot

DAY = pets.Date("2020-01-01", "2023-12-31", nullable=False)
MORE = {"id": pets.Identifier(), "later": DAY, "came": DAY, "load": pets.Integer(0, 3, nullable=False)}


def rows(many: int) -> pd.DataFrame:
    place = np.arange(many)
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta((place * 7919) % 1461, unit="D")
    return pd.DataFrame({"id": place % (many // 2), "came": days, "later": days[::-1], "load": place % 4})


def stored(folder: Path, many: int, arrival: str | None = None) -> tuple[Snapshot, pq.ParquetFile]:
    schema = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=2, arrival=arrival), MORE)})
    made = Snapshot.make(schema, "t", {"t": rows(many)}, folder=folder, progress=False)
    (part,) = (file for file in (folder / "t.parquet").iterdir() if not file.name.endswith("-people.parquet"))
    return made, pq.ParquetFile(part)


@pytest.mark.parametrize(("arrival", "by"), [(None, "came"), ("later", "later"), ("load", "load")])
def test_rows_of_one_rank_lie_in_the_order_of_their_times(tmp_path: Path, arrival: str | None, by: str) -> None:
    made, part = stored(tmp_path / "s", 4000, arrival)
    found = part.read().to_pandas()
    keys = list(zip(found["rank"], found[made.columns[by]], strict=True))
    assert keys == sorted(keys) and len(set(keys)) > 4


def test_a_question_about_a_month_reads_a_part_of_the_rows(tmp_path: Path) -> None:
    made, part = stored(tmp_path / "s", 1_500_000)
    place = part.schema_arrow.names.index(made.columns["came"])
    first = (dt.date(2022, 5, 1) - DAY.lo).days
    read = 0
    for group in range(part.num_row_groups):
        held = part.metadata.row_group(group)
        values = held.column(place).statistics
        read += held.num_rows * (values.min <= first + 30 and values.max >= first)
    assert 0 < read <= part.metadata.num_rows / 4


def test_the_bar_goes_on_from_nothing_to_the_end() -> None:
    assert sum(share for _, share in SHARES) == 100
    steps = [(f"{doing} …", percent) for doing, _ in SHARES for percent in (-1, 0, 50, 100)]
    moved = [whole(doing, percent) for doing, percent in steps]
    assert moved == sorted(moved) and moved[0] == 0 and moved[-1] == 100
    assert whole("sweeping", 50) == 0


def test_what_was_cut_off_is_said_to_begin_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "s"
    schema = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=2), MORE)})
    for left in (False, True, False):
        if left:
            (folder / ".pets-killed").mkdir(mode=0o700)
        Snapshot.make(schema, "t", {"t": rows(40)}, folder=folder)
        assert ("cut off before its end; nothing of it is used" in capsys.readouterr().err) == left
    assert not list(folder.glob(".pets-*"))
