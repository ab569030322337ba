"""Connection: a session whose rows, account and answers are a service's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn, TypeVar

from pets.common.arguments import plain_arguments
from pets.common.signing import VerifyingKey
from pets.errors import UserError
from pets.plan.plan import Plan
from pets.protection.budget import Budget, Cost
from pets.protection.policy import Policy
from pets.protection.protection import DP, Protection, noisy
from pets.query_model.query import Query
from pets.release.bounding.rows_lost import RowsLost
from pets.schema.schema import Schema
from pets.service.client.custodian_verbs import CustodianVerbs
from pets.service.client.facts import Facts
from pets.service.client.fetching import Fetching
from pets.service.client.jobs import Jobs
from pets.service.client.reviewing import Desk, Review, ReviewList, TableFinding
from pets.service.client.transport import Transport
from pets.service.wire.harmless import harmless
from pets.session.quoting.quote import Quote, Remaining, large_delta, notes_of
from pets.session.quoting.terms import PublicTerms

if TYPE_CHECKING:
    import pandas as pd

    from pets.service.client.outputs import ServiceAirlock
    from pets.session.verbs.analyst_session import AnalystSession

T = TypeVar("T")

_MAX_HISTORY = 10_000  # entries that a service tells at once


class Connection(CustodianVerbs, Fetching):
    """One analyst's session in one project, on tables that a service keeps; :func:`pets.connect` opens it.

    The verbs, results, errors and their words are those of :class:`pets.Session`. What is public is worked out here:
    plans, explanations, SQL, dummies. An answer's certificate is held against the ledger's key before a number of it is
    shown. Nobody signs the rest, which is the service's word: the schema and the policy before an answer, quotes,
    :meth:`remaining`, :meth:`history` and the states of questions. ``release(…, wait=False)``, and so each verb that
    asks, gives a :class:`~pets.service.client.jobs.Pending` at once; Ctrl-C leaves a question with the service, and
    :meth:`fetch` gives its answer later; so it does of one that a second person must approve
    (:class:`~pets.errors.HeldError`). :meth:`grants`, :meth:`account` and the other verbs of a custodian are for a
    token with that role.

    Attributes:
        url: where the service is.
        dataset: which of its datasets is asked.
        key: the ledger's public key, which signs every certificate.
    """

    def __init__(
        self, transport: Transport, who: Mapping[str, str], key: VerifyingKey, jobs: Jobs, facts: Facts
    ) -> None:
        self._transport, self._who, self._jobs, self._facts = transport, dict(who), jobs, facts
        self.url, self.dataset, self.key = transport.url, who["dataset"], key

    def __repr__(self) -> str:
        if self.closed:
            return f"<Connection to {self.url}, closed>"
        return f"<Connection to {self.url}: dataset {self.dataset!r} (real data): {', '.join(self.tables)}>"

    def __reduce__(self) -> NoReturn:
        raise UserError("a connection holds who asks and is never pickled; open it again where it is needed")

    def close(self) -> None:
        self._transport.close()

    @property
    def closed(self) -> bool:
        return self._transport.closed

    # what is public -----------------------------------------------------------------------------------------------

    def _renewed(self) -> bool:
        """Ask for the public facts again; whether they are others by now."""
        before, self._facts = self._facts, Facts.of(self._transport, self.dataset)
        return self._facts != before

    def _publicly(self, step: Callable[[PublicTerms], T]) -> T:
        """What follows from public facts; they are asked for again before anything is refused by them."""
        try:
            return step(self._facts.terms)
        except UserError:
            if not self._renewed():
                raise
            return step(self._facts.terms)

    @property
    def schema(self) -> Schema:
        return self._facts.terms.schema

    @property
    def policy(self) -> Policy:
        return self._facts.terms.policy

    @property
    def engine(self) -> str:
        return self._facts.engine

    @property
    def project(self) -> str:
        return self._who["project"]

    @property
    def analyst(self) -> str:
        return self._who["analyst"]

    @property
    def tables(self) -> tuple[str, ...]:
        return self._facts.tables

    @property
    def snapshots(self) -> dict[str, str]:
        self._renewed()
        return dict(self._facts.snapshots)

    @property
    def budget(self) -> Budget:
        return self.remaining().budget

    @property
    def _kind(self) -> str:
        return "real"

    @plain_arguments(UserError, "dummy", "write dummy(rows=1000, seed=0)")
    def dummy(self, rows: int = 1000, seed: int = 0, *, query: Query | None = None) -> AnalystSession:
        from pets.session.custody import Custody
        from pets.session.dummy_tables import DummyTables
        from pets.session.verbs.analyst_session import AnalystSession

        terms, who = self._facts.terms, (self.project, self.analyst)
        tables = DummyTables(terms.schema, rows, seed, query)
        return AnalystSession(Custody.invented(terms.schema, tables, terms.budget, who, terms.policy, "duckdb"))

    # account ------------------------------------------------------------------------------------------------------

    def remaining(self) -> Remaining:
        return Remaining.from_json(harmless(self._transport.get("datasets", self.dataset, "budget").get("remaining")))

    def _left(self) -> Cost:
        return self.remaining().left

    def _entries(self, project: str | None, analyst: str | None, last: int | None, *, strangers: bool) -> pd.DataFrame:
        from pets.session.history import read_form

        most = _MAX_HISTORY if last is None else min(last, _MAX_HISTORY)
        told = self._transport.get("datasets", self.dataset, "history", last=most, analyst=analyst)
        return read_form(harmless(told.get("history")))

    # prices -------------------------------------------------------------------------------------------------------

    def _plan(self, query: Query) -> Plan:
        return self._publicly(lambda terms: terms.plan(query))

    def _quoted(self, asked: Sequence[Query], protection: Protection, lost: Mapping[str, RowsLost]) -> Quote:
        priced = noisy(protection)
        plans = [self._plan(one) for one in asked]
        body = {"queries": [one.to_json() for one in asked], "protection": priced.to_json()}
        told = self._transport.post("datasets", self.dataset, "quote", body=body)
        quote = Quote.from_json(harmless(told.get("quote")))
        # what was released here of rows that bounds leave out, the service does not know
        return replace(quote, notes=notes_of(plans, lost) + large_delta(plans, quote.delta)) if lost else quote

    def _known(self, query: Query, protection: Protection) -> bool:
        if not isinstance(protection, DP):
            return False
        body = {"queries": [query.to_json()], "protection": protection.to_json()}
        return self._transport.post("datasets", self.dataset, "quote", body=body).get("known") is True

    def _snapshot(self, table: str) -> str:
        return self.snapshots.get(table, "")

    # reviews ------------------------------------------------------------------------------------------------------

    def reviews(self) -> ReviewList:
        """For reviewers: the requests that wait for a second person, of every dataset that one may review."""
        return self._desk.waiting()

    @plain_arguments(UserError, "review", "write review('the id')")
    def review(self, id: str) -> Review:
        """One of them: what is asked, and the protected answer where that is made already.

        Its certificate is held against the ledger's key, as for one's own answers.

        Raises:
            ForbiddenError: for who asked, or who is no reviewer of this dataset.
            NotFoundError: where no such request is held.
        """
        return self._desk.look(id)

    @plain_arguments(UserError, "look", "write look('the id')")
    def look(self, id: str) -> TableFinding:
        """For reviewers: what a table outside the grid would tell; a process of the service looks.

        As :meth:`pets.Custodian.look`, but that nobody here sees the table, nor what agrees with it.

        Raises:
            ForbiddenError: for who asked, or who is no reviewer of this dataset.
            NotFoundError: where no such request is held.
            UserError: it is for another kind of answer, or was made under another schema.
        """
        return self._desk.find(id)

    @plain_arguments(UserError, "approve", "write approve('the id')")
    def approve(self, id: str, *, note: str = "", finding: str | None = None, anyway: str = "") -> str:
        """Let a held request be answered, or its answer be shown; the log tells who did. Gives the request's state.

        Args:
            id: as :meth:`reviews` lists it.
            note: words of one's own; the log has their digest alone.
            finding, anyway: of a table outside the grid, as of :meth:`pets.Custodian.approve`.

        Raises:
            ForbiddenError: for who asked, or who is no reviewer of this dataset.
            HeldError, NotFoundError: where it was decided before, or never was; of a table outside the grid also where
                its finding is another by now, or was not proved and nobody says why it leaves.
        """
        more = {} if finding is None else {"finding": finding}
        more |= {"anyway": anyway} if anyway else {}
        return self._desk.decide(id, {"decision": "approve", "note": note} | more)

    @plain_arguments(UserError, "refuse", "write refuse('the id', reason='may-disclose')")
    def refuse(self, id: str, *, reason: str, note: str = "") -> str:
        """Leave a held request unanswered (it costs nothing), or its answer unshown (it stays charged).

        Args:
            reason: of ``not-needed``, ``out-of-scope``, ``may-disclose``, ``unclear`` and ``other``; the log and
                whoever asked are told it.
            id, note: as for :meth:`approve`, and so are the errors.
        """
        return self._desk.decide(id, {"decision": "refuse", "reason": reason, "note": note})

    @property
    def airlock(self) -> ServiceAirlock:
        """Files that one takes out, and, for reviewers, those of others about which they vote."""
        from pets.service.client.outputs import ServiceAirlock

        return ServiceAirlock(self._transport, self.dataset, self.analyst)

    @property
    def _desk(self) -> Desk:
        return Desk(self._transport, self._jobs, self.key, self.dataset, self.schema)
