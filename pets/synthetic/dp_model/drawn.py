"""Drawn: people and their rows, drawn from a model of their histories.

First rows are drawn with the person. Every later row is drawn from what the model says of a second row given the first,
with the row before it in the first row's place (a Markov chain of first order, given the person): how far away it is by
the person's number of rows, for people with many have them close together; its values besides by whether it is the
last, as the second row of people with two is: what only a last row can be, such as one that ends in death, comes last
as far as noise lets the model know.

Rows that break a rule of the schema are drawn again, a few times.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pets.schema.dates import Calendar
from pets.schema.domain import Domain, Identifier
from pets.schema.schema import Schema
from pets.synthetic.dp_model.columns import decoded, derived
from pets.synthetic.dp_model.given import draw_given
from pets.synthetic.dp_model.histories import EventTable, Histories
from pets.synthetic.dp_model.marginals import Ints, Model
from pets.synthetic.synthetic_release import MARKER, RECORD

if TYPE_CHECKING:
    import pandas as pd

Mask = npt.NDArray[np.bool_]
Keep = Callable[[str, Mapping[str, Ints]], tuple[dict[str, Ints], Mask]]
"""A table's name and the codes of its rows: the same with its rules put right, and which rows keep them all."""

AGAIN = 20
"""How often a row that breaks a rule is drawn again; after that it stays, and is counted."""


class Drawn:
    """People and their rows, drawn table by table."""

    def __init__(
        self, wanted: Histories, model: Model, filled: Collection[int], keep: Keep, random: np.random.Generator
    ) -> None:
        self.wanted, self.model, self.filled, self.keep, self.random = wanted, model, filled, keep, random
        self.columns = wanted.workload.columns

    def frames(self, people: int) -> dict[str, pd.DataFrame]:
        """Each table's rows, the person table's first."""
        schema, own = self.wanted.schema, self.wanted.attributes
        slots = np.empty((people, len(self.columns)), dtype=np.int64)

        def draw(at: Ints) -> dict[str, Ints]:
            slots[at] = self.model.sample(len(at), self.random)
            return {name: self.columns[place].drawn(slots[at, place], self.random) for name, place in own.items()}

        codes = self._kept(self.wanted.person, draw, people)
        ids = np.array([f"{MARKER}-{person:08d}" for person in range(1, people + 1)], dtype=object)
        out: dict[str, pd.DataFrame] = {}
        if self.wanted.person is not None:
            out[self.wanted.person] = _frame(schema, self.wanted.person, ids, ids, codes)
        known = {place: slots[:, place] for place in own.values()}
        known |= {table.rows: slots[:, table.rows] for table in self.wanted.events}
        for table in self.wanted.events:
            out[table.name] = self._rows(table, known, ids)
        return out

    def _kept(self, table: str | None, draw: Callable[[Ints], dict[str, Ints]], rows: int) -> dict[str, Ints]:
        """The codes of so many rows, those that break a rule of their table drawn again."""
        codes = draw(np.arange(rows))
        if table is None or not codes:
            return codes
        for _ in range(AGAIN):
            good = self._put_right(table, codes)[1]
            again = np.flatnonzero(~good)
            if not len(again):
                break
            for name, fresh in draw(again).items():
                codes[name][again] = fresh
        return self._put_right(table, codes)[0]

    def _put_right(self, table: str, codes: Mapping[str, Ints]) -> tuple[dict[str, Ints], Mask]:
        """The same with rules put right, but for the column that orders rows: where one would change it, it breaks."""
        fixed, good = self.keep(table, codes)
        for order in (one.order for one in self.wanted.events if one.name == table):
            good &= fixed[order] == codes[order]
            fixed[order] = codes[order]
        return fixed, good

    def _rows(self, table: EventTable, known: Mapping[int, Ints], ids: npt.NDArray[Any]) -> pd.DataFrame:
        """All rows of a table, those of a person together and in order."""
        counts = self._counts(table)[known[table.rows]]
        owner = np.flatnonzero(counts >= 1)
        owners: list[Ints] = []
        rows: list[dict[str, Ints]] = []
        for row in range(1, table.most + 1):
            owner = owner[counts[owner] >= row]
            if not len(owner):
                break
            own = {place: slots[owner] for place, slots in known.items()}
            if rows:
                on = np.isin(owners[-1], owner)
                before = {name: codes[on] for name, codes in rows[-1].items()}
                own |= {place: self.columns[place].slots_of(before[name]) for name, place in table.first.items()}
            else:
                before = {}

            def draw(
                at: Ints, own: Mapping[int, Ints] = own, before: Mapping[str, Ints] = before, row: int = row
            ) -> dict[str, Ints]:
                given = {place: slots[at] for place, slots in own.items()}
                last = {name: codes[at] for name, codes in before.items()}
                return self._next(table, given, last, row) if last else self._first(table, given)

            owners.append(owner)
            rows.append(self._kept(table.name, draw, len(owner)))
        turns = np.concatenate([np.full(len(one), turn) for turn, one in enumerate(owners)] or [np.zeros(0)])
        whose = np.concatenate(owners or [owner])
        sequence = np.lexsort((turns, whose))
        names = list(rows[0]) if rows else [*table.first, *self.wanted.computed[table.name]]
        codes = {name: np.concatenate([one[name] for one in rows] or [owner])[sequence] for name in names}
        records = np.array([f"{MARKER}-{row:08d}" for row in range(1, len(sequence) + 1)], dtype=object)
        return _frame(self.wanted.schema, table.name, records, ids[whose[sequence]], codes)

    def _counts(self, table: EventTable) -> Ints:
        """The number of rows that each slot of it stands for."""
        return np.array([int(label) for label in self.columns[table.rows].labels], dtype=np.int64)

    def _first(self, table: EventTable, known: Mapping[int, Ints]) -> dict[str, Ints]:
        """The codes of first rows."""
        places = tuple(table.first.values())
        allowed = {place: self._there(table, place) for place in places}
        drawn = draw_given(self.model, known, places, allowed, self.random)
        return {
            name: self.columns[place].drawn(drawn[:, at], self.random)
            for at, (name, place) in enumerate(table.first.items())
        }

    def _next(
        self, table: EventTable, known: Mapping[int, Ints], before: Mapping[str, Ints], row: int
    ) -> dict[str, Ints]:
        """The codes of next rows, by those before: first how far away they are, then their values."""
        room = self._order(table).cells - 1 - before[table.order]
        reached = {table.gap: self._reached(table, room)}
        gap = draw_given(self.model, known, (table.gap,), reached, self.random)[:, 0]
        order = self._after(table, before[table.order], gap)
        counts = self._counts(table)
        last = counts[known[table.rows]] == row
        two = np.searchsorted(counts, 2)
        given = {**known, table.gap: gap, table.rows: np.where(last, two, known[table.rows])}
        places = tuple(table.second.values())
        allowed = {place: self._there(table, place) for place in places}
        drawn = draw_given(self.model, given, places, allowed, self.random) if places else gap[:, None]
        out = {
            name: self.columns[place].drawn(drawn[:, at], self.random)
            for at, (name, place) in enumerate(table.second.items())
        }
        return out | {table.order: order}

    def _there(self, table: EventTable, place: int) -> Mask:
        """The slots that a row may have: no value only where a row may lack one, and noise does not explain it."""
        column = self.columns[place]
        mask = np.ones(column.size, dtype=bool)
        if column.lacks:
            mask[-1] = not self.wanted.always(table, place) and place not in self.filled
        return mask

    def _order(self, table: EventTable) -> Domain:
        return self.wanted.schema.table(table.name).columns[table.order]

    def _bins(self, table: EventTable) -> tuple[Ints, Ints]:
        """The least and the greatest of each slot of the gap, in codes (of dates: days)."""
        column = self.columns[table.gap]
        shift = 0 if isinstance(self._order(table), Calendar) else column.domain.cells // 2
        ends = column.ends
        return ends[0] - shift, ends[1] - shift

    def _reached(self, table: EventTable, room: Ints) -> Mask:
        """Which gaps lead to a place that the column has, by how many codes are left after the row before."""
        low = self._bins(table)[0]
        mask = low[None, :] <= room[:, None]
        mask[:, -1] = False  # (no value: there is a next row)
        return mask

    def _after(self, table: EventTable, before: Ints, gaps: Ints) -> Ints:
        """The code of the next row in the column that orders rows."""
        low, high = (ends[gaps] for ends in self._bins(table))
        last = self._order(table).cells - 1
        high = np.minimum(high, last - before)
        found = before + low + (self.random.random(len(gaps)) * (np.maximum(high - low, 0) + 1)).astype(np.int64)
        return np.asarray(np.minimum(found, last), dtype=np.int64)


def _frame(
    schema: Schema, table: str, records: npt.NDArray[Any], people: npt.NDArray[Any], codes: Mapping[str, Ints]
) -> pd.DataFrame:
    """Rows in the schema's order: ids invented, values of their codes, look-ups from their source."""
    import pandas as pd

    made: dict[str, Any] = {}
    for name, some in codes.items():
        drawn = decoded(schema.table(table).columns[name], some)
        one: pd.Series[Any] = pd.Series(drawn, dtype=object)
        made[name] = one if None in drawn else one.infer_objects()
    for name, domain in derived(schema, table, made).items():
        lookup = domain.lookup
        assert lookup is not None
        made[name] = made[lookup.column].map(lambda value, of=lookup.mapping: of.get(value))
    home = schema.table(table)
    out: dict[str, Any] = {RECORD: records}
    for name, own in home.columns.items():
        if isinstance(own, Identifier):
            out[name] = people if name == home.unit.column else records
        elif name in made:
            out[name] = made[name]
    return pd.DataFrame(out)
