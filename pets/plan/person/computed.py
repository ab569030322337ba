"""Steps of people that are computed of earlier steps: arithmetic, and cases.

Arithmetic is that of derived columns: :mod:`pets.plan.computed.derive` proves the bounds of both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pets.common.codec import Json
from pets.errors import QueryError, shown
from pets.plan.computed.derive import Made, recipe
from pets.plan.computed.derived_codes import derived_code
from pets.plan.computed.intervals import grid_of
from pets.plan.person_reads import no_feature
from pets.plan.person_steps import Step
from pets.plan.predicate import Predicate, columns_in, met, predicate_json, resolve
from pets.query_model.expression import Filter, IsNull, Or
from pets.query_model.features import Case, Computed
from pets.query_model.nodes.derived import Derived, Mapped, Prefix
from pets.schema.domain import MISSING, Category, Domain
from pets.schema.text_column import Text

Columns = tuple[tuple[str, int], ...]
"""Names that a step reads, each with the step that it stands for."""


@dataclass(frozen=True)
class Compute(Step):
    """A derived column of earlier steps; no value where one of these has none (or by its own map)."""

    made: Made
    columns: Columns
    domains: tuple[tuple[str, Domain], ...]

    @property
    def inputs(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(step for _, step in self.columns))

    def value(self, codes: Mapping[int, int]) -> int:
        """The code of one person."""
        own = {name: codes[step] for name, step in self.columns}
        code = derived_code(self.made, dict(self.domains), own.__getitem__, lambda where, a, b: a if where else b, int)
        return int(code)

    def to_json(self) -> Json:
        columns = [list(pair) for pair in self.columns]
        return super().to_json() | {"computed": self.made.to_json(), "columns": columns}


@dataclass(frozen=True)
class Choice(Step):
    """The code of the first condition that is met, and ``otherwise`` where none is."""

    arms: tuple[tuple[Predicate, int], ...]
    otherwise: int
    columns: Columns

    @property
    def inputs(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(step for _, step in self.columns))

    def value(self, codes: Mapping[int, int]) -> int:
        """The code of one person."""
        own = {name: codes[step] for name, step in self.columns}
        return next((code for condition, code in self.arms if met(condition, own)), self.otherwise)

    def to_json(self) -> Json:
        arms = [[predicate_json(condition), code] for condition, code in self.arms]
        columns = [list(pair) for pair in self.columns]
        return super().to_json() | {"case": arms, "otherwise": self.otherwise, "columns": columns}


def compute(name: str, node: Derived, fields: Mapping[str, Domain], known: Mapping[str, tuple[int, Step]]) -> Compute:
    """The step of a derived column of ``fields``; ``known`` are the steps of those that it names, with their places.

    Raises :class:`QueryError` as for derived columns of a table.
    """
    domain, how = recipe(node, fields, "people")
    parts = {column: known[column] for column in node.columns}
    columns = tuple((column, place) for column, (place, _) in parts.items())
    domains = tuple((column, step.domain) for column, (_, step) in parts.items())
    out = Compute(domain, 0, Made(name, domain, how), columns, domains)
    return replace(out, absent=out.value({place: step.absent for place, step in parts.values()}))


def of_features(feature: Computed, parts: Sequence[tuple[int, Step]]) -> Compute:
    """The step of what is computed of features, whose steps are ``parts``."""
    category = isinstance(feature.made, (Mapped, Prefix))
    for _, step in parts:
        if category != isinstance(step.domain, Category) or (not category and grid_of(step.domain) is None):
            wanted = (
                "a category is mapped" if category else "numbers and dates are computed with; count(max=1) is 0 or 1"
            )
            raise QueryError(f"one part holds {step.domain.describe()}, and {wanted}")
    known = {str(place + 1): part for place, part in enumerate(parts)}
    return compute("", feature.made, {name: step.domain for name, (_, step) in known.items()}, known)


def choose(
    feature: Case, fields: Mapping[str, Domain], owner: str | None, step_of: Callable[[str], tuple[int, Step]]
) -> Choice:
    """The step of a case, whose conditions are on ``fields``; ``step_of`` gives the step of one, with its place."""
    conditions = [resolve(condition, fields, "people") for condition, _ in feature.arms]
    names = sorted(frozenset[str]().union(*map(columns_in, conditions)))
    for name in names:
        if isinstance(fields[name], Text):
            raise no_feature(name, owner)
    said = [name for _, name in feature.arms] + ([] if feature.default is None else [feature.default])
    if MISSING in said:
        raise QueryError("'missing' is the name of the group without a value; use another name")
    _named_first(feature, [name for name in names if fields[name].nullable])
    values = tuple(dict.fromkeys(said))
    codes = {name: code for code, name in enumerate(values)}
    domain = Category(values, nullable=feature.default is None)
    arms = tuple((condition, codes[name]) for condition, (_, name) in zip(conditions, feature.arms, strict=True))
    otherwise = len(values) if feature.default is None else codes[feature.default]
    parts = {name: step_of(name) for name in names}
    out = Choice(domain, 0, arms, otherwise, tuple((name, place) for name, (place, _) in parts.items()))
    return replace(out, absent=out.value({place: step.absent for place, step in parts.values()}))


def _named_first(feature: Case, nullable: Sequence[str]) -> None:
    """Refuse a default that people without a value would be counted among, though nobody said so."""
    told = {name for condition, _ in feature.arms for name in _asked_for(condition)}
    hidden = next((name for name in nullable if name not in told), None)
    if hidden is not None and feature.default is not None:
        raise QueryError(
            f"people without {hidden!r} would be among {shown(feature.default)}; give them a name of their own, such "
            f"as (col({hidden!r}).is_null(), 'unknown'), or write default=None, which gives them no value; in SQL, "
            f"WHEN {hidden} IS NULL THEN 'unknown', or no ELSE"
        )


def _asked_for(condition: Filter) -> Iterator[str]:
    """The columns without which the condition is met, whatever else holds."""
    if isinstance(condition, IsNull):
        yield condition.column
    elif isinstance(condition, Or):
        for term in condition.terms:
            yield from _asked_for(term)
