"""What a Spark worker runs: DuckDB codes rows and ranks people there, with the very SQL that does it on one machine.

Between the two, rows lie in files of the private folder, dealt out by their person: so a group of people is ranked from
files alone, however often and on whatever worker. A code is a function of its cell, and a rank of a person's own rows.
This file is sent to the workers as it is: they need duckdb and pyarrow, and no pets.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pets.schema.cells import FLOAT_IDS, FLOAT_WHOLES

if TYPE_CHECKING:
    import pyarrow as pa

AT_ONCE = 100_000
"""Rows that are coded together: a statement takes milliseconds to be made ready."""
RUN = 1_000_000
"""Coded rows that a task holds, to deal them out, …"""
RUN_BYTES = 2**28
"""… and bytes of them: about as many, or fewer."""
MEMORY = "1GB"
"""What DuckDB takes of a worker's memory for a task, before it writes what does not fit to the private folder."""
BUCKETS = 1024
"""Into so many parts people are dealt out; a group that is ranked together has one of them or several."""
FAILED = "pets could not prepare rows here"
OTHER_VERSION = "the workers of Spark have another version of duckdb than the driver"
NOT_THERE = "pets did not find what another worker wrote"
KEPT = (FLOAT_IDS, FLOAT_WHOLES)
"""Errors that name no cell, and are told as they are."""
ATTEMPT = "a-try-of-a-task"
"""Stands in names of files for the number of the try that writes them: of all tries of all tasks, no two have one."""
LINE = "told STRING"
"""What each task gives: one line of JSON, of files and counts."""


def readable(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with no value where a text is not UTF-8, which a Spark text may be: to DuckDB it is an error of all."""
    import pyarrow as pa

    columns = list(batch.columns)
    for place, column in enumerate(columns):
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            try:
                column.validate(full=True)
            except pa.ArrowInvalid:
                raw = column.cast(pa.large_binary()).to_pylist()
                columns[place] = pa.array([None if text is None else _decoded(text) for text in raw], column.type)
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _decoded(text: bytes) -> str | None:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return None


Batches = Callable[[Iterator["pa.RecordBatch"]], Iterator["pa.RecordBatch"]]
"""What ``mapInArrow`` runs in each task."""


@contextlib.contextmanager
def engine(version: str, setup: Sequence[str]) -> Iterator[Any]:
    """DuckDB for one task; whatever fails within is told without what it says, as that may quote a cell.

    Args:
        version: of duckdb, whose hash must be one and the same in all tasks.
        setup: statements that are run first.
    """
    import duckdb

    if duckdb.__version__ != version:
        raise RuntimeError(OTHER_VERSION)
    failed = ""
    con: Any = duckdb.connect(":memory:")
    try:
        for statement in (
            "SET autoinstall_known_extensions = false",
            "SET TimeZone = 'UTC'",
            "SET threads = 1",
            *setup,
        ):
            con.execute(statement)
        yield con
    except FileNotFoundError:
        failed = NOT_THERE
    except Exception as error:
        text = str(error)
        failed = next((kept for kept in KEPT if kept in text), f"{FAILED} ({type(error).__name__})")
    finally:
        con.close()
    if failed:
        raise RuntimeError(failed) from None  # a worker's log has the error before it, too, unless it is cut off here


def gathered(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The batches, so many together that each statement is worth its while, and never all of a large table."""
    import pyarrow as pa

    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        held.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= AT_ONCE or size >= RUN_BYTES:
            yield pa.Table.from_batches(held)
            held, rows, size = [], 0, 0
    if held:
        yield pa.Table.from_batches(held)


@dataclass(frozen=True)
class Coding:
    """How the rows of a table are coded; each statement is DuckDB's.

    Attributes:
        version: of duckdb.
        setup: statements that are run once in each task.
        sql: selects the staged codes of the rows of table ``batch``, each row by itself.
        marked: counts over table ``coded``, which those are put in: all rows, those with a person, and each column's
            cells that bear marks.
        fates: counts that tell the marks apart, which are asked for where there are any.
        valid: selects the rows that go on; their ``bucket`` says where to, where people are dealt out.
        folder: a folder that is there, for the workers as for the driver.
        dealt: whether rows are dealt out by their person; otherwise each row is somebody, and the files are parts.
    """

    version: str
    setup: Sequence[str]
    sql: str
    marked: str
    fates: str
    valid: str
    folder: str
    dealt: bool


def coder(path: str) -> Batches:
    """A function for ``mapInArrow``: a task's rows go into files, and it tells which, and counts of the rows.

    ``path`` is that of a :class:`Coding`, as :func:`kept` wrote it.
    """

    def coded(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa
        from pyspark import TaskContext

        coding = Coding(**_plan(path))
        task: Any = TaskContext.get()
        first = task.partitionId() << 33  # (of rows that are people of their own; no two tasks have one number)
        files: list[tuple[str, int]] = []
        counts: list[int] = []
        fates: list[int] = []
        kept: list[pa.Table] = []

        def put() -> None:
            table = pa.concat_tables(kept)
            kept.clear()
            name = f"{task.taskAttemptId()}-{len(files)}" + ("" if coding.dealt else ".parquet")
            (_deal if coding.dealt else _store)(table, f"{coding.folder}/{name}")
            files.append((name, table.num_rows))

        setup = ["SET temp_directory = ''", *coding.setup]  # no cell goes to a disk of the worker
        with engine(coding.version, setup) as con:
            for table in gathered(map(readable, batches)):
                con.register("batch", table)
                con.execute(f"CREATE OR REPLACE TEMP TABLE coded AS {coding.sql}")
                con.unregister("batch")
                found = con.execute(coding.marked).fetchall()[0]
                counts = _plus(counts, found)
                if any(found[2:]):
                    fates = _plus(fates, con.execute(coding.fates).fetchall()[0])
                done = sum(rows for _, rows in files) + sum(one.num_rows for one in kept)
                con.execute(f"SET VARIABLE start = {first + done}")
                kept.append(con.sql(coding.valid).to_arrow_table())
                if sum(one.num_rows for one in kept) >= RUN or sum(one.nbytes for one in kept) >= RUN_BYTES:
                    put()
            if any(one.num_rows for one in kept):
                put()
        yield pa.RecordBatch.from_pydict({"told": [json.dumps({"files": files, "counts": counts, "fates": fates})]})

    return coded


def _plus(some: Sequence[int], more: Sequence[int]) -> list[int]:
    return [a + b for a, b in zip(some or [0] * len(more), more, strict=True)]


def _deal(table: pa.Table, path: str) -> None:
    """Write rows sorted by bucket, each bucket's as a batch of its own."""
    import pyarrow as pa
    import pyarrow.compute as pc

    table = table.combine_chunks()
    order = pc.array_sort_indices(table["bucket"].combine_chunks())
    rows = table.drop_columns(["bucket"]).take(order).combine_chunks()
    sizes = {one["values"]: one["counts"] for one in pc.value_counts(table["bucket"]).to_pylist()}
    schema = rows.schema.with_metadata({"buckets": json.dumps(sorted(sizes))})
    with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, schema) as writer:
        start = 0
        for bucket in sorted(sizes):
            writer.write_table(rows.slice(start, sizes[bucket]))
            start += sizes[bucket]


def _store(table: pa.Table, path: str) -> None:
    """Write rows as a part."""
    import pyarrow.parquet as pq

    pq.write_table(table, path, compression="lz4")


def dealt(files: Sequence[str], low: int, high: int) -> Iterator[pa.RecordBatch]:
    """The rows of buckets from ``low`` to before ``high``."""
    import pyarrow as pa

    for path in files:
        with pa.OSFile(path) as file:
            reader = pa.ipc.open_file(file)
            for place, bucket in enumerate(json.loads(reader.schema.metadata[b"buckets"])):
                if low <= bucket < high:
                    yield reader.get_batch(place)


@dataclass(frozen=True)
class Ranking:
    """How a group of people is ranked.

    Attributes:
        version: of duckdb.
        groups: how many groups there are.
        tables: of each table that was dealt out, its name, the SQL of its columns, and its files.
        steps: statements; what one that has a name gives is told under it.
        folder: where parts are written; :data:`ATTEMPT` stands in the statements for the try that writes them.
    """

    version: str
    groups: int
    tables: Sequence[tuple[str, str, Sequence[str]]]
    steps: Sequence[tuple[str, str]]
    folder: str


def kept(plan: Coding | Ranking, path: str) -> str:
    """Write a plan into the private folder; gives its path, which is all that Spark gets of it.

    A plan holds keys, and what Spark is given goes over its network and onto the disks of its workers.
    """
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(asdict(plan), file)
    return path


def _plan(path: str) -> dict[str, Any]:
    """What :func:`kept` wrote."""
    try:
        return dict(json.loads(Path(path).read_text("utf-8")))
    except FileNotFoundError:
        pass
    raise RuntimeError(NOT_THERE)


def ranker(path: str) -> Batches:
    """A function for ``mapInArrow``: each number that it gets is a group, whose parts are written and counted.

    ``path`` is that of a :class:`Ranking`, as :func:`kept` wrote it.
    """

    def ranked(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa
        from pyspark import TaskContext

        ranking = Ranking(**_plan(path))
        task: Any = TaskContext.get()
        attempt = str(task.taskAttemptId())
        spill = f"{ranking.folder}/spill-{attempt}"
        quoted = spill.replace("'", "''")
        for group in [int(group) for batch in batches for group in batch.column(0).to_pylist()]:
            told: dict[str, Any] = {"try": f"{attempt}-{group}"}
            low, high = (BUCKETS * place // ranking.groups for place in (group, group + 1))
            setup = [
                f"SET memory_limit = '{MEMORY}'",
                f"SET temp_directory = '{quoted}'",
                f"SET VARIABLE part = {group}",
            ]
            with engine(ranking.version, setup) as con:
                for name, columns, files in ranking.tables:
                    con.execute(f"CREATE TEMP TABLE {name} ({columns})")
                    for table in gathered(dealt(files, low, high)):
                        con.register("given", table)
                        con.execute(f"INSERT INTO {name} BY NAME FROM given")
                        con.unregister("given")
                for name, sql in ranking.steps:
                    found = con.execute(sql.replace(ATTEMPT, told["try"]))
                    if name:
                        told[name] = found.fetchall()
            shutil.rmtree(spill, ignore_errors=True)
            yield pa.RecordBatch.from_pydict({"told": [json.dumps(told)]})

    return ranked
