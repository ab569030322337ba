"""Workbench: a private DuckDB with an owner-only folder for what does not fit in memory, and its progress bar."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pets.common.files import held_folder
from pets.common.progress import bar
from pets.rows.coding.cell import quoted
from pets.rows.limits import Limits
from pets.rows.ranking import SCRAPS

SHARES = (
    ("reading", 22),
    ("counting what became", 2),
    ("finding people", 20),
    ("ranking each", 40),
    ("finding identical", 1),
    ("ranking identical", 1),
    ("storing", 13),
    ("counting", 1),
)
"""The steps of a making in their order, and about how much of its time each takes, in hundredths: for the bar alone."""


class Bench:
    """A private DuckDB in memory, with an owner-only folder for what does not fit; both vanish with it.

    Attributes:
        began_again: whether what a killed process had left there was swept away: nothing of it is used.
    """

    def __init__(self, near: Path | None, limits: Limits) -> None:
        import duckdb

        self.began_again = near is not None and sweep(near)
        prefix = ".pets-" if near is not None else "pets-"
        # (mode 0700; held for life: tells sweep that somebody is at work)
        self.scratch, lock = held_folder(
            lambda: Path(tempfile.mkdtemp(prefix=prefix, dir=near)), lambda handle: fcntl.flock(handle, fcntl.LOCK_EX)
        )
        self.con = duckdb.connect(":memory:")
        self.close = weakref.finalize(self, _discard, self.con, self.scratch, lock, os.getpid())
        memory = limits.memory
        if memory is None:
            (default,) = self.con.execute("SELECT current_setting('memory_limit')").fetchall()[0]
            number, unit = str(default).split()
            memory = f"{float(number) * 0.75:.1f}{unit}"  # DuckDB's own default is 80 % of the memory
        for setting in (
            "autoinstall_known_extensions = false",
            "TimeZone = 'UTC'",
            f"temp_directory = {quoted(str(self.scratch / 'spill'))}",
            f"memory_limit = {quoted(memory)}",
            *([] if limits.threads is None else [f"threads = {limits.threads}"]),
        ):
            self.con.execute(f"SET {setting}")
        with contextlib.suppress(duckdb.Error):  # in a notebook without ipywidgets DuckDB has no progress to tell
            self.con.execute("SET enable_progress_bar = true")
            self.con.execute("SET enable_progress_bar_print = false")

    def link(self, path: Path, name: str) -> str:
        """A plain name for a file, because DuckDB takes '*' and '[' in a path as a pattern."""
        link = self.scratch / name
        link.unlink(missing_ok=True)
        link.symlink_to(path.absolute())
        return str(link)

    @contextlib.contextmanager
    def making(self) -> Iterator[Path]:
        """A folder for the files that making one table needs; they and its temporary tables are dropped at the end.

        Each has its own: DuckDB keeps what it read under a path, and two tables' files may not meet there.
        """
        folder = Path(tempfile.mkdtemp(dir=self.scratch))
        # what is made on the way has no order of its own, and to keep one takes time and memory
        self.con.execute("SET preserve_insertion_order = false")
        # a source is read once, and what is kept of its file would take the place of what is read again
        self.con.execute("SET enable_external_file_cache = false")
        yield folder
        self.con.execute("SET enable_external_file_cache = true")
        self.con.execute("SET preserve_insertion_order = true")
        self.clear(*SCRAPS)
        shutil.rmtree(folder, ignore_errors=True)

    def clear(self, *names: str) -> None:
        """Drop tables that only the making needed."""
        self.con.execute("; ".join(f"DROP TABLE IF EXISTS {name}" for name in names))


def _discard(con: Any, scratch: Path, lock: int, owner: int) -> None:
    if os.getpid() != owner:  # a forked child must not remove what its parent uses
        return
    with contextlib.suppress(Exception):
        con.close()
    shutil.rmtree(scratch, ignore_errors=True)
    with contextlib.suppress(OSError):
        os.close(lock)


def sweep(folder: Path) -> bool:
    """Remove temporary folders whose maker was killed; says whether there were any."""
    found = False
    for left in folder.glob(".pets-*"):
        with contextlib.suppress(OSError):
            lock = os.open(left, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
                found = True
            finally:
                os.close(lock)
    return found


def whole(doing: str, percent: float) -> float:
    """How much of a whole making is done, in hundredths, while so much of a step is (below 0: nobody knows)."""
    before = 0.0
    for beginning, share in SHARES:
        if doing.startswith(beginning):
            return before + share * min(max(percent, 0.0), 100.0) / 100
        before += share
    return 0.0


class Progress:
    """One bar on stderr for the whole making, shown once it has taken a second, with an estimate of the time left."""

    def __init__(self, con: Any, title: str, on: bool) -> None:
        self._con, self._title, self._on = con, title, on
        self._doing = ""
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Progress:
        if self._on:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        if self._on:
            self._thread.join()

    def step(self, doing: str) -> None:
        """Say what is being done now."""
        self._doing = doing

    def _watch(self) -> None:
        form = "{desc} |{bar}| {percentage:3.0f}% [{elapsed}, about {remaining} left]"
        most = 0.0
        with bar(100, self._title, form=form) as moved:
            while not self._done.wait(0.2):
                doing, most = self._doing, max(most, whole(self._doing, self._con.query_progress()))
                if most > 0:
                    moved.to(most, f"{self._title}: {doing}")
                else:  # not begun, or what is read does not say how long it is
                    moved.at(f"{self._title}: {doing}")
