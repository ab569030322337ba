"""Roster: one index of people for all tables that are made ready together.

Equal texts of an id are one person, in whatever table they stand and whatever type their column has. A person's code is
numbered from rows: it shifts when somebody else leaves, so it serves equality alone. It never enters a hash, an order,
a filter, a bin, a limit, a cache key or an output; ranks hash the exact id itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pets.errors import DataError
from pets.rows.coding.cell import narrow
from pets.schema.schema import Schema

Run = Callable[[str, str], Any]
"""Runs one SQL statement on the private DuckDB; the second text tells the custodian what is being done."""


class Roster:
    """The people of the tables so far: temporary table ``roster`` of one DuckDB connection, with ``id`` and ``person``.

    Attributes:
        people: how many there are.
        codes: every code is below this; some are nobody's.
        grown: whether it begins with the people of a stored snapshot, to which ``seen`` says how many rows it keeps of
            each; then ``roster`` is a view of its counters.
    """

    JOIN = "LEFT JOIN roster r ON CAST(d.pid AS VARCHAR) = r.id"
    """Whoever of ``d`` (each ``pid`` of a table once) is known already."""

    def __init__(self, con: Any, schema: Schema, tables: int, counters: str | None = None) -> None:
        self._most, self._dataset = schema.people, schema.dataset
        self._to_come = tables
        self.people = self.codes = 0
        self.grown = counters is not None
        if counters is None:
            con.execute("CREATE TEMP TABLE roster (id VARCHAR, person BIGINT)")
            return
        con.execute(f"CREATE TEMP VIEW roster AS SELECT * FROM {counters}")
        self.people, last = con.execute("SELECT count(*), max(person) FROM roster").fetchall()[0]
        self.codes = 0 if last is None else int(last) + 1

    def code(self, most: int) -> str:
        """SQL of a person's code, the known one or a new one, over ``d`` (at most so many people) and :attr:`JOIN`."""
        number = "row_number() OVER ()"
        if self.grown:  # most are known then: only who is new takes a number, so that none is lost in each delivery
            number = "count(*) FILTER (WHERE r.person IS NULL) OVER (ROWS UNBOUNDED PRECEDING)"
        return f"CAST(coalesce(r.person, {self.codes} + {number} - 1) AS {narrow(self.codes + most)})"

    def enter(self, run: Run, people: str) -> None:
        """Take in whoever is new in table ``people``, which has ``pid`` and their :meth:`code`.

        Raises :class:`DataError` where all tables together have more people than the schema's public bound.
        """
        new = f"FROM {people} WHERE person >= {self.codes}"
        ((count, last),) = run(f"SELECT count(*), max(person) {new}", "finding people").fetchall()
        self.people += count
        if self.people > self._most:
            raise too_many(self._dataset, self._most)
        self._to_come -= 1
        if self._to_come and count:
            run(f"INSERT INTO roster SELECT CAST(pid AS VARCHAR), person {new}", "finding people")
        self.codes = self.codes if last is None else int(last) + 1


def too_many(dataset: str, most: int) -> DataError:
    """The error where all tables together have more people than the schema's public bound."""
    return DataError(
        f"the tables of dataset {dataset!r} have more people together than the largest 'people' in the schema allows "
        f"({most}); raise 'people' of one of them to a public bound that all people of the dataset cannot pass"
    )
