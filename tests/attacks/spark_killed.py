"""A program that prepares on Spark, again and again into one folder, and is killed somewhere each time.

``python -m tests.attacks.spark_killed FOLDER PLACE …`` writes, a line a place: what ended the making, and what the
folder then holds. A place is ``coding`` or ``ranking`` (while that job runs on Spark), ``N/M`` (before the step on
files that lies N of M parts of the way through all of them), or ``none``. Each making is a process of its own, beside
one Spark that goes on, as executors go on when their driver is gone: it writes where nobody waits for it any more.

``… FOLDER PLACE whole``: this process makes, and Spark itself dies with it; a place is a job, or how many steps lie
before it. Nothing is written.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pets.errors import PetsError
from pets.rows.snapshot import Snapshot
from tests.attacks.growing_killed import forked, killed_before
from tests.sparks import spark
from tests.unit.rows.spark.test_making import SCHEMA, made, rows

RUNNING = {"coding": ".pets-new-*/staged_*/*", "ranking": ".pets-new-*/ranked/*"}
"""What is there while a job of Spark writes."""


def digest(snapshot: Snapshot) -> str:
    """Of all rows and their ranks, whatever people's codes are."""
    return hashlib.sha256(repr(sorted(rows(snapshot).items())).encode()).hexdigest()


def report(snapshot: Snapshot) -> str:
    """What became of every row, as two who tell it alike."""
    return json.dumps(snapshot.report.to_json(), sort_keys=True)


def killed_while(pattern: str, folder: Path, end: Callable[[], Any]) -> None:
    """End this process as soon as there is such a file in the folder that was not there before."""
    before = set(folder.glob(pattern))

    def watched() -> None:
        while not set(folder.glob(pattern)) - before:
            time.sleep(0.002)
        end()

    threading.Thread(target=watched, daemon=True).start()


def counted(folder: Path) -> int:
    """How many steps on files a making has."""
    read, write = os.pipe()

    def act() -> None:
        left = 10**9
        count = killed_before(left, folder)
        prepare(folder)
        os.write(write, str(left - count[0]).encode())

    assert forked(act) == 0
    return int(os.read(read, 20))


def own_accumulators() -> None:
    """What tasks count is told to this process, and no longer to the one that it was forked from."""
    from pyspark import SparkContext, accumulators

    context: Any = SparkContext._active_spark_context
    token = context._gateway.gateway_parameters.auth_token
    context._accumulatorServer = accumulators._start_update_server(token)
    context._javaAccumulator = context._jvm.PythonAccumulatorV2(*context._accumulatorServer.server_address, token)
    context._jsc.sc().register(context._javaAccumulator)


def prepare(folder: Path) -> None:
    """One making, in a thread of its own: what is said to Spark goes by thread, and a fork may not share it."""
    failed: list[BaseException] = []

    def act() -> None:
        try:
            own_accumulators()
            made(folder)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=act)
    thread.start()
    thread.join()
    if failed:
        print(f"{type(failed[0]).__name__}: {failed[0]}"[:300], file=sys.stderr, flush=True)
        raise failed[0]


def there(folder: Path) -> dict[str, Any]:
    """What opens there, as anybody else would find it."""
    try:
        found = Snapshot.open(SCHEMA, "t", folder)
    except PetsError as error:
        return {"id": None, "says": str(error)}
    listed = {part["name"] for part in json.loads((folder / "t.json").read_bytes())["parts"]}
    stray = {path.name for path in (folder / "t.parquet").iterdir()} - listed
    return {"id": found.id, "rows": digest(found), "report": report(found), "stray": len(stray)}


def main(folder: Path, places: list[str]) -> None:
    spark()
    steps = 0
    for place in places:
        if "/" in place and not steps:
            steps = counted(folder)

        def act(place: str = place, steps: int = steps) -> None:
            if place in RUNNING:
                killed_while(RUNNING[place], folder, lambda: os.kill(os.getpid(), signal.SIGKILL))
            elif place != "none":
                part, parts = map(int, place.split("/"))
                killed_before(steps * part // parts, folder)
            prepare(folder)

        ended = forked(act)

        def tell(place: str = place, ended: int = ended, steps: int = steps) -> None:
            scraps = len(list(folder.glob(".pets-*")))
            line = {"place": place, "ended": ended, "steps": steps, "scraps": scraps}
            print(json.dumps(line | there(folder)), flush=True)

        forked(tell)


def whole(folder: Path, place: str) -> None:
    """One making, and an end of this process and of Spark at once."""
    end = lambda: os.killpg(os.getpgid(0), signal.SIGKILL)  # noqa: E731
    assert os.getsid(0) == os.getpid(), "it ends all of its group"
    spark()
    if place in RUNNING:
        killed_while(RUNNING[place], folder, end)
    else:
        killed_before(int(place), folder, end)
    made(folder)


if __name__ == "__main__":
    if sys.argv[-1] == "whole":
        whole(Path(sys.argv[1]), sys.argv[2])
    else:
        main(Path(sys.argv[1]), sys.argv[2:])
