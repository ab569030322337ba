"""Unit: who is protected in a table, how many of their rows may count, and what is ranked beforehand for that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pets.common.arguments import plain_fields
from pets.common.codec import Json, python_value, whole
from pets.common.literals import name as name_of
from pets.errors import SchemaError, did_you_mean, shown
from pets.schema import schema_form as form
from pets.schema import settings
from pets.schema.dates import Date, DateTime
from pets.schema.domain import Domain, Identifier
from pets.schema.numeric import Integer
from pets.schema.person.periods import period_of, periods_in
from pets.schema.settings import MAX_RANKS, MAX_ROWS, MAX_SLOTS


def named(what: str, value: object) -> str:
    """A name that may stand in a schema."""
    return name_of(what, value, SchemaError)


def counted(label: str, value: object, most: int) -> int:
    """A whole number from 1 to ``most``."""
    try:
        found = whole(value)
    except ValueError:
        found = 0
    if not 1 <= found <= most:
        raise SchemaError(f"{label} must be a whole number from 1 to {most}, not {shown(value)}")
    return found


@plain_fields(SchemaError)
@dataclass(frozen=True)
class Unit:
    """The privacy unit: whose presence the guarantee hides, and how many of their rows may count.

    Attributes:
        column: the identifier column that names a person; ``None`` means that the custodian declares one row per
            person (``unit: row``).
        max_rows: rows of one person that a snapshot keeps; no query may count more.
        rows: rows of one person that a query counts unless it says otherwise (left out: ``max_rows``).
        trim: whether blanks around an id are cut before ids are compared as exact text.
        rank_within: sets of columns of the table, and of periods of its times such as ``admitted.week`` or
            ``admitted.period.month``; a snapshot ranks each person's rows within each combination of their values, so
            that ``bound(rows_per_group=…)`` by those costs hardly more than without.
        arrival: the column by which rows arrive (a date, a date-time or a whole number, never null). Of a person the
            first rows to arrive count, instead of rows chosen at random; rows that arrive together are in random order.
    """

    column: str | None
    max_rows: int = 1
    rows: int | None = None
    trim: bool = False
    rank_within: tuple[tuple[str, ...], ...] = ()
    arrival: str | None = None

    def __post_init__(self) -> None:
        if self.column is not None:
            named("the unit's column", self.column)
        elif counted("max_rows", self.max_rows, MAX_ROWS) != 1:
            raise SchemaError("unit: row means one row per person, so max_rows must be left out or 1")
        object.__setattr__(self, "trim", python_value(self.trim))
        if not isinstance(self.trim, bool):
            raise SchemaError(f"trim must be true or false, not {shown(self.trim)}")
        object.__setattr__(self, "max_rows", counted("max_rows", self.max_rows, MAX_ROWS))
        rows = self.max_rows if self.rows is None else counted("rows", self.rows, self.max_rows)
        object.__setattr__(self, "rows", rows)
        object.__setattr__(self, "rank_within", self._sets(self.rank_within))
        if self.arrival is not None:
            named("arrival", self.arrival)
            if self.column is None:
                raise SchemaError("unit: row means one row per person, so none comes first; leave arrival out")

    def _sets(self, value: object) -> tuple[tuple[str, ...], ...]:
        """The sets of columns, each and all of them in one order: two spellings of a schema are one schema."""
        sets = value if isinstance(value, (list, tuple)) else (value,)
        found = set()
        for one in sets:
            names = one if isinstance(one, (list, tuple)) else (one,)
            if not names:
                raise SchemaError("rank_within lists sets of columns, such as [[day], [day, ward]], and one is empty")
            found.add(tuple(sorted({named("a column in rank_within", name) for name in names})))
        if len(found) > MAX_RANKS:
            raise SchemaError(
                f"rank_within lists {len(found)} sets of columns; keep at most {MAX_RANKS}, those that most queries use"
            )
        if found and self.column is None:
            raise SchemaError("unit: row means one row per person, so there is nothing to rank; leave rank_within out")
        return tuple(sorted(found))

    def check_ranks(self, columns: Mapping[str, Domain]) -> None:
        """Refuse columns to rank within that the table does not have, or that name people."""
        for name in (name for names in self.rank_within for name in names):
            period = period_of(name, columns)
            if name not in columns and period is None:
                raise SchemaError(
                    f"rank_within names column {name!r}, which the table does not have{did_you_mean(name, columns)}; "
                    "of times it also takes a period that is coarser than the column, such as admitted.week, "
                    "admitted.mmwr_week or admitted.period.month"
                )
            if isinstance(columns.get(name), Identifier):
                raise SchemaError(f"rank_within names the identifier {name!r}; name columns that queries group by")
            if period is not None and periods_in(columns[period[0]], period[1]) > MAX_SLOTS:
                raise SchemaError(
                    f"rank_within names {name!r}, which has more than {MAX_SLOTS:,} values, and no query groups by "
                    f"so many; name a longer period, such as {period[0]}.week"
                )

    def check_arrival(self, columns: Mapping[str, Domain]) -> None:
        """Refuse a column of arrival that the table does not have, or by which rows have no order."""
        if self.arrival is None:
            return
        if self.arrival not in columns:
            raise SchemaError(
                f"arrival names column {self.arrival!r}, which the table does not have"
                f"{did_you_mean(self.arrival, columns)}"
            )
        domain = columns[self.arrival]
        if not isinstance(domain, (Date, DateTime, Integer)) or domain.nullable:
            raise SchemaError(
                f"arrival names {self.arrival!r}, and rows arrive by a date, a date-time or a whole number: name such "
                "a column, the day or the number of a delivery, and declare it nullable: false"
            )

    @property
    def default_rows(self) -> int:
        """The K a query uses unless it says otherwise."""
        return self.max_rows if self.rows is None else self.rows

    def to_json(self) -> Json | str:
        """The canonical form; ``"row"`` for one row per person."""
        if self.column is None:
            return "row"
        out: Json = {"column": self.column, "max_rows": self.max_rows, "rows": self.default_rows}
        if self.trim:
            out["trim"] = True
        if self.rank_within:
            out["rank_within"] = [list(names) for names in self.rank_within]
        if self.arrival is not None:
            out["arrival"] = self.arrival
        return out


def unit(value: object) -> Unit:
    """The unit that a schema file's entry describes."""
    if isinstance(value, str):
        return Unit(None) if value == "row" else Unit(value)
    if value is None:
        raise SchemaError("a table needs a unit: {column: person_id, max_rows: 3}, or unit: row")
    given = form.mapping(value, "unit")
    form.only(given, settings.UNIT)
    if given.get("column") is None or given.get("max_rows") is None:
        raise SchemaError("a unit needs 'column' (who is protected) and 'max_rows' (their rows that a snapshot keeps)")
    return Unit(
        form.text(given["column"], "column"),
        form.whole(given["max_rows"], "max_rows"),
        None if given.get("rows") is None else form.whole(given["rows"], "rows"),
        form.flag(given.get("trim", False), "trim"),
        () if given.get("rank_within") is None else given["rank_within"],
        None if given.get("arrival") is None else form.text(given["arrival"], "arrival"),
    )
