"""The states of a request, and what a ledger knows of it.

RESERVED → STARTED → COMMITTED (then delivered, any number of times)
   │          └────→ FORFEITED (failed after the data was opened: stays charged)
   └────────→ VOIDED (never started: refunded, which no row could have caused)
DENIED (over a cap: no data was opened, nothing is charged)

Where a policy asks for a person's approval after an answer is made, a COMMITTED one is held until then: it is paid
for, and reaches nobody (:mod:`pets.ledger.review.reviews`).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from pets.common.codec import Json, digest
from pets.protection.budget import Budget, Cost


class State(Enum):
    """Where a request is in its life."""

    RESERVED = "reserved"
    STARTED = "started"
    COMMITTED = "committed"
    FORFEITED = "forfeited"
    VOIDED = "voided"
    DENIED = "denied"

    @property
    def charged(self) -> bool:
        """Whether the request's cost counts against the cap."""
        return self in (State.RESERVED, State.STARTED, State.COMMITTED, State.FORFEITED)

    @property
    def opened(self) -> bool:
        """Whether the data was, or may have been, opened for it."""
        return self in (State.STARTED, State.COMMITTED, State.FORFEITED)

    @property
    def unsealed(self) -> bool:
        """Whether the data was, or may have been, opened for it and nothing is sealed: nobody knows what left."""
        return self in (State.STARTED, State.FORFEITED)

    @property
    def open(self) -> bool:
        """Whether the request is still under way."""
        return self in (State.RESERVED, State.STARTED)


NEXT = {
    State.RESERVED: {State.STARTED, State.VOIDED},
    State.STARTED: {State.COMMITTED, State.FORFEITED},
}


def release_failed(incidents: Sequence[str]) -> str:
    """The one sentence about requests that failed after the data was opened, whatever went wrong."""
    return (
        f"the release failed after the data was opened (incident {', '.join(incidents)}); its charge stands; give the "
        "incident number to the custodian"
    )


@dataclass(frozen=True)
class Request:
    """What a session wants to spend on one release.

    Attributes:
        table, what: the table, and what is asked of it without any constant of a filter (both are public).
        question: the digest of the plan.
        asked: the same for the same question about the same snapshot under the same protection and policy.
        snapshot: the public id of the snapshot.
        query, protection: their canonical forms.
        cost: in the ledger's units.
        unbounded: it has no finite guarantee (exact totals of real rows, a copied data set).
        key: the caller's idempotency key: a retry under the same key is the same request.
        schema_digest: for the public log: whether two answers rest on the same public facts.
        once: nobody else may have used the key either (others' keys are else of no concern).
        delta: the δ of the budget at which its ε was reckoned; ``None`` where it rests on no budget's.
    """

    table: str
    what: str
    question: str
    asked: str
    snapshot: str
    query: Json
    protection: Json
    cost: Cost
    unbounded: bool = False
    key: str | None = None
    once: bool = False
    schema_digest: str | None = None
    delta: float | None = None


@dataclass(frozen=True)
class Entry:
    """One request and its fate.

    Attributes:
        id: random, fresh for each request.
        at: when it was made (UTC).
        epoch: 0 until the budget is renewed, then the number of the renewal.
        seq: the number of its first entry in the log.
        delivered: its answer came at no cost, since somebody else had paid for it; ``id`` is their request's.
    """

    id: str
    at: dt.datetime
    project: str
    analyst: str
    table: str
    what: str
    question: str
    protection: str
    cost: Cost
    state: State
    unbounded: bool
    epoch: int
    seq: int = 0
    delivered: bool = False


@dataclass(frozen=True)
class Standing:
    """The account of one dataset at one moment, requests under way included.

    Attributes:
        budget: what the present epoch may spend.
        spent: charged in the present epoch.
        left: what may still be charged by this project and analyst (the least of the scopes').
        lifetime: charged since the dataset was opened, over all epochs. It never goes down.
    """

    budget: Budget
    spent: Cost
    left: Cost
    lifetime: Cost
    epoch: int


@dataclass(frozen=True)
class Grant:
    """Leave to open the data for one request, or the answer that was already paid for.

    Attributes:
        id: of the request.
        token: who may seal it; a worker that lost its lease cannot.
        standing: the account with this request charged.
        before: what was charged before it, in units.
        earlier: the unbounded requests of this dataset that were started so far: id, time, and what was asked.
        sealed: the answer, where this question (or this idempotency key) was answered before.
    """

    id: str
    token: str
    standing: Standing
    before: int = 0
    earlier: tuple[tuple[str, str, str], ...] = ()
    sealed: Sealed | None = None


@dataclass(frozen=True)
class Sealed:
    """A committed answer: the release's bytes, and its signed certificate.

    Attributes:
        scope: the project and the analyst who paid for it.
        delivered: whether the log tells that it went to the one who asks, where that is somebody else.
    """

    request: str
    release: bytes
    certificate: bytes
    scope: tuple[str, str]
    delivered: bool = False

    def form(self) -> Json:
        """The release as :meth:`pets.release.release.Release.to_json` gives it."""
        form = json.loads(self.release)
        return dict(form) | {"digest": digest(form), "certificate": json.loads(self.certificate)}

    @property
    def written(self) -> bytes:
        """:meth:`form` as JSON, of the very bytes that are held: nothing of them is read and written again."""
        end = self.certificate, hashlib.sha256(self.release).hexdigest().encode()
        return self.release.removesuffix(b"}") + b',"certificate":%b,"digest":"%b"}' % end
