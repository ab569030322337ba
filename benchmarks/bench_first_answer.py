"""The first answer: importing, preparing from CSV, Parquet and Arrow, then one release; and opening what is stored.

Each in a process of its own. Reading text is shown apart: DuckDB reads the same CSV as text cells without pets.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from common import CACHE, Case, Child, Page, about, finish, form, options, rows_file


def imported() -> tuple[dict[str, Case], Any]:
    """``import pets``, in a process that has imported nothing else of it."""

    def load() -> None:
        import pets  # noqa: F401

    return {"import": load}, None


def first(kind: str, source: str, folder: str | None) -> tuple[dict[str, Case], Any]:
    """Everything from the source to a table, step by step, in CPU and clock seconds."""
    import duckdb  # noqa: F401
    import pyarrow.parquet as pq
    from common import peak, timed

    import pets

    schema = pets.Schema.load(form())
    data: Any = source
    if kind == "arrow":
        data = pq.read_table(source)

    def start() -> pets.Session:
        return pets.Session(
            schema, {"stays": data}, budget=pets.Budget(epsilon=3, delta=1e-6), snapshots=folder, progress=False
        )

    opened, session = timed(start)
    query = pets.query("stays").group_by("g9").agg(n=pets.count(), s=pets.sum("v"), m=pets.mean("v"))
    answered, _ = timed(lambda: session.release(query, pets.DP(epsilon=0.5)).table)
    people = query.agg(u=pets.count_units())
    counted, _ = timed(lambda: session.release(people, pets.DP(epsilon=0.5)).table)
    warm, _ = timed(lambda: session.release(query, pets.DP(epsilon=0.5), again=True).table)
    return {}, {"open": opened, "first": answered, "people": counted, "again": warm, "peak": peak()}


def parsed(source: str) -> tuple[dict[str, Case], Any]:
    """DuckDB alone reads the CSV's cells as text."""
    import duckdb
    from common import timed

    names = ("person", "g9", "g1000", "v", "x", "d")
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in names)
    read = f"read_csv('{source}', auto_detect=false, header=true, columns={{{columns}}})"
    sql = f"SELECT {', '.join(f'max({name})' for name in names)} FROM {read}"
    con = duckdb.connect()
    return {}, timed(lambda: con.execute(sql).fetchall())[0]


def csv_file(rows: int) -> Path:
    """The rows as CSV."""
    import duckdb

    path = CACHE / f"rows-{rows}.csv"
    if not path.exists():
        with duckdb.connect() as con:
            con.execute(f"COPY (SELECT * FROM read_parquet('{rows_file(rows)}')) TO '{path}' (HEADER)")
    return path


def main() -> None:
    args = options(__doc__, rows={"type": int, "help": "rows (10 million; 0.3 million with --quick)"}).parse_args()
    rows = args.rows or (300_000 if args.quick else 10_000_000)
    page = Page(f"The first answer from {rows:,} rows")
    about(page)
    start = time.perf_counter()
    bare = Child(imported)
    bare.run("import")
    typed, text = str(rows_file(rows)), str(csv_file(rows))
    lines: list[list[object]] = []
    prepared: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        sources = {
            "Arrow table": ("arrow", typed, None),
            "Parquet": ("path", typed, None),
            "CSV": ("path", text, None),
            "Parquet, stored in a folder": ("path", typed, f"{folder}/new"),
            "the same folder, opened again": ("path", typed, f"{folder}/new"),
        }
        for name, (kind, source, place) in sources.items():
            child = Child(first, kind, source, place)
            found = child.info
            prepared[name] = found["open"].cpu / rows * 1e6
            line: list[object] = [name, found["open"].cpu, found["open"].wall, prepared[name]]
            lines.append([*line, *(found[step].cpu for step in ("first", "people", "again")), found["peak"]])
            child.close()
    reading = Child(parsed, text)
    alone = reading.info.cpu
    page.say(
        f"`import pets`: {bare.cpu('import') * 1e3:.0f} ms of CPU. DuckDB alone reads the CSV's cells as text in "
        f"{alone:.3g} s of CPU ({alone / rows * 1e6:.2g} µs a row). *first*: count, sum and mean by 9 groups, with "
        "imports, planning and noise; *people*: the same with count_units, which builds one row per person once."
    )
    bare.close()
    reading.close()
    heads = [
        "source",
        "prepare, CPU s",
        "clock s",
        "µs a row",
        "first, CPU s",
        "people, CPU s",
        "again, CPU s",
        "peak GB",
    ]
    page.table(heads, lines)
    for name in ("Arrow table", "Parquet"):
        page.target(f"coding and ranking from {name}, CPU µs a row", prepared[name], 1.5)
    apart = prepared["CSV"] - alone / rows * 1e6
    page.say(
        f"From CSV, parsing apart: {apart:.2f} µs a row (it turns text into numbers and dates as well). "
        f"The whole took {time.perf_counter() - start:.0f} s on the clock."
    )
    finish(page, "bench_first_answer", args)


if __name__ == "__main__":
    main()
