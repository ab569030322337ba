"""A site's policy: every rule that the code has is read from a file and written to its canonical form."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from pets.federated.site.policy import SitePolicy, TableRule, Totals

OTHER: dict[str, Any] = {
    "allow": True,
    "min_cohort": 11,
    "min_cell": 8,
    "dominance": 0.9,
    "max_fits": 3,
    "max_steps": 7,
    "max_totals": 9,
}
"""Another value than the default for each rule of exact totals: a new rule needs one."""


def test_each_rule_of_exact_totals_is_read_and_written() -> None:
    assert {field.name for field in fields(Totals)} == set(OTHER) == set(Totals(**OTHER).to_json())
    for name, value in OTHER.items():
        assert getattr(Totals(), name) != value
        texts = {"totals": {name: str(value).lower()}}  # as a YAML file gives them
        read = SitePolicy.from_json(texts)
        assert getattr(read.totals, name) == value
        assert read.digest != SitePolicy().digest
        assert SitePolicy.from_json(read.to_json()) == read


@pytest.mark.parametrize(
    ("kind", "form"), [(SitePolicy, SitePolicy(sdc=("hes",), sdc_encrypted=("hes",)).to_json()), (TableRule, None)]
)
def test_each_setting_is_in_the_canonical_form(kind: type[Any], form: dict[str, Any] | None) -> None:
    names = {field.name for field in fields(kind)}
    if form is None:
        form = TableRule(columns=("a",), aggregates=("count",), keys=("a",), filters=("a",)).to_json()
    assert names == set(form)
