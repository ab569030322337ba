"""Active: a query under way at a site."""

from __future__ import annotations

from dataclasses import dataclass, field

from pets.federated.messages.message import Channel
from pets.federated.secure_sum.interface import Party
from pets.federated.site.gate import Admission
from pets.federated.site.rounded.grid_part import Source
from pets.ledger.states import Grant

LIFE = 900.0
"""Seconds after which a query that did not end is forgotten, with its secrets."""


@dataclass
class Active:
    """A query under way. Its party holds secrets; nothing of this is ever written down."""

    admission: Admission
    channel: Channel
    grant: Grant
    snapshot: Source
    since: float
    next: int = 1
    party: Party = field(init=False, repr=False)
    last: tuple[bytes, bytes] = field(default=(b"", b""), repr=False)
