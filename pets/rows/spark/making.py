"""Making on Spark: tables coded, ranked and written as parts by the caller's cluster; no row comes to this process.

The codes and the places of rows are those that DuckDB gives on one machine, since it is DuckDB that gives them, on the
workers. Between coding and ranking, rows are dealt out by their person; nothing has a step in one task.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pets.common.entropy import random_id, rank_key
from pets.errors import DataError, UserError
from pets.rows.coding.cell import quoted
from pets.rows.ranking import check_given, limit, physical, report_of
from pets.rows.report import Report
from pets.rows.roster import too_many
from pets.rows.scratch_db import sweep
from pets.rows.sources import plain
from pets.rows.spark import worker
from pets.rows.spark.jobs import Tagged
from pets.rows.spark.ranked import PEOPLE, counters_of, part_of, staged_name, steps
from pets.rows.spark.spark_session import beside, parts, url_of
from pets.rows.spark.staged import OnSpark, Stager, check_all, collected, lines, not_all
from pets.rows.stored.counters import SUFFIX, fixed
from pets.rows.stored.kinds import signed
from pets.rows.stored.manifest import kept_of, manifest_of
from pets.rows.stored.parts import Held
from pets.rows.stored.store import New, Store, commit
from pets.schema.schema import Schema

COUNTERS = 64
"""Files that the counters of people take at most: they are held open together where rows are added."""
PART = 1_000_000
"""Rows that are ranked together, and make a part; more only where there are more than a thousand parts."""
LEAST = 50_000
"""Rows that are worth a task of their own, where there are cores for more tasks than there would be parts."""


class Making:
    """Makes the tables of one set.

    Args:
        schema: the public description.
        tables: which of its tables are made.
        sources: a source for each table's name.
        folder: a private folder that all workers reach; its owner removes it.
    """

    def __init__(self, schema: Schema, tables: Sequence[str], sources: Mapping[str, Any], folder: Path) -> None:
        self._schema, self._tables, self._sources = schema, tables, sources
        self._folder = folder / "ranked"
        self._session = beside()
        self._stager = Stager(self._session, folder, rank_key())
        self._staged: dict[str, OnSpark] = {}
        self._groups: list[dict[str, Any]] = []
        self.label = "Spark"
        self.grows = len(tables) == 1 and not fixed(schema, tables[0])
        self.jobs = Tagged(self._session.sparkContext)

    @property
    def _people(self) -> list[str]:
        """The tables that are made and have people, in their order."""
        return [name for name in self._tables if self._schema.table(name).unit.column is not None]

    def stage(self) -> None:
        """Read each table, and each that is attached to one, once."""
        needed = dict.fromkeys(self._tables)
        for name in self._tables:
            check_given(self._schema, name, self._sources)
            if (person := self._schema.table(name).person_table) is not None:
                needed.setdefault(person)
        for name in needed:
            self.label = f"the data of table {name!r}"
            given = self._schema.table(name), self._sources[name], physical(self._schema, name)
            self._staged[name] = self._stager.stage(name, *given)

    def rank(self, keys: Mapping[str, int]) -> None:
        """Rank everybody's rows, and write them; ``keys`` are the rank keys.

        Raises :class:`DataError` where there are more people than the schema's public bound.
        """
        if not self._people:
            return
        self._folder.mkdir(mode=0o700)
        self.label = f"the data of table {self._people[0]!r}"
        self._groups = collected(self._ranked(keys))
        for place, one in enumerate(self._dealt.values()):
            check_all(self._sum(staged_name(place)), one.staged.rows_valid)
        people = self._sum(PEOPLE if len(self._people) > 1 else f"{self._people[0]}: people")
        if people > self._schema.people:
            raise too_many(self._schema.dataset, self._schema.people)

    @property
    def _dealt(self) -> dict[str, OnSpark]:
        return {name: one for name, one in self._staged.items() if one.kind}

    def _ranked(self, keys: Mapping[str, int]) -> Any:
        """A frame of what each group of people tells, while its parts are written."""
        import duckdb

        staged, cores = self._dealt, self._session.sparkContext.defaultParallelism
        rows = sum(one.staged.rows_valid for one in staged.values())
        groups = max(1, min(worker.BUCKETS, max(-(-rows // PART), min(cores, rows // LEAST))))
        noted = steps(self._schema, self._people, staged, keys, groups, self._folder, grows=self.grows)
        tables = [
            (staged_name(place), one.form, tuple(map(str, one.files))) for place, one in enumerate(staged.values())
        ]
        plan = worker.Ranking(duckdb.__version__, groups, tuple(tables), noted, str(self._folder))
        place = worker.kept(plan, f"{self._folder}.json")
        return lines(self._session.range(0, groups, 1, groups), worker.ranker(place))

    def _sum(self, name: str, place: int = 0) -> int:
        """The sum, over all groups, of what they tell under a name; 0 where they tell nothing."""
        return sum(int(line[name][0][place]) for line in self._groups if name in line)

    def write(self, name: str, new: Path, public_id: str) -> Report:
        """Put a table's parts into a folder; gives the fate of every row."""
        table, one = self._schema.table(name), self._staged[name]
        fates, people, kept = dict(one.staged.fates), one.staged.rows_valid, {1: one.staged.rows_valid}
        files: Sequence[Path] = one.files
        if one.kind:
            place, people, kept = self._people.index(name), self._sum(f"{name}: people"), {}
            files = [part_of(self._folder, place, line["try"]) for line in self._groups]
            for rank, rows in (pair for line in self._groups for pair in line[f"{name}: kept"]):
                kept[rank] = kept.get(rank, 0) + rows
        elif not files:
            files = [self._empty(name)]
        if table.person_table is not None:
            fates |= self._staged[table.person_table].staged.fates
        self._put(files, new, f"{public_id}-{{:05}}.parquet", sum(kept.values()))
        limit(name, table, people)
        differing = self._sum(f"{name}: people", 1), self._sum(f"{name}: disagreeing")
        return kept_of(report_of(one.staged, people, fates, *differing), kept, table.unit.max_rows)

    def count(self, name: str, new: Path, public_id: str) -> int | None:
        """Put beside a table's parts how many rows are kept of each person, so that rows can be added.

        Gives the code of the last arrival.
        """
        files = [counters_of(self._folder, line["try"]) for line in self._groups]
        if len(files) > COUNTERS:
            parts(self._session, files).coalesce(COUNTERS).write.parquet(url_of(new / "people"), compression="lz4_raw")
            files = sorted((new / "people").glob("part-*.parquet"))
        self._put(files, new, f"{public_id}-{{:05}}{SUFFIX}", self._sum(f"{name}: people"))
        last = [line[f"{name}: arrived"][0][0] for line in self._groups]
        return max((code for code in last if code is not None), default=None)

    def _empty(self, name: str) -> Path:
        """A part without rows."""
        import duckdb

        file = self._folder.parent / f"{random_id()}.parquet"
        columns = ", ".join(f"{column} {kind}" for column, kind in signed(self._schema, name).items())
        with duckdb.connect(":memory:") as con:
            con.execute(f"CREATE TABLE nobody ({columns})")
            con.execute(f"COPY nobody TO {quoted(str(file))} (FORMAT parquet)")
        return file

    @staticmethod
    def _put(files: Sequence[Path], new: Path, named: str, rows: int) -> None:
        """Move files to where they belong, numbered; together they hold so many rows, which is seen in them."""
        import pyarrow.parquet as pq

        check_all([file for file in files if file.is_file()], list(files))
        check_all(sum(pq.read_metadata(file).num_rows for file in files), rows)
        for number, file in enumerate(sorted(files)):
            file.rename(new / named.format(number))


def told(error: Exception, label: str) -> DataError:
    """One sentence for an error of Spark, which may quote a cell; it says nothing of what the error says."""
    text = str(error)
    if any(kept in text for kept in worker.KEPT):
        return plain(error, label)
    if worker.NOT_THERE in text:
        return not_all()
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
        making = Making(schema, tables, sources, files.enter_context(stores[0].writing(random_id())))

        def made() -> list[New]:
            making.stage()
            making.rank({t: s.key()[0] if key is None else key for t, s in zip(tables, stores, strict=True)})
            written = []
            for table, store in zip(tables, stores, strict=True):
                new = files.enter_context(store.writing(ids[table]))
                reports[table] = making.write(table, new, ids[table])
                manifest = manifest_of(schema, table, ids[table], set_id, reports[table]) | {"engine": "spark"}
                if making.grows:
                    manifest["arrived"] = making.count(table, new, ids[table])
                written.append(New(store, new, manifest))
            return written

        try:
            held = commit(making.jobs.apart(made))
        except UserError:
            raise
        except Exception as error:
            raise told(error, making.label) from None
        for store in stores:
            store.tell(str(reports[store.table]))
    return {table: Made(ids[table], reports[table], one) for table, one in zip(tables, held, strict=True)}
