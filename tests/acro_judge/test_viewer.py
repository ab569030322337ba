"""SACRO-Viewer itself, in its own environment, opens our exports: checksums, marked cells, and what a review lets out.

``make soak`` makes that environment in ``build/viewer`` (``PETS_VIEWER_PYTHON`` names another one's Python).
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pets.sdc.exports.acro import export
from pets.sdc.tables.checking import check
from tests.unit.sdc.exports.tables import AT, FAILING, PASSING, released

pytestmark = [
    pytest.mark.soak,
    pytest.mark.chance(0),  # processes; the viewer draws nothing that is looked at
    pytest.mark.skipif("PETS_VIEWER_PYTHON" not in os.environ, reason="PETS_VIEWER_PYTHON names no SACRO-Viewer"),
]
HERE = Path(__file__).parent


def seen(folder: Path, out: Path) -> dict[str, Any]:
    """What the viewer shows of a folder, and what it lets out of it."""
    command = [os.environ["PETS_VIEWER_PYTHON"], str(HERE / "viewer.py"), str(out), str(folder)]
    subprocess.run(command, check=True, timeout=600, cwd=out.parent, env={**os.environ, "HOME": str(out.parent)})
    found: dict[str, Any] = json.loads(out.read_text("utf-8"))
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = [check({"failing.csv": FAILING}), check({"passing.csv": PASSING}, preset="hes"), released()]
    return export(made, tmp_path / "outputs", at=AT)


def test_the_viewer_opens_an_export_and_marks_its_cells(folder: Path, tmp_path: Path) -> None:
    found = seen(folder, tmp_path / "seen.json")
    assert found["code"] == 200
    first, second, third = found["shown"].values()
    assert [one["status"] for one in (first, second, third)] == ["fail", "pass", "review"]
    for uid, one in found["shown"].items():
        (name,) = one["files"]
        assert one["named"] and name == f"{uid}_0.csv" and one["files"][name]["checksum_valid"]
        assert one["files"][name]["bytes"] == (folder / name).stat().st_size
    marked = {"1,0": ["MinimumThresholdCheck"], "0,0": ["PresenceOfLinkedTableCheck"]}
    assert first["files"]["output_0_0.csv"]["cell_index"] == marked
    assert second["files"]["output_1_0.csv"]["cell_index"] == third["files"]["output_2_0.csv"]["cell_index"] == {}
    assert found["left"] == ["output_1_0.csv", "results.json", "summary.txt"]  # what passed, and no other table


def test_a_file_that_was_changed_since_is_unverified_there(folder: Path, tmp_path: Path) -> None:
    (folder / "output_1_0.csv").write_text("region,n\nNorth,3\n", "utf-8")
    found = seen(folder, tmp_path / "seen.json")["shown"]
    valid = [one["checksum_valid"] for output in found.values() for one in output["files"].values()]
    assert valid == [True, False, True]
