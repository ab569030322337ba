"""A service for the tests of its client: the forms of the wire over a session, without a network, a queue or a process.

What a test wants to go wrong is set on it: replies that are lost, answers that are edited, jobs that take a while.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote

import httpx

import pets
from pets.common.codec import Json, canonical
from pets.errors import BusyError, InProgressError, NotFoundError, PetsError, UnauthenticatedError
from pets.service.wire.asked import Asked
from pets.service.wire.problems import problem, status
from pets.session.history import form_of
from pets.session.verbs.analyst_session import AnalystSession

TOKEN = "pets_test_token"
URL = "https://data.example/pets"


class Stub(httpx.MockTransport):
    """One analyst's view of a service.

    Attributes:
        polls: how often a job is looked at before it is done.
        lost: replies that are lost on their way, after the service did its work.
        busy: replies to a question that say that what came under its key is still being answered.
        full: whether so many requests wait already that no other one may.
        edit: what is done to an answer before it leaves.
        seen: every request: its method, path, headers and body.
    """

    def __init__(self, session: AnalystSession, key: bytes) -> None:
        super().__init__(self._handle)
        self.session, self.key = session, key
        self.polls = self.lost = self.busy = 0
        self.full = False
        self.protocol: str | None = "1"
        self.edit: Callable[[Json], Json] = lambda answer: answer
        self.seen: list[httpx.Request] = []
        self.jobs: dict[str, Json] = {}
        self.states: dict[str, str] = {}
        self._keys: dict[str, str] = {}
        self._kinds: dict[str, str] = {}
        self._left: dict[str, int] = {}

    def connect(self, **more: Any) -> Any:
        """A connection to it, with its key pinned."""
        settings: Json = {"token": TOKEN, "key": self.key.hex(), "progress": False} | more
        return pets.connect(URL, transport=self, **settings)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        try:
            if request.headers.get("authorization") != f"Bearer {TOKEN}":
                raise UnauthenticatedError("the service does not know who asks; log in, and send the token of that")
            body, code = self._reply(request), 200
        except PetsError as error:
            body, code = problem(error), status(error)
        if self.lost:
            self.lost -= 1
            raise httpx.ReadError("the line broke", request=request)
        headers = {} if self.protocol is None else {"Pets-Protocol": self.protocol.encode("latin-1")}
        return httpx.Response(code, content=canonical(body), headers=headers)

    def _reply(self, request: httpx.Request) -> Json:
        path = [unquote(part) for part in request.url.raw_path.decode().partition("?")[0].split("/")[2:]]
        query = {name: values[0] for name, values in parse_qs(request.url.query.decode()).items()}
        body = json.loads(request.content) if request.content else {}
        session = self.session
        if self.full and float(query.get("wait", 0)):
            raise BusyError("20 requests wait for an answer already; nothing was charged; ask without wait=", 1.0)
        match request.method, path:
            case "GET", ["datasets"]:
                listed = [{"dataset": session.schema.dataset, "tables": list(session.tables)}]
                return {"analyst": session.analyst, "project": session.project, "datasets": listed}
            case "GET", ["key"]:
                return {"key": self.key.hex()}
            case "GET", ["datasets", _, "schema"]:
                facts = {"schema": session.schema.to_json(), "policy": session.policy.to_json()}
                return facts | {"engine": "duckdb", "tables": list(session.tables), "snapshots": session.snapshots}
            case "GET", ["datasets", _, "budget"]:
                return {"remaining": session.remaining().to_json()}
            case "GET", ["datasets", _, "history"]:
                return {"history": form_of(session.history(analyst=query.get("analyst"), last=int(query["last"])))}
            case "POST", ["datasets", _, "quote"]:
                asked = Asked.read("release", body).arguments
                return {"quote": session.quote(asked["queries"], asked["protection"]).to_json()}
            case "POST", ["datasets", _, "queries"]:
                return self._put(request.headers["idempotency-key"], body)
            case "GET", ["queries", number] if number in self.jobs:
                return self._told(number)
            case "DELETE", ["queries", number] if number in self.jobs:
                self.states[number] = "cancelled"
                return self._told(number)
        raise NotFoundError("there is no such job of yours; look at GET /queries")

    def _put(self, key: str, body: Json) -> Json:
        number = self._keys.setdefault(key, f"job{len(self._keys)}")
        if number not in self.jobs:
            asked = Asked.read(body.pop("kind"), body)
            self._kinds[number] = asked.kind
            self.states[number], self._left[number] = "done", self.polls
            try:
                self.jobs[number] = self.edit(json.loads(canonical(asked.ask(self.session, key))))
            except PetsError as error:
                told = {"code": error.code, "message": str(error), "retry_after": error.retry_after}
                self.jobs[number], self.states[number] = {"problem": told}, "failed"
        if self.busy:
            self.busy -= 1
            raise InProgressError(f"the request under key {key!r} is still being answered; ask again in 30 s", 30)
        return self._told(number)

    def _told(self, number: str) -> Json:
        state, more = self.states[number], self.jobs[number]
        if state in ("done", "failed") and self._left[number]:
            self._left[number] -= 1
            state = "running"
        job = {
            "id": number,
            "kind": self._kinds[number],
            "dataset": self.session.schema.dataset,
            "state": state,
            "at": 0,
        }
        if state == "failed":
            return {"job": job | more}
        return {"job": job} | (more if state == "done" else {})
