"""The marking service as an application: a token and an answer go in, a score in quarters and a hint come out.

It is not part of the query service, on purpose. That one keeps the account of real data, and every token of it is in
its ledger; a class of students, some of whom are told to attack, has no business there. This one has no ledger, no
rows and no other process: what it knows is :class:`~pets.synthetic.lessons.desk.Desk`. It speaks as the other does
(strict JSON, problems of RFC 9457, bearer tokens), with the same code.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pets.common.codec import Json
from pets.errors import InternalError, NotFoundError, PetsError, UnauthenticatedError, UserError, did_you_mean, shown
from pets.service.access.rates import Rates, Strangers
from pets.service.http.endpoint import body_of, refusal, response
from pets.service.wire.errors import WrongMethodError
from pets.service.wire.strict_json import read
from pets.synthetic.lessons.desk import Desk, Seat, Told

PER_MINUTE = 30
"""Requests of one student."""

MAX_BYTES = 200_000
_FIELDS = ("task", "answer")
_MAX_TOKEN = 200
_logger = logging.getLogger("pets.lessons")

Answering = Callable[[Desk, Seat, Request], Awaitable[Json]]


def create_marking_app(desk: Desk, *, per_minute: int = PER_MINUTE, strangers: Strangers | None = None) -> Starlette:
    """The marking of some classes as an ASGI application.

    Args:
        desk: what marks.
        per_minute: requests of one student.
        strangers: how fast tokens that nobody has are looked up.
    """
    rates, doors = Rates(per_minute), strangers or Strangers()

    def known(answering: Answering) -> Callable[[Request], Awaitable[Response]]:
        async def serve(request: Request) -> Response:
            try:
                seat = _who(desk, doors, request)
                rates.take((id(seat.log), seat.student))
                if request.url.query:
                    raise UserError("this address takes nothing behind a question mark; leave it out")
                return response(await answering(desk, seat, request))
            except PetsError as error:
                return refusal(error)
            except Exception:
                _logger.exception("an answer was not marked")  # for whoever runs it; told to nobody who asks
                return refusal(
                    InternalError("the marking service failed; your answer is no attempt; tell your trainer")
                )

        return serve

    async def healthz(_: Request) -> Response:
        return response({"ok": True})

    return Starlette(
        routes=[
            Route("/healthz", healthz, methods=["GET"]),
            Route("/progress", known(_progress), methods=["GET"]),
            Route("/answers", known(_answer), methods=["POST"]),
        ],
        exception_handlers={HTTPException: _elsewhere},
    )


def _who(desk: Desk, doors: Strangers, request: Request) -> Seat:
    """Whose token it is; every one that is nobody's is refused in the same words."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip()
    nobody = UnauthenticatedError(
        "the marking service does not know this token; use the quiz.json of your own folder, or ask your trainer for it"
    )
    if scheme.lower() != "bearer" or not token or len(token) > _MAX_TOKEN or not token.isascii():
        raise nobody
    found: Seat | None = doors.look_up(token, "" if request.client is None else request.client.host, desk.find)
    if found is None:
        raise nobody
    return found


async def _answer(desk: Desk, seat: Seat, request: Request) -> Json:
    form: Any = read(await body_of(request, MAX_BYTES), max_bytes=MAX_BYTES)
    if not isinstance(form, dict):
        raise UserError(f"the body must be one JSON object, not {shown(form)}")
    for name in form:
        if name not in _FIELDS:
            raise UserError(f"the body has no place for {shown(name)}{did_you_mean(name, _FIELDS)}")
    for name in _FIELDS:
        if name not in form:
            raise UserError(f"the body lacks {name!r}; send it with the rest")
    return _form(await run_in_threadpool(desk.answer, seat, form["task"], form["answer"]))


async def _progress(desk: Desk, seat: Seat, _: Request) -> Json:
    return {"title": seat.quiz.title, "tasks": [_form(one) for one in await run_in_threadpool(desk.progress, seat)]}


def _form(told: Told) -> Json:
    mark = told.mark
    return {"task": mark.task, "score": mark.score, "attempts": mark.attempts, "left": told.left, "said": mark.said}


def _elsewhere(_: Request, error: Exception) -> Response:
    status, told = getattr(error, "status_code", 404), getattr(error, "headers", None) or {}
    why: PetsError = NotFoundError("there is no such address here; answers are posted to /answers")
    if status == 405:
        why = WrongMethodError("this address is not for that method; answers are posted to /answers")
    found = refusal(why)
    found.headers.update(told if status == 405 else {})
    return found
