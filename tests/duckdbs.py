"""A workbench's DuckDB, used again: to open one takes longer than to make a small snapshot, and tests make thousands.

A database in memory serves one workbench at a time, as ever, and is empty when it is given away. When its workbench is
gone the next one gets it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from pets.rows import scratch_db

MEMORY = ":memory:"
MOST = 16
"""Databases that wait for another workbench; their memory was freed."""
LEFT = " UNION ALL ".join(
    f"SELECT '{kind}', {kind}_name FROM duckdb_{kind}s() WHERE NOT internal AND database_name = 'memory'"
    for kind in ("view", "table", "type")
)

_connect, _discard = duckdb.connect, scratch_db._discard
_lent: dict[int, Any] = {}
"""By the identity of a workbench's connection, the one that keeps its database."""
_waiting: list[tuple[int, Any]] = []
"""The process that opened it (a forked child has none of its threads), and the connection that keeps it."""


def connect(database: Any = MEMORY, *given: Any, **settings: Any) -> Any:
    """As :func:`duckdb.connect`; where that would open an empty database in memory, one that waits."""
    if database != MEMORY or given or settings:
        return _connect(database, *given, **settings)
    root = None
    while root is None and _waiting:
        owner, kept = _waiting.pop()
        with contextlib.suppress(duckdb.Error):
            if owner == os.getpid():
                _empty(kept)
                root = kept
    root = _connect(MEMORY) if root is None else root
    own = root.cursor()  # with temporary tables and settings of its own
    _lent[id(own)] = root
    return own


def _empty(root: Any) -> None:
    for kind, name in root.execute(LEFT).fetchall():
        root.execute(f'DROP {kind} "{name}"')
    root.execute("RESET memory_limit")
    root.execute("SET temp_directory = ''")  # refused where something was spilled: then it serves nobody again


def discard(con: Any, scratch: Any, lock: int, owner: int) -> None:
    """As the workbench does it; its database waits for the next one."""
    root = _lent.pop(id(con), None)
    _discard(con, scratch, lock, owner)
    if root is not None and len(_waiting) < MOST:
        _waiting.append((owner, root))


@pytest.fixture(autouse=True, scope="session")
def databases_serve_again() -> Iterator[None]:
    """For all tests, and all examples in docstrings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duckdb, "connect", connect)
        patch.setattr(scratch_db, "_discard", discard)
        yield
