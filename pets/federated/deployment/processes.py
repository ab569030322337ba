"""Processes: NVFlare's, begun for one folder and ended with it; never two at once, none that a crash left behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pets.errors import UserError
from pets.federated.deployment import lifeline
from pets.federated.deployment.startup_kit import harden

if TYPE_CHECKING:
    import psutil

PID = "serving.pid"
"""In a party's folder: the number of the process that serves it, which holds a lock on the file."""


@contextlib.contextmanager
def alone(folder: Path, kit: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Serve a folder in this process and in no other; what an earlier process left behind is named, and ended.

    Raises:
        UserError: where another process serves it.
    """
    with (folder / PID).open("a+") as file:
        for again in (0.2, 0.5, 0.0):  # who only looks whether it is served holds the lock for a moment
            with contextlib.suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # let go of by the kernel, however this process ends
                break
            time.sleep(again)
        else:
            file.seek(0)
            number = file.read().strip() or "unknown"
            raise UserError(
                f"{str(folder)!r} is served already, by process {number}; stop that one before you start another"
            ) from None
        _end_stale(kit, say)
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def server_of(folder: Path) -> int | None:
    """The process that serves a folder now; ``None`` where none does."""
    try:
        with (folder / PID).open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return int(file.read().strip() or 0)
    except (OSError, ValueError):
        pass
    return None


@contextlib.contextmanager
def running(folder: Path, party: str, log: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """NVFlare's process of a party (the server's for an empty name), ended with all its children at the block's end."""
    harden(folder, server=not party)
    side = "client" if party else "server"
    module = f"nvflare.private.fed.app.{side}.{side}_train"
    settings = ["secure_train=true", *([f"uid={party}"] if party else []), "org=pets", "config_folder=config"]
    command = [sys.executable, "-u", "-m", lifeline.MODULE, module, "-m", str(folder.resolve())]
    with log.open("ab") as out:
        process = subprocess.Popen(
            [*command, "-s", f"fed_{side}.json", "--set", *settings],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            start_new_session=True,
        )
    try:
        yield process
    finally:
        end(process)
        _kill(left_behind(folder))  # a job's process outlives NVFlare's own, where that one was killed


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started."""
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(process.pid)
        _kill([parent, *parent.children(recursive=True)])
    process.wait()


def left_behind(kit: Path) -> list[psutil.Process]:
    """The processes of this user that run NVFlare from a working folder."""
    import psutil

    own, me = ["-m", str(kit.resolve())], psutil.Process()
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = process.cmdline()
            mine = any(words[at : at + 2] == own for at in range(len(words)))
            if mine and any(word.startswith("nvflare.") for word in words) and process.uids() == me.uids():
                found.append(process)
    return found


def _end_stale(kit: Path, say: Callable[[str], None]) -> None:
    stale = left_behind(kit)
    if stale:
        numbers = ", ".join(str(process.pid) for process in stale)
        say(f"NVFlare's processes of an earlier start were still there ({numbers}) and are ended.")
        _kill(stale)


def _kill(every: list[psutil.Process]) -> None:
    """Ask processes to end, and then make them."""
    import psutil

    for act in (psutil.Process.terminate, psutil.Process.kill):
        for one in every:
            with contextlib.suppress(psutil.NoSuchProcess):
                act(one)
        _, every = psutil.wait_procs(every, timeout=3)
