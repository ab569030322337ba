"""Verbs: how a function becomes a command, with its groups of flags; what Ctrl-C says, and what no command line is."""

# no "from __future__ import annotations": typer and spread read the annotations when this file loads

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import is_dataclass
from functools import cache, wraps
from typing import Any

import typer
from typer.main import get_command

from pets.query_model.traits import SPELLINGS

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


@cache
def built(app: typer.Typer) -> Callable[..., Any]:
    """All commands and flags of an app, read once: that takes longer than most of the commands of a process."""
    return get_command(app)


def spread(function: Callable[..., None]) -> Callable[..., None]:
    """A command whose parameters may be groups of flags, as typer can read it: with their fields as its flags."""
    groups = {name: p.annotation for name, p in inspect.signature(function).parameters.items()}
    flags: dict[str, list[inspect.Parameter]] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        kind: Any = parameter.annotation
        flags[name] = _parameters(kind) if is_dataclass(kind) else [parameter]

    def run(**given: Any) -> None:
        made = {}
        for name, parameters in flags.items():
            own = {p.name: given[p.name] for p in parameters}
            made[name] = groups[name](**own) if is_dataclass(groups[name]) else own[name]
        function(**made)

    every = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameters in flags.values() for p in parameters]
    run.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in every}
    run.__name__, run.__doc__ = function.__name__, function.__doc__
    return run


def _parameters(kind: Any) -> list[inspect.Parameter]:
    return list(inspect.signature(kind).parameters.values())


# what is no command line --------------------------------------------------------------------------------------------

_INSTEAD = {
    "--group-by": "groups are named with --by, such as --by age",
    "--groupby": "groups are named with --by, such as --by age",
    "--filter": "rows are chosen with --where, such as --where \"sex == 'F'\"",
    "--eps": "ε is --epsilon, such as --epsilon 0.5",
    "--output": "the answer is written with --out, such as --out answer.csv",
    "--quantiles": "a quantile is --quantile, such as --quantile long=stay:0.9",
}


def swallowed(arguments: list[str]) -> str:
    """A sentence for a measure that would take the next flag as its name; '' where there is none."""
    for spelling in SPELLINGS.values():
        for at, text in enumerate(arguments):
            after = arguments[at + 1] if at + 1 < len(arguments) else ""
            if text == spelling.flag and after.startswith("--"):
                return (
                    f"{spelling.flag} needs a name for the answer, and {after} follows it; write one, such as "
                    f"{spelling.flag} {'stays' if spelling.takes == 'rows' else spelling.example}"
                )
    return ""


def plainer(error: Any, arguments: list[str]) -> str:
    """A sentence with its remedy for an error of the command line's own; '' where the engine's is plain enough."""
    flag = str(getattr(error, "option_name", ""))
    if flag in _INSTEAD:
        return f"there is no {flag}; {_INSTEAD[flag]}"
    for kind, example in (("valid number", "0.5"), ("valid integer", "3")):
        if kind not in str(getattr(error, "message", "")):
            continue
        for name in getattr(getattr(error, "param", None), "opts", ()):
            value = _value(name, arguments)
            if value:
                mended = value.replace(",", ".")
                better = mended if kind == "valid number" and _is_number(mended) else example
                point = " with a decimal point" if better == mended else ""
                whole = "a number" if kind == "valid number" else "a whole number"
                return f"{name} takes {whole}, and {value!r} is none; write it{point}, such as {name} {better}"
    return ""


def _value(name: str, arguments: list[str]) -> str:
    """What follows a flag."""
    for at, text in enumerate(arguments):
        if text == name and at + 1 < len(arguments):
            return arguments[at + 1]
        if text.startswith(f"{name}="):
            return text.partition("=")[2]
    return ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
