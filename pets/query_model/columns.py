"""Columns: ``col(...)``, which names one; comparing it gives a condition, cutting it a group key."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

from pets.common.arguments import plain_arguments
from pets.common.literals import literal
from pets.common.literals import name as name_of
from pets.errors import NoSuchNameError, QueryError, shown
from pets.query_model.expression import Between, Comparand, Compare, Filter, IsIn, IsNull, Operator
from pets.query_model.group_keys import Bins, DatePart, Period, Step


def _compared(column: str, op: Operator, other: object) -> Filter:
    return other.against(column, op) if isinstance(other, Comparand) else Compare(column, op, literal(other))


class Col:
    """A column named in a question; comparing it gives a :class:`Filter`, cutting it gives a group key."""

    __array_ufunc__ = None  # numpy's scalars leave the comparison to this class

    def __init__(self, name: str) -> None:
        self.name = name_of("the name in col(...)", name)

    def __hash__(self) -> int:
        raise QueryError(f"col({self.name!r}) cannot be looked up in a dict or a set; use the name {self.name!r}")

    def __repr__(self) -> str:
        return f"col({self.name!r})"

    def __eq__(self, other: object) -> Filter:  # type: ignore[override]
        return _compared(self.name, "==", other)

    def __ne__(self, other: object) -> Filter:  # type: ignore[override]
        return _compared(self.name, "!=", other)

    def __lt__(self, other: object) -> Filter:
        return _compared(self.name, "<", other)

    def __le__(self, other: object) -> Filter:
        return _compared(self.name, "<=", other)

    def __gt__(self, other: object) -> Filter:
        return _compared(self.name, ">", other)

    def __ge__(self, other: object) -> Filter:
        return _compared(self.name, ">=", other)

    def __bool__(self) -> NoReturn:
        raise QueryError(f"col({self.name!r}) has no truth of its own; compare it, such as col({self.name!r}) == True")

    def _computed(self, *_: object) -> NoReturn:
        raise QueryError(
            f"a query does not compute with columns; compare col({self.name!r}) with a constant, or compute the column "
            "in the data and declare it in the schema"
        )

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _computed
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __matmul__ = __rmatmul__ = _computed
    __neg__ = __pos__ = __abs__ = __round__ = __int__ = __float__ = __getitem__ = __iter__ = __len__ = _computed

    def _joined(self, *_: object) -> NoReturn:
        raise QueryError(
            f"col({self.name!r}) is not a condition; compare it first, each comparison in brackets, such as "
            f"(col({self.name!r}) == 1) & (…)"
        )

    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __invert__ = _joined

    def __contains__(self, value: object) -> bool:
        raise QueryError(f"'in' does not work with a column; use col({self.name!r}).isin([...])")

    @plain_arguments(QueryError, example="give the values as one list, such as isin(['Female', 'Male'])")
    def isin(self, values: Iterable[object]) -> Filter:
        """One of the listed values."""
        return IsIn(self.name, values)  # type: ignore[arg-type]

    @plain_arguments(QueryError)
    def between(self, low: object, high: object) -> Filter:
        """From ``low`` to ``high``, both included."""
        return Between(self.name, literal(low), literal(high))

    @plain_arguments(QueryError)
    def is_null(self) -> Filter:
        """Has no value."""
        return IsNull(self.name)

    @plain_arguments(QueryError)
    def bins(self, edges: Iterable[object], name: str = "") -> Bins:
        """Group by half-open bins of a number (the last one closed)."""
        return Bins(self.name, name, edges)  # type: ignore[arg-type]

    @plain_arguments(QueryError)
    def year(self, name: str = "") -> DatePart:
        """Group by the year of a date."""
        return DatePart(self.name, name, "year")

    @plain_arguments(QueryError)
    def quarter(self, name: str = "") -> DatePart:
        """Group by the quarter of the year, 1 to 4."""
        return DatePart(self.name, name, "quarter")

    @plain_arguments(QueryError)
    def month(self, name: str = "") -> DatePart:
        """Group by the month of the year, 1 to 12."""
        return DatePart(self.name, name, "month")

    @plain_arguments(QueryError)
    def weekday(self, name: str = "") -> DatePart:
        """Group by the day of the week, 1 (Monday) to 7 (Sunday)."""
        return DatePart(self.name, name, "weekday")

    @plain_arguments(QueryError)
    def hour(self, name: str = "") -> DatePart:
        """Group by the hour of the day, 0 to 23, of a column of date-times."""
        return DatePart(self.name, name, "hour")

    def week(self, name: str = "") -> Period:
        """Group by ISO week, Monday to Sunday, such as ``2020-W53``."""
        return Period(self.name, name, "week")

    def mmwr_week(self, name: str = "") -> Period:
        """Group by epidemiological week (MMWR, of the CDC), Sunday to Saturday, such as ``2020-MMWR53``."""
        return Period(self.name, name, "mmwr_week")

    def day(self, name: str = "") -> Period:
        """Group by calendar day."""
        return Period(self.name, name, "day")

    @plain_arguments(QueryError)
    def period(self, unit: Step, name: str = "") -> Period:
        """Group by calendar period: year, quarter, month (``2024-05``), week, mmwr_week, day or hour."""
        return Period(self.name, name, unit)

    @plain_arguments(QueryError, "within", "write within(first, days=(1, 30))")
    def within(self, feature: Comparand, *, days: tuple[int | None, int | None]) -> Filter:
        """So many days after a feature of the same person (see :func:`pets.events`), both ends included."""
        if not isinstance(feature, Comparand) or not isinstance(days, (tuple, list)) or len(days) != 2:
            raise QueryError("within takes a feature and two numbers of days, such as within(first, days=(1, 30))")
        return feature.after(self.name, days[0], days[1])

    @plain_arguments(QueryError, "age_at", "write age_at(first)")
    def age_at(self, feature: Comparand) -> Any:
        """Whole years from this date of the person table to a feature, by the calendar: itself a feature."""
        if not isinstance(feature, Comparand):
            raise QueryError(f"age_at takes a feature, such as age_at(first), not {shown(feature)}")
        return feature.age(self.name)


class _Columns:
    """A column of the queried table.

    >>> col("age") >= 18
    Compare(column='age', op='>=', value=18)
    """

    __name__ = "col"

    @plain_arguments(QueryError, "col")
    def __call__(self, name: str) -> Col:
        return Col(name)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)  # what Python and notebooks look for themselves
        raise NoSuchNameError(f"a column is named in brackets; write col({name!r})")

    def __getitem__(self, name: object) -> NoReturn:
        raise QueryError(f"a column is named in round brackets; write col({shown(name)})")

    def __repr__(self) -> str:
        return "col(name): a column of the queried table"


col = _Columns()
