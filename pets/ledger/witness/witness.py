"""Witness: somebody who signs a log's checkpoint only where it goes on from the one that they signed before.

It holds one line for each log that it knows: how many entries it has seen, and their root. It sees no entry, and no
row; of a pets ledger's checkpoint it sees the totals of each dataset's account. What it signs shows that nobody was
shown another log of that name and size. Sources: c2sp.org/tlog-witness and tlog-cosignature (Ed25519, cosignature/v1).
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import fcntl
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pets.common import signing
from pets.common.codec import Json, canonical
from pets.common.files import make_folder
from pets.errors import UserError, shown
from pets.ledger.log.merkle import consistent
from pets.verify.witness import LOG, NAME, WITNESS, Key, Unwitnessed, key, message, parts, signed_at

MAX_PROOF = 63
"""Lines of a consistency proof."""


@dataclass(frozen=True)
class Reply:
    """What a witness answers: an HTTP status, a body and its type."""

    status: int
    body: str
    kind: str = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Enquiry:
    """What a log asks: that a checkpoint is signed which goes on from a size that was signed before."""

    old: int
    proof: tuple[bytes, ...]
    note: str

    def __str__(self) -> str:
        proof = "".join(f"{base64.b64encode(node).decode()}\n" for node in self.proof)
        return f"old {self.old}\n{proof}\n{self.note}"

    @classmethod
    def parse(cls, text: str) -> Enquiry:
        """The inverse of ``str``; raises ``ValueError`` for anything else."""
        head, empty, note = text.partition("\n\n")
        first, *lines = head.split("\n")
        found = re.fullmatch("old (0|[1-9][0-9]{0,15})", first)
        if found is None or not empty or len(lines) > MAX_PROOF:
            raise ValueError("not a request to a witness")
        made = cls(int(found[1]), tuple(base64.b64decode(line, validate=True) for line in lines), note)
        if str(made) != text or any(len(node) != 32 for node in made.proof):
            raise ValueError("written otherwise")
        return made


class Witness:
    """A witness, in a folder of its own: its key, its name, the logs that it knows and what it has seen of them.

    Raises:
        UserError: where the folder holds no witness.
    """

    def __init__(self, folder: str | Path, clock: Callable[[], float] = time.time) -> None:
        self.folder, self._clock = Path(folder), clock
        try:
            form = json.loads((self.folder / "witness.json").read_text("utf-8"))
            self.name, self.logs = str(form["name"]), [key(text) for text in form["logs"]]
        except OSError as error:
            raise UserError(
                f"there is no witness in {str(folder)!r} ({error.strerror}); make one with pets witness open"
            ) from None
        except (ValueError, LookupError, TypeError, Unwitnessed):
            raise UserError(f"witness.json in {str(folder)!r} was edited; restore it from a backup") from None
        self._key = signing.load_or_make(self.folder / "witness.key")

    @classmethod
    def open(cls, folder: str | Path, name: str) -> Witness:
        """A new witness. Its name is for ever: a URL without its scheme, such as ``witness.hospital.example/w1``.

        Raises:
            UserError: where there is one, or the name cannot be one.
        """
        place = Path(folder)
        if not isinstance(name, str) or len(name) > 200 or not re.fullmatch(NAME, name):
            known = "has no spaces and no '+', such as hospital.example/w1"
            raise UserError(f"a witness's name {known}, not {shown(name)}")
        if (place / "witness.json").exists():
            raise UserError(f"there is a witness in {str(folder)!r} already")
        try:
            make_folder(place)
            _durable(place / "witness.json", canonical({"name": name, "logs": []}))
        except OSError as error:
            raise UserError(f"a witness cannot be made in {str(folder)!r} ({error.strerror})") from None
        return cls(place)

    @property
    def key(self) -> Key:
        """Its public key, as policies name it."""
        return Key(self.name, WITNESS, self._key.public.raw)

    def trust(self, text: str) -> Key:
        """Know one more log, by its public key (``pets log key``).

        Raises:
            UserError: where it is none, or a log of that name is known by another key.
        """
        try:
            found = key(text.strip())
        except Unwitnessed as why:
            raise UserError(f"{why}; a ledger's is printed by pets log key") from None
        if found.kind != LOG or any(one.name == found.name and one != found for one in self.logs):
            raise UserError("this is no log's key, or a log of that name is known by another key; ask its custodian")
        with self._alone():
            known = [*dict.fromkeys([*self.logs, found])]
            _durable(self.folder / "witness.json", canonical({"name": self.name, "logs": [str(one) for one in known]}))
        self.logs = known
        return found

    @property
    def seen(self) -> Json:
        """By log, the size and the root (base64) of the checkpoint that was signed last."""
        try:
            return dict(json.loads((self.folder / "seen.json").read_text("utf-8")))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError):
            raise UserError(f"seen.json in {str(self.folder)!r} cannot be read; nothing is signed without it") from None

    def add_checkpoint(self, text: str) -> Reply:
        """Sign a checkpoint, where it goes on from what was signed before; it is stored before it is signed."""
        try:
            asked = Enquiry.parse(text)
            body, _ = parts(asked.note)
            origin, size, root = body.split("\n")[:3]
            wanted, found = int(size), base64.b64decode(root, validate=True)
            if str(wanted) != size or wanted < 0 or len(found) != 32:
                raise ValueError("no checkpoint")
        except (ValueError, binascii.Error, Unwitnessed):
            return Reply(400, "this is no request to a witness\n")
        known = [one for one in self.logs if one.name == origin]
        if not known:
            return Reply(404, "this witness does not know the log\n")
        try:
            if all(signed_at(asked.note, one) is None for one in known):
                raise Unwitnessed("no signature of the log")
        except Unwitnessed:
            return Reply(403, "the checkpoint is not signed by the log\n")
        if asked.old > wanted:
            return Reply(400, "the checkpoint ends before the size that it goes on from\n")
        with self._alone():
            seen = self.seen
            before, last = seen.get(origin, [0, ""])
            if before != asked.old:
                return Reply(409, f"{before}\n", "text/x.tlog.size")
            if before == wanted and before and last != root:
                return Reply(409, "another log of that name and size was seen\n")
            if not consistent(asked.old, wanted, base64.b64decode(last), found, asked.proof):
                return Reply(422, "the checkpoint is not shown to go on from what was seen\n")
            _durable(self.folder / "seen.json", canonical(seen | {origin: [wanted, root]}))
            return Reply(200, self._signed(body))

    def _signed(self, body: str) -> str:
        at = int(self._clock())
        signature = self.key.id + at.to_bytes(8, "big") + self._key.sign(message(body, at))
        return f"— {self.name} {base64.b64encode(signature).decode()}\n"

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """No other thread or process of this witness looks at what was seen, or changes it, meanwhile."""
        lock = os.open(self.folder / "witness.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _durable(path: Path, content: bytes) -> None:
    """Write a whole file and see it on the disk: what was signed must not be forgotten by a power loss."""
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(file, "wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
