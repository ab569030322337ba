"""Totals: what a ledger's tables hold as charged, against what its log and its checkpoint say was charged."""

from __future__ import annotations

from collections.abc import Mapping

from pets.errors import LedgerError
from pets.ledger.db.row_types import parsed
from pets.ledger.db.transaction import Transaction
from pets.ledger.log.checkpoint import Checkpoint, dataset_id


def check_totals(tx: Transaction, found: Checkpoint, here: Mapping[str, tuple[int, ...]], label: str) -> None:
    """What the tables hold as charged must be what the checkpoint and the entries since then add up to.

    A database file that was put back while its newer write-ahead log stayed has the log's end, and old accounts.

    Args:
        found: the checkpoint.
        here: what the tables hold, as :data:`pets.ledger.log.checkpoint.Totals`.
        label: the ledger's address, for the sentence.

    Raises:
        LedgerError: where they hold less.
    """
    least = {name: list(parts) for name, parts in found.totals.items()}
    for seq, body in tx.since(found.size):
        entry = parsed(body.decode())
        sign = {"reserved": 1, "started": 1, "voided": -1}.get(entry["event"], 0)
        if entry["event"] == "started":
            row = tx.request(entry["request"])
            sign = int(row is None or row.seq == seq)  # else it was counted when it was reserved
        if sign:
            parts = least.setdefault(dataset_id(entry["dataset"]), [entry["epoch"], 0, 0, 0, 0])
            for at, part in ((1, "loss"), (2, "delta"), (3, "loss"), (4, "delta")):
                # what this epoch was charged, and the whole life
                parts[at] += sign * entry[part] if at > 2 or parts[0] == entry["epoch"] else 0
    for name, parts in least.items():
        have = here.get(name, (0, 0, 0, 0, 0))
        first = 1 if have[0] == parts[0] else 3  # a renewal begins anew, but for the life
        if any(h < w for h, w in zip(have[first:], parts[first:], strict=True)):
            raise LedgerError(
                f"the accounts in the ledger {label!r} are older than its log, as after restoring a database "
                "without its write-ahead log, or with another's; it stays closed. Restore the newest copy, all "
                "files of it"
            )
