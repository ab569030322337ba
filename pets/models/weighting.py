"""Weighting: whether a straight line under noise is fitted to weighted rows, and from which length on they count less.

It is decided by the schema and the model alone, never by rows or by what is left of a budget: so every protection with
noise fits the same line, and whoever asks can work it out beforehand.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from pets.errors import QueryError
from pets.models.forecast import errors
from pets.plan.fitted.design import Design, design_of
from pets.plan.plan import make_plan
from pets.query_model.nodes.design import MAX_LENGTH, Moments
from pets.query_model.query import Query
from pets.schema.schema import Schema

WORTH = 0.85
"""Weights are taken where they lower the noise of coefficients to this part of it, or further."""
OF_NUMBER = Fraction(1, 4)
"""What a number's square is taken to be, as it lies from -1 to 1: less than the third of numbers that are spread
evenly, for most lie closer together."""


def worth(query: Callable[[Fraction | None], Query], schema: Schema) -> Fraction | None:
    """R² for a regression, or ``None`` where weights do not lower the noise enough, or there are none.

    Args:
        query: the question about the regression's sums, with a given R² or with rows in full.
    """
    design, noise = _noise(query(None), schema)
    length = usual(design)
    try:
        less = _noise(query(length), schema)[1]
    except QueryError:  # too fine, or too many categories
        return None
    return length if less <= WORTH * noise else None


def usual(design: Design) -> Fraction:
    """R² unless another one is given: a usual row's squared length. A column of two values and a category add 1 to it.

    A product adds the product of what its columns would.
    """
    found = Fraction(1)
    for term in design.products:
        alone = [design.wide(name) or design.domains[name].cells == 2 for name in term]
        found += math.prod((Fraction(1) if one else OF_NUMBER for one in alone), start=Fraction(1))
    return min(found, Fraction(MAX_LENGTH))


def _noise(query: Query, schema: Schema) -> tuple[Design, float]:
    """What noise makes of a coefficient, on the geometric mean, where columns are spread evenly."""
    plan = make_plan(query, schema)
    ((_, asked),), (measure,) = query.aggregates, plan.measures
    assert isinstance(asked, Moments)
    design = design_of(asked, plan.fields, plan.table)
    made = errors(design, measure, math.sqrt(measure.sensitivity.l2_squared), 1)[0]
    return design, float(np.exp(np.mean(np.log(made))))
