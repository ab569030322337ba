"""Service: the custodians that are served, who may ask them, and where their questions wait."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Protocol

from pets.errors import NotFoundError, PetsError, UserError, did_you_mean, shown
from pets.ledger.db import jobs
from pets.ledger.ledger import Ledger
from pets.ledger.publish.public_log import PublicLog
from pets.ledger.queue import Queue, QueuedJob
from pets.service.access.bearer import Authenticator, Remembering
from pets.service.access.identity import Identity
from pets.service.access.rates import Rates
from pets.service.answering.presence import Presence
from pets.service.http.hands import OF_A_FILE, OF_A_SERVER, Hands
from pets.service.http.limits import Limits, Waits
from pets.service.http.waiting import Waiting
from pets.service.telemetry.metrics import Gauges
from pets.service.telemetry.telemetry import Telemetry
from pets.session.custodian import Custodian
from pets.session.custody import Custody
from pets.session.verbs.analyst_session import AnalystSession

NOBODY_ANSWERS = (
    "no process answers, and questions wait: start pets answer with the service.yaml of this service, or see in this "
    "log why none can"
)
"""For whoever runs the service."""

_LOG = logging.getLogger("pets.service")
_MAX_SESSIONS = 2000  # that are kept ready; another one is made in a moment


class Supervisor(Protocol):
    """Who answers what waits: processes of this machine, started at the first job, or none (they run elsewhere)."""

    def ensure(self) -> None:
        """See that somebody answers."""

    def poke(self) -> None:
        """There is a new job: look now."""


def _unknown(_: Any) -> None:
    """Of an authenticator that remembers nobody."""


class Service:
    """What every endpoint works on; safe from threads.

    Args:
        custodians: who keep the datasets, each of another name, all accounts in one ledger.
        auth: who makes a request.
        limits: what is refused before any charge.
        supervisor: who answers; ``None`` where answering processes run by themselves.
        public_log: whether the entries of the log are for everybody; else for auditors and custodians. They name
            projects and analysts.
    """

    def __init__(
        self,
        custodians: Custodian | Sequence[Custodian],
        auth: Authenticator,
        *,
        limits: Limits | None = None,
        supervisor: Supervisor | None = None,
        public_log: bool = False,
    ) -> None:
        several = [custodians] if isinstance(custodians, Custodian) else list(custodians)
        if not several or not all(isinstance(one, Custodian) for one in several):
            raise UserError("a service serves pets.service.Opening(…) or a pets.Custodian; give at least one")
        self.custodians = {one.schema.dataset: one for one in several}
        if len(self.custodians) < len(several):
            raise UserError("two of the custodians keep a dataset of the same name; give each dataset once")
        self.auth, self.limits, self.public_log = auth, limits or Limits(), public_log
        self.lately = auth.lately if isinstance(auth, Remembering) else _unknown
        self.supervisor = supervisor
        self.rates, self.waits = Rates(self.limits.per_minute), Waits(self.limits.max_waits)
        self.ledger: Ledger = several[0].ledger
        if any(one.ledger.origin != self.ledger.origin for one in several):
            raise UserError(
                "the custodians keep their accounts in several ledgers, and a service signs with one key; give them "
                "the same ledger, or serve each by itself"
            )
        self.queue = Queue(self.ledger)
        self.waiting = Waiting(self.queue)
        self.log = PublicLog(self.ledger)
        self.telemetry = Telemetry(self.ledger.listeners, self.custodians)
        self._sessions: OrderedDict[tuple[str, str, str], Custody] = OrderedDict()
        self._lock = threading.Lock()
        self._presence, self._answering = Presence(self.ledger), True
        self.hands = Hands(OF_A_FILE if self.ledger.in_file else OF_A_SERVER)

    def datasets(self, identity: Identity) -> list[str]:
        """The datasets that are there for somebody."""
        return [name for name in self.custodians if identity.sees(name)]

    def custodian(self, identity: Identity, dataset: str) -> Custodian:
        """Who keeps a dataset; raises :class:`NotFoundError` also where it is not there for whoever asks."""
        seen = self.datasets(identity)
        if dataset not in seen:
            raise NotFoundError(f"there is no dataset {shown(dataset)} for you here{did_you_mean(dataset, seen)}")
        return self.custodians[dataset]

    def custody(self, identity: Identity, dataset: str) -> Custody:
        """The tables and the account as whoever asks sees them."""
        custodian = self.custodian(identity, dataset)
        key = (dataset, identity.project, identity.subject)
        with self._lock:
            if (known := self._sessions.pop(key, None)) is not None:
                self._sessions[key] = known
                return known
        made = custodian.custody.scoped(identity.project, identity.subject)
        with self._lock:
            self._sessions[key] = made
            while len(self._sessions) > _MAX_SESSIONS:
                self._sessions.popitem(last=False)
        return made

    def session(self, identity: Identity, dataset: str) -> AnalystSession:
        """A session for whoever asks."""
        return AnalystSession(self.custody(identity, dataset))

    def job(self, identity: Identity, number: str) -> tuple[Custodian, QueuedJob]:
        """A job of one's own, and who keeps its dataset.

        Raises:
            NotFoundError: for one that never was, and in the same words for one of somebody else's.
        """
        found = self.queue.find(number, identity.project, identity.subject)
        if found is not None and found.dataset in self.datasets(identity):
            return self.custodians[found.dataset], found
        raise NotFoundError(f"there is no job {shown(number)} of yours; GET /queries lists those that there are")

    def put_before(self, identity: Identity, dataset: str, key: str) -> bool:
        """Whether there is a job of one's own under an idempotency key."""
        with self.ledger.aside(writes=False) as (connection, _):
            return jobs.by_key(connection, dataset, (identity.project, identity.subject), key) is not None

    def answering(self) -> bool:
        """Whether what waits is answered: by processes of this one, or of another one that shares the ledger.

        It depends on no row, and whoever asks may know it. Each change is said in the log.
        """
        found = (self.supervisor is not None and getattr(self.supervisor, "able", True)) or self._presence.here()
        if found != self._answering:
            self._answering = found
            _LOG.warning("questions are answered again" if found else NOBODY_ANSWERS)
        return found

    def gauges(self) -> Gauges:
        """What is so now, for whoever watches the service."""
        answering = self.answering()
        try:
            self.ledger.check()
            spent = {name: 1 - one.remaining().share for name, one in self.custodians.items()}
            return Gauges(True, answering, self.queue.waiting(), spent)
        except PetsError:
            return Gauges(False, answering)

    def ensure(self) -> None:
        """Somebody is to answer what waits."""
        if self.supervisor is not None:
            self.supervisor.ensure()
            self.supervisor.poke()
        self.answering()
