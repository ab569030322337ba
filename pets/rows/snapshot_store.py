"""Snapshot store: one table's files in an owner-only folder, sealed so that an edited file is refused."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from pets.common.codec import Json, canonical
from pets.common.entropy import random_id, rank_key
from pets.errors import DataError

LAYOUT = 2
"""Of the stored folder; a change of the layout or of the coding raises it."""


class Store:
    """A snapshot's files: ``<table>.parquet``, ``<table>.json`` (the manifest) and ``<table>.key``.

    Beside them lies ``<table>.report.txt``, for the custodian to read; no program does.

    The key file holds the rank key and a seal key. The seal, an HMAC over both other files, shows that one was edited
    or that a refresh was cut off between them; it is no defence against somebody who can read the key file.
    """

    def __init__(self, folder: Path, table: str) -> None:
        self.folder = folder.expanduser().absolute()
        self.table = table
        name = quote(table, safe=" ")
        self.parquet, self.json, self._key, self.report = (
            self.folder / f"{name}.{end}" for end in ("parquet", "json", "key", "report.txt")
        )

    def prepare(self) -> None:
        """Make the folder, or check that an existing one is the owner's alone."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(
                f"the folder {self.folder.name!r} cannot be made ({error.strerror}); choose another"
            ) from None
        self._private(self.folder, "the folder")

    def key(self) -> tuple[int, bytes]:
        """The rank key and the seal key, made on first use."""
        with contextlib.suppress(FileExistsError):
            fresh = canonical({"rank": f"{rank_key():016x}", "seal": random_id()})
            handle = os.open(self._key, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(fresh)
        self._private(self._key, "the key file")
        try:
            held = json.loads(self._key.read_bytes())
            return int(held["rank"], 16), bytes.fromhex(held["seal"])
        except (OSError, ValueError, KeyError, TypeError):
            raise DataError(
                f"the key file {self._key.name} is damaged; remove it, then make the snapshot again"
            ) from None

    @contextlib.contextmanager
    def writing(self, public_id: str) -> Iterator[Path]:
        """A new owner-only file to write to; it is gone afterwards unless it was committed."""
        new = self.folder / f".new-{public_id}"
        os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            yield new
        finally:
            new.unlink(missing_ok=True)
            for end in (".json", ".txt"):
                new.with_suffix(end).unlink(missing_ok=True)

    def sealed(self, new: Path, manifest: Json) -> Path:
        """Write the manifest of a new file beside it, with its seal."""
        body = manifest | {"bytes": new.stat().st_size}
        body["seal"] = self._seal(new, body)
        page = new.with_suffix(".json")
        with os.fdopen(os.open(page, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(canonical(body))
            os.fsync(file.fileno())
        with new.open("rb") as written:
            os.fsync(written.fileno())
        return page

    def tell(self, public_id: str, text: str) -> None:
        """Leave the report for the custodian, in place of the earlier one."""
        new = self.folder / f".new-{public_id}.txt"
        with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
            file.write(f"{text}\n")
        new.replace(self.report)

    def read(self) -> Json:
        """The manifest, after every check."""
        for path, what in (
            (self.folder, "the folder"),
            (self.json, "the manifest"),
            (self.parquet, "the file"),
            (self._key, "the key file"),
        ):
            if not path.exists():
                raise DataError(
                    f"there is no snapshot of table {self.table!r} here: {what} {path.name} is missing; make it first"
                )
            self._private(path, what)
        with self._between_commits():
            return self._checked()

    @contextlib.contextmanager
    def _between_commits(self) -> Iterator[None]:
        """Not while a refresh puts one file after the other in its place."""
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_SH)
            yield
        finally:
            os.close(folder)

    def _checked(self) -> Json:
        changed = DataError(f"the snapshot of table {self.table!r} was changed or is incomplete; make it again")
        try:
            manifest = json.loads(self.json.read_bytes())
            seal = manifest.pop("seal")
            size = self.parquet.stat().st_size
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise changed from None
        if manifest.get("layout") != LAYOUT:
            raise DataError(f"the snapshot of table {self.table!r} was made by another version of pets; make it again")
        if (manifest.get("table"), manifest.get("bytes")) != (self.table, size) or not hmac.compare_digest(
            str(seal), self._seal(self.parquet, manifest)
        ):
            raise changed
        return dict(manifest)

    def _seal(self, parquet: Path, body: Json) -> str:
        rank, seal = self.key()
        tag = hmac.new(b"%016x" % rank + seal, canonical(body), hashlib.sha256)
        with parquet.open("rb") as file:
            while chunk := file.read(1 << 20):
                tag.update(chunk)
        return tag.hexdigest()

    def _private(self, path: Path, what: str) -> None:
        """Refuse what anybody but the owner could read or change."""
        found = path.lstat() if path != self.folder else path.stat()
        wanted, mode = ("700", 0o077) if stat.S_ISDIR(found.st_mode) else ("600", 0o077)
        if found.st_mode & mode or found.st_uid not in (os.geteuid(), 0):
            name = path.name or str(path)
            raise DataError(f"{what} {name} can be read by others than its owner; run: chmod {wanted} {name}")


def commit(written: Sequence[tuple[Store, Path, Json]]) -> None:
    """Put the new files of one folder and their manifests in place of the old ones, once all are whole.

    Each is sealed before the first is moved. What is cut off between two moves leaves tables of two sets, and each of
    them is still whole.
    """
    pages = [store.sealed(new, manifest) for store, new, manifest in written]
    folder = os.open(written[0][0].folder, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        for (store, new, _), page in zip(written, pages, strict=True):
            new.replace(store.parquet)
            page.replace(store.json)
        os.fsync(folder)
    finally:
        os.close(folder)
