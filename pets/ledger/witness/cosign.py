"""A log's side of witnessing: ask others to sign its checkpoint, keep what they signed, prove what it covers.

It is done beside the answers, never before one: a witness that is dead or refuses costs no answer.
"""

from __future__ import annotations

import base64
import itertools
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from pets.errors import LedgerError, UserError, VerificationError
from pets.ledger.ledger import Ledger
from pets.ledger.log.checkpoint import parse
from pets.ledger.log.merkle import consistency_path, inclusion_path, leaf_hash, root_from_path
from pets.ledger.witness.witness import Enquiry
from pets.verify.witness import LOG, PROOF, Key, Unwitnessed, parts

PATIENCE = 10.0
"""Seconds for which a witness is waited for."""
_MAX_REPLY = 100_000


@dataclass(frozen=True)
class Head:
    """A log as it stands: its signed checkpoint, and the hashes of its leaves."""

    note: str
    leaves: tuple[bytes, ...]

    @property
    def size(self) -> int:
        """How many entries it has."""
        return len(self.leaves)

    def enquiry(self, old: int) -> Enquiry:
        """What a witness that has signed ``old`` entries is asked.

        Raises:
            VerificationError: where the log has fewer: a witness saw more than there is.
        """
        if old > self.size:
            raise VerificationError(
                f"the witness has seen {old} entries, and the ledger holds {self.size}: entries were lost or cut off"
            )
        return Enquiry(old, consistency_path(old, self.leaves), self.note)


@dataclass(frozen=True)
class Cosigned:
    """What came of asking.

    Attributes:
        note: the checkpoint with every line that witnesses sent.
        size: of the log that it covers.
        failed: by witness, why it did not sign.
    """

    note: str
    size: int
    failed: dict[str, str]


def log_key(ledger: Ledger) -> Key:
    """A ledger's public key as witnesses and policies name it."""
    return Key(ledger.origin, LOG, ledger.key.raw)


def head(ledger: Ledger) -> Head:
    """The log of a ledger now."""
    with ledger.reading() as tx:
        note, size = ledger.checkpoint(tx), tx.head.size
        leaves = tuple(leaf_hash(body) for body, _, _ in itertools.islice(tx.entries(), size))
    if len(leaves) != size:
        raise LedgerError("the log grew while it was read; try again")
    return Head(note, leaves)


def cosign(log: Head, urls: Sequence[str], patience: float = PATIENCE) -> Cosigned:
    """Ask each witness in turn; one that is dead, slow or refuses is named, and the others sign all the same."""
    note, failed = log.note, dict[str, str]()
    for url in urls:
        try:
            note = joined(note, asked(log, url, patience))
        except (UserError, Unwitnessed) as why:
            failed[url] = str(why)
    return Cosigned(note, log.size, failed)


def joined(note: str, lines: str) -> str:
    """A note with more signature lines, each once; raises :class:`UserError` for anything but such lines."""
    try:
        parts(whole := note + lines)
    except Unwitnessed:
        raise UserError("what the witness sent is no signature") from None
    if whole.rpartition("\n\n")[0] != note.rpartition("\n\n")[0]:
        raise UserError("what the witness sent is no signature")
    text, _, signed = whole.rpartition("\n\n")
    return f"{text}\n\n" + "".join(dict.fromkeys(signed.splitlines(keepends=True)))


def asked(log: Head, url: str, patience: float = PATIENCE) -> str:
    """The lines that a witness signs. One that has seen another size is asked again, from that one on.

    Raises:
        UserError: why it signs nothing.
    """
    old = 0
    for _ in range(3):
        status, kind, body = _posted(url, str(log.enquiry(old)), patience)
        if status == 200:
            return body
        if status != 409 or kind != "text/x.tlog.size" or not body.strip().isdigit() or len(body) > 20:
            raise UserError(f"it refused ({status}: {' '.join(body.split())[:100]})")
        old = int(body)
    raise UserError("it saw another size each time; try again")


def _posted(url: str, text: str, patience: float) -> tuple[int, str, str]:
    if urlsplit(url).scheme not in ("http", "https"):
        raise UserError(f"a witness is at an address such as https://witness.example/w1, not {url!r}")
    request = urllib.request.Request(f"{url.rstrip('/')}/add-checkpoint", text.encode(), method="POST")
    try:
        with urllib.request.urlopen(request, timeout=patience) as reply:
            return reply.status, reply.headers.get_content_type(), reply.read(_MAX_REPLY).decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers.get_content_type(), error.read(_MAX_REPLY).decode("utf-8", "replace")
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise UserError(f"it cannot be reached ({reason})") from None


def proof(ledger: Ledger, seq: int, note: str) -> str:
    """A tlog-proof (c2sp.org/tlog-proof@v1) that a checkpoint, with whoever signed it, covers an entry of the log.

    Raises:
        VerificationError: where the checkpoint is not of this log.
        UserError: where it ends before the entry.
    """
    found = parse(note, ledger.key)
    if found.origin != ledger.origin:
        raise VerificationError("the checkpoint is of another ledger; find the right one")
    if not 0 <= seq < found.size:
        raise UserError(f"the checkpoint covers {found.size} entries, and not entry {seq}; get one signed that does")
    with ledger.reading() as tx:
        leaves = [leaf_hash(body) for body, _, _ in itertools.islice(tx.entries(), found.size)]
        body = next(itertools.islice(tx.entries(), seq, None))[0]
    path = inclusion_path(seq, leaves)
    if root_from_path(body, seq, found.size, path) != found.root:
        raise VerificationError("the log does not begin with what the checkpoint has seen: it was altered since")
    lines = [PROOF, f"index {seq}", *(base64.b64encode(node).decode() for node in path)]
    return "\n".join(lines) + f"\n\n{note}"
