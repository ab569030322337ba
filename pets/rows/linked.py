"""Linked tables: snapshots that one question reads together, person by person, all of one set."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

from pets.errors import QueryError
from pets.rows.scratch_db import Bench
from pets.rows.snapshot import Snapshot

if TYPE_CHECKING:
    import pyarrow as pa


class Linked:
    """Snapshots in which equal person codes are one person.

    A code is the same in every table of a set and is compared for equality alone: it shifts when others leave.

    Attributes:
        id: the public name of what is read: the set's, or the snapshot's where it is one table alone.
        snapshots: by table.
        note: what a reader of answers on them must know; never of real rows.

    Raises:
        QueryError: where the tables were not made together. Sets are public names, so no row decides that.
    """

    def __init__(self, snapshots: Mapping[str, Snapshot], note: str = "") -> None:
        self.snapshots: Mapping[str, Snapshot] = MappingProxyType(dict(snapshots))
        held = list(self.snapshots.values())
        if len(held) > 1 and not one_set(held):
            raise QueryError(apart(self.tables))
        self.id = held[0].id if len(held) == 1 else str(held[0].set_id)
        self.note = note
        self._backend: Any = None
        self._lock = threading.Lock()

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of the tables."""
        return tuple(self.snapshots)

    @property
    def current(self) -> bool:
        """Whether no refresh has put another in the place of any of them."""
        return all(snapshot.current for snapshot in self.snapshots.values())

    def relation(self, table: str) -> str:
        """What :meth:`connection` calls a table's kept rows: ``rank``, ``person``, ``c0``, ``c1``, …"""
        return self.snapshots[table].relation

    def columns(self, table: str) -> Mapping[str, str]:
        """Each queryable column of a table (own and attached) to its physical name."""
        return self.snapshots[table].columns

    def arrow(self, table: str) -> pa.Table:
        """A table's kept rows as Arrow, for engines other than DuckDB."""
        return self.snapshots[table].arrow()

    def connection(self) -> Any:
        """The Ibis DuckDB backend that holds the rows of all tables."""
        import ibis

        held = list(self.snapshots.values())
        if len(held) == 1 or held[0].folder is None:  # what was made together in memory lies in one database
            return held[0].connection()
        with self._lock:
            if self._backend is None:
                bench = Bench(None, held[0].limits)
                for snapshot in held:
                    snapshot.view(bench)
                self._backend = ibis.duckdb.from_connection(bench.con)
                # the database lives as long as whoever uses it, and with it the files that its views read
                weakref.finalize(self._backend, _let_go, bench, held).atexit = False
            return self._backend

    def __repr__(self) -> str:
        return f"Linked({', '.join(self.tables)}; id={self.id!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("linked tables hold rows of people and are never pickled")


def one_set(snapshots: Iterable[Snapshot]) -> bool:
    """Whether snapshots were made together, so that a code is one person in all of them."""
    sets = {snapshot.set_id for snapshot in snapshots}
    return len(sets) == 1 and None not in sets


def apart(tables: tuple[str, ...]) -> str:
    """Why tables that were not made together cannot be read together, and what to do."""
    named = ", ".join(repr(table) for table in tables)
    return (
        f"the snapshots of tables {named} were not made together, so nobody can be followed from one to the other; "
        "the custodian makes them again together: pets snapshot with --data for each of these tables, or "
        "session.refresh() on a session that was given all their data"
    )


def _let_go(bench: Bench, read: list[Snapshot]) -> None:
    """Hold a workbench, and what it reads, until whoever uses it is gone."""
