"""Derive: the entry of something that was made of answers alone, such as a synthetic table, and its certificate.

It costs nothing and opens no data: whatever is done with protected answers keeps their promise. The entry binds what
was made, byte for byte, to the answers that it was made of.
"""

from __future__ import annotations

from dataclasses import dataclass

from pets.common.codec import Json, digest
from pets.common.entropy import random_id
from pets.ledger import standing
from pets.ledger.db.row_types import Scope
from pets.ledger.ledger import Ledger
from pets.ledger.log import attest


@dataclass(frozen=True)
class Derived:
    """What the public log says of it.

    Attributes:
        dataset, scope: whose answers, and who made it of them (project and analyst).
        table, what: the table, and what it is without any constant.
        protection: of all the answers together.
        unbounded: it has no finite guarantee; the answers, or what saw the rows, are entered as such.
        schema_digest: of the schema.
    """

    dataset: str
    scope: Scope
    table: str
    what: str
    protection: Json
    unbounded: bool
    schema_digest: str


def enter(ledger: Ledger, made: Derived, form: Json, predicate: Json) -> bytes:
    """The certificate of ``form``, whose entry stands in the log.

    Args:
        form: the canonical form of what was made; the certificate is about its digest.
        predicate: what the certificate states, but for the ledger's own part.

    Raises:
        LedgerError: where it cannot be entered.
    """
    name = random_id()
    with ledger.writing() as (tx, now):
        here = standing.standing(tx.dataset(made.dataset), tx.scopes(made.dataset, made.scope))
        others, seq, path = standing.others(tx, made.dataset, ""), tx.head.size, tx.head.frontier.next_path()
        said = {
            "request": name,
            "dataset": made.dataset,
            "project": made.scope[0],
            "analyst": made.scope[1],
            "table": made.table,
            "what": made.what,
            "protection": made.protection,
            "epoch": here.epoch,
            "loss": 0,
            "delta": 0,
            "unbounded": made.unbounded,
            "metadata_sha256": made.schema_digest,
        }
        hidden = {"release": digest(form), "snapshot": predicate["dataset"]["snapshot_id"]}
        entry = tx.append("derived", now, said, hidden)
        note, size = ledger.checkpoint(tx), tx.head.size
        log = attest.place(ledger.origin, seq, entry, tx.head.hash, note, path)
        told = predicate | {"request_id": name, "other_releases": others, "log": log}
        told["budget"] = standing.told(made.dataset, here, here.spent.loss, (0, 0), ledger.memory)
        signed = attest.certificate(digest(form), told, ledger.signer)
    ledger.publish(note, size)
    return signed
