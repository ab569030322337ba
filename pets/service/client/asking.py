"""Asking: the verbs of a connection whose answers a service gives, now or later, each held against its certificate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from pets.common.arguments import plain_arguments
from pets.common.codec import Json
from pets.common.signing import VerifyingKey
from pets.dp.key_threshold import KeyNoise
from pets.dp.selection import TopNoise
from pets.errors import UserError, did_you_mean, shown
from pets.plan.key_plan import KeyPlan
from pets.plan.selection.top_plan import TopPlan
from pets.protection.protection import Protection, checked
from pets.protection.sdc import SDC
from pets.query_model.expression import Filter
from pets.query_model.query import Query, queries
from pets.release.bounding.rows_lost import RowsLost, question
from pets.release.keys.released_keys import ReleasedKeys
from pets.release.keys.top_keys import TopKeys
from pets.release.release import Release
from pets.release.rounded.rounded_table import RoundedTable
from pets.service.client import reading, synthesis
from pets.service.client.jobs import Jobs, Pending
from pets.service.wire.asked import Asked
from pets.session.quoting.terms import PublicTerms
from pets.session.verbs.analyst_verbs import AnalystVerbs
from pets.session.verbs.asker import check_request

if TYPE_CHECKING:
    from pets.synthetic.synthetic_release import SyntheticRelease

T = TypeVar("T")


class Asking(AnalystVerbs):
    """The part of a connection that asks.

    Attributes:
        key: the ledger's public key, which signs every certificate.
    """

    key: VerifyingKey
    _jobs: Jobs
    _who: Mapping[str, str]

    def _publicly(self, step: Callable[[PublicTerms], T]) -> T:
        """What follows from public facts; they are asked for again before anything is refused by them."""
        raise NotImplementedError

    @property
    def _own(self) -> Json:
        """What stands in every answer to this connection."""
        return {**self._who, "data": "real"}

    def _answer(self, asked: Asked, key: str | None, wait: bool, read: Callable[[Json], T]) -> T | Pending:
        """The answer, once it is there; with ``wait=False`` what it is fetched by."""
        if not isinstance(wait, bool):
            raise UserError(f"wait must be True or False, not {shown(wait)}")
        if not wait:
            return Pending(self._jobs.put(asked, key, wait=0.0), self._jobs, read)
        return read(self._jobs.answered(self._jobs.put(asked, key)))

    # answers ------------------------------------------------------------------------------------------------------

    @overload
    def release(  # type: ignore[overload-overlap]
        self, query: Query, protection: SDC, *, again: bool = ..., key: str | None = ..., wait: Literal[True] = ...
    ) -> RoundedTable: ...

    @overload
    def release(  # type: ignore[overload-overlap]
        self,
        query: Sequence[Query],
        protection: SDC,
        *,
        again: bool = ...,
        key: str | None = ...,
        wait: Literal[True] = ...,
    ) -> list[RoundedTable]: ...

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
    ) -> Release | RoundedTable | list[Release] | list[RoundedTable] | Pending:
        check_request(again, key)
        asked = queries(query)

        def read(reply: Json) -> Release | RoundedTable | list[Release] | list[RoundedTable]:
            if isinstance(protection, SDC):
                tables = self._tables(reply, asked, protection)
                return tables[0] if isinstance(query, Query) else tables
            answers = self._as_asked(asked, self._releases(reply, asked, protection))
            return answers[0] if isinstance(query, Query) else answers

        return self._answer(self._question(asked, protection, again), key, wait, read)

    def _sealed(self, asked: Sequence[Query], protection: Protection, *, again: bool, key: str | None) -> list[Release]:
        return self.release(list(asked), protection, again=again, key=key)

    def _question(self, asked: Sequence[Query], protection: Protection, again: bool) -> Asked:
        """The form of a question, once it is known that it can be asked."""

        def fits(terms: PublicTerms) -> None:
            plans = [terms.plan(one) for one in asked]
            checked(protection)
            terms.policy.check_numbers(sum(plan.size for plan in plans))

        self._publicly(fits)
        return Asked("release", {"queries": list(asked), "protection": protection, "again": again})

    def _tables(self, reply: Json, asked: Sequence[Query], protection: SDC) -> list[RoundedTable]:
        forms = [one.to_json() for one in asked]
        found = reading.tables(reply.get("releases"), self.key, self._own, forms, protection.to_json())

        def planned(terms: PublicTerms) -> None:
            if [terms.plan(one).digest for one in asked] != [one.plan.digest for one in found]:
                raise reading.another("it is not of the schema that the service tells")

        self._publicly(planned)
        return found

    def _releases(self, reply: Json, asked: Sequence[Query], protection: Protection) -> list[Release]:
        forms = [one.to_json() for one in asked]
        found = reading.answers(reply.get("releases"), self.key, self._own, forms, protection.to_json())

        def planned(terms: PublicTerms) -> None:
            if [terms.plan(one).digest for one in asked] != [one.plan_digest for one in found]:
                raise reading.another("it is not of the schema that the service tells")

        self._publicly(planned)
        return found

    @overload
    def rows_lost(
        self,
        table: str,
        protection: Protection,
        by: str | Sequence[str] | None = ...,
        *,
        again: bool = ...,
        key: str | None = ...,
        wait: Literal[True] = ...,
    ) -> RowsLost: ...

    @overload
    def rows_lost(
        self,
        table: str,
        protection: Protection,
        by: str | Sequence[str] | None = ...,
        *,
        again: bool = ...,
        key: str | None = ...,
        wait: Literal[False],
    ) -> Pending: ...

    @plain_arguments(UserError, "rows_lost", "write rows_lost('stays', pets.DP(epsilon=0.1))")
    def rows_lost(
        self,
        table: str,
        protection: Protection,
        by: str | Sequence[str] | None = None,
        *,
        again: bool = False,
        key: str | None = None,
        wait: bool = True,
    ) -> RowsLost | Pending:
        check_request(again, key)
        query = question(table, by)
        asked = self._question([query], protection, again)
        several = by if by is None or isinstance(by, str) else list(by)
        if several is None or all(isinstance(one, str) for one in several):  # (others have a form in a query alone)
            asked = Asked("rows_lost", {"table": table, "protection": protection, "by": several, "again": again})

        def read(reply: Json) -> RowsLost:
            forms = [reply["rows_lost"]] if "rows_lost" in reply else reply.get("releases")
            (release,) = self._releases({"releases": forms}, [query], protection)
            return self._remembered(RowsLost(release))

        return self._answer(asked, key, wait, read)

    def _remembered(self, lost: RowsLost) -> RowsLost:
        if lost.whole:
            self._lost[lost.table_name] = lost
        return lost

    @overload
    def group_keys(
        self,
        table: str,
        *,
        by: Sequence[str],
        protection: Protection,
        where: Filter | None = ...,
        groups: int | None = ...,
        delta: float | None = ...,
        again: bool = ...,
        key: str | None = ...,
        wait: Literal[True] = ...,
    ) -> ReleasedKeys: ...

    @overload
    def group_keys(
        self,
        table: str,
        *,
        by: Sequence[str],
        protection: Protection,
        where: Filter | None = ...,
        groups: int | None = ...,
        delta: float | None = ...,
        again: bool = ...,
        key: str | None = ...,
        wait: Literal[False],
    ) -> Pending: ...

    @plain_arguments(
        UserError, "group_keys", "write group_keys('stays', by=['diagnosis'], protection=pets.DP(epsilon=1))"
    )
    def group_keys(
        self,
        table: str,
        *,
        by: Sequence[str],
        protection: Protection,
        where: Filter | None = None,
        groups: int | None = None,
        delta: float | None = None,
        again: bool = False,
        key: str | None = None,
        wait: bool = True,
    ) -> ReleasedKeys | Pending:
        check_request(again, key)
        asked = {"table": table, "by": by, "protection": protection, "where": where, "groups": groups, "delta": delta}
        plan, _ = self._key_terms(asked)
        same = {"keys": plan.question(), "protection": protection.to_json()}

        def read(reply: Json) -> ReleasedKeys:
            return reading.keys(ReleasedKeys, reply.get("keys"), self.key, self._own | same)

        return self._answer(Asked("group_keys", {**asked, "again": again}), key, wait, read)

    def _key_terms(self, asked: Mapping[str, Any]) -> tuple[KeyPlan, KeyNoise]:
        return self._publicly(lambda terms: terms.keys(**asked))

    @overload
    def top_keys(
        self,
        query: Query,
        k: int,
        protection: Protection,
        *,
        again: bool = ...,
        key: str | None = ...,
        wait: Literal[True] = ...,
    ) -> TopKeys: ...

    @overload
    def top_keys(
        self,
        query: Query,
        k: int,
        protection: Protection,
        *,
        again: bool = ...,
        key: str | None = ...,
        wait: Literal[False],
    ) -> Pending: ...

    @plain_arguments(UserError, "top_keys", "write top_keys(query, 10, pets.DP(epsilon=0.5))")
    def top_keys(
        self,
        query: Query,
        k: int,
        protection: Protection,
        *,
        again: bool = False,
        key: str | None = None,
        wait: bool = True,
    ) -> TopKeys | Pending:
        check_request(again, key)
        plan, _ = self._top_terms(query, k, protection)
        same = {"query": plan.plan.query.to_json(), "k": plan.k, "protection": protection.to_json()}

        def read(reply: Json) -> TopKeys:
            return reading.keys(TopKeys, reply.get("top"), self.key, self._own | same)

        asked = Asked("top_keys", {"query": query, "k": plan.k, "protection": protection, "again": again})
        return self._answer(asked, key, wait, read)

    def _top_terms(self, query: Query, k: int, protection: Protection) -> tuple[TopPlan, TopNoise]:
        return self._publicly(lambda terms: terms.top(query, k, protection))

    @overload
    def synthesise(
        self, rows: int | None = ..., method: str = ..., *, wait: Literal[True] = ..., **settings: Any
    ) -> SyntheticRelease: ...

    @overload
    def synthesise(
        self, rows: int | None = ..., method: str = ..., *, wait: Literal[False], **settings: Any
    ) -> Pending: ...

    def synthesise(
        self, rows: int | None = None, method: str = "dp", *, wait: bool = True, **settings: Any
    ) -> SyntheticRelease | Pending:
        if method != "dp":
            from pets.session.synthesis.synthesise import METHODS

            if not isinstance(method, str) or method not in METHODS:
                raise UserError(f"there is no method {shown(method)}{did_you_mean(method, METHODS)}")
            raise UserError("a service makes tables with a guarantee alone; leave method out, and give epsilon=")
        asked = self._publicly(lambda terms: synthesis.request_of(terms, rows, settings))

        def read(reply: Json) -> SyntheticRelease:
            return synthesis.synthetic(reply.get("synthetic"), self.key, self._own, asked)

        return self._answer(Asked("synthesise", {"rows": rows, "settings": settings}), None, wait, read)
