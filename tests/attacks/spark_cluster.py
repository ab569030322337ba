"""A program that prepares and counts on a cluster, a master and two workers of this machine, and kills executors.

``python -m tests.attacks.spark_cluster FOLDER CASE …`` writes a line of JSON for each case. Below FOLDER lie all logs
of executors (``work``), the log of events (``events``) and what was drawn that no log may tell (``secrets.json``).

A case is ``none``; ``slow`` (one task is slow until a copy of it, begun beside it, has done its work); ``coding``,
``ranking`` or ``counting`` (the executor that runs a task of that job is killed); ``ids`` (rows that are refused); or
``random SEED``: executors are killed at any time.
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa

import pets
from pets.errors import PetsError
from pets.plan.plan import make_plan
from pets.rows.engine import spark_rows
from pets.rows.snapshot import Snapshot
from pets.rows.spark import making, staged
from pets.rows.tabulate import tabulate
from tests.attacks.spark_killed import digest, report
from tests.sparks import SMALL, SUBMITTED
from tests.unit.rows.spark.test_making import ASKED, FORM, SCHEMA, lines

KEY = 0x9A7C_21E5_84B1_D06F
CANARY = "k8471z"
"""In ids, in texts, and in values of no domain."""
FLOAT = 2.0**60 + 2**20
SETTINGS = SMALL | {
    "spark.driver.host": "127.0.0.1",
    "spark.executor.memory": "512m",
    "spark.executor.cores": "1",
    "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1",
    "spark.task.maxFailures": "20",
    "spark.speculation": "true",
    "spark.speculation.interval": "100ms",
    "spark.speculation.quantile": "0.1",
    "spark.speculation.multiplier": "1",
    "spark.speculation.efficiency.enabled": "false",
    "spark.log.level": "INFO",
    "spark.eventLog.enabled": "true",
    "spark.eventLog.compress": "false",
}


def marked() -> pa.Table:
    """The rows of the tests, with canaries in them."""
    found = lines()
    ids = [None if one is None else f"{CANARY}-{one}" for one in found["id"].to_pylist()]
    sex = [f"{CANARY}-sex" if one == "x" else one for one in found["sex"].to_pylist()]
    code = [f"{CANARY}{place % 7}" if place % 3 else one for place, one in enumerate(found["code"].to_pylist())]
    for name, values in (("id", ids), ("sex", sex), ("code", code)):
        found = found.set_column(FORM.get_field_index(name), name, pa.array(values, pa.string()))
    return found


def cluster(folder: Path) -> Any:
    """Its session.

    The master and the workers live in the driver's JVM, as in Spark's own ``local-cluster``; but here each worker has a
    host of its own, since no copy of a slow task is begun on the host of the slow one.
    """
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    (folder / "events").mkdir()
    os.environ |= {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_DIRS": str(folder / "local")}
    os.environ["PYSPARK_SUBMIT_ARGS"] = SUBMITTED
    SparkContext._ensure_initialized()
    gateway: Any = SparkContext._gateway
    deploy, option = gateway.jvm.org.apache.spark.deploy, gateway.jvm.scala.Option
    conf = gateway.jvm.org.apache.spark.SparkConf()
    started = deploy.master.Master.startRpcEnvAndEndpoint("127.0.0.1", 0, 0, conf)
    urls = gateway.new_array(gateway.jvm.java.lang.String, 1)
    urls[0] = f"spark://127.0.0.1:{started._1().address().port()}"
    for number in (1, 2):
        given = (f"127.0.0.{number}", 0, 0, 1, 1024, urls, str(folder / "work"), option.apply(number), conf)
        deploy.worker.Worker.startRpcEnvAndEndpoint(*given, option.empty())
    builder = SparkSession.builder.master(urls[0]).appName("pets-tests")
    for name, value in (SETTINGS | {"spark.eventLog.dir": f"file://{folder}/events"}).items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def executors() -> list[psutil.Process]:
    """The processes of executors, which the cluster begins anew where one died."""
    return [
        one
        for one in psutil.Process().children(recursive=True)
        if one.name() == "java" and "CoarseGrainedExecutorBackend" in " ".join(one.cmdline())
    ]


def stuck(mark: str) -> Any:
    """For ``mapInArrow``: the first try of one task says that it began, and waits for its end; no other waits."""

    def act(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import os
        import time
        from pathlib import Path

        from pyspark import TaskContext

        task = TaskContext.get()
        assert task is not None
        for place, batch in enumerate(batches):
            if place == 0 and task.partitionId() == 0 and not Path(mark).exists():
                Path(mark).write_text(str(os.getppid()))
                for _ in range(1200):
                    time.sleep(0.1)
            yield batch
        Path(f"{mark}-{task.partitionId()}-{task.attemptNumber()}").touch()

    return act


def through(given: Any, act: Any) -> Any:
    return given.mapInArrow(act, given.schema)


def kill_where(mark: Path) -> None:
    """Kill the executor whose task said that it began."""
    while not mark.exists() or not mark.read_text():
        time.sleep(0.05)
    for one in psutil.Process(int(mark.read_text())).parents():
        if one in executors():
            one.kill()
            return
    raise AssertionError("a task runs in no executor")


class Cases:
    """Runs cases on one cluster."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.session = folder, cluster(folder)
        parquet = f"file://{folder}/stays.parquet"
        self.session.createDataFrame(marked()).repartition(4).write.parquet(parquet)
        self.read = self.session.read.parquet(parquet)
        self.plan = make_plan(ASKED, SCHEMA)
        self.salts: list[int] = []
        where = staged.bucket
        staged.bucket = lambda salt: self.salts.append(salt) or where(salt)  # type: ignore[func-returns-value]

    def made(self, case: str, source: Any, schema: pets.Schema = SCHEMA) -> Snapshot:
        given: dict[str, Any] = {"folder": self.folder / case, "key": KEY, "engine": "spark", "progress": False}
        return Snapshot.make_all(schema, ("t",), {"t": source}, **given)["t"]

    def run(self, case: str) -> dict[str, Any]:
        mark = self.folder / f"mark-{case}"
        if case in ("coding", "ranking", "counting"):
            threading.Thread(target=kill_where, args=(mark,), daemon=True).start()
        source, ranked, taken = self.read, making.Making._ranked, spark_rows._frame
        if case in ("coding", "slow"):
            source = through(source, stuck(str(mark)))
        if case == "ranking":
            making.Making._ranked = lambda *given: through(ranked(*given), stuck(str(mark)))  # type: ignore[method-assign]
        try:
            snapshot = self.made(case, source)
            if case == "counting":
                spark_rows._frame = lambda *given: through(taken(*given), stuck(str(mark)))
            vector = tabulate(self.plan, snapshot, "spark").reveal().tolist()
        finally:
            making.Making._ranked, spark_rows._frame = ranked, taken  # type: ignore[method-assign]
        tries = sorted(path.name.removeprefix(f"{mark.name}-") for path in self.folder.glob(f"{mark.name}-*"))
        return self.found(snapshot) | {"vector": vector, "tries": tries, "began": mark.exists()}

    @staticmethod
    def found(snapshot: Snapshot) -> dict[str, Any]:
        return {"rows": digest(snapshot), "report": report(snapshot)}

    def ids(self) -> dict[str, Any]:
        """Ids that cannot be told apart: the workers refuse them."""
        table = pa.table({"id": [FLOAT, 1.0], "n": [1, 2]})
        columns: dict[str, Any] = {"id": pets.Identifier(), "n": SCHEMA.tables["t"].columns["n"]}
        schema = pets.Schema({"t": pets.Table(pets.Unit("id"), columns)})
        try:
            self.made("ids", self.session.createDataFrame(table), schema)
        except PetsError as error:
            return {"says": str(error), "left": sorted(path.name for path in (self.folder / "ids").iterdir())}
        raise AssertionError("it was taken")

    def random(self, seed: int) -> dict[str, Any]:
        """Executors are killed now and then; what is sealed at the end, and whether the making said so."""
        draw, over, name = random.Random(seed), threading.Event(), f"random{seed}"
        killed = [0]

        def killing() -> None:
            while not over.wait(draw.uniform(0.2, 3)):
                if living := executors():
                    draw.choice(living).kill()
                    killed[0] += 1

        thread = threading.Thread(target=killing)
        thread.start()
        says = ""
        try:
            self.made(name, self.read)
        except PetsError as error:
            says = str(error)
        over.set()
        thread.join()
        try:
            opened: dict[str, Any] = self.found(Snapshot.open(SCHEMA, "t", self.folder / name))
        except PetsError:
            opened = {"rows": None, "report": None}
        return opened | {"says": says, "killed": killed[0]}


def main(folder: Path, cases: list[str]) -> None:
    made = Cases(folder)
    for case in cases:
        name, _, seed = case.partition(" ")
        found = made.random(int(seed)) if name == "random" else made.ids() if name == "ids" else made.run(name)
        print(json.dumps({"case": case} | found), flush=True)
    made.session.stop()
    (folder / "secrets.json").write_text(json.dumps(made.salts))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
