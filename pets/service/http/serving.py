"""Serving: the application behind a socket of its own, until somebody stops it."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Callable
from typing import Any

import uvicorn

from pets.errors import UserError

_LONGEST = 60  # seconds that requests under way may take to end, once the service is stopped


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens there (port 0: any free one); raises :class:`UserError` where it cannot."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # (asyncio sends small replies at once, TCP_NODELAY, where the socket says that it is TCP: else each waits 40 ms)
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
        made.listen(2048)  # from here on whoever connects waits, and is not turned away
    except (OSError, OverflowError) as error:
        made.close()
        why = getattr(error, "strerror", None) or "no such address"
        raise UserError(f"the service cannot listen at {host}, port {port} ({why}); choose another --port") from None
    return made


def serve(app: Any, sock: socket.socket, ready: Callable[[], None]) -> None:
    """Answer requests until a signal comes (SIGINT, SIGTERM); ``ready`` is called just before the first is taken."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,  # it would hold ids and addresses; the service's own log names what was asked
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=_LONGEST,
        limit_concurrency=1000,
        ws="none",
    )

    def stop(*_: object) -> None:
        raise KeyboardInterrupt  # so that whoever called this can tidy up: the usual end by SIGTERM does not

    before = signal.signal(signal.SIGTERM, stop)
    try:
        with contextlib.closing(sock), contextlib.suppress(KeyboardInterrupt):
            ready()
            uvicorn.Server(config).run(sockets=[sock])
    finally:
        signal.signal(signal.SIGTERM, before)
