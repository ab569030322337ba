"""Three real sites on loopback, made and run with the command line alone, each in processes of its own."""

from __future__ import annotations

import contextlib
import itertools
import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from pets.cli import main

SITES = ("north", "east", "west")
GUARD = """
import os, sys

def _told(event, given):
    if event in ("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo"):
        address = given[0] if event == "socket.getaddrinfo" else given[1]
        host = address[0] if isinstance(address, tuple) else address
        if isinstance(host, bytes):
            host = host.decode("utf-8", "replace")
        kind = "name" if event == "socket.getaddrinfo" else given[0].type.name
        with open(os.environ["PETS_TEST_SOCKETS"], "a") as out:
            out.write(f"{event} {kind} {host or '-'}\\n")

sys.addaudithook(_told)
"""


PORTS = range(20_000, 30_000)
"""Below those that a system gives to whoever connects: one of those may be taken before a server listens again."""

_tried = itertools.count(os.getpid() * 61)  # other processes look for ports too: each begins elsewhere


def free_port() -> int:
    """A port of this machine that nobody has, and that the system gives to nobody; another one each time."""
    for tried in itertools.islice(_tried, len(PORTS)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", PORTS[tried % len(PORTS)]))
            return int(probe.getsockname()[1])
    raise OSError("no port is free")


def run(*arguments: str) -> None:
    assert main.run(list(arguments)) == 0, arguments


def until(done: Callable[[], bool], seconds: float = 900.0) -> None:
    """Wait for something; the time-out ends what hangs, on the busiest machine too."""
    late = time.monotonic() + seconds
    while not done():
        if time.monotonic() > late:
            raise TimeoutError("it did not come about in time")
        time.sleep(0.3)


def documented(page: Path) -> list[list[str]]:
    """The commands of a page, without ``pets``."""
    blocks = [block.split("```", 1)[0] for block in page.read_text("utf-8").split("```bash\n")[1:]]
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith("pets ")]


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Trial:
    """A federation on this machine: its folders, and the processes that serve it."""

    root: Path
    port: int = field(default_factory=free_port)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def folder(self, name: str) -> Path:
        return self.root / name

    @property
    def trial(self) -> str:
        return str(self.root / "trial")

    @property
    def sockets(self) -> Path:
        """What the processes' Python code did with sockets, line by line."""
        return self.root / "sockets.txt"

    def make(self, commands: list[list[str]]) -> None:
        """Run commands here, one after the other; a new federation is given a port that is free."""
        with contextlib.chdir(self.root):
            for command in commands:
                run(*command, *(["--port", str(self.port)] if command[:2] == ["federation", "init"] else []))

    def start(self, name: str) -> None:
        """A site's process, or the server's for the name ``trial``, or the key holder's for ``holder``."""
        what = {"trial": "federation", "holder": "keyholder"}.get(name, "site")
        guard = self.root / "guard"
        guard.mkdir(exist_ok=True)
        (guard / "sitecustomize.py").write_text(GUARD, "utf-8")
        paths = [str(guard), str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        with (self.root / f"{name}.out").open("ab") as out:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "pets", what, "serve", str(self.folder(name))],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PETS_TEST_SOCKETS": str(self.sockets)},
            )

    def tree(self, name: str) -> list[psutil.Process]:
        """A party's processes: the one that serves, and all below it."""
        with contextlib.suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self.processes[name].pid)
            return [parent, *parent.children(recursive=True)]
        return []

    def kill(self, name: str) -> None:
        """At once and with no farewell, as a power cut would."""
        for process in self.tree(name):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.processes.pop(name).wait()

    def stop(self) -> list[psutil.Process]:
        """As Ctrl-C or the system's shutdown would; gives what is still there afterwards."""
        every = [process for name in self.processes for process in self.tree(name)]
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(30)
        _, left = psutil.wait_procs(every, timeout=5)
        for process in left:
            process.kill()
        return left

    def said(self, name: str) -> str:
        return (self.root / f"{name}.out").read_text("utf-8")


@contextlib.contextmanager
def serving(trial: Trial, *names: str) -> Iterator[Trial]:
    """The server and the other parties, until the end of the block."""
    try:
        for name in ("trial", *names):
            trial.start(name)
        until(lambda: listens(trial.port))
        yield trial
    finally:
        trial.stop()
