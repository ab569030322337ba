"""Bins of a code: where each begins, on both engines, however many codes there are."""

from __future__ import annotations

import ibis
import numpy as np
import pytest

from pets.rows.engine.slots import bins
from tests.duckdbs import connect

EVEN = [(1, 1), (7, 7), (1000, 7), (100_001, 512), (2**33, 1000), (2**40 + 3, 4095), (2**52 - 3, 3), (2**62 - 1, 999)]
BREAKS = {f"{count:,} of {cells:,}": tuple(cells * i // count for i in range(count + 1)) for cells, count in EVEN}
BREAKS |= {"uneven": (0, 1, 50, 399, 401), "from a code on": (3, 6, 9), "with empty ones": (2, 2, 5, 5, 5, 9, 9)}


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
@pytest.mark.parametrize("breaks", BREAKS.values(), ids=BREAKS)
def test_a_code_lies_in_the_bin_that_begins_at_or_before_it(breaks: tuple[int, ...], engine: str) -> None:
    near = np.unique([end + step for end in breaks for step in (-1, 0, 1)])
    codes = near[(near >= breaks[0]) & (near < breaks[-1])]
    backend = ibis.duckdb.from_connection(connect()) if engine == "duckdb" else ibis.polars.connect()
    table = backend.create_table(
        "t", ibis.memtable({"code": codes.astype(np.uint64 if engine == "duckdb" else np.int64)})
    )
    found = backend.to_pyarrow(table.select("code", bin=bins(table["code"], breaks)))
    wanted = np.searchsorted(np.array(breaks), found["code"].to_numpy().astype(np.int64), side="right") - 1
    assert found["bin"].to_pylist() == wanted.tolist()
