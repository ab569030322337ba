"""Drawing some columns of a model where others are known: what the whole table of the model says, by hand."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from pets.synthetic.dp_model.given import draw_given
from pets.synthetic.dp_model.marginals import Model

SIZES = (2, 3, 2, 3, 2)
CLIQUES = ((0, 1), (1, 2), (2, 3), (1, 4))


def world(seed: int) -> tuple[Model, Any]:
    """A chain with a branch, as a junction tree, and its whole table."""
    random = np.random.default_rng(seed)
    whole = np.ones(SIZES)
    for clique in CLIQUES:
        factor = random.random([SIZES[place] for place in clique]) ** 3
        whole = whole * factor.reshape([SIZES[place] if place in clique else 1 for place in range(5)])
    whole /= whole.sum()
    nodes = tuple(
        (clique, whole.sum(axis=tuple(place for place in range(5) if place not in clique))) for clique in CLIQUES
    )
    return Model(SIZES, nodes, 1000.0), whole


def expected(whole: Any, given: dict[int, int], wanted: tuple[int, ...], allowed: dict[int, Any]) -> Any:
    left = whole
    for place in range(5):
        keep = np.ones(SIZES[place]) if place not in allowed else np.asarray(allowed[place], dtype=float)
        if place in given:
            keep = np.eye(SIZES[place])[given[place]]
        left = left * keep.reshape([SIZES[place] if axis == place else 1 for axis in range(5)])
    summed = left.sum(axis=tuple(place for place in range(5) if place not in wanted))
    return summed / summed.sum()


@pytest.mark.parametrize(
    ("known", "wanted", "allowed"),
    [
        ((0,), (3, 4), {}),
        ((3,), (0, 4), {}),  # what is known lies below what is wanted
        ((3, 4), (0,), {}),
        ((1,), (0, 2), {}),
        ((0, 3), (1, 2), {1: [True, False, True]}),
        ((2,), (1, 3), {3: [False, True, True], 1: [True, True, False]}),
        ((0, 1, 2), (3,), {3: [True, False, False]}),
    ],
)
def test_it_is_what_the_whole_table_says(known: Any, wanted: Any, allowed: dict[int, Any]) -> None:
    model, whole = world(7)
    random = np.random.default_rng(1)
    for slots in itertools.product(*(range(SIZES[place]) for place in known)):
        given = dict(zip(known, slots, strict=True))
        rows = 20_000
        drawn = draw_given(
            model,
            {place: np.full(rows, slot) for place, slot in given.items()},
            wanted,
            {place: np.array(mask) for place, mask in allowed.items()},
            random,
        )
        shape = [SIZES[place] for place in sorted(wanted)]
        order = np.argsort(wanted)
        cells = np.ravel_multi_index([drawn[:, at] for at in order], shape)
        share = np.bincount(cells, minlength=int(np.prod(shape))).reshape(shape) / rows
        right = expected(whole, given, wanted, allowed)
        assert np.abs(share - right).sum() / 2 < 0.02
        assert (share[right == 0] == 0).all()


def test_rows_are_apart_from_each_other() -> None:
    """Each row by what is known of it alone, also in several blocks."""
    model, whole = world(3)
    random = np.random.default_rng(2)
    first = random.integers(0, 2, 40_000)
    mask = np.ones((40_000, 3), dtype=bool)
    mask[first == 0, 0] = False
    drawn = draw_given(model, {0: first}, (3,), {3: mask}, random)[:, 0]
    assert not (drawn[first == 0] == 0).any()
    for slot in (0, 1):
        share = np.bincount(drawn[first == slot], minlength=3) / (first == slot).sum()
        right = expected(whole, {0: slot}, (3,), {3: [slot == 1, True, True]})
        assert np.abs(share - right).sum() / 2 < 0.02


def test_what_the_model_holds_for_impossible_is_drawn_from_what_is_allowed() -> None:
    model = Model((2, 2), (((0, 1), np.array([[0.5, 0.5], [0.0, 0.0]])),), 10.0)
    drawn = draw_given(
        model, {0: np.ones(500, dtype=np.int64)}, (1,), {1: np.array([False, True])}, np.random.default_rng(0)
    )
    assert (drawn == 1).all()
