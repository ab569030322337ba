"""Errors that speak one plain sentence and name the remedy.

Every error a person can cause is a :class:`UserError`; its message never depends on a row of data and its
``exit_code`` is what the command line returns. An :class:`InternalError` is a bug in pets.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PetsError(Exception):
    """Root of every error that pets raises on purpose."""

    exit_code = 1


class UserError(PetsError):
    """Something in the request must change; the message says what and how."""

    exit_code = 2


class SchemaError(UserError):
    """The schema is not a valid public description of the tables."""

    exit_code = 3


class QueryError(UserError):
    """The question cannot be asked of this schema."""

    exit_code = 4


class DataError(UserError):
    """A data source cannot be opened or read (raised to the custodian, while a snapshot is made)."""

    exit_code = 5


class BudgetError(UserError):
    """The budget or the protection's parameters do not allow the request; nothing was spent."""

    exit_code = 6


class PolicyError(UserError):
    """The custodian's policy does not allow the request; nothing was spent."""

    exit_code = 7


class MissingExtraError(UserError):
    """An optional part of pets is not installed; the message names the ``pip install`` that mends it."""

    exit_code = 8


class ReleaseFailedError(PetsError):
    """The request failed after the data was opened.

    Deliberately opaque: the analyst learns nothing but an incident number, and the charge stands.
    """

    exit_code = 9


class InternalError(PetsError):
    """A bug in pets, not in the request."""

    exit_code = 70


def shown(value: object) -> str:
    """A wrong value as an error message may quote it: short ones as they are, long ones by their kind alone.

    >>> shown("agee"), shown("x" * 100), shown([0] * 100)
    ("'agee'", 'a text of 100 characters', 'a list')
    """
    text = repr(value)
    if len(text) <= 60 and "\n" not in text:
        return text
    if isinstance(value, str):
        return f"a text of {len(value)} characters"
    return f"a{'n' if type(value).__name__[0] in 'aeiouAEIOU' else ''} {type(value).__name__}"


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """The tail of an error message: the closest known name, or the list of what exists.

    >>> did_you_mean("agee", ["age", "gender"])
    "; did you mean 'age'?"
    >>> did_you_mean("xyz", ["age", "gender"])
    '; there are: age, gender'
    """
    names = [str(k) for k in known]
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    if not names:
        return "; there are none"
    shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    return f"; there are: {shown}"


def missing_extra(what: str, extra: str) -> MissingExtraError:
    """The error for an optional package that is absent: names the one command that mends it."""
    return MissingExtraError(f"{what} needs an optional part of pets; install it with: pip install 'pets[{extra}]'")
