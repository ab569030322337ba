"""Checkpoints: a signed statement of how long the log was and what it held, kept outside the database.

Without an outside copy a log can be cut short or rolled back, and nobody would see it. The text has the shape of C2SP
``tlog-checkpoint``: origin, size, base64 of the RFC 6962 root, then extension lines; and of a C2SP ``signed-note``:
an empty line, and one signature line.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pets.codec import canonical
from pets.errors import LedgerError, UserError, VerificationError
from pets.signing import SigningKey, VerifyingKey

Totals = Mapping[str, tuple[int, ...]]
"""By dataset: epoch, charged loss and delta in this epoch, charged loss and delta over its life."""


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
        """The note: text, empty line, signature line (em dash, name, base64 of key hash and signature)."""
        signature = base64.b64encode(bytes.fromhex(key.public.id)[:4] + key.sign(self.text.encode())).decode()
        return f"{self.text}\n— {self.origin} {signature}\n"


def parse(note: str, key: VerifyingKey) -> Checkpoint:
    """The checkpoint in a note; raises :class:`VerificationError` when it is malformed or not signed by the key."""
    wrong = VerificationError(
        "the checkpoint is damaged or was not signed by this ledger's key; restore your copy of it"
    )
    try:
        text, _, line = note.partition("\n\n")
        origin, size, root, chain, at, totals = text.split("\n")
        mark, name, signature = line.removesuffix("\n").split(" ")
        found = Checkpoint(
            origin,
            int(size),
            base64.b64decode(root, validate=True),
            bytes.fromhex(chain.removeprefix("chain ")),
            at.removeprefix("at "),
            {name: tuple(parts) for name, parts in json.loads(totals.removeprefix("totals ")).items()},
        )
        raw = base64.b64decode(signature, validate=True)
        # one way to write it, so that no bit can change unseen
        again = f"{found.text}\n— {found.origin} {base64.b64encode(raw).decode()}\n"
        signed = found.text.encode()
    except (UserError, ValueError, TypeError, AttributeError, binascii.Error, RecursionError):
        raise wrong from None
    if again != note or mark != "—" or name != origin or len(found.root) != 32 or found.size < 0:
        raise wrong
    if raw[:4] != bytes.fromhex(key.id)[:4] or not key.verifies(raw[4:], signed):
        raise wrong
    return found


def dataset_id(name: str) -> str:
    """How a checkpoint names a dataset: 64 bits of the SHA-256 of its name, so that its readers need not know it."""
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def publish(path: Path, note: str, size: int) -> None:
    """Replace the checkpoint file as a whole, unless a later one is there already.

    It is not forced to disk: a power loss may leave it empty, and then the one before it, a true one too, stands.
    """
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with path.with_name(f"{path.name}.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if (known := published_size(path)) < size:
                new.write_bytes(note.encode())
                if known >= 0:
                    kept = path.with_name(f"{path.name}.{os.getpid()}.old")
                    kept.unlink(missing_ok=True)
                    kept.hardlink_to(path)
                    kept.replace(_previous(path))
                new.replace(path)
    except OSError as error:
        raise LedgerError(f"the checkpoint cannot be written to {str(path)!r} ({error.strerror})") from None


def _previous(path: Path) -> Path:
    return path.with_name(f"{path.name}.previous")


def newest(path: Path) -> Path | None:
    """The file that holds the newest checkpoint; ``None`` where there is none.

    An empty one is what a power loss leaves; one that is gone was taken away, and nothing stands for it.
    """
    if path.exists() and not path.stat().st_size and _previous(path).exists():
        return _previous(path)
    return path if path.exists() else None


def published_size(path: Path) -> int:
    """The size that the checkpoint in a file states, not verified; -1 where there is none."""
    try:
        with path.open("rb") as handle:
            handle.readline()
            return int(handle.readline())
    except (FileNotFoundError, ValueError):
        return -1
