"""Real rows: UCI Adult (30,162 people). A synthetic table at (ε = 1, δ = 1e-6), judged as the benchmark judges it."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from tests.extras import needs

needs("mbi", "sklearn")

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data" / "adult_raw" / "adult_complete_cases.csv"

pytestmark = pytest.mark.skipif(not DATA.exists(), reason="the Adult data is not on this machine")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The benchmark's own columns, bins, split and formulas."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("bench_synthetic")


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_a_private_table_keeps_pairs_and_can_be_learnt_from(bench: Any) -> None:
    train, held = (bench.coded(frame) for frame in bench.split(DATA))
    cases, _ = bench.with_pets(str(DATA), "tree")
    made = cases["make"]()
    assert abs(len(made) - len(train)) < 300  # the noisy number of rows
    assert bench.tvd2(train, made) <= 0.06
    assert bench.tstr(made, held) >= 0.77
    # no spurious nulls: a missing value would be one code beyond the last
    for name, values in bench.VALUES.items():
        assert int(made[name].max()) < len(values)
