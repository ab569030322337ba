"""Export: the log as one file that anybody can verify without the ledger, in a full and in a public view.

The first line is a header in canonical JSON: format, view, public key, and the signed checkpoint of all that follows.
Then one line an entry, its parts between tabs: the hash of the chain up to it, its body, and in the full view its
private part, each byte as it is stored. (Canonical JSON holds neither a tab nor a line end.) The hashes could be left
out; with them a verifier names the first entry that is not what it was.

What a verifier cannot see by itself: a log that was cut off after an earlier checkpoint, and exported with that, is
whole. Only a checkpoint from outside, kept by somebody else, shows that there was more.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
from binascii import hexlify
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pets.common.codec import canonical
from pets.common.progress import bar
from pets.common.signing import VerifyingKey
from pets.errors import PetsError, UserError, VerificationError
from pets.ledger.ledger import Ledger
from pets.ledger.log.audit import Audit
from pets.ledger.log.checkpoint import Checkpoint, parse
from pets.ledger.log.integrity import LONGEST, ORIGINAL, START, Integrity, blocks
from pets.ledger.log.tally import Account

FORM = "log"
VERSION = 1
VIEWS = ("full", "public")
_MANY = 50_000  # entries from which a second process pays


@dataclass(frozen=True)
class Verified:
    """What an exported log was found to be; nothing in it was altered, left out, added or moved.

    Attributes:
        view: ``full`` or ``public``.
        key: whose signature the checkpoint bears; whether it is the ledger's own is for the reader to know.
        checkpoint: of the whole file.
        accounts: of every dataset.
        outside: the sizes of the outside checkpoints that this log was shown to go on from.
    """

    view: str
    key: VerifyingKey
    checkpoint: Checkpoint
    accounts: tuple[Account, ...]
    outside: tuple[int, ...]


# writing ----------------------------------------------------------------------------------------------------------


def write(ledger: Ledger, path: str | Path, *, public: bool = False, progress: bool = True) -> int:
    """Export a ledger's log as it stands; returns the number of entries.

    The full view holds every query with its constants: it is readable by its owner only.

    Raises :class:`UserError` where the file cannot be written.
    """
    target = Path(path)
    new = target.with_name(f"{target.name}.{os.getpid()}.new")
    try:
        try:
            mode = 0o644 if public else 0o600
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as handle:
                count = _write(ledger, handle, VIEWS[public], progress)
            new.replace(target)
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"the log cannot be written to {str(path)!r} ({error.strerror})") from None
    return count


def _write(ledger: Ledger, handle: BinaryIO, view: str, progress: bool) -> int:
    with ledger.reading() as tx:
        size, note = tx.head.size, ledger.checkpoint(tx)
        handle.write(header(view, ledger.key, note))
        with bar(size, "exporting", unit=" entries", show=_seen(progress)) as moved:
            for body, private, chain in itertools.islice(tx.entries(), size):
                handle.write(line(body, private if view == "full" else None, chain))
                moved.update()
    return size


def header(view: str, key: VerifyingKey, note: str) -> bytes:
    """The first line."""
    form = {"pets": FORM, "version": VERSION, "view": view, "key": key.raw.hex(), "checkpoint": note}
    return canonical(form) + b"\n"


def line(body: bytes, private: bytes | None, chain: bytes) -> bytes:
    """An entry's line; the public view is without the private part."""
    parts = (hexlify(chain), body) if private is None else (hexlify(chain), body, private)
    return b"\t".join(parts) + b"\n"


# verifying --------------------------------------------------------------------------------------------------------


def verify(
    path: str | Path,
    *,
    key: VerifyingKey | None = None,
    checkpoints: Iterable[str] = (),
    progress: bool = True,
) -> Verified:
    """Verify an exported log without the ledger; it is read once, in pieces.

    Args:
        key: the ledger's public key, from a source that is trusted. Left out, the file's own key is used: then all that
            is known is that one key signed all of it.
        checkpoints: signed notes that were kept outside. The log must begin with what they saw.

    Raises :class:`VerificationError`, in one sentence, for anything that is not exactly what was signed.
    """
    try:
        checkpoints = list(checkpoints)
        if Path(path).stat().st_size > _MANY * 300 and (os.cpu_count() or 1) > 1:
            with contextlib.suppress(VerificationError, ValueError, OSError), Path(path).open("rb") as handle:
                return _by_two(handle, key, checkpoints, progress)
        # one process alone says what is wrong, and with which entry
        with Path(path).open("rb") as handle:
            return verify_stream(handle, key=key, checkpoints=checkpoints, progress=progress)
    except OSError as error:
        raise VerificationError(f"the log {str(path)!r} cannot be read ({error.strerror})") from None
    except VerificationError as error:
        raise VerificationError(f"{str(path)!r}: {error}") from None


def verify_stream(
    handle: BinaryIO,
    *,
    key: VerifyingKey | None = None,
    checkpoints: Iterable[str] = (),
    progress: bool = True,
) -> Verified:
    """:func:`verify` for an open file."""
    view, found, checkpoint, outside = _begin(handle, key, checkpoints)
    reading = Reading(view, found, checkpoint, outside)
    with bar(checkpoint.size, "verifying", unit=" entries", show=_seen(progress)) as moved:
        for _, lines in blocks(handle):
            reading.take(lines)
            moved.update(len(lines))
    reading.end()
    return Verified(view, found, checkpoint, reading.audit.accounts, tuple(sorted(one.size for one in outside)))


def _by_two(handle: BinaryIO, key: VerifyingKey | None, checkpoints: Iterable[str], progress: bool) -> Verified:
    """The same by two processes: another one hashes the very bytes whose accounts this one follows.

    Raises ``ValueError``, ``OSError`` or :class:`VerificationError` where anything is not as it must be.
    """
    view, found, checkpoint, outside = _begin(handle, key, checkpoints)
    if checkpoint.size < _MANY:
        raise ValueError("one process is faster")
    ahead = {one.size: [one.root.hex(), one.chain.hex()] for one in (*outside, checkpoint)}
    reading = Accounts(view, found, checkpoint, outside)
    command = [sys.executable, "-m", "pets.ledger.log.integrity", view, *map(str, ahead)]
    pipe = subprocess.PIPE
    with (
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as other,
        bar(checkpoint.size, "verifying", unit=" entries", show=_seen(progress)) as moved,
    ):
        try:
            assert other.stdin is not None and other.stdout is not None
            for data, lines in blocks(handle):
                other.stdin.write(data)
                reading.take(lines)
                moved.update(len(lines))
            other.stdin.close()
            reading.end()
            said = json.loads(other.stdout.read())
        finally:
            other.kill()
    if any(said.get(str(one.size)) != [one.root.hex(), one.chain.hex()] for one in (*outside, checkpoint)):
        raise ValueError("the entries are not those that were signed")
    return Verified(view, found, checkpoint, reading.audit.accounts, tuple(sorted(one.size for one in outside)))


def _begin(
    handle: BinaryIO, key: VerifyingKey | None, checkpoints: Iterable[str]
) -> tuple[str, VerifyingKey, Checkpoint, list[Checkpoint]]:
    """What the header says, and the checkpoints from outside."""
    view, found, checkpoint = _header(handle.readline(LONGEST))
    if key is not None and key.raw != found.raw:
        raise VerificationError(
            f"the log was signed by key {found.id}, and not by {key.id}, the one that was given; check both files"
        )
    return view, found, checkpoint, [parse(note, found) for note in checkpoints]


def _header(first: bytes) -> tuple[str, VerifyingKey, Checkpoint]:
    if not first.startswith(b'{"checkpoint":') or not first.endswith(b"\n"):
        raise VerificationError("this is no exported log; export one with: pets log export --ledger LEDGER --out FILE")
    try:
        form = json.loads(first)
        if form["pets"] != FORM or form["view"] not in VIEWS:
            raise ValueError("another form")
        if form["version"] != VERSION:
            raise VerificationError("the log was exported by another version of pets; upgrade pets")
        key = VerifyingKey(bytes.fromhex(form["key"]))
        # one way to write it, so that no bit can change unseen
        if header(form["view"], key, form["checkpoint"]) != first:
            raise ValueError("another form")
    except VerificationError:
        raise
    except (PetsError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise VerificationError(f"the first line is not what pets wrote; {ORIGINAL}") from None
    try:
        return form["view"], key, parse(form["checkpoint"], key)
    except (PetsError, ValueError, AttributeError):
        raise VerificationError(
            f"the checkpoint in the first line does not bear its key's signature; {ORIGINAL}"
        ) from None


class Accounts:
    """The accounts of a log as far as it was read; whether its bytes are the signed ones is for others to find out."""

    _seals = False

    def __init__(self, view: str, key: VerifyingKey, checkpoint: Checkpoint, outside: Sequence[Checkpoint]) -> None:
        self.size = 0
        self.audit = Audit(checkpoint.origin, key, seals=self._seals)
        self._full = view == "full"
        self._whole = checkpoint
        for one in outside:
            if one.origin != checkpoint.origin:
                raise VerificationError("the checkpoint that was given is of another ledger; find the right one")
            if one.size > checkpoint.size:
                raise VerificationError(
                    f"the checkpoint that was given has seen {one.size} entries, and this log ends after "
                    f"{checkpoint.size}: entries were cut off"
                )
        self._ahead = sorted([*outside, checkpoint], key=lambda one: one.size)
        self._compare()

    def take(self, lines: Sequence[bytes]) -> None:
        """The next lines, without their ends."""
        at = 0
        while at < len(lines):
            if not self._ahead:
                raise VerificationError(
                    f"there are more entries than the {self._whole.size} that were signed; {ORIGINAL}"
                )
            end = min(len(lines), at + self._ahead[0].size - self.size)
            self._take(lines[at:end])
            self.size += end - at
            at = end
            self._compare()

    def _take(self, lines: Sequence[bytes]) -> None:
        hear = self.audit.hear
        for one in lines:
            end = one.find(b"\t", START) if self._full else len(one)
            hear(one[START:end], one[end + 1 :] if self._full else None)

    def _compare(self) -> None:
        """Hold what was read against the checkpoints of this size."""
        while self._ahead and self._ahead[0].size == self.size:
            one = self._ahead.pop(0)
            self._same(one)
            if not self.audit.agrees(one):
                raise VerificationError(
                    f"the checkpoint of {one.size} entries tells another account than the entries lead to; the ledger "
                    "was altered before it was signed"
                )

    def _same(self, one: Checkpoint) -> None:
        """Whether the bytes so far are those that a checkpoint has seen."""

    def end(self) -> None:
        """There is no more."""
        if self._ahead:
            raise VerificationError(f"the log ends after {self.size} of {self._whole.size} entries; {ORIGINAL}")


class Reading(Accounts):
    """A log as far as it was read: lines are taken in order, as many at once as there are.

    A block of lines that is refused leaves nothing behind if it is one line.
    """

    _seals = True

    def __init__(self, view: str, key: VerifyingKey, checkpoint: Checkpoint, outside: Sequence[Checkpoint]) -> None:
        self._integrity = Integrity(view == "full")
        super().__init__(view, key, checkpoint, outside)

    def _take(self, lines: Sequence[bytes]) -> None:
        bodies, privates, chain = self._integrity.checked(lines)
        for body, private in itertools.zip_longest(bodies, privates):
            self.audit.hear(body, private)
        self._integrity.accept(bodies, chain)

    def _same(self, one: Checkpoint) -> None:
        if (one.root, one.chain) != (self._integrity.root(), self._integrity.chain):
            raise VerificationError(
                f"the entries are not those that were signed; {ORIGINAL}"
                if one is self._whole
                else f"the first {one.size} entries are not those that the given checkpoint has seen: entries were "
                "altered or lost since (after a rebase, give a later checkpoint)"
            )


def _seen(progress: bool) -> bool:
    """Whether somebody looks: a job's log gets no bars."""
    return progress and sys.stderr.isatty()
