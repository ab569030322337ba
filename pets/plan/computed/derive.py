"""Derived columns on codes: the public domain of each, and how its code is made of the codes of its columns.

The bounds are proved here and nowhere else: an engine computes the recipe, whose every code lies in the domain.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from pets.common.codec import Json, number
from pets.errors import QueryError, SchemaError, did_you_mean, shown
from pets.plan.computed.intervals import Affine, Grid, as_day, as_number, extreme, grid_of, instant, weighted, years
from pets.plan.predicate import field
from pets.query_model.nodes.derived import Age, Derived, Extreme, Floor, Greatest, Linear, Mapped, Prefix
from pets.schema.dates import Calendar
from pets.schema.domain import MISSING, Category, Domain

MAX_RUNS = 10_000
EXACT = 2**52
"""Engines may divide as doubles do, which are exact for whole numbers below this (and a quotient is then rounded
down rightly)."""


@dataclass(frozen=True)
class Weighted:
    """The code is ``offset + Σ factor · code``."""

    columns: tuple[str, ...]
    affine: Affine


@dataclass(frozen=True)
class Best:
    """The code is the least (or greatest) of several, each ``offset + factor · code``, and of a constant."""

    columns: tuple[str, ...]
    parts: tuple[Affine, ...]
    constant: int | None
    greatest: bool


@dataclass(frozen=True)
class Clock:
    """The day of a code: ``(code + shift) // per_day`` (1: 1 January 0001); without a column it is ``shift``."""

    column: str | None
    shift: int
    per_day: int


@dataclass(frozen=True)
class Years:
    """The code is an age in whole years less the least that it can be."""

    birth: Clock
    at: Clock
    least: int

    @property
    def columns(self) -> tuple[str, ...]:
        """What it is made of."""
        return tuple(clock.column for clock in (self.birth, self.at) if clock.column is not None)


@dataclass(frozen=True)
class Quotient:
    """The code is ``(factor · code + offset) // divisor``, of which nothing is negative."""

    columns: tuple[str, ...]
    factor: int
    offset: int
    divisor: int


@dataclass(frozen=True)
class Runs:
    """The code is a step function of another one; also its null is one of the steps."""

    columns: tuple[str, ...]
    breaks: tuple[int, ...]
    codes: tuple[int, ...]


Recipe = Weighted | Best | Years | Quotient | Runs


@dataclass(frozen=True)
class Made:
    """One derived column: its name, its public domain, and how its code is made."""

    name: str
    domain: Domain
    recipe: Recipe

    def to_json(self) -> Json:
        """The canonical form: the domain. What it is made of stands in the query."""
        form: Json = {"name": self.name, "nullable": self.domain.nullable}
        grid = grid_of(self.domain)
        if isinstance(self.domain, Category):
            return form | {"type": "category", "values": list(self.domain.values)}
        assert grid is not None, "a derived column is a category, or has a grid"
        kind = "date" if isinstance(self.domain, Calendar) else "number"
        return form | {"type": kind, "low": number(grid.low), "step": number(grid.spacing), "cells": grid.cells}


def derive(
    derived: Sequence[tuple[str, Derived]], fields: Mapping[str, Domain], others: Sequence[str], table: str
) -> tuple[Made, ...]:
    """The derived columns of a query, in order; each may read those before it.

    Args:
        derived: names, and what they are.
        fields: the columns of the table.
        others: further names that a derived column may not take, such as that of the unit's column.
        table: for sentences.

    Raises:
        QueryError: a column that the table lacks or that is computed with otherwise, or a name that is taken.
    """
    known, out = dict(fields), list[Made]()
    for name, node in derived:
        if name in known or name in others:
            raise QueryError(
                f"table {table!r} has a column {name!r} already, and no bound changes under its name; give the derived "
                "column another name"
            )
        try:
            domain, how = recipe(node, known, table)
        except (QueryError, SchemaError) as error:
            raise QueryError(f"the derived column {name!r}: {error}") from None
        known[name] = domain
        out.append(Made(name, domain, how))
    return tuple(out)


def recipe(node: Derived, fields: Mapping[str, Domain], table: str) -> tuple[Domain, Recipe]:
    """The public domain of a derived column, and how its code is made; raises as :func:`derive` does."""
    domains = {name: field(name, fields, table) for name in node.columns}
    nullable = any(domain.nullable for domain in domains.values())
    if isinstance(node, Linear):
        return _linear(node, domains, nullable=nullable)
    if isinstance(node, Extreme):
        return _extreme(node, domains, nullable=nullable)
    if isinstance(node, Age):
        return _age(node, domains, nullable=nullable)
    if isinstance(node, Floor):
        return _floor(node, domains[node.column], nullable=nullable)
    if isinstance(node, (Mapped, Prefix)):
        return _mapped(node, domains[node.column])
    raise QueryError(f"{shown(node)} is not a derived column that can be planned")


def _grids(domains: Mapping[str, Domain]) -> dict[str, Grid]:
    out = {}
    for name, domain in domains.items():
        grid = grid_of(domain)
        if grid is None:
            raise QueryError(f"column {name!r} holds {domain.describe()}; compute with numbers and dates")
        out[name] = grid
    return out


def _linear(node: Linear, domains: Mapping[str, Domain], *, nullable: bool) -> tuple[Domain, Recipe]:
    grids = _grids(domains)
    grid, affine = weighted([(times, grids[name]) for name, times in node.terms], node.constant)
    dates = sum((times for name, times in node.terms if isinstance(domains[name], Calendar)), Fraction(0))
    if dates not in (0, 1):
        raise QueryError("dates are only subtracted from each other, or moved by days: col('left') - col('came')")
    domain = as_day(grid, nullable=nullable) if dates else as_number(grid, nullable=nullable)
    return domain, Weighted(node.columns, affine)


def _extreme(node: Extreme, domains: Mapping[str, Domain], *, nullable: bool) -> tuple[Domain, Recipe]:
    grids = _grids(domains)
    dates = [isinstance(domain, Calendar) for domain in domains.values()]
    if any(dates) and (not all(dates) or node.constant is not None):
        raise QueryError(f"{node.kind} is of numbers alone or of dates alone; take the days between dates first")
    beside = [] if node.constant is None else [Grid.constant(node.constant)]
    greatest = isinstance(node, Greatest)
    grid, parts = extreme([*(grids[name] for name in node.of), *beside], greatest=greatest)
    domain = as_day(grid, nullable=nullable) if any(dates) else as_number(grid, nullable=nullable)
    constant = parts[-1].offset if beside else None
    return domain, Best(node.of, parts[: len(node.of)], constant, greatest)


def _age(node: Age, domains: Mapping[str, Domain], *, nullable: bool) -> tuple[Domain, Recipe]:
    for name, domain in domains.items():
        if not isinstance(domain, Calendar):
            raise QueryError(f"column {name!r} holds {domain.describe()}; an age is between two dates")
    grids = _grids(domains)
    birth = _clock(node.birth, grids[node.birth])
    if isinstance(node.at, str):
        then, at = grids[node.at], _clock(node.at, grids[node.at])
    else:
        then, at = Grid.constant(instant(node.at)), Clock(None, node.at.toordinal(), 1)
    low, high = years(grids[node.birth], then)
    return as_number(Grid(Fraction(low), Fraction(1), high - low + 1), nullable=nullable), Years(birth, at, low)


def _clock(column: str, grid: Grid) -> Clock:
    per_day = int(1 / grid.spacing)
    return Clock(column, int(grid.low * per_day), per_day)


def _floor(node: Floor, domain: Domain, *, nullable: bool) -> tuple[Domain, Recipe]:
    grid = _grids({node.column: domain})[node.column]
    if isinstance(domain, Calendar):
        raise QueryError("// is of numbers; take the days between two dates first")
    low, high = (math.floor(end / node.by) for end in (grid.low, grid.high))
    start, step = grid.low / node.by - low, grid.spacing / node.by
    divisor = math.lcm(start.denominator, step.denominator)
    how = Quotient((node.column,), int(step * divisor), int(start * divisor), divisor)
    if max(how.factor * grid.cells + how.offset, divisor) >= EXACT:
        raise QueryError("// of it could pass 2^52; divide by a number with fewer digits, or use a coarser step")
    return as_number(Grid(Fraction(low), Fraction(1), high - low + 1), nullable=nullable), how


def _mapped(node: Mapped | Prefix, domain: Domain) -> tuple[Domain, Recipe]:
    if not isinstance(domain, Category):
        raise QueryError(f"column {node.columns[0]!r} holds {domain.describe()}; map and prefix are of a category")
    named: dict[str, str]
    rest: str | None
    if isinstance(node, Prefix):
        named, rest = {value: value[: node.length] for value in domain.values}, None
    else:
        named, rest = dict(node.pairs), node.otherwise
        unknown = next((value for value in named if value not in domain.values), None)
        if unknown is not None:
            raise QueryError(f"{shown(unknown)} is not one of its values{did_you_mean(unknown, domain.values)}")
    found = [named.get(value, rest) for value in domain.values]
    names = [*named.values(), *([rest] if rest is not None and rest in found else [])]
    values = tuple(name for name in dict.fromkeys(names) if name in set(found))
    if MISSING in values:
        raise QueryError("'missing' is the name of the group without a value; use another name")
    codes = {name: code for code, name in enumerate(values)}
    steps = [len(values) if name is None else codes[name] for name in found]
    nullable = domain.nullable or None in found
    steps += [len(values)] if domain.nullable else []
    breaks = [0, *(at + 1 for at, (a, b) in enumerate(itertools.pairwise(steps)) if a != b)]
    if len(breaks) > MAX_RUNS:
        raise QueryError(
            f"its values change {len(breaks):,} times between what they belong to, and at most {MAX_RUNS:,} are "
            "compared with; list the schema's values in the order of their groups, or declare a lookup there"
        )
    made = Category(values, nullable=nullable)
    return made, Runs((node.column,), tuple(breaks), tuple(steps[at] for at in breaks))
