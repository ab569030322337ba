"""One checked form of a synthetic table's request: made, it is sound, and its shares never pass its price."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from fractions import Fraction
from typing import Any

import pytest

import pets
from pets.errors import BudgetError, UserError
from pets.protection.budget import UNIT
from pets.session.synthesis.request import SynthesisRequest, check_settings
from tests.unit.session.test_session import SCHEMA

DELTA = 1e-6


def asked(currency: Any = "zcdp", **settings: Any) -> SynthesisRequest:
    given: dict[str, Any] = {"epsilon": 1} | settings
    return SynthesisRequest(SCHEMA, currency, DELTA if currency == "zcdp" else 0.0, **given)


def test_what_was_left_out_is_filled_in() -> None:
    request = asked()
    assert (request.name, request.epsilon, request.rows, request.selection) == ("stays", 1.0, None, "tree")
    assert request.cells == 50_000
    assert not request.again and request.progress
    with pytest.raises(FrozenInstanceError):
        request.epsilon = 2  # type: ignore[misc]


def test_the_shares_never_cost_more_than_the_whole() -> None:
    request = asked()
    assert request.units == pets.Budget(epsilon=1, delta=DELTA).cap.loss == 24_355_970_359
    questions = request.questions()
    assert len(questions) == len(request.workload.cliques) == 5 + 10  # every column, and every pair
    assert all(protection.rho is not None for _, protection in questions)
    total = sum(Fraction(protection.rho or 0) * UNIT for _, protection in questions)
    assert request.units * 0.999 < total <= request.units


def test_a_pure_ledger_is_asked_in_epsilon() -> None:
    request = asked("pure")
    assert request.units == UNIT
    assert all(protection.epsilon and protection.rho is None for _, protection in request.questions())


@pytest.mark.parametrize(
    ("error", "words", "settings"),
    [
        (BudgetError, r"has a price; say synthesise\(epsilon=1\)", {"epsilon": None}),
        (BudgetError, "epsilon must be greater than 0", {"epsilon": -1}),
        (BudgetError, "too small for 15 marginals", {"epsilon": 1e-6}),
        (UserError, "rows must be", {"rows": 0}),
        (UserError, "did you mean 'stays'", {"table": "stay"}),
        (UserError, "cells must be", {"cells": 99}),
        (UserError, "seed must be", {"seed": -1}),
        (UserError, "again must be True or False", {"again": 1}),
        (UserError, "progress must be True or False", {"progress": "no"}),
        (UserError, "tree, aim", {"selection": "mst"}),
        (UserError, "did you mean 'urgent'", {"columns": ["urgnt"]}),
    ],
)
def test_what_is_unsound_is_never_made(error: type[Exception], words: str, settings: dict[str, Any]) -> None:
    with pytest.raises(error, match=words):
        asked(**settings)


def test_several_tables_must_be_told_apart() -> None:
    unit = pets.Unit("id", max_rows=1)
    tables = {name: pets.Table(unit, {"id": pets.Identifier(), "a": pets.Boolean()}) for name in ("one", "two")}
    schema = pets.Schema(tables)
    with pytest.raises(UserError, match="say which with table='one'"):
        SynthesisRequest(schema, "zcdp", DELTA, 1.0)
    assert SynthesisRequest(schema, "zcdp", DELTA, 1.0, table="two").name == "two"


def test_an_unknown_setting_is_named() -> None:
    check_settings("synthesise", {"epsilon": 1}, ("epsilon",))
    with pytest.raises(UserError, match="synthesise has no setting 'epsilom'; did you mean 'epsilon'"):
        check_settings("synthesise", {"epsilom": 1}, ("epsilon",))
