"""Hints for invented rows: which table an identifier refers to, how often values are drawn, of which shape numbers are.

They are public like all of a schema, written by hand and never fitted from rows. No plan, bound, cache or release rests
on one: they are no part of the schema's canonical form, so two schemas that differ in them alone are one schema.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from pets.common.arguments import plain_fields
from pets.common.literals import name as name_of
from pets.errors import SchemaError, did_you_mean, shown
from pets.schema.clock.time_of_day import Time
from pets.schema.dates import Date, DateTime
from pets.schema.domain import Boolean, Category, Domain, Identifier
from pets.schema.numeric import Integer, Real
from pets.schema.rules import Derived
from pets.schema.settings import HINTS

SHAPES = {"even": 0, "geometric": 1, "poisson": 1, "normal": 2, "skewed": 2, "bands": -1}
"""Shapes of numbers, and how many numbers each takes (-1: one for each band)."""

_OF_NUMBERS = ("geometric", "poisson", "normal", "skewed")
MAX_BANDS, MAX_WEIGHT = 1_000, 10**9


@dataclass(frozen=True)
class Hint:
    """How the invented values of one column shall look.

    Attributes:
        refers: the table and the identifier that this one holds values of.
        weights: how often each value is drawn, one for each in their order; a boolean's: false, true.
        shape: the name of a shape, and its numbers.
    """

    refers: tuple[str, str] | None = None
    weights: tuple[float, ...] = ()
    shape: tuple[str, tuple[float, ...]] | None = None

    def to_json(self, domain: Domain) -> dict[str, Any]:
        """As it stands in a schema file."""
        out: dict[str, Any] = {}
        if self.refers is not None:
            out["refers"] = ".".join(self.refers)
        if self.weights:
            out["weights"] = dict(zip(_valued(domain), self.weights, strict=True))
        if self.shape is not None:
            out["shape"] = " ".join([self.shape[0], *(f"{number:g}" for number in self.shape[1])])
        return out


@plain_fields(SchemaError)
@dataclass(frozen=True)
class Twin:
    """How the dummy twin of a schema is made.

    Attributes:
        pack: the pack that its rows are of: a name, or one's own folder; ``None``: they are drawn from the domains.
        hints: by table and column.
    """

    pack: str | None = None
    hints: Mapping[str, Mapping[str, Hint]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.pack is not None and (not isinstance(self.pack, str) or not self.pack or len(self.pack) > 4_000):
            raise SchemaError(f"dummy names a pack, such as nhs, not {shown(self.pack)}")
        kept = {table: MappingProxyType(dict(some)) for table, some in self.hints.items() if some}
        object.__setattr__(self, "hints", MappingProxyType(kept))

    def __reduce__(self) -> tuple[Any, ...]:
        return (Twin, (self.pack, {table: dict(some) for table, some in self.hints.items()}))

    def of(self, table: str) -> Mapping[str, Hint]:
        """The hints of a table, by column."""
        return self.hints.get(table, MappingProxyType({}))

    def parents(self, table: str) -> dict[str, tuple[str, str]]:
        """By column of a table, the table and the column that it refers to."""
        return {column: hint.refers for column, hint in self.of(table).items() if hint.refers is not None}

    def check(self, tables: Mapping[str, Any], table: str, column: str) -> None:
        """Raise :class:`SchemaError` where what a column refers to is not there, or leads back to it."""
        refers = self.of(table)[column].refers
        if refers is None:
            return
        other, key = refers
        if other not in tables or other == table:
            others = [name for name in tables if name != table]
            raise SchemaError(
                f"column {column!r} refers to {shown(other)}, no other table{did_you_mean(other, others)}"
            )
        target = tables[other]
        if not isinstance(target.columns.get(key), Identifier):
            known = [name for name, domain in target.columns.items() if isinstance(domain, Identifier)]
            raise SchemaError(f"table {other!r} has no identifier {shown(key)}{did_you_mean(key, known)}")
        if column == tables[table].unit.column and key != target.unit.column:
            raise SchemaError(
                f"column {column!r} names a person, so it refers to a column that does: {other}.{target.unit.column}"
            )
        seen, left = {table}, [other]
        while left:
            here = left.pop()
            if here == table:
                raise SchemaError(f"column {column!r} refers to {other!r}, which refers back; drop one 'refers'")
            if here not in seen:
                seen.add(here)
                left += [above for above, _ in self.parents(here).values()]


def hint(given: Mapping[str, Any], domain: Domain, column: str, rules: Sequence[Any]) -> Hint | None:
    """What a column's entry says of its invented values; ``None``: nothing."""
    if not any(given.get(name) is not None for name in HINTS):
        return None
    refers = None if given.get("refers") is None else _refers(given["refers"])
    weights = () if given.get("weights") is None else _weights(given["weights"], domain)
    shape = None if given.get("shape") is None else _shape(given["shape"], domain)
    for rule in rules:
        if isinstance(rule, Derived) and rule.column == column and rule.how != "days" and shape is not None:
            raise SchemaError(f"the rule {rule} computes it, so it has no shape; give one to {rule.parts[0]!r}")
    return Hint(refers, weights, shape)


def _refers(given: object) -> tuple[str, str]:
    table, dot, column = given.partition(".") if isinstance(given, str) else ("", "", "")
    if not dot or not table or not column:
        raise SchemaError(f"refers names a table and its column, such as visits.visit, not {shown(given)}")
    return name_of("refers", table, SchemaError), name_of("refers", column, SchemaError)


def _valued(domain: Domain) -> tuple[str, ...]:
    return ("false", "true") if isinstance(domain, Boolean) else tuple(getattr(domain, "values", ()))


def _number(given: object, what: str) -> float:
    try:
        found = float(str(given))
    except ValueError:
        found = math.nan
    if not abs(found) <= MAX_WEIGHT:
        raise SchemaError(f"{what} must be numbers, and at most {MAX_WEIGHT:,}, not {shown(given)}")
    return found


def _weights(given: object, domain: Domain) -> tuple[float, ...]:
    if not isinstance(domain, (Category, Boolean)) or (isinstance(domain, Category) and domain.lookup is not None):
        raise SchemaError("weights are for a category that is no look-up, or a boolean; of numbers and days say shape")
    values = _valued(domain)
    if not isinstance(given, Mapping):
        raise SchemaError(f"weights say how often each value is drawn, such as {{{values[0]}: 3}}, not {shown(given)}")
    found = {
        str(key).lower() if isinstance(domain, Boolean) else str(key): _number(w, "weights") for key, w in given.items()
    }
    for key in found:
        if key not in values:
            raise SchemaError(f"weights name {shown(key)}, which is no value{did_you_mean(key, values)}")
    if min(found.values(), default=0) < 0 or not any(found.values()):
        raise SchemaError("weights must not be negative, nor all 0; a value that is not named has weight 0")
    return tuple(found.get(value, 0.0) for value in values)


def _shape(given: object, domain: Domain) -> tuple[str, tuple[float, ...]]:
    numbers = isinstance(domain, (Integer, Real))
    if not numbers and not isinstance(domain, (Date, DateTime, Time)):
        raise SchemaError("a shape is for numbers, days and times; of a category say weights")
    word, *rest = given.split() if isinstance(given, str) else [""]
    known = [name for name in SHAPES if numbers or name not in _OF_NUMBERS]
    if word not in known:
        raise SchemaError(
            f"there is no shape {shown(given)} here{did_you_mean(word, known)}; write such as bands 1 3 2"
        )
    found = tuple(_number(one, "a shape's numbers") for one in rest)
    wanted = SHAPES[word]
    if (wanted >= 0 and len(found) != wanted) or (wanted < 0 and not 1 <= len(found) <= MAX_BANDS):
        needs = f"{wanted} number{'' if wanted == 1 else 's'}" if wanted >= 0 else f"1 to {MAX_BANDS:,} weights"
        raise SchemaError(f"the shape {word} takes {needs}, not {len(found)}")
    if word == "bands" and (min(found) < 0 or not any(found)):
        raise SchemaError("the weights of bands must not be negative, nor all 0")
    if (word == "normal" and found[1] <= 0) or (word == "skewed" and min(found) <= 0):
        raise SchemaError(f"the spread of {word} must be above 0, and so the median of skewed")
    if word == "skewed" and found[1] > 20:
        raise SchemaError("the spread of skewed is at most 20; 0.5 is a usual one")
    return word, found
