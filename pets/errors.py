"""Errors that speak one plain sentence and name the remedy.

Every error a person can cause is a :class:`UserError`; its message never depends on a row of data and its
``exit_code`` is what the command line returns. An :class:`InternalError` is a bug in pets.
"""

from __future__ import annotations

import difflib
import itertools
import linecache
import sys
import traceback
from collections.abc import Callable, Iterable
from types import FrameType
from typing import ClassVar

DISTRIBUTION = "pets-privacy"
"""What installers call pets: on the package index, ``pets`` is another project."""


_full = False


def full_tracebacks(show: bool = True) -> None:
    """In a notebook, show the whole traceback of errors of pets from now on (``False``: as before).

    Otherwise a notebook shows the cell's line and the sentence. ``%tb`` shows the last error once more.
    """
    global _full
    _full = bool(show)


class PetsError(Exception):
    """Root of every error that pets raises on purpose.

    A notebook shows the cell's line and the sentence; :func:`full_tracebacks` brings the rest.

    Attributes:
        code: the kind of the error, for programs: one of a closed list, the same wherever pets speaks to another.
        exit_code: what the command line returns.
        retry_after: seconds after which the very same request may succeed; ``None`` where asking again is no remedy.
    """

    code: ClassVar[str] = "error"
    exit_code = 1
    retry_after: float | None = None

    @property
    def _render_traceback_(self) -> Callable[[], list[str]]:
        """What IPython shows in place of a traceback, where there is one."""
        if _full:
            raise AttributeError("_render_traceback_")
        return self._short

    def _short(self) -> list[str]:
        """The lines of the reader's own code that led here, and the sentence."""
        frames = traceback.walk_tb(self.__traceback__)
        own = itertools.takewhile(
            lambda found: _package(found[0]) != "pets",
            itertools.dropwhile(lambda found: _package(found[0]) in ("IPython", "ipykernel", "asyncio"), frames),
        )
        lines = [
            f"{_place(frame.f_code.co_filename)}, line {line}:  "
            f"{linecache.getline(frame.f_code.co_filename, line).strip()}"
            for frame, line in own
        ]
        return [*lines, "", f"{type(self).__name__}: {self}"]


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _place(filename: str) -> str:
    """A file's name, or IPython's name of a cell."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    label = None if shell is None else shell.compile.format_code_name(filename)
    return " ".join(label) if label else filename.replace("\\", "/").rpartition("/")[2]


class UserError(PetsError):
    """Something in the request must change; the message says what and how."""

    code = "request"
    exit_code = 2


class SchemaError(UserError):
    """The schema is not a valid public description of the tables."""

    code = "schema"
    exit_code = 3


class PackError(SchemaError):
    """A file of a pack has a mistake; the message names the file and the line."""

    code = "pack"


class QueryError(UserError):
    """The question cannot be asked of this schema."""

    code = "query"
    exit_code = 4


class SqlError(QueryError):
    """A part of a statement in SQL is not answered; the message says what to write instead.

    Attributes:
        sentence: what is wrong, and the remedy.
        excerpt: the line of the statement, and carets below the place (empty: the statement as a whole).
    """

    code = "sql"

    def __init__(self, sentence: str, excerpt: str = "") -> None:
        super().__init__(f"{sentence}\n{excerpt}" if excerpt else sentence)
        self.sentence, self.excerpt = sentence, excerpt


class NoSuchNameError(QueryError, AttributeError):
    """A name that pets does not have; the message says what there is. ``hasattr`` and ``getattr`` see it as usual."""

    code = "name"


class DataError(UserError):
    """A data source cannot be opened or read (raised to the custodian, while a snapshot is made)."""

    code = "data"
    exit_code = 5


class BudgetError(UserError):
    """The budget or the protection's parameters do not allow the request; nothing was spent."""

    code = "budget"
    exit_code = 6


class PolicyError(UserError):
    """The custodian's policy does not allow the request; nothing was spent."""

    code = "policy"
    exit_code = 7


class MissingExtraError(UserError):
    """An optional part of pets is not installed; the message names the ``pip install`` that mends it."""

    code = "missing-extra"
    exit_code = 8


class LedgerError(UserError):
    """The ledger cannot be opened, read or written as it must be; it was left as it was."""

    code = "ledger"
    exit_code = 10


class UsedKeyError(LedgerError):
    """An idempotency key stands for a request that was made already; nothing was charged again."""

    code = "used-key"


class InProgressError(UsedKeyError):
    """The request under this key is still being answered: ask again, under the same key, after ``retry_after``."""

    code = "in-progress"
    exit_code = 13

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class FailedKeyError(UsedKeyError):
    """The request under this key failed after the data was opened; its charge stands. Another key asks anew."""

    code = "failed-key"
    exit_code = 14


class OtherQuestionError(UsedKeyError):
    """The key was used for another question."""

    code = "other-question"
    exit_code = 15


class LedgerDownError(LedgerError):
    """The ledger's database cannot be reached, is held by somebody else, or is full: the same request may succeed."""

    code = "ledger-down"
    exit_code = 16
    retry_after = 5.0


class UnauthenticatedError(UserError):
    """Who asks is not known to the service: no token, or one that is not valid; nothing was looked at."""

    code = "unauthenticated"
    exit_code = 17


class ForbiddenError(UserError):
    """Who asks is known, and has no leave for this; nothing was spent."""

    code = "forbidden"
    exit_code = 18


class NotFoundError(UserError):
    """There is no such thing for whoever asks; what is another project's is as though it never was."""

    code = "not-found"
    exit_code = 19


class BusyError(UserError):
    """The service has as much to do as it takes: the same request may succeed after ``retry_after``."""

    code = "busy"
    exit_code = 20

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class HeldError(UserError):
    """The answer waits for a second person's approval, and is shown to nobody before.

    Attributes:
        id: of the request that waits: ``connection.fetch(error.id)`` gives its answer once it is let go. ``None`` where
            it is no request of whoever asked.
    """

    code = "held"
    exit_code = 21
    id: str | None = None

    @classmethod
    def of(cls, message: str, id: str | None) -> HeldError:
        """That of one request."""
        made = cls(message)
        made.id = id
        return made


class NotApprovedError(UserError):
    """A second person did not approve the request, or its answer, which is shown to nobody."""

    code = "not-approved"
    exit_code = 23


class VerificationError(UserError):
    """A certificate, a checkpoint or an exported log is not what its signature says."""

    code = "verification"
    exit_code = 11


class LeftOutWarning(UserWarning):
    """Too many rows are left out of every answer, since a column that is ``nullable: false`` has no value there.

    It holds exact counts of real rows, for the custodian alone, who is warned when data are opened, refreshed or added.
    """


class ReleaseFailedError(PetsError):
    """The request failed after the data was opened.

    Deliberately opaque: the analyst learns nothing but an incident number, and the charge stands.
    """

    code = "release-failed"
    exit_code = 9


class InternalError(PetsError):
    """A bug in pets, not in the request; a notebook shows its whole traceback."""

    code = "internal"
    exit_code = 70

    @property
    def _render_traceback_(self) -> Callable[[], list[str]]:
        raise AttributeError("_render_traceback_")


def shown(value: object) -> str:
    """A wrong value as an error message may quote it: short ones as they are, long ones by their kind alone.

    >>> shown("agee"), shown("x" * 100), shown([0] * 100)
    ("'agee'", 'a text of 100 characters', 'a list')
    """
    if isinstance(value, str) and len(value) > 60:
        return f"a text of {len(value)} characters"
    if not isinstance(value, (bytes, int)) or len(value if isinstance(value, bytes) else bin(value)) <= 250:
        try:
            text = repr(value)
            if len(text) <= 60 and text.isprintable():
                return text
        except Exception:  # whatever an object's own repr does, the message must be the one about the mistake
            pass
    if isinstance(value, int):
        return "a number of very many digits"
    kind = type(value).__name__
    kind = kind if len(kind) <= 60 and kind.isprintable() else "object"
    return f"a{'n' if kind[:1] in tuple('aeiouAEIOU') else ''} {kind}"


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """The tail of an error message: the closest known name, or the list of what exists.

    >>> did_you_mean("agee", ["age", "gender"])
    "; did you mean 'age'?"
    >>> did_you_mean("xyz", ["age", "gender"])
    '; there are: age, gender'
    """
    names = [str(k) for k in itertools.islice(known, 5000)]
    asked = name if isinstance(name, str) else shown(name)
    close = difflib.get_close_matches(asked[:200], names, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {shown(close[0])}?"
    if not names:
        return "; there are none"
    listed = [k if len(k) <= 60 and k.isprintable() else shown(k) for k in names[:12]]
    while len(listed) > 1 and len(", ".join(listed)) > 200:
        listed.pop()
    more = f" and {len(names) - len(listed):,} more" if len(names) > len(listed) else ""
    return f"; there are: {', '.join(listed)}{more}"


def missing_extra(what: str, extra: str) -> MissingExtraError:
    """The error for an optional package that is absent: names the one command that mends it."""
    command = f"pip install '{DISTRIBUTION}[{extra}]'"
    return MissingExtraError(f"{what} needs an optional part of pets; install it with: {command}")
