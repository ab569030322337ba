"""Pinned: a stored file that is held open, so that a question which began on it ends on it, whatever takes its place.

A refresh puts another file under the same name. The system keeps the old one, without a name, as long as somebody holds
it; then it is gone, with nobody to sweep it up, also where its holder was killed.
"""

from __future__ import annotations

import os
import weakref
from pathlib import Path

DESCRIPTORS = Path("/proc/self/fd")
"""Where a path leads to an open file itself (Linux); elsewhere a file that was replaced is refused."""


class Pinned:
    """A file as it was when this was made.

    Attributes:
        path: its name.
        stamp: tells it from whatever else is found under that name; empty where there was none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self.stamp: tuple[int, ...] = ()
            return
        self.stamp = _stamp(os.fstat(handle))
        if DESCRIPTORS.is_dir():
            self._handle = handle
            weakref.finalize(self, os.close, handle).atexit = False
        else:
            os.close(handle)

    @property
    def current(self) -> bool:
        """Whether it is still what its name stands for."""
        try:
            return _stamp(self.path.stat()) == self.stamp
        except OSError:
            return self.stamp == ()

    @property
    def held(self) -> bool:
        """Whether it can be read though another has taken its place."""
        return self._handle is not None

    @property
    def readable(self) -> Path:
        """A path that leads to this very file, in this process; where it is not held, its name."""
        return self.path.resolve() if self._handle is None else DESCRIPTORS / str(self._handle)


def _stamp(found: os.stat_result) -> tuple[int, ...]:
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
