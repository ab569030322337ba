"""The rules of the account, one by one: what a dataset's first opening pins, who is charged, and what costs nothing."""

from __future__ import annotations

import json
import os
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

import pets
from pets.common.codec import canonical
from pets.errors import BudgetError, InternalError, LedgerError, PetsError, UserError
from pets.ledger.account import Account
from pets.ledger.db import tables
from pets.ledger.db.row_types import ScopeRow
from pets.ledger.ledger import SWEEP, Ledger
from pets.ledger.log import verifier
from pets.ledger.root import Root
from pets.ledger.standing import refusal
from pets.ledger.states import NEXT, Request, State
from pets.protection.budget import Budget, Cost
from tests.ledgers import MILLI, Place, account, ask, audit, cap, opened, request, root, seal, state, verify
from tests.services import until

QUERY = pets.query("stays").agg(n=pets.count())
BUDGET = pets.Budget(epsilon=1, delta=1e-6)
DP = pets.DP(epsilon=0.1)


def schema(dataset: str = "hospital", unit: str | None = "id") -> pets.Schema:
    columns: dict[str, Any] = {"id": pets.Identifier(), "other": pets.Identifier(), "days": pets.Integer(0, 9)}
    return pets.Schema({"stays": pets.Table(pets.Unit(unit, max_rows=1), columns)}, dataset=dataset)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "stays.csv"
    pd.DataFrame({"id": [f"p{i}" for i in range(9)], "other": "x", "days": range(9)}).to_csv(path, index=False)
    return path


@pytest.fixture
def ledger(place: Place) -> Any:
    with opened(place) as made:
        yield made
        audit(made)
        verify(made)


def session(place: Place, data: Any, budget: Budget | None = BUDGET, **changed: Any) -> pets.Session:
    known = changed.pop("schema", schema())
    return pets.Session(known, data, budget=budget, ledger=place.open(), **changed)


# what the first opening pins ----------------------------------------------------------------------------------------


def test_the_budget_is_the_first_one(place: Place, data: Path) -> None:
    with pytest.raises(BudgetError, match="give its whole budget "):
        session(place, data, budget=None)
    session(place, data)
    assert session(place, data).budget == session(place, data, budget=None).budget == BUDGET
    for other in (pets.Budget(epsilon=2, delta=1e-6), pets.Budget(epsilon=1, delta=1e-7), pets.Budget(epsilon=1)):
        with pytest.raises(BudgetError, match="leave budget out; a signed policy change"):
            session(place, data, budget=other)


def test_the_unit_is_the_first_one(place: Place, data: Path) -> None:
    session(place, data)
    for unit in ("other", None):
        known = pets.Unit(unit)
        changed = pets.Schema({"stays": pets.Table(known, schema().table("stays").columns)}, dataset="hospital")
        with pytest.raises(LedgerError, match="the person in column 'id' is protected in table 'stays'"):
            session(place, data, schema=changed)


@pytest.mark.parametrize("link", ["same", "symlink", "hard link", "dotted", "relative"])
def test_a_source_under_another_name(link: str, place: Place, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session(place, data)
    again = data.with_name("again.csv")
    if link == "symlink":
        again.symlink_to(data)
    elif link == "hard link":
        os.link(data, again)
    elif link == "dotted":
        (data.parent / "x").mkdir()
        again = data.parent / "x" / ".." / data.name
    elif link == "relative":
        monkeypatch.chdir(data.parent)
        again = Path(data.name)
    else:
        again = data
    with pytest.raises(LedgerError, match=r"registered in this ledger under dataset 'hospital'.*have one budget"):
        session(place, str(again), schema=schema("another"))
    assert session(place, str(again)).budget == BUDGET, "under its own name it is welcome"


def test_a_source_under_another_name_in_another_process(place: Place, data: Path) -> None:
    """Two ledgers of one process would not do: the second opening reads what the first wrote."""
    first = session(place, data)
    first.ledger.close()
    with pytest.raises(LedgerError, match="write 'dataset: hospital' in the schema"):
        session(place, data, schema=schema("another"))


def test_a_ledger_needs_a_named_dataset(place: Place, data: Path) -> None:
    unnamed = pets.Schema({"stays": schema().table("stays")})
    with pytest.raises(LedgerError, match="write 'dataset: hospital-stays' in it"):
        session(place, data, schema=unnamed)


def test_a_second_session_shares_the_budget(place: Place, data: Path) -> None:
    one, two = session(place, data, analyst="one"), session(place, data, budget=None, analyst="two")
    one.release(QUERY, DP)
    assert two.remaining().left == one.remaining().left
    assert two.remaining().spent.loss > 0 and list(two.history()["analyst"]) == ["one"]


# scopes -------------------------------------------------------------------------------------------------------------


def test_all_scopes_are_charged_or_none(ledger: Ledger) -> None:
    asker = account(ledger)
    cap(ledger, "d", ("p", ""), 100)
    cap(ledger, "d", ("p", "a"), 50)
    ask(asker, request(milli=50))
    with pytest.raises(BudgetError, match="analyst 'a' has room for ε = 0;"):
        ask(asker, request(milli=1))
    with pytest.raises(BudgetError, match=r"project 'p' has room for ε = 0\.05"):
        ask(account(ledger, analyst="b"), request(milli=51))
    ask(account(ledger, analyst="b"), request(milli=50))
    ask(account(ledger, project="q"), request(milli=900))
    with pytest.raises(BudgetError, match="the budget has room for ε = 0;"):
        ask(account(ledger, project="q"), request(milli=1))
    with ledger.reading() as tx:
        spent = {(s.project, s.analyst): s.spent[0] // MILLI for s in tx.all_scopes("d")}
    assert spent == {("", ""): 1000, ("p", ""): 100, ("p", "a"): 50, ("p", "b"): 50, ("q", ""): 900, ("q", "a"): 900}


def test_several_requests_all_or_none(ledger: Ledger) -> None:
    asker = account(ledger)
    with pytest.raises(BudgetError, match="these 3 queries would cost"):
        asker.reserve([request(milli=400) for _ in range(3)])
    assert asker.standing().spent.loss == 0
    assert [entry.state for entry in asker.entries()] == [State.DENIED] * 3
    assert len(ask(asker, request(milli=400), request(milli=600))) == 2
    assert asker.standing().left.loss == 0


def test_thresholds_count_their_delta(ledger: Ledger) -> None:
    budget = Budget(epsilon=1, delta=1e-6, threshold_delta=5e-7)
    asker = Account(ledger, root("zcdp", budget=budget), "p", "a")
    cost = Cost("zcdp", 1, 3 * 10**11)
    ask(asker, request(cost=cost))
    said = "would cost δ = 3e-07 for thresholds and the budget has room for δ = 2e-07; nothing was spent"
    with pytest.raises(BudgetError, match=said):
        ask(asker, request(cost=cost))
    assert asker.standing().spent == cost


def test_where_no_delta_for_thresholds_is_left_a_smaller_one_is_not_advised(ledger: Ledger) -> None:
    asker = Account(ledger, root("zcdp", budget=Budget(epsilon=1, delta=1e-6, threshold_delta=5e-7)), "p", "a")
    ask(asker, request(cost=Cost("zcdp", 1, 5 * 10**11)))
    with pytest.raises(BudgetError, match=r"room for δ = 0; nothing was spent; no smaller one fits") as caught:
        ask(asker, request(cost=Cost("zcdp", 1, 1)))
    assert "--dataset NAME --threshold-delta NUMBER" in str(caught.value)
    share = ScopeRow("p", "", (10**12, 0), (0, 0), (0, 0))
    said = refusal([share], [request(cost=Cost("zcdp", 1, 1))], Budget(epsilon=1, delta=1e-6, threshold_delta=5e-7))
    assert said is not None
    assert "project 'p' has room for δ = 0" in said
    assert "--project PROJECT --budget-epsilon NUMBER --threshold-delta NUMBER" in said


def test_rounding_does_not_hide_why_a_request_is_refused(ledger: Ledger) -> None:
    asker = account(ledger)
    ask(asker, request(cost=Cost("pure", 1)))
    with pytest.raises(BudgetError, match=r"would cost ε = 1 and the budget has room for ε = 0\.999999999999; nothing"):
        ask(asker, request(milli=1000))
    with pytest.raises(BudgetError, match=r"would cost ε = 1\.5 and the budget has room for ε = 1; nothing"):
        ask(asker, request(milli=1500))


# idempotency and the same question ----------------------------------------------------------------------------------


def test_a_key_is_one_request(ledger: Ledger) -> None:
    asker = account(ledger)
    first = ask(asker, request("q", key="k"))[0]
    assert ask(asker, request("q", key="k"), again=True)[0] == first, "a retry is never a second draw"
    with pytest.raises(LedgerError, match="was used for another question; use a new key"):
        ask(asker, request("other", key="k"))
    grants = asker.reserve([request("slow", key="slow")])
    with pytest.raises(LedgerError, match="still being answered; ask again in"):
        ask(asker, request("slow", key="slow"))
    asker.close(grants)
    with pytest.raises(LedgerError, match="its charge stands; to ask again, and be charged again, use a new key"):
        ask(asker, request("slow", key="slow"))
    never = asker.reserve([request("never", key="never")], start=False)
    asker.close(never)
    ask(asker, request("something else", key="never"))
    assert asker.standing().spent.loss == 30 * MILLI


def test_a_key_belongs_to_its_dataset(ledger: Ledger) -> None:
    one, two = (ask(account(ledger, name), request(f"{name} q", key="k"))[0] for name in ("d", "e"))
    assert one.request != two.request


def test_a_reservation_left_behind_does_not_hold_its_key(place: Place) -> None:
    now = [1e9]
    with opened(place, lease=5, clock=lambda: now[0]) as ledger:
        asker = account(ledger)
        asker.reserve([request("q", key="k")], start=False)
        started = asker.reserve([request("r", key="l")])
        now[0] += 6
        assert now[0] - 1e9 < SWEEP, "nobody has cleaned up"
        ask(asker, request("q", key="k"))
        with pytest.raises(LedgerError, match="its charge stands"):
            ask(asker, request("r", key="l"))
        now[0] += SWEEP
        ask(asker, request())  # cleans up
        assert state(asker, started[0].id) == "forfeited"
        with pytest.raises(LedgerError, match=r"longer than its lease and was closed; .*its charge stands"):
            seal(asker, started[0])
        assert asker.standing().spent.loss == 30 * MILLI


def test_the_same_question_is_the_same_bytes_for_everybody(ledger: Ledger) -> None:
    asker, other = account(ledger), account(ledger, project="q", analyst="b")
    first = ask(asker, request("q"))[0]
    before = [account_.standing() for account_ in (asker, other)]
    assert ask(other, request("q"))[0] == ask(asker, request("q", key="new"))[0] == first
    assert [account_.standing() for account_ in (asker, other)] == before
    second = ask(other, request("q"), again=True)[0]
    assert second.release != first.release and asker.standing().spent.loss == 20 * MILLI
    assert ask(asker, request("q"))[0] == first, "the first answer stays the answer"


def test_the_same_question_in_sessions(place: Place, data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "ready"
    one = session(place, data, analyst="one", snapshots=folder)
    first = one.release(QUERY, DP)
    two = session(place, None, budget=None, analyst="two", snapshots=folder)
    second = two.release(QUERY, DP)
    assert second.table.equals(first.table) and (second.id, second.analyst) == (first.id, "two")
    assert two.release(QUERY, DP).to_json() == second.to_json()
    assert not two.release(QUERY, DP, again=True).table.equals(first.table)
    assert list(two.history()["state"]) == ["committed", "delivered", "committed"]
    one.refresh()
    assert one.release(QUERY, DP).to_json() != first.to_json(), "another snapshot is another question"


# releases without a finite guarantee --------------------------------------------------------------------------------


def test_unbounded_releases_are_named_ever_after(place: Place, data: Path) -> None:
    policy = pets.Policy(allow_unbounded=True)
    one = session(place, data, policy=policy)
    before = one.release(QUERY, DP)
    one.release(QUERY, pets.Total())
    two = session(place, data, budget=None, analyst="two")
    for turn in range(2):
        after = two.release(QUERY, DP, again=True)
        assert after.certificate is not None
        (named,) = after.certificate.predicate["other_releases"]["unbounded"]
        assert named["what"] == "count" and named["request_id"] == one.history()["id"][1], turn
        assert any("1 earlier release(s) of this dataset had no finite guarantee" in note for note in after.notes)
    assert before.certificate is not None and not before.certificate.predicate["other_releases"]["unbounded"]
    assert list(two.history()["unbounded"]) == [False, True, False, False]


# the database -------------------------------------------------------------------------------------------------------


def test_the_newest_migration_makes_exactly_the_tables(ledger: Ledger) -> None:
    with ledger.reading() as tx:
        context = MigrationContext.configure(
            tx.connection, opts={"version_table": tables.VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, tables.meta) == []
        checks = {
            check["name"]
            for table in tables.meta.tables
            for check in sa.inspect(tx.connection).get_check_constraints(table)
        }
    wanted = {
        c.name for table in tables.meta.tables.values() for c in table.constraints if isinstance(c, sa.CheckConstraint)
    }
    assert wanted <= checks and len(wanted) >= 7


def test_the_log_is_append_only(ledger: Ledger) -> None:
    ask(account(ledger), request())
    for statement in ("UPDATE pets_log SET seq = seq + 100", "DELETE FROM pets_log"):
        with pytest.raises(LedgerError, match="the log is append-only"), ledger.writing() as (tx, _):
            tx.connection.execute(sa.text(statement))


def test_public_bodies_hold_no_constant_of_a_question(ledger: Ledger) -> None:
    asker = account(ledger)
    ask(asker, request("secret-asked", query={"where": "secret-constant"}, key="secret-key"))
    with ledger.reading() as tx:
        for body, private, _ in tx.entries():
            assert b"secret" not in body
            assert json.loads(private)["salt"]


# handles ------------------------------------------------------------------------------------------------------------


def test_nothing_secret_is_shown_or_pickled(ledger: Ledger, place: Place) -> None:
    secret = place.key.read_text().splitlines()[1]
    assert place.key.stat().st_mode & 0o077 == 0
    shown = f"{ledger!r} {ledger.signer!r} {ledger.key!r} {vars(ledger)}"
    assert secret not in shown
    for value in (ledger, ledger.signer, account(ledger)):
        with pytest.raises((PetsError, TypeError, AttributeError)):
            pickle.dumps(value)


def test_a_ledger_in_postgresql_hides_its_password(new_place: Callable[[str], Place]) -> None:
    place = new_place("postgresql")
    with pytest.raises(LedgerError) as caught:
        Ledger("postgresql://me:hunter2@127.0.0.1:1/none", keys=place.keys)
    assert "hunter2" not in str(caught.value) and "cannot be written" in str(caught.value)


def test_states_only_move_forward(ledger: Ledger) -> None:
    asker = account(ledger)
    for grant in asker.reserve([request(), request()], start=False):
        with pytest.raises(LedgerError, match="its charge stands"):
            seal(asker, grant)  # it never started
    assert {before for before, after in NEXT.items() if after} == {State.RESERVED, State.STARTED}
    for fate in State:
        assert fate.open == (fate in NEXT) and fate.charged == (fate not in (State.DENIED, State.VOIDED))


def test_another_worker_cannot_seal(ledger: Ledger) -> None:
    import dataclasses

    asker = account(ledger)
    grant = asker.reserve([request()])[0]
    with pytest.raises(LedgerError, match="its charge stands"):
        seal(asker, dataclasses.replace(grant, token="0" * 32))
    asker.close([dataclasses.replace(grant, token="0" * 32)])
    assert state(asker, grant.id) == "started"
    seal(asker, grant)
    with pytest.raises(LedgerError):
        seal(asker, grant)


# memory -------------------------------------------------------------------------------------------------------------


def test_a_session_without_a_ledger_follows_the_same_rules(data: Path) -> None:
    one = pets.Session(schema(), data, budget=BUDGET)
    assert one.ledger.memory and not one.remaining().durable
    release = one.release(QUERY, DP)
    assert one.release(QUERY, DP) is release and one.release(QUERY, DP, key="k").to_json() == release.to_json()
    with pytest.raises(BudgetError, match="nothing was spent"):
        one.release(QUERY, pets.DP(epsilon=1))
    with pytest.raises(BudgetError, match="nothing was spent"):
        one.release(QUERY, pets.DP(epsilon=1_000_000, pure=True))
    assert list(one.history()["state"]) == ["committed", "denied", "denied"]
    assert "in this process only" in release.guarantee
    assert release.certificate is not None
    assert verifier.verify(canonical(dict(release.certificate)), one.ledger.key.raw, canonical(release.form))
    audit(one.ledger)
    verify(one.ledger)
    with pytest.raises(UserError):
        pickle.dumps(one)


def test_wrong_costs_are_our_bug() -> None:
    for loss, delta in ((-1, 0), (1, -1), (True, 0), (1.5, 0)):
        with pytest.raises(InternalError):
            Cost("zcdp", loss, delta)  # type: ignore[arg-type]


def test_every_connection_is_durable(new_place: Callable[[str], Place]) -> None:
    """A weaker setting may forget a charge when the power fails; no test can pull the plug, so the setting is read."""
    with opened(new_place("sqlite")) as ledger, ledger.reading() as tx:
        found = [tx.connection.execute(sa.text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous")]
        assert found == ["wal", 2]
    with opened(new_place("postgresql")) as ledger, ledger.writing() as (tx, _):
        assert tx.connection.execute(sa.text("SHOW synchronous_commit")).scalar() == "on"
        assert tx.connection.execute(sa.text("SHOW transaction_isolation")).scalar() == "read committed"


def test_of_two_who_asked_at_once_the_first_answer_stays() -> None:
    account = Account(Ledger(), Root("d", {"t": "id"}, {}, pets.Budget(epsilon=1, delta=1e-6)), "p", "a")
    request = Request("t", "count", "q", "the same question", "s", {}, {"kind": "dp"}, Cost("zcdp", 1))
    (first,), (second,) = account.reserve([request]), account.reserve([request])
    told = {"release_id": "r"}
    account.seal(second, b"second", "2" * 64, told)
    (asked,) = account.reserve([request])
    account.seal(first, b"first", "1" * 64, told)
    (again,) = account.reserve([request])
    assert asked.sealed is not None and again.sealed is not None
    assert asked.sealed.release == again.sealed.release == b"second"


def test_a_long_answer_keeps_its_lease(place: Place) -> None:
    """Somebody cleans up meanwhile: what is still being answered is not taken for one that was left behind."""
    now, terms = [1e9], {"lease": 0.3}  # renewed every tenth of a second, until a time that the test sets
    with opened(place, **terms, clock=lambda: now[0]) as ledger, opened(place, **terms, clock=lambda: now[0]) as other:
        asker, before = account(ledger), threading.active_count()
        alone, kept = asker.reserve([request("left behind")]), asker.reserve([request("long")])

        def renewed() -> bool:
            with other.reading() as tx:
                row = tx.request(kept[0].id)
            return row is not None and row.lease > now[0] + 0.2

        with asker.closing(kept):
            for _ in range(2):
                now[0] += 0.2
                until(renewed)
            assert other.recover() == 1
            assert state(asker, alone[0].id) == "forfeited" and state(asker, kept[0].id) == "started"
            seal(asker, kept[0])
        assert state(asker, kept[0].id) == "committed"
        with pytest.raises(ZeroDivisionError), asker.closing(asker.reserve([request("fails")])):
            raise ZeroDivisionError
        until(lambda: threading.active_count() <= before)


def test_an_answer_that_is_published_while_somebody_opens_is_no_loss(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was published is looked at before the ledger is, which then holds all of it."""
    with opened(place) as first:
        asker, real = account(first), Ledger.published

        def meanwhile(self: Ledger) -> Any:
            ask(asker, request())
            return real(self)

        monkeypatch.setattr(Ledger, "published", meanwhile)
        with opened(place) as second:
            assert account(second).standing().spent.loss == 10 * MILLI
