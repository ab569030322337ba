"""Pages: how what is no endpoint gets an address of the application. What a page says is made elsewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool

T = TypeVar("T")

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@dataclass(frozen=True)
class Sent:
    """What is sent to a browser.

    Attributes:
        headers: each with its name; a name may come twice (``Set-Cookie``).
    """

    body: bytes
    status: int
    headers: tuple[tuple[str, str], ...]


Serve = Callable[[Any], Awaitable[Sent]]
"""What answers a request (a Starlette ``Request``)."""


def add_pages(app: FastAPI, pages: Iterable[tuple[str, str, Serve]]) -> None:
    """Have an application answer pages: each a method (``""``: any), an address, and what answers there."""
    for method, address, serve in pages:
        app.add_route(address, _sending(serve), methods=[method] if method else [*METHODS], include_in_schema=False)


async def in_thread(call: Callable[..., T], *arguments: Any) -> T:
    """Call what may take a while, aside."""
    return await run_in_threadpool(call, *arguments)


def _sending(serve: Serve) -> Callable[[Request], Awaitable[Response]]:
    async def send(request: Request) -> Response:
        sent = await serve(request)
        found = Response(sent.body, sent.status)
        for name, value in sent.headers:
            found.headers.append(name, value)
        return found

    return send
