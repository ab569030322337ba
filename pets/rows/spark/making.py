"""Making on Spark: tables coded, ranked and written as parts by the caller's cluster; no row comes to this process.

The codes and the places of rows are those that DuckDB gives on one machine. Ranking needs a person's rows together, so
it moves the table once, by person; nothing else has a step in one task.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pets.common.entropy import random_id, rank_key
from pets.errors import DataError, InternalError, UserError
from pets.rows.coding.cell import code_kind, null_code, whole_kind
from pets.rows.coding.ranked_groups import ranked_group
from pets.rows.ranking import PERSON_TABLE_KEY, check_given, limit, physical, report_of, stored_ranks
from pets.rows.report import Report
from pets.rows.roster import too_many
from pets.rows.scratch_db import sweep
from pets.rows.sources import plain
from pets.rows.spark import worker
from pets.rows.spark.jobs import Tagged
from pets.rows.spark.spark_session import beside, parts, url_of
from pets.rows.spark.staged import OnSpark, Stager, check_all
from pets.rows.stored.counters import SUFFIX, fixed
from pets.rows.stored.manifest import completed, manifest_of
from pets.rows.stored.parts import Held
from pets.rows.stored.store import New, Store, commit
from pets.schema.schema import Schema

COUNTERS = 64
"""Files that the counters of people take at most: they are held open together where rows are added."""
TRIES = 8
"""Salts that are tried until no two people have one code; the first does but once in thousands of makings."""


class Making:
    """Makes the tables of one set.

    Args:
        schema: the public description.
        sources: a source for each table's name.
        folder: a private folder that all workers reach; its owner removes it.
    """

    def __init__(self, schema: Schema, sources: Mapping[str, Any], folder: Path) -> None:
        self._schema, self._sources, self._folder = schema, sources, folder
        self._session = beside()
        self._id = random_id()
        self._stager = Stager(self._session, folder, self._id, rank_key())
        self._staged: dict[str, OnSpark] = {}
        self._views: list[str] = []
        self._kept: dict[str, tuple[int, int]] = {}  # of each table with people: how many, and their rows that are kept
        self.label = "Spark"
        self.jobs = Tagged(self._session.sparkContext)

    def close(self) -> None:
        """Drop the views; what they read goes with the folder."""
        for name in (*self._views, *self._stager.views):
            self._session.catalog.dropTempView(name)

    def run(self, sql: str, _doing: str) -> Any:
        """A statement's few lines of counts: what a cursor of DuckDB gives."""
        return _Found(self._session.sql(sql))

    def stage(self, tables: Sequence[str], keys: Mapping[str, int]) -> None:
        """Read each table, and each that is attached to one, once; ``keys`` are the rank keys."""
        attached = {one.person_table for one in self._schema.tables.values()}
        needed = dict.fromkeys(tables)
        for name in tables:
            check_given(self._schema, name, self._sources)
            if (person := self._schema.table(name).person_table) is not None:
                needed.setdefault(person)
        for name in needed:
            key = PERSON_TABLE_KEY if name in attached else keys[name]
            table, columns = self._schema.table(name), physical(self._schema, name)
            self.label = f"the data of table {name!r}"
            self._staged[name] = self._stager.stage(self.run, name, table, self._sources[name], columns, key)
        self._number(tables)

    def _number(self, tables: Sequence[str]) -> None:
        """See to it that two people have two codes, and that they are no more than the schema's public bound."""
        held = {name: one for name, one in self._staged.items() if one.table.unit.column is not None}
        if not held:
            return
        for _ in range(TRIES):
            everybody = " UNION ALL ".join(
                f"SELECT person, pid, {place} AS place FROM {one.staged.relation}"
                for place, one in enumerate(held.values())
            )
            own = [f"count(*) FILTER (WHERE place = {place}) AS n{place}" for place in range(len(held))]
            made = " OR ".join(f"n{place} > 0" for place, name in enumerate(held) if name in tables) or "false"
            kept = [
                f"count(*) FILTER (WHERE n{place} > 0), coalesce(sum(least(n{place}, {one.table.unit.max_rows})), 0)"
                for place, one in enumerate(held.values())
            ]
            sums = [f"count(*) FILTER (WHERE {made})", "count(*) FILTER (WHERE ids > 1)", *kept]
            added = ["count(*) AS ids", *(f"sum(n{place}) AS n{place}" for place in range(len(held)))]
            # (by id first: to find the least of a person's texts, Spark would sort all rows)
            people, two, *each = self.run(
                f"SELECT {', '.join(sums)} FROM (SELECT {', '.join(added)} FROM (SELECT person, {', '.join(own)} "
                f"FROM ({everybody}) GROUP BY person, pid) GROUP BY person)",
                "finding people",
            ).fetchall()[0]
            self._kept = dict(zip(held, zip(each[::2], each[1::2], strict=True), strict=True))
            if not two:
                if people > self._schema.people:
                    raise too_many(self._schema.dataset, self._schema.people)
                return
            self._stager.salt = rank_key()
            for one in held.values():
                self._stager.recode(one)
        raise InternalError("no salt tells all people apart")

    def write(self, name: str, new: Path, public_id: str) -> Report:
        """Rank a staged table and write its parts into a folder; gives the fate of every row."""
        table, one = self._schema.table(name), self._staged[name]
        kind = whole_kind(table.unit.max_rows)
        fates, unattached, disagreeing = dict(one.staged.fates), 0, 0
        if any(other.person_table == name for other in self._schema.tables.values()):
            disagreeing = self._disagreeing(one)
        if table.unit.column is None:
            codes = ", ".join(f"{sql} AS {column}" for column, sql in one.settled().items())
            # (each row is somebody of their own; Spark numbers them partition by partition)
            listed = ", ".join([f"CAST(1 AS {kind}) AS rank", "monotonically_increasing_id() AS person", codes])
            frame = self._session.sql(f"SELECT {listed} FROM {one.staged.relation}")
        else:
            arrival = None if table.unit.arrival is None else one.columns[table.unit.arrival]
            frame = self._ranked(one, table.unit.max_rows, arrival)
            if table.person_table is not None:
                person = self._staged[table.person_table]
                frame = self._attached(frame, person, one.columns)
                fates |= person.staged.fates
                disagreeing, unattached = self._disagreeing(person), self._unattached(one, person)
            view = self._view(frame)
            ranks = []
            for within, place in stored_ranks(self._schema, name).items():
                groups = [ranked_group(each, self._schema, name, one.columns) for each in within]
                own = f"PARTITION BY {', '.join(['person', *groups])} ORDER BY n".replace(" // ", " div ")
                ranks.append(f"CAST(row_number() OVER ({own}) AS {kind}) AS {place}")
            listed = ", ".join([f"CAST(n AS {kind}) AS rank", "person", *one.columns.values(), *ranks])
            frame = self._session.sql(f"SELECT {listed} FROM {view}")
        self._put(frame.sortWithinPartitions("rank"), new / "spark", f"{public_id}-{{:05}}.parquet")
        people, kept = self._kept.get(name, (one.staged.rows_valid, one.staged.rows_valid))
        report = report_of(one.staged, people, fates, unattached, disagreeing)
        report = completed(self.run, report, self.kept(new), table.unit.max_rows)
        check_all((report.kept_per_k[0], report.rows_kept), (people, kept))
        limit(name, table, people)
        return report

    def count(self, name: str, new: Path, public_id: str) -> int | None:
        """Write how many rows are kept of each person, so that rows can be added; gives the code of the last arrival.

        It is after :meth:`write`, whose parts it reads.
        """
        one, arrival = self._staged[name], self._schema.table(name).unit.arrival
        assert arrival is not None
        seen = f"SELECT person, CAST(max(rank) AS INT) AS seen FROM {self.kept(new)} GROUP BY person"
        ids = f"SELECT DISTINCT person, pid AS id FROM {one.staged.relation}"
        people = self._session.sql(
            f"SELECT i.id, i.person, k.seen FROM ({ids}) i JOIN ({seen}) k ON i.person = k.person"
        )
        self._put(people.coalesce(COUNTERS), new / "people", f"{public_id}-{{:05}}{SUFFIX}")
        counted = self._view(parts(self._session, sorted(new.glob(f"*{SUFFIX}"))))
        check_all(
            self.run(f"SELECT count(*), coalesce(sum(seen), 0) FROM {counted}", "counting").fetchall()[0],
            self._kept[name],
        )
        code = one.settled()[one.columns[arrival]]
        last = self.run(f"SELECT max({code}) FROM {one.staged.relation}", "looking at arrivals").fetchall()[0][0]
        return None if last is None else int(last)

    @staticmethod
    def _put(frame: Any, folder: Path, named: str) -> None:
        """Have Spark write a frame into a folder, and its files beside that, numbered."""
        frame.write.parquet(url_of(folder), compression="lz4_raw")
        for number, file in enumerate(sorted(folder.glob("part-*.parquet"))):
            file.rename(folder.parent / named.format(number))

    def kept(self, new: Path) -> str:
        """A view of the parts that were written."""
        return self._view(parts(self._session, sorted(new.glob("*.parquet"))))

    def _view(self, frame: Any) -> str:
        name = f"made_{random_id()}"
        frame.createOrReplaceTempView(name)
        self._views.append(name)
        return name

    def _ranked(self, one: OnSpark, max_rows: int, arrival: str | None = None) -> Any:
        """Each person's rows with their place ``n``, up to ``max_rows``: by their hash, then by all that is stored.

        Where there is a column of arrival, it comes before all of that.

        Rows that are all alike have one hash; the second of them, the third … have one of their own, so that each has
        its fair chance. It is a function of the person's own rows, whatever task ranks them.
        """
        names = list(one.settled())
        values = ", ".join(["person", "h", *(f"{sql} AS {name}" for name, sql in one.settled().items())])
        base = self._view(self._session.sql(f"SELECT {values} FROM {one.staged.relation}").repartition("person"))
        listed, alike = ", ".join(["person", *names]), ", ".join(["h", *names])
        again = "CASE WHEN occurrence = 1 THEN h ELSE xxhash64(xxhash64(h, occurrence)) END"
        order = ", ".join([*([] if arrival is None else [arrival]), again, *names, "occurrence"])
        return self._session.sql(
            f"SELECT {listed}, n FROM (SELECT {listed}, row_number() OVER (PARTITION BY person ORDER BY {order}) AS n "
            f"FROM (SELECT *, row_number() OVER alike - rank() OVER alike + 1 AS occurrence FROM {base} "
            f"WINDOW alike AS (PARTITION BY person ORDER BY {alike}))) WHERE n <= {max_rows}"
        )

    def _attached(self, frame: Any, person: OnSpark, columns: Mapping[str, str]) -> Any:
        """The rows with their person's columns, of the row that counts in the person table's own questions, too."""
        rows, people = self._view(frame), self._view(self._ranked(person, 1))
        own = person.staged.domains
        codes = ", ".join(
            f"CAST(coalesce(a.{person.columns[field]}, {null_code(domain)}) AS {code_kind(domain)}) AS {columns[field]}"
            for field, domain in own.items()
        )
        mine = ", ".join(f"r.{name}" for name in frame.columns)
        return self._session.sql(
            f"SELECT {mine}{', ' * bool(codes)}{codes} FROM {rows} r LEFT JOIN {people} a ON r.person = a.person"
        )

    def _unattached(self, one: OnSpark, person: OnSpark) -> int:
        sql = (
            f"SELECT count(*) FROM (SELECT DISTINCT person FROM {one.staged.relation}) d LEFT ANTI JOIN "
            f"(SELECT DISTINCT person FROM {person.staged.relation}) a ON d.person = a.person"
        )
        return int(self.run(sql, "finding people").fetchall()[0][0])

    def _disagreeing(self, person: OnSpark) -> int:
        """How many people have rows in their person table that are not all the same."""
        codes = ", ".join(f"{sql} AS {name}" for name, sql in person.settled().items())
        if not codes:
            return 0
        distinct = f"SELECT DISTINCT person, {codes} FROM {person.staged.relation}"
        several = f"SELECT person FROM ({distinct}) GROUP BY person HAVING count(*) > 1"
        return int(self.run(f"SELECT count(*) FROM ({several})", "reading the person table").fetchall()[0][0])


class _Found:
    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def fetchall(self) -> list[tuple[Any, ...]]:
        return [tuple(line) for line in self._frame.collect()]


def told(error: Exception, label: str) -> DataError:
    """One sentence for an error of Spark, which may quote a cell; it says nothing of what the error says."""
    text = str(error)
    if any(kept in text for kept in worker.KEPT):
        return plain(error, label)
    if worker.OTHER_VERSION in text:
        return DataError(f"{label}: {worker.OTHER_VERSION}; give them the same")
    if lacks := re.search(r"No module named '(duckdb|pyarrow)", text):
        return DataError(
            f"{label}: the workers of Spark lack {lacks[1]}; give them the environment of pets[spark] (PYSPARK_PYTHON, "
            "or spark.archives)"
        )
    return DataError(
        f"{label}: Spark could not read or prepare its rows ({type(error).__name__}); nothing was stored; mend what "
        "its log says, which may quote rows"
    )


@dataclass(frozen=True)
class Made:
    """A table's new public id, the fate of its rows, and its files."""

    id: str
    report: Report
    held: Held


def make_on_spark(
    schema: Schema,
    tables: Sequence[str],
    sources: Mapping[str, Any],
    stores: Sequence[Store],
    key: int | None,
    set_id: str,
) -> dict[str, Made]:
    """Make tables ready as one set and store them.

    Where it breaks off, also by Ctrl-C, its jobs are ended before what they have written is removed.

    Raises:
        DataError: one plain sentence for the custodian, and nothing is sealed, unless it says so.
    """
    sweep(stores[0].folder)
    ids = {table: random_id() for table in tables}
    reports: dict[str, Report] = {}
    with ExitStack() as files:
        making = Making(schema, sources, files.enter_context(stores[0].writing(random_id())))

        def made() -> list[New]:
            making.stage(tables, {t: s.key()[0] if key is None else key for t, s in zip(tables, stores, strict=True)})
            written = []
            for table, store in zip(tables, stores, strict=True):
                new = files.enter_context(store.writing(ids[table]))
                reports[table] = making.write(table, new, ids[table])
                manifest = manifest_of(schema, table, ids[table], set_id, reports[table]) | {"engine": "spark"}
                if len(tables) == 1 and not fixed(schema, table):
                    manifest["arrived"] = making.count(table, new, ids[table])
                written.append(New(store, new, manifest))
            return written

        try:
            held = commit(making.jobs.apart(made))
        except UserError:
            raise
        except Exception as error:
            raise told(error, making.label) from None
        finally:
            making.close()
        for store in stores:
            store.tell(str(reports[store.table]))
    return {table: Made(ids[table], reports[table], one) for table, one in zip(tables, held, strict=True)}
