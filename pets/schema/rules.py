"""Rules: what the custodian publishes about columns of one table *together*, such as the order of dates.

Invented rows keep them, so that programs written on a dummy twin meet plausible rows, and synthesisers may. A rule is
public knowledge like a domain. It promises nothing about real rows: no plan, bound or release rests on one, and a real
row that breaks a rule is counted like any other.

A rule speaks of one row, and holds where a column that it names is empty, unless it says otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from pets.common.arguments import plain_fields
from pets.common.codec import Json
from pets.common.literals import name as name_of
from pets.errors import QueryError, SchemaError, did_you_mean, shown
from pets.schema.dates import Calendar, Date
from pets.schema.difference_bounds import Gaps
from pets.schema.domain import Boolean, Category, Domain, Identifier
from pets.schema.numeric import Integer, Numeric
from pets.schema.settings import RULE

Columns = Mapping[str, Domain]


@dataclass(frozen=True)
class Rule:
    """One rule of a table."""

    kind: ClassVar[str] = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that the rule names."""
        raise NotImplementedError

    def check(self, columns: Columns) -> None:
        """Raise :class:`SchemaError` where the rule does not fit the table's columns."""
        raise NotImplementedError

    def to_json(self) -> Json:
        """The canonical form."""
        raise NotImplementedError

    def _known(self, columns: Columns) -> None:
        for name in self.columns:
            if name not in columns:
                raise SchemaError(f"the rule {self} names {name!r}, which is not a column{did_you_mean(name, columns)}")

    def __str__(self) -> str:
        text = ", ".join(f"{key}: {_plain(value)}" for key, value in self.to_json().items())
        return text if len(text) <= 160 else f"{text[:159]}…"


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_plain(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_plain(item)}' for key, item in value.items())}}}"
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) and len(value) <= 60 and value.isprintable() else shown(value)


def _names(what: str, value: object, least: int, most: int | None = None) -> tuple[str, ...]:
    given: object = (value,) if isinstance(value, str) else value
    many = f"{least} columns" if most == least else f"at least {least} columns"
    if not isinstance(given, (list, tuple)) or len(given) < least or (most is not None and len(given) > most):
        raise SchemaError(f"the rule {what} needs a list of {many}, such as [admitted, discharged], not {shown(value)}")
    names = tuple(name_of(f"a column of the rule {what}", name, SchemaError) for name in given)
    if len(set(names)) < len(names):
        raise SchemaError(f"the rule {what} names a column twice; name each once")
    return names


@plain_fields(SchemaError)
@dataclass(frozen=True)
class Order(Rule):
    """No column's value is below that of the column before it: dates, or numbers on one grid.

    >>> str(Order(["admitted", "discharged"]))
    'order: [admitted, discharged]'
    """

    order: tuple[str, ...]
    kind: ClassVar[str] = "order"

    def __post_init__(self) -> None:
        object.__setattr__(self, "order", _names("order", self.order, 2))

    @property
    def columns(self) -> tuple[str, ...]:
        return self.order

    def check(self, columns: Columns) -> None:
        self._known(columns)
        grids = [grid(columns[name]) for name in self.order]
        for name, found in zip(self.order, grids, strict=True):
            if found is None:
                raise SchemaError(
                    f"the rule {self} orders {name!r}, which is {columns[name].describe()}, with no order"
                )
            if found[0] != grids[0][0] or (found[1] - grids[0][1]) % 1:  # type: ignore[index]
                raise SchemaError(
                    f"the rule {self} orders {self.order[0]!r} and {name!r}; both must be dates, or date-times "
                    "or numbers of the same step"
                )

    def to_json(self) -> Json:
        return {"order": list(self.order)}


@plain_fields(SchemaError)
@dataclass(frozen=True)
class Derived(Rule):
    """A column is computed from others: days or completed years between two dates, or a sum of numbers.

    It is empty where one of its parts is. ``how`` is ``"days"``, ``"years"`` or ``"sum"``.

    >>> str(Derived("length_of_stay", "days", ["admitted", "discharged"]))
    'column: length_of_stay, days: [admitted, discharged]'
    """

    column: str
    how: str
    parts: tuple[str, ...]
    kind: ClassVar[str] = "derived"
    HOWS: ClassVar[tuple[str, ...]] = ("days", "years", "sum")

    def __post_init__(self) -> None:
        name_of("a derived column", self.column, SchemaError)
        if self.how not in self.HOWS:
            raise SchemaError(f"a column is derived by days, years or sum, not {shown(self.how)}")
        object.__setattr__(self, "parts", _names(self.how, self.parts, 2, None if self.how == "sum" else 2))
        if self.column in self.parts:
            raise SchemaError(f"the rule {self} derives {self.column!r} from itself")

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column, *self.parts)

    def check(self, columns: Columns) -> None:
        self._known(columns)
        target = columns[self.column]
        wanted: type[Domain] = Numeric if self.how == "sum" else Date
        for name in self.parts:
            if not isinstance(columns[name], wanted):
                kind = "numbers" if self.how == "sum" else "dates"
                raise SchemaError(f"the rule {self} needs {kind}, and {name!r} is {columns[name].describe()}")
        if not isinstance(target, Integer if self.how != "sum" else Numeric):
            raise SchemaError(f"the rule {self} derives a whole number, and {self.column!r} is {target.describe()}")
        if not target.nullable and any(columns[name].nullable for name in self.parts):
            raise SchemaError(
                f"the rule {self} derives {self.column!r}, which is never empty, from a column that may be; set "
                f"nullable: false there too, or leave it out for {self.column!r}"
            )
        if self.how == "sum":
            self._check_sum(target, [columns[name] for name in self.parts])

    def _check_sum(self, target: Any, parts: Sequence[Any]) -> None:
        low, high = sum(part.lo for part in parts), sum(part.hi for part in parts)
        fits = all((part.spacing / target.spacing).denominator == 1 for part in parts)
        if not fits or (low - target.origin) % target.spacing or low < target.lo or high > target.hi:
            raise SchemaError(
                f"the rule {self} gives values from {float(low):g} to {float(high):g}, and {self.column!r} holds "
                f"{target.describe()}; widen it, on a step that all parts are multiples of"
            )

    def gap(self, columns: Columns) -> tuple[float, float]:
        """The days between the two parts for which the derived value surely lies in its domain."""
        domain: Any = columns[self.column]
        if self.how == "days":
            return domain.lo, domain.hi
        # n completed years are at least 365 n days and at most 366 n + n // 4 …: the inner bounds hold in every year
        low = math.ceil(domain.lo * 365.25) + 1 if domain.lo > 0 else 0
        return low, math.floor((domain.hi + 1) * 365.2425) - 2

    def to_json(self) -> Json:
        return {"column": self.column, self.how: list(self.parts)}


@plain_fields(SchemaError)
@dataclass(frozen=True)
class OnlyWhen(Rule):
    """A column has a value only where another column has one of the listed values.

    >>> str(OnlyWhen("died_on", "discharged_to", ["Died"]))
    'column: died_on, when: {discharged_to: [Died]}'
    """

    column: str
    given: str
    values: tuple[str | bool, ...]
    kind: ClassVar[str] = "when"

    def __post_init__(self) -> None:
        name_of("the column of a rule", self.column, SchemaError)
        name_of("the column after 'when'", self.given, SchemaError)
        values: Any = (self.values,) if isinstance(self.values, (str, bool)) else self.values
        if not isinstance(values, (list, tuple)) or not values:
            raise SchemaError(
                f"'when' needs a column and its values, such as when: {{sex: [Female]}}, not {shown(values)}"
            )
        object.__setattr__(self, "values", tuple(values))

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column, self.given)

    def check(self, columns: Columns) -> None:
        self._known(columns)
        if not columns[self.column].nullable:
            raise SchemaError(
                f"the rule {self} leaves {self.column!r} empty elsewhere, and it is declared never empty; "
                "take nullable: false away"
            )
        self.codes(columns)

    def codes(self, columns: Columns) -> tuple[int, ...]:
        """The codes of the listed values."""
        domain = columns[self.given]
        if not isinstance(domain, (Category, Boolean)) or getattr(domain, "lookup", None) is not None:
            raise SchemaError(
                f"the rule {self} needs a plain category or a boolean after 'when', not {domain.describe()}"
            )
        truths: dict[Any, bool] = {"true": True, "false": False} if isinstance(domain, Boolean) else {}
        try:
            return tuple(domain.encode(truths.get(value, value)) for value in self.values)
        except QueryError as error:
            raise SchemaError(f"the rule {self}: {error}") from None

    def settled(self, columns: Columns) -> OnlyWhen:
        """The same rule with its values as the column's own: what a file and Python write differently is one rule."""
        domain = columns[self.given]
        return OnlyWhen(self.column, self.given, tuple(domain.decode(code) for code in self.codes(columns)))

    def to_json(self) -> Json:
        return {"column": self.column, "when": {self.given: list(self.values)}}


@plain_fields(SchemaError)
@dataclass(frozen=True)
class Unique(Rule):
    """No two rows of the table have the same value in the column (rows without one apart).

    >>> str(Unique("episode"))
    'unique: episode'
    """

    column: str
    kind: ClassVar[str] = "unique"

    def __post_init__(self) -> None:
        name_of("the column of a unique rule", self.column, SchemaError)

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def check(self, columns: Columns) -> None:
        self._known(columns)

    def to_json(self) -> Json:
        return {"unique": self.column}


def computed(rules: Sequence[Rule], columns: Collection[str]) -> tuple[str, ...]:
    """The columns that rules compute from others that are there: nobody need learn them."""
    return tuple(
        rule.column
        for rule in rules
        if isinstance(rule, Derived) and rule.column in columns and set(rule.parts) <= set(columns)
    )


def grid(domain: Domain) -> tuple[object, Any] | None:
    """What kind of steps a column moves in, and where it begins, counted in them; ``None`` where it has no order."""
    if isinstance(domain, Date):
        return "days", domain.lo.toordinal()
    if isinstance(domain, Calendar):
        return domain.width, domain.position("1970-01-01") * -1
    if isinstance(domain, Numeric) and not isinstance(domain, Identifier):
        return domain.spacing, domain.origin / domain.spacing
    return None


_FORM = "a rule is {order: [a, b]}, {column: c, days: [a, b]}, {column: c, when: {b: [value]}} or {unique: c}"


def rule(form: object) -> Rule:
    """A rule from its mapping form (a rule itself stays what it is).

    >>> rule({"column": "age", "years": ["born", "admitted"]})
    Derived(column='age', how='years', parts=('born', 'admitted'))
    """
    if isinstance(form, Rule):
        return form
    if not isinstance(form, Mapping):
        raise SchemaError(f"{_FORM}, not {shown(form)}")
    for key in form:
        if key not in RULE.names:
            raise SchemaError(f"{shown(key)} is not a part of a rule{did_you_mean(key, RULE.names)}")
    parts = {key for key in form if key != "column"}
    if len(parts) != 1 or (("column" in form) is bool(parts & {"order", "unique"})):
        raise SchemaError(f"{_FORM}; this one has {', '.join(map(str, form)) or 'nothing'}")
    (how,) = parts
    if how == "order":
        return Order(form["order"])
    if how == "unique":
        return Unique(form["unique"])
    if how in Derived.HOWS:
        return Derived(form["column"], how, form[how])
    given = form["when"]
    if not isinstance(given, Mapping) or len(given) != 1:
        raise SchemaError(
            f"'when' needs one column and its values, such as when: {{sex: [Female]}}, not {shown(given)}"
        )
    ((name, values),) = given.items()
    return OnlyWhen(form["column"], name, values)


def rules_of(forms: object, columns: Columns, unit: str | None) -> tuple[Rule, ...]:
    """A table's rules, checked against its columns and against each other."""
    if not isinstance(forms, (list, tuple)):
        raise SchemaError(f"rules must be a list; {_FORM}, not {shown(forms)}")
    found = tuple(rule(form) for form in forms)
    computed: dict[str, Rule] = {}
    for one in found:
        one.check(columns)
        if isinstance(one, Derived):
            if one.column in computed:
                raise SchemaError(f"column {one.column!r} is derived twice; keep one of the two rules")
            computed[one.column] = one
    for one in found:
        used = one.parts if isinstance(one, Derived) else one.columns
        for name in used:
            domain = columns[name]
            looked_up = isinstance(domain, Category) and domain.lookup is not None
            if name == unit and not isinstance(one, Unique):
                raise SchemaError(f"the rule {one} names {name!r}, which names people; rules are about other columns")
            if name in computed or looked_up:
                raise SchemaError(
                    f"the rule {one} rests on {name!r}, which is itself computed; name the columns it is computed from"
                )
    gaps(columns, found)
    return tuple(one.settled(columns) if isinstance(one, OnlyWhen) else one for one in found)


def gaps(
    columns: Columns, rules: Sequence[Rule], narrowed: Mapping[str, tuple[int, int]] = MappingProxyType({})
) -> tuple[tuple[str, ...], Gaps]:
    """The ordered columns and the tight bounds on their codes that all rules imply.

    ``narrowed`` gives codes that a column (a derived one too) must lie between. Raises :class:`SchemaError` naming the
    rules where no row can meet them.
    """
    linked = [r for r in rules if isinstance(r, Order) or (isinstance(r, Derived) and r.how != "sum")]
    names = tuple(dict.fromkeys(name for r in linked for name in (r.parts if isinstance(r, Derived) else r.columns)))
    tight = Gaps([narrowed.get(name, (0, columns[name].cells - 1)) for name in names])
    for one in linked:
        if isinstance(one, Derived):
            _limit(tight, names, columns, one.parts, _narrow(one, columns, narrowed))
        else:
            for pair in zip(one.order, one.order[1:], strict=False):
                _limit(tight, names, columns, pair, (0, math.inf))
    if not tight.close():
        told = "; ".join(str(one) for one in linked)
        raise SchemaError(f"no row can meet the rules ({told}): the ranges of the columns leave no value; widen one")
    return names, tight


def _narrow(one: Derived, columns: Columns, narrowed: Mapping[str, tuple[int, int]]) -> tuple[float, float]:
    if one.column not in narrowed:
        return one.gap(columns)
    domain: Any = columns[one.column]
    low, high = narrowed[one.column]
    return Derived(one.column, one.how, one.parts).gap({one.column: Integer(domain.lo + low, domain.lo + high)})


def _limit(
    tight: Gaps, names: tuple[str, ...], columns: Columns, pair: Sequence[str], gap: tuple[float, float]
) -> None:
    first, second = pair
    # codes begin at each column's own origin: a gap between values is another gap between codes
    shift = int(grid(columns[second])[1] - grid(columns[first])[1])  # type: ignore[index]
    tight.limit(names.index(first), names.index(second), gap[0] - shift, gap[1] - shift)
