"""Ranking on Spark: the statements by which DuckDB, on a worker, ranks a group of people and writes their rows.

They are those of one machine (:mod:`pets.rows.ranking`), so that a row has the rank that it has there. Nobody is in two
groups, and whoever is in a group is in it with all rows of all tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pets.rows.coding.cell import parquet, quoted
from pets.rows.ranking import PERSON_TABLE_KEY, SCRAPS, attributes, disagreement, enrol, in_order, of_people, rank
from pets.rows.spark.staged import OnSpark
from pets.rows.spark.worker import ATTEMPT
from pets.rows.stored.kinds import signed
from pets.schema.schema import Schema

PEOPLE = "people"
"""What a step is called that counts people of all tables together."""


class Steps:
    """Statements that are noted, and run somewhere else.

    Attributes:
        noted: the statements, each with the name under which what it gives is told, or none.
    """

    def __init__(self) -> None:
        self.noted: list[tuple[str, str]] = []

    def run(self, sql: str, _doing: str) -> _AllThere:
        """Note a statement, as what runs one."""
        self.noted.append(("", sql))
        return _AllThere()

    def ask(self, name: str, sql: str) -> None:
        """Note a statement whose answer is told."""
        self.noted.append((name, sql))


class _AllThere:
    """What is answered at once: there are rows of every kind, so that statements for all of them are noted."""

    def fetchall(self) -> list[tuple[int]]:
        return [(1,)]


def staged_name(place: int) -> str:
    """What a worker calls the rows of the table at a place among those with people."""
    return f"staged_{place}"


def part_of(folder: Path, place: int, attempt: str = ATTEMPT) -> Path:
    """Where a try writes the rows of the table at a place among those that are asked for."""
    return folder / f"{attempt}-{place}.parquet"


def counters_of(folder: Path, attempt: str = ATTEMPT) -> Path:
    """Where a try writes how many rows are kept of each person."""
    return folder / f"{attempt}-people.parquet"


def steps(
    schema: Schema,
    tables: Sequence[str],
    staged: Mapping[str, OnSpark],
    keys: Mapping[str, int],
    groups: int,
    folder: Path,
    *,
    grows: bool,
) -> tuple[tuple[str, str], ...]:
    """The statements for one group of people.

    Args:
        tables: those with people that are asked for.
        staged: all tables with people.
        keys: of the ranks of each table.
        groups: how many groups there are.
        folder: where parts are written.
        grows: whether each person's rows are counted, so that later ones can be added to the one table.
    """
    noted, places = Steps(), {name: staged_name(place) for place, name in enumerate(staged)}
    code, known = f"CAST((row_number() OVER () - 1) * {groups} + getvariable('part') AS BIGINT)", ""
    if len(tables) > 1:
        ids = " UNION ".join(f"SELECT CAST(pid AS VARCHAR) AS id FROM {places[name]}" for name in tables)
        noted.run(f"CREATE TEMP TABLE roster AS SELECT id, {code} AS person FROM ({ids})", "finding people")
        noted.ask(PEOPLE, "SELECT count(*) FROM roster")
        code, known = "r.person", "JOIN roster r ON CAST(d.pid AS VARCHAR) = r.id"
    for name in places.values():
        noted.ask(name, f"SELECT count(*) FROM {name}")
    for place, name in enumerate(tables):
        table, one, columns = schema.table(name), staged[name], staged[name].columns
        own = one.relation(places[name], columns)
        arrival = None if table.unit.arrival is None else columns[table.unit.arrival]
        person, key = None, keys[name]
        if any(other.person_table == name for other in schema.tables.values()):
            key = PERSON_TABLE_KEY
            _differing(noted, name, own)
        if table.person_table is not None:
            person = staged[table.person_table].relation(places[table.person_table], columns)
            attributes(noted.run, person)
            _differing(noted, name, person)
        ordered = enrol(noted.run, own, person, columns, key, code, known)
        bare = "0" if person is None else "count(*) FILTER (bare)"
        noted.ask(f"{name}: people", f"SELECT count(*), {bare} FROM people")
        people = of_people(own.relation, "people", ordered)
        kept = rank(noted.run, people, list(ordered), table.unit.max_rows, arrival)
        rows = in_order(schema, name, columns, kept, signed(schema, name))
        file = part_of(folder, place)
        noted.run(_copy(rows, file), "storing")
        noted.ask(f"{name}: kept", f"SELECT rank, count(*) FROM {parquet(str(file))} GROUP BY rank")
        if grows:
            seen = f"SELECT person, CAST(max(rank) AS INTEGER) AS seen FROM {parquet(str(file))} GROUP BY person"
            counted = (
                f"SELECT CAST(p.pid AS VARCHAR) AS id, p.person, k.seen FROM people p JOIN ({seen}) k USING (person)"
            )
            noted.run(_copy(counted, counters_of(folder)), "counting")
            noted.ask(f"{name}: arrived", f"SELECT max({arrival}) FROM {own.relation}")
        for scrap in SCRAPS:
            noted.run(f"DROP TABLE IF EXISTS {scrap}", "")
    return tuple(noted.noted)


def _differing(noted: Steps, name: str, person: Any) -> None:
    if (sql := disagreement(person)) is not None:
        noted.ask(f"{name}: disagreeing", sql)


def _copy(rows: str, file: Path) -> str:
    return f"COPY ({rows}) TO {quoted(str(file))} (FORMAT parquet, COMPRESSION lz4_raw, USE_TMP_FILE false)"
