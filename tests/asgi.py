"""Requests to an application of this process: without a network, a thread, or a client that would not send them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import pytest

from pets.service.http import endpoint

Header = tuple[bytes, bytes]


@dataclass(frozen=True)
class Reply:
    """What came back, as bytes."""

    status: int
    headers: tuple[Header, ...]
    body: bytes

    def header(self, name: str) -> str:
        """A header's value; empty where there is none."""
        return next((value.decode("latin-1") for key, value in self.headers if key == name.encode()), "")

    def json(self) -> Any:
        """The body's value."""
        return json.loads(self.body)

    @property
    def all(self) -> bytes:
        """Headers and body."""
        return b"\n".join([*(name + b": " + value for name, value in self.headers), self.body])


class Caller:
    """Sends one request after another; ``path`` goes as it is, with what stands behind its question mark."""

    def __init__(self, app: Callable[[Any, Any, Any], Awaitable[None]]) -> None:
        self._app, self._loop = app, asyncio.new_event_loop()

    def send(self, method: str, path: str, headers: list[Header] | None = None, body: bytes = b"") -> Reply:
        """The reply to a request."""
        where, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "http",
            "method": method,
            "path": unquote(where),
            "raw_path": where.encode("latin-1", "replace"),
            "query_string": query.encode("latin-1", "replace"),
            "root_path": "",
            "headers": headers or [],
            "client": ("192.0.2.1", 1),
            "server": ("localhost", 80),
        }
        pieces = [body[: len(body) // 2], body[len(body) // 2 :]]
        said: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": pieces.pop(0) if pieces else b"", "more_body": bool(pieces)}

        async def send(message: Any) -> None:
            said.append(dict(message))

        async def one() -> None:
            await self._app(scope, receive, send)

        self._loop.run_until_complete(one())
        found = b"".join(message.get("body", b"") for message in said[1:])
        return Reply(said[0]["status"], tuple((bytes(k), bytes(v)) for k, v in said[0]["headers"]), found)

    def close(self) -> None:
        """No more."""
        self._loop.close()


def in_this_thread(patch: pytest.MonkeyPatch) -> None:
    """Endpoints work in the thread of whoever sends: quicker, and what they do can be counted."""

    async def here(function: Callable[..., Any], *given: Any) -> Any:
        return function(*given)

    patch.setattr(endpoint, "run_in_threadpool", here)
