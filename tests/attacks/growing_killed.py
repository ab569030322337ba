"""A program that adds a delivery to copies of a folder and is killed before each of its steps on files.

``python -m tests.attacks.growing_killed FOLDER NEW.csv WHERE`` writes, a line a kill: the id that is there, and whether
the same delivery can then be added.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pets.errors import PetsError
from pets.rows.growing import append
from pets.rows.snapshot import Snapshot
from tests.growing import kept, schema

STEPS = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "open")
"""What changes a folder; DuckDB's own writes, to a file that is not there yet for anybody, lie between them."""


def died() -> None:
    """End this process, as a failure of power would."""
    os.kill(os.getpid(), signal.SIGKILL)


def killed_before(step: int, folder: Path, end: Callable[[], Any] = died) -> list[int]:
    """End this process before so many steps on files of a folder; gives how many are left, which it counts down."""
    left = [step]

    def looked(event: str, given: tuple[Any, ...]) -> None:
        if event not in STEPS or not isinstance(given[0], (str, os.PathLike)):
            return
        writes = event != "open" or bool(int(given[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        if writes and str(given[0]).startswith(str(folder)):
            if left[0] == 0:
                end()
            left[0] -= 1

    sys.addaudithook(looked)
    return left


def forked(act: Any) -> int:
    """Run in a process of its own; gives how it ended."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    try:
        act()
    except BaseException:
        os._exit(1)
    os._exit(0)


def told(folder: Path, new: str) -> None:
    """What is there now, and after the delivery is added if it is not there."""
    found = Snapshot.open(schema(), "t", folder)
    rows = found.report.rows_read
    try:
        append(schema(), "t", new, folder, progress=False)
        again = "added"
    except PetsError as error:
        again = str(error)
    made = Snapshot.open(schema(), "t", folder)
    scraps = [path.name for path in folder.glob(".pets-*")]
    listed = {**json.loads((folder / "t.json").read_bytes())}
    parts = {part["name"] for part in [*listed["parts"], *listed["people"]]}
    stray = {path.name for path in (folder / "t.parquet").iterdir()} - parts
    line = {"id": found.id, "rows": rows, "again": again, "after": made.report.rows_read, "scraps": scraps}
    print(json.dumps(line | {"stray": sorted(stray), "kept": str(sorted(kept(made).items()))}), flush=True)


def main(folder: Path, new: str, where: Path) -> None:
    for step in range(200):
        copy = where / f"k{step}"
        shutil.copytree(folder, copy)

        def act(copy: Path = copy, step: int = step) -> None:
            killed_before(step, copy)
            append(schema(), "t", new, copy, progress=False)

        ended = forked(act)
        if forked(lambda copy=copy: told(copy, new)):  # type: ignore[misc]
            print(json.dumps({"id": None, "step": step}), flush=True)
        shutil.rmtree(copy, ignore_errors=True)
        if ended == 0:
            return
        assert os.WIFSIGNALED(ended), ended


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
