"""Predicting: a fit's sum of terms for new rows, from its public columns and its coefficients alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pets.common.integers import Floats
from pets.errors import UserError
from pets.models.new_rows import column_of, numbers, outcome_beside
from pets.plan.fitted.design import Design

if TYPE_CHECKING:
    import pandas as pd


def summed(design: Design, coefficients: Floats, frame: pd.DataFrame) -> Floats:
    """The sum of terms, each times its coefficient, of each new row; NaN where a row lacks a value.

    Raises:
        UserError: for a column that is missing, or a value that the schema does not list.
    """
    out = np.zeros(len(frame))
    for product, coefficient in zip(columns_of(design, frame).T, coefficients, strict=True):
        out = out + np.where(product == 0, 0.0, coefficient * product)  # (one that is not given says nothing of 0)
    return out


def columns_of(design: Design, frame: pd.DataFrame) -> Floats:
    """The columns of a design in their own units, one row a new row; raises as :func:`summed`."""
    names = dict.fromkeys(name for one in design.columns for name in one.term)
    natural = {name: values_of(name, design, frame) for name in names}
    out = np.ones((len(frame), len(design.columns)))
    for place, one in enumerate(design.columns):
        for name in one.term:
            part = natural[name]
            if name in one.levels:
                part = np.where(np.isnan(part), np.nan, part == one.levels[name])
            out[:, place] *= part
    return out


def values_of(name: str, design: Design, frame: pd.DataFrame) -> Floats:
    """A column of new rows: numbers between their bounds, and codes of what is no number."""
    return numbers(name, design.domains[name], column_of(frame, name), name in design.listed)


def judged(design: Design, frame: pd.DataFrame, outcome: Any, predicted: Floats) -> tuple[Floats, Floats, Any]:
    """Outcomes and predictions of the rows that have both, and which these are.

    Args:
        outcome: of each row; ``None``: the frame has them.

    Raises:
        UserError: where no row has both, or there are not as many outcomes as rows.
    """
    given = values_of(design.outcome, design, outcome_beside(frame, design.outcome, outcome))
    known = ~(np.isnan(given) | np.isnan(predicted))
    if not known.any():
        raise UserError("no row has an outcome and all that predicts it; give other rows")
    return given[known], predicted[known], known
