"""Forgetful: an error that leaves a function takes none of its local variables along.

A traceback keeps the frames it passed, and a tool that prints their variables (a debugger, an error collector, a test
runner) would print a key, a seed or one party's numbers.
"""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def forgetful(function: Callable[P, R]) -> Callable[P, R]:
    """The same function; when it raises, the variables of all frames below are gone."""

    @functools.wraps(function)
    def careful(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            forget(error)
            raise

    return careful


def forget(error: BaseException) -> None:
    """Clear the frames of an error, and of those that it came from."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        traceback.clear_frames(one.__traceback__)
        one = one.__context__
