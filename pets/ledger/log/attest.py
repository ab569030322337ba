"""Attest: the in-toto statement of a release, and its signature.

Source: in-toto Attestation Framework, Statement v1 (https://in-toto.io/Statement/v1), in a DSSE envelope.
"""

from __future__ import annotations

from collections.abc import Sequence

from pets.common.codec import Json, canonical
from pets.common.signing import SigningKey
from pets.ledger.log.dsse import envelope
from pets.ledger.log.records import Record
from pets.release.certificate import PAYLOAD, PREDICATE, STATEMENT


def certificate(digest: str, predicate: Json, key: SigningKey) -> bytes:
    """The signed statement that the release with this SHA-256 digest is what the predicate says."""
    statement = {
        "_type": STATEMENT,
        "subject": [{"name": f"release {predicate['release_id']}", "digest": {"sha256": digest}}],
        "predicateType": PREDICATE,
        "predicate": predicate,
    }
    return canonical(envelope(PAYLOAD, canonical(statement), key))


def place(origin: str, seq: int, entry: Record, chain: bytes, note: str, path: Sequence[bytes]) -> Json:
    """Where in the log a release stands: its entry, opened, and the proof that the checkpoint covers it."""
    return {
        "origin": origin,
        "seq": seq,
        "entry": entry.body.decode(),
        "private": entry.private.decode(),
        "entry_hash": chain.hex(),
        "checkpoint": note,
        "inclusion_proof": [part.hex() for part in path],
    }
