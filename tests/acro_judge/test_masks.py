"""acro, an outside judge in its own environment, and pets mark the same cells; what acro leaves to people is found.

``masks.json`` is what ``judge.py`` wrote. ``make soak`` makes that environment in ``build/acro`` and asks acro again
(``PETS_ACRO_PYTHON`` names another one's Python).
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pets.sdc.exports.acro import export
from pets.sdc.tables.checking import check
from pets.sdc.tables.files import of_text
from pets.sdc.tables.findings import Verdict
from tests.acro_judge.tables import GROUPS, REGIONS, TABLES, rows

HERE = Path(__file__).parent
JUDGE: dict[str, Any] = json.loads((HERE / "masks.json").read_text("utf-8"))
REASONS = {"threshold": ("small", "zero", "few"), "nk": ("dominance",), "p": ("p_percent",)}


def ours(seed: int) -> dict[str, list[list[int]]]:
    """Our masks of a table, found as in any table of others: from its counts, sums and greatest contributions."""
    people = pd.DataFrame(rows(seed), columns=["region", "group", "amount"])
    cells = people.groupby(["region", "group"])["amount"]
    every = pd.MultiIndex.from_product([REGIONS, GROUPS], names=["region", "group"])
    table = pd.DataFrame(
        {
            "n": cells.size(),
            "sum": cells.sum(),
            "x1": cells.max(),
            "x2": cells.apply(lambda one: sorted([*one, 0])[-2]),
        }
    )
    found = check(table.reindex(every, fill_value=0).reset_index(), preset="acro_default", counts=["n"]).findings
    size = len(GROUPS)
    return {
        name: sorted({divmod(one.row, size) for one in found if one.reason in reasons and one.row is not None})
        for name, reasons in REASONS.items()
    }  # type: ignore[return-value]


def disagreements(theirs: list[dict[str, list[list[int]]]], seeds: range) -> list[str]:
    """The tables and checks of which the two say something else."""
    out = []
    for seed in seeds:
        mine = ours(seed)
        out += [f"{seed}: {name}" for name in mine if [list(one) for one in mine[name]] != theirs[seed][name]]
    return out


def test_the_masks_of_two_hundred_tables_are_acros() -> None:
    assert len(JUDGE["masks"]) == TABLES == 200
    assert disagreements(JUDGE["masks"], range(TABLES)) == []
    found = {name: sum(len(one[name]) for one in JUDGE["masks"]) for name in REASONS}
    assert all(400 < number < 2_400 for number in found.values()), found  # none is of all cells, or of few


def test_a_mask_that_differs_in_one_cell_is_found() -> None:
    other = json.loads(json.dumps(JUDGE["masks"]))
    other[1]["nk"] = other[1]["nk"][1:]
    assert disagreements(other, range(2)) == ["1: nk"]


def test_the_two_calls_that_acro_lets_pass_are_caught_here() -> None:
    first, second = (JUDGE["two_calls"][name] for name in ("code", "sex"))
    assert second["status"] in ("pass", "review") and "manual review" in second["summary"]
    tables = {name: of_text(one["csv"], name) for name, one in (("by code", first), ("by sex", second))}
    assert all(check(one).verdict is not Verdict.FAIL for one in tables.values())
    both = check(tables)
    assert both.verdict is Verdict.FAIL
    assert "cell (E, a) is 1: 386 − 185 − 200" in [one.derivation for one in both.failed]


AGAIN = pytest.mark.skipif(
    "PETS_ACRO_PYTHON" not in os.environ, reason="PETS_ACRO_PYTHON names no environment with acro"
)


def asked(*arguments: str) -> None:
    command = [os.environ["PETS_ACRO_PYTHON"], str(HERE / "judge.py"), *arguments]
    subprocess.run(command, check=True, timeout=1800)


@pytest.mark.soak
@pytest.mark.chance(0)  # processes; acro draws nothing
@AGAIN
def test_acros_own_loader_reads_an_export(tmp_path: Path) -> None:
    shown = pd.DataFrame({"region": ["North", "South"], "people": ["10", "25"]})
    failing = pd.DataFrame({"region": ["North", "South", "Total"], "people": ["*", "20", "23"]})
    export([check({"a": shown}, preset="hes"), check({"b": failing})], tmp_path / "out", at="2026-03-01T10:00:00+00:00")
    asked(str(tmp_path / "read.json"), "--load", str(tmp_path / "out"))
    read = json.loads((tmp_path / "read.json").read_text("utf-8"))
    assert read == {"output_0": ["pass", 2, 1, 1, "Frequencies"], "output_1": ["fail", 3, 1, 1, "Frequencies"]}


@pytest.mark.soak
@pytest.mark.chance(0)  # processes; acro draws nothing
@AGAIN
def test_acro_says_it_still(tmp_path: Path) -> None:
    out = tmp_path / "masks.json"
    asked(str(out))
    assert json.loads(out.read_text("utf-8"))["masks"] == JUDGE["masks"]
