"""Endpoint: one address and method, what it asks of a request, and how its answer or its refusal leaves.

Every refusal is a problem with a code of the closed list; what nobody foresaw is a fault with a number, and says
nothing else to whoever asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import logging
import math
import re
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from pets.common.codec import Json, canonical
from pets.common.entropy import random_id
from pets.errors import (
    BusyError,
    InternalError,
    NotFoundError,
    PetsError,
    UnauthenticatedError,
    UserError,
    did_you_mean,
    shown,
)
from pets.ledger.queue import QueuedJob
from pets.service.access.grants import check_grant
from pets.service.access.identity import Identity
from pets.service.http.service import Service
from pets.service.telemetry.metrics import NONE
from pets.service.wire import problems
from pets.service.wire.errors import MediaTypeError, TooLargeError
from pets.service.wire.strict_json import read
from pets.session.custodian import Custodian

PROTOCOL = "1"
"""The version of what is spoken, in the header ``Pets-Protocol`` of every reply."""

HEADERS = {"Pets-Protocol": PROTOCOL, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

_logger = logging.getLogger("pets.service")
_PATIENCE = 30.0  # seconds in which a body must have come
_SMALL = 4096  # bytes of a question that takes but a moment
_JOB = re.compile(r"[0-9a-f]{32}")  # an id, as a database can hold it
_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,30})?([eE][-+]?[0-9]{1,3})?")  # (float would take 1_0, and spaces)


@dataclass(frozen=True)
class Reply:
    """What an endpoint answers: JSON (bytes: as it was written before), or a text of another type in place of it."""

    body: Json | bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str | None = None
    media: str = "application/json"

    @property
    def form(self) -> Json:
        """The body, for a reader in this process."""
        return dict(json.loads(self.body) if isinstance(self.body, bytes) else self.body)

    def response(self) -> Response:
        """As it leaves."""
        if self.text is None:
            return response(self.body, self.status, self.headers)
        return Response(self.text, self.status, {**HEADERS, **self.headers}, media_type=self.media)


@dataclass(frozen=True)
class Later:
    """An answer that is not there yet.

    Attributes:
        job: whose end it waits for, as it was when it was put.
        look: the reply so far, and whether it is the last one.
        seconds: that whoever asks is ready to wait.
    """

    job: QueuedJob
    look: Callable[[], tuple[Reply, bool]]
    seconds: float


@dataclass(frozen=True)
class Call:
    """One request, as an endpoint sees it.

    Attributes:
        path, query: the names in the address, and what stands behind its question mark.
        body: the JSON object that was sent; empty where the endpoint takes none.
        key: the header ``Idempotency-Key``.
    """

    service: Service
    identity: Identity
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Json
    key: str | None

    def number(self, name: str, default: int, most: int, least: int = 0) -> int:
        """A whole number behind the question mark; raises :class:`UserError`."""
        text = self.query.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 16) or not least <= int(text) <= most:
            raise UserError(f"{name} must be a whole number from {least} to {most}, not {shown(text)}")
        return int(text)

    def fields(self, needed: tuple[str, ...], also: tuple[str, ...] = ()) -> Json:
        """The body, which has these fields and no other; raises :class:`UserError`."""
        for name in self.body:
            if name not in (*needed, *also):
                raise UserError(f"the body has no place for {shown(name)}{did_you_mean(name, (*needed, *also))}")
        for name in needed:
            if name not in self.body:
                raise UserError(f"the body lacks {name!r}; send it with the rest")
        return self.body

    def kept(self, *roles: str) -> Custodian:
        """Who keeps the dataset of the address, for somebody who has one of these roles in login and grant alike.

        Raises:
            NotFoundError: where the dataset is not there for whoever asks.
            ForbiddenError: for anybody else.
        """
        custodian = self.service.custodian(self.identity, self.path["dataset"])
        self.identity.require(*roles)
        check_grant(custodian, self.identity, *roles)
        return custodian

    @property
    def wait(self) -> float:
        """The seconds that whoever asks is ready to wait for an answer; raises :class:`UserError`."""
        most, text = self.service.limits.max_wait, self.query.get("wait", "0")
        seconds = float(text) if _DECIMAL.fullmatch(text) else math.nan
        if not 0 <= seconds <= most:
            raise UserError(f"wait must be a number of seconds from 0 to {most}, not {shown(text)}")
        return seconds


Settled = Reply | Later
Handler = Callable[[Call], Settled | Callable[[], Settled]]
"""What answers; or what it gives is to be called for that, where it may wait or take long."""


def settled(answering: Callable[[], Settled | Callable[[], Settled]]) -> Settled:
    """What answers, once it may wait and take long."""
    found = answering()
    return found if isinstance(found, Settled) else found()


NOBODY = Identity("nobody", roles=frozenset(), datasets=frozenset())
"""Who asks what is open to all."""


@dataclass(frozen=True)
class Endpoint:
    """One address and method.

    Attributes:
        does: what it does, for the page of the protocol.
        query: the names that may stand behind its question mark.
        takes: an example of the body; ``None``: it takes none.
        opened: whether nobody needs to say who they are.
        limited: whether requests are counted; what is opened counts all callers without a login together.
        media: of a reply that is a text; ``None``: it is JSON.
        brief: whether it takes but a moment where the body is small (see :mod:`pets.service.http.hands`).
    """

    method: str
    path: str
    handler: Handler
    does: str
    query: tuple[str, ...] = ()
    takes: Json | None = None
    opened: bool = False
    limited: bool = True
    media: str | None = None
    brief: bool = False

    async def serve(self, service: Service, request: Request) -> Response:
        """The answer to a request, or why there is none."""
        with service.telemetry.request(self.method, self.path, request.path_params.get("dataset")) as outcome:
            found, outcome.code = await self._answered(service, request)
            outcome.status = found.status_code
        _logger.info("%s %s %d", self.method, self.path, found.status_code)
        return found

    async def _answered(self, service: Service, request: Request) -> tuple[Response, str]:
        """The answer or the refusal, and the code of that."""
        try:
            reply = await self._reply(service, request)
            return reply.response(), NONE
        except PetsError as error:
            return refusal(error), error.code
        except Exception:
            fault = incident(service)
            return refusal(fault), fault.code

    async def _reply(self, service: Service, request: Request) -> Reply:
        # who was known a moment ago is looked up by the thread that answers: to pass a request on costs more than that.
        # It is counted all the same before a body is read, and none is read but a small one
        lately = None if self.opened or not self._light(request) else service.lately(request)
        identity = await self._who(service, request) if lately is None else None
        counted = self._counted(service, _within(lately, request) if identity is None else identity)
        body = await body_of(request, service.limits.max_bytes) if self.takes is not None else b""
        brief = self.brief and len(body) <= _SMALL
        with contextlib.ExitStack() as held:
            handled = partial(self._handled, service, identity, counted, request, body, held)
            reply = await (service.hands.call(handled) if brief else run_in_threadpool(settled, handled))
            if not isinstance(reply, Settled):
                reply = await run_in_threadpool(reply)
            return reply if isinstance(reply, Reply) else await self._later(service, reply)

    def _light(self, request: Request) -> bool:
        """Whether no body is to be read, or a small one."""
        told = request.headers.get("content-length", "")
        return self.takes is None or (told.isascii() and told.isdigit() and len(told) < 9 and int(told) <= _SMALL)

    def _counted(self, service: Service, identity: Identity) -> tuple[str, ...]:
        who = (self.path,) if identity is NOBODY else (identity.project, identity.subject)
        if self.limited:
            service.rates.take(who)
        return who

    def _handled(
        self,
        service: Service,
        identity: Identity | None,
        counted: tuple[str, ...],
        request: Request,
        body: bytes,
        held: contextlib.ExitStack,
    ) -> Settled | Callable[[], Settled]:
        if identity is None:
            identity = _within(service.auth(request), request)
            if (identity.project, identity.subject) != counted:
                self._counted(service, identity)
        call = self._call(service, identity, request, body)
        if "wait" in self.query and call.wait:  # counted before anything is asked for
            held.enter_context(service.waits.one((identity.project, identity.subject)))
        return self.handler(call)

    async def _later(self, service: Service, reply: Later) -> Reply:
        left, end = reply.seconds, asyncio.get_running_loop().time() + reply.seconds
        if left and not reply.job.state.ended:
            await service.waiting.until_ended(reply.job.id, left)
        while True:
            found, last = await service.hands.call(reply.look)
            left = end - asyncio.get_running_loop().time()
            if last or left <= 0:
                return found
            await service.waiting.until_ended(reply.job.id, left)

    async def _who(self, service: Service, request: Request) -> Identity:
        """Who asks; of what is open to all, nobody, unless a login counts their requests apart from all others'."""
        if not (self.opened and self.limited):
            return NOBODY if self.opened else await identity_of(service, request)
        try:
            return await identity_of(service, request)
        except Exception:  # also what a host's own login does not foresee: this is open to all
            return NOBODY

    def _call(self, service: Service, identity: Identity, request: Request, body: bytes) -> Call:
        given, key = request.query_params.multi_items(), request.headers.get("idempotency-key")
        return self.call(service, identity, request.path_params, given, body, key)

    def call(
        self,
        service: Service,
        identity: Identity,
        path: Mapping[str, str],
        given: Sequence[tuple[str, str]],
        body: bytes,
        key: str | None,
    ) -> Call:
        """A request as the handler takes it: each part is one that this endpoint knows.

        Args:
            given: what stands behind the question mark.
            body: JSON; not looked at where the endpoint takes none.

        Raises:
            PetsError: for any other.
        """
        for part, number in (("job", path.get("job")), ("after", dict(given).get("after"))):
            if part in (*path, *self.query) and number is not None and not _JOB.fullmatch(number):
                raise NotFoundError(f"{shown(number)} is no id of a job; GET /queries lists yours")
        for name, _ in given:
            if name not in self.query:
                raise UserError(f"{self.path} takes no {shown(name)}{did_you_mean(name, self.query)}")
        if len(dict(given)) < len(given):
            raise UserError("the address says the same thing twice; keep one")
        form = read(body, max_bytes=service.limits.max_bytes) if self.takes is not None else {}
        if not isinstance(form, dict):
            raise UserError(f"the body must be one JSON object, not {shown(form)}")
        if key is not None and (not key.strip() or len(key) > 128 or not key.isascii() or not key.isprintable()):
            raise UserError(f"the header Idempotency-Key is 1 to 128 printable letters of ASCII, not {shown(key)}")
        return Call(service, identity, path, dict(given), form, key)


def incident(service: Service) -> InternalError:
    """What is told of a fault that nobody foresaw: a number, under which whoever runs the service finds the rest."""
    number = random_id()[:12]
    # kept beside the ledger's key, and neither told nor in any log
    service.ledger.incidents.note(number, traceback.format_exc())
    _logger.error("incident %s (pets ledger incident %s --ledger %s)", number, number, service.ledger.label)
    return InternalError(f"the service failed; tell whoever runs it (incident {number})")


async def identity_of(service: Service, request: Request) -> Identity:
    """Who asks, in the project that they chose among theirs."""
    found: Any = service.auth(request) if inspect.iscoroutinefunction(service.auth) else None
    found = await (run_in_threadpool(service.auth, request) if found is None else found)
    return _within(await found if isinstance(found, Awaitable) else found, request)


def _within(found: Any, request: Request) -> Identity:
    if not isinstance(found, Identity):
        raise UnauthenticatedError("the service does not know who asks; log in, and send the token of that")
    return found.within(request.headers.get("pets-project"))


async def body_of(request: Request, most: int, kind: str = "application/json") -> bytes:
    """The body, as long as it is of that kind and not too long; no more than that is kept."""
    told, _, rest = request.headers.get("content-type", "").partition(";")
    if told.strip().lower() != kind or rest.strip().lower() not in ("", "charset=utf-8"):
        raise MediaTypeError(
            "send the body as JSON in UTF-8, with the header 'Content-Type: application/json'"
            if kind == "application/json"
            else f"send the form in UTF-8, with the header 'Content-Type: {kind}'"
        )
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise MediaTypeError("send the body as it is; a compressed one is not read, so leave Content-Encoding out")
    too_large = TooLargeError(f"the body has more than {most:,} bytes; ask a smaller question, or two")
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and (len(declared) > 12 or int(declared) > most):
        raise too_large
    found = bytearray()
    try:
        async with asyncio.timeout(_PATIENCE):
            async for piece in request.stream():
                found += piece
                if len(found) > most:
                    raise too_large
    except TimeoutError:
        raise BusyError("the body of the request did not come in time; send it again", 1.0) from None
    except ClientDisconnect:  # nobody reads this
        raise UserError("the request ended before its body had come; send it again") from None
    return bytes(found)


def written(body: Json | bytes) -> bytes:
    """A body as it leaves."""
    return body if isinstance(body, bytes) else canonical(body)


def response(body: Json | bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A reply in JSON."""
    return Response(written(body), status, {**HEADERS, **(headers or {})}, media_type="application/json")


def refusal(error: PetsError) -> Response:
    """A problem (RFC 9457)."""
    more = dict(HEADERS)
    if error.retry_after is not None:
        more["Retry-After"] = str(math.ceil(error.retry_after))
    if isinstance(error, UnauthenticatedError):
        more["WWW-Authenticate"] = 'Bearer realm="pets"'
    return Response(canonical(problems.problem(error)), problems.status(error), more, media_type=problems.MEDIA_TYPE)
