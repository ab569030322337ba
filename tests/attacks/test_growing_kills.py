"""A delivery that is cut off at any step leaves the sealed snapshot of before, or the sealed one after it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pets.rows.snapshot import Snapshot
from tests.growing import Row, frame, grown, kept, schema, whole

ROOT = Path(__file__).parents[2]
BEFORE: list[list[Row]] = [[(f"p{i % 5}", "1", str(i % 4)) for i in range(12)]]
NEW: list[Row] = [(f"p{i % 8}", "2", str(i % 4)) for i in range(15)]


@pytest.mark.chance(0)  # in processes of its own: whenever they are killed, the same must hold
@pytest.mark.timeout(600)
def test_a_kill_at_any_step_leaves_the_state_before_or_after(tmp_path: Path) -> None:
    before = grown(schema(), BEFORE, tmp_path / "s")
    frame(NEW).to_csv(tmp_path / "new.csv", index=False)
    (tmp_path / "copies").mkdir(mode=0o700)
    command = [sys.executable, "-m", "tests.attacks.growing_killed", *map(str, (tmp_path / "s", tmp_path / "new.csv"))]
    done = subprocess.run(
        [*command, str(tmp_path / "copies")], cwd=ROOT, capture_output=True, text=True, check=True, timeout=580
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) > 10
    states = [one["rows"] for one in found]
    assert states == sorted(states) and set(states) == {len(BEFORE[0]), len(BEFORE[0]) + len(NEW)}
    at_once = whole(schema(), [*BEFORE, NEW], tmp_path / "w", tmp_path / "s")
    wanted = str(sorted(kept(at_once).items()))
    for one in found:
        assert (one["id"] == before.id) == (one["rows"] == len(BEFORE[0]))
        # begun again it ends as it would have; where it was done, the same rows are late
        done_before = one["rows"] > len(BEFORE[0])
        assert ("no later than the last" in one["again"]) if done_before else one["again"] == "added"
        assert one["after"] == at_once.report.rows_read and one["kept"] == wanted
        assert not one["scraps"], "what was left behind is swept away"
        assert done_before or not one["stray"], "and so are parts that no manifest lists"
    assert Snapshot.open(schema(), "t", tmp_path / "s").id == before.id
