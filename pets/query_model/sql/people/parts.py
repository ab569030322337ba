"""Parts: what is computed of features and of people's columns, in pets' own words COMPUTED and WITH_COLUMN.

SQL's own signs between two features are the days between them, so what is computed of features stands in a word of its
own: COMPUTED(2 * a + b) is a feature, and WITH_COLUMN(2 * a + age) a column that the question computes of names.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from sqlglot import exp

from pets.query_model.feature_base import PARTS, Computed, Feature
from pets.query_model.nodes.derived import Derived, Extreme, Floor, Linear, Mapped, Prefix
from pets.query_model.sql.computed import computed
from pets.query_model.sql.conditions import bare, constant
from pets.query_model.sql.people import computing
from pets.query_model.sql.refusal import Refusal, at, written
from pets.schema.dates import Date
from pets.schema.domain import Domain
from pets.schema.numeric import Integer

FEATURE, COLUMN, MAP = "COMPUTED", "WITH_COLUMN", "MAPPED"
DAYS = Integer(0, 1)
"""What a date counts as in COMPUTED: a number of days."""


@dataclass
class _Names:
    """The names of people's columns, for what the question computes of them."""

    people: Any
    whole: set[str] = field(default_factory=set)  # (none: FLOOR says what // of a computed column would)
    computes: ClassVar[bool] = False

    @property
    def derived(self) -> dict[str, Derived]:
        """Those that are computed already."""
        return self.people.derived  # type: ignore[no-any-return]

    @property
    def fields(self) -> dict[str, Domain]:
        """The domains of all columns."""
        return self.people.fields  # type: ignore[no-any-return]

    def column(self, node: exp.Expression) -> str:
        """The column of a name."""
        return self.people.column(node)  # type: ignore[no-any-return]

    def named(self, node: exp.Expression, wanted: str = "") -> str | None:
        """Nothing is computed within."""
        raise Refusal(node, f"{COLUMN} computes of columns by their names; name what is computed first")


@dataclass
class _Parts:
    """The features of an expression, each under a name of its own."""

    people: Any
    features: dict[str, Feature] = field(default_factory=dict)
    fields: dict[str, Domain] = field(default_factory=dict)
    derived: dict[str, Derived] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)
    computes: ClassVar[bool] = False

    def column(self, node: exp.Expression) -> str:
        """The name of a feature."""
        node = bare(node)
        if isinstance(node, (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Neg, exp.DateDiff, exp.Floor)):
            raise Refusal(
                node, f"what is computed within stands in {FEATURE} of its own: write {FEATURE}({written(node)}) here"
            )
        found = computing.feature(node, self.people)
        if found is None:
            raise Refusal(node, f"{FEATURE} computes of features; of columns of the person table, {COLUMN} does")
        for name, known in self.features.items():
            if known.key == found.key:
                return name
        text = written(node)  # what a refusal calls it
        name = text if text not in self.features else f"{text} {len(self.features)}"
        with at(node):
            domain = self.people.people.domain_of(found)
        # a date-time stays one: SQL takes times apart in its own way, and DAYS(…) says that the days are meant
        self.features[name], self.fields[name] = found, DAYS if isinstance(domain, Date) else domain
        return name

    def named(self, node: exp.Expression, wanted: str = "") -> str | None:
        """The same."""
        return self.column(node)


def own_feature(node: exp.Anonymous, scope: Any) -> Feature | None:
    """The feature that COMPUTED(…) is; ``None`` for other words."""
    if str(node.this).upper() != FEATURE:
        return None
    parts = _Parts(scope)
    made: Derived | None = _mapped(node, parts)
    if made is None and len(node.expressions) == 1:
        made = computed(node.expressions[0], parts)  # type: ignore[arg-type]
    if not isinstance(made, PARTS):
        raise Refusal(
            node, f"write {FEATURE}(2 * a + b): a sum, MIN_OF, MAX_OF, FLOOR(a / 7) or LEFT(a, 3) of features"
        )
    ordered = sorted(parts.features.items(), key=lambda one: one[1].key)
    with at(node):
        names = {name: str(place) for place, (name, _) in enumerate(ordered, start=1)}
        return Computed(_renamed(made, names), tuple(feature for _, feature in ordered))


def own_column(node: exp.Expression, scope: Any) -> Derived | None:
    """What WITH_COLUMN(…) computes of people's columns; ``None`` for other words."""
    if not isinstance(node, exp.Anonymous) or str(node.this).upper() != COLUMN:
        return None
    made = computed(node.expressions[0], _Names(scope)) if len(node.expressions) == 1 else None  # type: ignore[arg-type]
    if made is None:
        raise Refusal(node, f"write {COLUMN}(2 * n + age): what is computed of columns by their names")
    return made


def _mapped(node: exp.Anonymous, parts: _Parts) -> Mapped | None:
    """COMPUTED(MAPPED(a, 'other', 'I21', 'heart', …)): a category's values by the names that they belong to."""
    inner = node.expressions[0] if len(node.expressions) == 1 else None
    if not isinstance(inner, exp.Anonymous) or str(inner.this).upper() != MAP:
        return None
    said = f"write {MAP}(a, 'other', 'I21', 'heart'): the rest's name or NULL, then each value and its name"
    if len(inner.expressions) < 4 or len(inner.expressions) % 2:
        raise Refusal(inner, said)
    of, rest, *listed = inner.expressions
    texts = [constant(one) for one in listed]
    other = None if isinstance(rest, exp.Null) else constant(rest)
    if not all(isinstance(one, str) for one in texts) or not isinstance(other, str | None):
        raise Refusal(inner, said)
    with at(inner):
        return Mapped(parts.column(of), tuple(zip(texts[::2], texts[1::2], strict=True)), other)


def _renamed(made: Derived, names: dict[str, str]) -> Derived:
    if isinstance(made, Linear):
        return Linear(tuple((names[name], times) for name, times in made.terms), made.constant)
    if isinstance(made, Extreme):
        return replace(made, of=tuple(names[name] for name in made.of))
    assert isinstance(made, (Floor, Mapped, Prefix))
    return replace(made, column=names[made.column])
