"""Snapshot store: one table's files in an owner-only folder, sealed so that an edited file is refused."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from pets.common.codec import Json, canonical
from pets.common.entropy import random_id, rank_key
from pets.common.files import held_folder, replace_file
from pets.errors import DataError, UserError
from pets.rows.stored.counters import SUFFIX
from pets.rows.stored.parts import Held, Part, from_json, to_json
from pets.schema.schema import Schema

LAYOUT = 4
"""Of the stored folder; a change of the layout or of the coding raises it."""


class Store:
    """A snapshot's files: the folder ``<table>.parquet`` of its parts, the manifest ``<table>.json``, ``<table>.key``.

    Beside them lies ``<table>.report.txt``, for the custodian to read; no program does.

    The manifest lists every part with its length and its digest, and is written last: until then the earlier snapshot
    is what the folder holds. Where a store renames nothing at once, a manifest that is cut off half-way is refused, and
    the snapshot is made again. The key file holds the rank key and a seal key. The seal, an HMAC over
    the manifest, shows that it, or any part, was edited; it is no defence against somebody who can read the key file.

    Attributes:
        parts: the folder of parts.
        json: the manifest.
    """

    def __init__(self, folder: Path, table: str) -> None:
        self.folder = folder.expanduser().absolute()
        self.table = table
        name = quote(table, safe=" ")
        self.parts, self.json, self._key, self.report = (
            self.folder / f"{name}.{end}" for end in ("parquet", "json", "key", "report.txt")
        )

    def prepare(self) -> None:
        """Make the folder, or check that an existing one is the owner's alone, and has nothing else where parts go.

        Raises :class:`DataError` where it is not, or has: it may be the very data of the table.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(
                f"the folder {self.folder.name!r} cannot be made ({error.strerror}); choose another"
            ) from None
        self._private(self.folder, "the folder")
        with self._between_commits():  # that it keeps no locks is said before anything is read
            pass
        for path in (self.parts, self.json):
            if path.is_symlink() or (path.exists() and not self._ours()):
                raise DataError(
                    f"the folder {self.folder.name!r} has {path.name}, which is no snapshot that pets made, and would "
                    "be replaced; choose another folder"
                )

    def _ours(self) -> bool:
        """Whether what stands under the table's names was written here, by whatever version."""
        if self._key.exists():  # which is written before anything else
            return True
        try:
            return {"layout", "seal"} <= set(json.loads(self.json.read_bytes()))
        except (OSError, ValueError, TypeError, RecursionError):
            return False

    def key(self) -> tuple[int, bytes]:
        """The rank key and the seal key, made on first use."""
        with contextlib.suppress(FileExistsError):
            fresh = canonical({"rank": f"{rank_key():016x}", "seal": random_id()})
            handle = os.open(self._key, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(fresh)
                file.flush()
                os.fsync(file.fileno())
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
        """A new owner-only folder to write parts to; it is gone afterwards, and what was not committed with it.

        Its name is one that whoever makes a snapshot here next sweeps away, if this process was killed.
        """
        new = self.folder / f".pets-new-{public_id}"

        def made() -> Path:
            new.mkdir(mode=0o700)
            return new

        _, lock = held_folder(made, lambda handle: self.lock(handle, fcntl.LOCK_EX))
        try:
            yield new
        finally:
            shutil.rmtree(new, ignore_errors=True)
            os.close(lock)

    def sealed(self, new: New) -> Path:
        """Write the manifest of new parts beside them, with its seal, and see to it that all are on the disk."""
        files = sorted(new.folder.glob("*.parquet"))
        for file in files:
            file.chmod(0o600)
            _flush(file)
        found = list(map(Part.of, files))
        people = [part for part in found if part.name.endswith(SUFFIX)]
        body = new.manifest | {"parts": to_json([*new.kept, *(part for part in found if part not in people)])}
        if people:
            body["people"] = to_json(people)
        body["seal"] = self._seal(body)
        page = new.folder / "manifest"
        with os.fdopen(os.open(page, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as written:
            written.write(canonical(body))
            written.flush()
            os.fsync(written.fileno())
        return page

    def place(self, new: New) -> None:
        """Move new parts to where the manifest will look for them; none of them is there yet.

        Raises :class:`DataError` where parts that were to be kept are gone, since somebody refreshed the snapshot.
        """
        there = all((self.parts / part.name).is_file() for part in new.kept)
        if not there or (new.after and json.loads(self.json.read_bytes())["id"] != new.after):
            raise DataError(f"the snapshot of table {self.table!r} was refreshed meanwhile; make it again")
        if self.parts.is_file():  # of an earlier layout, which nothing reads
            self.parts.unlink()
        self.parts.mkdir(mode=0o700, exist_ok=True)
        for file in sorted(new.folder.glob("*.parquet")):
            file.replace(self.parts / file.name)
        _flush(self.parts)

    def sweep(self) -> None:
        """Remove the parts that the manifest does not list: of earlier snapshots, and of what was cut off."""
        held = json.loads(self.json.read_bytes())
        listed = {part["name"] for part in [*held["parts"], *held.get("people", [])]}
        for file in self.parts.iterdir():
            if file.name not in listed:
                with contextlib.suppress(OSError):
                    file.unlink()

    def tell(self, text: str) -> None:
        """Leave the report for the custodian, in place of the earlier one."""
        try:
            replace_file(self.report, f"{text}\n".encode(), owner_only=True)
        except OSError as error:
            raise DataError(
                f"the snapshot of table {self.table!r} was stored, but its report {self.report.name} was not "
                f"({error.strerror}); open a session on the snapshot, whose report() says the same"
            ) from None

    def of(self, schema: Schema) -> tuple[Json, Held]:
        """What :meth:`read` gives, of a snapshot that was made for this very schema."""
        manifest, held = self.read()
        if manifest.get("schema") != schema.digest:
            raise DataError(f"the snapshot of table {self.table!r} was made for another schema; make it again")
        return manifest, held

    def read(self) -> tuple[Json, Held]:
        """The manifest, after every check, and the parts that it lists."""
        for path, what in (
            (self.folder, "the folder"),
            (self.json, "the manifest"),
            (self.parts, "the folder of parts"),
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
            self.lock(folder, fcntl.LOCK_SH)
            yield
        finally:
            os.close(folder)

    def lock(self, handle: int, how: int) -> None:
        """Lock an open folder of the store; raises :class:`DataError` where the store keeps no locks."""
        try:
            fcntl.flock(handle, how)
        except OSError as error:
            raise DataError(
                f"the folder {self.folder.name!r} lies on a store that keeps no locks ({error.strerror}), so that two "
                "who make snapshots there could mix theirs; choose a folder on a disk of this machine, or on a store "
                "that is mounted with locks"
            ) from None

    def _checked(self) -> tuple[Json, Held]:
        changed = DataError(f"the snapshot of table {self.table!r} was changed or is incomplete; make it again")
        try:
            manifest = json.loads(self.json.read_bytes())
            seal = manifest.pop("seal")
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise changed from None
        if manifest.get("layout") != LAYOUT:
            raise DataError(f"the snapshot of table {self.table!r} was made by another version of pets; make it again")
        try:
            sealed = hmac.compare_digest(str(seal).encode("utf-8", "replace"), self._seal(manifest).encode())
        except DataError:  # the key file's
            raise
        except (UserError, ValueError):  # what pets never writes
            raise changed from None
        if manifest.get("table") != self.table or not sealed:
            raise changed
        files = self._files(manifest)
        for path in files:
            if not path.is_file():  # to open another kind of file could wait for ever
                raise changed
            self._private(path, "the file")
        held = Held(self.json, files)
        if tuple(map(Part.of, held.parts)) != from_json(manifest["parts"]):
            raise changed
        return dict(manifest), held

    def people(self, manifest: Json) -> list[Path]:
        """The files of counters that a manifest names, after a check that they are what they were.

        Raises :class:`DataError` where they are not.
        """
        found = []
        for part in from_json(manifest["people"]):
            path = self.parts / part.name
            if not path.is_file() or Part.of(path) != part:
                raise DataError(f"the snapshot of table {self.table!r} was changed or is incomplete; make it again")
            self._private(path, "the file")
            found.append(path)
        return found

    def _files(self, manifest: Json) -> list[Path]:
        return [self.parts / part.name for part in from_json(manifest["parts"])]

    def held(self) -> Held:
        """The parts that the manifest lists now, as this process has just committed them."""
        return Held(self.json, self._files(json.loads(self.json.read_bytes())))

    def _seal(self, body: Json) -> str:
        rank, seal = self.key()
        return hmac.new(b"%016x" % rank + seal, canonical(body), hashlib.sha256).hexdigest()

    def _private(self, path: Path, what: str) -> None:
        """Refuse what anybody but the owner could read or change."""
        found = path.lstat() if path != self.folder else path.stat()
        wanted, mode = ("700", 0o077) if stat.S_ISDIR(found.st_mode) else ("600", 0o077)
        name = path.name or str(path)
        if stat.S_ISLNK(found.st_mode):
            raise DataError(f"{what} {name} is a link, and may lead anywhere; move what it leads to into its place")
        if found.st_mode & mode or found.st_uid not in (os.geteuid(), 0):
            raise DataError(f"{what} {name} can be read by others than its owner; run: chmod {wanted} {name}")


@dataclass(frozen=True)
class New:
    """A snapshot that is about to take the place of another.

    Attributes:
        store: where.
        folder: of its new parts, as :meth:`Store.writing` gave it: files ``*.parquet`` with names of their own.
        manifest: what is said of them; their list and the seal are added.
        kept: parts of the earlier snapshot that are its parts, too.
        after: the public id of that snapshot, which must still be there; empty where it takes the place of any.
    """

    store: Store
    folder: Path
    manifest: Json
    kept: tuple[Part, ...] = ()
    after: str = ""


def commit(written: Sequence[New]) -> list[Held]:
    """Put new snapshots of one folder in place of the old ones, once all are whole; gives their files.

    All are sealed, and all parts are where they belong and on the disk, before the first manifest is put there. What is
    cut off between two manifests leaves tables of two sets, and each of them is still whole.

    Raises:
        DataError: where the store fails; it says what has taken its place by then.
    """
    placed: list[str] = []
    try:
        return _committed(written, placed)
    except OSError as error:
        folder, rest = written[0].store.folder.name, [new.store.table for new in written[len(placed) :]]
        why = f"the folder {folder!r} could not be written to ({error.strerror or type(error).__name__})"
        if not placed:
            raise DataError(f"{why}, and nothing was stored; mend that, then make the snapshot again") from None
        old = f", but not {', '.join(map(repr, rest))}" if rest else ""
        raise DataError(
            f"{why} when the new snapshots of {', '.join(map(repr, placed))} were already stored{old}; mend that, then "
            "make all of them again together"
        ) from None


def _committed(written: Sequence[New], placed: list[str]) -> list[Held]:
    pages = [new.store.sealed(new) for new in written]
    store = written[0].store
    folder = os.open(store.folder, os.O_RDONLY)
    try:
        store.lock(folder, fcntl.LOCK_EX)
        for new in written:
            new.store.place(new)
        os.fsync(folder)  # a folder of parts, or a key, may be new in it
        for new, page in zip(written, pages, strict=True):
            page.replace(new.store.json)
            placed.append(new.store.table)
        os.fsync(folder)
        held = [new.store.held() for new in written]
        for new in written:
            new.store.sweep()
        return held
    finally:
        os.close(folder)


def _flush(path: Path) -> None:
    """Have a file or a folder on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
