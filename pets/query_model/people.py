"""People: a table with one row a person, made of features of that person's own rows in any tables of the dataset."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from pets.common.arguments import plain_arguments, plain_fields
from pets.common.codec import Json
from pets.common.literals import name as name_of
from pets.errors import NoSuchNameError, QueryError, did_you_mean, shown
from pets.query_model.columns import Col
from pets.query_model.expression import Filter, comparisons
from pets.query_model.feature_form import feature_from_json
from pets.query_model.features import Feature, How, Reading, Rows, columns_named
from pets.query_model.nodes.feature_bounds import edges_of

MAX_FEATURES = 64


def _column(value: object) -> Any:
    return value.name if isinstance(value, Col) else value


def _said(day: int) -> str:
    return f"minus{-day}" if day < 0 else str(day)


@dataclass(frozen=True)
class Events:
    """The rows of each person in a table: of those that a snapshot keeps (``max_rows``), those that meet a condition.

    Each verb below makes one feature: one value a person. Rows without a value in the column do not count in it.
    """

    rows: Rows

    @plain_arguments(QueryError, "where", "join conditions with &, each in brackets")
    def where(self, condition: Filter) -> Events:
        """Only rows that meet the condition (and any earlier one); it may compare a column with an earlier feature."""
        both = condition if self.rows.condition is None else self.rows.condition & condition
        return Events(replace(self.rows, condition=both))

    @plain_arguments(QueryError, "bound", "write bound(rows=3)")
    def bound(self, *, rows: int) -> Events:
        """Of each person only the first ``rows`` rows that are kept, by their ranks, before any condition."""
        return Events(replace(self.rows, most=rows))

    def _of(self, how: How, column: object = None, **rest: Any) -> Reading:
        return Reading(how, self.rows, _column(column), **rest)

    @plain_arguments(QueryError, "first", "write first('admitted', by='admitted')")
    def first(self, column: str | Col, *, by: str | Col, nth: int = 1) -> Feature:
        """The column in the row with the smallest ``by``; rows without ``by`` are left out, ties fall at random.

        ``nth=2`` is the second row in that order (1 to 999), and no value for people with fewer. Rows with one ``by``
        are different rows: the second may have the ``by`` of the first.
        """
        return self._of("first", column, by=_column(by), nth=nth)

    @plain_arguments(QueryError, "last", "write last('admitted', by='admitted')")
    def last(self, column: str | Col, *, by: str | Col, nth: int = 1) -> Feature:
        """The column in the row with the greatest ``by``; rows without ``by`` are left out, ties fall at random.

        ``nth=2`` is the second row from the end (1 to 999), and no value for people with fewer rows.
        """
        return self._of("last", column, by=_column(by), nth=nth)

    @plain_arguments(QueryError, "min", "write min('admitted')")
    def min(self, column: str | Col) -> Feature:
        """The smallest value; none where no row has one."""
        return self._of("min", column)

    @plain_arguments(QueryError, "max", "write max('admitted')")
    def max(self, column: str | Col) -> Feature:
        """The greatest value; none where no row has one."""
        return self._of("max", column)

    @plain_arguments(QueryError, "sum", "write sum('cost', clip=(0, 1000))")
    def sum(self, column: str | Col, *, clip: tuple[object, object] | None = None) -> Feature:
        """The sum of the person's rows, the total clamped to ``clip`` (not each row); none where no row has a value.

        An end that is no sum of the column's steps stands for the next one outwards (``pets.explain`` states it).
        """
        return self._of("sum", column, clip=clip)

    @plain_arguments(QueryError, "mean", "write mean('days')")
    def mean(self, column: str | Col) -> Feature:
        """The mean of the person's rows, to the column's nearest step, halves up; none where no row has a value."""
        return self._of("mean", column)

    @plain_arguments(QueryError, "count", "write count(max=20)")
    def count(self, *, max: int | None = None) -> Feature:
        """How many rows, at most ``max``; 0 for people without one."""
        return self._of("count", most=max)

    @plain_arguments(QueryError, "exists", "write exists()")
    def exists(self) -> Feature:
        """Whether there is such a row."""
        return self._of("exists")

    @plain_arguments(QueryError, "count_distinct", "write count_distinct('drug', max=20)")
    def count_distinct(self, column: str | Col, *, max: int | None = None) -> Feature:
        """How many different values, at most ``max``; 0 for people without one."""
        return self._of("count_distinct", column, most=max)

    @plain_arguments(QueryError, "days_with", "write days_with('admitted', max=20)")
    def days_with(self, column: str | Col, *, max: int | None = None) -> Feature:
        """On how many different calendar days of a date column, at most ``max``; 0 for people without one."""
        return self._of("days_with", column, most=max)

    @plain_arguments(QueryError, "episodes", "write episodes('admitted', gap=30, max=20)")
    def episodes(self, column: str | Col, *, gap: int, max: int | None = None) -> Feature:
        """How many episodes, at most ``max``; 0 for people without one.

        An episode is events of which each is at most ``gap`` calendar days after the one before, by a date column.
        """
        return self._of("episodes", column, most=max, gap=gap)

    @plain_arguments(QueryError, "intervals", "write intervals('dispensed', first, days=[0, 30, 60])")
    def intervals(
        self, column: str | Col, after: Feature, *, days: Iterable[int], name: str = "days"
    ) -> dict[str, Events]:
        """These rows, parted by the calendar days from a feature of the person to the column.

        ``days=[0, 30, 60]`` are two intervals, of days 0 to 29 and 30 to 59, under the names ``days_0_29`` and
        ``days_30_59`` (``days_minus30_minus1`` before the feature). Make a feature of each, in one question::

            parts = rx.intervals("dispensed", first, days=[0, 30, 60, 90])
            pets.people(first=first, **{name: part.count(max=20) for name, part in parts.items()})

        A person is still one row and counts once (K = 1): an interval is no group of people but a feature, so each
        measure of one is charged as what it is, and what a question costs grows with the measures that it asks for.
        """
        edges = edges_of(days)
        part = Col(column) if isinstance(column, str) else column
        return {
            f"{name}_{_said(low)}_{_said(high - 1)}": self.where(part.within(after, days=(low, high - 1)))
            for low, high in itertools.pairwise(edges)
        }

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        verbs = [verb for verb in vars(Events) if not verb.startswith("_")]
        raise NoSuchNameError(f"events have no {name!r}{did_you_mean(name, verbs)}")

    def __repr__(self) -> str:
        return f"<Events of table {self.rows.table!r}>"


@plain_arguments(QueryError, example="write pets.events('stays').where(...).first('admitted', by='admitted')")
def events(table: str) -> Events:
    """Each person's own rows in a table, of which features are made for :func:`pets.people`."""
    return Events(Rows(table))


@plain_fields(QueryError)
@dataclass(frozen=True)
class People:
    """The source of a question about people: its features by name, and whose table says who is in.

    Attributes:
        features: named features, in the order in which they were given.
        of: people with a row in this table (``None``: those who meet the question's condition).
    """

    features: tuple[tuple[str, Feature], ...]
    of: str | None = None

    def __post_init__(self) -> None:
        if self.of is not None:
            name_of("of, the table of the people", self.of)
        if not isinstance(self.features, (tuple, list)):
            raise QueryError(f"features are pairs of a name and a feature, not {shown(self.features)}")
        listed = tuple(_named(pair) for pair in self.features)
        if len(listed) > MAX_FEATURES:
            raise QueryError(f"people may have at most {MAX_FEATURES} features; ask two questions")
        if len(dict(listed)) != len(listed):
            raise QueryError("two features have one name; name each once")
        object.__setattr__(self, "features", listed)
        if not self.tables:
            raise QueryError(
                "people have no feature that reads rows, and no table; write "
                "pets.people(first=pets.events('stays').first(…)), or pets.people(of='patients')"
            )

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables whose rows the features read, and that of the people (but not of attached columns)."""
        named = () if self.of is None else (self.of,)
        return tuple(dict.fromkeys((*named, *tables_of(feature for _, feature in self.features))))

    @property
    def home(self) -> str:
        """The table that stands for the question in the account: that of the people, or the first that is read."""
        return self.tables[0]

    def columns_of(self, table: str) -> tuple[str, ...]:
        """The columns of one table that the features name, in whatever use."""
        left, found = [feature for _, feature in self.features], dict[str, None]()
        while left:
            one = left.pop()
            left += one.inputs
            if isinstance(one, Reading) and one.rows.table == table:
                found |= dict.fromkeys(
                    name for name in (one.column, one.by, *columns_named(one.rows.condition)) if name is not None
                )
        return tuple(found)

    @property
    def comparisons(self) -> int:
        """How many conditions on one column its features are made of."""
        left, count = [feature for _, feature in self.features], 0
        while left:
            one = left.pop()
            left += one.inputs
            if isinstance(one, Reading) and one.rows.condition is not None:
                count += comparisons(one.rows.condition)
        return count

    def having(self, name: str, feature: Feature) -> People:
        """The same people, with one feature more, where it is not there yet."""
        known = dict(self.features).get(name)
        if known is not None and known.key == feature.key:
            return self
        if known is not None:
            raise QueryError(
                f"there is another feature {name!r}; name the bins, such as .bins([0, 18, 65], name='age_then')"
            )
        return replace(self, features=(*self.features, (name, feature)))

    def to_json(self) -> Json:
        """The canonical form."""
        out: Json = {"features": [[name, feature.to_json()] for name, feature in self.features]}
        return out if self.of is None else out | {"of": self.of}

    @classmethod
    def from_json(cls, form: Any) -> People:
        """The people whose canonical form this is; raises :class:`QueryError` for anything else."""
        if not isinstance(form, Mapping) or not set(form) <= {"features", "of"}:
            raise QueryError(f"people are a mapping with 'features' and 'of', not {shown(form)}")
        pairs = form.get("features")
        if not isinstance(pairs, (list, tuple)) or not all(isinstance(p, (list, tuple)) and len(p) == 2 for p in pairs):
            raise QueryError(f"'features' is a list of names with their features, not {shown(pairs)}")
        return cls(tuple((name, feature_from_json(node)) for name, node in pairs), form.get("of"))


def _named(pair: object) -> tuple[str, Feature]:
    name, feature = pair if isinstance(pair, (tuple, list)) and len(pair) == 2 else (None, None)
    name = name_of("a feature's name", name)
    if isinstance(feature, Events):
        raise QueryError(f"{name!r} is rows of events; make a feature of them, such as .exists() or .count(max=20)")
    if isinstance(feature, (Col, str)):
        raise QueryError(
            f"{name!r} is a column; columns of the person table are there by their own names, and of events a feature "
            "is made, such as pets.events('stays').first('admitted', by='admitted')"
        )
    if not isinstance(feature, Feature):
        raise QueryError(f"{name!r} must be a feature, such as pets.events('stays').exists(), not {shown(feature)}")
    return name, feature


def tables_of(features: Iterable[Feature]) -> tuple[str, ...]:
    """The tables whose rows are read, each once, in the order in which they are first read."""
    found: dict[str, None] = {}
    for one in features:
        found |= dict.fromkeys(tables_of(one.inputs))
        if isinstance(one, Reading):
            found[one.rows.table] = None
    return tuple(found)
