"""Notices: what went wrong at a party's place, for its custodian: on the console, in a file, and in its status.

A notice quotes no row and names no file of anybody else's: it can be read out on the telephone. What may quote rows is
an incident, of which a notice gives the number.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from pets.common.clock import now
from pets.common.entropy import random_id
from pets.common.files import replace_file
from pets.federated.deployment.gateway import Gate
from pets.federated.messages.errors import ProtocolError
from pets.federated.messages.message import Kind, parse
from pets.federated.query_round.coordinator import plain

FILE = "notices.log"
KEPT = 1000
"""Notices that are kept; older ones make room."""
AGAIN = 600.0
"""Seconds in which the same notice is not given twice."""


class Notices:
    """A party's notices; safe from threads.

    Args:
        folder: the party's; left out, they are said and not kept.
        say: the console.
    """

    def __init__(self, folder: Path | None, say: Callable[[str], None]) -> None:
        self._file, self._say = None if folder is None else folder / FILE, say
        self._given: dict[str, float] = {}
        self._lock = threading.Lock()

    def note(self, text: str) -> None:
        """Give a notice. Where the disk is full, the console has it all the same."""
        with self._lock:
            late = time.monotonic() - AGAIN
            self._given = {given: at for given, at in self._given.items() if at > late}
            if text in self._given:
                return
            self._given[text] = time.monotonic()
            line = f"{now()}  {plain(text.encode())}"
            self._say(line)
            if self._file is not None:
                with contextlib.suppress(OSError):
                    handle = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                    with os.fdopen(handle, "a", encoding="utf-8") as file:
                        file.write(f"{line}\n")
                    self._trim(self._file)

    def _trim(self, file: Path) -> None:
        lines = file.read_text("utf-8", "replace").splitlines(keepends=True)
        if len(lines) > 2 * KEPT:
            replace_file(file, "".join(lines[-KEPT:]).encode(), owner_only=True)


def last(folder: Path, count: int) -> list[str]:
    """The newest notices of a party's folder, the oldest of them first."""
    try:
        lines = (folder / FILE).read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
    return lines[len(lines) - min(count, len(lines)) :]


class Observed:
    """A gate whose custodian is told what it refused, and what it did not answer.

    Args:
        gate: a site, or a key holder.
        notices: where it is told.
        keep: where the traceback of a fault in pets is kept, by its number; it may quote rows.
    """

    def __init__(self, gate: Gate, notices: Notices, keep: Callable[[str, str], None]) -> None:
        self._gate, self._notices, self._keep = gate, notices, keep

    def handle(self, data: bytes) -> bytes:
        """As the gate does."""
        try:
            reply = self._gate.handle(data)
        except ProtocolError as error:
            self._notices.note(f"A message was not answered: {error}.")
            raise
        except Exception:
            number = random_id()[:12]
            self._keep(number, traceback.format_exc())
            self._notices.note(f"A message was not answered, through a fault in pets (incident {number}).")
            raise
        message = parse(reply)
        if message.kind is Kind.REFUSED:
            self._notices.note(f"Refused: {plain(message.body)}.")
        return reply
