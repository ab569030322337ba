"""Covariates of a Cox regression: the patterns that a release tells apart, as rows of a design."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pets.common.integers import Floats
from pets.errors import QueryError
from pets.models.survival.exit_model import places
from pets.plan.plan import Plan
from pets.plan.predicate import field
from pets.schema.domain import Boolean, Category, Domain
from pets.schema.numeric import Integer


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
