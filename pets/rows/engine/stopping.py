"""Stopping: statements that may take so long and no longer; DuckDB and Spark are then interrupted.

Polars cannot be: its statement goes on to its end, and none is begun once the time is over.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Protocol, TypeVar

AGAIN = 0.05
"""Seconds between two interruptions of a statement whose time is over."""

Result = TypeVar("Result")
_until: ContextVar[float | None] = ContextVar("pets_until", default=None)


class Interruptible(Protocol):
    """What runs a statement in another thread's sight."""

    def interrupt(self) -> object:
        """End it, as soon as that can be; safe from threads, and where nothing runs."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Every statement inside ends by then, or raises what its engine raises when it is interrupted."""
    token = _until.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _until.reset(token)


def limited() -> bool:
    """Whether statements have a time."""
    return _until.get() is not None


def run(engine: Interruptible | None, statement: Callable[[], Result]) -> Result:
    """What a statement gives, if it ends in time.

    Args:
        engine: that runs it, and is used for nothing else afterwards, such as a cursor; ``None``: one that cannot be
            interrupted, or sees to that itself.

    Raises what the engine raises, and ``TimeoutError`` where it cannot be interrupted and no time is left for it.
    """
    until = _until.get()
    if until is None:
        return statement()
    if engine is None:
        if time.monotonic() >= until:
            raise TimeoutError("no time is left for this statement")
        return statement()
    ended = threading.Event()
    threading.Thread(target=_interrupt, args=(engine, until, ended), daemon=True).start()
    try:
        return statement()
    finally:
        ended.set()


def _interrupt(engine: Interruptible, until: float, ended: threading.Event) -> None:
    """Again and again: an engine forgets what came just before a statement began, as where no time was left for it."""
    rest = until - time.monotonic()
    while not ended.wait(max(0.0, rest)):
        with suppress(Exception):  # the engine is gone, or is going
            engine.interrupt()
        rest = AGAIN
