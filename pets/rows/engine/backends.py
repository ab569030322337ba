"""Backends: a snapshot's rows as Ibis tables, on the engine that counts them."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pets.errors import InternalError
from pets.rows.people.lowered import People

if TYPE_CHECKING:
    from pets.rows.snapshot import Snapshot

_backends: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
_lock = threading.RLock()  # people are counted over the tables of snapshots


def backend(snapshot: Snapshot | People, engine: str) -> Any:
    """The Ibis backend that holds the snapshot as its table (``snapshot.relation``)."""
    if engine == "duckdb":
        return snapshot.connection()
    if engine not in ("polars", "spark"):
        raise InternalError(f"no rows are counted on the engine {engine!r}")
    with _lock:
        held = _backends.setdefault(snapshot, {})
        if engine not in held or (engine == "spark" and not held[engine].alive):
            held[engine] = _polars(snapshot) if engine == "polars" else _spark(snapshot)
        return held[engine]


def _spark(snapshot: Snapshot | People) -> Any:
    from pets.rows.engine.spark_rows import SparkBackend

    under = snapshot.linked if isinstance(snapshot, People) else {}
    return SparkBackend(snapshot, {table: backend(one, "spark").name for table, one in under.items()})


def _polars(snapshot: Snapshot | People) -> Any:
    """An Ibis backend over the snapshot's Arrow table; every code is 64 bits wide, since Polars sums 32-bit
    integers in 32 bits. Texts stay as they are."""
    import ibis
    import polars as pl

    frame = pl.from_arrow(snapshot.arrow())
    if not isinstance(frame, pl.DataFrame):
        raise TypeError("a snapshot is a table")
    return ibis.polars.connect({snapshot.relation: frame.with_columns(pl.exclude(pl.String).cast(pl.Int64))})


def first_in_groups(backend: Any, keyed: Any, names: Sequence[str], most: int) -> Any:
    """As :func:`pets.rows.engine.caps.first_in_groups`, on Polars, for which Ibis has no windows."""
    import ibis
    import polars as pl

    frame = backend.to_polars(keyed)
    before = pl.col("rank").rank("ordinal").over(["person", *names])
    return ibis.memtable(frame.filter(before <= most))
