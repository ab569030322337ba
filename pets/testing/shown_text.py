"""Everything that a request shows, as one text, without what is random by design: names, times and signatures."""

from __future__ import annotations

import contextlib
import io
import logging
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pets.common.codec import canonical
from pets.release.certificate import Certificate
from pets.release.release import Release

_RANDOM = re.compile(
    r"[0-9a-f]{32,}"  # names, digests
    r"|[A-Za-z0-9+/]{40,}={0,2}"  # signed bytes
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)?"  # times (of a column, too: its codes are compared)
    r"|(?<=incident )[0-9a-f]{12}(?:, [0-9a-f]{12})*"
    r"|(?<=pets-ledger/)[0-9a-f]{16}"
)


@dataclass
class Shown:
    """What one request showed.

    Attributes:
        text: the answer or the error, and whatever was printed, logged or warned of meanwhile.
        failed: the class of the error; ``""`` for an answer.
    """

    text: str = ""
    failed: str = ""


@contextlib.contextmanager
def shown(ask: Callable[[], Any]) -> Iterator[Shown]:
    """Ask, and keep all that is to be seen of it."""
    found, printed = Shown(), io.StringIO()
    handler = logging.StreamHandler(printed)
    handler.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        with (
            warnings.catch_warnings(record=True) as warned,
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
        ):
            warnings.simplefilter("always")
            for other in (DeprecationWarning, PendingDeprecationWarning, FutureWarning):  # a library's, once a process
                warnings.simplefilter("ignore", other)
            try:
                said = text_of(ask())
            except Exception as error:
                found.failed = type(error).__name__
                said = "\n".join(_chain(error))
    finally:
        root.removeHandler(handler)
    told = [f"warning: {one.message}" for one in warned]
    found.text = _RANDOM.sub("…", "\n".join([said, printed.getvalue(), *told]))
    yield found


def _chain(error: BaseException | None) -> list[str]:
    """An error and what it carries along."""
    lines = []
    while error is not None:
        lines.append(f"{type(error).__name__}: {error}")
        error = error.__cause__ or error.__context__
    return lines


def text_of(value: Any) -> str:
    """A value as all that can be read of it."""
    if isinstance(value, Release):
        signed = "" if value.certificate is None else text_of(value.certificate)
        return f"{canonical(value.form).decode()}\n{signed}\n{value}"
    if isinstance(value, Certificate):
        return canonical(value.predicate).decode()
    if hasattr(value, "frames") and hasattr(value, "guarantee"):  # a synthetic release
        parts = [value.frames, value.guarantee, value.notes, value.cost, value.settings, value.error, value.releases]
        return "\n".join(map(text_of, parts))
    if hasattr(value, "to_csv"):
        return str(value.to_csv())
    if isinstance(value, Mapping):
        return "\n".join(f"{key}: {text_of(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return "\n".join(map(text_of, value))
    if isinstance(value, bytes):
        return value.hex(" ")
    found = repr(value)
    return f"<{type(value).__name__}>" if " at 0x" in found else found
