"""Protections: what was asked, validated, with one canonical form."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from pets.common.codec import canonical
from pets.errors import BudgetError, InternalError
from pets.protection.protection import DP, Exact, Protection, Total

EVERY = [
    DP(epsilon=0.5),
    DP(epsilon=1, delta=1e-7),
    DP(rho=0.1),
    DP(epsilon=2, pure=True),
    DP(within=50),
    DP(within=0.25, confidence=0.99, simultaneous=True),
    Exact(),
    Total(),
]


@pytest.mark.parametrize("protection", EVERY, ids=repr)
def test_round_trip_and_repr(protection: Protection) -> None:
    assert Protection.from_json(protection.to_json()) == protection
    assert eval(repr(protection)) == protection
    assert canonical(protection.to_json())


def test_only_given_settings_are_shown() -> None:
    assert repr(DP(epsilon=1.0)) == "DP(epsilon=1)"
    assert repr(DP(epsilon=1, confidence=0.95)) == "DP(epsilon=1)"
    assert DP(within=50).to_json() == {"kind": "dp", "within": 50}
    assert DP(epsilon=0.1).to_json() == {"kind": "dp", "epsilon": "0.1"}
    assert DP(epsilon=1) == DP(epsilon=1.0)
    assert canonical(DP(epsilon=1).to_json()) == canonical(DP(epsilon=1.0).to_json())


def test_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        DP(epsilon=1).epsilon = 2  # type: ignore[misc]
    with pytest.raises(BudgetError, match=r"write DP\(epsilon=0.5\)"):
        DP(1)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "exactly one of epsilon, rho and within, and none was given"),
        ({"epsilon": 1, "rho": 1}, "epsilon and rho were given"),
        ({"epsilon": 1, "within": 1}, "epsilon and within were given"),
        ({"epsilon": 0}, "greater than 0"),
        ({"epsilon": -1}, "greater than 0"),
        ({"epsilon": float("nan")}, "finite"),
        ({"rho": float("inf")}, "finite"),
        ({"within": 0}, "greater than 0"),
        ({"epsilon": True}, "a number"),
        ({"epsilon": "1"}, "a number"),
        ({"epsilon": 1, "pure": 1}, "True or False"),
        ({"epsilon": 1, "delta": 0.5}, "too large"),
        ({"epsilon": 1, "delta": 0}, "pure=True"),
        ({"rho": 1, "delta": 1e-6}, "leave delta out"),
        ({"within": 1, "delta": 1e-6}, "leave delta out"),
        ({"epsilon": 1, "delta": 1e-6, "pure": True}, "no delta"),
        ({"rho": 1, "pure": True}, "by epsilon"),
        ({"epsilon": 1, "simultaneous": True}, "goes with within"),
        ({"within": 1, "simultaneous": "yes"}, "True or False"),
        ({"within": 1, "confidence": 1}, "below 1"),
        ({"within": 1, "confidence": 0.2}, "from 0.5"),
        ({"within": 1, "confidence": True}, "a number"),
    ],
)
def test_refusals_name_the_setting(settings: dict[str, object], said: str) -> None:
    with pytest.raises(BudgetError, match=said):
        DP(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "object with a kind"),
        ({"epsilon": 1}, "object with a kind"),
        ({"kind": 3}, "object with a kind"),
        ({"kind": "exat"}, "did you mean 'exact'"),
        ({"kind": "dp", "epsilom": 1}, "did you mean 'epsilon'"),
        ({"kind": "dp", "epsilon": "one"}, "must be a number"),
        ({"kind": "dp", "epsilon": None}, "none was given"),
        ({"kind": "dp", "epsilon": [1]}, "must be a number"),
        ({"kind": "exact", "epsilon": 1}, "no setting 'epsilon'"),
    ],
)
def test_from_json_refuses_in_plain_words(value: object, said: str) -> None:
    with pytest.raises(BudgetError, match=said):
        Protection.from_json(value)


def test_two_kinds_never_share_a_name() -> None:
    with pytest.raises(InternalError):

        class Other(Protection):
            kind = "dp"
