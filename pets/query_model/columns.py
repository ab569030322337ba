"""Columns: ``col(...)``, which names one; comparing it gives a condition, cutting it a group key.

Computing with it gives a derived column, which :meth:`pets.Query.with_columns` names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn

from pets.common.arguments import plain_arguments
from pets.common.literals import day, literal
from pets.common.literals import name as name_of
from pets.errors import NoSuchNameError, QueryError, did_you_mean, shown
from pets.query_model.codelists.codelist import InCodelist
from pets.query_model.codelists.codelist_file import read_codes
from pets.query_model.expression import Between, Comparand, Compare, Filter, IsIn, IsNull, Operator, StartsWith
from pets.query_model.group_keys import Bins, DatePart, Period
from pets.query_model.node import Node
from pets.query_model.nodes.derived import Age, Derived, Floor, Greatest, Least, Linear, Mapped, Prefix, Summand
from pets.query_model.nodes.operands import divided, operand
from pets.schema.person.periods import Step


def _compared(column: str, op: Operator, other: object) -> Filter:
    if isinstance(other, Comparand):
        return other.against(column, op)
    if isinstance(other, Node):
        other.refused()
    if isinstance(other, Col):
        one, two = f"col({column!r})", f"col({other.name!r})"
        raise QueryError(
            f"{one} is compared with a constant or a feature, not with {two}; of two numbers or dates name their "
            f"difference: .with_columns(more={one} - {two}).where(col('more') {op} 0); of features of people name the "
            f"days between them, (later - earlier).days(0, 365), or compare rows of events: .where({one} {op} first)"
        )
    return Compare(column, op, literal(other))


class Col(Summand):
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

    def linear(self) -> Linear:
        """The sum of this column alone."""
        return Linear(((self.name, Fraction(1)),))

    def __add__(self, other: object) -> Linear:
        return self.linear().plus(other)

    __radd__ = __add__

    def __sub__(self, other: object) -> Linear:
        return self.linear().plus(other, -1)

    def __rsub__(self, other: object) -> Linear:
        return self.linear().times(-1).plus(other)

    def __mul__(self, other: object) -> Linear:
        return self.linear().times(other)

    __rmul__ = __mul__

    def __neg__(self) -> Linear:
        return self.linear().times(-1)

    def __floordiv__(self, other: object) -> Floor:
        return Floor(self.name, operand(other))

    def __truediv__(self, other: object) -> NoReturn:
        if isinstance(other, (Derived, Summand, str)):
            self._computed()
        divided(repr(self), other)

    def _computed(self, *_: object) -> NoReturn:
        raise QueryError(
            "a query computes sums, differences, constant multiples and // of columns, min_of, max_of, age_at, map "
            f"and prefix; compute anything else of col({self.name!r}) in the data and declare it in the schema"
        )

    __rtruediv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = _computed
    __matmul__ = __rmatmul__ = __pos__ = __abs__ = __round__ = __int__ = __float__ = _computed
    __getitem__ = __iter__ = __len__ = _computed

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
        if isinstance(low, Comparand) or isinstance(high, Comparand):
            raise QueryError(
                f"between takes two constants; of features write (col({self.name!r}) >= first) & "
                f"(col({self.name!r}) <= last)"
            )
        return Between(self.name, literal(low), literal(high))

    @plain_arguments(QueryError)
    def is_null(self) -> Filter:
        """Has no value."""
        return IsNull(self.name)

    @plain_arguments(QueryError)
    def startswith(self, prefix: str) -> Filter:
        """A category's value that begins with a text: of codes of diseases, ``startswith("I21")`` is I21, I210, ….

        Which values that are is public, for the schema lists them; one that begins so must be among them.
        """
        return StartsWith(self.name, prefix)

    @plain_arguments(QueryError, example="write in_codelist('mi.csv', column='code')")
    def in_codelist(self, file: str | Path, column: str = "code") -> Filter:
        """One of the codes of a list: a CSV file, as OpenCodelists gives them, whose ``column`` holds the codes.

        For a category and for texts. The file is read now and never again: its codes are part of the question. A code
        that a category lacks is taken without dots and in upper case, where that is one of its values alone. Codes that
        the column cannot hold are ignored. Quote, explanation and release say how many those are. A code is that code
        alone: a list of C18 does not hold C185, which ``startswith("C18")`` does.

        Raises:
            QueryError: for a file that is no such list.
        """
        return InCodelist(self.name, read_codes(file, column))

    @plain_arguments(QueryError)
    def age_at(self, when: object) -> Any:
        """Whole years from this date to another one (a column), to a day, or to a feature of the person.

        A birthday on 29 February is kept on 1 March in years that have none, as in ehrQL. Before birth it is negative.
        To a feature (see :func:`pets.events`) it is a feature itself.
        """
        return when.age(self.name) if isinstance(when, Comparand) else Age(self.name, _age_at(when))

    @plain_arguments(QueryError)
    def map(self, names: Mapping[str, str], otherwise: str | None = None) -> Mapped:
        """What each value of a category belongs to: ``map({"I21": "heart", "I22": "heart"}, otherwise="other")``.

        Values that are not listed belong to ``otherwise``; where that is left out, they have no value.
        """
        return Mapped(self.name, names, otherwise)  # type: ignore[arg-type]

    @plain_arguments(QueryError)
    def prefix(self, length: int) -> Prefix:
        """The first characters of a category's values: the chapters of codes of diseases are ``prefix(3)``."""
        return Prefix(self.name, length)

    @plain_arguments(QueryError)
    def bins(self, edges: Iterable[object], name: str = "") -> Bins:
        """Group by half-open bins of a number, or of times: ``bins(["2022-01-01", "2022-04-01", "2022-07-01"])``.

        The last bin is closed: it also holds its end. A day stands for its midnight where the column holds date-times.
        """
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

    @plain_arguments(QueryError, example="weeks begin on Monday (ISO); for those from Sunday on write mmwr_week()")
    def week(self, name: str = "") -> Period:
        """Group by ISO week, Monday to Sunday, such as ``2020-W53``."""
        return Period(self.name, name, "week")

    @plain_arguments(QueryError)
    def mmwr_week(self, name: str = "") -> Period:
        """Group by epidemiological week (MMWR, of the CDC), Sunday to Saturday, such as ``2020-MMWR53``."""
        return Period(self.name, name, "mmwr_week")

    @plain_arguments(QueryError)
    def day(self, name: str = "") -> Period:
        """Group by calendar day."""
        return Period(self.name, name, "day")

    @plain_arguments(QueryError)
    def period(self, unit: Step, name: str = "") -> Period:
        """Group by calendar period: year, quarter, month (``2024-05``), week, mmwr_week, day or hour."""
        return Period(self.name, name, unit)

    @plain_arguments(QueryError, "within", "write within(first, days=(1, 30))")
    def within(self, feature: Comparand, *, days: tuple[int | None, int | None]) -> Filter:
        """So many calendar days after a feature of the same person (see :func:`pets.events`), both ends included.

        Of date-times the days are compared, not the times: 00:30 is one day after 23:30.
        """
        if not isinstance(feature, Comparand) or not isinstance(days, (tuple, list)) or len(days) != 2:
            raise QueryError("within takes a feature and two numbers of days, such as within(first, days=(1, 30))")
        return feature.after(self.name, days[0], days[1])

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_") or name == "name":
            raise AttributeError(name)  # what Python and notebooks look for themselves
        verbs = [verb for verb in vars(Col) if not verb.startswith("_") and verb != "linear"]
        raise NoSuchNameError(f"a column has no .{name}{did_you_mean(name, verbs)}")


def _age_at(when: object) -> Any:
    """A column by its name; a day, also one that is written as a text."""
    if isinstance(when, Col):
        return when.name
    try:
        return day(when)
    except ValueError:
        return when if not isinstance(when, str) else None


def min_of(*of: object) -> Any:
    """The least of several columns of a row (numbers, or dates), and of a number: ``min_of("paid", "due", 100)``.

    A row that lacks one of the values has none: in SQL, LEAST passes the missing value by. Of features of a person
    (:func:`pets.events`) it is a feature: ``min_of(first, death)``.
    """
    features = [one for one in of if isinstance(one, Comparand)]
    return features[0].extreme("min_of", of) if features else Least(*_extreme("min_of", of))


def max_of(*of: object) -> Any:
    """The greatest of several columns of a row (numbers, or dates), and of a number: ``max_of(col("due"), 0)``.

    Of features of a person it is a feature, as :func:`min_of` is.
    """
    features = [one for one in of if isinstance(one, Comparand)]
    return features[0].extreme("max_of", of) if features else Greatest(*_extreme("max_of", of))


def _extreme(name: str, of: tuple[object, ...]) -> tuple[tuple[str, ...], Any]:
    names = tuple(one.name if isinstance(one, Col) else one for one in of if isinstance(one, (Col, str)))
    numbers = [one for one in of if not isinstance(one, (Col, str))]
    if len(numbers) > 1 or any(isinstance(one, Derived) for one in numbers):
        raise QueryError(f"{name} takes columns and at most one number; name what is computed with with_columns first")
    return names, numbers[0] if numbers else None


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
