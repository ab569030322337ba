"""Fixed point: products are exact, a row's numbers are its own, and gradients are those of torch."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from pets.plan.trained.fixed_point import CAP, ERROR, INPUT, SIZE, WEIGHT, Layers
from tests.extras import needs

pytestmark = pytest.mark.chance(0)

SHAPES: list[tuple[tuple[int, ...], tuple[str, ...]]] = [
    ((5, 1), ()),
    ((5, 3), ()),
    ((7, 6, 1), ("tanh",)),
    ((7, 6, 4), ("relu",)),
    ((4, 8, 5, 3), ("relu", "tanh")),
]


def drawn(widths: tuple[int, ...], rows: int = 40, seed: int = 0) -> tuple[list[Any], Any, Any]:
    """Weights, inputs and classes, all whole numbers in their units."""
    rng = np.random.default_rng(seed)
    pairs = list(pairwise(widths))
    weights = [np.rint(rng.normal(0, 0.7, (after, before + 1)) * WEIGHT) for before, after in pairs]
    inputs = np.rint(rng.uniform(-1, 1, (rows, widths[0])) * INPUT)
    return weights, inputs, rng.integers(0, max(2, widths[-1]), rows).astype(np.float64)


@pytest.mark.parametrize(("widths", "activations"), SHAPES)
def test_gradients_are_those_of_torch(widths: tuple[int, ...], activations: tuple[str, ...]) -> None:
    """Per-sample gradients by torch.func, in doubles, of the same network."""
    needs("torch")
    import torch

    torch.set_num_threads(1)
    weights, inputs, classes = drawn(widths)
    turns = {"tanh": torch.tanh, "relu": torch.relu}

    def loss(given: tuple[Any, ...], row: Any, label: Any) -> Any:
        here = row
        for place, weight in enumerate(given):
            here = weight[:, :-1] @ here + weight[:, -1]
            here = turns[activations[place]](here) if place < len(activations) else here
        if widths[-1] == 1:
            return torch.nn.functional.softplus(here[0]) - label * here[0]
        return torch.logsumexp(here, 0) - ((torch.arange(widths[-1]) == label) * here).sum()

    tensors = tuple(torch.tensor(one / WEIGHT) for one in weights)
    each = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0))
    found = each(tensors, torch.tensor(inputs / INPUT), torch.tensor(classes))
    wanted = np.concatenate([one.reshape(len(inputs), -1).numpy() for one in found], axis=1)
    made = Layers(weights, activations).gradients(inputs, classes) / 2**28
    assert np.abs(made - wanted).max() < 0.003
    assert np.abs(wanted).max() > 0.5


@pytest.mark.parametrize(("widths", "activations"), SHAPES)
def test_a_row_gives_the_same_wherever_it_stands(widths: tuple[int, ...], activations: tuple[str, ...]) -> None:
    """To the last bit: alone, in another order, or beside other rows."""
    weights, inputs, classes = drawn(widths, 137)
    layers = Layers(weights, activations)
    together = layers.gradients(inputs, classes)
    order = np.random.default_rng(1).permutation(137)
    assert np.array_equal(layers.gradients(inputs[order], classes[order]), together[order])
    for start, end in [(0, 1), (5, 6), (3, 100), (1, 137)]:
        assert np.array_equal(layers.gradients(inputs[start:end], classes[start:end]), together[start:end])


def test_products_of_the_largest_numbers_are_exact() -> None:
    """The widest layers with everything at its end, against whole numbers of any size."""
    many = 1025
    given = np.full((2, many), float(CAP))
    given[:, ::2] -= 1
    weights = np.full((3, many), float(SIZE))
    weights[:, ::3] -= 1
    exact = [[sum(int(a) * int(b) for a, b in zip(row, unit, strict=True)) for unit in weights] for row in given]
    assert (given @ weights.T).astype(np.int64).tolist() == exact
    assert max(map(max, exact)) < 2**53
    error, back = np.full((2, 1024), float(ERROR) - 1), np.full((1024, 4), float(SIZE) - 1)
    passed = [[sum(int(a) * int(b) for a, b in zip(row, unit, strict=True)) for unit in back.T] for row in error]
    assert (error @ back).astype(np.int64).tolist() == passed
    assert max(map(max, passed)) < 2**53
    assert 2 * max(map(max, passed)) > 2**52
    assert ERROR * CAP * 10_000 < 2**53  # the gradients of a person's rows
    assert 2**30 * WEIGHT < 2**53 and 100 * 2**30 < 2**53


def test_every_number_on_the_way_is_whole_and_below_2_53() -> None:
    """At the greatest weights and inputs: what is passed back is cut off, and no gradient is rounded."""
    rng = np.random.default_rng(3)
    widths = (1023, 60, 60, 3)
    weights = [rng.choice([-float(SIZE), float(SIZE)], (after, before + 1)) for before, after in pairwise(widths)]
    inputs = rng.choice([-5793.0, 5793.0], (6, 1023))
    made = Layers(weights, ("relu", "relu")).gradients(inputs, np.array([0.0, 1, 2, 0, 1, 2]))
    assert np.array_equal(made, np.rint(made)) and np.abs(made).max() <= ERROR * CAP


def test_errors_that_are_passed_back_end_at_their_bound() -> None:
    """Units that give 1 each; behind them weights of ±64 add up to nothing going forward, and to much going back."""
    turns = np.where(np.arange(60) % 2, float(SIZE), -float(SIZE))
    first = np.concatenate([np.zeros((60, 4)), np.full((60, 1), float(WEIGHT))], axis=1)
    second = np.concatenate(
        [np.tile(turns, (60, 1)) * np.sign(turns)[:, None], np.full((60, 1), float(WEIGHT))], axis=1
    )
    last = np.concatenate([np.tile(turns, (3, 1)) * np.array([[1], [-1], [1]]), np.zeros((3, 1))], axis=1)
    made = Layers([first, second, last], ("relu", "relu")).gradients(np.full((1, 4), float(INPUT)), np.array([0.0]))
    size = [60 * 5, 60 * 61]
    assert np.abs(made[0, size[0] : sum(size)]).max() == ERROR * INPUT
    assert np.abs(made[0, : size[0]]).max() == ERROR * INPUT


def test_a_rectifier_ends_at_its_cap() -> None:
    layers = Layers([np.array([[float(SIZE), 0.0]]), np.array([[float(WEIGHT), 0.0]])], ("relu",))
    inputs = np.array([[2.0 * INPUT], [-1.0 * INPUT], [0.5 * INPUT]])
    found = layers.gradients(inputs, np.zeros(3))
    assert found[0, 0] == 0, "no slope beyond the cap"
    assert found[1, 0] == 0 and found[2, 0] != 0
