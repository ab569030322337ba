"""Arithmetic on arrays of whole numbers that never wraps and never rounds before its last step."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Numbers = npt.NDArray[Any]
"""Arrays of int64, of float64, or of Python's whole numbers where 64 bits are too few."""


def most(numbers: Numbers) -> int:
    """The greatest absolute value, and at least 1 (a coefficient alone must fit, too)."""
    return max(1, abs(int(numbers.max())), abs(int(numbers.min())))


def exact(numbers: Numbers) -> bool:
    """Whether an array holds whole numbers and nothing else: 64-bit ones, or Python's where one of them needs more."""
    if numbers.dtype != object:
        return numbers.dtype == np.int64
    return all(type(n) is int for n in numbers.flat) and most(numbers) >= 2**63


def array_of(numbers: Sequence[int]) -> Numbers:
    """Whole numbers as an array, in 64 bits where all of them fit; raises ``TypeError`` for anything else."""
    if not all(type(n) is int for n in numbers):
        raise TypeError("not whole numbers")
    return narrow(np.array(numbers, dtype=object)) if numbers else np.zeros(0, dtype=np.int64)


def combined(terms: Sequence[tuple[int, Numbers]], constant: int = 0) -> Numbers:
    """Σ coefficient · numbers + constant, exactly: in 64 bits where it fits, else in Python's whole numbers.

    >>> combined([(3, np.array([2**62]))]), combined([(3, np.array([2]))], 1)
    (array([13835058055282163712], dtype=object), array([7]))
    """
    if abs(constant) + sum(abs(c) * most(numbers) for c, numbers in terms) >= 2**63:
        terms = [(c, numbers.astype(object)) for c, numbers in terms]
    return sum((c * numbers for c, numbers in terms[1:]), terms[0][0] * terms[0][1] + constant)


def products(terms: Sequence[tuple[int, Numbers, Numbers]]) -> Numbers:
    """Σ coefficient · a · b, exactly."""
    if sum(abs(c) * most(a) * most(b) for c, a, b in terms) >= 2**63:
        terms = [(c, a.astype(object), b.astype(object)) for c, a, b in terms]
    return sum((c * a * b for c, a, b in terms[1:]), terms[0][0] * terms[0][1] * terms[0][2])


def divide(above: Numbers, below: Numbers) -> Floats:
    """The quotients as floats, each rounded once."""
    if above.dtype != object and below.dtype != object and max(most(above), most(below)) >= 2**53:
        above, below = above.astype(object), below.astype(object)
    return np.asarray(above / below, dtype=np.float64)


def over(numbers: Numbers, below: int, whole: bool) -> Numbers:
    """Whole numbers over one denominator: whole where ``whole`` says that they are, else floats.

    A sum whose midpoint lies on a half may end in .5 once it is noisy; it keeps that, so that the sum of cells stays
    equal to the cell of the sum, except beyond 2^52, where floats have no halves and the even neighbour is taken.
    """
    if below == 1:
        return narrow(numbers)
    if whole:
        return narrow(numbers // below)
    if below == 2 and most(numbers) >= 2**53:
        return narrow(np.array([round(Fraction(int(n), below)) for n in numbers], dtype=object))
    return divide(numbers, np.full(numbers.shape, below, dtype=numbers.dtype))


def narrow(numbers: Numbers) -> Numbers:
    """In 64 bits where all of them fit."""
    return numbers.astype(np.int64) if numbers.dtype == object and most(numbers) < 2**63 else numbers
