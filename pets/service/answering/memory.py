"""Memory: how much of it a process holds, and how a limit on it is written."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from pathlib import Path

from pets.errors import UserError, shown

_SIZE = re.compile(r"([1-9]\d{0,5}(?:\.\d{1,3})?)\s?([KMGT])(i?)B")


def size(text: str) -> int:
    """Bytes of a size such as ``"4GB"``; raises :class:`UserError` for what is none.

    >>> size("1.5GB"), size("2 MiB")
    (1500000000, 2097152)
    """
    found = _SIZE.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise UserError(f"memory {shown(text)} is not a size; write it like '4GB'")
    number, unit, binary = found.groups()
    return int(float(number) * (1024 if binary else 1000) ** ("KMGT".index(unit) + 1))


def resident(pid: int) -> int:
    """Bytes of a process in memory; 0 where it is gone, or the system does not tell."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError, ValueError, subprocess.SubprocessError):
        told = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, timeout=5, check=False)
        return int(told.stdout) * 1024
    return 0
