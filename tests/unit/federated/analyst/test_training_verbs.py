"""Trainings over sites: before noise the pooled network, bit for bit; each step is paid for, whoever chose where."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets.dp import shares
from pets.errors import BudgetError, PetsError, PolicyError, QueryError, ReleaseFailedError, UserError
from pets.federated.messages.errors import Refused
from pets.federated.site.policy import SitePolicy
from pets.federated.site.site import Site
from pets.models.networks.over_sites import TrainedOverSites, asked
from pets.models.trained import Trained
from pets.session.training import train_release
from tests.conformance import _dead
from tests.unit.session.training.train_cases import NET, ROWS, SCHEMA

SITES = 3
WAYS = ["masked", "encrypted", "local"]
HALF = pets.DP(epsilon=0.5)
SHORT = pets.classifier("y", ["x", "b", "c"], data="t", steps=4, rate=3)
DEEP = pets.network(
    [("linear", 4), "tanh", ("linear", 3), "relu", "linear"], outcome="c", columns=["x", "b", "y"], data="t", steps=5
)
Patch = pytest.MonkeyPatch


def sessions(rows: pd.DataFrame = ROWS, last: float = 100, count: int = SITES) -> list[pets.Session]:
    """All rows of a person at one site, of which the last has another budget."""
    return [
        pets.Session(
            SCHEMA,
            {"t": rows[rows.id % count == at]},
            budget=pets.Budget(epsilon=last if at == count - 1 else 100, delta=1e-6),
            progress=False,
        )
        for at in range(count)
    ]


def federation(rows: pd.DataFrame = ROWS, last: float = 100, count: int = SITES, **more: Any) -> pets.Federation:
    return pets.Federation(sessions(rows, last, count), progress=False, **({"sites_per_person": 1} | more))


def spent(many: pets.Federation) -> list[int]:
    return [one.spent.loss for one in many.remaining().values()]


@pytest.fixture
def silent(monkeypatch: Patch) -> None:
    """Nobody draws noise."""
    for module in (shares, train_release):
        monkeypatch.setattr(module, "add_gaussian", lambda values, scale: values.copy())


@pytest.mark.parametrize("network", [NET, DEEP], ids=["logistic", "deep"])
@pytest.mark.parametrize("secure", WAYS)
@pytest.mark.usefixtures("silent")
def test_without_noise_it_is_the_pooled_network_bit_for_bit(network: Any, secure: str) -> None:
    alone = pets.Session(SCHEMA, {"t": ROWS}, budget=pets.Budget(epsilon=100, delta=1e-6), progress=False)
    pooled, apart = alone.train(network, HALF), federation().train(network, HALF, secure=secure)
    assert isinstance(pooled, Trained) and list(apart._flat) == list(pooled._flat)
    assert apart.people == pooled.people > 500
    assert [one.values.tolist() for one in apart.releases[1:]] == pooled.form["sums"]
    frame = ROWS.dropna().head(50)
    assert np.array_equal(apart.predict_proba(frame), pooled.predict_proba(frame))
    assert apart.score(frame, frame[network.outcome]) == pooled.score(frame, frame[network.outcome])


@pytest.mark.parametrize("secure", WAYS)
def test_a_step_s_sum_is_the_pooled_one_bit_for_bit(secure: str) -> None:
    rows, draw = {"t": ROWS.head(300)}, np.random.default_rng(5)
    for network, size in ((SHORT, 5), (DEEP, 43)):
        for at in (None, draw.integers(-(2**18), 2**18, size).tolist()):
            query = asked(network, at)
            pooled = pets.testing.exact(SCHEMA, rows, query)
            apart = pets.testing.exact(SCHEMA, rows, query, engine="federated", sites=SITES, secure=secure)
            assert pooled["step"].iloc[0] == apart["step"].iloc[0]
            assert at is None or any(pooled["step"].iloc[0])


@pytest.mark.parametrize("secure", WAYS)
def test_each_site_pays_for_every_step_once_and_what_was_quoted(secure: str) -> None:
    many = federation()
    quote = many.quote_train(SHORT, HALF, secure=secure)
    assert "at each site" in str(quote) and "all 4 steps of 5 numbers" in str(quote)
    made = many.train(SHORT, HALF, secure=secure)
    assert spent(many) == [quote.noise.cost.loss] * SITES == [made.cost["loss"]] * SITES
    whole = pets.Budget(epsilon=0.5, delta=1e-6).cap.loss
    assert 0.999 * whole < made.cost["loss"] <= whole
    history = many.history()
    assert len(history) == SITES * 5 and set(history.state) == {"committed"}
    first, each = quote.noise.losses
    assert [release.cost["loss"] for release in made.releases] == [first, *[each] * 4]
    assert all(set(many.certificates(release)) == set(many.sites) for release in made.releases)
    assert many.train(SHORT, HALF, secure=secure) == made and spent(many) == [made.cost["loss"]] * SITES
    other = many.train(SHORT, HALF, secure=secure, again=True)
    assert other != made and spent(many) == [2 * made.cost["loss"]] * SITES
    assert "at each site, in 5 releases" in made.card and "5 releases, which together" in made.guarantee


def test_weights_that_an_analyst_chose_are_paid_for_like_any(monkeypatch: Patch) -> None:
    """There is no step that a site answers for free: not another one, not the same one again, not one that was seen."""
    many = federation()
    made = many.train(SHORT, HALF)
    cost, each = spent(many)[0], made.releases[2].cost["loss"]
    ((_, step),) = made.releases[2].query.aggregates
    under = pets.protection.protection.Protection.from_json(made.releases[2].protection)
    chosen = asked(SHORT, [2**20, -(2**20), 0, 1, 2])
    many.release(chosen, under)
    assert spent(many) == [cost + each] * SITES
    many.release(asked(SHORT, step.at), under, again=True)
    assert spent(many) == [cost + 2 * each] * SITES
    seen: list[tuple[bytes, bytes]] = []
    right = many._transport.exchange

    def noted(messages: Any, heard: Any) -> Any:
        replies = right(messages, heard)
        seen.append((messages[0], replies[0]))
        return replies

    monkeypatch.setattr(many._transport, "exchange", noted)
    many.release(asked(SHORT, [5, 4, 3, 2, 1]), under)
    site = next(iter(many.sites.values()))
    again = []
    for message, reply in seen:  # a coordinator plays a step back to a site that answered it: the very reply, or none
        with contextlib.suppress(UserError):
            again.append(site.handle(message) == reply)
    assert all(again) and len(again) <= 1 < len(seen) and spent(many) == [cost + 3 * each] * SITES


def test_nothing_is_asked_where_one_site_has_no_room_or_lets_no_such_question_in() -> None:
    many = federation(last=0.3)
    with pytest.raises(BudgetError, match=r"5 questions of this training .*site 3.*ask with a smaller epsilon"):
        many.train(SHORT, HALF)
    sites = [
        Site(one, policy=SitePolicy.from_json(SitePolicy.open(SCHEMA).to_json() | {"max_epsilon": 0.01}), name=f"s{at}")
        for at, one in enumerate(sessions())
    ]
    strict = pets.Federation(sites, sites_per_person=1, progress=False)
    with pytest.raises(BudgetError, match=r"policy allows 0\.01 a query"):
        strict.train(SHORT, HALF)
    assert set(spent(many) + spent(strict)) == {0} and strict.history().empty


@pytest.mark.parametrize(
    ("ask", "says", "kind"),
    [
        (lambda many: many.train("net", HALF), "code that would run on people's rows", QueryError),
        (lambda many: many.train(SHORT, pets.Total()), r"pets\.DP\(epsilon=…\) alone", BudgetError),
        (lambda many: many.dummy(99).train(SHORT, pets.Exact()), r"pets\.DP\(epsilon=…\) alone", BudgetError),
        (lambda many: many.train(SHORT, pets.DP(within=5)), "within", BudgetError),
        (lambda many: many.train(SHORT, pets.DP(epsilon=1, pure=True)), "pure", BudgetError),
        (lambda many: many.quote_train(SHORT, pets.DP(rho=1e-11)), "fewer steps", BudgetError),
        (lambda many: many.train(pets.classifier("x", ["b"], data="t"), HALF), "name another column", QueryError),
        (lambda many: many.train(SHORT, HALF, secure="open"), "secure", PetsError),
    ],
)
def test_what_is_refused_costs_nothing(ask: Callable[[Any], Any], says: str, kind: type[Exception]) -> None:
    many = federation(ROWS.head(60))
    with pytest.raises(kind, match=says):
        ask(many)
    assert spent(many) == [0] * SITES and many.history().empty


def test_a_custodian_s_limits_of_work_hold_for_a_federation_too() -> None:
    """Before anything is asked; of sites elsewhere, which do not tell them, by the site's own gate."""
    limits = {"policy": pets.Policy(max_numbers=20, max_conditions=3)}
    budget = pets.Budget(epsilon=100, delta=1e-6)
    sites = [
        pets.Session(
            SCHEMA, {"t": ROWS[ROWS.id % 3 == at]}, budget=budget, progress=False, **(limits if at == 2 else {})
        )
        for at in range(3)
    ]
    many = pets.Federation(sites, progress=False, sites_per_person=1)
    with pytest.raises(PolicyError, match=r"43 numbers and .* allows 20; take fewer columns or narrower layers"):
        many.train(DEEP, HALF)
    with pytest.raises(PolicyError, match="allows 20; take fewer terms"):
        many.fit(pets.linear("x ~ b*c*y", data=pets.query("t").bound(rows=1)), HALF)
    wide = pets.query("t").group_by("x", "c").agg(n=pets.count())
    with pytest.raises(Refused, match="40 numbers and this custodian's policy allows 20"):
        many.release(wide, HALF)
    long = pets.query("t").where(functools.reduce(operator.or_, [pets.col("x") == at for at in range(4)]))
    with pytest.raises(Refused, match="4 conditions and this custodian's policy allows 3"):
        many.release(long.agg(n=pets.count()), HALF)
    assert spent(many) == [0] * SITES
    assert len(many.train(SHORT, HALF).releases) == 5


def test_sites_without_a_delta_train_nothing() -> None:
    sites = [pets.Session(SCHEMA, {"t": ROWS}, budget=pets.Budget(epsilon=9), progress=False) for _ in range(SITES)]
    with pytest.raises(BudgetError, match="in one with a delta"):
        pets.Federation(sites, sites_per_person=1, progress=False).train(SHORT, HALF, secure="local")


@pytest.mark.parametrize("secure", ["masked", "encrypted"])
def test_what_was_broken_off_goes_on_where_it_was_at_no_second_charge(secure: str, monkeypatch: Patch) -> None:
    many = federation()
    site, right, count = list(many.sites.values())[1], many._one, []

    def lost(*args: Any) -> Any:
        count.append(1)
        if len(count) == 4:
            monkeypatch.setattr(site, "handle", _dead)
        return right(*args)

    with monkeypatch.context() as patch:
        patch.setattr(many, "_one", lost)
        with pytest.raises(ReleaseFailedError, match=r"3 questions of this training had been answered.* goes on from"):
            many.train(SHORT, HALF, secure=secure)
    price = many.quote_train(SHORT, HALF, secure=secure).noise
    first, each = price.losses
    # (an envelope is one message, so the others had sent theirs, and been charged, when the third did not come)
    lost_too = each if secure == "encrypted" else 0
    assert spent(many) == [first + 2 * each + lost_too, first + 2 * each, first + 2 * each + lost_too]
    monkeypatch.undo()
    made = many.train(SHORT, HALF, secure=secure)
    assert made.cost["loss"] == price.cost.loss
    assert spent(many) == [price.cost.loss + lost_too, price.cost.loss, price.cost.loss + lost_too]


def test_what_was_asked_anew_goes_on_where_it_is_not_asked_anew_again(monkeypatch: Patch) -> None:
    """Which the errors say: asked anew once more, all of it would be paid for again."""
    many = federation()
    whole = many.train(SHORT, HALF).cost["loss"]
    right, count = many._one, []

    def lost(*args: Any) -> Any:
        count.append(1)
        if len(count) == 4:
            raise ReleaseFailedError("the line broke")
        return right(*args)

    with monkeypatch.context() as patch:
        patch.setattr(many, "_one", lost)
        with pytest.raises(ReleaseFailedError, match=r"3 questions .*, without again=True, goes on from there"):
            many.train(SHORT, HALF, again=True)
    made = many.train(SHORT, HALF)
    assert spent(many) == [2 * whole] * SITES and made.cost["loss"] == whole
    with pytest.raises(ReleaseFailedError, match=r"of this federation goes on"), monkeypatch.context() as patch:
        count.clear()
        patch.setattr(many, "_one", lost)
        many.train(dataclasses.replace(SHORT, seed=1, steps=5), HALF)


@pytest.mark.parametrize("at", [1, 3])
def test_whoever_stops_it_is_told_what_stays_charged(at: int, monkeypatch: Patch, capsys: Any) -> None:
    many, count = federation(), []
    right = many._one

    def stopped(*args: Any) -> Any:
        count.append(1)
        if len(count) == at:
            raise KeyboardInterrupt
        return right(*args)

    monkeypatch.setattr(many, "_one", stopped)
    with pytest.raises(KeyboardInterrupt):
        many.train(SHORT, HALF)
    kept = "0 answers are kept" if at == 1 else "2 answers are kept"
    assert f"Stopped: {kept}, and what the question under way cost may stay charged" in capsys.readouterr().err


def test_a_site_whose_rows_changed_on_the_way_is_named(monkeypatch: Patch) -> None:
    many, count = federation(), []
    right, first = many._one, next(iter(many.sites.values()))

    def refreshed(*args: Any) -> Any:
        count.append(1)
        if len(count) == 3:
            first.session.refresh()
        return right(*args)

    monkeypatch.setattr(many, "_one", refreshed)
    made = many.train(SHORT, HALF)
    (said,) = [note for note in made.notes if "snapshots" in note]
    assert said.startswith("Site 'site 1' answered of 2 snapshots") and "again=True" in said and said in made.card
    assert not any("snapshots" in note for note in many.train(SHORT, HALF, again=True).notes)


def test_a_budget_that_others_spent_meanwhile_ends_it_with_what_stays_charged(monkeypatch: Patch) -> None:
    many = federation(last=0.6)
    right, count = many._one, []

    def other(*args: Any) -> Any:
        count.append(1)
        if len(count) == 3:
            session = list(many.sites.values())[2].session
            session.release(pets.query("t").agg(n=pets.count()), pets.DP(epsilon=0.4))
        return right(*args)

    monkeypatch.setattr(many, "_one", other)
    with pytest.raises(Refused, match=r"3 questions of this training had been answered, .* stays charged"):
        many.train(SHORT, HALF)
    monkeypatch.undo()
    with pytest.raises(BudgetError, match=r"2 questions of this training that are left .*goes on once there is room"):
        many.train(SHORT, HALF)


def test_a_site_that_is_lost_on_the_way_is_named() -> None:
    many = federation(count=4, dropouts=1)
    right, count = many._one, []
    handle = many.sites["site 2"].handle

    def lost(*args: Any) -> Any:
        count.append(1)
        many.sites["site 2"].handle = _dead if len(count) in (3, 4) else handle  # type: ignore[method-assign]
        return right(*args)

    many._one = lost  # type: ignore[method-assign]
    made = many.train(SHORT, HALF)
    assert "Site 'site 2' is missing in 2 of 5 answers, in which its people did not pull." in made.notes


def test_people_at_several_sites_bear_more_noise() -> None:
    one, two = (federation(sites_per_person=m).quote_train(SHORT, HALF).noise.scale for m in (1, 2))
    assert two / one == pytest.approx(2, rel=1e-4)
    card = federation(sites_per_person=2).train(dataclasses.replace(SHORT, steps=1), HALF).card
    assert "what one person adds at a site is at most C in L2" in card and "at most 2 sites" in card


def test_invented_rows_cost_nothing() -> None:
    many = federation()
    made = many.dummy(100).train(SHORT, HALF)
    assert made.card.startswith("DUMMY DATA") and made.cost["loss"] == 0 and spent(many) == [0] * SITES


def test_it_is_saved_and_what_was_edited_is_none(tmp_path: Path) -> None:
    many = federation()
    made = many.train(SHORT, HALF)
    saved = made.save(tmp_path / "network.json")
    assert pets.load(saved) == made == TrainedOverSites.load(saved) and hash(pets.load(saved)) == hash(made)
    assert made.coefficients.shape == (5, 1) and made.classes_.tolist() == ["no", "yes"]
    form = made.to_json()
    swapped = [form["releases"][place] for place in (0, 2, 1, 3, 4)]
    for change in (
        {"releases": form["releases"][:-1]},
        {"releases": swapped},
        {"version": 2},
        {"network": DEEP.to_json()},
    ):
        with pytest.raises(UserError, match="ask for the original file"):
            TrainedOverSites.from_json(form | change)
    with pytest.raises(UserError, match=r"federation\.train"):
        TrainedOverSites(SHORT, made.releases[1:])
    other = many.train(SHORT, HALF, secure="local")
    with pytest.raises(UserError, match=r"federation\.train"):
        TrainedOverSites(SHORT, [*made.releases[:1], *other.releases[1:]])
    with pytest.raises(UserError, match="a trained network"):
        TrainedOverSites.from_json({"pets": "trained"})


def test_a_site_s_policy_may_leave_trainings_out() -> None:
    form = SitePolicy.open(SCHEMA).to_json()
    form["tables"]["t"]["aggregates"] = ["count"]
    sites = [Site(one, policy=SitePolicy.from_json(form), name=f"s{at}") for at, one in enumerate(sessions())]
    many = pets.Federation(sites, sites_per_person=1, progress=False)
    with pytest.raises(Refused, match="does not let queries measure 'gradient'"):
        many.train(SHORT, HALF)
    assert spent(many) == [0] * SITES
