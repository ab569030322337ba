"""Verbs: how a function becomes a command, with its groups of flags, and what Ctrl-C says."""

# no "from __future__ import annotations": typer and spread read the annotations when this file loads

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import typer

from pets.cli.flags import spread

SAFE = "interrupted; no answer was released and nothing was spent"


class Interrupted(BaseException):
    """Ctrl-C, with what is to be said about the charge."""


@contextmanager
def interruptible(said: str) -> Iterator[None]:
    """Ctrl-C inside says this."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(said) from None


def verb(app: typer.Typer, said: str = SAFE) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator: the function is a command of this app; its parameters may be groups of flags."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @wraps(function)
        def guarded(**given: Any) -> None:
            with interruptible(said):
                function(**given)

        app.command(function.__name__.rstrip("_").replace("_", "-"))(spread(guarded))
        return function

    return decorate
