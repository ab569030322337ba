"""Features made of features: what they share, and what is computed of them.

A feature holds the features that it reads, so that none can read itself. What is read of rows is in
:mod:`pets.query_model.features`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, ClassVar, NoReturn

from pets.common.arguments import plain_fields
from pets.common.codec import Json, canonical
from pets.common.literals import Literal_, literal, literal_json
from pets.common.literals import name as name_of
from pets.errors import QueryError, shown
from pets.query_model.columns import Col
from pets.query_model.expression import Comparand, Filter, Operator
from pets.query_model.group_keys import Bins, Key
from pets.query_model.node import Node
from pets.query_model.nodes.compared import Versus, Within, feature_of
from pets.query_model.nodes.derived import Derived, Floor, Greatest, Least, Linear, Mapped, Prefix
from pets.query_model.nodes.feature_bounds import days_between
from pets.query_model.nodes.operands import divided, operand

MAX_DEPTH = 12
MAX_NODES = 200

_FLIPPED: dict[Operator, Operator] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


class Feature(Node, Comparand):
    """One value of each person. Name it in :func:`pets.people`; compare a column of events with it, or fill it."""

    kind: ClassVar[str] = ""
    instead: ClassVar[str] = (
        "of features sums, differences, constant multiples and // are computed, pets.min_of and pets.max_of; compute "
        "anything else in the data and declare it in the schema"
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
        """Group people by half-open bins of it (the last one closed), at numbers or dates; ``name`` is the answer's."""
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

    def __bool__(self) -> NoReturn:
        raise QueryError("a feature has no truth of its own; name it in pets.people(…) and compare it there")

    def __add__(self, other: object) -> Computed:
        return _sum(self, other)

    __radd__ = __add__

    def __sub__(self, other: object) -> Computed:
        return _sum(self, other, -1)

    def __rsub__(self, other: object) -> Computed:
        return _sum(self * -1, other)

    def __mul__(self, other: object) -> Computed:
        by = _number(other, "multiplied with numbers")
        terms, constant = _terms(self)
        return _linear([(one, by * times) for one, times in terms], by * constant)

    __rmul__ = __mul__

    def __neg__(self) -> Computed:
        return self * -1

    def __floordiv__(self, other: object) -> Computed:
        by = _number(other, "divided by numbers, rounded down")
        return _computed((self,), lambda names: Floor(names[0], by))

    def __truediv__(self, other: object) -> NoReturn:
        divided("feature", _number(other, "divided by numbers"))

    def map(self, names: Mapping[str, str], otherwise: str | None = None) -> Computed:
        """What each value of a category belongs to: ``map({"I21": "heart"}, otherwise="other")``."""
        return _computed((self,), lambda parts: Mapped(parts[0], names, otherwise))  # type: ignore[arg-type]

    def prefix(self, length: int) -> Computed:
        """The first characters of a category's values: the chapters of codes of diseases are ``prefix(3)``."""
        return _computed((self,), lambda names: Prefix(names[0], length))

    def extreme(self, kind: str, of: tuple[object, ...]) -> Computed:
        parts = [one for one in of if isinstance(one, Feature)]
        beside = f"in {kind} beside features and at most one number"
        rest = [_number(one, beside) for one in of if not isinstance(one, Feature)]
        if len(rest) > 1:
            raise QueryError(f"{kind} takes features and at most one number, such as {kind}(first, second)")
        node = Least if kind == "min_of" else Greatest
        return _computed(parts, lambda names: node(tuple(names), rest[0] if rest else None))


@dataclass(frozen=True)
class Keyed(Node):
    """A feature that people are grouped by: :meth:`pets.Query.group_by` names it among the features."""

    instead: ClassVar[str] = Key.instead

    name: str
    feature: Feature
    key: Bins


@plain_fields(QueryError)
@dataclass(frozen=True)
class Filled(Feature):
    """A feature, with a constant for people who have no value."""

    of: Feature
    value: Literal_
    kind: ClassVar[str] = "fill"

    def __post_init__(self) -> None:
        feature_of(self.of)
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
        feature_of(self.later), feature_of(self.earlier)
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
        feature_of(self.at)
        self._small()

    @property
    def inputs(self) -> tuple[Feature, ...]:
        return (self.at,)

    def _default(self) -> str:
        return "age"

    def to_json(self) -> Json:
        return {"feature": self.kind, "column": self.column, "at": self.at.to_json()}


# what is computed of features ---------------------------------------------------------------------------------------

PARTS = (Linear, Least, Greatest, Floor, Mapped, Prefix)
"""Of the columns that a query computes, those that are also computed of features."""


@plain_fields(QueryError)
@dataclass(frozen=True)
class Computed(Feature):
    """What is computed of features as of columns: its bounds follow from theirs, and who lacks one lacks it.

    Attributes:
        made: how, of columns named "1", "2", …
        of: the features that these stand for, each once, in the order of their canonical forms.
    """

    made: Derived
    of: tuple[Feature, ...]
    kind: ClassVar[str] = "computed"

    def __post_init__(self) -> None:
        if not isinstance(self.made, PARTS) or not isinstance(self.of, (tuple, list)):
            raise QueryError(
                f"features are computed with as first - second or pets.min_of(…) do, not {shown(self.made)}"
            )
        object.__setattr__(self, "of", tuple(feature_of(one) for one in self.of))
        keys = [one.key for one in self.of]
        if keys != sorted(set(keys)) or set(self.made.columns) != {str(place + 1) for place in range(len(keys))}:
            raise QueryError("what is computed of features names each of them once, in the order of their forms")
        self._small()

    @property
    def inputs(self) -> tuple[Feature, ...]:
        return self.of

    def days(self, low: int, high: int) -> Days:
        """Of one date less another: the days between them, from ``low`` to ``high``, and no value outside these."""
        terms, constant = _terms(self)
        if constant or sorted(times for _, times in terms) != [-1, 1]:
            raise QueryError("days(low, high) are of one date less another, such as (later - earlier).days(0, 365)")
        later, earlier = (next(one for one, times in terms if times == sign) for sign in (1, -1))
        return Days(later, earlier, low, high)

    def to_json(self) -> Json:
        return {"feature": self.kind, "as": self.made.to_json(), "of": [one.to_json() for one in self.of]}


def _number(value: object, how: str) -> Fraction:
    if isinstance(value, (Feature, Col, Derived)):
        raise QueryError(
            f"features are {how}; what is computed of features and columns of the person table names both: "
            "pets.people(n=…).with_columns(more=col('n') + col('age'))"
        )
    return operand(value)


def _terms(one: Feature) -> tuple[list[tuple[Feature, Fraction]], Fraction]:
    if isinstance(one, Computed) and isinstance(one.made, Linear):
        return [(one.of[int(name) - 1], times) for name, times in one.made.terms], one.made.constant
    return [(one, Fraction(1))], Fraction(0)


def _sum(one: Feature, other: object, sign: int = 1) -> Computed:
    terms, constant = _terms(one)
    if isinstance(other, Feature):
        more, rest = _terms(other)
        return _linear([*terms, *((part, sign * times) for part, times in more)], constant + sign * rest)
    return _linear(terms, constant + sign * _number(other, "added to features and numbers"))


def _linear(terms: Sequence[tuple[Feature, Fraction]], constant: Fraction) -> Computed:
    left: dict[bytes, Fraction] = {}
    for one, times in terms:
        left[one.key] = left.get(one.key, Fraction(0)) + times
    if not all(left.values()):
        raise QueryError(
            "a feature is in the sum 0 times, and who lacks it would lack the sum for nothing; leave it out"
        )
    return _computed(
        [one for one, _ in terms],
        lambda names: Linear(tuple((name, times) for name, (_, times) in zip(names, terms, strict=True)), constant),
    )


def _computed(parts: Sequence[Feature], build: Callable[[list[str]], Derived]) -> Computed:
    """What is built of the names of features, in their one order."""
    order = sorted({one.key: one for one in parts}.items())
    names = {key: str(place + 1) for place, (key, _) in enumerate(order)}
    return Computed(build([names[one.key] for one in parts]), tuple(one for _, one in order))
