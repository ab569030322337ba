"""Spans: one for each request over HTTP, where OpenTelemetry is there. The only file that imports it.

Its API alone does nothing; the host's SDK decides whether, and where, spans go. Attributes are of the same closed lists
as the labels of the metrics, and no exception is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any

Mark = Callable[[str, Any], None]
"""Sets an attribute of a span."""


@cache
def _api() -> ModuleType | None:
    """Of OpenTelemetry, where it is there."""
    try:
        from opentelemetry import trace
    except ImportError:
        return None
    return trace


def _nothing(_: str, __: Any) -> None:
    """Where there is no OpenTelemetry."""


@contextmanager
def span(name: str) -> Iterator[Mark]:
    """A span around what is done within."""
    api = _api()
    if api is None:
        yield _nothing
        return
    tracer = api.get_tracer("pets.service")  # of the provider that is there now: the host may set one late
    with tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False) as made:
        yield made.set_attribute
