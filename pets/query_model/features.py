"""Features of a person: frozen nodes, each a function of that person's own rows and of features made before it.

A feature holds the features that it reads, so that none can read itself. Nothing here reads another person's rows:
there is no window, no rank among people, no join but that of a person with their own rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, ClassVar, Literal, NoReturn, get_args

from pets.common.arguments import plain_fields
from pets.common.codec import Json, canonical, number
from pets.common.literals import Literal_, literal, literal_json
from pets.common.literals import name as name_of
from pets.errors import QueryError, shown
from pets.query_model.columns import Col
from pets.query_model.expression import And, Comparand, Filter, Not, Operator, Or, condition_of, known_operator
from pets.query_model.feature_bounds import clip_of, days_between, most_of
from pets.query_model.group_keys import Bins, Key
from pets.query_model.node import Node

MAX_DEPTH = 12
MAX_NODES = 200
How = Literal["first", "last", "min", "max", "sum", "mean", "count", "exists", "count_distinct", "days_with"]
PICKED, CAPPED = ("first", "last"), ("count", "count_distinct", "days_with")

_FLIPPED: dict[Operator, Operator] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


class Feature(Node, Comparand):
    """One value of each person. Name it in :func:`pets.people`; compare a column of events with it, or fill it."""

    kind: ClassVar[str] = ""
    instead: ClassVar[str] = (
        "features are not computed with, but for the days between two dates: (later - earlier).days(0, 365)"
    )

    def to_json(self) -> Json:
        """The canonical form."""
        raise NotImplementedError

    @property
    def inputs(self) -> tuple[Feature, ...]:
        """The features that it reads."""
        return ()

    @cached_property
    def key(self) -> bytes:
        """The same for the same feature: its canonical form (in Python True equals 1, which is another constant)."""
        return canonical(self.to_json())

    @cached_property
    def size(self) -> tuple[int, int]:
        """How deep its inputs are nested, and how many nodes it has written out."""
        inner = [one.size for one in self.inputs]
        return 1 + max((depth for depth, _ in inner), default=0), 1 + sum(nodes for _, nodes in inner)

    def _small(self) -> None:
        depth, nodes = self.size
        if depth > MAX_DEPTH or nodes > MAX_NODES:
            raise QueryError(
                f"a feature may be nested at most {MAX_DEPTH} deep and have {MAX_NODES} parts; ask two questions"
            )

    def fill(self, value: object) -> Filled:
        """The same, with a public constant for people who have no value."""
        return Filled(self, literal(value))

    def bins(self, edges: Iterable[object], name: str = "") -> Keyed:
        """Group people by half-open bins of it (the last one closed); ``name`` names it in the answer."""
        label = name_of("a group key's name", name or self._default())
        return Keyed(label, self, Bins(label, "", edges))  # type: ignore[arg-type]

    def _default(self) -> str:
        raise QueryError("bins of a feature need a name for the answer, such as .bins([0, 18, 65], name='age')")

    def against(self, column: str, op: Operator) -> Filter:
        return Versus(column, op, self)

    def after(self, column: str, low: int | None, high: int | None) -> Filter:
        return Within(column, self, low, high)

    def age(self, column: str) -> AgeAt:
        return AgeAt(column, self)

    def compared(self, other: object) -> Any:
        return NotImplemented if isinstance(other, Col) else other is not None and self._named_first()

    def _compare(self, op: Operator, other: object) -> Filter:
        return Versus(other.name, _FLIPPED[op], self) if isinstance(other, Col) else self._named_first()

    def _named_first(self, *_: object) -> NoReturn:
        raise QueryError(
            "a feature is compared with a column of events, such as col('dispensed') >= first; to keep people, name "
            "it: pets.people(first=first).where(col('first') >= …)"
        )

    __and__ = __rand__ = __or__ = __ror__ = __invert__ = __contains__ = _named_first

    def __lt__(self, other: object) -> Filter:
        return self._compare("<", other)

    def __le__(self, other: object) -> Filter:
        return self._compare("<=", other)

    def __gt__(self, other: object) -> Filter:
        return self._compare(">", other)

    def __ge__(self, other: object) -> Filter:
        return self._compare(">=", other)

    def __sub__(self, other: object) -> Difference:
        if not isinstance(other, Feature):
            raise QueryError(f"a feature is subtracted from another feature, not {shown(other)} from one")
        return Difference(self, other)

    def __bool__(self) -> NoReturn:
        raise QueryError("a feature has no truth of its own; name it in pets.people(…) and compare it there")


@dataclass(frozen=True)
class Keyed(Node):
    """A feature that people are grouped by: :meth:`pets.Query.group_by` names it among the features."""

    instead: ClassVar[str] = Key.instead

    name: str
    feature: Feature
    key: Bins


@dataclass(frozen=True)
class Difference(Node):
    """One feature less another, until it is said in which unit and between which bounds."""

    instead: ClassVar[str] = (
        "a difference of dates needs its bounds in days and a name; write pets.people(gap=(later - "
        "earlier).days(0, 365)).where(col('gap') <= 30)"
    )

    later: Feature
    earlier: Feature

    def days(self, low: int, high: int) -> Days:
        """The days between two dates, from ``low`` to ``high``; outside these there is no value."""
        return Days(self.later, self.earlier, low, high)


# conditions on the rows of events -----------------------------------------------------------------------------------


@plain_fields(QueryError)
@dataclass(frozen=True)
class Versus(Filter):
    """A column of events compared with a feature of the same person; false where either has no value."""

    column: str
    op: Operator
    feature: Feature
    kind: ClassVar[str] = "versus"

    def __post_init__(self) -> None:
        name_of("a condition's column", self.column)
        known_operator(self.op)
        _feature(self.feature)

    def to_json(self) -> Json:
        return {"filter": self.kind, "column": self.column, "op": self.op, "feature": self.feature.to_json()}


@plain_fields(QueryError)
@dataclass(frozen=True)
class Within(Filter):
    """A date of events lies ``low`` to ``high`` days after a feature (``None``: however long); both ends included.

    Days are those of the calendar: of two times, 00:30 is a day after 23:30.
    """

    column: str
    feature: Feature
    low: int | None
    high: int | None
    kind: ClassVar[str] = "within"

    def __post_init__(self) -> None:
        name_of("a condition's column", self.column)
        _feature(self.feature)
        low, high = days_between("within(…, days=…)", self.low, self.high, open_ends=True)
        if low is None and high is None:
            raise QueryError("within needs a first or a last day, such as within(first, days=(1, 30))")
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    def to_json(self) -> Json:
        days = [self.low, self.high]
        return {"filter": self.kind, "column": self.column, "days": days, "feature": self.feature.to_json()}


def _feature(value: object) -> Feature:
    if isinstance(value, Difference):
        raise QueryError("a difference of dates needs its bounds in days; write (later - earlier).days(0, 365)")
    if not isinstance(value, Feature):
        raise QueryError(
            f"a feature is made from events, such as pets.events('stays').first('admitted', by='admitted'), "
            f"not {shown(value)}"
        )
    return value


def features_in(node: Filter | None) -> tuple[Feature, ...]:
    """The features that a condition compares with."""
    if node is None:
        return ()
    if isinstance(node, (Versus, Within)):
        return (node.feature,)
    inner = node.terms if isinstance(node, (And, Or)) else (node.term,) if isinstance(node, Not) else ()
    return tuple(found for term in inner for found in features_in(term))


def columns_named(node: Filter | None) -> tuple[str, ...]:
    """The columns that a condition names (not those of the features that it compares with)."""
    if node is None:
        return ()
    if isinstance(node, (And, Or)):
        return tuple(name for term in node.terms for name in columns_named(term))
    return columns_named(node.term) if isinstance(node, Not) else (node.column,)  # type: ignore[attr-defined]


# features -----------------------------------------------------------------------------------------------------------


@plain_fields(QueryError)
@dataclass(frozen=True)
class Rows:
    """Which rows of a person a feature reads: of one table, those that meet a condition, of the first ``most``."""

    table: str
    condition: Filter | None = None
    most: int | None = None

    def __post_init__(self) -> None:
        name_of("the name of a table of events", self.table)
        if self.condition is not None:
            condition_of(self.condition, "the condition in where(...)")
        if self.most is not None:
            object.__setattr__(self, "most", most_of("bound(rows=…)", self.most))

    def to_json(self) -> Json:
        """The canonical form: only what was given."""
        out: Json = {"table": self.table}
        out |= {} if self.condition is None else {"where": self.condition.to_json()}
        return out if self.most is None else out | {"rows": self.most}


@plain_fields(QueryError)
@dataclass(frozen=True)
class Reading(Feature):
    """What is read of a person's rows; see :class:`pets.query_model.people.Events` for what each ``how`` means."""

    how: How
    rows: Rows
    column: str | None = None
    by: str | None = None
    clip: tuple[Fraction, Fraction] | None = None
    most: int | None = None
    kind: ClassVar[str] = "reading"

    def __post_init__(self) -> None:
        if not isinstance(self.how, str) or self.how not in get_args(How):
            raise QueryError(f"a feature is one of {', '.join(get_args(How))}, not {shown(self.how)}")
        if not isinstance(self.rows, Rows):
            raise QueryError(f"a feature reads rows of a table, not {shown(self.rows)}")
        if self.how in ("count", "exists"):
            wanted = set()
        else:
            name_of(f"the column of {self.how}", self.column)
            wanted = {"column"}
        if self.how in PICKED:
            name_of(f"the column by which {self.how} is chosen", self.by)
            wanted |= {"by"}
        if self.how == "sum":
            object.__setattr__(self, "clip", clip_of(self.clip))
            wanted |= {"clip"}
        if self.how in CAPPED:
            if self.most is None:
                raise QueryError(f"{self.how} needs the most that counts of one person, such as {self.how}(max=20)")
            object.__setattr__(self, "most", most_of(f"{self.how}(max=…)", self.most))
            wanted |= {"most"}
        for name in ("column", "by", "clip", "most"):
            if name not in wanted and getattr(self, name) is not None:
                raise QueryError(f"{self.how} takes no {'max' if name == 'most' else name}; leave it out")
        self._small()

    @property
    def inputs(self) -> tuple[Feature, ...]:
        return features_in(self.rows.condition)

    def to_json(self) -> Json:
        out: Json = {"feature": self.how, "rows": self.rows.to_json()}
        for name in ("column", "by", "most"):
            if getattr(self, name) is not None:
                out[name] = getattr(self, name)
        return out if self.clip is None else out | {"clip": [number(end) for end in self.clip]}


@plain_fields(QueryError)
@dataclass(frozen=True)
class Filled(Feature):
    """A feature, with a constant for people who have no value."""

    of: Feature
    value: Literal_
    kind: ClassVar[str] = "fill"

    def __post_init__(self) -> None:
        _feature(self.of)
        object.__setattr__(self, "value", literal(self.value))
        self._small()

    @property
    def inputs(self) -> tuple[Feature, ...]:
        return (self.of,)

    def to_json(self) -> Json:
        return {"feature": self.kind, "of": self.of.to_json(), "value": literal_json(self.value)}


@plain_fields(QueryError)
@dataclass(frozen=True)
class Days(Feature):
    """Days from one date to a later one, ``low`` to ``high``; outside these, or without both dates, no value."""

    later: Feature
    earlier: Feature
    low: int
    high: int
    kind: ClassVar[str] = "days"

    def __post_init__(self) -> None:
        _feature(self.later), _feature(self.earlier)
        low, high = days_between("days(low, high)", self.low, self.high)
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)
        self._small()

    @property
    def inputs(self) -> tuple[Feature, ...]:
        return (self.later, self.earlier)

    def to_json(self) -> Json:
        ends = {"later": self.later.to_json(), "earlier": self.earlier.to_json()}
        return {"feature": self.kind, "between": [self.low, self.high]} | ends


@plain_fields(QueryError)
@dataclass(frozen=True)
class AgeAt(Feature):
    """Whole years by the calendar from a date in the person table to a feature; none where it is before that date.

    Who was born on 29 February has their birthday on 1 March in years without that day (as ehrQL has it).
    """

    column: str
    at: Feature
    kind: ClassVar[str] = "age"

    def __post_init__(self) -> None:
        name_of("the column of age_at", self.column)
        _feature(self.at)
        self._small()

    @property
    def inputs(self) -> tuple[Feature, ...]:
        return (self.at,)

    def _default(self) -> str:
        return "age"

    def to_json(self) -> Json:
        return {"feature": self.kind, "column": self.column, "at": self.at.to_json()}
