"""The rules of a pack, checked on written rows: on the tables as they are read, whoever wrote them.

Nothing here knows how a row was made. Tables are linked by the keys that they hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from pets.errors import SchemaError, UserError
from pets.schema.dates import Date
from pets.schema.domain import Boolean, Domain
from pets.schema.numeric import Integer, Real
from pets.synthetic.dummy_data.packed import as_held, plain
from pets.synthetic.packs.checkdigits import FORMS
from pets.synthetic.packs.codelists import Calendar, CodeList
from pets.synthetic.packs.declared import PERSON, Pack
from pets.synthetic.packs.field import family, on_steps
from pets.synthetic.packs.formula import Formula, Scope, evaluate
from pets.synthetic.packs.functions import FUNCTIONS
from pets.synthetic.packs.values import Values, coded, constant


@dataclass(frozen=True)
class Verdict:
    """What became of one check: the rows that break it, counted from 0."""

    table: str
    check: str
    rows: npt.NDArray[np.int64]

    def __bool__(self) -> bool:
        return not len(self.rows)

    def __str__(self) -> str:
        told = "holds" if self else f"is broken in {len(self.rows):,} rows"
        return f"{self.table}: {self.check}: {told}"


def check(pack: Pack, tables: Mapping[str, Any]) -> list[Verdict]:
    """Every check of a pack on its tables (Arrow), and whether each value lies in its column's public domain.

    Raises :class:`UserError` for a table or a column that is not there.
    """
    world = Tables(pack, tables)
    out = []
    for table in pack.files:
        scope = world.scope(table.name)
        people = world.values(table.name, pack.person_of(table.name))
        many = np.bincount(people.data, minlength=1)[people.data] > table.max_rows
        out.append(Verdict(table.name, f"nobody has more than {table.max_rows} rows", np.flatnonzero(many)))
        for name, formula in table.checks.items():
            kept = evaluate(formula, scope)
            if kept.kind != "truth":
                raise SchemaError(f"{formula.at}: this check is no condition; write such as admitted <= discharged")
            out.append(Verdict(table.name, name, np.flatnonzero(~(kept.data.astype(bool) | kept.holes))))
        for column, domain in pack.schema.table(table.name).columns.items():
            outside = world.outside(table.name, column, domain)
            out.append(Verdict(table.name, f"{column} lies in its domain", np.flatnonzero(outside)))
    return out


class Tables:
    """A pack's tables as they are read, each column once."""

    def __init__(self, pack: Pack, tables: Mapping[str, Any]) -> None:
        self.pack, self._tables = pack, as_held(tables)
        self._columns: dict[tuple[str, str], Values] = {}
        self._scopes: dict[str, _Checking] = {}
        self._found: dict[tuple[Any, ...], npt.NDArray[np.int64]] = {}

    def matching(self, table: str, where: Formula | None) -> npt.NDArray[np.bool_]:
        """The rows of a table that meet a condition."""
        scope = _Checking(self, table)
        if where is None:
            return np.ones(scope.rows, dtype=bool)
        scope.lenient = False
        found = evaluate(where, scope)
        return np.asarray(found.data & ~found.holes)

    def scope(self, table: str) -> _Checking:
        """Where the formulas of a table's checks find their columns."""
        if table not in self._scopes:
            self._scopes[table] = _Checking(self, table)
        return self._scopes[table]

    def rows(self, table: str) -> int:
        """How many rows a table has."""
        if table not in self._tables:
            raise UserError(f"the pack's table {table!r} is not among those to check; give it too")
        return int(self._tables[table].num_rows)

    def values(self, table: str, column: str) -> Values:
        """A column, with null texts as no value."""
        if (table, column) not in self._columns:
            self._columns[table, column] = self._read(table, column)
        return self._columns[table, column]

    def _read(self, table: str, column: str) -> Values:
        import pyarrow as pa

        self.rows(table)
        if column not in self._tables[table].column_names:
            raise UserError(f"table {table!r} has no column {column!r}; the pack's has")
        array = plain(self._tables[table].select([column])).column(column).combine_chunks()
        domain = self.pack.schema.table(table).columns[column]
        if pa.types.is_date(array.type):
            empty = np.asarray(array.is_null())
            days = np.asarray(array.cast(pa.date32()).cast(pa.int32()).fill_null(0)).astype(np.int64)
            for token in domain.null:
                empty = empty | (days == np.datetime64(token, "D").astype(np.int64))
            return Values("day", days, (), empty if empty.any() else None)
        if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
            texts = array.dictionary_encode()
            labels = texts.dictionary.to_pylist()
            codes = np.asarray(texts.indices.fill_null(0)).astype(np.int32)
            empty = np.asarray(array.is_null())
            nulls = np.array([label in domain.null or label == "" for label in labels] or [False])
            empty = empty | nulls[codes]
            return coded(codes, labels or [""], empty if empty.any() else None)
        empty = np.asarray(array.is_null())
        kind, blank = ("truth", False) if pa.types.is_boolean(array.type) else ("whole", 0)
        kind = "real" if pa.types.is_floating(array.type) else kind
        data = array.fill_null(blank).to_numpy(zero_copy_only=False)
        return Values(kind, data, (), empty if empty.any() else None)

    def outside(self, table: str, column: str, domain: Domain) -> npt.NDArray[np.bool_]:
        """The rows whose value the schema does not allow."""
        found = self.values(table, column)
        if domain.kind == "identifier" or isinstance(domain, Boolean):
            return np.zeros(len(found), dtype=bool)
        if isinstance(domain, Date):
            low, high = (day.toordinal() - 719163 for day in (domain.lo, domain.hi))
            out = (found.data < low) | (found.data > high)
        elif isinstance(domain, (Integer, Real)):
            out = (found.data < float(domain.lo)) | (found.data > float(domain.hi))
            if isinstance(domain, Real):
                out |= on_steps(domain, found.data) != found.data
        else:
            known = set(getattr(domain, "values", ()))
            out = ~np.array([label in known for label in found.labels])[found.data]
        return np.asarray(out & ~found.holes)

    def place(self, table: str, column: str, other: str, key: str) -> npt.NDArray[np.int64]:
        """For each row of a table, the (first) row of another with the same key; -1: none."""
        asked = (table, column, other, key)
        if asked not in self._found:
            mine, theirs = self.values(table, column), self.values(other, key)
            where = np.full(len(theirs.labels), -1, dtype=np.int64)
            rows = np.flatnonzero(~theirs.holes)[::-1]
            where[theirs.data[rows]] = rows
            of = {label: i for i, label in enumerate(theirs.labels)}
            table_of = np.array([where[of[label]] if label in of else -1 for label in mine.labels], dtype=np.int64)
            self._found[asked] = np.where(mine.holes, -1, table_of[mine.data])
        return self._found[asked]


class _Checking(Scope):
    """The scope of a table's checks. A comparison with what is not there is no violation."""

    lenient = True

    def __init__(self, world: Tables, table: str) -> None:
        self._world, self._table = world, table
        self.rows, self.before = world.rows(table), 0
        self._linked: dict[str, Values] = {}

    def _name(self, table: str, column: str) -> str:
        return self._world.pack.person_of(table) if column == PERSON else column

    def column(self, name: str) -> Values:
        if name not in self._linked:
            self._linked[name] = self._find(name)
        return self._linked[name]

    def _find(self, name: str) -> Values:
        other, dot, column = name.partition(".")
        if not dot:
            return self._world.values(self._table, self._name(self._table, name))
        place = self._world.place(self._table, self._name(self._table, PERSON), other, self._name(other, PERSON))
        return self._world.values(other, self._name(other, column)).take(place)

    @cached_property
    def group(self) -> npt.NDArray[np.int64]:
        """The rows of a person stand together."""
        return self.column(PERSON).data.astype(np.int64)

    @property
    def died(self) -> npt.NDArray[np.bool_]:
        """Where the person has a date of death in the first table."""
        found = self.column(f"{self._world.pack.root}.date_of_death")
        return ~found.holes

    @property
    def random(self) -> np.random.Generator:
        """A check leaves nothing to chance."""
        raise ValueError("a check draws no random numbers")

    def codes(self, name: str) -> CodeList:
        """A code list."""
        return self._world.pack.lists[name]

    def calendar(self, name: str) -> Calendar:
        """A calendar."""
        return self._world.pack.calendars[name]

    def family(self, name: str) -> list[Values]:
        """The numbered columns that are called ``name_1``, ``name_2``, …"""
        names = self._world.pack.schema.table(self._table).columns
        return [self.column(key) for key in family(names, name)]

    def part(self, rows: npt.NDArray[np.bool_]) -> Scope:
        return _Some(self, np.flatnonzero(rows))

    def call(self, name: str, arguments: list[Any]) -> Values:
        own = getattr(self, f"_{name}", None)
        return own(*arguments) if own is not None else FUNCTIONS[name](self, *arguments)

    # what only checks may call: whole tables are looked at ------------------------------------------------------------

    def _unique(self, value: Values) -> Values:
        """No other row has the same value."""
        counts = np.bincount(value.data[~value.holes], minlength=max(1, len(value.labels)))
        return Values("truth", (counts[value.data] <= 1) | value.holes)

    def _refers(self, value: Values, table: str, key: str) -> Values:
        """Another table has the value in its column."""
        column = next(name for name, held in self._linked.items() if held is value)
        place = self._world.place(self._table, self._name(self._table, column), table, self._name(table, key))
        return Values("truth", (place >= 0) | value.holes)

    def _within(self, value: Values, link: Values, table: str, key: str, first: str, last: str) -> Values:
        """The value lies between two columns of the row that a key links to."""
        column = next(name for name, held in self._linked.items() if held is link)
        place = self._world.place(self._table, self._name(self._table, column), table, self._name(table, key))
        low, high = (self._world.values(table, name).take(place) for name in (first, last))
        return Values(
            "truth", ((low.data <= value.data) | low.holes | value.holes) & ((value.data <= high.data) | high.holes)
        )

    def _no_gaps(self, name: str) -> Values:
        """No column of a family has a value after one that has none."""
        there = np.array([~slot.holes for slot in self.family(name)])
        return Values("truth", ~(there[1:] & ~there[:-1]).any(axis=0))

    def _each(self, form: str, name: str) -> Values:
        """Every column of a family has a form."""
        out = np.ones(self.rows, dtype=bool)
        for slot in self.family(name):
            good = np.array([FORMS[form](label) for label in slot.labels])
            out &= good[slot.data] | slot.holes
        return Values("truth", out)

    def _every(self, name: str, low: Values, high: Values) -> Values:
        """Every column of a family lies between two values."""
        out = np.ones(self.rows, dtype=bool)
        for slot in self.family(name):
            inside = (low.data <= slot.data) & (slot.data <= high.data)
            out &= inside | slot.holes | low.holes | high.holes
        return Values("truth", out)

    def _among(self, value: Any, name: str) -> Values:
        """A column of a family has the value, which may be a constant."""
        value = value if isinstance(value, Values) else constant(value, self.rows)
        out = value.holes.copy()
        for slot in self.family(name):
            place = {label: i for i, label in enumerate(slot.labels)}
            wanted = np.array([place.get(label, -1) for label in value.labels])[value.data]
            out |= (slot.data == wanted) & ~slot.holes
        return Values("truth", out)


class _Some(Scope):
    """Some of the rows of a check's table."""

    lenient = True

    def __init__(self, whole: _Checking, place: npt.NDArray[np.int64]) -> None:
        self.rows, self._whole, self._place = len(place), whole, place
        self.codes = whole.codes

    def column(self, name: str) -> Values:
        return self._whole.column(name).take(self._place)

    def call(self, name: str, arguments: list[Any]) -> Values:
        return FUNCTIONS[name](self, *arguments)

    def part(self, rows: npt.NDArray[np.bool_]) -> Scope:
        return _Some(self._whole, self._place[rows])


CHECKS: dict[str, Callable[..., Values]] = {
    name: getattr(_Checking, f"_{name}") for name in ("unique", "refers", "within", "no_gaps", "each", "every", "among")
}
"""What only checks may call, beside the functions of formulas: they look at whole tables."""
