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
        people: how many there are; every code is below this.
    """

    def __init__(self, schema: Schema) -> None:
        self._most, self._dataset = schema.people, schema.dataset
        self.people = 0

    def enter(self, run: Run, ids: str) -> None:
        """Add whoever is new in table ``ids``, whose column ``id`` has each person of a table once.

        Raises :class:`DataError` where all tables together have more people than the schema's public bound.
        """
        kind = narrow(2 * self._most)  # (nobody has more people in one table, so the sum is below this)
        run(f"CREATE TEMP TABLE IF NOT EXISTS roster (id VARCHAR, person {kind})", "finding people")
        run(
            f"INSERT INTO roster SELECT id, CAST({self.people} + row_number() OVER () - 1 AS {kind}) "
            f"FROM {ids} ANTI JOIN roster USING (id)",
            "finding people",
        )
        self.people = int(run("SELECT count(*) FROM roster", "finding people").fetchall()[0][0])
        if self.people > self._most:
            raise DataError(
                f"the tables of dataset {self._dataset!r} have more people together than the largest 'people' in the "
                f"schema allows ({self._most}); raise 'people' of one of them to a public bound that all people of the "
                "dataset cannot pass"
            )
