"""A program that prepares and counts rows full of canaries on a Spark that tells everything, and is killed with it.

``python -m tests.attacks.spark_told FOLDER``: the logs of driver, executors and workers go to stdout and stderr, at the
level INFO; the log of events, with all plans, is in ``events`` below FOLDER, what was drawn that nothing may tell in
``secrets.json``, and the snapshot in ``s``. At last it prepares once more, and dies with its Spark while rows are
ranked and written.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

import pets
from pets.errors import PetsError
from pets.plan.plan import make_plan
from pets.rows.snapshot import Snapshot
from pets.rows.spark import staged
from pets.rows.tabulate import tabulate
from tests.attacks.spark_cluster import FLOAT, KEY, marked
from tests.attacks.spark_killed import RUNNING, killed_while
from tests.sparks import SMALL, SUBMITTED
from tests.unit.rows.spark.test_making import ASKED, COLUMNS, SCHEMA

TELLS = SMALL | {
    "spark.eventLog.enabled": "true",
    "spark.eventLog.compress": "false",
}
LOGS = """
rootLogger.level = info
rootLogger.appenderRef.stderr.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %p %c{1}: %m%n%ex
"""
"""Of its own, since what Spark logs by itself in a shell is warnings alone."""
NUMBERS = pets.Schema({"t": pets.Table(pets.Unit("id"), {"id": pets.Identifier(), "n": COLUMNS["n"]})})


def main(folder: Path) -> None:
    salts: list[int] = []
    where = staged.bucket
    staged.bucket = lambda salt: salts.append(salt) or where(salt)  # type: ignore[func-returns-value]
    os.environ["PYSPARK_PYTHON"] = sys.executable
    (folder / "log4j2.properties").write_text(LOGS)
    logged = f"-Dlog4j2.configurationFile=file:{folder}/log4j2.properties"
    os.environ["PYSPARK_SUBMIT_ARGS"] = SUBMITTED.replace("-XX:+UseSerialGC", f"-XX:+UseSerialGC {logged}")
    (folder / "events").mkdir()
    builder = SparkSession.builder.master("local[2,4]").appName("pets-tests")
    for name, value in (TELLS | {"spark.eventLog.dir": f"file://{folder}/events"}).items():
        builder = builder.config(name, value)
    builder.getOrCreate().sparkContext.setLogLevel("INFO")
    pq.write_table(marked(), folder / "t.parquet")
    pq.write_table(pa.table({"id": [FLOAT, 1.0], "n": [1, 2]}), folder / "numbers.parquet")

    def made(schema: pets.Schema, source: str, place: str) -> Snapshot:
        given: dict[str, Any] = {"folder": folder / place, "key": KEY, "engine": "spark", "progress": False}
        return Snapshot.make_all(schema, ("t",), {"t": folder / source}, **given)["t"]

    snapshot = made(SCHEMA, "t.parquet", "s")
    vector = tabulate(make_plan(ASKED, SCHEMA), snapshot, "spark").reveal().tolist()
    try:
        made(NUMBERS, "numbers.parquet", "refused")
    except PetsError as error:
        says = str(error)
    (folder / "secrets.json").write_text(json.dumps(salts))
    print(json.dumps({"vector": vector, "says": says}), flush=True)
    killed_while(RUNNING["ranking"], folder / "s", lambda: os.killpg(os.getpgid(0), signal.SIGKILL))
    made(SCHEMA, "t.parquet", "s")


if __name__ == "__main__":
    assert os.getsid(0) == os.getpid(), "it ends all of its group"
    main(Path(sys.argv[1]))
