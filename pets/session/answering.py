"""Answering: from jobs whose terms are fixed to answers that are paid for, sealed and certified.

The order is the guarantee: the cost is charged; only then is the data opened; what fails after that stays charged and
says nothing; and an answer is shown only when the ledger holds it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from pets.common.clock import now
from pets.common.codec import Json, canonical, digest
from pets.common.entropy import random_id
from pets.errors import ReleaseFailedError
from pets.ledger.account import Account, First
from pets.ledger.failpoint import failpoint
from pets.ledger.standing import check_room
from pets.ledger.states import Grant, Request, Sealed, Standing, release_failed
from pets.plan.contribution import Contribution
from pets.plan.vector import Ints, IntVector
from pets.protection.budget import Cost
from pets.protection.protection import Total
from pets.release.release import Release, sealed_release
from pets.release.release_form import plain
from pets.schema.schema import Schema
from pets.session import account_views, guarantee_text
from pets.session.batch import Answers, Work, stored
from pets.session.job import Job, measured
from pets.session.key_release import Chosen, Place

Told = list[Sealed] | Callable[[], list[Sealed]]
"""Answers; or what gives them, once the log tells that they go here too."""


class Answering:
    """One account's answers; safe to use from several threads.

    Attributes:
        kind: ``"dummy"`` where all rows are invented: nothing is charged then.
    """

    def __init__(
        self,
        account: Account,
        schema: Schema,
        engine: str,
        kind: Literal["real", "dummy"],
    ) -> None:
        self._account, self._schema, self._engine = account, schema, engine
        self.kind: Literal["real", "dummy"] = kind
        self._cache: dict[str, Release] = {}
        self._lock = threading.Lock()

    def release(self, jobs: Sequence[Job], key: str | None, *, again: bool) -> list[Release]:
        """Pay for all, then open the data; the same question twice in one request is one question."""
        places, wanted = _distinct(jobs, again)
        grants = self._account.reserve(self._requests(jobs, wanted, key), again=again)
        answers: dict[int, Release] = {}
        failed: list[Grant] = []
        with self._account.closing(grants):
            for place, grant in zip(wanted, grants, strict=True):
                answer = self._answer(grant, jobs[place])
                if answer is None:
                    failed.append(grant)
                else:
                    answers[place] = answer
        if failed:
            # the others were sealed: asked again, they cost nothing
            raise self._failure(failed)
        failpoint("delivered")
        self._account.delivered(grant.id for grant in grants)
        return [answers[places.get(job.key, place)] for place, job in enumerate(jobs)]

    def answered(self, jobs: Sequence[Job], key: str | None) -> Told | None:
        """The answers, where all of them were paid for before; else ``None``, and nothing is charged. Reads no row.

        Where it must be entered first that one of them goes here, too: what does that, and gives them. It may wait for
        others that write.
        """
        places, wanted = _distinct(jobs, False)
        if self._account.is_new(jobs[wanted[0]].key, _names(jobs, wanted, key)[0]):
            return None
        grants = self._account.known(self._requests(jobs, wanted, key))
        if grants is None:
            return None

        def told() -> list[Sealed]:
            answers = {place: self._delivered(grant) for place, grant in zip(wanted, grants, strict=True)}
            self._account.delivered(grant.id for grant in grants)
            return [answers[places.get(job.key, place)] for place, job in enumerate(jobs)]

        return told() if all(grant.sealed and self._had(grant.sealed) for grant in grants) else told

    def check_room(self, jobs: Sequence[Job], *, again: bool) -> None:
        """Raises :class:`BudgetError` where the account has no room for jobs now; nothing is charged or entered."""
        _, wanted = _distinct(jobs, again)
        with self._account.ledger.reading() as tx:
            check_room(tx, self._account.dataset, self._account.scope, self._requests(jobs, wanted, None), again)

    def _requests(self, jobs: Sequence[Job], wanted: Sequence[int], key: str | None) -> list[Request]:
        names = _names(jobs, wanted, key)
        return [self._request(jobs[place], name) for place, name in zip(wanted, names, strict=True)]

    def keys(self, job: Chosen, key: str | None, *, again: bool, first: First | None = None) -> tuple[Json, Json]:
        """The keys that leave, and their certificate: charged before data is opened; asked again they cost nothing.

        ``first``: of :meth:`pets.ledger.account.Account.reserve`.
        """
        request = self._keys_request(job, key)
        (grant,) = self._account.reserve([request], again=again, first=first)
        with self._account.closing([grant]):
            sealed = self._keys_sealed(grant, job, request.cost)
        self._account.delivered([grant.id])
        return json.loads(sealed.release), json.loads(sealed.certificate)

    def keys_known(self, job: Chosen, key: str | None) -> tuple[Json, Json] | None:
        """The same, where it was sealed before; else ``None``, and nothing is entered. Reads no row."""
        request = self._keys_request(job, key)
        grants = self._account.known([request])
        if grants is None:
            return None
        sealed = self._keys_sealed(grants[0], job, request.cost)
        self._account.delivered([grants[0].id])
        return json.loads(sealed.release), json.loads(sealed.certificate)

    def _keys_request(self, job: Chosen, key: str | None) -> Request:
        asked = job.asked
        return Request(
            *(asked.table, asked.what, asked.question, job.key, asked.snapshot, asked.query),
            protection=job.protection.to_json(),
            cost=Cost(self._account.budget.currency, 0) if self.kind == "dummy" else asked.cost,
            key=key,
            schema_digest=self._schema.digest,
            delta=asked.delta,
            unbounded=asked.unbounded and self.kind == "real",
        )

    def _keys_sealed(self, grant: Grant, job: Chosen, cost: Cost) -> Sealed:
        sealed, ledger = grant.sealed, self._account.ledger
        if sealed is not None:
            if self._had(sealed):
                return sealed
            before = _repeated(json.loads(sealed.release))

            def made(here: Standing) -> tuple[bytes, str, Json]:
                form = before | self._own(here)
                return canonical(form), digest(form), job.told(form, self._engine)

            return self._account.deliver(grant, made)
        failpoint("data-opened")
        found, incident = job.found(self._engine)
        if found is None:
            self._account.ledger.incidents.note(grant.id[:12], incident)
            raise self._failure([grant])
        failpoint("measured")
        at = Place(self.kind, ledger.origin, ledger.memory, len(grant.earlier))
        form = job.form(found, self._schema.to_json(), at) | self._own(grant.standing)
        form |= {"id": random_id(), "data": self.kind, "cost": cost.to_json(), "issued_at": now()}
        return self._account.seal(grant, canonical(form), digest(form), job.told(form, self._engine))

    def contribute(self, job: Job, purpose: Json) -> Contribution:
        """One party's vector for a secure total. The ledger holds its terms, and nothing of its numbers."""
        terms = None if job.share is None else job.share.to_json()
        form = {"pets": "contribution", "plan": job.plan.digest, "terms": terms, "purpose": purpose, "id": random_id()}
        request = self._request(job, None, purpose)
        (grant,) = self._account.reserve([request], again=True)
        with self._account.closing([grant]):
            values = self._values(grant, job)
            if values is None:
                raise self._failure([grant])
            told = guarantee_text.contribution(
                job.plan, self._schema, job.snapshot.id, job.share, self.kind, request.cost, self._engine, now()
            )
            project, analyst = self._account.scope
            told |= {"release_id": form["id"], "protection": request.protection}
            told |= {"project_id": project, "agent_id": analyst}
            self._account.seal(grant, canonical(form), digest(form), told)
        return Contribution(job.plan, IntVector(job.plan.digest, values), terms, self.kind, grant.id)

    @contextmanager
    def unbounded(self, table: str, what: str, question: str, protection: Json, snapshot: str = "") -> Iterator[str]:
        """Something without a finite guarantee is made inside: entered before, committed after; its bytes stay outside.

        Gives the number under which an incident inside is kept.

        What fails inside stays on the account: data was opened.
        """
        form = {"pets": "unbounded", "what": what, "question": question, "id": random_id()}
        nothing = Cost(self._account.budget.currency, 0)
        request = Request(
            *(table, what, question, digest(form), snapshot, form, protection, nothing),
            unbounded=True,
            schema_digest=self._schema.digest,
        )
        (grant,) = self._account.reserve([request], again=True)
        with self._account.closing([grant]):
            failpoint("data-opened")
            yield grant.id[:12]
            failpoint("measured")
            told = guarantee_text.unbounded(self._schema, table, snapshot, what, nothing, self._engine, now())
            project, analyst = self._account.scope
            told |= {"release_id": form["id"], "protection": protection, "project_id": project, "agent_id": analyst}
            self._account.seal(grant, canonical(form), digest(form), told)

    @contextmanager
    def work(self, work: Work, *, again: bool) -> Iterator[Answers]:
        """Questions asked inside, one after another: charged as one before the first, and sealed after the last.

        What is raised inside leaves the whole price charged. A work that was sealed before is answered from what was
        sealed, at no cost.
        """
        free = Cost(work.price.currency, 0)
        request = Request(
            table=work.table,
            what=work.what,
            question=work.question,
            asked=digest([work.question, work.snapshot, work.protection]),
            snapshot=work.snapshot,
            query={"pets": "work", "what": work.what},
            protection=work.protection,
            cost=free if self.kind == "dummy" else work.price,
            schema_digest=self._schema.digest,
            delta=work.delta,
        )
        (grant,) = self._account.reserve([request], again=again)
        with self._account.closing([grant]):
            told = guarantee_text.work(work, self._schema, self.kind, request.cost, self._engine, now())
            project, analyst = self._account.scope
            told |= {"release_id": random_id(), "project_id": project, "agent_id": analyst}
            known = None if grant.sealed is None else stored(grant.sealed.release)
            sealed = None if known is None else self._delivered(grant, _rounded(told, known))
            answers = Answers(work, lambda job: self._answered(grant, job), known)
            yield answers
            if sealed is None:
                form, told = answers.form(), _rounded(told, answers.releases) | {"issued_at": now()}
                sealed = self._account.seal(grant, canonical(form), digest(form), told)
            answers.certificate = json.loads(sealed.certificate)

    def _answered(self, grant: Grant, job: Job) -> Release:
        values = self._values(grant, job)
        if values is None:
            raise self._failure([grant])
        return self._release(grant, job, values)

    def _request(self, job: Job, key: str | None, purpose: Json | None = None) -> Request:
        noise = job.share or job.noise
        free = noise is None or self.kind == "dummy"
        return Request(
            table=job.plan.table,
            what=guarantee_text.what(job.plan.query),
            question=job.plan.digest,
            asked=job.key if purpose is None else digest([job.key, purpose]),
            snapshot=job.snapshot.id,
            query=job.plan.query.to_json(),
            protection=job.protection.to_json() | (purpose or {}),
            cost=Cost(self._account.budget.currency, 0) if noise is None or free else noise.cost,
            unbounded=isinstance(job.protection, Total) and self.kind == "real",
            key=key,
            schema_digest=self._schema.digest,
            delta=_conversion(job),
        )

    def _answer(self, grant: Grant, job: Job) -> Release | None:
        """The sealed answer; ``None`` where it failed, for whatever reason, after the data was opened."""
        if grant.sealed is not None:
            return self._certified(grant)
        values = self._values(grant, job)
        if values is None:
            return None
        release = self._release(grant, job, values)
        told = guarantee_text.predicate(release, self._engine)
        sealed = self._account.seal(grant, canonical(release.form), release.digest, told)
        return self._kept(sealed, release)

    def _certified(self, grant: Grant) -> Release:
        """The answer that was paid for before."""
        sealed = self._delivered(grant)
        with self._lock:
            known = self._cache.get(sealed.request)
        return known or self._kept(sealed, Release.from_json(sealed.release))

    def _kept(self, sealed: Sealed, release: Release) -> Release:
        release = release.certified(sealed.certificate)
        with self._lock:
            self._cache[sealed.request] = release
        return release

    def _delivered(self, grant: Grant, told: Json | None = None) -> Sealed:
        """The sealed answer, once the log tells that it goes here too, where somebody else had asked for it.

        Who else asked is not for this one to see, in the same project or another: the same answer, in the names of
        whoever asks now. ``told`` is what a certificate states of a work, whose answers are several.
        """
        sealed = grant.sealed
        assert sealed is not None
        if self._had(sealed):
            return sealed
        form = json.loads(sealed.release)

        def made(here: Standing) -> tuple[bytes, str, Json]:
            if told is not None:
                several = form | {"releases": [self._reissued(here, one).form for one in form["releases"]]}
                return canonical(several), digest(several), told
            release = self._reissued(here, _repeated(form))
            return canonical(release.form), release.digest, guarantee_text.predicate(release, self._engine)

        return self._account.deliver(grant, made)

    def _had(self, sealed: Sealed) -> bool:
        """Whether the log tells already that an answer went to whoever asks now."""
        return sealed.delivered or sealed.scope == self._account.scope

    def _reissued(self, here: Standing, form: Json) -> Release:
        return Release.from_json(form | self._own(here))

    def _own(self, here: Standing) -> Json:
        """What an answer tells of whoever asks, and of the account."""
        project, analyst = self._account.scope
        return {"project": project, "analyst": analyst, "budget": plain(account_views.gauge(here))}

    def _values(self, grant: Grant, job: Job) -> Ints | None:
        """Opens the data, after the charge; what fails then says nothing but to the custodian."""
        failpoint("data-opened")
        values, incident = measured(job, self._engine)
        if values is None:
            self._account.ledger.incidents.note(grant.id[:12], incident)
            return None
        failpoint("measured")
        return values

    def _failure(self, failed: Sequence[Grant]) -> ReleaseFailedError:
        self._account.close(failed)
        return ReleaseFailedError(release_failed([grant.id[:12] for grant in failed]))

    def _release(self, grant: Grant, job: Job, values: Ints) -> Release:
        noise, ledger = job.noise, self._account.ledger
        project, analyst = self._account.scope
        return sealed_release(
            id=random_id(),
            dataset=self._schema.dataset,
            table=job.plan.table,
            query=job.plan.query,
            schema=self._schema,
            plan_digest=job.plan.digest,
            values=values,
            mechanism="none" if noise is None else noise.mechanism,
            scales=(0.0,) * len(job.plan.measures) if noise is None else noise.scales,
            protection=job.protection.to_json(),
            snapshot_id=job.snapshot.id,
            data=self.kind,
            cost=self._request(job, None).cost.to_json(),
            epsilon=None if noise is None else noise.epsilon,
            delta=None if noise is None else noise.delta,
            rho=None if noise is None else noise.rho,
            guarantee=guarantee_text.guarantee(job.plan, noise, self.kind, ledger.origin, ledger.memory),
            budget=account_views.gauge(grant.standing),
            issued_at=now(),
            project=project,
            analyst=analyst,
            notes=(*guarantee_text.notes(job.plan, noise, len(grant.earlier)), *job.notes),
        )


def _distinct(jobs: Sequence[Job], again: bool) -> tuple[dict[str, int], list[int]]:
    """By question, where it stands first; and those places: asked twice in one request it is one question."""
    places = {} if again else {job.key: place for place, job in reversed(list(enumerate(jobs)))}
    return places, [place for place, job in enumerate(jobs) if places.get(job.key, place) == place]


def _names(jobs: Sequence[Job], wanted: Sequence[int], key: str | None) -> list[str | None]:
    """The idempotency keys of the questions of one request."""
    return [key if key is None or len(jobs) == 1 else f"{key}#{place}" for place in wanted]


def _repeated(form: Json) -> Json:
    """An answer's form with a note that its cost, which is of what it promises, was not charged to who asks now."""
    return form | {"notes": [*form["notes"], _REPEATED]}


_REPEATED = "No cost to you: an equal question was answered before, and the cost that is named here was paid then."


def _conversion(job: Job) -> float | None:
    """The budget's δ at which a question's ε was reckoned; ``None`` where it named its own, or needs none."""
    noise = None if job.share is not None else job.noise
    if noise is None or noise.mechanism != "gaussian" or getattr(job.protection, "delta", None) is not None:
        return None
    return noise.delta


def _rounded(told: Json, releases: Sequence[Release]) -> Json:
    """What a certificate states of a work, with each of its answers; of invented rows nothing is stated."""
    return told if told["dp"] is None else told | {"dp": told["dp"] | {"rounds": guarantee_text.rounds(releases)}}
