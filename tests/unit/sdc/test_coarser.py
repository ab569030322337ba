"""Coarser rules leave more open of every count, and are valid rules."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pets.protection.rounding import Rounding
from pets.sdc.coarser import coarser

RULES = {
    "hes": Rounding(threshold=7, base=5),
    "ons_10_5": Rounding(threshold=9, base=5, hide_zero=True),
    "midpoint6": Rounding(threshold=0, base=6, midpoint=True),
    "exact above 9": Rounding(threshold=9, base=1),
}


@pytest.mark.parametrize("name", RULES)
def test_each_step_leaves_at_least_as_much_open_of_every_count(name: str) -> None:
    rule, counts = RULES[name], np.arange(200)
    steps = coarser(rule)
    assert steps[0] == rule and len(steps) == 3
    open_ = [np.subtract(*reversed(one.interval(one.shown(counts)))) for one in steps]
    for finer, next_ in itertools.pairwise(open_):
        assert (next_ >= finer).all() and next_.sum() > finer.sum()
    for one in steps:
        low, high = one.interval(one.shown(counts))
        assert ((low <= counts) & (counts <= high)).all()


def test_what_is_kept() -> None:
    for one in coarser(RULES["ons_10_5"]):
        assert one.hide_zero and not one.midpoint
    assert [one.base for one in coarser(RULES["midpoint6"])] == [6, 12, 24]
    assert [one.base for one in coarser(Rounding(threshold=20, base=21))] == [21]
