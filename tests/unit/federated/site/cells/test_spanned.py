"""Small sets in the span of several partitions, against every set of atoms and exact ranks."""

from __future__ import annotations

from fractions import Fraction
from itertools import chain, combinations

import numpy as np
import pytest

from pets.federated.site.cells import spanned
from pets.federated.site.cells.spanned import tells_few
from pets.plan.vector import Ints
from tests.extras import needs

needs("scipy")


def lightest(sets: list[Ints]) -> int:
    """The rows of the smallest set whose indicator the others' add up to, by trying all; in fractions."""
    kinds, weights = np.unique(np.stack(sets), axis=1, return_counts=True)
    columns = [[Fraction(int(at == name)) for at in one] for one in kinds for name in sorted(set(one[one >= 0]))]
    basis: list[tuple[int, list[Fraction]]] = []

    def rest(vector: list[Fraction]) -> list[Fraction]:
        for lead, one in basis:
            vector = [a - vector[lead] * b for a, b in zip(vector, one, strict=True)]
        return vector

    for column in columns:
        left = rest(column)
        lead = next((place for place, value in enumerate(left) if value), None)
        if lead is not None:
            basis.append((lead, [value / left[lead] for value in left]))
    places = range(len(weights))
    every = chain.from_iterable(combinations(places, count) for count in range(1, len(weights) + 1))
    sizes = [
        int(weights[list(some)].sum()) for some in every if not any(rest([Fraction(int(at in some)) for at in places]))
    ]
    return min(sizes, default=0)


@pytest.mark.parametrize("seed", range(25))
def test_it_finds_what_trying_all_finds(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spanned, "_MORE", 1)
    draw = np.random.default_rng(seed)
    kinds = draw.integers(-1, 3, (int(draw.integers(2, 5)), 7))
    sets = list(np.repeat(kinds, draw.integers(1, 7, 7), axis=1))
    least = lightest(sets)
    for bound in (1, 2, 3, 5, 8, 13):
        assert tells_few(sets, bound) is (0 < least < bound), (bound, least)


def test_two_that_overlap_in_a_few_rows_tell_them_beside_the_whole() -> None:
    age, everybody = np.arange(20, 80).repeat(5), np.zeros(300, dtype=np.int64)
    old, young = np.where(age >= 40, 0, -1), np.where(age < 41, 0, -1)
    assert not tells_few([old, young], 8) and not tells_few([everybody, old], 8)
    assert tells_few([everybody, old, young], 8)
    assert not tells_few([everybody, old, young], 5)  # five are 40


def test_what_cannot_be_shown_in_time_does_not_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(1)
    sets = [draw.integers(0, size, 300) for size in (2, 8, 10, 6)]
    assert not tells_few(sets, 8)
    monkeypatch.setattr(spanned, "SECONDS", 0.0)
    assert tells_few(sets, 8)


def test_what_is_too_large_to_search_does_not_leave_and_is_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """400 sets of 16,000 atoms took gigabytes and minutes, while the site answered nobody."""
    draw = np.random.default_rng(1)
    sets = [draw.integers(0, size, 300) for size in (2, 8, 10, 6)]
    atoms, built = len(np.unique(np.stack(sets), axis=1).T), []
    monkeypatch.setattr(spanned, "LARGEST", atoms * 26)
    assert not tells_few(sets, 8)
    monkeypatch.setattr(spanned, "LARGEST", atoms * 26 - 1)
    monkeypatch.setattr(spanned, "_solved", lambda *given: built.append(given))
    assert tells_few(sets, 8) and not built
    one_each = [np.arange(3000), np.arange(3000)[::-1].copy()]
    monkeypatch.undo()
    assert tells_few(one_each, 8)
    assert not tells_few([one.repeat(8) for one in one_each], 8)  # which has no atom of few rows to search for


def test_the_clock_runs_from_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes before the search is of the same minute."""
    draw = np.random.default_rng(1)
    sets = [draw.integers(0, size, 300) for size in (2, 8, 10, 6)]
    found = spanned._atoms(sets)

    def later(given: list[Ints]) -> tuple[Ints, Ints]:
        monkeypatch.setattr(spanned, "SECONDS", 0.0)  # for a clock that is read after this
        return found

    monkeypatch.setattr(spanned, "_atoms", later)
    assert not tells_few(sets, 8)
