"""The public log in pieces: entries from here to there, the newest checkpoint, and proofs that need not all of it."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from pets.common.codec import Json
from pets.errors import UserError
from pets.ledger.db import listing
from pets.ledger.ledger import Ledger
from pets.ledger.log import merkle

MOST = 1000
"""Entries that are read at once."""


@dataclass(frozen=True)
class Piece:
    """Some entries of a log.

    Attributes:
        entries: number, public body (the exact text that was signed) and hash of the chain up to it, in hex.
        size: entries in the whole log.
    """

    entries: tuple[tuple[int, str, str], ...]
    size: int


class PublicLog:
    """A ledger's log as anybody may see it; the tree over its entries is kept and grows with it. Safe from threads."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._tree = merkle.Subtrees()
        self._lock = threading.Lock()

    def piece(self, first: int, end: int) -> Piece:
        """The entries from number ``first`` to before ``end``, at most :data:`MOST` of them."""
        with self._ledger.reading() as tx:
            rows = listing.log_between(tx.connection, first, min(end, first + MOST))
            size = tx.head.size
        return Piece(tuple((seq, body.decode(), chain.hex()) for seq, body, chain in rows), size)

    def checkpoint(self) -> str:
        """The signed statement of what the log holds now."""
        with self._ledger.reading() as tx:
            return self._ledger.checkpoint(tx)

    def inclusion(self, seq: int, size: int) -> Json:
        """That entry ``seq`` is in the log of ``size`` entries (RFC 6962, 2.1.1); raises :class:`UserError`."""
        tree = self._of_size(size)
        if not 0 <= seq < size:
            raise UserError(f"a log of {size} entries has none of number {seq}; ask for one below that")
        return {"seq": seq, "size": size, "path": [one.hex() for one in tree.inclusion_path(seq, size)]}

    def consistency(self, old: int, size: int) -> Json:
        """That the log of ``size`` entries goes on from that of ``old`` (2.1.2); raises :class:`UserError`."""
        tree = self._of_size(size)
        if not 0 < old <= size:
            raise UserError(f"a log of {size} entries goes on from one of 1 to {size}, not of {old}")
        return {"old": old, "size": size, "path": [one.hex() for one in tree.consistency_path(old, size)]}

    def _of_size(self, size: int) -> merkle.Subtrees:
        """The tree, once it has so many entries; raises :class:`UserError` where the log has fewer."""
        with self._lock:
            while len(self._tree) < size:
                more = self.piece(len(self._tree), size).entries
                if not more:
                    raise UserError(f"the log has {len(self._tree)} entries by now, not {size}; ask about fewer")
                for _, body, _ in more:
                    self._tree.add(merkle.leaf_hash(body.encode()))
        return self._tree
