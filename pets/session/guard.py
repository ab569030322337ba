"""Guard: rows are read inside it, and no exception leaves it with rows."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def guarded(read: Callable[[], Result]) -> tuple[Result | None, str]:
    """What reading the rows gave; or nothing, and what went wrong, for the custodian alone.

    Whatever goes wrong may depend on rows, so no exception leaves: neither its text, nor its context, nor a traceback
    whose frames hold exact values. A request to stop leaves as a fresh exception that carries none of them either.
    ``read`` keeps rows in frames of its own, never in its caller's.
    """
    stopped: type[BaseException] | None = None
    incident = ""
    try:
        return read(), ""
    except (KeyboardInterrupt, SystemExit) as error:
        stopped = KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else SystemExit
    except BaseException:
        # also what is no Exception: a panic of an engine written in Rust
        incident = traceback.format_exc()
    if stopped is not None:
        raise stopped
    return None, incident
