"""Keys in order: which key each count is of, where a threshold is held against the counts of keys that nobody listed.

OpenDP sees a count by its place, and a place means another key where a person's keys come or go. So keys are sorted
before they are counted off, in both worlds, and a listener is told them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pets.session import key_release
from pets.testing.tape import Listener


@contextmanager
def keyed(listener: Listener) -> Iterator[None]:
    """Each release of keys meanwhile tells the listener which keys its counts are of."""
    real = vars(key_release)["key_counts"]

    def key_counts(*given: Any) -> Any:
        columns, people = real(*given)
        keys = list(zip(*columns, strict=True))
        order = sorted(range(len(keys)), key=lambda place: repr(keys[place]))
        listener.keys = [keys[place] for place in order]
        return [[column[place] for place in order] for column in columns], people[order]

    vars(key_release)["key_counts"] = key_counts
    try:
        yield
    finally:
        vars(key_release)["key_counts"] = real
