"""Connection: a session whose rows, account and answers are a service's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar, overload

from pets.common.arguments import plain_arguments
from pets.common.codec import Json
from pets.common.signing import VerifyingKey
from pets.dp.key_threshold import KeyNoise
from pets.dp.selection import TopNoise
from pets.errors import UserError, did_you_mean, shown
from pets.plan.key_plan import KeyPlan
from pets.plan.plan import Plan
from pets.plan.selection.top_plan import TopPlan
from pets.protection.budget import Budget, Cost
from pets.protection.policy import Policy
from pets.protection.protection import Protection, checked, noisy
from pets.query_model.query import Query, queries
from pets.release.bounding.rows_lost import RowsLost
from pets.release.keys.released_keys import ReleasedKeys
from pets.release.keys.top_keys import TopKeys
from pets.release.release import Release
from pets.schema.schema import Schema
from pets.service.client import reading, synthesis
from pets.service.client.facts import Facts
from pets.service.client.jobs import Jobs, Pending
from pets.service.client.transport import Transport
from pets.service.wire.asked import Asked
from pets.service.wire.harmless import harmless
from pets.session.quoting.quote import Quote, Remaining, large_delta, notes_of
from pets.session.quoting.terms import PublicTerms
from pets.session.verbs.analyst_verbs import AnalystVerbs
from pets.session.verbs.asker import check_request

if TYPE_CHECKING:
    import pandas as pd

    from pets.session.verbs.analyst_session import AnalystSession
    from pets.synthetic.synthetic_release import SyntheticRelease

T = TypeVar("T")

_MAX_HISTORY = 10_000  # entries that a service tells at once


class Connection(AnalystVerbs):
    """One analyst's session in one project, on tables that a service keeps; :func:`pets.connect` opens it.

    The verbs, results, errors and their words are those of :class:`pets.Session`. What is public is worked out here:
    plans, explanations, SQL, dummies. An answer's certificate is held against the ledger's key before a number of it is
    shown. Nobody signs the rest, which is the service's word: the schema and the policy before an answer, quotes,
    :meth:`remaining`, :meth:`history` and the states of questions. ``release(…, wait=False)`` gives a
    :class:`~pets.service.client.jobs.Pending` at once; Ctrl-C leaves a question with the service, and :meth:`fetch`
    gives its answer later; so it does of one that a second person must approve (:class:`~pets.errors.HeldError`).

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
        return f"<Connection to {self.url}: dataset {self.dataset!r} (real data): {', '.join(self.tables)}>"

    def __reduce__(self) -> NoReturn:
        raise UserError("a connection holds who asks and is never pickled; open it again where it is needed")

    def close(self) -> None:
        """Close what is open; the service knows the questions as before."""
        self._transport.close()

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

    # asking -------------------------------------------------------------------------------------------------------

    @overload
    def release(
        self,
        query: Query,
        protection: Protection,
        *,
        again: bool = ...,
        key: str | None = ...,
        wait: Literal[True] = ...,
    ) -> Release: ...

    @overload
    def release(
        self,
        query: Sequence[Query],
        protection: Protection,
        *,
        again: bool = ...,
        key: str | None = ...,
        wait: Literal[True] = ...,
    ) -> list[Release]: ...

    @overload
    def release(
        self,
        query: Query | Sequence[Query],
        protection: Protection,
        *,
        again: bool = ...,
        key: str | None = ...,
        wait: Literal[False],
    ) -> Pending: ...

    @plain_arguments(UserError, "release", "write release(query, pets.DP(epsilon=1))")
    def release(
        self,
        query: Query | Sequence[Query],
        protection: Protection,
        *,
        again: bool = False,
        key: str | None = None,
        wait: bool = True,
    ) -> Release | list[Release] | Pending:
        if not isinstance(wait, bool):
            raise UserError(f"wait must be True or False, not {shown(wait)}")
        check_request(again, key)
        asked = queries(query)
        question = self._question(asked, protection, again)

        def read(reply: Json) -> Release | list[Release]:
            answers = self._as_asked(asked, self._releases(reply, asked, protection))
            return answers[0] if isinstance(query, Query) else answers

        if not wait:
            return Pending(self._jobs.put(question, key, wait=0.0), self._jobs, read)
        return read(self._jobs.answered(self._jobs.put(question, key)))

    def _question(self, asked: Sequence[Query], protection: Protection, again: bool) -> Asked:
        """The form of a question, once it is known that it can be asked."""

        def fits(terms: PublicTerms) -> None:
            plans = [terms.plan(one) for one in asked]
            checked(protection)
            terms.policy.check_numbers(sum(plan.size for plan in plans))

        self._publicly(fits)
        return Asked("release", {"queries": list(asked), "protection": protection, "again": again})

    def _releases(self, reply: Json, asked: Sequence[Query], protection: Protection) -> list[Release]:
        forms = [one.to_json() for one in asked]
        found = reading.answers(reply.get("releases"), self.key, self._own, forms, protection.to_json())

        def planned(terms: PublicTerms) -> None:
            if [terms.plan(one).digest for one in asked] != [one.plan_digest for one in found]:
                raise reading.another("it is not of the schema that the service tells")

        self._publicly(planned)
        return found

    @property
    def _own(self) -> Json:
        """What stands in every answer to this connection."""
        return self._who | {"data": "real"}

    def _sealed(self, asked: Sequence[Query], protection: Protection, *, again: bool, key: str | None) -> list[Release]:
        reply = self._jobs.put(self._question(asked, protection, again), key)
        return self._releases(self._jobs.answered(reply), asked, protection)

    def _plan(self, query: Query) -> Plan:
        return self._publicly(lambda terms: terms.plan(query))

    def _snapshot(self, table: str) -> str:
        return self.snapshots.get(table, "")

    def _quoted(self, asked: Sequence[Query], protection: Protection, lost: Mapping[str, RowsLost]) -> Quote:
        priced = noisy(protection)
        plans = [self._plan(one) for one in asked]
        body = {"queries": [one.to_json() for one in asked], "protection": priced.to_json()}
        told = self._transport.post("datasets", self.dataset, "quote", body=body)
        quote = Quote.from_json(harmless(told.get("quote")))
        # what was released here of rows that bounds leave out, the service does not know
        return replace(quote, notes=notes_of(plans, lost) + large_delta(plans, quote.delta)) if lost else quote

    def _key_terms(self, asked: Mapping[str, Any]) -> tuple[KeyPlan, KeyNoise]:
        return self._publicly(lambda terms: terms.keys(**asked))

    def _group_keys(self, asked: Mapping[str, Any], *, again: bool, key: str | None) -> ReleasedKeys:
        plan, _ = self._key_terms(asked)
        reply = self._jobs.answered(self._jobs.put(Asked("group_keys", {**asked, "again": again}), key))
        same = {"keys": plan.question(), "protection": asked["protection"].to_json()}
        return reading.keys(ReleasedKeys, reply.get("keys"), self.key, self._own | same)

    def _top_terms(self, query: Query, k: int, protection: Protection) -> tuple[TopPlan, TopNoise]:
        return self._publicly(lambda terms: terms.top(query, k, protection))

    def _top_keys(self, query: Query, k: int, protection: Protection, *, again: bool, key: str | None) -> TopKeys:
        plan, _ = self._top_terms(query, k, protection)
        asked = Asked("top_keys", {"query": query, "k": plan.k, "protection": protection, "again": again})
        same = {"query": plan.plan.query.to_json(), "k": plan.k, "protection": protection.to_json()}
        reply = self._jobs.answered(self._jobs.put(asked, key))
        return reading.keys(TopKeys, reply.get("top"), self.key, self._own | same)

    def synthesise(self, rows: int | None = None, method: str = "dp", **settings: Any) -> SyntheticRelease:
        if method != "dp":
            from pets.session.synthesis.synthesise import METHODS

            if not isinstance(method, str) or method not in METHODS:
                raise UserError(f"there is no method {shown(method)}{did_you_mean(method, METHODS)}")
            raise UserError("a service makes tables with a guarantee alone; leave method out, and give epsilon=")
        asked = self._publicly(lambda terms: synthesis.request_of(terms, rows, settings))
        reply = self._jobs.answered(self._jobs.put(Asked("synthesise", {"rows": rows, "settings": settings}), None))
        return synthesis.synthetic(reply.get("synthetic"), self.key, self._own, asked)

    @plain_arguments(UserError, "fetch", "write fetch('the job's id')")
    def fetch(self, id: str) -> Any:
        """The answer to a question that was left with the service, by the id that it was left under.

        It is signed, and one's own; which question it answers is not compared with what was asked, but stands in it
        (``query``, ``settings``).

        Raises:
            UserError: for an id that is none of this project's; and what the question's own verb raises.
        """
        if not isinstance(id, str) or not id:
            raise UserError(f"an answer is fetched by the id of its question, such as 'f3a9…', not by {shown(id)}")
        reply = self._jobs.answered(self._jobs.look(id))
        readers: dict[str, Callable[[Any], Any]] = {
            "releases": self._fetched,
            "keys": partial(reading.keys, ReleasedKeys, key=self.key, own=self._own),
            "top": partial(reading.keys, TopKeys, key=self.key, own=self._own),
            "rows_lost": lambda form: RowsLost(reading.answers([form], self.key, self._own)[0]),
            "synthetic": lambda form: synthesis.synthetic(form, self.key, self._own),
        }
        found = next((name for name in readers if name in reply), None)
        if found is None:
            raise reading.another()
        return readers[found](reply[found])

    def _fetched(self, forms: Any) -> Release | list[Release]:
        found = [self._beside(one) for one in reading.answers(forms, self.key, self._own)]
        return found[0] if len(found) == 1 else found
