"""Limits: what the engine that prepares and counts rows may take of the machine."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pets.errors import UserError, shown

_SIZE = re.compile(r"[1-9]\d{0,5}(\.\d{1,3})?\s?[KMGT]i?B")


@dataclass(frozen=True)
class Limits:
    """What DuckDB may take in this process; each table that is open has a database of its own, with these limits.

    Attributes:
        memory: a size such as ``"4GB"``; more than that goes to a private temporary folder. ``None``: 60 % of the
            machine's memory.
        threads: ``None``: one a core.

    Raises:
        UserError: for what is no size or no number of threads.
    """

    memory: str | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.memory is not None and not (isinstance(self.memory, str) and _SIZE.fullmatch(self.memory)):
            raise UserError(f"memory {shown(self.memory)} is not a size; write it like '4GB'")
        whole = isinstance(self.threads, int) and not isinstance(self.threads, bool)
        if self.threads is not None and not (whole and 1 <= self.threads <= 1024):
            raise UserError(f"threads must be a whole number from 1 to 1024, not {shown(self.threads)}")
