"""Keys that nobody listed: of 100,000 codes, against COUNT(DISTINCT person) by code without protection (DuckDB)."""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

from common import CACHE, Page, about, finish, options, timed

RATIO = 2.0
CODES = 100_000


def codes_file(rows: int) -> Path:
    """Parquet of invented rows: codes as they come, few of them in most rows (Zipf's law), and 3.3 rows a person."""
    import duckdb

    CACHE.mkdir(exist_ok=True)
    path = CACHE / f"codes-{rows}.parquet"
    if not path.exists():
        with duckdb.connect() as con:
            share = "(hash(hash(i, 2)) % 1000000) / 1000000.0"
            code = f"'C' || CAST(floor(exp({share} * ln({CODES}))) AS INTEGER)"
            person = f"hash(hash(i, 1)) % {max(1, int(rows * 0.3))}"
            columns = f"CAST({person} AS BIGINT) AS person, {code} AS code"
            con.execute(f"COPY (SELECT {columns} FROM range({rows}) t(i)) TO '{path}' (FORMAT parquet)")
    return path


def main() -> None:
    args = options(
        __doc__,
        rows={"type": int, "help": "rows (10 million; 300,000 with --quick)"},
        rounds={"type": int, "help": "interleaved rounds (5; 2 with --quick)"},
    ).parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import duckdb

    import pets

    rows = args.rows or (300_000 if args.quick else 10_000_000)
    path = codes_file(rows)
    page = Page(f"Keys that nobody listed, of {rows:,} rows")
    about(page)
    columns = {"person": {"type": "identifier"}, "code": {"type": "text", "max_length": 7, "form": "letters_digits"}}
    table = {"unit": {"column": "person", "max_rows": 5}, "people": 100_000_000, "columns": columns}
    schema = pets.Schema.load({"dataset": "benchmark", "tables": {"apc": table}})
    budget = pets.Budget(epsilon=1000, delta=1e-6, threshold_delta=1e-7)
    prepared, session = timed(lambda: pets.Session(schema, {"apc": str(path)}, budget=budget, progress=False))
    con = duckdb.connect()
    con.execute(f"CREATE TABLE apc AS SELECT * FROM read_parquet('{path}')")
    plain = "SELECT code, count(DISTINCT person) FROM apc GROUP BY code"
    raw, ours, found = [], [], 0
    for _ in range(args.rounds or (2 if args.quick else 5)):
        raw.append(timed(lambda: con.execute(plain).fetchnumpy())[0].cpu)
        cost, keys = timed(
            lambda: session.group_keys("apc", by=["code"], protection=pets.DP(rho=0.01), groups=5, again=True)
        )
        ours.append(cost.cpu)
        found = len(keys.rows)
    page.table(
        ["what", "CPU, s"],
        [
            ["COUNT(DISTINCT person) by code, no protection", statistics.median(raw)],
            [f"group_keys: {found:,} keys of at least about {keys.threshold} people", statistics.median(ours)],
            ["preparing the table, once", prepared.cpu],
        ],
    )
    page.target("group_keys ÷ the plain count", statistics.median(ours) / statistics.median(raw), RATIO)
    finish(page, "bench_keys", args)


if __name__ == "__main__":
    main()
