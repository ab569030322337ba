"""One process serves a folder, and what an earlier one left behind is found, named and ended."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pets.errors import UserError
from pets.federated.deployment.processes import PID, alone, left_behind, server_of
from tests.trial import until

pytestmark = pytest.mark.chance(0)  # processes; none of their numbers is looked at

HOLDS = """
import sys, time
from pathlib import Path
from pets.federated.deployment.processes import alone

folder = Path(sys.argv[1])
with alone(folder, folder / "kit", print):
    print("serves", flush=True)
    time.sleep(600)
"""


def test_a_second_process_is_refused_and_a_killed_one_is_none(tmp_path: Path) -> None:
    assert server_of(tmp_path) is None
    first = subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert first.stdout is not None
        assert first.stdout.readline() == b"serves\n"
        assert server_of(tmp_path) == first.pid
        with (
            pytest.raises(UserError, match=f"served already, by process {first.pid}"),
            alone(tmp_path, tmp_path, print),
        ):
            raise AssertionError("two serve one folder")
    finally:
        first.kill()
        first.wait()
    assert server_of(tmp_path) is None  # though its file is there
    assert (tmp_path / PID).read_text() == f"{first.pid}\n"
    with alone(tmp_path, tmp_path / "kit", print):
        assert server_of(tmp_path) == os.getpid()
    assert server_of(tmp_path) is None


def test_processes_that_were_left_behind_are_named_and_ended(tmp_path: Path) -> None:
    kit, other = tmp_path / "kit", tmp_path / "kit2"
    kit.mkdir()
    sleep = [sys.executable, "-c", "import time; time.sleep(600)", "nvflare.private.fed.app.client.client_train", "-m"]
    stale, theirs = (subprocess.Popen([*sleep, str(folder)]) for folder in (kit, other))
    try:
        until(lambda: [process.pid for process in left_behind(kit)] == [stale.pid])
        said: list[str] = []
        with alone(tmp_path, kit, said.append):
            assert stale.poll() is not None
            assert theirs.poll() is None
        assert said == [f"NVFlare's processes of an earlier start were still there ({stale.pid}) and are ended."]
        with alone(tmp_path, kit, said.append):
            assert len(said) == 1
    finally:
        for process in (stale, theirs):
            process.kill()
            process.wait()
    assert not psutil.pid_exists(stale.pid)
