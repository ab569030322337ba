"""Spark rows: a snapshot, or the people of one question, as a table of Spark on which the plan's statements run.

Every code is a 64-bit integer there (Spark has no unsigned types, and reads the widest of them as a decimal), and a sum
that would not fit is an error. Only groups come back, and rows' codes where a site fits a model or holds its rules of
exact totals against them.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pets.common.entropy import random_id
from pets.rows.engine import stopping
from pets.rows.people.lowered import People
from pets.rows.spark.jobs import Tagged
from pets.rows.spark.spark_session import alive, beside, parts

if TYPE_CHECKING:
    import pyarrow as pa

    from pets.rows.snapshot import Snapshot


class SparkBackend:
    """What :class:`pets.rows.counted_rows.Rows` asks of a backend: a table, and what an expression over it comes to.

    Args:
        rows: a snapshot, or people.
        under: by table, the names of what people are made of.

    Attributes:
        session: our own.
        name: of the view in it: of these rows alone, and gone with this object.
        text: what the view is of people: a statement; of a snapshot its name.
    """

    def __init__(self, rows: Snapshot | People, under: Mapping[str, str]) -> None:
        import ibis

        self.session = beside()
        self.name = self.text = f"pets_{random_id()}"
        if isinstance(rows, People):
            self.text = rows.spark(under)
            frame = self.session.sql(self.text)
        else:
            frame = _frame(self.session, rows)
        kinds = {name: "string" if kind == "string" else "int64" for name, kind in frame.dtypes}
        codes = frame.selectExpr(
            *(name if kind == "string" else f"CAST({name} AS BIGINT) AS {name}" for name, kind in kinds.items())
        )
        codes.createTempView(self.name)
        self._table = ibis.table(kinds, name=self.name)
        weakref.finalize(self, _drop, self.session, self.name).atexit = False

    @property
    def alive(self) -> bool:
        """Whether its Spark still runs."""
        return alive(self.session)

    def table(self, _relation: str) -> Any:
        """The rows as an Ibis table."""
        return self._table

    def to_pyarrow(self, expression: Any) -> pa.Table:
        """What an expression over :meth:`table` comes to, if it ends in the time that it may take."""
        return collected(self.session, sql_of(expression))


def collected(session: Any, sql: str) -> pa.Table:
    """What a statement of a session comes to; raises what Spark raises where it takes longer than it may."""
    if not stopping.limited():
        return session.sql(sql).toArrow()
    jobs = Tagged(session.sparkContext)
    with jobs.tagged():
        return stopping.run(jobs, lambda: session.sql(sql).toArrow())


def sql_of(expression: Any) -> str:
    """An Ibis expression in the SQL of Spark."""
    import ibis

    return str(ibis.to_sql(expression, dialect="pyspark"))


def _frame(session: Any, snapshot: Snapshot) -> Any:
    """A snapshot's rows as a data frame: its stored parts, or what is in memory here."""
    import pyarrow as pa

    files = snapshot.files()
    if files is not None:
        return parts(session, files)
    rows = snapshot.arrow()
    wide = [field if pa.types.is_string(field.type) else pa.field(field.name, pa.int64()) for field in rows.schema]
    return session.createDataFrame(rows.cast(pa.schema(wide)))


def _drop(session: Any, name: str) -> None:
    with contextlib.suppress(Exception):  # Spark may have been stopped before
        session.catalog.dropTempView(name)
