"""What an answer tells beside its number (its base, its mask, a refusal) somebody who knows how a house answers.

Three days of up to 14 people, and every population there is: what he knows of one are those that the house would answer
alike. As pets answers, by one rule and one grid, with refusals that follow from the question alone, that is no more
than the rule leaves open. Houses that read rows to refuse or to choose a base are broken the same way, although each
proves of every number that it lets out that it leaves small days open.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from pets.common.integers import Ints

MOST, SMALL, WIDTH = 14, 9, 3
WORLDS = np.stack(np.meshgrid(*[np.arange(MOST + 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3).astype(np.int64)
FEW = (WORLDS >= 1) & (WORLDS <= SMALL)
REFUSED, HIDDEN = -9, -1
Flags = npt.NDArray[np.bool_]


def rounded(counts: Ints, base: int) -> Ints:
    return (counts + base // 2) // base * base


def known(answers: Ints) -> tuple[Ints, Ints]:
    """Of each population, the least and the greatest that each day can be, among all that are answered alike."""
    group = np.unique(answers, axis=0, return_inverse=True)[1].ravel()
    low, high = np.full((int(group.max()) + 1, 3), MOST), np.zeros((int(group.max()) + 1, 3), dtype=np.int64)
    np.minimum.at(low, group, WORLDS)
    np.maximum.at(high, group, WORLDS)
    return low[group], high[group]


def narrow(answers: Ints, width: int = WIDTH) -> Flags:
    """The populations of which a day of few people is known to less than ``width``."""
    low, high = known(answers)
    return (FEW & (high - low < width)).any(axis=1)


def certain(answers: Ints) -> Flags:
    return narrow(answers, 1)


def columns(*found: Ints) -> Ints:
    return np.column_stack(found)


DAYS = WORLDS.T
PAIRS = columns(rounded(DAYS[0] + DAYS[1], 5), rounded(DAYS[1] + DAYS[2], 5))
ALL = WORLDS.sum(axis=1)
SAFE = ~narrow(PAIRS)
"""Where two tables of two days have left and leave every small day open: the third asks for all three days."""


def grid() -> Ints:
    """As pets: each day by one rule, sums of what is shown, ``*`` where only hidden days are in it; half a day refused.

    The rule is that of ``hes``: 1 to 7 hidden, others to the nearest 5.
    """
    shown = np.where((WORLDS >= 1) & (WORLDS <= 7), HIDDEN, rounded(WORLDS, 5))
    parts = [shown[:, list(days)] for days in ((0,), (1,), (2,), (0, 1), (1, 2), (0, 2), (0, 1, 2))]
    sums = [
        np.where((one <= 0).all(axis=1) & (one < 0).any(axis=1), HIDDEN, np.where(one < 0, 4, one).sum(axis=1))
        for one in parts
    ]
    return columns(*sums, np.full(len(WORLDS), REFUSED))


def in_review() -> Ints:
    """As pets outside a grid: whatever a check finds, the one who asked sees the same until a person has decided."""
    return columns(PAIRS, np.full(len(WORLDS), REFUSED))


def refused_by_rows() -> Ints:
    """The third table leaves unless a small day would be known too closely: so a refusal says that one would be."""
    third = rounded(ALL, 5)
    return columns(PAIRS, np.where(narrow(columns(PAIRS, third)), REFUSED, third))


def base_by_rows() -> Ints:
    """The third table leaves at the first base that proves every small day open: so a base says that others did not."""
    base, shown = np.full(len(WORLDS), REFUSED), np.full(len(WORLDS), REFUSED)
    for one in (21, 11, 5):
        third = rounded(ALL, one)
        fine = ~narrow(columns(PAIRS, third))
        base, shown = np.where(fine, one, base), np.where(fine, third, shown)
    return columns(PAIRS, base, shown)


def numbers_alone(answers: Ints) -> Flags:
    """What somebody gets of these answers who takes each number as its rule rounds it, and a refusal as nothing."""
    out = np.zeros(len(WORLDS), dtype=np.bool_)
    base = answers[:, 2] if answers.shape[1] > 3 else np.where(answers[:, -1] == REFUSED, REFUSED, 5)
    for one in np.unique(base).tolist():
        read = PAIRS if one == REFUSED else columns(PAIRS, rounded(ALL, one))
        out |= narrow(read) & (base == one)
    return out


@pytest.mark.parametrize("house", [grid, in_review])
def test_as_pets_answers_every_small_day_stays_open(house: Callable[[], Ints]) -> None:
    answers = house()
    assert not (narrow(answers) & SAFE).any()
    if house is grid:  # whatever the population is
        assert not narrow(answers).any()


@pytest.mark.parametrize("house", [refused_by_rows, base_by_rows])
def test_a_house_that_reads_rows_to_answer_is_broken(house: Callable[[], Ints]) -> None:
    answers = house()
    assert not (numbers_alone(answers) & SAFE).any(), "each number that left was proved to leave all open"
    told = SAFE & ((answers[:, 2] == REFUSED) if house is refused_by_rows else (answers[:, 2] > 5))
    assert SAFE.sum() == 3234 and told.sum() == 21
    assert (narrow(answers) & SAFE).tolist() == told.tolist(), "what was not answered as usual is given away"
    assert (certain(answers) & SAFE).sum() == 9


def test_one_refusal_gives_three_days_away() -> None:
    """The worked example: two tables show 10, and of all that they leave open one alone is refused the third."""
    answers = refused_by_rows()
    alike = (PAIRS == 10).all(axis=1)
    assert WORLDS[alike & (answers[:, 2] == REFUSED)].tolist() == [[11, 1, 11]]
    low, high = known(answers)
    at = int(np.flatnonzero((WORLDS == [11, 1, 11]).all(axis=1))[0])
    assert low[at].tolist() == high[at].tolist() == [11, 1, 11]
    before = [ends[at].tolist() for ends in known(PAIRS)]
    assert [b - a for a, b in zip(*before, strict=True)] == [12, 12, 12]


def test_a_refusal_that_looks_at_all_that_fit_tells_nothing() -> None:
    """Refused where any population that fits what has left would be: everybody can work that out."""
    third = rounded(ALL, 5)
    group = np.unique(PAIRS, axis=0, return_inverse=True)[1].ravel()
    some = np.zeros(int(group.max()) + 1, dtype=np.bool_)
    np.logical_or.at(some, group, narrow(columns(PAIRS, third)))
    assert not (narrow(columns(PAIRS, np.where(some[group], REFUSED, third))) & SAFE).any()
