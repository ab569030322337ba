"""Drivers and executors of Spark die at any moment: what is sealed is whole, and what is not sealed does not open.

In each run one driver dies with its Spark, whose logs are read for what they may not tell; ``make soak`` runs the rest.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pets.plan.plan import make_plan
from pets.rows.snapshot import Snapshot
from pets.rows.tabulate import tabulate
from tests.attacks.spark_cluster import CANARY, FLOAT, KEY, marked
from tests.attacks.spark_killed import RUNNING, digest, report
from tests.unit.rows.spark.test_making import ASKED, SCHEMA, on_duckdb

pytestmark = [
    pytest.mark.chance(0),  # in processes of their own: whenever they are killed, the same must hold
    pytest.mark.timeout(900),
]
ROOT = Path(__file__).parents[2]
PLACES = [f"{part}/10" for part in range(10)]
KILLED = 9
"""The signal that ended a making."""


def ran(program: str, *words: object, within: int = 880) -> list[dict[str, Any]]:
    """The lines that a program of this folder writes."""
    command = [sys.executable, "-m", f"tests.attacks.{program}", *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=within)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.mark.soak
def test_a_driver_that_dies_leaves_the_snapshot_of_before_or_the_next(tmp_path: Path) -> None:
    """While Spark writes, and among the steps on files, from the first folder to the report: ten of them."""
    places = [*PLACES, *RUNNING]
    first, second, *found = ran("spark_killed", tmp_path / "s", *RUNNING, *places, "none", "none")
    for one in (first, second):
        assert one["ended"] == KILLED and one["id"] is None, "nothing was sealed, and nothing opens"
        assert "is missing; make it first" in one["says"]
    other = on_duckdb()
    assert [one["ended"] for one in found] == [KILLED] * len(places) + [0, 0] and found[0]["steps"] > 10
    # whatever opens is all rows of one making, with the report of all of them
    assert {(one["rows"], one["report"]) for one in found} == {(digest(other), report(other))}
    ids = [one["id"] for one in found]
    assert len(set(ids)) > 2, "some died after theirs was sealed, and others before"
    assert ids[0] == ids[1], "and it is the snapshot of before until then"
    # (during the last but one, jobs that nobody waits for may still write to folders that were swept away)
    assert found[-1]["scraps"] == found[-1]["stray"] == 0, "what was left behind is swept away"


def died(folder: Path, place: str) -> int:
    """How a driver ends that takes its Spark along."""
    command = [sys.executable, "-m", "tests.attacks.spark_killed", str(folder), place, "whole"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=280, start_new_session=True)
    return done.returncode


def check_whole(folder: Path, places: list[str]) -> set[str]:
    """The ids that were there after each death."""
    folder.mkdir(mode=0o700)
    wanted = digest(on_duckdb(folder=folder))
    seen = [Snapshot.open(SCHEMA, "t", folder).id]
    for place in places:
        assert died(folder, place) == -KILLED, place
        now = Snapshot.open(SCHEMA, "t", folder)
        assert digest(now) == wanted, place
        seen.append(now.id)
    on_duckdb(folder=folder)
    assert not list(folder.glob(".pets-*")) and digest(Snapshot.open(SCHEMA, "t", folder)) == wanted
    return set(seen)


@pytest.mark.soak
@pytest.mark.timeout(3000)
def test_a_driver_that_takes_its_spark_along_at_ten_places(tmp_path: Path) -> None:
    steps = ran("spark_killed", tmp_path / "n", "0/1")[0]["steps"]
    places = [*RUNNING, *(str(steps * part // 10) for part in range(10))]
    assert len(check_whole(tmp_path / "s", places)) > 1


def check(one: dict[str, Any]) -> None:
    """A case's rows are those that DuckDB keeps under the same key, and so are its integers."""
    other = Snapshot.make_all(SCHEMA, ("t",), {"t": marked()}, key=KEY, progress=False)["t"]
    assert (one["rows"], one["report"]) == (digest(other), report(other)), one["case"]
    if "vector" in one:
        assert one["vector"] == tabulate(make_plan(ASKED, SCHEMA), other).reveal().tolist(), one["case"]


def told(folder: Path, *said: str) -> str:
    """All that drivers, executors and the log of events told; no cell that was marked, and no secret, is in it."""
    files = [path for part in ("work", "events") for path in (folder / part).rglob("*") if path.is_file()]
    logs = "\n".join([*said, *(path.read_text("utf-8", errors="replace") for path in files)])
    secrets = [KEY, *json.loads((folder / "secrets.json").read_text())]
    for kept in (CANARY, repr(FLOAT), str(int(FLOAT)), *map(str, secrets), *(f"{one:x}" for one in secrets)):
        assert kept not in logs, kept
    return logs


def test_a_driver_that_dies_with_its_spark_has_told_no_cell(tmp_path: Path) -> None:
    """Rows full of canaries are prepared, counted and refused; then it dies while they are prepared once more."""
    command = [sys.executable, "-m", "tests.attacks.spark_told", str(tmp_path)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=880, start_new_session=True
    )
    assert done.returncode == -KILLED, done.stderr[-3000:]
    lines = done.stdout.splitlines()
    (found,) = (json.loads(line) for line in lines if line.startswith('{"vector"'))
    other = Snapshot.make_all(SCHEMA, ("t",), {"t": marked()}, key=KEY, progress=False)["t"]
    left = Snapshot.open(SCHEMA, "t", tmp_path / "s")
    assert (digest(left), report(left)) == (digest(other), report(other)), "it is the snapshot of before"
    assert found["vector"] == tabulate(make_plan(ASKED, SCHEMA), other).reveal().tolist()
    assert "give whole numbers or text" in found["says"] and not list((tmp_path / "refused").iterdir())
    assert list((tmp_path / "s").glob(".pets-*")), "what was begun lies there"
    on_duckdb(folder=tmp_path / "s")
    assert not list((tmp_path / "s").glob(".pets-*")), "until somebody prepares there"
    logs = told(tmp_path, done.stderr, *(line for line in lines if not line.startswith('{"vector"')))
    assert "MapInArrow" in logs and "SparkListenerTaskEnd" in logs and "Executor: Finished task" in done.stderr


@pytest.mark.soak
def test_executors_that_die_and_copies_of_slow_tasks_change_no_row_and_no_log_has_a_cell(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.attacks.spark_cluster", str(tmp_path), "slow", "ranking", "counting", "ids"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=880)
    assert done.returncode == 0, done.stderr[-3000:]
    answers = [line for line in done.stdout.splitlines() if line.startswith("{")]
    *found, refused = map(json.loads, answers)
    for one in found:
        assert one["began"] and one["tries"]
        check(one)
    assert len([one for one in found[0]["tries"] if one.startswith("0-")]) == 1, "one copy was done, and its twin not"
    assert "give whole numbers or text" in refused["says"] and refused["left"] == []
    logs = told(tmp_path, done.stderr, *(line for line in done.stdout.splitlines() if line not in answers))
    assert "MapInArrow" in logs and "CoarseGrainedExecutorBackend" in logs and "Lost executor" in logs


@pytest.mark.soak
@pytest.mark.timeout(5200)
def test_executors_die_at_any_time(tmp_path: Path) -> None:
    cases = ["coding", "ranking", "counting", *(f"random {seed}" for seed in range(10))]
    found = ran("spark_cluster", tmp_path, *cases, within=5000)  # each may take minutes beside other work
    for one in found:
        if one.get("says"):
            assert one["rows"] is None, "what was refused is not sealed"
            assert "nothing was stored" in one["says"]
        else:
            check(one)
    assert sum(one.get("killed", 0) for one in found) > 10
