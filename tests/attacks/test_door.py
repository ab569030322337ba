"""The door against an analyst who sees states, rules, masks and who decided: worked example E9 of one refusal.

Two tables of two days each are known, 10 and 10; asked is the sum of all three days. Only where they are 11, 1 and 11
could a day of few people be derived from it: whoever learns that this table is treated otherwise knows all three.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

import pets
from pets.errors import HeldError, PetsError
from pets.session.disclosure import solving
from pets.session.disclosure.finding import ATTACK, PROVED, Finding
from tests.checked_tables import searched_here
from tests.doors import HES, asked, days, kept, let_out

PEOPLE = 60
TRUTHS = [(11, 1, 11), (5, 5, 5), (8, 2, 9), (6, 4, 4)]
SAME = [(11, 1, 11), (12, 0, 12), (11, 0, 12), (12, 0, 11)]
"""Those of which the table that is asked shows the same, 25."""


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solving, "_replies", searched_here)


def world(truth: tuple[int, int, int]) -> pets.Custodian:
    """The two known tables left, on a person's word."""
    custodian = kept([*truth, PEOPLE - sum(truth)])
    for query in (days(0, 1), days(1, 2)):
        let_out(custodian, query)
        assert custodian.session(analyst="ann").release(query, HES).form["shown"] == [[[10]]]
    return custodian


def seen(custodian: pets.Custodian, again: Callable[[Finding], object]) -> list[Any]:
    """All that the analyst sees of a table that waits, before and after the custodian has looked; ``again``: then."""
    session, told = custodian.session(analyst="ann"), list[Any]()

    def look() -> None:
        try:
            told.append(session.release(days(0, 2), HES).form["shown"])
        except PetsError as error:
            told.append((type(error).__name__, error.code, re.sub("[0-9a-f]{32}", "…", str(error))))
        told.append(session.history()[["what", "state", "epsilon", "unbounded"]].to_dict("list"))
        told.append(str(session.remaining()))
        told.append([one.form["rule"] for one in (session.release(days(0, 1), HES), session.release(days(1, 2), HES))])

    look()
    again(custodian.look(asked(custodian, days(0, 2))))
    look()
    look()
    return told


def test_whoever_waits_sees_the_same_whatever_would_be_found() -> None:
    views, states = [], []
    for truth in TRUTHS:
        views.append(seen(world(truth), lambda found: states.append(found.state)))
    assert states == [ATTACK, PROVED, PROVED, PROVED], "one of them is the table of E9"
    assert all(view == views[0] for view in views[1:])
    assert {view[0][0] for view in views} == {HeldError.__name__}


def test_a_door_that_refuses_by_itself_is_found_out() -> None:
    """The same test sees it where what was found is told by a refusal: one refusal gives three days away."""
    views = []
    for truth in TRUTHS:
        custodian = world(truth)

        def refused(found: Finding, custodian: pets.Custodian = custodian) -> None:
            if found.state == ATTACK:
                custodian.refuse(found.request, by="a program", reason="may-disclose")

        views.append(seen(custodian, refused))
    assert views[0] != views[1] and all(view == views[1] for view in views[2:])


def test_what_is_found_follows_from_what_would_be_shown() -> None:
    """So to let a table leave tells nothing besides it: whoever has it can look for the same."""
    found = list[Any]()
    for truth in SAME:
        custodian = world(truth)
        one = custodian.look(asked(custodian, days(0, 2)))
        assert one.shown == ((25,),)
        found.append((one.state, one.attacks, one.before, one.besides, one.sums))
    assert all(one == found[0] for one in found[1:])


def by_the_truth(truth: tuple[int, int, int]) -> str:
    """A check that protects the days that truly have few people: it is another for the same table."""
    custodian = world(truth)
    one = custodian.look(asked(custodian, days(0, 2)))
    return one.state if any(0 < day < 8 for day in truth) else PROVED


def test_a_check_that_knows_the_truth_is_found_out() -> None:
    assert len({by_the_truth(truth) for truth in SAME[:2]}) == 2


def test_after_one_refusal_nothing_more_is_told_of_these_days() -> None:
    custodian = world((11, 1, 11))
    request = asked(custodian, days(0, 2))
    custodian.look(request)
    custodian.refuse(request, by="jo", reason="may-disclose")
    for query in (days(1, 1), days(0, 3), days(2, 2)):
        other = asked(custodian, query, "bob", "elsewhere")
        found = custodian.look(other)
        with pytest.raises(HeldError, match="was refused before"):
            custodian.approve(other, by="jo", finding=found.digest, anyway="please")


def test_what_leaves_is_rounded_by_the_grids_rule_whatever_was_found() -> None:
    rules = []
    for truth in TRUTHS[:2]:
        custodian = world(truth)
        let_out(custodian, days(0, 2))
        rules.append(custodian.session(analyst="ann").release(days(0, 2), HES).form["rule"])
    assert rules[0] == rules[1] == HES.rule.to_json()
