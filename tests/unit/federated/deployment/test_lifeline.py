"""Processes end with the one that began them, however it ended, and in whatever session they run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pets.federated.deployment import lifeline
from tests.trial import until

pytestmark = pytest.mark.chance(0)  # processes; none of their numbers is looked at

SERVES = """
import os, subprocess, sys, time
from pets.federated.deployment import lifeline

with lifeline.held() as address:
    env = {**os.environ, lifeline.VARIABLE: address}
    subprocess.Popen([sys.executable, "-m", lifeline.MODULE, "child"], env=env, start_new_session=True)
    time.sleep(600)
"""
CHILD = """
import os, subprocess, sys, time
from pathlib import Path

pids = Path(os.environ["PIDS"])
if len(sys.argv) == 1:
    from pets.federated.deployment import lifeline

    subprocess.Popen([sys.executable, "-m", lifeline.MODULE, "child", "its own"], start_new_session=True)
(pids / str(os.getpid())).write_text(" ".join(sys.argv[1:]))
time.sleep(600)
"""


def test_a_killed_parent_takes_children_and_grandchildren_with_it(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    pids.mkdir()
    (tmp_path / "child.py").write_text(CHILD, "utf-8")
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", ""), str(Path.cwd())])
    env = {**os.environ, "PYTHONPATH": paths, "PIDS": str(pids)}
    parent = subprocess.Popen([sys.executable, "-c", SERVES], env=env)
    try:
        until(lambda: len(list(pids.iterdir())) == 2)
        children = [psutil.Process(int(file.name)) for file in pids.iterdir()]
        assert sorted(file.read_text() for file in pids.iterdir()) == ["", "its own"]  # run as python -m would
        assert len({os.getsid(child.pid) for child in children}) == 2
    finally:
        parent.kill()
        parent.wait()
    until(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children))


def test_a_process_whose_parent_is_gone_by_then_does_not_begin(tmp_path: Path) -> None:
    (tmp_path / "child.py").write_text("from pathlib import Path\nPath('ran').touch()\n", "utf-8")
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", ""), str(Path.cwd())])
    command = [sys.executable, "-m", lifeline.MODULE, "child"]
    gone = {**os.environ, "PYTHONPATH": paths, lifeline.VARIABLE: str(tmp_path / "nobody")}
    assert subprocess.run(command, env=gone, cwd=tmp_path).returncode == lifeline.CUT
    assert not (tmp_path / "ran").exists()
    with lifeline.held() as address:
        tied = gone | {lifeline.VARIABLE: address}
        assert subprocess.run(command, env=tied, cwd=tmp_path).returncode == 0
    assert (tmp_path / "ran").exists()
