"""Training: one charge for all steps, weights that follow from what was released, noise of the scale that is paid."""

from __future__ import annotations

import dataclasses
import json
import math
import pickle
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets.dp.train_noise import membership, train_noise
from pets.errors import BudgetError, LedgerError, ReleaseFailedError, UserError
from pets.models.trained import Trained
from pets.plan.trained.descent import Descent
from pets.plan.trained.train_plan import make_train_plan
from pets.rows.tabulate import gradients
from pets.session.training import train_release
from tests.extras import needs
from tests.unit.session.training.train_cases import DP, HIDDEN, NET, ROWS, SCHEMA, opened

Patch = pytest.MonkeyPatch


def spent(session: pets.Session) -> int:
    return int(session.custody.standing().lifetime.loss)


def test_all_steps_are_one_entry_charged_before_the_first(monkeypatch: Patch) -> None:
    session, seen = opened(), []
    real = train_release.gradients

    def noted(*given: Any) -> Any:
        seen.append(spent(session))
        return real(*given)

    monkeypatch.setattr(train_release, "gradients", noted)
    quote = session.quote_train(NET, DP)
    made = session.train(NET, DP)
    assert seen == [quote.noise.cost.loss] == [spent(session)] == [made.cost["loss"]]
    history = session.history()
    assert list(history.state) == ["committed"] and history.what[0] == "train y by x, b, c; count(y and x and b and c)"
    first, each = made.form["losses"]
    assert made.cost["loss"] == first + 20 * each
    assert made.form["epsilon"] == 4 and abs(made.cost["loss"] / quote.noise.cost.loss - 1) == 0


def test_the_price_is_what_was_asked_for_and_hardly_less() -> None:
    plan, budget = make_train_plan(NET, SCHEMA), pets.Budget(epsilon=100, delta=1e-6)
    noise = train_noise(20, plan.l2_squared, pets.DP(rho=0.5), budget)
    assert 0.4999 < noise.rho <= 0.5
    assert noise.scale == pytest.approx(4096 * math.sqrt(20 / (2 * 0.495)), rel=1e-5)
    assert noise.people_scale == pytest.approx(math.sqrt(1 / (2 * 0.005)), rel=1e-5)


def test_the_same_network_costs_nothing_and_again_is_charged() -> None:
    session = opened()
    first = session.train(NET, DP)
    before = spent(session)
    assert session.train(NET, DP) == first and spent(session) == before
    assert session.train(dataclasses.replace(NET, outputs=1), DP) == first and spent(session) == before
    other = session.train(NET, DP, again=True)
    assert other != first and spent(session) == 2 * before
    assert session.train(pets.classifier("y", ["x", "b", "c"], data="t", steps=20, rate=2), DP).id not in (
        first.id,
        other.id,
    )
    assert spent(session) == 3 * before


def test_under_another_policy_it_is_another_network(tmp_path: Path) -> None:
    asked = {"ledger": tmp_path / "ledger.db", "snapshots": tmp_path / "ready"}
    first = opened(**asked).train(NET, DP)
    second = pets.Session(SCHEMA, policy=pets.Policy(max_numbers=5_000), **asked).train(NET, DP)  # type: ignore[arg-type]
    assert first.form["sums"] != second.form["sums"]


def test_what_fails_on_the_way_stays_charged_and_says_nothing(monkeypatch: Patch) -> None:
    session, plan = opened(), make_train_plan(NET, SCHEMA)
    real, steps = train_release.add_gaussian, []

    def failing(values: Any, scale: float) -> Any:
        steps.append(scale)
        if len(steps) == 9:
            raise ValueError("patient 17")
        return real(values, scale)

    monkeypatch.setattr(train_release, "add_gaussian", failing)
    with pytest.raises(ReleaseFailedError) as caught:
        session.train(NET, DP)
    assert "17" not in str(caught.value) and caught.value.__cause__ is None
    assert spent(session) == session.quote_train(NET, DP).noise.cost.loss
    assert len(steps) == 9 and plan.network.steps == 20


def test_what_does_not_fit_the_budget_is_refused_whole() -> None:
    session = opened(budget=pets.Budget(epsilon=1, delta=1e-6))
    with pytest.raises(BudgetError):
        session.train(NET, DP)
    assert spent(session) == 0


def test_weights_follow_from_the_released_sums_and_a_form_with_others_is_none(tmp_path: Path) -> None:
    made = opened().train(HIDDEN, DP)
    form = made.form
    descent = Descent(made.plan.widths, form["people"], 6, HIDDEN.rate, 0)
    for sums in form["sums"]:
        descent.move(np.array(sums))
    assert descent.final == form["weights"]
    floats = [float(one) for one in form["weights"]]
    for change in (
        {"weights": [0] * len(form["weights"])},
        {"weights": floats},
        {"people": form["people"] + 1},
        {"plan": "0" * 64},
        {"scales": form["scales"][1:]},
        {"scales": ["x", "y"]},
        {"notes": 5},
        {"epsilon": None},
    ):
        with pytest.raises(UserError, match="ask for the original file"):
            Trained.sealed(form | change)
    saved = made.save(tmp_path / "net.json")
    assert Trained.load(saved) == made and Trained.load(saved).certificate == made.certificate
    given = json.loads(saved.read_text("utf-8"))
    given["sums"][0][0] += 1
    saved.write_text(json.dumps(given), "utf-8")
    with pytest.raises(UserError):
        Trained.load(saved)
    assert pickle.loads(pickle.dumps(made)) == made
    for path in (tmp_path / "none.json", 5):
        with pytest.raises(UserError):
            Trained.load(path)  # type: ignore[arg-type]
    with pytest.raises(UserError):
        made.save(tmp_path / "no" / "net.json")


def judged(made: Trained, frame: pd.DataFrame = ROWS) -> tuple[float, float]:
    """The noise in every step's sum over its stated scale: its mean and its mean square, which should be 0 and 1.

    The exact sums are worked out again, at the weights to which the released ones lead.
    """
    from pets.testing import snapshot

    form, network = made.form, made.network
    exact = gradients(made.plan, snapshot(SCHEMA, frame, "t"))
    descent = Descent(made.plan.widths, made.people, network.steps, network.rate, network.seed)
    noise = []
    for sums in form["sums"]:
        noise.append(np.array(sums) - exact.step(descent.weights))
        descent.move(np.array(sums))
    every = np.concatenate(noise) / float(form["scales"][1])
    return float(every.mean()), float((every**2).mean())


MANY = pets.classifier("y", ["x", "b"], data="t", steps=1500)


def test_noise_has_the_scale_that_is_charged_and_a_weaker_one_is_found(monkeypatch: Patch) -> None:
    """4,500 numbers: their mean square lies within 5 % of 1 but for 2 in 100; half the noise is at a quarter."""
    mean, square = judged(opened().train(MANY, DP))
    assert abs(mean) < 0.06 and abs(square - 1) < 0.08
    real = train_release.add_gaussian
    monkeypatch.setattr(train_release, "add_gaussian", lambda values, scale: real(values, scale / 1.2))
    assert judged(opened().train(MANY, DP))[1] < 0.8
    monkeypatch.setattr(train_release, "add_gaussian", lambda values, scale: values)
    assert judged(opened().train(MANY, DP))[1] == 0


def test_a_network_that_was_trained_tells_the_outcome() -> None:
    made = opened().train(NET, DP)
    kept = ROWS.dropna()
    assert made.score(kept, kept.y) > 0.85
    chances = made.predict_proba(kept)
    assert np.allclose(chances.sum(axis=1), 1) and list(made.classes_) == ["no", "yes"]
    assert (made.predict(kept) == made.classes_[chances.argmax(axis=1)]).all()
    assert made.coefficients.loc["x", "yes"] > 0 and list(made.coefficients.index)[2:] == ["c[q]", "c[r]", "intercept"]
    three = opened().train(HIDDEN, DP)
    assert three.predict_proba(kept).shape == (len(kept), 3)
    with pytest.raises(UserError, match="look at predict_proba"):
        three.coefficients  # noqa: B018


def test_new_rows_are_moved_between_the_bounds_and_named_when_they_cannot_be_read() -> None:
    made = opened().train(NET, DP)
    row = {"x": [9], "b": [True], "c": ["q"]}
    assert np.array_equal(made.predict_proba(row), made.predict_proba(row | {"x": [500]}))
    assert np.isnan(made.predict_proba(row | {"c": [None]})).all() and made.predict(row | {"c": [None]})[0] is None
    assert made.score(row | {"c": [None]}, ["yes"]) == 0
    for wrong, why in [
        ({"x": [9], "b": [True]}, "no column 'c'"),
        (row | {"c": ["z"]}, "'z'"),
        (row | {"x": ["old"]}, "numbers"),
    ]:
        with pytest.raises(UserError, match=why):
            made.predict(wrong)
    for outcomes in (["yes", "no"], 5, [["yes", "no"]]):
        with pytest.raises(UserError, match="one for each row"):
            made.score(row, outcomes)


def test_a_score_is_of_one_outcome_a_row_in_whatever_shape_and_of_known_ones() -> None:
    made, kept = opened().train(NET, DP), ROWS.dropna()
    right = float(np.mean([one == other for one, other in zip(made.predict(kept), kept.y, strict=True)]))
    for outcome in (kept.y, kept[["y"]], kept.y.astype("category"), kept.y.astype("string"), kept.y.tolist()):
        assert made.score(kept, outcome) == right
    row = {"x": [9], "b": [True], "c": [None]}
    for nothing in ([None], [np.nan], pd.Series([pd.NA], dtype="string")):
        with pytest.raises(UserError, match="leave such rows out"):
            made.score(row, nothing)
    with pytest.raises(UserError, match="'maybe'"):
        made.score(row, ["maybe"])
    assert made.score({"x": [], "b": [], "c": []}, []) == 0


DAY = pd.Timestamp("2020-05-05")


@cache
def trained_once() -> Trained:
    return opened().train(NET, DP)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"x": [DAY]}, "something other than numbers"),
        ({"x": [DAY.tz_localize("UTC")]}, "something other than numbers"),
        ({"x": pd.Series([DAY], dtype=object)}, "something other than numbers"),
        ({"x": [DAY - DAY]}, "something other than numbers"),
        ({"x": [1 + 2j]}, "something other than numbers"),
        ({"x": [10**400]}, "a data frame, or a mapping"),
        ({"c": [["q"]]}, "not one of its categories"),
        ({"c": [("q", "r")]}, "not one of its categories"),
        ({"x": [1, 2]}, "a data frame, or a mapping"),
        ({"x": 9, "b": True, "c": "q"}, "a data frame, or a mapping"),
    ],
)
def test_what_is_no_row_is_no_guess(change: dict[str, Any], why: str) -> None:
    """A date's nanoseconds, moved to the upper bound, would be an answer."""
    with pytest.raises(UserError, match=why):
        trained_once().predict({"x": [9], "b": [True], "c": ["q"]} | change)


def test_it_is_a_fitted_classifier_of_scikit_learn_that_is_not_fitted_again() -> None:
    needs("sklearn")
    from sklearn.base import clone, is_classifier
    from sklearn.frozen import FrozenEstimator
    from sklearn.metrics import get_scorer
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline

    made, kept = opened().train(NET, DP), ROWS.dropna()
    assert is_classifier(made)
    inputs, outcome = kept[list(made.feature_names_in_)], kept.y
    assert get_scorer("accuracy")(made, inputs, outcome) == pytest.approx(made.score(inputs, outcome))
    assert get_scorer("roc_auc")(made, inputs, outcome) > 0.9
    assert get_scorer("neg_log_loss")(made, inputs, outcome) > -0.5
    assert made.n_features_in_ == 3
    assert "\n" not in repr(made) and "DUMMY" not in repr(made) and str(made) == made.card
    assert "DUMMY" in repr(opened().dummy().train(NET, DP))
    again: list[Any] = [
        lambda: made.fit(inputs, outcome),
        lambda: clone(made),
        lambda: cross_val_score(made, inputs, outcome),
        lambda: make_pipeline("passthrough", made).fit(inputs, outcome),
    ]
    for act in again:
        with pytest.raises(UserError, match=r"is not fitted again: .*FrozenEstimator\(trained\)") as caught:
            act()
        assert "\n" not in str(caught.value)
    rates = cross_val_score(FrozenEstimator(made), inputs, outcome, cv=3)
    assert np.mean(rates) == pytest.approx(made.score(inputs, outcome), abs=0.01)
    assert (make_pipeline(made).predict(inputs) == made.predict(inputs)).all()


def test_invented_rows_cost_nothing_and_say_so() -> None:
    session = opened()
    made = session.dummy().train(NET, DP)
    assert spent(session) == 0 and made.cost["loss"] == 0
    assert str(made).startswith("DUMMY DATA") and "Membership" not in made.card


def test_the_card_states_the_guarantee_the_noise_and_the_bound_on_membership() -> None:
    made = opened().train(NET, DP)
    right, found = membership(4.0, 1e-6)
    assert f"{right:.1%}" in made.card and f"{found:.1%}" in made.card
    for part in (made.guarantee, "T = 20", "C = 1", "1/4096", "ε = 4", "no attack was tried"):
        assert part in made.card
    loud = float(made.form["scales"][1]) * math.sqrt(5) / 4096 / made.people
    assert f"Noise of one step: {loud:.2g} of the most" in made.card and loud < 0.05
    alone = opened().train(NET, pets.DP(epsilon=0.02))  # (whose number of people is mostly noise, too)
    loud = float(alone.form["scales"][1]) * math.sqrt(5) / 4096 / max(1, alone.people)
    assert f"Noise of one step: {loud:.2g} of the most" in alone.card and loud > 0.05
    assert str(made) == made.card and "&epsilon;" not in made._repr_html_()
    assert "mostly noise" not in made.card


def test_a_network_of_noise_says_so_before_it_is_paid_for_and_after() -> None:
    """The noise of a step: √(steps · C² ÷ 2 · 0.99 ρ) on each of 5 numbers, against what n people can add up to."""
    little = pets.DP(rho=1e-4)
    sigma = math.sqrt(20 / (2 * 0.99e-4))
    assert 0.5 < sigma * math.sqrt(5) / 1_000 < 5
    quote = str(opened().quote_train(NET, little))
    assert "With 1,000 people or fewer a step is mostly noise" in quote and "epsilon or fewer steps" in quote
    assert "mostly noise" not in str(opened().quote_train(NET, DP))
    made = opened().train(NET, little)
    assert "do not use these predictions; take more epsilon" in made.card
    assert "about -" not in made.card
    assert "do not use these predictions" in opened().dummy().train(NET, pets.DP(rho=1e-6)).card
    few = pets.classifier("y", ["x"], data="t", steps=1)
    assert "mostly noise" not in opened().train(few, pets.DP(rho=1e-2)).card


def test_a_bound_on_membership_is_that_of_randomised_response() -> None:
    """Which is the best attack that an ε allows: right with e^ε/(1 + e^ε)."""
    assert membership(1.0, 0.0)[0] == pytest.approx(math.e / (1 + math.e))
    assert membership(0.0, 0.0) == (0.5, 0.01)
    assert membership(1e6, 0.0) == (1.0, 1.0)


def test_a_ledger_on_disk_keeps_it_for_others(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    first = opened(ledger=tmp_path / "ledger.db", snapshots=ready).train(NET, DP)
    other = pets.Session(SCHEMA, ledger=tmp_path / "ledger.db", snapshots=ready, project="other")
    again = other.train(NET, DP)
    assert again.form["sums"] == first.form["sums"] and again.form["project"] == "other"
    assert "No cost to you" in again.notes[-1]
    with pytest.raises(LedgerError):
        opened(ledger=tmp_path / "ledger.db", snapshots=ready).train(HIDDEN, DP, key="a") and opened(
            ledger=tmp_path / "ledger.db", snapshots=ready
        ).train(NET, pets.DP(epsilon=2), key="a")
