"""Covariates of a Cox regression: the patterns that a release tells apart, as rows of a design, and which are told."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np

from pets.common import html_table
from pets.common.integers import Floats
from pets.errors import QueryError, did_you_mean, shown
from pets.models.new_rows import column_of, numbers
from pets.models.survival.estimate import CLEAR, FIRM, Curve, ended
from pets.models.survival.exit_model import places
from pets.models.survival.partial import Counts, Partial, partial, survival_of
from pets.models.survival.streams import Streams
from pets.plan.plan import Plan
from pets.plan.predicate import field as column
from pets.schema.domain import Boolean, Category, Domain
from pets.schema.numeric import Integer, Numeric

HALF = 0.5
"""Under noise nothing is given where less of the events lie in bins in which enough of their pattern are at risk."""
CROWD = 0.18
"""Nor where a greater share of those at risk in a bin has the event in it."""
DRAWN = 0.5
"""Nor where a bin's width draws a ratio towards 1 by more of its error: by log ratio · share³ ÷ 2, at most (measured at
ratios of 0.25 to 3, and shares up to that above)."""
BANDS = 8
"""Into about how many steps a remedy cuts the range of a number."""
Value = str | bool | int


@dataclass(frozen=True)
class Term:
    """One coefficient's covariate: a product of columns.

    Attributes:
        parts: of each column its name, and the value against the reference; ``None`` for a number.
    """

    parts: tuple[tuple[str, Value | None], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(name for name, _ in self.parts)

    @property
    def measured(self) -> bool:
        """Whether a number is among them."""
        return any(value is None for _, value in self.parts)

    def __str__(self) -> str:
        return ":".join(name if value is None else f"{name}[{value}]" for name, value in self.parts)


def check_covariates(columns: Sequence[str], fields: Mapping[str, Domain], table: str) -> None:
    """Raises :class:`QueryError` for columns that are no covariates."""
    for name in columns:
        domain = column(name, fields, table)
        if not isinstance(domain, (Category, Boolean, Integer)):
            instead = "name another column"
            if isinstance(domain, Numeric):
                wide = float(f"{float(domain.spacing * (domain.cells - 1)) / BANDS:.0e}")
                instead = (
                    f"take it in steps, such as {name}_band of data=pets.query({table!r})"
                    f".with_columns({name}_band=pets.col({name!r}) // {wide:g})"
                )
            raise QueryError(
                f"column {name!r} holds {domain.describe()}, and a covariate of a Cox regression is a category, a "
                f"boolean or a whole number of few values; {instead}"
            )


def listed(name: str, domain: Domain, levels: Sequence[str]) -> bool:
    """Whether each value of a column has a coefficient of its own, against that of a reference."""
    return name in levels or not isinstance(domain, Integer)


def check_levels(
    levels: Sequence[str], references: Sequence[tuple[str, Value]], columns: Sequence[str], fields: Mapping[str, Domain]
) -> None:
    """Raises :class:`QueryError` for references that are no values of columns with values of their own."""
    for name, value in references:
        if name not in columns:
            raise QueryError(
                f"reference names {name!r}, which is no covariate{did_you_mean(name, list(columns))}; name one of "
                f"{html_table.few(columns)}"
            )
        domain = fields[name]
        if not listed(name, domain, levels):
            raise QueryError(f"{name!r} is a number, so it has no reference; write C({name}) in a formula, or leave it")
        known = [domain.decode(code) for code in range(domain.cells)]
        if not any(type(one) is type(value) and one == value for one in known):
            raise QueryError(
                f"reference of {name!r} is {shown(value)}, which the schema does not list"
                f"{did_you_mean(value, known)}; take one of {html_table.few(map(repr, known))}"
            )


@dataclass(frozen=True)
class Covariates:
    """The patterns and what their coefficients are of.

    Attributes:
        terms: one a coefficient; of products those of fewer columns first.
        design: one row a pattern, one column a term; an indicator is 0 or 1, a number itself.
        references: of each column of values, the one against which the others are.
        domains: of the columns.
    """

    terms: tuple[Term, ...]
    design: Floats
    references: Mapping[str, Value] = field(default_factory=dict)
    domains: Mapping[str, Domain] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        plan: Plan,
        columns: Sequence[str],
        products: Sequence[tuple[str, ...]] = (),
        levels: Sequence[str] = (),
        references: Sequence[tuple[str, Value]] = (),
    ) -> Covariates:
        """Of a plan's groups."""
        domains = {name: plan.fields[name] for name in columns}
        against: dict[str, Value] = {
            name: domain.decode(0) for name, domain in domains.items() if listed(name, domain, levels)
        } | dict(references)
        choices: dict[str, list[tuple[str, Value | None]]] = {
            name: [(name, value) for code in range(domain.cells) if (value := domain.decode(code)) != against[name]]
            if name in against
            else [(name, None)]
            for name, domain in domains.items()
        }
        terms = tuple(
            Term(parts)
            for term in (*((name,) for name in columns), *products)
            for parts in product(*(choices[name] for name in term))
        )
        keys, there = plan.layout.columns(), places(plan)
        natural = {
            name: np.array([float(_code(domains[name], keys[name][place], name in against)) for place in there])
            for name in columns
        }
        return cls(terms, _design(terms, natural, domains), against, domains)

    def rows(self, frame: Any) -> Floats:
        """The design of new rows; NaN where a row lacks a value. Raises :class:`UserError` for columns and values."""
        natural = {
            name: numbers(name, domain, column_of(frame, name), name in self.references)
            for name, domain in self.domains.items()
        }
        return _design(self.terms, natural, self.domains)

    @property
    def first(self) -> Floats:
        """The pattern that ratios are against: references, and the least of each number."""
        natural = {name: np.zeros(1) for name in self.domains}
        for name, value in self.references.items():
            natural[name] = np.array([float(_code(self.domains[name], value, True))])
        for name, domain in self.domains.items():
            if name not in self.references:
                natural[name] = np.array([float(domain.decode(0))])
        found: Floats = _design(self.terms, natural, self.domains)[0]
        return found


def _code(domain: Domain, value: Any, among: bool) -> Any:
    """A value as a code of its domain, or a number as itself."""
    if not among:
        return value
    return next(code for code in range(domain.cells) if str(domain.decode(code)) == str(value))


def _design(terms: Sequence[Term], natural: Mapping[str, Floats], domains: Mapping[str, Domain]) -> Floats:
    """A column a term; an indicator is 0 or 1, a number itself."""
    out = []
    for term in terms:
        made = np.ones(len(next(iter(natural.values()))))
        for name, value in term.parts:
            part = natural[name]
            if value is not None:
                part = np.where(np.isnan(part), np.nan, part == _code(domains[name], value, True))
            made = made * part
        out.append(made)
    found: Floats = np.array(out).T
    return found


@dataclass(frozen=True)
class Judged:
    """Which coefficients are given: those alone whose intervals hold as often as they say.

    Attributes:
        covariates: the patterns, and what the coefficients are of.
        patterns: who leaves each of them when.
        wide: by bin 1 where those who are lost in it count half, else 0.
    """

    covariates: Covariates
    patterns: Sequence[Streams]
    wide: Floats

    def _events(self, among: Any) -> tuple[float, float]:
        """How many events these patterns have, and the standard deviation of the noise on them."""
        chosen = [one for one, there in zip(self.patterns, among, strict=True) if there]
        events = sum(float(one.events.sum()) for one in chosen)
        return events, math.sqrt(sum(float(one.covariance(one.bins).sum()) for one in chosen))

    def _few(self, among: Any, least: float = CLEAR) -> bool:
        """Whether these patterns have too few events; or, of values, too few at risk for the likelihood in any bin."""
        events, noise = self._events(among)
        chosen = [one for one, there in zip(self.patterns, among, strict=True) if there]
        if not noise:
            return events <= 0
        return events < least * noise or (least == CLEAR and not any(ended(one, FIRM) for one in chosen))

    @property
    def exact(self) -> bool:
        """Whether there is no noise."""
        return not any(one.deviation for one in self.patterns)

    @cached_property
    def _seen(self) -> tuple[tuple[bool, ...], tuple[tuple[str, ...], ...], tuple[tuple[str, ...], ...]]:
        """Which terms are rare, and the columns of which terms lack their reference, or have a value too few.

        A product of columns tells apart all patterns of these, so each of those must have enough events; those in which
        a rare value stands have left the fit already.
        """
        terms, design = self.covariates.terms, self.covariates.design
        rare, gone = np.zeros(len(terms), dtype=bool), np.zeros(len(design), dtype=bool)
        lost, thin = [], []
        for columns in dict.fromkeys(term.columns for term in terms):
            within = [at for at, term in enumerate(terms) if set(term.columns) <= set(columns)]
            own = [at for at in within if terms[at].columns == columns]
            number = terms[own[0]].measured
            for cell in np.unique(design[~gone][:, within], axis=0):
                among = ~gone & (design[:, within] == cell).all(axis=1)
                if number and (self.exact or not self._few(among, FIRM)):
                    continue
                if not number and not self._few(among):
                    continue
                there = [at for at in own if design[among][:, at].any()]
                if number:
                    thin.append(columns)
                elif there:
                    rare[there] = True
                else:
                    lost.append(columns)
            gone |= design[:, rare].any(axis=1)
        return tuple(rare.tolist()), tuple(dict.fromkeys(lost)), tuple(dict.fromkeys(thin))

    @property
    def rare(self) -> tuple[bool, ...]:
        """Whether hardly anybody, or nobody told apart from the noise, had a term's value, or with the event."""
        return self._seen[0]

    @property
    def lost(self) -> tuple[tuple[str, ...], ...]:
        """Columns of terms whose reference, against which the others are, hardly anybody had, or with the event."""
        return self._seen[1]

    @property
    def thin(self) -> tuple[tuple[str, ...], ...]:
        """Whole numbers of which some value has too few events beside the noise: it would move the ratio by itself."""
        return self._seen[2]

    @cached_property
    def _there(self) -> list[int]:
        """The patterns in which no rare value stands."""
        gone = [at for at, rare in enumerate(self.rare) if rare]
        return [at for at, row in enumerate(self.covariates.design) if not row[gone].any()]

    @cached_property
    def clear(self) -> float:
        """The share of the events that lie in bins in which enough of their pattern are at risk."""
        patterns = [self.patterns[at] for at in self._there]
        return float(Counts.of(patterns, self.wide).died.sum()) / max(
            sum(float(one.events.sum()) for one in patterns), 1.0
        )

    @cached_property
    def crowd(self) -> float:
        """The share of those at risk in a bin who have the event in it, on the average over events."""
        counts = Counts.of([self.patterns[at] for at in self._there], self.wide)
        died, risk = counts.died, counts.risk.sum(axis=0)
        share = np.divide(died, risk, out=np.zeros_like(died), where=risk > 0)
        return float(died @ share) / max(float(died.sum()), 1.0)

    @property
    def enough(self) -> bool:
        """Whether there are enough events beside the noise."""
        return not (self.lost or self.thin or all(self.rare)) and (self.exact or self.clear >= HALF)

    @cached_property
    def _kept(self) -> list[int]:
        return [at for at, rare in enumerate(self.rare) if not rare]

    @cached_property
    def _found(self) -> Partial | None:
        """The fit, whether or not it is given."""
        if not self.enough or not (self.exact or self.crowd <= CROWD):
            return None
        there = self._there
        design = self.covariates.design[np.ix_(there, self._kept)]
        found = partial([self.patterns[at] for at in there], design, self.wide)
        return found if found.settled else None

    @property
    def solved(self) -> tuple[Partial | None, list[int]]:
        """The fit, and the places of the terms that are in it."""
        found = self._found
        return (None, []) if found is None or self._drawn(found) else (found, self._kept)

    def _drawn(self, found: Partial) -> bool:
        error = np.sqrt(np.diag(found.noise + found.sampling))
        return not self.exact and bool((np.abs(found.coefficients) * self.crowd**3 / 2 > DRAWN * error).any())

    @property
    def few(self) -> str:
        """What there is of rare values, in words."""
        return "no events" if self.exact else "too few events or people beside the noise"

    @property
    def why(self) -> str | None:
        """Why there are no coefficients at all, with what mends it; from released numbers alone."""
        if self.solved[0] is not None:
            return None
        few = self.few
        more = "" if self.exact else ", or ask with more epsilon"
        if alone := [columns[0] for columns in self.lost if len(columns) == 1]:
            names = " and ".join(f"{name}[{self.covariates.references.get(name)}]" for name in alone)
            other = {name: value for name in alone if (value := self._instead(name)) is not None}
            instead = f"take another, such as reference={other!r}, which costs nothing more, or " if other else ""
            return f"{few} with {names}, against which the others are; {instead}leave it out{more}."
        if self.lost:
            names = " and ".join(map(repr, self.lost[0]))
            return f"{few} with some of the values of {names} together; leave their product out{more}."
        if self.thin:
            names = " and ".join(map(repr, dict.fromkeys(name for columns in self.thin for name in columns)))
            return (
                f"some value of {names} has fewer events than {FIRM:g} standard deviations of the noise on them; group "
                "its values with map, a number's with //, or ask with more epsilon."
            )
        if all(self.rare):
            return f"{few} with any value but the reference; leave such covariates out{more}."
        if not self.exact and self.clear < HALF:
            return (
                "less than half of the events lie in bins in which enough people are at risk beside the noise; take "
                "fewer or earlier-ending bins, fewer covariates, or more epsilon."
            )
        if not self.exact and (self.crowd > CROWD or self._found is not None):
            return (
                f"in a bin {self.crowd:.0%} of those at risk have the event, which draws ratios towards 1 beyond their "
                "intervals; take edges that lie closer together where people leave."
            )
        return f"the counts do not determine them; take fewer covariates{more}."

    def _instead(self, name: str) -> Value | None:
        """The value of a column with the most events, where these are enough."""
        found: list[tuple[float, Value]] = []
        for at, term in enumerate(self.covariates.terms):
            among = self.covariates.design[:, at] > 0
            if term.columns == (name,) and (value := term.parts[0][1]) is not None and not self._few(among):
                found.append((self._events(among)[0], value))
        return max(found, key=lambda one: one[0])[1] if found else None

    def survival(self, rows: Floats) -> list[Curve | None]:
        """Of each row of a design the curve that the fit expects; ``None`` where a coefficient that is not given, or
        a missing value, enters."""
        found, kept = self.solved
        gone = [at for at in range(len(self.covariates.terms)) if at not in kept]
        there = [self.patterns[at] for at in self._there]
        design = self.covariates.design[np.ix_(self._there, kept)]
        made: dict[bytes, Curve] = {}  # (rows may be many, and patterns are few)
        for row in rows:
            if found is not None and not np.isnan(row).any() and not row[gone].any() and row.tobytes() not in made:
                made[row.tobytes()] = survival_of(there, design - row[kept], self.wide, found)
        return [made.get(row.tobytes()) for row in rows]
