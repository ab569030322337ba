"""File store: the exact bytes of outputs, by their SHA-256, for the owner alone, beside the ledger's key.

They may disclose what nobody has approved yet, so they are never in the ledger's database nor in its log. Those of a
ledger in memory die with it. Several hosts of one ledger share the folder, as they share its key. Those of an output
that was withdrawn or rejected are deleted, and what a crash left undeleted is deleted when the ledger is opened next.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from collections.abc import Iterable
from pathlib import Path
from weakref import WeakKeyDictionary, WeakSet

from pets.common.entropy import random_id
from pets.errors import LedgerError
from pets.ledger.db import outputs
from pets.ledger.ledger import Ledger
from pets.ledger.review.votes import GONE

_DIGEST = re.compile(r"[0-9a-f]{64}")
_memory: WeakKeyDictionary[Ledger, dict[str, bytes]] = WeakKeyDictionary()
_opened: WeakSet[Ledger] = WeakSet()
LEFT = 86_400
"""Seconds after which a file that was begun and not ended was left behind."""


class FileStore:
    """The files of a ledger's outputs; safe from threads and processes."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        place = ledger.public_path
        self._folder = None if place is None else place.with_name(f"{place.name.removesuffix('.pub')}.outputs")

        if self._folder is not None and ledger not in _opened:
            _opened.add(ledger)
            self._sweep(self._folder)

    def _sweep(self, folder: Path) -> None:
        """Delete again what should have been: what no output names, and what was begun long ago and never ended."""
        found, begun = list[str](), list[Path]()
        with contextlib.suppress(OSError):
            for path in folder.iterdir():
                if _DIGEST.fullmatch(path.name):
                    found.append(path.name)
                elif path.suffix == ".new" and path.stat().st_mtime < time.time() - LEFT:
                    begun.append(path)
        for path in begun:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        if not found:
            return
        with self._ledger.reading() as tx:
            kept = outputs.manifests(tx.connection, [one.value for one in GONE])
        alive = {file["sha256"] for manifest in kept for file in json.loads(manifest)["files"]}
        if left := [name for name in found if name not in alive]:
            self.forget(left)

    def put(self, data: bytes) -> str:
        """Keep bytes, durably, and give their digest; raises :class:`LedgerError` where they cannot be written."""
        name = hashlib.sha256(data).hexdigest()
        if self._folder is None:
            _memory.setdefault(self._ledger, {})[name] = data
            return name
        path = self._folder / name
        new = self._folder / f".{random_id()}.new"
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            if path.is_file() and self._read(path, name) is not None:
                return name
            handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
            self._settle()
        except OSError:
            raise LedgerError(
                f"the folder {str(self._folder)!r}, which keeps the files of outputs, cannot be written; look at its "
                "owner and at the space on its disk"
            ) from None
        finally:
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)
        return name

    def has(self, name: str) -> bool:
        """Whether there is a file of this digest; its bytes are looked at when they are read."""
        return name in _memory.get(self._ledger, {}) if self._folder is None else (self._folder / name).is_file()

    def forget(self, names: Iterable[str]) -> None:
        """Delete those that no output names from which something may still leave.

        No output is entered meanwhile: whoever enters one looks in the same transaction whether its files are there.
        """
        gone = [one.value for one in GONE]
        with self._ledger.writing() as (tx, _):
            for name in set(names):
                if outputs.named(tx.connection, name, gone):
                    continue
                if self._folder is None:
                    _memory.get(self._ledger, {}).pop(name, None)
                elif _DIGEST.fullmatch(name):
                    with contextlib.suppress(OSError):
                        (self._folder / name).unlink(missing_ok=True)

    def get(self, name: str) -> bytes:
        """The bytes of this digest; raises :class:`LedgerError` where they are not there, or are others."""
        found = None
        if self._folder is None:
            found = _memory.get(self._ledger, {}).get(name)
        elif _DIGEST.fullmatch(name):
            found = self._read(self._folder / name, name)
        if found is None:
            raise LedgerError(
                "a file of this output is missing from the folder beside the ledger, or was altered there; restore the "
                "folder from its backup, or ask for the output to be submitted anew"
            )
        return found

    def _settle(self) -> None:
        """The new name is durable, too."""
        with contextlib.suppress(OSError):
            handle = os.open(str(self._folder), os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    @staticmethod
    def _read(path: Path, name: str) -> bytes | None:
        with contextlib.suppress(OSError):
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() == name:
                return data
        return None
