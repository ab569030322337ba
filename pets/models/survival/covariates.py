"""Covariates of a Cox regression: the patterns that a release tells apart, as rows of a design, and which are told."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pets.common.integers import Floats
from pets.errors import QueryError
from pets.models.survival.estimate import CLEAR, FIRM
from pets.models.survival.exit_model import places
from pets.models.survival.partial import Counts, Partial, partial
from pets.models.survival.streams import Streams
from pets.plan.plan import Plan
from pets.plan.predicate import field
from pets.schema.domain import Boolean, Category, Domain
from pets.schema.numeric import Integer

HALF = 0.5
"""Under noise nothing is given where less of the events lie in bins in which enough of their pattern are at risk."""
CROWD = 0.18
"""Nor where a greater share of those at risk in a bin has the event in it."""
DRAWN = 0.5
"""Nor where a bin's width draws a ratio towards 1 by more of its error: by log ratio · share², at most, as measured."""


@dataclass(frozen=True)
class Term:
    """One coefficient's covariate.

    Attributes:
        column: by name.
        level: the value against the first that the schema lists; ``None`` for a number.
    """

    column: str
    level: str | None

    def __str__(self) -> str:
        return self.column if self.level is None else f"{self.column}[{self.level}]"


def check_covariates(columns: Sequence[str], fields: Mapping[str, Domain], table: str) -> None:
    """Raises :class:`QueryError` for columns that are no covariates."""
    for name in columns:
        domain = field(name, fields, table)
        if not isinstance(domain, (Category, Boolean, Integer)):
            raise QueryError(
                f"column {name!r} holds {domain.describe()}, and a covariate of a Cox regression is a category, a "
                "boolean or a whole number of few values; name another column"
            )


@dataclass(frozen=True)
class Covariates:
    """The patterns and what their coefficients are of.

    Attributes:
        terms: one a coefficient.
        design: one row a pattern, one column a term; an indicator is 0 or 1, a number itself.
    """

    terms: tuple[Term, ...]
    design: Floats

    @classmethod
    def of(cls, plan: Plan, columns: Sequence[str]) -> Covariates:
        """Of a plan's groups."""
        keys, there = plan.layout.columns(), places(plan)
        terms: list[Term] = []
        made = []
        for name in columns:
            domain = plan.fields[name]
            labels = [keys[name][place] for place in there]
            if isinstance(domain, Integer):
                terms.append(Term(name, None))
                made.append([float(label) for label in labels])
                continue
            for code in range(1, domain.cells):
                level = str(domain.decode(code))
                terms.append(Term(name, level))
                made.append([float(str(label) == level) for label in labels])
        return cls(tuple(terms), np.array(made).reshape(len(terms), len(there)).T)


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

    def _few(self, among: Any, least: float = CLEAR) -> bool:
        chosen = [one for one, there in zip(self.patterns, among, strict=True) if there]
        events = sum(float(one.events.sum()) for one in chosen)
        noise = math.sqrt(sum(float(one.covariance(one.bins).sum()) for one in chosen))
        return events < least * noise if noise else events <= 0

    @property
    def exact(self) -> bool:
        """Whether there is no noise."""
        return not any(one.deviation for one in self.patterns)

    @cached_property
    def rare(self) -> tuple[bool, ...]:
        """Whether hardly anybody with a term's value, or nobody told apart from the noise, had the event."""
        return tuple(
            term.level is not None and self._few(self.covariates.design[:, at] > 0)
            for at, term in enumerate(self.covariates.terms)
        )

    @cached_property
    def lost(self) -> tuple[str, ...]:
        """Covariates whose first value, against which the others are, hardly anybody with the event had."""
        terms, out = self.covariates.terms, []
        for name in dict.fromkeys(term.column for term in terms):
            own = [at for at, term in enumerate(terms) if term.column == name and term.level is not None]
            if own and self._few(self.covariates.design[:, own].sum(axis=1) == 0):
                out.append(name)
        return tuple(out)

    @cached_property
    def thin(self) -> tuple[str, ...]:
        """Whole numbers of which some value has too few events beside the noise: it would move the ratio by itself."""
        out = []
        for at, term in enumerate(self.covariates.terms):
            values = self.covariates.design[:, at]
            if not self.exact and term.level is None and any(self._few(values == one, FIRM) for one in set(values)):
                out.append(term.column)
        return tuple(out)

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
        return not self.exact and bool((np.abs(found.coefficients) * self.crowd**2 > DRAWN * error).any())

    @property
    def why(self) -> str | None:
        """Why there are no coefficients at all, with what mends it; from released numbers alone."""
        if self.solved[0] is not None:
            return None
        few = "no events" if self.exact else f"fewer events than {CLEAR:g} standard deviations of the noise on them"
        more = "" if self.exact else ", or ask with more epsilon"
        if self.lost:
            names = " and ".join(map(repr, self.lost))
            return f"{few} with the first value of {names}, against which the others are; leave it out{more}."
        if self.thin:
            names = " and ".join(map(repr, self.thin))
            return (
                f"some value of {names} has fewer events than {FIRM:g} standard deviations of the noise on them; group "
                "its values with map, or ask with more epsilon."
            )
        if all(self.rare):
            return f"{few} with any value but the first; leave such covariates out{more}."
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
