"""Incidents: what went wrong in requests that failed after the data was opened, for the custodian alone.

They may quote values of real rows, so they are never in the ledger's database: each is a file that only its owner can
read, beside the ledger's key. Those of a ledger in memory die with it.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from pets.errors import UserError, did_you_mean, shown

KEPT = 1000
"""Incidents that are kept; older ones make room."""

LONGEST = 200_000
"""Letters of one that are kept: the end of a traceback says most."""

_NUMBER = re.compile(r"[0-9a-f]{12}")


class Incidents:
    """The incidents of one ledger, by their numbers; safe from threads and processes.

    Args:
        folder: where they lie; ``None`` keeps them in memory.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._here: dict[str, str] = {}

    def note(self, number: str, text: str) -> None:
        """Keep one. What cannot be written stays in this process: it never hides what failed."""
        text = text[-LONGEST:]
        if self._folder is not None and _NUMBER.fullmatch(number):
            with contextlib.suppress(OSError):
                self._folder.mkdir(mode=0o700, exist_ok=True)
                handle = os.open(self._folder / f"{number}.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
                    file.write(text)
                for old in self._files()[KEPT:]:
                    old.unlink(missing_ok=True)
                return
        self._here[number] = text

    def read(self, number: str) -> str:
        """What went wrong; raises :class:`UserError` for a number that is not known."""
        if isinstance(number, str):
            if number in self._here:
                return self._here[number]
            if self._folder is not None and _NUMBER.fullmatch(number):
                with contextlib.suppress(OSError):
                    return (self._folder / f"{number}.txt").read_text("utf-8")
        raise UserError(f"there is no incident {shown(number)}{did_you_mean(number, self.numbers)}")

    @property
    def numbers(self) -> list[str]:
        """All that are known, the newest first."""
        return [*reversed(self._here), *(path.stem for path in self._files())]

    @property
    def moments(self) -> dict[str, float]:
        """Of those that lie in the folder, by number, when each was written; the newest first."""
        return {path.stem: at / 1e9 for at, path in self._dated()}

    def _files(self) -> list[Path]:
        return [path for _, path in self._dated()]

    def _dated(self) -> list[tuple[int, Path]]:
        if self._folder is None:
            return []
        found = []
        with contextlib.suppress(OSError):
            for path in self._folder.glob("*.txt"):
                with contextlib.suppress(OSError):  # another process made room
                    found.append((path.stat().st_mtime_ns, path))
        return sorted(found, reverse=True)
