"""Writing: ranked rows as parts of a stored snapshot, with what its manifest says of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pets.common.codec import Json
from pets.common.files import created
from pets.errors import DataError
from pets.rows.coding.cell import parquet, quoted
from pets.rows.ranking import Prepared, physical
from pets.rows.report import Report
from pets.rows.roster import Roster, Run
from pets.rows.scratch_db import Bench, Progress
from pets.rows.stored import counters
from pets.rows.stored.kinds import signed
from pets.rows.stored.manifest import completed, manifest_of
from pets.rows.stored.parts import from_json
from pets.rows.stored.store import New, Store
from pets.schema.schema import Schema


@dataclass(frozen=True)
class Before:
    """The stored snapshot that rows are added to.

    Attributes:
        manifest: of it.
        counters: SQL of its counters.
    """

    manifest: Json
    counters: str

    @property
    def report(self) -> Report:
        """What became of its rows."""
        return Report.from_json(self.manifest["report"])

    @property
    def arrived(self) -> int | None:
        """The greatest code of arrival of any row so far; ``None`` where there was none."""
        return None if self.manifest["arrived"] is None else int(self.manifest["arrived"])

    @property
    def on_spark(self) -> bool:
        """Whether its first parts are Spark's, and all others of their types."""
        return bool(self.manifest.get("engine") == "spark")

    def check(self, table: str, label: str, arrived: tuple[int, int] | None) -> None:
        """Refuse rows that arrived no later than all that the snapshot has: others' places would not stay.

        Raises :class:`DataError`, which advises nobody to leave the late rows out: whoever has the last row so far
        would decide whether they count, and move the rows of others.
        """
        if arrived is not None and self.arrived is not None and arrived[0] <= self.arrived:
            raise DataError(
                f"{label} has rows of table {table!r} that arrived no later than the last that its snapshot holds, and "
                "a person's first rows would change: make the snapshot anew from all rows, or, where it holds some of "
                "these already, give the others alone"
            )


def stored(
    run: Run,
    bench: Bench,
    schema: Schema,
    ready: Prepared,
    roster: Roster,
    new: tuple[Store, Path, str, str],
    *,
    grows: bool,
    before: Before | None = None,
) -> tuple[New, Report]:
    """Write prepared rows to a folder of new parts; gives what is to be committed, and what became of all rows.

    Args:
        new: the store, the folder that it gave, the public id of the snapshot and of its set.
        grows: whether counters are kept, so that rows can be added later.
        before: the snapshot that these rows are added to.
    """
    store, folder, public_id, set_id = new
    rows = ready.rows if before is None or not before.on_spark else _of_spark(schema, store.table, ready.rows)
    part = created(folder / f"{public_id}-00000.parquet", owner_only=True)
    target = quoted(link := bench.link(part, f"new-{public_id}"))
    relation = parquet(link)
    run(
        # (zstd takes a sixth less room, and reading it twice the time)
        f"COPY ({rows}) TO {target} (FORMAT parquet, COMPRESSION lz4_raw, USE_TMP_FILE false)",
        "storing in the order of rank",
    )
    report = completed(run, ready.report, relation, schema.table(store.table).unit.max_rows)
    if before is not None:
        report = before.report.plus(report, roster.people)
    manifest = manifest_of(schema, store.table, public_id, set_id, report)
    if before is not None and before.on_spark:
        manifest["engine"] = "spark"
    if not grows:
        return New(store, folder, manifest), report
    people = created(folder / f"{public_id}{counters.SUFFIX}", owner_only=True)
    counts = Path(bench.link(people, f"people-{public_id}"))
    counters.count(run, relation, counts, None if before is None else before.counters)
    last = None if ready.arrived is None else ready.arrived[1]
    if before is None:
        return New(store, folder, manifest | {"arrived": last}), report
    last = before.arrived if last is None else last
    kept = from_json(before.manifest["parts"])
    return New(store, folder, manifest | {"arrived": last}, kept, before.manifest["id"]), report


def _of_spark(schema: Schema, table: str, rows: str) -> str:
    """SQL of ranked rows in the types of the parts that Spark wrote, in the order in which parts are stored."""
    kinds = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in signed(schema, table).items())
    arrival = physical(schema, table)[str(schema.table(table).unit.arrival)]
    return f"SELECT * REPLACE ({kinds}) FROM ({rows}) ORDER BY rank, {arrival}"


def running(bench: Bench, watch: Progress) -> Run:
    """What runs a statement, tells what is being done, and takes an engine's interruption for the custodian's."""

    def run(sql: str, doing: str) -> Any:
        watch.step(doing)
        try:
            return bench.con.execute(sql)
        except Exception as error:
            # how DuckDB reports Ctrl-C: while it works itself, and while it waits for a Python reader
            if (isinstance(error, RuntimeError) and "interrupted" in str(error)) or "KeyboardInterrupt" in str(error):
                raise KeyboardInterrupt from None
            raise

    return run
