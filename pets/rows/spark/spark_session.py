"""Spark session: the caller's Spark, used through a session of our own beside theirs, with settings that say one thing.

What a cast, a literal or a time means depends on a session's settings. So nothing is asked in the caller's session, and
none of its settings is changed: ours shares its executors, its catalogues and its cache, and no more.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pets.errors import MissingExtraError, UserError, missing_extra

SETTINGS = {
    "spark.sql.ansi.enabled": "true",  # what overflows is an error, and no other number
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.caseSensitive": "true",  # columns are named as the schema names them
    "spark.sql.groupByOrdinal": "true",  # GROUP BY 1 is by the first column
    "spark.sql.variable.substitute": "false",  # ${…} in a text is that text
    "spark.sql.parser.escapedStringLiterals": "false",
    "spark.sql.legacy.consecutiveStringLiterals.enabled": "false",
    "spark.sql.parquet.inferTimestampNTZ.enabled": "true",
    "spark.sql.parquet.binaryAsString": "false",
    "spark.sql.parquet.mergeSchema": "false",
    "spark.sql.files.ignoreCorruptFiles": "false",  # rows that cannot be read are an error, and not left out
    "spark.sql.files.ignoreMissingFiles": "false",
    "spark.sql.parquet.aggregatePushdown": "false",
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",  # of ward=01 the value is 01, and not 1
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.int96TimestampConversion": "false",
    "spark.sql.legacy.parquet.nanosAsLong": "false",  # a time is refused, and not taken for a number
    "spark.sql.parquet.fieldId.read.enabled": "false",  # columns go by their names
}
"""The settings of our own session that decide what a statement means."""

TUNED = (
    "spark.sql.shuffle.", "spark.sql.adaptive.", "spark.sql.files.max", "spark.sql.autoBroadcast", "spark.sql.catalog.",
)  # fmt: skip
"""The caller's settings that ours takes over: how statements run and what there is to read, and nothing they mean."""

QUIET = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false", "spark.log.level": "ERROR"}
"""What a Spark that is started here has besides the environment's settings: no page, and no lines on stderr."""

NO_JAVA = (
    "the engine 'spark' runs on Java 17 or 21, and none starts here; install one (on Debian and Ubuntu: apt-get "
    "install openjdk-17-jre-headless), or set JAVA_HOME to where one is"
)

STOPPED = (
    "the Spark session on which this was to run was stopped, and another one is not started in its place; start one "
    "again (SparkSession.builder.….getOrCreate()), and ask again"
)

_beside: dict[str, Any] = {}
_ours: set[str] = set()
_lock = threading.Lock()


def beside(theirs: Any = None) -> Any:
    """Our own session beside the caller's (``None``: the active one; where there is none, a local one is started).

    Raises:
        MissingExtraError: without pyspark, or without a Java that runs it.
        UserError: for a session of Spark Connect, which has no sessions beside it; where the caller's was stopped.
    """
    found = running() if theirs is None else theirs
    if type(found).__module__.startswith("pyspark.sql.connect"):
        raise UserError(
            "the engine 'spark' needs a SparkSession of the driver's own process, and this is one of Spark Connect; "
            "run pets where the driver runs, such as with spark-submit"
        )
    with _lock:
        # (a Python object of a session is made anew whenever it is asked for; an application has one name)
        application = str(found.sparkContext.applicationId)
        if application not in _beside or not alive(_beside[application]):
            made = found.newSession()
            tuned = {name: value for name, value in found.conf.getAll.items() if name.startswith(TUNED)}
            for name, value in (tuned | SETTINGS).items():
                made.conf.set(name, value)
            _beside.clear()
            _beside[application] = made
        return _beside[application]


def running() -> Any:
    """The Spark session of this process; a local one on all cores is started where there is none.

    Its master, packages and settings are those of the environment (``SPARK_CONF_DIR``, ``PYSPARK_SUBMIT_ARGS``).
    Raises :class:`MissingExtraError` without pyspark, or without a Java that runs it, and :class:`UserError` where the
    caller's was used before and is stopped: what runs on their cluster is never counted on this machine unasked.
    """
    try:
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError:
        raise missing_extra("the engine 'spark'", "spark") from None
    try:
        return SparkSession.active()
    except PySparkException:
        pass
    if any(application not in _ours for application in _beside):
        raise UserError(STOPPED)
    if not java():
        raise MissingExtraError(NO_JAVA)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # else a worker's Python is the first that is found
    try:
        builder = SparkSession.builder.appName("pets")
        for name, value in QUIET.items():
            builder = builder.config(name, value)
        started = builder.getOrCreate()
        _ours.add(str(started.sparkContext.applicationId))
        return started
    except PySparkException as error:
        if error.getCondition() != "JAVA_GATEWAY_EXITED":
            raise
        raise MissingExtraError(NO_JAVA) from None


def alive(session: Any) -> bool:
    """Whether its Spark still runs: the caller may have stopped it."""
    try:
        return bool(session.sparkContext.applicationId)
    except Exception:  # what it asks is gone
        return False


def java() -> bool:
    """Whether there is a Java to start, wherever the environment says."""
    home = os.environ.get("JAVA_HOME")
    return (Path(home) / "bin" / "java").is_file() if home else shutil.which("java") is not None


def url_of(path: Path) -> str:
    """A file or folder as Spark names it, which takes every character of a path for itself."""
    return f"file://{path.expanduser().absolute()}"


def parts(session: Any, paths: Iterable[Path], form: str | None = None) -> Any:
    """A data frame of Parquet files, or folders of them, each of them once.

    No path is a pattern, and no name above a file (``year=2020``) is a column of it: where several files lie below such
    a name, Spark reads each of them several times.
    """
    read = session.read.option("__globPaths__", "false").option("recursiveFileLookup", "true")
    return (read if form is None else read.schema(form)).parquet(*map(url_of, paths))
