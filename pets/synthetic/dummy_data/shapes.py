"""Codes drawn by the hints of a schema: values by their weights, numbers and days of a shape, within the domain."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pets.schema.domain import Domain
from pets.schema.numeric import Numeric
from pets.schema.twin.hints import Hint

Codes = npt.NDArray[np.int64]


def drawn(domain: Domain, hint: Hint | None, rows: int, random: np.random.Generator) -> Codes:
    """One code a row: by the hint, or each as likely.

    >>> from pets.schema.domain import Category
    >>> drawn(Category(["a", "b"]), Hint(weights=(0, 1)), 3, np.random.default_rng(0)).tolist()
    [1, 1, 1]
    """
    if hint is not None and hint.weights:
        return _weighed(hint.weights, rows, random)
    if hint is None or hint.shape is None or hint.shape[0] == "even":
        return random.integers(0, domain.cells, size=rows, dtype=np.int64)
    word, numbers = hint.shape
    if word == "bands":
        band = _weighed(numbers, rows, random)
        return np.minimum(
            ((band + random.random(rows)) * domain.cells / len(numbers)).astype(np.int64), domain.cells - 1
        )
    assert isinstance(domain, Numeric)
    low, step = float(domain.origin), float(domain.spacing)
    return _clipped((values(hint, low, rows, random) - low) / step, domain.cells)


def values(hint: Hint, low: float, rows: int, random: np.random.Generator) -> npt.NDArray[np.float64]:
    """Numbers of a shape; those that fall off do so from ``low`` on."""
    assert hint.shape is not None
    word, numbers = hint.shape
    first = numbers[0]
    above = max(0.0, first - low)
    if word == "geometric":
        return low + np.asarray(random.geometric(1 / (1 + above), rows) - 1.0)
    if word == "poisson":
        return low + np.asarray(random.poisson(above, rows), dtype=np.float64)
    if word == "normal":
        return first + numbers[1] * random.standard_normal(rows)
    return np.asarray(first * np.exp(numbers[1] * random.standard_normal(rows)))


def _clipped(codes: npt.NDArray[np.float64], cells: int) -> Codes:
    return np.clip(np.rint(codes), 0, cells - 1).astype(np.int64)


def _weighed(weights: tuple[float, ...], rows: int, random: np.random.Generator) -> Codes:
    shares: Any = np.cumsum(weights) / np.sum(weights)
    last = int(np.flatnonzero(weights)[-1])
    return np.minimum(np.searchsorted(shares, random.random(rows), side="right"), last).astype(np.int64)
