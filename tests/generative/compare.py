"""An engine's answer against the oracle's."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from tests.oracle import Answer

SLACK = 1e-12
"""Relative: exact answers are fractions of whole numbers, rounded to a float at most a few times."""


@dataclass(frozen=True)
class Near:
    """A number that is rounded on its way, and how far off that can be."""

    value: float
    within: float


def differences(wanted: Answer, found: pd.DataFrame) -> list[str]:
    """What differs, cell by cell; empty where the two agree."""
    if tuple(found.columns) != wanted.columns:
        return [f"columns {list(found.columns)}, not {list(wanted.columns)}"]
    if len(found) != len(wanted.rows):
        return [f"{len(found)} rows, not {len(wanted.rows)}"]
    out = []
    columns = [found.iloc[:, place].tolist() for place in range(len(wanted.columns))]
    for index, row in enumerate(wanted.rows):
        for name, cell, column in zip(wanted.columns, row, columns, strict=True):
            if not same(cell, column[index]):
                out.append(f"row {index} {row}: {name} is {column[index]!r}, not {cell!r}")
    return out


def same(wanted: Any, found: Any) -> bool:
    """Whether a cell is what it should be: whole numbers exactly, fractions to the precision of a float."""
    if isinstance(wanted, list):
        return len(found) == len(wanted) and all(same(a, b) for a, b in zip(wanted, found, strict=True))
    if isinstance(wanted, Near):
        return math.isfinite(found) and abs(found - wanted.value) <= wanted.within
    if wanted is None:
        return isinstance(found, float) and math.isnan(found)
    if isinstance(wanted, Fraction):
        if isinstance(found, (int, np.integer)):
            return Fraction(int(found)) == wanted
        return math.isfinite(found) and abs(Fraction(found) - wanted) <= abs(wanted) * Fraction(SLACK)
    return str(wanted) == str(found)
