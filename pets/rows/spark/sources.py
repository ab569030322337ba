"""Sources that Spark reads: data frames, tables of the caller's session, and Parquet wherever Spark reaches it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pets.errors import DataError, UserError
from pets.rows.sources import changed, check, label_of
from pets.rows.spark.spark_session import beside, running, url_of
from pets.schema.schema import Schema

TABLE = "table:"
"""Before the name of a table of the caller's session, where a source is a text."""


BEING_WRITTEN = "_temporary"
"""The folder in which Spark and Hadoop write what is not committed."""

FOOTERS = 8
"""So many files of Parquet are asked at once which columns they have."""

NOT_HERE = (
    "Spark data frames and tables are made ready on Spark, where its workers write the parts; open the session with "
    "engine='spark' and snapshots='file:///…', a folder that they reach"
)

ON_DUCKDB = (
    "note: DuckDB makes these tables ready on this machine, and Spark counts their rows; Spark itself makes ready "
    "Parquet, its data frames and 'table:NAME', where all tables are of these and snapshots are stored in a folder"
)
"""What a custodian is told where Spark was asked for, and does not prepare."""


def on_spark(
    schema: Schema, tables: Sequence[str], sources: Mapping[str, Any], engine: str = "duckdb", *, stored: bool = False
) -> bool:
    """Whether some tables are made ready on Spark: it was asked for, reads all that they need, and has a folder for it.

    Raises:
        DataError: for what Spark alone reads, where it was not asked for or has no folder.
    """
    attached = [schema.table(name).person_table for name in tables]
    needed = [sources[name] for name in dict.fromkeys([*tables, *attached]) if name is not None and name in sources]
    asked = engine == "spark" and stored
    if any(map(spark_alone, needed)):
        if not asked:
            raise DataError(NOT_HERE)
        return True
    return asked and all(map(_parquet, needed))


def spark_alone(source: Any) -> bool:
    """Whether a source is read by Spark and by nothing else."""
    return _frame(source) or _table(source)


def opened(source: Any, table: str, columns: list[str]) -> tuple[Any, str]:
    """A source as a data frame of the wanted columns, s0, s1, …, and what errors call it. No row is read.

    Raises:
        DataError: for what Spark does not read, or what lacks a column.
    """
    label = f"table {source.removeprefix(TABLE)}" if _table(source) else label_of(source)
    if _frame(source):
        frame = source
    elif _table(source):
        frame = _asked(lambda: _now(running(), source.removeprefix(TABLE)), label)
    elif _parquet(source):
        path = str(source) if "://" in str(source) else url_of(Path(source))
        frame = _asked(lambda: beside().read.option("__globPaths__", "false").parquet(path), label, OTHERWISE)
        lacks = _asked(lambda: _lacking(beside(), frame, [name for name in columns if name in frame.columns]), label)
        if lacks is not None:
            raise DataError(
                f"column {lacks!r} of table {table!r} is in some files of {label} and not in all of them, and rows of "
                "the others would count as if they had no value; write all of them with the same columns (also in "
                "upper and lower case), or leave it out of the schema"
            )
    else:
        raise DataError(
            f"data for table {table!r} is not read on Spark; give a Spark DataFrame, 'table:NAME' of a table of its "
            "session, or Parquet, for all tables that are made together"
        )
    names = frame.columns
    check(names, columns, label, table)
    # by position: two names may differ in case alone, and a name may hold a dot
    numbered = frame.toDF(*(f"s{place}" for place in range(len(names))))
    chosen = numbered.select(*(f"s{names.index(column)}" for column in columns))
    return chosen.toDF(*(f"s{place}" for place in range(len(columns)))), label


@dataclass(frozen=True)
class Standing:
    """The files that a data frame reads, as they are now: their names, lengths and times of change, and no row.

    A frame without files (of a database, or of this process) has none, and what it says is for its own system to keep.
    """

    label: str
    files: tuple[str, ...]
    found: frozenset[tuple[Any, ...]]

    @classmethod
    def of(cls, session: Any, frame: Any, label: str) -> Standing:
        """Of a frame that is about to be read.

        Raises:
            DataError: where a folder of them is half written.
        """
        files = tuple(unquote(file) for file in frame.inputFiles())
        for folder in sorted({_root(file) for file in files}):
            path = session._jvm.org.apache.hadoop.fs.Path(f"{folder}/{BEING_WRITTEN}")
            if path.getFileSystem(session.sparkContext._jsc.hadoopConfiguration()).exists(path):
                raise DataError(
                    f"{label} is half written (its folder holds {BEING_WRITTEN}, where Spark writes what is not "
                    "complete); wait until it is written, or remove that folder if nobody writes to it"
                )
        return cls(label, files, _stamps(session, files))

    def check(self, session: Any) -> None:
        """Raise :class:`DataError` where one of them was changed or removed since."""
        from pyspark.errors import PySparkException

        try:
            found = _stamps(session, self.files)
        except PySparkException:  # one of them is gone
            found = frozenset()
        if found != self.found:
            raise changed(self.label)


def _stamps(session: Any, files: tuple[str, ...]) -> frozenset[tuple[Any, ...]]:
    if not files:
        return frozenset()
    read = session.read.format("binaryFile").option("__globPaths__", "false").option("recursiveFileLookup", "true")
    found = read.load(list(files)).select("path", "length", "modificationTime")
    return frozenset(tuple(line) for line in found.collect())


def _lacking(session: Any, frame: Any, columns: Sequence[str]) -> str | None:
    """The first of the columns that some file of a frame does not have; ``None`` where each is in all, or in a folder's
    name. Spark takes the columns of one file for all, and a value that a file lacks for null."""
    jvm, settings = session._jvm, session._jsparkSession.sessionState().newHadoopConf()
    parquet = jvm.org.apache.parquet.hadoop

    def lacking(file: str) -> str | None:
        reader = parquet.ParquetFileReader.open(
            parquet.util.HadoopInputFile.fromPath(jvm.org.apache.hadoop.fs.Path(file), settings)
        )
        try:
            held = reader.getFileMetaData().getSchema()
            # (a folder has letters of its name escaped once more)
            above = {unquote(folder.partition("=")[0]) for folder in file.split("/")[:-1] if "=" in folder}
            return next((name for name in columns if name not in above and not held.containsField(name)), None)
        finally:
            reader.close()

    with ThreadPoolExecutor(FOOTERS) as several:
        return next(filter(None, several.map(lacking, map(unquote, frame.inputFiles()))), None)


def _root(file: str) -> str:
    """The folder of a table that a file belongs to, above those of its partitions.

    >>> _root("file:///stays.parquet/year=2020/sex=f/part-0.parquet")
    'file:///stays.parquet'
    """
    folder = file.rpartition("/")[0]
    while "=" in folder.rpartition("/")[2]:
        folder = folder.rpartition("/")[0]
    return folder


OTHERWISE = ", or make it ready with engine='duckdb', which reads some types that Spark does not: Spark counts it then"


def _now(session: Any, name: str) -> Any:
    """A table of the caller's session as it is now: the session may have kept the list of its files."""
    session.catalog.refreshTable(name)
    return session.table(name)


def _asked(make: Any, label: str, otherwise: str = "") -> Any:
    from pyspark.errors import PySparkException

    try:
        return make()
    except UserError:
        raise
    except Exception as error:  # some of Java's have no class of their own in Python
        what = (isinstance(error, PySparkException) and error.getCondition()) or type(error).__name__
        raise DataError(f"{label} cannot be opened by Spark ({what}); check its name{otherwise}") from None


def _parquet(source: Any) -> bool:
    return isinstance(source, (str, Path)) and str(source).rstrip("/").endswith(".parquet")


def _frame(source: Any) -> bool:
    return type(source).__module__.startswith("pyspark.sql.") and hasattr(source, "mapInArrow")


def _table(source: Any) -> bool:
    return isinstance(source, str) and source.startswith(TABLE)
