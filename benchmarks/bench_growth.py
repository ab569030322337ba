"""Growth from 1 to 50 million rows, or to 200 with --scale: preparing and asking must stay linear.

Preparing must fit in a memory limit, and a question about a month must read little more than that month.
"""

from __future__ import annotations

import datetime as dt
import math
import tempfile
from pathlib import Path
from typing import Any

from common import Case, Child, Cost, Page, about, finish, form, interleave, options, paired, peak, rows_file

GIGABYTES = 6.0  # of the greatest table, preparation included
MICROSECONDS = 0.8  # of CPU for each row that is prepared
MONTH = ("2022-05-01", "2022-06-01")  # of five years
SCALE = [10_000_000, 100_000_000, 200_000_000]
LINEAR = 100_000_000
"""To so many rows growth shall be linear."""
CASES = ("g9", "g1000", "month")


def prepared(path: Path, folder: str, limit: str) -> tuple[dict[str, Case], Any]:
    """Ours, stored in a folder and prepared within a memory limit (what does not fit goes to a temporary folder)."""
    from common import timed

    import pets
    from pets.plan.plan import make_plan
    from pets.rows.limits import Limits
    from pets.rows.snapshot import Snapshot
    from pets.rows.tabulate import tabulate
    from pets.schema.schema import Schema

    schema, limits = Schema.load(form()), Limits(memory=limit)

    def prepare() -> Snapshot:
        return Snapshot.make(schema, "stays", {"stays": str(path)}, folder=folder, limits=limits, progress=False)

    cost, snapshot = timed(prepare)
    most, stored = peak(), (Path(folder) / "stays.parquet").iterdir()
    cases: dict[str, Case] = {}
    for group in ("g9", "g1000"):
        plan = make_plan(pets.query("stays").group_by(group).agg(n=pets.count(), s=pets.sum("v")), schema)
        cases[group] = lambda plan=plan: tabulate(plan, snapshot) is None
    first, after = (dt.date.fromisoformat(day) for day in MONTH)
    within = pets.query("stays").where((pets.col("d") >= first) & (pets.col("d") < after)).group_by("g9")
    asked = make_plan(within.agg(n=pets.count(), s=pets.sum("v")), schema)
    cases["month"] = lambda: tabulate(asked, snapshot) is None
    return cases, {"prepare": cost, "peak": most, "stored": sum(one.stat().st_size for one in stored) / 1e9}


def floor(path: Path, folder: str, limit: str) -> tuple[dict[str, Case], Any]:
    """What plain DuckDB takes to sort the same rows by person and to write them, within the same memory limit."""
    import duckdb
    from common import timed

    def sort() -> None:
        # (the codes' own types: what is sorted is no wider than ours)
        codes = "person, g9::UTINYINT g9, g1000::USMALLINT g1000, v::UTINYINT v, (x * 10)::USMALLINT x, "
        codes += "(d - DATE '2019-04-01')::USMALLINT d"
        with duckdb.connect(config={"memory_limit": limit, "temp_directory": f"{folder}/spill"}) as con:
            con.execute("SET preserve_insertion_order = false")
            rows = f"SELECT {codes} FROM read_parquet('{path}') ORDER BY person"
            con.execute(f"COPY ({rows}) TO '{folder}/sorted.parquet' (FORMAT parquet, COMPRESSION lz4_raw)")

    return {}, timed(sort)[0]


def unprotected(path: Path) -> tuple[dict[str, Case], Any]:
    """DuckDB over the same rows' Parquet file."""
    import duckdb

    con = duckdb.connect()

    def ask(group: str, where: str = "") -> Case:
        sql = f"SELECT {group}, count(*), sum(v) FROM read_parquet('{path}') {where} GROUP BY {group}"
        return lambda: con.cursor().execute(sql).fetchnumpy() is None

    first, after = MONTH
    month = ask("g9", f"WHERE d >= DATE '{first}' AND d < DATE '{after}'")
    return {"g9": ask("g9"), "g1000": ask("g1000"), "month": month}, None


def slope(sizes: list[int], costs: list[float]) -> float:
    """The exponent of the power law through the first and the last size: 1 is linear."""
    return math.log(costs[-1] / costs[0]) / math.log(sizes[-1] / sizes[0])


def main() -> None:
    args = options(
        __doc__,
        sizes={"type": int, "nargs": "+", "help": "rows (1, 5, 10 and 50 million)"},
        scale={"action": "store_true", "help": "10, 100 and 200 million rows, 67 million people: 20 GB of disk"},
        memory_limit={"default": "5.3GB", "help": "of DuckDB while preparing (5.3GB)"},
        rounds={"type": int, "help": "interleaved rounds (7; 3 with --quick)"},
    ).parse_args()
    sizes = args.sizes or (
        SCALE if args.scale else [200_000, 1_000_000] if args.quick else [1_000_000, 5_000_000, 10_000_000, 50_000_000]
    )
    page = Page(f"Growth from {min(sizes):,} to {max(sizes):,} rows")
    about(page)
    page.say(
        f"Prepared from Parquet into a snapshot folder with memory_limit={args.memory_limit}; count + sum from the "
        "folder, and DuckDB without protection from the rows' own Parquet file; *month*: by 9 groups, of one month in "
        "five years; *sort*: plain DuckDB sorts the same rows, coded, by person and writes them, within that memory. "
        "µs are of CPU, for each row of the source. The exponent of growth is between first and last size (1: linear)."
    )
    lines: list[list[object]] = []
    per_row: dict[str, list[float]] = {}
    peaks: list[float] = []
    ratios: list[float] = []
    for rows in sizes:
        path = rows_file(rows)
        with tempfile.TemporaryDirectory() as folder:
            sort = Child(floor, path, folder, args.memory_limit)
            sort.close()
            (Path(folder) / "sorted.parquet").unlink()
            ours = Child(prepared, path, f"{folder}/snapshot", args.memory_limit)
            raw = Child(unprotected, path)
            interleave(args.rounds or (3 if args.quick else 7), (raw, CASES), (ours, CASES))
            cost: Cost = ours.info["prepare"]
            found = {"prepare": cost.cpu, "g9": ours.cpu("g9"), "g1000": ours.cpu("g1000"), "sort": sort.info.cpu}
            for name, seconds in found.items():
                per_row.setdefault(name, []).append(seconds)
            each = {name: seconds / rows * 1e6 for name, seconds in found.items()}
            peaks.append(ours.peak)
            line = [f"{rows:,}", cost.cpu, cost.wall, each["prepare"], each["sort"]]
            line += [ours.info["peak"], ours.info["stored"]]
            line += [ours.cpu("g9") * 1e3, each["g9"], paired(ours, "g9", raw, "g9")]
            line += [ours.cpu("g1000") * 1e3, each["g1000"], paired(ours, "g1000", raw, "g1000")]
            line += [ours.cpu("month") * 1e3, paired(ours, "month", raw, "month")]
            ratios.append(max(paired(ours, case, raw, case) for case in CASES))
            lines.append(line)
            ours.close()
            raw.close()
        if rows > 10_000_000:
            path.unlink()  # 0.7 GB that nothing else wants
    heads = ["rows", "prepare, CPU s", "clock s", "µs a row", "sort, µs", "peak GB", "stored GB"]
    for size in (9, 1000):
        heads += [f"{size} groups, ms", "µs a row", "ratio"]
    heads += ["month, ms", "ratio"]
    page.table(heads, lines)
    upto = sizes.index(LINEAR) + 1 if LINEAR in sizes else len(sizes)
    page.say(
        f"To {max(sizes):,} rows the exponent of preparing is {slope(sizes, per_row['prepare']):.2f}, that of *sort* "
        f"{slope(sizes, per_row['sort']):.2f}: what does not fit into the memory is written, and read again."
    )
    for name, what in (
        ("prepare", "preparing"),
        ("g9", "count + sum, 9 groups"),
        ("g1000", "count + sum, 1000 groups"),
    ):
        # a query has some ms of its own, which flatter the exponent; the preparation sorts, which does not
        grown = slope(sizes[:upto], per_row[name][:upto])
        page.target(f"{what}: exponent of growth to {sizes[upto - 1]:,} rows", grown, 1.05)
    page.target(f"preparing {max(sizes):,} rows, CPU µs a row", per_row["prepare"][-1] / max(sizes) * 1e6, MICROSECONDS)
    page.target("from the stored snapshot ÷ unprotected from Parquet, the worst", max(ratios), 1.0)
    page.target(f"peak memory at {max(sizes):,} rows, preparation included, GB", max(peaks), GIGABYTES)
    finish(page, "bench_growth", args)


if __name__ == "__main__":
    main()
