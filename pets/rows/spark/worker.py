"""What a Spark worker runs: rows coded by DuckDB, batch by batch, with the very SQL that codes them on one machine.

A code is a function of its cell alone, so it does not matter how rows are dealt out, in which order they come or how
often a task is tried. This file is sent to the workers as it is: they need duckdb and pyarrow, and no pets.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from pets.schema.cells import FLOAT_IDS, FLOAT_WHOLES

if TYPE_CHECKING:
    import pyarrow as pa

AT_ONCE = 100_000
"""Rows that are coded together: a statement takes milliseconds to be made ready."""
FAILED = "pets could not code rows here"
OTHER_VERSION = "the workers of Spark have another version of duckdb than the driver"
KEPT = (FLOAT_IDS, FLOAT_WHOLES)
"""Errors that name no cell, and are told as they are."""


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


def coder(setup: tuple[str, ...], sql: str, version: str) -> Batches:
    """A function of batches: each of them, as table ``batch``, becomes what ``sql`` selects from it.

    Args:
        setup: statements that are run once in each task.
        sql: a query over ``batch`` that keeps each row by itself.
        version: of duckdb, whose hash must be one and the same in all tasks.
    """

    def coded(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import duckdb
        import pyarrow as pa

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
            held: list[pa.RecordBatch] = []
            for batch in itertools.chain(batches, [None]):
                if batch is not None:
                    held.append(readable(batch))
                    if sum(one.num_rows for one in held) < AT_ONCE:
                        continue
                if held:
                    con.register("batch", pa.Table.from_batches(held))
                    found = con.execute(sql).to_arrow_table()
                    con.unregister("batch")
                    held = []
                    yield from found.combine_chunks().to_batches()
        except Exception as error:  # what the engine says may quote a cell
            text = str(error)
            failed = next((kept for kept in KEPT if kept in text), f"{FAILED} ({type(error).__name__})")
        finally:
            con.close()
        if failed:
            raise RuntimeError(failed)

    return coded


FILES = "file STRING, rows BIGINT"
"""What :func:`stored` gives of each task that had rows."""


def stored(coded: Batches, folder: str, plain: list[str]) -> Batches:
    """A function for ``mapInArrow``: each task's rows as a file of Parquet, its name and how many rows it holds.

    (Were the rows given back to Java, and written there, it would take several times as long.) Each try of a task has a
    file of its own, and only what one of them says is taken: see :meth:`pets.rows.spark.staged.Stager.write`.

    Args:
        coded: what makes the rows.
        folder: a folder that is there, for the workers as for the driver.
        plain: columns whose values are nearly all different, so that no dictionary of them is made.
    """

    def written(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa
        import pyarrow.parquet as pq
        from pyspark import TaskContext

        task: Any = TaskContext.get()
        name, rows = f"{task.taskAttemptId()}.parquet", 0  # (of all tries of all tasks, no two have one number)
        file: Any = None
        for batch in coded(batches):
            if file is None:
                listed = [column for column in batch.schema.names if column not in plain]
                how: Any = {"compression": "lz4", "use_dictionary": listed, "write_statistics": False}
                file = pq.ParquetWriter(f"{folder}/{name}", batch.schema, **how)
            file.write_batch(batch)
            rows += batch.num_rows
        if file is not None:
            file.close()
            yield pa.RecordBatch.from_pydict({"file": [name], "rows": [rows]})

    return written
