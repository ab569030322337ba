"""Encrypted sums: totals that nobody along the way can read, and columns that a store computes on unread.

Several owners, one total::

    public, secret = pets.he.keygen()                                  # the key holder
    north = pets.he.partykey("north")                                  # each party; north.public goes to the key holder
    round = secret.round(query, schema, [north.public, …], pets.DP(epsilon=1, delta=1e-6))
    envelope = pets.he.encrypt(session, query, public, round=round, party=north)
    total = pets.he.add([envelope, …])                                 # the aggregator: no key, no engine
    release = secret.open(total)                                       # once for each round

One owner, one untrusted store: :class:`EncryptedTable`. TenSEAL's SEAL does the cryptography (``seal``, its only
importer); loading this package loads neither it nor numpy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pets.he.keys.party import Party, PartyKey, partykey
    from pets.he.keys.public_key import PublicKey
    from pets.he.secret_key import SecretKey, keygen
    from pets.he.tables.table import EncryptedTable
    from pets.he.totals.encrypting import encrypt
    from pets.he.totals.envelope import Envelope
    from pets.he.totals.round import Round
    from pets.he.totals.total import Consent, Total, add, consent

_HOMES = {
    "keygen": "secret_key",
    "PublicKey": "keys.public_key",
    "SecretKey": "secret_key",
    "partykey": "keys.party",
    "Party": "keys.party",
    "PartyKey": "keys.party",
    "Round": "totals.round",
    "encrypt": "totals.encrypting",
    "Envelope": "totals.envelope",
    "add": "totals.total",
    "Total": "totals.total",
    "consent": "totals.total",
    "Consent": "totals.total",
    "EncryptedTable": "tables.table",
}

__all__ = [
    "keygen",
    "PublicKey",
    "SecretKey",
    "partykey",
    "Party",
    "PartyKey",
    "Round",
    "encrypt",
    "Envelope",
    "add",
    "Total",
    "consent",
    "Consent",
    "EncryptedTable",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(importlib.import_module(f"pets.he.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    from pets.errors import did_you_mean

    raise AttributeError(f"pets.he has no {name!r}{did_you_mean(name, __all__)}")


def __dir__() -> list[str]:
    return sorted(__all__)
