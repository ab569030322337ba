"""Events as lines of JSON: a log of ids, states, costs and seconds, with the standard library's own logging.

No value of a row is in any line: what a question, an answer or an error says is none of an event, and what an exception
says is not written.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Callable
from typing import TextIO

from pets.common.codec import Json
from pets.ledger.events import ANY, Event, Listener

LOGGER = "pets.service"


class JsonLines(logging.Formatter):
    """A record as one line of JSON; of an exception its kind alone."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        at = dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds")
        line: Json = {"at": at, "level": record.levelname.lower(), "logger": record.name}
        told = getattr(record, "event", None)
        line |= told.to_json() | {"at": at} if isinstance(told, Event) else {"message": record.getMessage()}
        if record.exc_info is not None and record.exc_info[0] is not None:
            line["exception"] = record.exc_info[0].__name__
        return json.dumps(line, sort_keys=True, ensure_ascii=False)


def log_events(on: Callable[[str, Listener], None]) -> None:
    """Log every event under the logger ``pets.service``; ``on`` is a custodian's, or that of a ledger's listeners."""
    log = logging.getLogger(LOGGER)
    on(ANY, lambda event: log.info("%s", event.kind, extra={"event": event}))


def json_logs(stream: TextIO | None = None, level: int = logging.INFO) -> logging.Handler:
    """Write what pets logs as lines of JSON to a stream (left out: standard error); gives the handler."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    log = logging.getLogger("pets")
    log.addHandler(handler)
    log.setLevel(level)
    log.propagate = False
    return handler
