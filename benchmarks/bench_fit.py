"""A straight line under noise over 10 million rows, against the sums of products that DuckDB takes without protection.

In one run: each contender has a process of its own, and rounds are interleaved.
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

from common import CACHE, Case, Child, Page, about, finish, interleave, options, paired

NUMBERS = {"x1": 100, "x2": 60, "x3": 1000}
SHARES = {"b1": 50, "b2": 30, "b3": 15, "b4": 5}
"""Booleans, and of how many per cent of the rows they are true."""
FITS = ("weighted", "rows in full")


def people_file(rows: int) -> Path:
    """Parquet of invented people, made once: three numbers, four booleans, and an outcome that they move."""
    import duckdb

    CACHE.mkdir(exist_ok=True)
    path = CACHE / f"people-{rows}.parquet"
    if not path.exists():
        new = path.with_suffix(f".{os.getpid()}.new")
        numbers = [
            f"CAST((hash(hash(i, {at})) % {top + 1} + hash(hash(i, {at + 20})) % {top + 1}) // 2 AS SMALLINT) AS {name}"
            for at, (name, top) in enumerate(NUMBERS.items())
        ]
        booleans = [
            f"hash(hash(i, {at + 40})) % 100 < {share} AS {name}" for at, (name, share) in enumerate(SHARES.items())
        ]
        moved = "x1 + x2 + x3 // 10 + CASE WHEN b1 THEN 40 ELSE 0 END + CAST(hash(hash(i, 60)) % 600 AS INTEGER)"
        drawn = f"SELECT i, {', '.join([*numbers, *booleans])} FROM range({rows}) t(i)"
        with duckdb.connect() as con:
            con.execute(
                f"COPY (SELECT * EXCLUDE (i), CAST({moved} AS SMALLINT) AS y FROM ({drawn})) "
                f"TO '{new}' (FORMAT parquet)"
            )
        new.replace(path)
    return path


def raw(path: Path) -> tuple[dict[str, Case], Any]:
    """DuckDB over natively typed columns in memory: every sum of X'X, X'y and y'y once."""
    import duckdb

    con = duckdb.connect()
    con.execute(f"CREATE TABLE raw AS SELECT * FROM read_parquet('{path}')")
    names = [*NUMBERS, *SHARES, "y"]

    def ask(kind: str) -> Case:
        typed = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name in names)
        pairs = itertools.combinations_with_replacement(names, 2)
        sums = ["count(*)", *(f"sum({name})" for name in names), *(f"sum({a} * {b})" for a, b in pairs)]
        sql = f"SELECT {', '.join(sums)} FROM (SELECT {typed} FROM raw)"
        return lambda: con.cursor().execute(sql).fetchnumpy() is None

    return {"doubles": ask("DOUBLE"), "whole numbers": ask("INTEGER")}, None


def ours(path: Path, rows: int) -> tuple[dict[str, Case], Any]:
    """A session's whole fit, from the question to the intervals, each with fresh noise and charged."""
    import pets

    columns: dict[str, Any] = {name: pets.Integer(0, top, nullable=False) for name, top in NUMBERS.items()}
    columns |= {name: pets.Boolean(nullable=False) for name in SHARES}
    columns["y"] = pets.Integer(0, 1000, nullable=False)
    schema = pets.Schema({"people": pets.Table(pets.Unit(None), columns, people=rows)}, dataset="benchmark")
    budget = pets.Budget(epsilon=10_000, delta=1e-6)
    session = pets.Session(schema, {"people": str(path)}, budget=budget, progress=False)

    def ask(weights: Any) -> Case:
        model = pets.linear("y", [*NUMBERS, *SHARES], data="people", weights=weights)
        return lambda: session.fit(model, pets.DP(epsilon=1), again=True).table.shape

    return dict(zip(FITS, (ask("auto"), ask(None)), strict=True)), None


def main() -> None:
    args = options(
        __doc__,
        rows={"type": int, "help": "rows (10 million; 1 million with --quick)"},
        rounds={"type": int, "help": "interleaved rounds (9; 3 with --quick)"},
    ).parse_args()
    rows = args.rows or (1_000_000 if args.quick else 10_000_000)
    page = Page(f"A straight line over {rows:,} rows")
    about(page)
    path = people_file(rows)
    without, fitted = Child(raw, path), Child(ours, path, rows)
    interleave(args.rounds or (3 if args.quick else 9), (without, tuple(without.cases)), (fitted, FITS))
    page.say(
        "CPU ms of a whole fit of eight coefficients at ε = 1 on a prepared table (question, exact sums, noise, "
        "charge, coefficients and intervals), against DuckDB's 45 sums of products of the same columns without "
        "protection: of doubles, as a regression takes them, and of 32-bit whole numbers."
    )
    lines: list[list[object]] = [[f"DuckDB, {name}", without.cpu(name) * 1e3, "", ""] for name in without.cases]
    for name in FITS:
        ratios = [paired(fitted, name, without, base) for base in ("doubles", "whole numbers")]
        lines.append([f"pets, {name}", fitted.cpu(name) * 1e3, *ratios])
    page.table(("", "CPU ms", "÷ doubles", "÷ whole numbers"), lines)
    page.say(f"Preparing the table, once: {fitted.built.cpu:.3g} CPU s. Peak memory: {fitted.peak:.2g} GB.")
    for name in FITS:
        page.target(f"{name}: CPU ÷ unprotected X'X", paired(fitted, name, without, "doubles"), 2.0)
    for child in (without, fitted):
        child.close()
    finish(page, "bench_fit", args)


if __name__ == "__main__":
    main()
