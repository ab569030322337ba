"""What may be fitted: a person has one row but in a line, noise is normal; all else is refused and costs nothing."""

from __future__ import annotations

import pytest

import pets
from pets.errors import UserError
from tests.unit.session.fitting.fit_remedies import DP, LINE, ROWS, SCHEMA, opened

pytestmark = pytest.mark.chance(0)


def test_a_person_has_one_row_but_in_a_line() -> None:
    asked = opened()
    for rows in (None, 2, 3):
        data = pets.query("t") if rows is None else pets.query("t").bound(rows=rows)
        odds = pets.poisson("y", ["age"], data=data)
        for protection in (DP, pets.Total()):
            with pytest.raises(UserError, match=r"bound\(rows=1\)"):
                asked.fit(odds, protection)
            with pytest.raises(UserError, match=r"bound\(rows=1\)"):
                asked.quote_fit(odds, protection)
        assert asked.quote_fit(pets.linear("y", ["age"], data=data), DP).forecast.rows == (rows or 3)
    assert asked.remaining().spent.loss == 0
    assert asked.fit(LINE, DP).release.plan.rows == 1


def test_what_is_refused_is_refused_by_a_quote_too_and_spends_nothing() -> None:
    asked = opened()
    for protection in (pets.DP(within=3), pets.SDC("hes"), pets.DP(epsilon=1, pure=True)):
        for verb in (asked.fit, asked.quote_fit):
            with pytest.raises(UserError):
                verb(LINE, protection)
    assert asked.remaining().spent.loss == 0 and len(asked.history()) == 0


def test_exact_rows_are_only_invented_ones_and_totals_need_leave() -> None:
    asked = opened()
    for protection in (pets.Exact(), pets.Total()):
        with pytest.raises(UserError):
            asked.fit(LINE, protection)
    assert asked.dummy(200).fit(LINE, pets.Exact()).release.mechanism == "none"
    allowed = pets.Session(SCHEMA, ROWS, budget=pets.Budget(epsilon=1), policy=pets.Policy(allow_unbounded=True))
    assert allowed.fit(LINE, pets.Total()).release.epsilon is None
    assert allowed.remaining().unbounded == 1


def test_what_a_custodian_s_session_has_an_analyst_s_has_too() -> None:
    kept = pets.Custodian(SCHEMA, ROWS, budget=pets.Budget(epsilon=9, delta=1e-6), progress=False)
    asked = kept.session(analyst="amina", project="p")
    assert asked.fit(LINE, DP).certificate is not None
    assert asked.history()["state"].tolist() == ["committed"]
