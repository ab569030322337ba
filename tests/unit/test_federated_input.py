"""Arguments of a federation that do not fit: one plain sentence with the remedy, and nothing is charged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pets
from pets.errors import PolicyError, UserError
from pets.federated import Federation
from tests.unit.test_federated_site import HALF, N, federation, sessions, spent


def test_rows_are_not_counted_twice_nor_accounts_shared(tmp_path: Path) -> None:
    three = sessions(people=30)
    with pytest.raises(PolicyError, match="are one session, whose rows would count twice"):
        pets.Federation([three[0], three[1], three[0]], sites_per_person=1)
    one = sessions(people=30, ledger=tmp_path / "ledger.db")
    with pytest.raises(PolicyError, match="keep one ledger"):
        pets.Federation(one, sites_per_person=1)
    assert [session.remaining().spent.loss for session in (*three, *one)] == [0] * 6


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"analyst": None}, "analyst is a name"),
        ({"analyst": " "}, "analyst is a name"),
        ({"progress": "no"}, "True or False"),
        ({"key_holder": "key.bin"}, "pets.he.SecretKey"),
        ({"dropouts": 1.5}, "whole number of sites"),
        ({"sites_per_person": float("nan")}, "most sites that hold rows"),
        ({"sites_per_persn": 1}, "did you mean 'sites_per_person'"),
    ],
)
def test_settings_of_another_kind_are_refused(settings: dict[str, Any], why: str) -> None:
    with pytest.raises(UserError, match=why):
        pets.Federation(sessions(people=9), **({"sites_per_person": 1} | settings))


def test_calls_that_do_not_fit_say_what_to_write() -> None:
    many = federation(people=30)
    for call, why in (
        (lambda: many.release(N), "needs protection"),  # type: ignore[call-overload]
        (lambda: many.release(N, HALF, secur="masked"), "did you mean 'secure'"),  # type: ignore[call-overload]
        (lambda: many.release(N, HALF, again=1), "True or False"),  # type: ignore[call-overload]
        (lambda: many.quote(), "needs query, protection"),  # type: ignore[call-arg]
        (lambda: many.release(N, pets.DP(epsilon=1, pure=True)), "leave pure=True out"),
        (lambda: many.dummy(seed="x"), "seed must be"),  # type: ignore[arg-type]
        (lambda: many.certificates("x"), "certificates are of a release"),  # type: ignore[arg-type]
        (lambda: pets.Federation(sessions(people=9)[:1], sites_per_person=1), "not 1; with two"),
    ):
        with pytest.raises(UserError, match=why):
            call()
    assert spent(many) == [0, 0, 0]
    whole = Federation(list(many.sites.values()), sites_per_person=np.int64(1), dropouts=np.int64(0), progress=False)
    assert whole.roster.digest and isinstance(whole.roster.sites_per_person, int)


def test_answers_that_are_known_take_no_room() -> None:
    many = federation(people=30, budget=pets.Budget(epsilon=0.6, delta=1e-6))
    first = many.release(N, HALF)
    assert many.release([N, N], HALF) == [first, first]
