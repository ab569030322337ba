"""Calls with the wrong arguments, answered in one plain sentence instead of Python's own ``TypeError``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from pets.common.codec import whole
from pets.errors import UserError, did_you_mean, shown

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def plain_arguments(
    error: type[UserError], name: str = "", example: str = ""
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator: arguments that do not fit the function raise ``error``, naming the argument and the remedy.

    >>> @plain_arguments(UserError)
    ... def area(width, *, height=1): ...
    >>> area(2, heigth=3)
    Traceback (most recent call last):
    pets.errors.UserError: area has no argument 'heigth'; did you mean 'height'?
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)
        called = name or function.__name__

        @functools.wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except TypeError:
                # only now, for it takes longer than most calls: Python had refused these before the function began
                try:
                    signature.bind(*args, **kwargs)
                except TypeError:
                    raise error(_why(called, signature, args, kwargs, example)) from None
                raise

        return checked

    return decorate


def plain_fields(error: type[UserError], example: str = "") -> Callable[[type[T]], type[T]]:
    """:func:`plain_arguments` for making an object of a class."""

    def decorate(cls: type[T]) -> type[T]:
        setattr(cls, "__init__", plain_arguments(error, cls.__name__, example)(cls.__init__))  # noqa: B010
        return cls

    return decorate


def _why(
    called: str, signature: inspect.Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any], example: str
) -> str:
    also = f"; {example}" if example else ""
    given = [p for p in signature.parameters.values() if p.name not in ("self", "cls")]
    count = len(args) - (len(signature.parameters) - len(given))
    names = [p.name for p in given if p.kind in _NAMED]
    for name in kwargs:
        if name not in names:
            if not names:
                return f"{called} takes no arguments by name; leave {name[:100]!r} out{also}"
            return f"{called} has no argument {name[:100]!r}{did_you_mean(name, names)}{also}"
    order = [p.name for p in given if p.kind in _POSITIONAL]
    if count > len(order):
        rest = ", ".join(f"{n}=…" for n in names if n not in order and n not in kwargs)
        unnamed = f"only {', '.join(order)} without a name" if order else "nothing without a name"
        if rest:
            return f"{called} takes {unnamed}{also or f'; write {rest}'}"
        return f"{called} takes {', '.join(order) or 'no arguments'}, and {count} were given; leave the rest out{also}"
    for name in order[:count]:
        if name in kwargs:
            return f"{called} is given {name!r} twice; keep one{also}"
    lacking = [p.name for p in given if p.default is p.empty and p.kind in (*_POSITIONAL, *_NAMED)]
    lacking = [name for name in lacking if name not in kwargs and name not in order[:count]]
    return f"{called} needs {', '.join(lacking)}{also}"


def whole_between(label: str, value: object, least: int, most: int) -> int:
    """A whole number between two bounds; raises :class:`UserError` for anything else.

    >>> whole_between("rows", 5, 1, 10)
    5
    """
    try:
        found = whole(value)
    except ValueError:
        found = least - 1
    if not least <= found <= most:
        raise UserError(f"{label} must be a whole number from {least:,} to {most:,}, not {shown(value)}")
    return found
