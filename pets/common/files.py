"""Files: what is written under several names is there under all of them, or as it was before."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path


class Written:
    """Files that are taken back unless all that belongs to them goes well; made by :func:`written_together`."""

    def __init__(self) -> None:
        self._kept: dict[Path, Path | None] = {}

    def write(self, contents: Mapping[Path, str]) -> None:
        """Write each text under its name; raises ``OSError``, and what was written by then is taken back."""
        new = {file: _beside(file, "new") for file in contents}
        try:
            for file, text in contents.items():
                new[file].write_text(text, encoding="utf-8")
            for file, whole in new.items():
                before = None
                if file.is_file():
                    before = _beside(file, "before")
                    shutil.copy2(file, before)
                self._kept[file] = before
                whole.replace(file)
        finally:
            for rest in new.values():
                rest.unlink(missing_ok=True)

    def take_back(self) -> None:
        """Put everything back as it was."""
        for file, before in self._kept.items():
            with contextlib.suppress(OSError):
                if before is not None:
                    before.replace(file)
                elif file.is_file():
                    file.unlink()

    def keep(self) -> None:
        """All went well."""
        for before in self._kept.values():
            if before is not None:
                before.unlink(missing_ok=True)


@contextlib.contextmanager
def written_together() -> Iterator[Written]:
    """Files that stay only where the whole block ends well: whatever is raised in it, they are as they were before."""
    files = Written()
    try:
        yield files
    except BaseException:
        files.take_back()
        raise
    files.keep()


def only_owner_writes(file: int) -> None:
    """Take the right to write an open file from everybody but its owner, whatever the umask was when it was made."""
    mode = stat.S_IMODE(os.fstat(file).st_mode)
    if mode & 0o022:
        with contextlib.suppress(PermissionError):  # it is somebody else's file, who is to see to it
            os.fchmod(file, mode & ~0o022)


def _beside(file: Path, what: str) -> Path:
    return file.with_name(f".{file.name}.{os.getpid()}.{what}")
