"""Kept replies: what a site answered to questions that stay open, until they are over. The same bytes go out again.

A site seals its part of a query once, and is charged for it once. Where a question stays open for days, its reply must
outlast a lost connection and a restart, and with it what the site signed of who is in the total: one list, ever.
A kept reply is an envelope that nobody but the key holder can open, and only as part of a total.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import hashlib
import hmac
import json
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from pets.common.codec import Json, canonical
from pets.common.files import make_folder, replace_file
from pets.errors import LedgerError
from pets.federated.query_round.order import time_of

GRACE = dt.timedelta(days=1)
"""How long after its end a question's reply is still kept: for who is asked to sign a total that lacks sites."""
_NAME = re.compile(r"[0-9a-f]{32}\.json")


@dataclass(frozen=True)
class KeptReply:
    """A site's part in one question.

    Attributes:
        order: the message that asked.
        reply: the message that answered.
        until: when the question ends.
        again, signed: the later message that had a total signed, as SHA-256, and the reply to it (empty: none yet).
    """

    order: bytes
    reply: bytes
    until: str
    again: bytes = b""
    signed: bytes = b""

    def answer(self, data: bytes) -> bytes | None:
        """The reply that a message had before; ``None`` for a new one."""
        if hmac.compare_digest(self.order, data):
            return self.reply
        if self.again and hmac.compare_digest(self.again, hashlib.sha256(data).digest()):
            return self.signed
        return None


class KeptReplies:
    """The replies of a site, in files of its own or, without a folder, as long as the process lives."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._held: dict[bytes, KeptReply] = {}
        if folder is not None and folder.is_dir():
            for path in sorted(folder.iterdir()):
                if _NAME.fullmatch(path.name):
                    self._held[bytes.fromhex(path.stem)] = _read(path)

    def __len__(self) -> int:
        return len(self._held)

    def get(self, query: bytes) -> KeptReply | None:
        """What was answered to a question, as long as it is kept."""
        return self._held.get(query)

    def keep(self, query: bytes, reply: KeptReply) -> None:
        """Keep a reply, on the disk before anything leaves; raises :class:`LedgerError` where that fails."""
        if self._folder is not None:
            form: Json = {name: base64.b64encode(getattr(reply, name)).decode() for name in _PARTS}
            form |= {"pets": "kept-reply", "version": 1, "until": reply.until}
            try:
                make_folder(self._folder)
                path = self._folder / f"{query.hex()}.json"
                replace_file(path, canonical(form), owner_only=True)
                for place in (path, self._folder):
                    _to_disk(place)
            except OSError as error:
                raise LedgerError(f"a reply cannot be kept in {str(self._folder)!r} ({error.strerror})") from None
        self._held[query] = reply

    def signed(self, query: bytes, data: bytes, reply: bytes) -> None:
        """Keep what was signed of a total: no other is ever signed."""
        self.keep(query, replace(self._held[query], again=hashlib.sha256(data).digest(), signed=reply))

    def drop(self, query: bytes) -> None:
        """Forget a question that is over."""
        if self._held.pop(query, None) is not None and self._folder is not None:
            with contextlib.suppress(OSError):
                (self._folder / f"{query.hex()}.json").unlink()

    def sweep(self, now: dt.datetime) -> None:
        """Forget what ended over a day ago."""
        for query, reply in list(self._held.items()):
            end = time_of(reply.until)
            if end is None or now > end + GRACE:
                self.drop(query)


_PARTS = ("order", "reply", "again", "signed")


def _read(path: Path) -> KeptReply:
    try:
        form = json.loads(path.read_bytes())
        parts = {name: base64.b64decode(form[name], validate=True) for name in _PARTS}
        return KeptReply(until=str(form["until"]), **parts)
    except (OSError, ValueError, LookupError, TypeError):
        raise LedgerError(f"the kept reply {str(path)!r} cannot be read; restore it from your backup") from None


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
