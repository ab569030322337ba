"""Hands: few threads, which answer what takes but a moment.

Python runs one thread at a time, and each look at a database passes the turn on: many that answer at once take longer,
together, than the same one after another. What may wait (for the turn to write, for what somebody else's host asks of
a network) or may take long is for other threads.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

OF_A_FILE, OF_A_SERVER = 1, 4
"""How many: a look at a file waits for nobody, one at a server of databases for a network."""


class Hands:
    """Threads that are there once they are needed; safe from several event loops, and in a fork.

    Args:
        many: how many.
    """

    def __init__(self, many: int) -> None:
        self._many, self._lock = many, threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0

    async def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """What a function gives, called by one of them; raises what it raises."""
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pooled(), lambda: context.run(function, *args, **kwargs))

    def _pooled(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None or self._process != os.getpid():  # (a fork has none of its parent's threads)
                self._pool, self._process = ThreadPoolExecutor(self._many, "pets-hand"), os.getpid()
            return self._pool
