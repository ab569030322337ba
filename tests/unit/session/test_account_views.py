"""What is left, and what was asked, as an analyst sees them in a notebook and in a terminal."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from html.parser import HTMLParser

import pandas as pd
import pytest

import pets
from pets.ledger.states import Entry, State
from pets.protection.budget import Budget, Cost
from pets.session.account_views import history, remaining
from pets.session.quoting.quote import Remaining
from tests.sample_ledger import HOSTILE, Past, eventful
from tests.unit.session.test_session import SCHEMA, frame

BUDGET = Budget(3, 1e-6)


def _remaining(spent: int, **more: object) -> Remaining:
    left = Cost("zcdp", BUDGET.cap.loss - spent)
    return Remaining(BUDGET, Cost("zcdp", spent), left, BUDGET.describe(left)[0], 1e-6, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spent", "bar", "used"),
    [
        (0, "·" * 40, "0 %"),
        (1, f"█{'·' * 39}", "0.1 %"),
        (BUDGET.cap.loss // 2, "█" * 20 + "·" * 20, "50.0 %"),
        (BUDGET.cap.loss - 1, f"{'█' * 39}·", "99.9 %"),
        (BUDGET.cap.loss, "█" * 40, "100 %"),
    ],
)
def test_the_bar_is_empty_or_full_only_where_the_budget_is(spent: int, bar: str, used: str) -> None:
    found = repr(_remaining(spent))
    assert found.splitlines()[0] == f"Budget  [{bar}]"
    assert f"  Used  {used}: ε = " in found


def test_the_notebook_s_gauge_says_what_it_shows() -> None:
    shown = _remaining(BUDGET.cap.loss // 4)._repr_html_()
    assert 'role="img" aria-label="25.0 % of the budget is used, 75.0 % is left"' in shown
    assert shown.count('scope="row"') == 2 and "<caption>Privacy budget</caption>" in shown
    parser = HTMLParser()
    parser.feed(shown)
    parser.close()


def test_what_the_budget_does_not_say_is_said_beside_it() -> None:
    plain = _remaining(10**9, lifetime=Cost("zcdp", 10**9))
    for shown in (repr(plain), plain._repr_html_(), str(plain)):
        assert "life" not in shown and "memory" not in shown and "guarantee" not in shown
    full = _remaining(10**9, more=7, lifetime=Cost("zcdp", 10**11), epoch=2, durable=False, unbounded=2)
    life = f"ε = {BUDGET.describe(Cost('zcdp', 10**11))[0]:.4g}"
    for shown in (repr(full), full._repr_html_(), str(full)):
        for part in (life, "memory only", "2 releases had no finite guarantee", "about 7 more", "renewed 2"):
            assert part in shown, part


def test_an_account_s_gauge() -> None:
    past = eventful()
    found = remaining(past.account("national audit", "m.silva"))
    assert found.unbounded == 1 and found.epoch == 1 and not found.durable and found.lifetime is not None
    assert "renewed once" in repr(found) and "1 release had no finite guarantee" in repr(found)


def _history(width: int, monkeypatch: pytest.MonkeyPatch) -> tuple[pd.DataFrame, list[str]]:
    monkeypatch.setenv("COLUMNS", str(width))
    account = eventful().account()
    found = history(account.entries(), account.budget)
    return found, repr(found).splitlines()


@pytest.mark.parametrize("width", [80, 200])
def test_the_history_is_a_line_each_in_a_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found, lines = _history(width, monkeypatch)
    assert len(lines) == len(found) + 2 and lines[0].split() == ["at", "project", "analyst", "what", "state", "epsilon"]
    assert lines[1].startswith("2024-01-13 09:30  asthma") and lines[1].endswith("0.5")
    assert lines[-1].startswith("More columns: rho, unbounded, table, protection, epoch, question, id")
    assert max(map(len, lines[:-1])) <= max(width, 92)
    assert "…" in repr(found) and HOSTILE not in repr(found) and HOSTILE in found["project"].tolist()
    assert str(found) == repr(found)


def test_the_history_stays_a_data_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = _history(80, monkeypatch)
    assert isinstance(found, pd.DataFrame) and type(found[["at", "state"]]) is pd.DataFrame
    assert found["at"].dtype.kind == "M" and found["at"].dt.tz is None
    exact = found[found["unbounded"]]
    assert exact["epsilon"].tolist() == [math.inf] and exact["rho"].tolist() == [0.0]
    assert (found.loc[found["state"].isin(["denied", "voided"]), "epsilon"] == 0).all()
    assert "<table" in found._repr_html_()


def test_a_long_history_shows_both_ends() -> None:
    entry = Entry(
        "0" * 32, dt.datetime(2024, 1, 1, tzinfo=dt.UTC), "p", "a", "t", "count", "q", "{}", Cost("pure", 10**11),
        State.COMMITTED, False, 0,
    )  # fmt: skip
    entries = [dataclasses.replace(entry, at=entry.at + dt.timedelta(days=day)) for day in range(500)]
    found = history(entries, Budget(epsilon=100))
    lines = repr(found).splitlines()
    assert len(lines) < 70 and lines[1].startswith("2024-01-01") and "500 requests." in lines
    assert lines[-3].startswith("2025-05-14") and "rho" not in found


def test_no_history_says_so() -> None:
    account = Past(None).account(budget=Budget(1))
    assert repr(history(account.entries(), account.budget)) == "No request yet."


def test_the_history_shows_the_epsilon_that_was_asked() -> None:
    session = pets.Session(SCHEMA, frame(), budget=BUDGET, progress=False)
    sums = pets.query("stays").group_by("age").agg(n=pets.count(), days=pets.sum("days"), cost=pets.mean("cost"))
    for protection in (pets.DP(epsilon=1), pets.DP(rho=0.01), pets.DP(epsilon=0.2, pure=True)):
        session.release(sums, protection)
    asked, other, pure = session.history()["epsilon"]
    assert asked == 1  # the charge is that of scales that were rounded: a little less
    losses = session.history()["rho"] * 1e12
    assert session.budget.describe(Cost("zcdp", round(losses[0])))[0] < 1
    for found, loss in ((other, losses[1]), (pure, losses[2])):  # what they amount to at the budget's δ
        assert found == session.budget.describe(Cost("zcdp", round(loss)))[0]
    assert pure > 0.2
