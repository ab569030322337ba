"""Checkpoints: a signed statement of how long the log was and what it held, kept outside the database.

Without an outside copy a log can be cut short or rolled back, and nobody would see it. The text has the shape of C2SP
``tlog-checkpoint``: origin, size, base64 of the RFC 6962 root, then extension lines; and of a C2SP ``signed-note``:
an empty line, the ledger's signature line, and perhaps the lines of others who saw the same. The id in the ledger's
line is that of a signed note, of name, kind and key; earlier versions wrote the key's own, and both are read for ever.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pets.common.codec import canonical
from pets.common.files import only_owner_writes
from pets.common.signing import SigningKey, VerifyingKey
from pets.errors import LedgerError, UserError, VerificationError
from pets.verify.witness import LOG, Key, Unwitnessed, parts

Totals = Mapping[str, tuple[int, ...]]
"""By dataset: epoch, charged loss and delta in this epoch, charged loss and delta over its life."""

SECTOR = 512
"""Bytes that a disk writes whole or not at all."""


@dataclass(frozen=True)
class Checkpoint:
    """What a log was at one moment.

    Attributes:
        origin: the ledger's public id.
        size: entries in the log.
        root: the Merkle root of them.
        chain: the hash of the newest entry, which chains all before it.
        at: when (ISO 8601, UTC).
        totals: what was charged, so that a ledger restored from an old backup can count what it has forgotten.
    """

    origin: str
    size: int
    root: bytes
    chain: bytes
    at: str
    totals: Totals

    @property
    def text(self) -> str:
        """The text that is signed."""
        totals = canonical({name: list(parts) for name, parts in self.totals.items()}).decode()
        root = base64.b64encode(self.root).decode()
        return f"{self.origin}\n{self.size}\n{root}\nchain {self.chain.hex()}\nat {self.at}\ntotals {totals}\n"

    def signed(self, key: SigningKey) -> str:
        """The note: text, empty line, signature line (em dash, name, base64 of key id and signature)."""
        of = Key(self.origin, LOG, key.public.raw)
        signature = base64.b64encode(of.id + key.sign(self.text.encode())).decode()
        return f"{self.text}\n— {self.origin} {signature}\n"


def parse(note: str, key: VerifyingKey) -> Checkpoint:
    """The checkpoint in a note; raises :class:`VerificationError` when it is malformed or not signed by the key.

    What others signed in it is not looked at (:func:`pets.verify.witness.rules`).
    """
    wrong = VerificationError(
        "the checkpoint is damaged or was not signed by this ledger's key; restore your copy of it"
    )
    try:
        text, lines = parts(note)
        origin, size, root, chain, at, totals = text.removesuffix("\n").split("\n")
        found = Checkpoint(
            origin,
            int(size),
            base64.b64decode(root, validate=True),
            bytes.fromhex(chain.removeprefix("chain ")),
            at.removeprefix("at "),
            {name: tuple(parts) for name, parts in json.loads(totals.removeprefix("totals ")).items()},
        )
        signed = found.text.encode()
    except (UserError, Unwitnessed, ValueError, TypeError, AttributeError, binascii.Error, RecursionError):
        raise wrong from None
    if found.text != text or len(found.root) != 32 or found.size < 0:  # one way to write it: no bit can change unseen
        raise wrong
    ids = (Key(origin, LOG, key.raw).id, bytes.fromhex(key.id)[:4])  # the second: of earlier versions
    own = [raw[4:] for name, raw in lines if name == origin and raw[:4] in ids]
    if not own or not all(key.verifies(signature, signed) for signature in own):
        raise wrong
    return found


def dataset_id(name: str) -> str:
    """How a checkpoint names a dataset: 64 bits of the SHA-256 of its name, so that its readers need not know it."""
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def publish(path: Path, note: str, size: int, key: VerifyingKey) -> None:
    """Put a checkpoint in the file, unless a later one is there already; the one before it goes beside it.

    Both are written in place and not forced to disk: a rename would make the file system write at once, and cost as
    much as a durable transaction. What a power loss leaves of such a write is told by :func:`newest`.
    """
    try:
        with _locked(path, fcntl.LOCK_EX):
            found, before = (one.read_bytes() if one.exists() else b"" for one in (path, _previous(path)))
            if _cut_short(found, before, key):
                found = before  # what a power loss left is replaced, and never put beside the next
            if (known := _size(found)) < size:
                if known >= 0:
                    _write(_previous(path), found.rstrip(b"\0"))
                _write(path, note.encode())
    except OSError as error:
        raise LedgerError(f"the checkpoint cannot be written to {str(path)!r} ({error.strerror})") from None


@contextlib.contextmanager
def _locked(path: Path, how: int) -> Iterator[None]:
    writes = os.O_RDWR | os.O_CREAT if how == fcntl.LOCK_EX else os.O_RDONLY
    lock = os.open(path.with_name(f"{path.name}.lock"), writes, 0o600)
    try:
        if how == fcntl.LOCK_EX:
            only_owner_writes(lock)
        fcntl.flock(lock, how)
        yield
    finally:
        os.close(lock)


def _write(path: Path, content: bytes) -> None:
    """In one write; a killed process leaves at most zeros behind the new content, which a reader drops."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        only_owner_writes(file)
        os.pwrite(file, content.ljust(os.fstat(file).st_size, b"\0"), 0)
        os.ftruncate(file, len(content))
    finally:
        os.close(file)


def _previous(path: Path) -> Path:
    return path.with_name(f"{path.name}.previous")


def read(path: Path) -> bytes:
    """What a checkpoint's file holds, never half of one that is being written."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # a copy has no lock beside it, and needs none
            stack.enter_context(_locked(path, fcntl.LOCK_SH))
        return path.read_bytes()


def newest(path: Path, key: VerifyingKey) -> bytes | None:
    """The newest checkpoint in a file or, where that was cut short, beside it; ``None`` where there is no file.

    The one before it, a true one too, stands for one that a power loss has left empty, or made of sectors of both.
    One that is gone was taken away, and nothing stands for it.
    """
    if not path.exists():
        return None
    found = read(path)
    with contextlib.suppress(FileNotFoundError):
        before = read(_previous(path))
        return before if _cut_short(found, before, key) else found.rstrip(b"\0")
    return found.rstrip(b"\0")


def _cut_short(found: bytes, before: bytes, key: VerifyingKey) -> bool:
    """Whether a file holds what is left of one write over another that did not come to its end."""
    note = found.rstrip(b"\0")
    if not note or not before or note == before:
        return not note and bool(before)
    mixed = any(note[at : at + SECTOR] == before[at : at + SECTOR] for at in range(0, len(note), SECTOR))
    if not mixed and (note == found or note.endswith(b"\n")):
        return False
    try:  # the totals of many datasets fill whole sectors, and may be in both
        parse(note.decode("utf-8", "replace"), key)
    except VerificationError:
        return True
    return False


def published_size(path: Path, key: VerifyingKey) -> int:
    """The size that the checkpoint in a file states, not verified; -1 where there is none."""
    found = newest(path, key)
    return -1 if found is None else _size(found)


def _size(note: bytes) -> int:
    try:
        return int(note.split(b"\n", 2)[1])
    except (IndexError, ValueError):
        return -1
