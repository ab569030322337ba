"""Socket folder: where a process keeps a socket in the file system; those of processes that were killed are removed."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
import time
from pathlib import Path

YOUNG = 60.0
"""Seconds in which a folder may still be without its socket, because its process is beginning."""


def socket_folder(prefix: str) -> Path:
    """A new folder for a socket, mode 700, and a path short enough for a socket's name.

    Folders of this user with the same prefix, at whose socket nobody listens, are removed first: a process that was
    killed could not do so itself.
    """
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            known = folder.lstat()
            if known.st_uid == os.getuid() and time.time() - known.st_mtime > YOUNG and not _listened_at(folder):
                shutil.rmtree(folder, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=prefix))


def _listened_at(folder: Path) -> bool:
    for path in folder.iterdir():
        with socket.socket(socket.AF_UNIX) as line:
            try:
                line.connect(str(path))
            except (ConnectionRefusedError, FileNotFoundError):
                continue
            except OSError:  # whatever else it is, somebody may be there
                return True
            return True
    return False
