"""Tumult Analytics: count + sum by group, with so many rows of a person at most; run in an environment of its own.

``bench_spark.py --tumult PYTHON`` starts it: ``PYTHON tumult.py FILE ROWS_OF_A_PERSON ROUNDS GROUP=SIZE …``. The last
line that it prints is JSON: by group, CPU and clock seconds of the best round, of Spark alone and of Tumult on it.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import metadata

from cpu_tree import seconds


def best(run: Callable[[], object], rounds: int) -> tuple[float, float]:
    """CPU and clock seconds of the cheapest of some rounds."""
    found = []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), seconds()
        run()
        found.append((seconds() - cpu, time.perf_counter() - wall))
    return min(found)


def main() -> None:
    path, bound, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    groups = {name: int(size) for name, _, size in (text.partition("=") for text in sys.argv[4:])}
    os.environ["PYSPARK_PYTHON"] = sys.executable
    from pyspark.sql import SparkSession, functions
    from tmlt.analytics import AddRowsWithID, KeySet, MaxRowsPerID, PureDPBudget, QueryBuilder, Session
    from tmlt.core.utils.configuration import get_java11_config

    builder = SparkSession.builder.master("local[2]").config(conf=get_java11_config())
    builder = builder.config("spark.sql.warehouse.dir", tempfile.mkdtemp()).config("spark.ui.enabled", "false")
    spark = builder.config("spark.ui.showConsoleProgress", "false").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    rows = spark.read.parquet(path)
    for name in (*groups, "v"):  # it takes no short numbers
        rows = rows.withColumn(name, rows[name].cast("long"))
    out = {}
    for group, size in groups.items():

        def plain(group: str = group) -> object:
            return rows.groupBy(group).agg(functions.count("*"), functions.sum("v")).collect()

        def private(group: str = group, size: int = size) -> None:
            protected = AddRowsWithID("person")
            data = rows.select("person", group, "v")
            session = Session.from_dataframe(PureDPBudget(1), "stays", data, protected_change=protected)
            keys = KeySet.from_dict({group: list(range(size))})
            asked = QueryBuilder("stays").enforce(MaxRowsPerID(bound)).groupby(keys)
            session.evaluate(asked.count(), PureDPBudget(0.5)).collect()
            session.evaluate(asked.sum("v", 0, 100), PureDPBudget(0.5)).collect()

        plain()
        out[group] = [*best(plain, rounds + 2), *best(private, rounds)]
    versions = {name: metadata.version(name) for name in ("tmlt.analytics", "tmlt.core")} | {"pyspark": spark.version}
    print(json.dumps({"costs": out, "versions": versions}))


if __name__ == "__main__":
    main()
