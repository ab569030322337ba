"""What may be fitted: a person has one row but in a line, noise is normal; all else is refused and costs nothing."""

from __future__ import annotations

import re
from typing import Any

import pytest

import pets
from pets.errors import UserError
from pets.models.margins.together import together
from tests.unit.session.fitting.fit_remedies import DP, LINE, ROWS, SCHEMA, opened
from tests.unit.session.training import train_cases

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


SEVERAL = [pets.linear("x", ["b"], data="t"), pets.poisson("x", ["b"], data=pets.query("t").bound(rows=1))]


def many(epsilon: float = 9) -> pets.Session:
    """Six hundred people with two rows each."""
    return train_cases.opened(budget=pets.Budget(epsilon=epsilon, delta=1e-6))


@pytest.mark.parametrize("model", SEVERAL, ids=["line", "counts"])
def test_a_quote_of_several_questions_is_what_all_of_them_may_cost(model: Any) -> None:
    """No fit costs more, and where a quote says that it fits, all of it is asked."""
    for epsilon in (0.37003, 1, 3):
        asked, dp = many(epsilon), pets.DP(epsilon=epsilon)
        price = asked.quote_fit(model, dp).price
        whole = asked.budget.cap.loss
        assert price.fits and price.more == 1 and whole - 10 <= price.cost.loss <= whole
        fit = asked.fit(model, dp)
        spent = asked.remaining().spent.loss
        assert len(fit.answers) > 1 and spent == sum(one.cost["loss"] for one in fit.answers)
        assert 0 <= price.cost.loss - spent <= 1e-5 * whole
        assert not asked.quote_fit(model, dp).price.fits
        (said,) = re.findall(r"together are differentially private with ε = ([0-9.]+) and", fit.guarantee)
        assert float(said) >= asked.budget.describe(asked.remaining().spent)[0]  # (rounded, and never down)


def test_invented_rows_promise_nothing_however_many_questions_they_answer() -> None:
    twin = many().dummy(600)
    for model in SEVERAL:
        fit = twin.fit(model, pets.DP(epsilon=2))
        assert len(fit.answers) > 1 and fit.guarantee == fit.answers[0].guarantee
        assert fit.guarantee.startswith("Dummy data") and "ε = 0" not in fit.summary()
        drowned = twin.fit(model, pets.DP(rho=1e-6))
        assert not drowned.estimable and "stays charged" not in drowned.summary()
    real = many().fit(SEVERAL[0], pets.DP(epsilon=2))
    promised = together(real.answers)
    assert together([*real.answers, *fit.answers]) == f"{promised} {fit.guarantee}"
    assert together([*fit.answers, real.answers[0]]) == f"{fit.guarantee} {real.answers[0].guarantee}"
