"""SDC as a protection: presets as published, rules of one's own, one canonical form, and what a policy says of it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import pets
from pets.errors import BudgetError, PolicyError
from pets.protection.policy import Policy
from pets.protection.protection import Protection
from pets.protection.rounding import Rounding
from pets.protection.sdc import PRESETS, RELEASING, SDC

EVERY = [SDC("hes"), SDC("midpoint6", width=2), SDC(threshold=7), SDC(midpoint=True), SDC(threshold=9, hide_zero=True)]


@pytest.mark.parametrize("one", EVERY, ids=repr)
def test_round_trip_and_repr(one: SDC) -> None:
    assert Protection.from_json(one.to_json()) == one
    assert eval(repr(one)) == one


def test_what_is_usual_stays_out_of_the_form() -> None:
    assert SDC("hes").to_json() == {"kind": "sdc", "preset": "hes"}
    assert (
        SDC(threshold=7).to_json() == {"kind": "sdc", "threshold": 7, "base": 5} == SDC(threshold=7, base=5).to_json()
    )
    assert SDC("hes").rule == SDC(threshold=7).rule == Rounding(7, 5)
    assert SDC(midpoint=True).rule == PRESETS["midpoint6"].rule


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "SDC needs a rule"),
        ({"preset": "hess"}, "did you mean 'hes'"),
        ({"preset": 3}, "no preset 3"),
        ({"preset": "hes", "base": 5}, "leave base out"),
        ({"preset": "hes", "totals": "parts"}, "leave totals out"),
        ({"base": 5}, "needs a threshold"),
        ({"hide_zero": True}, "needs a threshold"),
        ({"threshold": 7, "base": 1}, "round too, such as base=5"),
        ({"threshold": 7, "base": 3}, "use a greater base"),
        ({"threshold": 3, "base": 5}, "use a greater threshold"),
        ({"threshold": 7, "width": 0}, "width must be a whole number above 0"),
        ({"threshold": 7, "width": 5}, "use a greater base"),
        ({"threshold": 1}, "a threshold of at least 2"),
        ({"threshold": 4, "base": 4}, "would show 5 people as 4, and nobody else so; use threshold=5"),
        ({"threshold": 11, "base": 5}, "would show 12 people as 10, and nobody else so; use threshold=12"),
        ({"threshold": "7"}, "whole number"),
    ],
)
def test_refusals_name_the_setting(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(BudgetError, match=said):
        SDC(**settings)


def test_no_rule_of_ones_own_shows_a_count_exactly() -> None:
    """By enumeration; and the threshold that a refusal names is one that is taken."""
    for threshold in range(4, 30):
        for base in range(4, 13):
            try:
                rule = SDC(threshold=threshold, base=base).rule
            except BudgetError as error:
                named = re.search(r"nobody else so; use threshold=(\d+)", str(error))
                assert named is None or SDC(threshold=int(named[1]), base=base)
                continue
            low, high = rule.interval(rule.shown(np.arange(1, 80)))
            assert (low < high).all(), rule


def test_each_small_count_of_a_preset_leaves_its_width_open() -> None:
    for name in RELEASING:
        rule, width = PRESETS[name].rule, SDC(name).width
        least, most = rule.hidden if rule.threshold else (1, rule.base)
        assert most - least >= width


# the policy -----------------------------------------------------------------------------------------------------------


def test_earlier_digests_of_policies_hold() -> None:
    assert Policy().to_json() == {"allow_unbounded": False}
    form = Policy(sdc=("hes",), sdc_width=4).to_json()
    assert form == {"allow_unbounded": False, "sdc": ["hes"], "sdc_width": 4}
    assert Policy.from_json(form) == Policy(sdc=["hes"], sdc_width=4)  # type: ignore[arg-type]
    assert Policy(sdc="hes").sdc == ("hes",)  # type: ignore[arg-type]
    assert Policy().digest != Policy(sdc=("hes",)).digest


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"sdc": 3}, "names of presets"),
        ({"sdc": ("hess",)}, "did you mean 'hes'"),
        ({"sdc": ("strict_10",)}, "to check tables by, not to release by; use pets.SDC\\('hes'\\)"),
        ({"sdc_width": 0}, "sdc_width must be a whole number above 0"),
        ({"sdc_filters": "all"}, "sdc_filters must be 'bins' or 'any'"),
        ({"sdc_review": "no"}, "sdc_review must be"),
        ({"sdc_seconds": -1}, "sdc_seconds must be"),
    ],
)
def test_what_a_policy_cannot_say(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(PolicyError, match=said):
        Policy(**settings)


def test_a_policy_allows_the_rules_that_it_names() -> None:
    Policy(sdc=("hes",)).check_sdc(SDC("hes"))
    Policy(sdc=("own",)).check_sdc(SDC(threshold=7))
    with pytest.raises(PolicyError, match=r"does not allow 'hes'; use pets.DP\(epsilon=…\)$"):
        Policy().check_sdc(SDC("hes"))
    with pytest.raises(PolicyError, match=r"does not allow 'own'; use pets.DP\(epsilon=…\), or pets.SDC\('hes'\)$"):
        Policy(sdc=("hes",)).check_sdc(SDC(threshold=7))
    with pytest.raises(PolicyError, match="use width=4"):
        Policy(sdc=("hes",), sdc_width=4).check_sdc(SDC("hes"))
    Policy(sdc=("hes",), sdc_width=4).check_sdc(SDC("hes", width=4))


@pytest.mark.parametrize("name", [name for name, one in PRESETS.items() if not one.release])
def test_rules_to_check_by_release_nothing(name: str) -> None:
    with pytest.raises(PolicyError, match=r"not to release by; release with pets.SDC\('hes'\)"):
        Policy(sdc=RELEASING).check_sdc(pets.SDC(name))
