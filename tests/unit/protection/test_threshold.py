"""One rule says which counts are few: what a preset hides, and what a site's min_cell and min_cohort withhold."""

from __future__ import annotations

import numpy as np
import pytest

from pets.federated import Totals
from pets.protection.rounding import HIDDEN
from pets.protection.sdc import PRESETS
from pets.protection.threshold import Threshold

COUNTS = np.arange(20)


@pytest.mark.parametrize("least", [0, 1, 2, 8, 10])
def test_a_group_is_small_from_one_row_on_and_a_cohort_from_none(least: int) -> None:
    rules = Totals(min_cohort=least, min_cell=least)
    assert rules.cell.few(COUNTS).tolist() == [n in range(1, least) for n in range(20)]
    assert rules.cohort.few(COUNTS).tolist() == [n in range(least) for n in range(20)]


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_hides_what_its_threshold_says_is_few(name: str) -> None:
    rule = PRESETS[name].rule
    assert (rule.shown(COUNTS) == HIDDEN).tolist() == rule.small.few(COUNTS).tolist()


def test_the_presets_and_the_rules_of_a_site_are_instances_of_it() -> None:
    """The numbers are those that the presets' owners publish: 1 to 7 in HES, and 0 to 9 by the ONS."""
    assert PRESETS["hes"].rule.small == Threshold(8) == Totals(min_cell=8).cell
    assert PRESETS["ons_10_5"].rule.small == Threshold(10, zero=True) == Totals(min_cohort=10).cohort
    assert Threshold(8).interval == (1, 7)
    assert not PRESETS["midpoint6"].rule.small.few(COUNTS).any()
