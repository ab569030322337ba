"""Counters: how many rows a stored snapshot that grows keeps of each person, beside their exact id and their code.

With them a later delivery is ranked without the rows that came before it. They hold the ids of real people, so their
file is the owner's alone, as the snapshot is; no query reads it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pets.rows.coding.cell import parquet, quoted
from pets.rows.roster import Run
from pets.schema.schema import Schema

SUFFIX = "-people.parquet"
"""How a file's name ends (DuckDB writes one, Spark several); it lies beside the parts, and is none of them."""


def fixed(schema: Schema, name: str) -> str:
    """Why a stored snapshot of a table cannot grow, as the end of a sentence; empty where it can. No row decides it."""
    table = schema.table(name)
    if table.unit.arrival is None:
        return "its unit names no column of arrival, so that any new row may take the place of an old one"
    if table.person_table is not None:
        return f"the columns of table {table.person_table!r} are attached to its rows, old ones too"
    if table.unit.rank_within:
        return "it ranks rows within columns (rank_within), which takes all rows of a person"
    return ""


def count(run: Run, rows: str, target: Path, before: str | None) -> None:
    """Write the counters of rows that table ``people`` of this making tells apart, beside those in ``before`` (SQL).

    ``rows`` is SQL of all that is kept of them, their ranks counted on from earlier rows: so the greatest rank of a
    person is how many rows are kept of them.
    """
    fresh = (
        "SELECT CAST(p.pid AS VARCHAR) AS id, CAST(p.person AS UBIGINT) AS person, k.seen FROM people p JOIN "
        f"(SELECT person, CAST(max(rank) AS UINTEGER) AS seen FROM {rows} GROUP BY person) k ON p.person = k.person"
    )
    if before is None:
        relation = fresh
    else:
        run(f"CREATE TEMP TABLE fresh AS {fresh}", "counting each person's rows")
        relation = f"SELECT * FROM {before} ANTI JOIN fresh USING (person) UNION ALL SELECT * FROM fresh"
    run(
        f"COPY ({relation}) TO {quoted(str(target))} (FORMAT parquet, COMPRESSION lz4_raw, USE_TMP_FILE false)",
        "counting each person's rows",
    )
    run("DROP TABLE IF EXISTS fresh", "counting each person's rows")


def read(paths: Iterable[Path]) -> str:
    """SQL of the counters in files, whichever engine wrote them: ``id``, ``person`` and ``seen``."""
    kinds = "id, CAST(person AS UBIGINT) AS person, CAST(seen AS UINTEGER) AS seen"
    return f"(SELECT {kinds} FROM {parquet(*map(str, paths))})"
