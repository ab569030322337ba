"""Fixed point: the arithmetic of a network in whole numbers, so that what a row adds depends on that row alone.

A bound on one person says nothing if the others' numbers change when a person leaves. In floating point they do: the
rounding of a product of matrices, and of a vectorised tanh, depends on where in a batch a row stands. So everything is
a whole number here: inputs of 2^-12, weights and errors of 2^-16, gradients of 2^-28, then of 2^-12. Products of
matrices run in doubles, and every partial sum of theirs is a whole number below 2^53; so they are exact, in whatever
order and on whatever machine. tanh, the logistic function and exp are tables, made value by value. What remains are
single operations of IEEE 754 on single numbers, which are rounded in one way.

docs/proofs/training.md has the bounds.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from pets.common.integers import Floats
from pets.query_model.nodes.layers import LARGEST

INPUT, WEIGHT = 2**12, 2**16
"""Units in 1: of inputs and what units give, and of weights and errors."""
SIZE = LARGEST
"""No weight passes it."""
CAP = 64 * INPUT
"""No unit gives more: where a rectifier would, its slope is 0."""
ERROR = 16 * WEIGHT
"""No error that is passed back passes it."""
ENTRY = 2**17
"""No entry of one person's gradient passes it, before it is clipped."""
FLAT = 16 * INPUT
"""Beyond it tanh and the logistic function are flat, and exp is nothing."""
ROOT_TWO = round(math.sqrt(2) * INPUT)
"""The input of a category's value that a row has."""


@cache
def _table(name: str) -> Floats:
    function = {"tanh": _tanh, "logistic": _logistic, "exp": _exp}[name]
    low = -FLAT
    return np.array([function(at / INPUT) for at in range(low, FLAT + 1 if name != "exp" else 1)])


def _tanh(value: float) -> float:
    return round(math.tanh(value) * INPUT)


def _logistic(value: float) -> float:
    return round(WEIGHT / (1 + math.exp(-value)))


def _exp(value: float) -> float:
    return round(math.exp(value) * 2**30)


def _looked_up(name: str, units: Floats) -> Floats:
    places = np.clip(units, -FLAT, FLAT if name != "exp" else 0) + FLAT
    return _table(name)[places.astype(np.int64)]


def scaled(values: Floats, by: int) -> Floats:
    """The nearest whole numbers of ``by`` times as large a unit, a power of two: one rounding, of each alone."""
    return np.rint(values / by)


class Layers:
    """A network at whole-number weights.

    Args:
        weights: of each layer a row a unit; the last of it is of what is always 1.
        activations: after each layer but the last.
    """

    def __init__(self, weights: list[Floats], activations: tuple[str, ...]) -> None:
        self._weights, self._activations = weights, activations

    def _forward(self, inputs: Floats) -> tuple[list[Floats], list[Floats], Floats]:
        """What enters each layer (with the 1), each hidden slope (in units of inputs), and the last layer's output."""
        given, slopes = [with_one(inputs)], list[Floats]()
        for weights, activation in zip(self._weights[:-1], self._activations, strict=True):
            before = scaled(given[-1] @ weights.T, WEIGHT)
            if activation == "tanh":
                after = _looked_up("tanh", before)
                slopes.append(INPUT - scaled(after * after, INPUT))
            else:
                after = np.clip(before, 0, CAP)
                slopes.append(np.where((before > 0) & (before < CAP), float(INPUT), 0.0))
            given.append(with_one(after))
        return given, slopes, scaled(given[-1] @ self._weights[-1].T, WEIGHT)

    def chances(self, inputs: Floats) -> Floats:
        """Of each row and each class its chance, in units of weights; of two classes that of the second alone."""
        return _chances(self._forward(inputs)[2])

    def gradients(self, inputs: Floats, classes: Floats) -> Floats:
        """Of each row the derivative of its log loss by all weights, in units of 2^-28: a row of the result.

        Args:
            inputs: in their units.
            classes: the code of each row's outcome.
        """
        given, slopes, last = self._forward(inputs)
        error = _chances(last)
        if error.shape[1] == 1:
            error = error - classes[:, None] * WEIGHT
        else:
            error = error - (classes[:, None] == np.arange(error.shape[1])) * float(WEIGHT)
        found = list[Floats]()
        for place in range(len(self._weights) - 1, -1, -1):
            whole = error[:, :, None] * given[place][:, None, :]
            found.append(whole.reshape(len(inputs), -1))
            if place:
                back = scaled(error @ self._weights[place][:, :-1], WEIGHT)
                error = np.clip(scaled(back * slopes[place - 1], INPUT), -ERROR, ERROR)
        return np.concatenate(found[::-1], axis=1)


def with_one(inputs: Floats) -> Floats:
    """The inputs with what is always 1."""
    return np.concatenate([inputs, np.full((len(inputs), 1), float(INPUT))], axis=1)


def _chances(last: Floats) -> Floats:
    if last.shape[1] == 1:
        return _looked_up("logistic", last)
    weights = _looked_up("exp", last - last.max(axis=1, keepdims=True))
    shares: Floats = np.rint(weights * WEIGHT / weights.sum(axis=1, keepdims=True))
    return shares
