"""Reviewing: the requests that wait for a second person at a service, and what that person decides about them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from html import escape
from typing import Any, overload

from pets.common import html_table
from pets.common.codec import Json, canonical
from pets.common.signing import VerifyingKey
from pets.errors import PetsError, UserError, shown
from pets.ledger.queued.kinds import TABLE
from pets.query_model.query import Query
from pets.release.bounding.rows_lost import RowsLost
from pets.release.keys.released_keys import ReleasedKeys
from pets.release.keys.top_keys import TopKeys
from pets.schema.schema import Schema
from pets.service.client import reading, synthesis
from pets.service.client.jobs import Jobs
from pets.service.client.transport import Transport
from pets.service.wire.asked import Asked
from pets.service.wire.harmless import harmless

_NAMES = ("Request", "Asked", "By", "State")
"""What a list says of each request."""


@dataclass(frozen=True)
class TableFinding:
    """What was found of a table outside the grid, as far as a reviewer is told it.

    Attributes:
        digest: by which an approval names it.
        state: ``proved``, ``attack``, ``undecided`` or ``closed``.
        words: what was found, for people.
    """

    digest: str
    state: str
    words: str

    def __str__(self) -> str:
        return self.words


@dataclass(frozen=True)
class Review:
    """One request that waits for a second person.

    Attributes:
        id: by which it is approved or refused.
        kind: of question, such as ``release``.
        stage: ``before`` its answer is made, or ``after``: then the answer is held.
        dataset, project, analyst: about what, for whom and who asked.
        at: when, in seconds since 1970.
        asked: the question itself, by the names of its verb's arguments; ``None`` in a list.
        answer: the protected answer, as whoever asked would be given it; ``None`` where it is not made, or in a list.
        finding: of a table outside the grid, what was found of it; ``None`` where nobody looked yet, or in a list.
        questions: each query as a SELECT; in its canonical form where SQL has no words for it, or where it is about
            another dataset than the connection's, whose schema is not known here. Empty in a list.
    """

    id: str
    kind: str
    stage: str
    dataset: str
    project: str
    analyst: str
    at: int
    asked: Asked | None = None
    answer: Any = None
    questions: tuple[str, ...] = ()
    finding: TableFinding | None = None

    @property
    def queries(self) -> list[Query]:
        """What is asked, where it is a release."""
        return list(self.asked.arguments.get("queries", ())) if self.asked is not None else []

    @property
    def _question(self) -> list[tuple[str, str]]:
        """What is asked, part by part, as whoever asked wrote it: it cannot steer a terminal."""
        told = [("Question", text) for text in self.questions]
        for name, value in self.asked.arguments.items() if self.asked is not None else ():
            if name not in ("queries", "query") and value is not None and value is not False:
                told.append((name.replace("_", " ").capitalize(), str(value)))
        return [(name, harmless(value)) for name, value in told]

    @property
    def facts(self) -> dict[str, str]:
        """What a list says of it, by its names."""
        when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(self.at))
        held = "its answer is held" if self.stage == "after" else "not answered yet"
        asked, by = f"{when} UTC, {self.kind} about {self.dataset!r}", f"{self.analyst}, project {self.project}"
        return dict(zip(_NAMES, (self.id, asked, by, held), strict=True))

    def __repr__(self) -> str:
        lines = [f"{name}: {value}" for name, value in self.facts.items()]
        lines += [f"{name}: {value}" for name, value in self._question]
        found = [] if self.finding is None else [f"Found:\n{self.finding}"]
        return "\n".join([*lines, *found, *([] if self.answer is None else [f"Answer:\n{self.answer}"])])

    def _repr_html_(self) -> str:
        rows = [*self.facts.items(), *self._question]
        parts = [html_table.table("A request that waits for a second person", (), rows)]
        if self.finding is not None:
            parts.append(f"<pre>{escape(str(self.finding))}</pre>")
        if self.answer is not None:
            parts += [
                f"<pre>{escape(str(one))}</pre>"
                for one in (self.answer if isinstance(self.answer, list) else [self.answer])
            ]
        return html_table.block(*parts)


class ReviewList(Sequence[Review]):
    """The requests that wait, the longest first."""

    def __init__(self, waiting: Sequence[Review]) -> None:
        self._waiting = tuple(waiting)

    def __len__(self) -> int:
        return len(self._waiting)

    @overload
    def __getitem__(self, place: int) -> Review: ...

    @overload
    def __getitem__(self, place: slice) -> ReviewList: ...

    def __getitem__(self, place: int | slice) -> Review | ReviewList:
        return ReviewList(self._waiting[place]) if isinstance(place, slice) else self._waiting[place]

    def __repr__(self) -> str:
        if not self._waiting:
            return "No request waits for a second person."
        return "\n".join("  ".join(one.facts.values()) for one in self._waiting)

    def _repr_html_(self) -> str:
        if not self._waiting:
            return html_table.block(html_table.sentence(repr(self)))
        rows = [tuple(one.facts.values()) for one in self._waiting]
        return html_table.block(html_table.table("Requests that wait for a second person", _NAMES, rows))


class Desk:
    """A reviewer's requests to a service; arguments as of :class:`Reader`."""

    def __init__(self, transport: Transport, jobs: Jobs, key: VerifyingKey, dataset: str, schema: Schema) -> None:
        self._transport, self._jobs = transport, jobs
        self._reader = Reader(key, dataset, schema)

    def waiting(self) -> ReviewList:
        """Those that wait; raises :class:`~pets.errors.ForbiddenError` for who is no reviewer."""
        told = self._transport.get("reviews", limit=1000).get("reviews")
        return ReviewList([_review(one) for one in told] if isinstance(told, list) else [])

    def look(self, id: str) -> Review:
        """One of them, with what is asked and the protected answer."""
        return self._reader.read(self._transport.get("reviews", _id(id)))

    def find(self, id: str) -> TableFinding:
        """Have what a table outside the grid would tell looked at, and wait for that."""
        self._jobs.answered(self._transport.post("reviews", _id(id), "look", body={}))
        found = _finding(self._transport.get("reviews", _id(id)).get("finding"))
        if found is None:
            raise _unread()
        return found

    def decide(self, id: str, body: Json) -> str:
        """Approve or refuse; gives the state of the request."""
        reply = self._transport.post("reviews", _id(id), body=body)
        job = reply.get("job")
        if "finding" in body:  # a process that reads rows lets it leave
            self._jobs.answered(reply)
            return "done"
        if not isinstance(job, dict) or not isinstance(job.get("state"), str):
            raise _unread()
        return harmless(str(job["state"]))


class Reader:
    """Reads what is told of a request that waits.

    Args:
        key: the ledger's, against which a held answer's certificate is checked.
        dataset, schema: by these questions are written as SQL; ``None``: in their canonical form.
    """

    def __init__(self, key: VerifyingKey, dataset: str, schema: Schema | None) -> None:
        self._key, self._dataset, self._schema = key, dataset, schema

    def read(self, told: Json) -> Review:
        """What is asked, and the protected answer where that is told, too.

        Raises:
            UserError: for what is told in no form that this version knows.
            VerificationError: for an answer that the ledger's key has not signed.
        """
        form = told.get("review")
        found = _review(form)
        try:
            asked = _asked(found.kind, form.get("asked") if isinstance(form, dict) else None)
        except (PetsError, LookupError, TypeError):
            raise _unread() from None
        own = {"dataset": found.dataset, "project": found.project, "analyst": found.analyst, "data": "real"}
        queries = asked.arguments.get("queries") or [one for one in (asked.arguments.get("query"),) if one is not None]
        words = tuple(self._written(one, found.dataset) for one in queries)
        return _review(form, asked, self._answer(told, own, asked), words, _finding(told.get("finding")))

    def _written(self, query: Query, dataset: str) -> str:
        if self._schema is not None and dataset == self._dataset:
            with suppress(PetsError):  # what SQL has no words for
                return query.sql(self._schema)
        return canonical(query.to_json()).decode()

    def _answer(self, told: Json, own: Json, asked: Asked) -> Any:
        if "releases" in told:
            forms = [one.to_json() for one in asked.arguments.get("queries", ())] if asked.kind == "release" else None
            protection = asked.arguments["protection"].to_json() if asked.kind == "release" else None
            read = reading.tables if reading.are_rounded(told["releases"]) else reading.answers
            found: Sequence[Any] = read(told["releases"], self._key, own, forms, protection)
            return found[0] if len(found) == 1 else found
        if "rows_lost" in told:
            return RowsLost(reading.answers([told["rows_lost"]], self._key, own)[0])
        if "keys" in told:
            return reading.keys(ReleasedKeys, told["keys"], self._key, own)
        if "top" in told:
            return reading.keys(TopKeys, told["top"], self._key, own)
        if "trained" in told:
            return reading.network(told["trained"], self._key, own)
        return synthesis.synthetic(told["synthetic"], self._key, own) if "synthetic" in told else None


def _id(id: object) -> str:
    if not isinstance(id, str) or not id:
        raise UserError(f"a request is named by its id, as connection.reviews() lists it, not by {shown(id)}")
    return id


def _asked(kind: str, form: Any) -> Asked:
    """What is asked; of a table outside the grid, the release that whoever asked wants."""
    if kind == TABLE:
        return Asked.read("release", {"queries": [form["query"]], "protection": form["protection"]})
    return Asked.read(kind, form)


def _finding(form: Any) -> TableFinding | None:
    if form is None:
        return None
    try:
        return TableFinding(**harmless({name: str(form[name]) for name in ("digest", "state")}), words=_lines(form))
    except (LookupError, TypeError, ValueError):
        raise _unread() from None


def _lines(form: Any) -> str:
    return "\n".join(harmless(line) for line in str(form["words"]).split("\n"))


def _review(
    form: Any,
    asked: Asked | None = None,
    answer: Any = None,
    questions: tuple[str, ...] = (),
    finding: TableFinding | None = None,
) -> Review:
    try:
        told = harmless({name: str(form[name]) for name in ("id", "kind", "stage", "dataset", "project", "analyst")})
        return Review(**told, at=int(form["at"]), asked=asked, answer=answer, questions=questions, finding=finding)
    except (LookupError, TypeError, ValueError, OverflowError):
        raise _unread() from None


def _unread() -> UserError:
    return UserError("the service tells of a review in a form that is none; install the version of pets that it has")
