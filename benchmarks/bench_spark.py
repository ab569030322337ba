"""Apache Spark: preparing, and count + sum by 9 and 1,000 groups, beside Spark SQL without protection, and Tumult.

Tumult Analytics is measured with ``--tumult PYTHON``, of an environment where it is installed
(``pip install tmlt.analytics``).
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import HERE, PACKAGES, Case, Child, Page, about, finish, form, interleave, options, paired, rows_file
from cpu_tree import seconds

GROUPS = {"g9": 9, "g1000": 1000}
BOUND = 3  # rows of a person
WARM = 200_000  # rows on which a Spark is warmed up
STEPS = {
    "prepare": "preparing",
    "pets g9": "count + sum, 9 groups",
    "pets g1000": "count + sum, 1,000 groups",
    "people": "people, 9 groups",
    "capped": "count + sum, 9 groups, one of them a person",
}


def traffic(spark: Any) -> tuple[int, int]:
    """Bytes that this Spark has read from files, and moved between its tasks, so far."""
    context = spark.sparkContext
    jvm, inner = context._jvm, context._jsc.sc()
    inner.listenerBus().waitUntilEmpty()
    none, empty = context._gateway.new_array(jvm.double, 0), jvm.java.util.ArrayList()
    stages = inner.statusStore().stageList(None, False, False, none, empty)
    each = [stages.apply(place) for place in range(stages.size())]
    return sum(one.inputBytes() for one in each), sum(one.shuffleWriteBytes() for one in each)


def on_spark(path: Path, folder: str, memory: str) -> tuple[dict[str, Case], Any]:
    """One Spark: what it does without protection, and pets on it. All cases share it, and its compiled code."""
    os.environ["PYSPARK_SUBMIT_ARGS"] = f"--driver-memory {memory} pyspark-shell"
    os.environ["PYSPARK_PYTHON"] = sys.executable
    from pyspark.sql import SparkSession

    import pets
    from pets.plan.plan import make_plan
    from pets.rows.snapshot import Snapshot
    from pets.rows.spark.staged import Stager
    from pets.rows.tabulate import tabulate
    from pets.schema.schema import Schema

    stage, dealt = Stager.stage, [0]

    def staged(*given: Any) -> Any:
        one = stage(*given)
        dealt[0] += sum(file.stat().st_size for file in one.files)
        return one

    Stager.stage = staged  # type: ignore[method-assign]
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    spark = builder.config("spark.ui.showConsoleProgress", "false").config("spark.log.level", "ERROR").getOrCreate()
    schema = Schema.load(form())

    def sort(source: Path = path) -> None:
        sorted_by = spark.read.parquet(str(source)).sort("person")
        sorted_by.write.mode("overwrite").parquet(f"{folder}/sorted")

    def prepare(source: Path = path) -> Snapshot:
        given: Any = {"folder": f"{folder}/ready", "engine": "spark", "progress": False}
        return Snapshot.make_all(schema, ("stays",), {"stays": str(source)}, **given)["stays"]

    for _ in range(2):
        sort(rows_file(WARM))
        prepare(rows_file(WARM))
    held = {"ready": prepare(rows_file(WARM))}

    def anew() -> None:
        held["ready"] = prepare()

    cases: dict[str, Case] = {"sort": sort, "prepare": anew, "first sort": sort, "first prepare": anew}
    viewed: list[str] = []
    spark.read.parquet(str(path)).createOrReplaceTempView("raw")
    for group in GROUPS:
        plan = make_plan(pets.query("stays").group_by(group).agg(n=pets.count(), s=pets.sum("v")), schema)
        sql = f"SELECT {group}, count(*) AS n, sum(v) AS s FROM raw GROUP BY {group}"
        cases[f"pets {group}"] = lambda plan=plan: tabulate(plan, held["ready"], "spark") is None
        cases[f"raw {group}"] = lambda sql=sql: spark.sql(sql).toArrow() is None

        def same(group: str = group) -> None:
            ready = held["ready"]
            name, value = ready.columns[group], ready.columns["v"]
            if viewed != [ready.id]:
                spark.read.parquet(*map(str, ready.files() or ())).createOrReplaceTempView("parts")
                viewed[:] = [ready.id]
            spark.sql(f"SELECT {name}, count(*) AS n, sum({value}) AS s FROM parts GROUP BY {name}").toArrow()

        cases[f"parts {group}"] = same
    by = pets.query("stays").group_by("g9")
    for name, question in (
        ("people", by.agg(u=pets.count_units())),
        ("capped", by.agg(n=pets.count(), s=pets.sum("v")).bound(groups=1)),
    ):
        asked = make_plan(question, schema)
        cases[name] = lambda plan=asked: tabulate(plan, held["ready"], "spark") is None
    # (what is dealt out by person lies in files that Spark knows nothing of, and is read once)
    cases["traffic"] = lambda: tuple(bytes + dealt[0] for bytes in traffic(spark))
    cases["size"] = lambda: sum(part.stat().st_size for part in held["ready"].files() or ()) / 1e9
    return cases, None


on_spark.cpu = seconds  # type: ignore[attr-defined]


def tumult(python: str, path: Path, rounds: int) -> Any:
    """What Tumult's environment measures of itself."""
    sizes = [f"{name}={size}" for name, size in GROUPS.items()]
    call = [python, str(HERE / "tumult.py"), str(path), str(BOUND), str(rounds), *sizes]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"Tumult failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


@dataclass
class Found:
    """What was measured of one table: CPU and clock seconds, and ratios of CPU within rounds."""

    rows: int
    sort: float
    prepare: float
    clock: float
    over_sort: float
    first: float
    stored: float
    asked: dict[str, tuple[float, float, float, float, float]]
    """By group: raw, pets, its clock; pets ÷ raw, pets ÷ parts."""
    steps: dict[str, tuple[float, float, float]]
    """By step: CPU seconds, bytes read and bytes moved."""


def measured(rows: int, memory: str, rounds: int) -> Found:
    """One table, prepared in turn with Spark's sort of it, and asked in turn."""
    with tempfile.TemporaryDirectory() as folder:
        child = Child(on_spark, rows_file(rows), folder, memory)
        for first in ("first ", "", "", ""):  # at this size, too, Java compiles what it runs for the first time
            child.run(f"{first}sort")
            child.run(f"{first}prepare")
        stored = child.run("size")
        interleave(rounds, (child, [f"{what} {group}" for group in GROUPS for what in ("pets", "raw", "parts")]))
        asked = {}
        for group in GROUPS:
            ours, raw = f"pets {group}", f"raw {group}"
            over = [paired(child, ours, child, f"{what} {group}") for what in ("raw", "parts")]
            asked[group] = (child.cpu(raw), child.cpu(ours), child.wall(ours), over[0], over[1])
        steps = {}
        for step in STEPS:
            if step not in child.runs:
                interleave(3, (child, [step]))
            (read, moved), _ = child.run("traffic"), child.run(step, keep=False)
            after = child.run("traffic")
            steps[step] = (child.cpu(step), after[0] - read, after[1] - moved)
        found = [child.cpu("sort"), child.cpu("prepare"), child.wall("prepare")]
        over_sort = [paired(child, f"{first}prepare", child, f"{first}sort") for first in ("", "first ")]
        child.close()
    return Found(rows, *found, *over_sort, stored, asked, steps)


def main() -> None:
    args = options(
        __doc__,
        rows={"type": int, "nargs": "+", "help": "rows (3 and 10 million; 300,000 with --quick)"},
        rounds={"type": int, "help": "interleaved rounds of questions (7; 3 with --quick)"},
        memory={"default": "6g", "help": "of the Java process (6g)"},
        tumult={"metavar": "PYTHON", "help": "of an environment that has tmlt.analytics; left out, it is not measured"},
        tumult_rounds={"type": int, "default": 2, "help": "of which the cheapest counts (2)"},
        tumult_rows={"type": int, "default": 3_000_000, "help": "the largest table that it is given (3 million)"},
    ).parse_args()
    sizes = args.rows or ([300_000] if args.quick else [3_000_000, 10_000_000])
    page = Page(f"Apache Spark up to {max(sizes):,} rows")
    about(page, (*PACKAGES, "pyspark"))
    page.say(
        f"One Spark in one Java process ({args.memory}) on two cores; CPU is of the Python that asks, of Java and of",
        "Python workers together, all warmed up. *sort*: Spark's own sort of the rows by person, written as Parquet.",
        "(*the first*: that ratio before Java has compiled for this size; it is in no median.)",
        f"A snapshot holds at most {BOUND} rows of a person. *÷ raw*: over Spark SQL without protection on the rows'",
        "own Parquet file; *÷ parts*: over the same SQL on the very parts of the snapshot.",
    )
    every: list[Found] = []
    peers: list[list[object]] = []
    bests: list[tuple[str, float]] = []
    versions = ""
    for rows in sizes:
        every.append(one := measured(rows, args.memory, args.rounds or (3 if args.quick else 7)))
        if args.tumult and rows <= args.tumult_rows:
            theirs = tumult(args.tumult, rows_file(rows), args.tumult_rounds)
            versions = ", ".join(f"{name} {version}" for name, version in theirs["versions"].items())
            for group, (plain, _, cpu, wall) in theirs["costs"].items():
                ours, what = one.asked[group][1], f"{rows:,}, {GROUPS[group]:,} groups"
                bests.append((what, cpu / ours))
                peers.append([what, plain, cpu, wall, cpu / plain, ours, cpu / ours, cpu / (one.prepare + ours)])
    page.table(
        ["rows", "sort, CPU s", "prepare, CPU s", "clock s", "µs a row", "÷ sort", "the first", "stored GB"],
        [
            [f"{o.rows:,}", o.sort, o.prepare, o.clock, o.prepare / o.rows * 1e6, o.over_sort, o.first, o.stored]
            for o in every
        ],
    )
    page.table(
        ["count + sum", "raw, CPU ms", "pets, CPU ms", "clock ms", "µs a row", "÷ raw", "÷ parts"],
        [
            [f"{o.rows:,}, {size:,} groups", raw * 1e3, ours * 1e3, wall * 1e3, ours / o.rows * 1e6, *over]
            for o in every
            for size, (raw, ours, wall, *over) in zip(GROUPS.values(), o.asked.values(), strict=True)
        ],
    )
    page.say(f"What a step takes, at {every[-1].rows:,} rows, for each row of the source:")
    page.table(
        ["step", "CPU µs", "bytes read", "bytes moved"],
        [
            [STEPS[name], cpu / every[-1].rows * 1e6, read / every[-1].rows, moved / every[-1].rows]
            for name, (cpu, read, moved) in every[-1].steps.items()
        ],
    )
    if peers:
        page.say(
            f"{versions}: count + sum with at most {BOUND} rows of a person at ε = 1, in two evaluations. Its noise",
            "is in it, ours (60 ms at 1,000 groups) is not. *÷ whole*: preparing, which is done once, and asking.",
        )
        heads = ["rows", "Spark, CPU s", "Tumult, CPU s", "clock s", "÷ Spark", "pets, CPU s", "÷ pets", "÷ whole"]
        page.table(heads, peers)
    last = every[-1]
    for group, size in GROUPS.items():
        for what, ratio in zip(("rows' own Parquet", "parts of the snapshot"), last.asked[group][3:], strict=True):
            page.target(f"count + sum, {size:,} groups ÷ Spark SQL on the {what}", ratio, 1.3)
    page.target("preparing ÷ Spark's sort by person", last.over_sort, 3)
    if len(every) > 1:
        growth = math.log(last.prepare / every[0].prepare) / math.log(last.rows / every[0].rows)
        page.target("preparing: exponent of growth", growth, 1.05)
    for what, ratio in bests:
        page.target(f"Tumult's CPU ÷ ours, {what}", ratio, 20, least=True)
    finish(page, "bench_spark", args)


if __name__ == "__main__":
    main()
