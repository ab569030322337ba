"""Stopping: statements that may take so long and no longer; DuckDB is then interrupted. (Polars cannot be.)"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

AGAIN = 0.05
"""Seconds between two interruptions of a statement whose time is over."""

Result = TypeVar("Result")
_until: ContextVar[float | None] = ContextVar("pets_until", default=None)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Every statement inside ends by then, or raises what DuckDB raises when it is interrupted."""
    token = _until.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _until.reset(token)


def run(cursor: Any, statement: Callable[[], Result]) -> Result:
    """What a statement of a cursor gives, if it ends in time. The cursor is used for nothing else afterwards."""
    until = _until.get()
    if until is None:
        return statement()
    ended = threading.Event()
    threading.Thread(target=_interrupt, args=(cursor, until, ended), daemon=True).start()
    try:
        return statement()
    finally:
        ended.set()


def _interrupt(cursor: Any, until: float, ended: threading.Event) -> None:
    """Again and again: DuckDB forgets what came just before a statement began, as where no time was left for it."""
    rest = until - time.monotonic()
    while not ended.wait(max(0.0, rest)):
        cursor.interrupt()
        rest = AGAIN
