"""Problems: one body for every refusal (RFC 9457), with the code of the error that the library raises.

The sentence is the library's own; a client makes the same class of error of it again.
"""

from __future__ import annotations

from typing import Any

from pets.common.codec import Json
from pets.errors import (
    BusyError,
    HeldError,
    InProgressError,
    InternalError,
    LedgerDownError,
    PetsError,
    SqlError,
    UserError,
)
from pets.service.wire import errors as _wire  # noqa: F401  (its classes are among the codes)
from pets.service.wire.harmless import harmless

MEDIA_TYPE = "application/problem+json"
TYPE = "urn:pets:problem:"

STATUS = {
    "request": 400,
    "unauthenticated": 401,
    "forbidden": 403,
    "policy": 403,
    "refused": 403,
    "not-found": 404,
    "wrong-method": 405,
    "used-key": 409,
    "in-progress": 409,
    "failed-key": 409,
    "other-question": 409,
    "not-approved": 403,
    "held": 409,
    "too-large": 413,
    "media-type": 415,
    "schema": 422,
    "pack": 422,
    "query": 422,
    "sql": 422,
    "name": 422,
    "budget": 422,
    "data": 422,
    "verification": 422,
    "record": 422,
    "unconfirmed": 422,
    "protocol": 422,
    "release-failed": 424,
    "withheld": 424,
    "busy": 429,
    "missing-extra": 501,
    "ledger": 503,
    "ledger-down": 503,
    "commit-unknown": 503,
    "service-down": 503,
    "error": 500,
    "internal": 500,
}
"""By code of an error, the status of HTTP. The codes are the whole list: see the guide."""

_KEPT = {
    "ledger": "the account cannot be kept now; tell whoever runs the service",
    "ledger-down": "the account cannot be reached now; ask again later",
    "commit-unknown": "it is not known whether this was charged; ask again under the same key, which tells",
    "data": "the tables of this dataset cannot be read; tell whoever runs the service",
}
"""By code, what whoever asks reads in place of a sentence that may name places on the service's machines."""

_TITLES = {
    400: "The request must change",
    401: "Who asks is not known",
    403: "Not allowed",
    404: "There is no such thing",
    405: "Not with this method",
    409: "At odds with an earlier request",
    413: "Too large",
    415: "Not JSON",
    422: "This cannot be asked",
    424: "It failed after the data was opened",
    429: "Too much at once",
    500: "A fault of the service",
    501: "Not installed here",
    503: "The account cannot be kept now",
}


def status(error: PetsError) -> int:
    """The status of HTTP that an error has."""
    return STATUS[error.code]


def outward(code: str, sentence: str) -> str:
    """What an analyst is told: the library's own sentence, but for those about the service's files and databases."""
    return _KEPT.get(code, sentence)


def problem(error: PetsError) -> Json:
    """The body of a refusal."""
    found: Json = {
        "type": TYPE + error.code,
        "title": _TITLES[status(error)],
        "status": status(error),
        "detail": outward(error.code, str(error)),
        "code": error.code,
    }
    return found | more_of(error) | ({} if error.retry_after is None else {"retry_after": error.retry_after})


def more_of(error: PetsError) -> Json:
    """What an error says besides: of one that is held, which request waits."""
    return {"request": error.id} if isinstance(error, HeldError) and error.id is not None else {}


def error_of(body: Any) -> PetsError:
    """The error that a problem's body, or a failed job's ``problem``, tells of: its class, sentence and patience.

    What is no problem of a service that this version knows becomes a plain :class:`UserError` with its sentence, or an
    :class:`InternalError` where there is none.
    """
    form = body if isinstance(body, dict) else {}
    said = form.get("detail", form.get("message"))
    if not isinstance(said, str) or not said:
        return InternalError("the service answered with something that is no answer; tell whoever runs it")
    said = harmless(said)
    kind, wait = _kinds().get(str(form.get("code")), UserError), _seconds(form.get("retry_after"))
    error: PetsError
    if issubclass(kind, SqlError):
        error = SqlError(*said.split("\n", 1))
    elif issubclass(kind, (InProgressError, BusyError)):
        error = kind(said, wait or 1.0)
    elif "__init__" in vars(kind):  # an error with parts of its own: its sentence in the class above it
        error = next(one for one in kind.__mro__[1:] if "__init__" not in vars(one))(said)
    else:
        error = kind(said)
    if wait is not None:
        error.retry_after = wait
    if isinstance(error, HeldError) and isinstance(waits := form.get("request"), str):
        error.id = harmless(waits)
    return error


_LONGEST = 86_400 * 365
"""Seconds; what says that it takes longer than a year says nothing."""


def _seconds(after: Any) -> float | None:
    """How long to wait before the same request is sent again; ``None`` where that is not said."""
    if isinstance(after, bool) or not isinstance(after, (int, float)) or not 0 <= after <= _LONGEST:
        return None  # (a number that is none is neither)
    return float(after)


def _kinds() -> dict[str, type[PetsError]]:
    """By code, the class of an error: of those that are loaded, since no engine is loaded for an error's sake."""

    def below(kind: type[PetsError]) -> list[type[PetsError]]:
        return [kind, *(deeper for one in kind.__subclasses__() for deeper in below(one))]

    loaded = {kind.code: kind for kind in below(PetsError) if "code" in vars(kind)}
    return {"commit-unknown": LedgerDownError} | loaded
