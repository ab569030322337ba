"""Rules of rounding: what is published, and that an interval holds the counts that are shown so, and no others."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from pets.errors import BudgetError
from pets.protection.rounding import HIDDEN, Rounding
from pets.protection.sdc import PRESETS

PUBLISHED = {
    # what each rule's owner says of a count, by count
    "hes": {0: 0, 1: -1, 7: -1, 8: 10, 12: 10, 13: 15, 17: 15, 18: 20, 1002: 1000},
    "ons_10_5": {0: -1, 1: -1, 9: -1, 10: 10, 12: 10, 13: 15, 22: 20},
    "opensafely": {0: -1, 7: -1, 8: 10, 11: 10, 13: 15},
    "midpoint6": {0: 0, 1: 3, 6: 3, 7: 9, 12: 9, 13: 15, 18: 15},
    "strict_10": {0: -1, 9: -1, 10: 10, 11: 11},
    "acro_default": {0: -1, 9: -1, 10: 10, 13: 13},
    "datashield": {0: 0, 1: -1, 2: -1, 3: 3, 4: 4},
}


def rules() -> list[Rounding]:
    """The presets, and every other rule of small settings."""
    found = [one.rule for one in PRESETS.values()]
    for threshold, base, midpoint, hide_zero in product(range(12), range(1, 12), (False, True), (False, True)):
        try:
            found.append(Rounding(threshold, base, midpoint, hide_zero))
        except BudgetError:
            continue
    return found


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_preset_shows_what_is_published(name: str) -> None:
    for count, shown in PUBLISHED[name].items():
        assert PRESETS[name].rule.shown(np.array([count])).tolist() == [shown]


def test_there_is_one_of_each() -> None:
    assert {*PUBLISHED} == {*PRESETS} and HIDDEN == -1


def test_an_interval_holds_the_counts_that_are_shown_so_and_no_others() -> None:
    """By enumeration, for more than 150 rules."""
    counts = np.arange(120)
    assert len(rules()) > 150
    for rule in rules():
        shown = rule.shown(counts)
        low, high = rule.interval(shown)
        for number in np.unique(shown[:80]).tolist():
            alike = counts[shown == number]
            assert (alike.min(), alike.max()) == (low[alike[0]], high[alike[0]]), (rule, number)
            assert len(alike) == high[alike[0]] - low[alike[0]] + 1, (rule, number)
        assert rule.fits(shown)
        none = np.setdiff1d(np.arange(-2, 26), shown)
        assert not any(rule.fits(np.array([number])) for number in none), rule


def test_what_an_attacker_knows_of_one_number_is_as_worked_out_by_hand() -> None:
    """Examples E1 and E2 of the issue: the interval of a 3, of a 10 and of a 15."""
    for name, number, ends in [
        ("hes", -1, (1, 7)),
        ("ons_10_5", -1, (0, 9)),
        ("ons_10_5", 10, (10, 12)),
        ("hes", 10, (8, 12)),
        ("opensafely", 10, (8, 12)),
        ("midpoint6", 3, (1, 6)),
        ("midpoint6", 9, (7, 12)),
        ("strict_10", -1, (0, 9)),
        ("hes", 0, (0, 0)),
    ]:
        low, high = PRESETS[name].rule.interval(np.array([number]))
        assert (low.tolist(), high.tolist()) == ([ends[0]], [ends[1]]), (name, number)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"threshold": -1, "base": 5}, "threshold must be a whole number"),
        ({"threshold": 7, "base": 0}, "base must be a whole number from 1"),
        ({"threshold": 7.5, "base": 5}, "threshold must be a whole number"),
        ({"threshold": True, "base": 5}, "threshold must be a whole number"),
        ({"threshold": 7, "base": 5, "midpoint": 1}, "midpoint must be True or False"),
        ({"threshold": 7, "base": 5, "totals": "rounded"}, "'exact' or 'parts'"),
        ({"threshold": 0, "base": 1, "hide_zero": True}, "a threshold of at least 1"),
        ({"threshold": 7, "base": 6, "midpoint": True}, "leave threshold out"),
        ({"threshold": 1, "base": 5}, "a threshold of at least 2"),
        ({"threshold": 4, "base": 11}, "a threshold of at least 5"),
    ],
)
def test_rules_that_mean_nothing_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(BudgetError, match=said):
        Rounding(**settings)


def test_the_remedy_of_a_threshold_that_is_too_small_works() -> None:
    assert Rounding(2, 5).shown(np.array([3])).tolist() == [5] and Rounding(5, 11).shown(np.array([6])).tolist() == [11]


def test_there_and_back() -> None:
    for rule in rules():
        assert Rounding.from_json(rule.to_json()) == rule
    for form in (None, {}, {"threshold": 7}, Rounding(7, 5).to_json() | {"more": 1}):
        with pytest.raises(BudgetError, match="not a rule"):
            Rounding.from_json(form)


def test_a_rule_in_words() -> None:
    assert str(PRESETS["hes"].rule) == "1 to 7 hidden, others to the nearest 5"
    assert str(PRESETS["ons_10_5"].rule) == "0 to 9 hidden, others to the nearest 5"
    assert str(PRESETS["midpoint6"].rule) == "shown as the middle of their step of 6"
    assert str(PRESETS["strict_10"].rule) == "0 to 9 hidden, others as they are"
