"""Small cuts, against every way to part a few vertices."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pets.federated.site.cells.small_cut import Edge, has_small_cut


def lightest(edges: list[Edge], size: int) -> int:
    """The lightest cut above 0, by trying all."""
    found = [
        sum(weight for one, other, weight in edges if (one in part) != (other in part))
        for count in range(1, size)
        for part in map(set, itertools.combinations(range(size), count))
    ]
    return min((weight for weight in found if weight), default=0)


@pytest.mark.parametrize("seed", range(40))
def test_it_finds_what_trying_all_finds(seed: int) -> None:
    draw = np.random.default_rng(seed)
    size = int(draw.integers(2, 9))
    pairs = [(a, b) for a in range(size) for b in range(size) if draw.random() < 0.4]  # both ways, and loops
    edges = [(a, b, int(draw.integers(1, 7))) for a, b in pairs]
    least = lightest(edges, size)
    for bound in range(1, 30):
        assert has_small_cut(edges, bound) is (0 < least < bound)


def test_parts_that_do_not_hang_together_are_parted_by_nothing() -> None:
    assert not has_small_cut([(0, 1, 9), (2, 3, 9)], 9)
    assert has_small_cut([(0, 1, 9), (2, 3, 8)], 9)
    assert not has_small_cut([], 9)
