"""Growing: rows that arrive later are added to a stored snapshot, and those of before are not read again.

It is then what it would be had all rows been given at once (docs/proofs/setting.md, rows in order of arrival): nobody's
earlier rows change their ranks, and later ones count on from the rows that are kept of each person.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pets.common.entropy import random_id
from pets.common.pinned import Pinned
from pets.errors import DataError, UserError
from pets.rows.limits import Limits
from pets.rows.ranking import prepare
from pets.rows.roster import Roster
from pets.rows.scratch_db import Bench, Progress
from pets.rows.snapshot import BEGAN_AGAIN, Snapshot
from pets.rows.sources import Source, label_of, plain
from pets.rows.spark.sources import spark_alone
from pets.rows.stored import counters
from pets.rows.stored.store import Store, commit
from pets.rows.stored.writing import Before, running, stored
from pets.schema.schema import Schema


def append(
    schema: Schema,
    table: str,
    source: Source,
    folder: str | Path,
    *,
    progress: bool = True,
    limits: Limits | None = None,
) -> Snapshot:
    """Add rows that arrived after all that a stored snapshot holds; gives the snapshot that has taken its place.

    Rows of before are not read: whoever was deleted, corrected or opted out since is still in it, until it is made anew
    from all rows.

    Raises:
        DataError: one plain sentence, where the table's snapshot cannot grow, or a row is a late one; the stored
            snapshot then stays as it was.
    """
    problem: UserError
    try:
        return _append(schema, table, source, Path(folder), progress, limits or Limits())
    except UserError as error:
        problem = error
    # (as in Snapshot.make_all: no engine's error, which may quote a line of data, hangs on to it)
    problem.__context__ = None
    raise problem.with_traceback(None)


def refused(table: str, why: str) -> DataError:
    """The refusal of a snapshot that cannot grow."""
    return DataError(
        f"rows cannot be added to the snapshot of table {table!r}: {why}; make the snapshot anew from all rows"
    )


def _append(schema: Schema, table: str, source: Source, folder: Path, progress: bool, limits: Limits) -> Snapshot:
    if why := counters.fixed(schema, table):
        raise refused(table, why)
    if spark_alone(source):
        raise DataError(
            "rows are added by DuckDB, which reads no Spark data frames and no tables of a Spark session; give the "
            "later rows as frame.toArrow(), or as one Parquet or CSV file"
        )
    store = Store(folder, table)
    manifest, _ = store.of(schema)
    if "people" not in manifest:
        raise refused(table, "it was made together with other tables, whose people have the same codes")
    bench = Bench(store.folder, limits)
    if bench.began_again and progress:
        print(BEGAN_AGAIN, file=sys.stderr)
    try:
        held = list(map(Pinned, store.people(manifest)))  # so that a refresh meanwhile takes nothing away
        links = [Path(bench.link(one.readable, f"counters-{place}")) for place, one in enumerate(held)]
        before = Before(manifest, counters.read(links))
        roster = Roster(bench.con, schema, 1, before.counters)
        public_id = random_id()
        with (
            store.writing(public_id) as new,
            bench.making() as scratch,
            Progress(bench.con, f"snapshot of {table}", progress) as watch,
        ):
            run = running(bench, watch)
            ready = prepare(run, bench.con, schema, table, {table: source}, store.key()[0], scratch, roster)
            before.check(table, label_of(source), ready.arrived)
            place = (store, new, public_id, set_id := random_id())
            made, report = stored(run, bench, schema, ready, roster, place, grows=True, before=before)
            (files,) = commit([made])
        store.tell(str(report))
    except (UserError, KeyboardInterrupt):
        raise
    except Exception as error:
        raise plain(error, f"table {table!r}") from None
    finally:
        bench.close()
    return Snapshot(
        schema, table, public_id, report, set_id=set_id, folder=store.folder, bench=None, held=files, limits=limits
    )
