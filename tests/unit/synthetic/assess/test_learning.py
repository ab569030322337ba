"""Learners' scores: what resampling counts in whole numbers is what scikit-learn says of the rows drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pets.synthetic.assess import learning
from tests.extras import needs

needs("sklearn")

CLASSES: dict[str, tuple[int, list[int]]] = {
    "two classes": (2, [0, 1]),
    "five classes": (5, [0, 1, 2, 3, 4]),
    "classes that the learner never saw": (5, [0, 2, 4]),
    "nothing learnt": (2, [1]),
}


@pytest.mark.parametrize("digits", [1, 17])
@pytest.mark.parametrize(("kinds", "classes"), CLASSES.values(), ids=CLASSES)
@pytest.mark.parametrize("rows", [3, 60])
def test_a_resampled_curve_is_scikit_learns(rows: int, kinds: int, classes: list[int], digits: int) -> None:
    """With chances that tie and that do not; of three rows, some samples hold one class alone."""
    random = np.random.default_rng(7)
    truth = np.append(random.integers(0, kinds, rows - 2), [0, 1])
    chances = np.round(random.random((rows, len(classes))) + 0.3 * (truth[:, None] == classes), digits)
    samples = [random.integers(0, rows, rows) for _ in range(6)] + [np.zeros(rows, dtype=np.int64)]
    drawn = np.stack([np.bincount(sample, minlength=rows) for sample in samples])
    wanted = [learning._curve(truth[sample], chances[sample], np.array(classes)) for sample in samples]
    assert learning._curves(truth, chances, np.array(classes), drawn) == pytest.approx(wanted, abs=1e-12)
    assert len(set(wanted)) > 1 or classes == [1]


def test_samples_are_drawn_a_few_at_a_time_where_rows_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(8)
    truth, chances = random.integers(0, 2, 90), random.random((90, 2))
    given: tuple[Any, ...] = (0.5, truth, chances, np.array([0, 1]), 3)
    wanted = learning._ends(*given)
    monkeypatch.setattr(learning, "_AT_ONCE", 7 * 90)
    assert learning._ends(*given) == wanted and 0.2 < wanted[0] < 0.5 < wanted[1] < 0.8
