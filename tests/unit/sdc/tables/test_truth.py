"""Random tables whose true counts are known: what is said of a cell holds the truth, and no cell that passes is pinned.

A fortieth of the seeds in each run, all of them in ``make soak``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pets.protection.sdc import PRESETS
from pets.sdc.tables.checking import check
from pets.sdc.tables.findings import Verdict

RULES = ("acro_default", "hes", "ons_10_5", "midpoint6")
SEEDS = 400


def truth_of(seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Exact counts of people with their totals, and of some of these people."""
    chance = np.random.default_rng(seed)
    rows, columns = chance.integers(2, 5, 2)
    counts = chance.poisson(chance.choice([3, 8, 20]), (rows, columns))
    some = chance.binomial(counts, chance.choice([0.5, 0.95]))
    made = []
    for one in (counts, some):
        frame = pd.DataFrame(one, columns=[f"c{i}" for i in range(columns)])
        frame["Total"] = frame.sum(axis=1)
        frame.loc[len(frame)] = frame.sum()
        frame.insert(0, "r", [*(f"r{i}" for i in range(rows)), "Total"])
        made.append(frame)
    return made[0], made[1]


def shown(exact: pd.DataFrame, preset: str) -> pd.DataFrame:
    rule = PRESETS[preset].rule
    columns = {name: rule.shown(exact[name].to_numpy(dtype=np.int64)) for name in exact if name != "r"}
    return pd.DataFrame({"r": exact["r"], **{k: ["*" if n < 0 else n for n in v.tolist()] for k, v in columns.items()}})


def lies(seed: int, preset: str) -> list[str]:
    """What is said of the tables of a seed, and is not true."""
    exact = dict(zip(("all", "some"), truth_of(seed), strict=True))
    result = check(
        {name: shown(one, preset) for name, one in exact.items()}, preset=preset, people="nested", seconds=20
    )
    out = []
    for one in result.findings:
        if one.row is None or one.low is None:
            continue
        true = int(exact[one.table].drop(columns="r").iat[one.row, one.column])
        if true < one.low or (one.high is not None and true > one.high):
            out.append(f"{one.table} {one.cell} is {true}, not {one.low} to {one.high}")
        if one.verdict is Verdict.PASS and one.reason == "open" and one.high - one.low < result.width:  # type: ignore[operator]
            out.append(f"{one.table} {one.cell} passes, and leaves {one.low} to {one.high}")
    return out


@pytest.mark.parametrize("preset", RULES)
def test_what_is_said_is_true(preset: str) -> None:
    assert [lie for seed in range(SEEDS // 40) for lie in lies(seed, preset)] == []


@pytest.mark.soak
@pytest.mark.parametrize("preset", RULES)
def test_what_is_said_is_true_of_many(preset: str) -> None:
    assert [lie for seed in range(SEEDS) for lie in lies(seed, preset)] == []
