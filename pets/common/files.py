"""Files: whole or not there, and nobody's but their owner's to write.

Who may read a file of what anybody may see is for the umask to say; what holds exact facts of real rows is its owner's
alone. What is written under several names is there under all of them, or as it was before.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from pets.errors import UserError, shown

MOST = 300
"""Characters of a path that a sentence quotes; of a longer one it tells the length."""


@contextlib.contextmanager
def writing(the: str, path: object, example: str = "answer.json") -> Iterator[None]:
    """Whatever keeps a file from being written inside is one sentence, a :class:`UserError`.

    Args:
        the: what is written, such as ``"the fit"``.
        example: a path that would do.
    """
    try:
        yield
    except OSError as error:
        raise UserError(f"{the} cannot be written to {_named(path)} ({error.strerror})") from None
    except (TypeError, ValueError):
        raise UserError(f"{the} cannot be written to {_named(path)}; give a path, such as {example!r}") from None


@contextlib.contextmanager
def reading(the: str, path: object, example: str = "answer.json") -> Iterator[None]:
    """Whatever keeps a file from being read inside is one sentence, a :class:`UserError`; as :func:`writing`."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{the} cannot be read from {_named(path)} ({error.strerror})") from None
    except (TypeError, ValueError, RecursionError):
        raise UserError(f"{the} cannot be read from {_named(path)}; give a file such as {example!r}") from None


def _named(path: object) -> str:
    text = str(path) if isinstance(path, (str, Path)) else ""
    return repr(text) if 0 < len(text) <= MOST else shown(path if not isinstance(path, Path) else text)


def held_folder(make: Callable[[], Path], hold: Callable[[int], None]) -> tuple[Path, int]:
    """A new folder, and a handle of it that holds a lock: whoever sweeps up what nobody holds leaves it alone.

    It may be swept up before it is held, and then another is made. ``make`` makes a folder and ``hold`` locks a handle.
    """
    while True:
        folder = make()
        try:
            handle = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:
            continue
        try:
            hold(handle)
        except BaseException:
            os.close(handle)
            shutil.rmtree(folder, ignore_errors=True)
            raise
        if folder.exists():
            return folder, handle
        os.close(handle)


class Written:
    """Files that are taken back unless all that belongs to them goes well; made by :func:`written_together`."""

    def __init__(self) -> None:
        self._kept: dict[Path, Path | None] = {}

    def write(self, contents: Mapping[Path, str]) -> None:
        """Write each text under its name, for its owner alone.

        Raises ``OSError``, and what was written by then is taken back.
        """
        new = {file: _beside(file, "new") for file in contents}
        try:
            for file, text in contents.items():
                created(new[file], owner_only=True).write_text(text, encoding="utf-8")
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


def created(path: Path, *, owner_only: bool = False) -> Path:
    """A new, empty file that only its owner writes, and, with ``owner_only``, only its owner reads."""
    path.unlink(missing_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if owner_only else 0o644))
    return path


def replace_file(path: Path, content: bytes, *, owner_only: bool = False) -> None:
    """Write a whole file, or leave what is there; raises ``OSError``."""
    if path.exists() and not path.is_file():  # a pipe, a terminal: no name of ours to give to something else
        path.write_bytes(content)
        return
    new = _beside(path, "new")
    try:
        created(new, owner_only=owner_only).write_bytes(content)
        new.replace(path)
    finally:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """A folder, with those above it, that only its owner writes; one that is there stays as it is."""
    for folder in (*reversed(path.parents), path):
        folder.mkdir(mode=0o755, exist_ok=True)


def only_owner_writes(file: int) -> None:
    """Take the right to write an open file from everybody but its owner, whatever the umask was when it was made."""
    mode = stat.S_IMODE(os.fstat(file).st_mode)
    if mode & 0o022:
        with contextlib.suppress(PermissionError):  # it is somebody else's file, who is to see to it
            os.fchmod(file, mode & ~0o022)


def _beside(file: Path, what: str) -> Path:
    return file.with_name(f".{file.name}.{os.getpid()}.{what}")
