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
    from pets.he.envelope import Envelope
    from pets.he.holder import SecretKey, keygen
    from pets.he.keys import PublicKey
    from pets.he.party import Party, PartyKey, partykey
    from pets.he.round import Round
    from pets.he.sealing import encrypt
    from pets.he.table import EncryptedTable
    from pets.he.total import Consent, Total, add, consent

_HOMES = {
    "keygen": "holder",
    "PublicKey": "keys",
    "SecretKey": "holder",
    "partykey": "party",
    "Party": "party",
    "PartyKey": "party",
    "Round": "round",
    "encrypt": "sealing",
    "Envelope": "envelope",
    "add": "total",
    "Total": "total",
    "consent": "total",
    "Consent": "total",
    "EncryptedTable": "table",
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
