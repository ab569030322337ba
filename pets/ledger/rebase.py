"""Rebase: going on after the ledger has lost entries, as when a backup was restored or a lagging replica took over.

What was lost can have been delivered, so it is counted as spent: the published checkpoint says how much each dataset
was charged. Where the checkpoint is lost too, nobody can tell, and the whole budget counts as spent.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass

from pets.errors import LedgerError, VerificationError
from pets.ledger.db.row_types import ROOT
from pets.ledger.db.transaction import Transaction
from pets.ledger.ledger import Ledger
from pets.ledger.log.checkpoint import Checkpoint, dataset_id

Amount = tuple[int, int]


@dataclass(frozen=True)
class Rebased:
    """What a rebase counted as spent.

    Attributes:
        published: entries that the checkpoint speaks of (``None``: there was no checkpoint).
        found: entries that the database held.
        counted: by dataset, loss and δ in units.
        unknown: datasets that the database does not know; opened again, they begin with what they had spent.
    """

    published: int | None
    found: int
    counted: dict[str, Amount]
    unknown: int


def rebase(ledger: Ledger, reason: str, by: tuple[str, ...]) -> Rebased:
    """Count what was lost as spent, write it into the log, and publish a checkpoint of the log as it is now.

    The ledger was opened with ``check=False``. The checkpoint that it supersedes is kept beside the new one.

    Raises :class:`LedgerError` where nothing was lost, or the reason or the two names are missing.
    """
    if not reason.strip() or len({name.strip().casefold() for name in by if name.strip()}) < 2:
        raise LedgerError(
            "a rebase needs a reason and the names of the two people who decided it (--reason, --by, --by)"
        )
    with ledger.writing() as (tx, now):
        try:
            seen = ledger.published()
        except VerificationError:
            seen = None
        found = tx.head.size
        if any(_of(body, None if seen is None else seen.text) for _, body in tx.since(0)):
            raise LedgerError("this loss was rebased already, by somebody else; open the ledger again")
        if seen is not None and seen.size <= found and tx.chain_at(seen.size) == seen.chain:
            raise LedgerError("the ledger holds all that was published; nothing is to be rebased")
        if seen is not None and seen.origin != ledger.origin:
            raise LedgerError("the checkpoint is of another ledger; restore the right one")
        counted = {name: _missing(tx, name, parts, seen) for name, parts in tx.totals().items()}
        for name, (loss, delta, life_loss, life_delta) in counted.items():
            tx.charge(name, ROOT, spent=(loss, delta))
            tx.lived(name, life_loss, life_delta)
        known = {dataset_id(name) for name in counted}
        unknown = {} if seen is None else {key: parts for key, parts in seen.totals.items() if key not in known}
        for key, parts in unknown.items():
            tx.lose(key, (parts[1], parts[2]))
        told = {
            "published": None if seen is None else seen.size,
            "superseded": None if seen is None else seen.text,
            "found": found,
            "counted": {name: list(parts) for name, parts in counted.items()},
            "unknown": {key: [parts[1], parts[2]] for key, parts in unknown.items()},
            "reason": reason,
            "by": list(by),
        }
        tx.append("rebase", now, told, {})
    if ledger.checkpoint_path is not None and ledger.checkpoint_path.exists():
        stamp = dt.datetime.fromtimestamp(now, dt.UTC).strftime("%Y%m%dT%H%M%SZ")
        ledger.checkpoint_path.replace(
            ledger.checkpoint_path.with_name(f"{ledger.checkpoint_path.name}.superseded-{stamp}")
        )
        previous = ledger.checkpoint_path.with_name(f"{ledger.checkpoint_path.name}.previous")
        previous.unlink(missing_ok=True)
    ledger.publish()
    return Rebased(
        None if seen is None else seen.size,
        found,
        {name: (parts[0], parts[1]) for name, parts in counted.items()},
        len(unknown),
    )


def _of(body: bytes, superseded: str | None) -> bool:
    """Whether an entry is a rebase of this very checkpoint."""
    if b'"event":"rebase"' not in body:
        return False
    return superseded is not None and json.loads(body).get("superseded") == superseded


def _missing(tx: Transaction, name: str, here: tuple[int, ...], seen: Checkpoint | None) -> tuple[int, int, int, int]:
    """Loss and δ to charge now, and to add to the lifetime."""
    root = tx.all_scopes(name)[0]
    left = root.left or (0, 0)
    there = None if seen is None else seen.totals.get(dataset_id(name))
    if seen is None:
        return (*left, *left)
    if there is None:  # the checkpoint is older than the dataset: another history; nothing of this dataset is in it
        return (0, 0, 0, 0)
    grown = tx.head.at > dt.datetime.fromisoformat(seen.at).timestamp() or tx.head.size >= seen.size
    life = [max(0, there[i] - (0 if grown else here[i])) for i in (3, 4)]
    if there[0] != here[0]:  # a renewal was lost, or stands in one history only: nobody can tell what is left
        return (*left, life[0], life[1])
    # entries were added after the backup was restored: then both histories count, the common part twice
    lost = [max(0, there[i] - (0 if grown else here[i])) for i in (1, 2)]
    return (min(lost[0], left[0]), min(lost[1], left[1]), life[0], life[1])
