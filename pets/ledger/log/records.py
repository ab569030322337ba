"""Log entries: a public body, a private part that the body commits to, and the chain over the bodies as stored.

The public body says who asked what, when, at what cost and what became of it. The private part (the query with the
constants of its filters, the digest of the answer) is bound by a salted hash, so that the public view of the log can be
verified as it is, and the custodian can show that a private part is the one of that day.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from pets.common.codec import Json, canonical
from pets.common.entropy import random_id

GENESIS = hashlib.sha256(b"pets ledger").digest()
"""What the first entry is chained to."""


@dataclass(frozen=True)
class Record:
    """One entry, as the bytes that are stored and hashed."""

    body: bytes
    private: bytes


def record(public: Json, private: Json) -> Record:
    """The entry; its body holds ``sealed``, the SHA-256 of the private part, which holds 128 random bits."""
    hidden = canonical({"salt": random_id()} | private)
    return Record(canonical(public | {"sealed": commitment(hidden)}), hidden)


def commitment(private: bytes) -> str:
    """What a body says of its private part."""
    return hashlib.sha256(private).hexdigest()


def chained(previous: bytes, body: bytes) -> bytes:
    """The hash of an entry: SHA-256(previous hash ‖ body)."""
    return hashlib.sha256(previous + body).digest()
