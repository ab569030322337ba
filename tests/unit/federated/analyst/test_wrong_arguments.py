"""Arguments of a federation that do not fit: one plain sentence with the remedy, and nothing is charged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pets
from pets.errors import PolicyError, UserError
from pets.federated import Federation, Member, Roster, Site, SitePolicy, TableRule
from tests.unit.federated.site.test_site import HALF, N, federation, sessions, spent

ZERO = "0" * 64


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


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: SitePolicy(secure="masked"), "secure is a list"),  # type: ignore[arg-type]
        (lambda: SitePolicy(secure=None), "secure is a list"),  # type: ignore[arg-type]
        (lambda: SitePolicy(tables=None), "tables is a mapping"),  # type: ignore[arg-type]
        (lambda: SitePolicy(tables="stays"), "tables is a mapping"),  # type: ignore[arg-type]
        (lambda: SitePolicy(max_epsilon=float("inf")), "max_epsilon is a positive number"),
        (lambda: SitePolicy.from_json({"secure": "masked"}), "secure is a list"),
        (lambda: Member("a", ZERO, ZERO, ZERO, "zcdp", float("nan")), "delta is its ledger's"),
        (lambda: Member("a", ZERO, ZERO, ZERO, "zcdp", -1.0), "delta is its ledger's"),
        (lambda: Member("a", ZERO, ZERO, ZERO, "pure", 1e-6), "delta is its ledger's"),
        (lambda: Roster((1, 2, 3), ZERO, (("a", ZERO),), sites_per_person=1), "sites' entries"),  # type: ignore[arg-type]
        (lambda: Roster(5, ZERO, (), sites_per_person=1), "members are a list"),  # type: ignore[arg-type]
        (lambda: Roster((), ZERO, (("a",),), sites_per_person=1), "pairs of a name and a key"),  # type: ignore[arg-type]
    ],
)
def test_policies_and_rosters_of_another_kind(make: Any, why: str) -> None:
    with pytest.raises(PolicyError, match=why):
        make()


def test_a_policy_that_names_what_is_not_there_is_refused_at_the_site() -> None:
    session = sessions(people=9)[0]
    for rules, why in (
        ({"stay": TableRule()}, "names table 'stay'; did you mean 'stays'"),
        ({"stays": TableRule(columns=("agee",))}, "names column 'agee' of table 'stays'; did you mean 'age'"),
        ({"stays": TableRule(filters=("dayz",))}, "did you mean 'day'"),
    ):
        with pytest.raises(PolicyError, match=why):
            Site(session, policy=SitePolicy(tables=rules))
    site = Site(session)
    for call in (lambda: site.join("roster.json"), lambda: site.join(federation(people=9).roster, "key")):  # type: ignore[arg-type]
        with pytest.raises(PolicyError, match=r"joins a Roster"):
            call()
    with pytest.raises(PolicyError, match="leaves a Roster"):
        site.leave(None)  # type: ignore[arg-type]
