"""Changes and rebases: only signed, once, in the open — and nothing that was lost is forgotten."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pets
from pets.common.codec import Json
from pets.common.signing import SigningKey, ephemeral, load_or_make
from pets.errors import BudgetError, LedgerError, VerificationError
from pets.ledger.change import Change, apply, countersigned, draft
from pets.ledger.db.row_types import parsed
from pets.ledger.ledger import Ledger
from pets.ledger.rebase import rebase
from pets.protection.budget import Cost
from tests.ledgers import audit

SCHEMA = pets.Schema(
    {"stays": pets.Table(pets.Unit("id", max_rows=2), {"id": pets.Identifier(), "days": pets.Integer(0, 10)})},
    dataset="stays-2026",
)
FRAME = pd.DataFrame({"id": [f"p{i}" for i in range(50)], "days": [i % 11 for i in range(50)]})
BUDGET = pets.Budget(epsilon=3, delta=1e-6)
QUERY = pets.query("stays").agg(n=pets.count())
WHO = ("A. Caldicott", "B. Statistician")


def open_session(ledger: Any, budget: pets.Budget | None = None, **more: Any) -> pets.Session:
    return pets.Session(SCHEMA, FRAME, budget=budget, ledger=ledger, **more)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = Ledger(tmp_path / "ledger.db")
    open_session(made, BUDGET).release(QUERY, pets.DP(epsilon=1))
    return made


def change(ledger: Ledger, kind: str, details: Json, **other: Any) -> Change:
    given = {"origin": ledger.origin, "dataset": "stays-2026", "reason": "a reason", "by": WHO} | other
    return Change(kind=kind, details=details, **given)


def make(ledger: Ledger, kind: str, details: Json, *keys: SigningKey) -> None:
    apply(ledger, draft(change(ledger, kind, details), *keys))


def renewal(snapshot: str, epsilon: float = 2, epoch: int = 0) -> Json:
    return {"budget": pets.Budget(epsilon, 1e-6).to_json(), "snapshots": [snapshot], "epoch": epoch}


def bodies(ledger: Ledger) -> list[Json]:
    with ledger.reading() as tx:
        return [json.loads(body) for body, _, _ in tx.entries()]


# ── renewals ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_renewal_is_for_its_snapshot_and_forgets_nothing(ledger: Ledger) -> None:
    old = open_session(ledger)
    before = old.remaining()
    new = open_session(ledger)
    make(ledger, "renew", renewal(new.snapshots["stays"]))
    after = new.remaining()
    assert (after.spent.loss, after.epoch, after.budget.epsilon) == (0, 1, 2)
    assert after.lifetime == before.spent and after.lifetime.loss > 0
    assert "renewed 1×" in str(after) and "over its whole life ε = 1" in str(after)
    with pytest.raises(BudgetError, match="renewed for other data"):
        old.release(QUERY, pets.DP(epsilon=0.1))
    release = new.release(QUERY, pets.DP(epsilon=1))
    told = release.certificate.predicate["budget"]  # type: ignore[union-attr]
    assert told["epoch"] == 1 and told["lifetime"] == before.spent.loss + release.cost["loss"]
    assert told["after"] == release.cost["loss"]
    make(ledger, "snapshots", {"snapshots": [old.snapshots["stays"]]})
    old.release(QUERY, pets.DP(epsilon=0.1))


def test_what_a_renewal_refuses(ledger: Ledger) -> None:
    asked = open_session(ledger)
    asked.release(QUERY, pets.DP(epsilon=0.1))
    fresh = open_session(ledger).snapshots["stays"]
    with pytest.raises(LedgerError, match="nobody asked about yet"):
        make(ledger, "renew", renewal(asked.snapshots["stays"]))
    with pytest.raises(LedgerError, match="drafted for epoch 3"):
        make(ledger, "renew", renewal(fresh, epoch=3))
    with pytest.raises(LedgerError, match="name the new snapshot"):
        make(ledger, "renew", renewal(fresh) | {"snapshots": []})
    with pytest.raises(BudgetError, match="one currency for ever"):
        make(ledger, "renew", renewal(fresh) | {"budget": pets.Budget(2).to_json()})
    with pytest.raises(LedgerError, match="never renewed"):
        make(ledger, "snapshots", {"snapshots": [fresh]})
    with pytest.raises(LedgerError, match="did you mean 'stays-2026'"):
        apply(ledger, draft(change(ledger, "renew", renewal(fresh), dataset="stays-2025")))
    with pytest.raises(LedgerError, match="two different people"):
        change(ledger, "renew", renewal(fresh), by=("Ann", "ann "))
    with pytest.raises(LedgerError, match="did you mean 'renew'"):
        change(ledger, "renewal", renewal(fresh))
    with pytest.raises(LedgerError, match="needs budget, epoch, snapshots"):
        change(ledger, "renew", {"budget": {}})
    assert open_session(ledger).remaining().epoch == 0
    assert [body["event"] for body in bodies(ledger)].count("change") == 0


def test_a_change_applies_once_and_to_one_ledger(ledger: Ledger, tmp_path: Path) -> None:
    wanted = draft(change(ledger, "budget", {"budget": pets.Budget(4, 1e-6).to_json()}))
    apply(ledger, wanted)
    with pytest.raises(LedgerError, match="applied before"):
        apply(ledger, wanted)
    other = Ledger(tmp_path / "other.db")
    open_session(other, BUDGET)
    with pytest.raises(LedgerError, match="is for the ledger"):
        apply(other, wanted)
    assert open_session(ledger).budget.epsilon == 4
    entry = bodies(ledger)[-1]
    assert (entry["event"], entry["change"], entry["by"]) == ("change", "budget", list(WHO))


# ── caps, units, sources ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_project_has_its_own_cap_and_the_root_is_charged_too(ledger: Ledger) -> None:
    cap = {"project": "trial", "analyst": "", "budget": pets.Budget(0.5, 1e-6).to_json()}
    make(ledger, "cap", cap)
    trial, other = open_session(ledger, project="trial"), open_session(ledger, project="other")
    before = other.remaining().spent.loss
    with pytest.raises(BudgetError, match=r"project 'trial' has room for ε = 0\.5"):
        trial.release(QUERY, pets.DP(epsilon=0.6))
    assert other.remaining().spent.loss == before
    cost = trial.release(QUERY, pets.DP(epsilon=0.5)).cost["loss"]
    assert other.remaining().spent.loss == before + cost
    with pytest.raises(BudgetError, match="more than that is spent"):
        make(ledger, "cap", cap | {"budget": pets.Budget(0.1, 1e-6).to_json()})
    make(ledger, "cap", cap | {"budget": None})
    trial.release(QUERY, pets.DP(epsilon=0.6))
    make(ledger, "cap", {"project": "other", "analyst": "eve", "budget": pets.Budget(0.1, 1e-6).to_json()})
    with pytest.raises(BudgetError, match="analyst 'eve'"):
        open_session(ledger, project="other", analyst="eve").release(QUERY, pets.DP(epsilon=0.2))
    other.release(QUERY, pets.DP(epsilon=0.2))


def test_the_root_cap_never_falls_below_what_is_spent(ledger: Ledger) -> None:
    with pytest.raises(BudgetError, match="more than that is spent"):
        make(ledger, "budget", {"budget": pets.Budget(0.5, 1e-6).to_json()})
    assert open_session(ledger).budget == BUDGET


def test_another_unit_needs_a_signed_change(ledger: Ledger) -> None:
    rows = pets.Schema(
        {"stays": pets.Table("row", {"id": pets.Category(["p0"]), "days": pets.Integer(0, 10)})}, dataset="stays-2026"
    )
    with pytest.raises(LedgerError, match="the person in column 'id' is protected in table 'stays'"):
        pets.Session(rows, FRAME, ledger=ledger)
    make(ledger, "unit", {"table": "stays", "unit": ""})
    pets.Session(rows, FRAME, ledger=ledger)
    with pytest.raises(LedgerError, match="each row"):
        open_session(ledger)
    with pytest.raises(LedgerError, match="did you mean 'stays'"):
        make(ledger, "unit", {"table": "stay", "unit": "id"})


def test_a_table_joins_by_a_signed_change(ledger: Ledger) -> None:
    more = pets.Schema({**SCHEMA.tables, "deaths": SCHEMA.tables["stays"]}, dataset="stays-2026")
    frames = {"stays": FRAME, "deaths": FRAME[:9]}
    with pytest.raises(LedgerError, match=r"opened without table 'deaths'; .* one budget") as refusal:
        pets.Session(more, frames, ledger=ledger)
    assert str(refusal.value).endswith("by a signed policy change (pets ledger change --table 'deaths=id')")
    assert [body["event"] for body in bodies(ledger)].count("tables") == 0
    make(ledger, "table", {"table": "deaths", "unit": "id"})
    session = pets.Session(more, frames, ledger=ledger)
    before = session.remaining().spent.loss
    session.release(pets.query("deaths").agg(n=pets.count()), pets.DP(epsilon=0.5))
    assert session.remaining().spent.loss > before  # from the same budget
    open_session(ledger)  # who does not need it goes on as before
    said = [body for body in bodies(ledger) if body["event"] == "change"]
    assert [(one["change"], one["table"], one["unit"]) for one in said] == [("table", "deaths", "id")]
    with pytest.raises(LedgerError, match="--unit changes who is protected in it"):
        make(ledger, "table", {"table": "deaths", "unit": ""})
    for table, unit in (("", "id"), (3, "id"), ("rx", None)):
        with pytest.raises(LedgerError, match=r"a table's name|a unit is the name"):
            make(ledger, "table", {"table": table, "unit": unit})


def test_a_file_belongs_to_one_dataset_until_a_signed_change(ledger: Ledger, tmp_path: Path) -> None:
    path, link, hard = tmp_path / "stays.csv", tmp_path / "link.csv", tmp_path / "hard.csv"
    FRAME.to_csv(path, index=False)
    link.symlink_to(path)
    hard.hardlink_to(path)
    pets.Session(SCHEMA, path, ledger=ledger)
    other = pets.Schema(SCHEMA.tables, dataset="another-name")
    for same in (path, link, hard, str(path)):
        with pytest.raises(LedgerError, match="write 'dataset: stays-2026'"):
            pets.Session(other, same, budget=BUDGET, ledger=ledger)
    open_other = pets.Session(other, FRAME, budget=BUDGET, ledger=ledger)
    assert open_other.remaining().spent.loss == 0
    make_other = Change(ledger.origin, "another-name", "source", {"table": "stays", "source": f"file:{path}"}, "r", WHO)
    apply(ledger, draft(make_other))
    pets.Session(other, path, ledger=ledger)


# ── approvers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_approvers_must_sign(ledger: Ledger) -> None:
    ann, bob, eve = ephemeral(), ephemeral(), ephemeral()
    make(ledger, "approvers", {"keys": [ann.public.raw.hex(), bob.public.raw.hex()], "needed": 2})
    wanted = change(ledger, "budget", {"budget": pets.Budget(4, 1e-6).to_json()})
    for keys in ((), (ann,), (ann, eve), (eve, eve), (ann, ann)):
        with pytest.raises(VerificationError, match="need the signatures of 2 approvers"):
            apply(ledger, draft(wanted, *keys))
    forged = draft(wanted, ann, bob)
    forged["payload"] = draft(change(ledger, "budget", {"budget": pets.Budget(9, 1e-6).to_json()}))["payload"]
    with pytest.raises(VerificationError):
        apply(ledger, forged)
    assert open_session(ledger).budget == BUDGET
    apply(ledger, countersigned(draft(wanted, ann), bob))
    assert open_session(ledger).budget.epsilon == 4
    assert len(bodies(ledger)[-1]["signers"]) == 3
    with pytest.raises(VerificationError):  # approvers cannot be removed without them
        make(ledger, "approvers", {"keys": [], "needed": 0})


def test_data_is_taken_from_a_dataset_only_with_its_approvers(ledger: Ledger, tmp_path: Path) -> None:
    path, ann = tmp_path / "stays.csv", ephemeral()
    FRAME.to_csv(path, index=False)
    pets.Session(SCHEMA, path, ledger=ledger)
    make(ledger, "approvers", {"keys": [ann.public.raw.hex()], "needed": 1})
    pets.Session(pets.Schema(SCHEMA.tables, dataset="b"), FRAME, budget=BUDGET, ledger=ledger)
    link = tmp_path / "link.csv"
    link.symlink_to(path)
    for source in (path, link):
        wanted = Change(ledger.origin, "b", "source", {"table": "stays", "source": f"file:{source}"}, "r", WHO)
        with pytest.raises(VerificationError, match="need the signatures of 1 approvers"):
            apply(ledger, draft(wanted))
    apply(ledger, draft(wanted, ann))
    assert bodies(ledger)[-1]["from"] == "stays-2026"


def test_wrong_approvers(ledger: Ledger) -> None:
    for details in ({"keys": ["zz"], "needed": 1}, {"keys": [], "needed": 1}, {"keys": ["00" * 32] * 2, "needed": 2}):
        with pytest.raises(LedgerError):
            make(ledger, "approvers", details)
    with ledger.reading() as tx:
        assert parsed(tx.dataset("stays-2026").approvers) == {"keys": [], "needed": 0}


# ── rebase ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def copies(path: Path, there: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        source, target = Path(f"{path}{suffix}"), Path(f"{there}{suffix}")
        target.unlink(missing_ok=True)
        if source.exists():
            shutil.copy(source, target)


def test_what_a_restored_backup_forgot_counts_as_spent(ledger: Ledger, tmp_path: Path) -> None:
    path, backup = tmp_path / "ledger.db", tmp_path / "backup"
    copies(path, backup)
    session = open_session(ledger)
    session.release(QUERY, pets.DP(epsilon=2))
    pets.Session(pets.Schema(SCHEMA.tables, dataset="later"), FRAME, budget=BUDGET, ledger=ledger).release(
        QUERY, pets.DP(epsilon=1.5)
    )
    spent = session.remaining().spent
    ledger.close()
    copies(backup, path)
    with pytest.raises(LedgerError, match="has lost entries"):
        Ledger(path)
    with pytest.raises(
        LedgerError, match=r"has lost entries|put in another's place"
    ):  # a process that lived through it sees it too
        session.release(QUERY, pets.DP(epsilon=0.1), again=True)
    closed = Ledger(path, check=False)
    with pytest.raises(LedgerError, match="two people"):
        rebase(closed, "a disk failed", ("one",))
    done = rebase(closed, "a disk failed", WHO)
    assert done.unknown == 1 and done.found < (done.published or 0)
    again = Ledger(path)
    assert open_session(again).remaining().spent == spent
    assert open_session(again).remaining().lifetime == spent
    later = pets.Session(pets.Schema(SCHEMA.tables, dataset="later"), FRAME, budget=BUDGET, ledger=again)
    assert round(later.remaining().budget.describe(later.remaining().spent)[0], 3) == 1.5
    later.release(QUERY, pets.DP(epsilon=0.1), again=True)
    audit(again)
    assert list(tmp_path.glob("ledger.db.checkpoint.superseded-*"))
    with pytest.raises(LedgerError, match="holds all that was published"):
        rebase(Ledger(path, check=False), "once more", WHO)


def test_a_second_restored_backup_forgets_no_more_than_the_first(ledger: Ledger, tmp_path: Path) -> None:
    path, backup = tmp_path / "ledger.db", tmp_path / "backup"
    copies(path, backup)
    later = pets.Schema(SCHEMA.tables, dataset="later")
    pets.Session(later, FRAME, budget=BUDGET, ledger=ledger).release(QUERY, pets.DP(epsilon=1.5))
    ledger.close()
    for reason in ("once", "and once more"):
        copies(backup, path)
        assert rebase(Ledger(path, check=False), reason, WHO).unknown == 1
    again = Ledger(path)
    with pytest.raises(BudgetError, match="a budget that holds what it spent"):
        pets.Session(later, FRAME, budget=pets.Budget(1, 1e-6), ledger=again)
    left = pets.Session(later, FRAME, budget=BUDGET, ledger=again).remaining()
    assert round(left.budget.describe(left.spent)[0], 3) == 1.5
    audit(again)
    Ledger(path)


def test_without_a_checkpoint_everything_counts_as_spent(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "ledger.db.checkpoint").unlink()
    with pytest.raises(LedgerError, match=r"checkpoint .* is missing"):
        Ledger(tmp_path / "ledger.db")
    rebase(Ledger(tmp_path / "ledger.db", check=False), "the folder was lost", WHO)
    again = Ledger(tmp_path / "ledger.db")
    left = open_session(again).remaining()
    assert left.left == Cost("zcdp", 0) and left.spent == BUDGET.cap
    audit(again)
    fresh = open_session(again)
    make(again, "renew", renewal(fresh.snapshots["stays"]))
    assert fresh.remaining().spent.loss == 0 < fresh.release(QUERY, pets.DP(epsilon=0.1)).cost["loss"]
    audit(again)
    with again.writing() as (tx, _):
        tx.charge("stays-2026", ("", ""), spent=(1, 0))
    with pytest.raises(AssertionError, match="spent is not what was charged"):
        audit(again)


def test_two_histories_both_count(ledger: Ledger, tmp_path: Path) -> None:
    path, backup, first = tmp_path / "ledger.db", tmp_path / "backup", tmp_path / "first"
    base = open_session(ledger).remaining().spent.loss
    copies(path, backup)
    note = ledger.checkpoint_path
    assert note is not None
    first.write_bytes(note.read_bytes())
    one = open_session(ledger).release(QUERY, pets.DP(epsilon=0.8)).cost["loss"]
    told = note.read_bytes()
    ledger.close()
    copies(backup, path)
    note.write_bytes(first.read_bytes())  # as on another host: it never saw the later checkpoint
    other = Ledger(path)
    session = open_session(other)
    two = session.release(QUERY, pets.DP(epsilon=0.4)).cost["loss"]
    session.release(QUERY, pets.DP(epsilon=0.2))
    three = session.remaining().spent.loss - base - two
    other.close()
    note.write_bytes(told)
    with pytest.raises(LedgerError, match="or others in their place"):
        Ledger(path)
    rebase(Ledger(path, check=False), "two hosts", WHO)
    # the true loss is base + one + two + three; the common part may be counted twice, never less than once
    assert open_session(Ledger(path)).remaining().spent.loss >= base + one + two + three
    audit(Ledger(path))


def test_two_who_rebase_at_once_count_once(ledger: Ledger, tmp_path: Path) -> None:
    path, backup = tmp_path / "ledger.db", tmp_path / "backup"
    copies(path, backup)
    open_session(ledger).release(QUERY, pets.DP(epsilon=1))
    spent = open_session(ledger).remaining().spent
    note = (tmp_path / "ledger.db.checkpoint").read_bytes()
    ledger.close()
    copies(backup, path)
    one, other = Ledger(path, check=False), Ledger(path, check=False)
    rebase(one, "first", WHO)
    (tmp_path / "ledger.db.checkpoint").write_bytes(note)  # as the other still read it
    with pytest.raises(LedgerError, match="rebased already"):
        rebase(other, "second", WHO)
    (tmp_path / "ledger.db.checkpoint").unlink()
    one.publish()
    assert open_session(Ledger(path)).remaining().spent == spent


def test_accounts_that_were_set_back_are_refused(ledger: Ledger, tmp_path: Path) -> None:
    import sqlite3

    ledger.close()
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute("UPDATE pets_scopes SET spent_loss = 0")
    with pytest.raises(LedgerError, match="older than its log"):
        Ledger(tmp_path / "ledger.db")


# ── on the command line ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def pets_(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    from pets.cli.main import run

    def call(*arguments: object) -> tuple[int, str, str]:
        code = run([str(argument) for argument in arguments])
        done = capsys.readouterr()
        return code, done.out, done.err

    return call


def test_the_custodians_walk(pets_: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    ledger, schema, data = tmp_path / "l.db", tmp_path / "s.json", tmp_path / "stays.csv"
    schema.write_text(json.dumps(SCHEMA.to_json()))
    FRAME.to_csv(data, index=False)
    tx = ("--ledger", ledger)
    why = ("--dataset", "stays-2026", "--reason", "new records", "--by", "Ann", "--by", "Bob")
    code, out, _ = pets_("ledger", "open", *tx, "--schema", schema, "--budget-epsilon", 1)
    assert code == 0 and "is open in" in out and "Keep a copy of the key" in out
    code, out, _ = pets_("snapshot", "--schema", schema, "--data", data, "--out", tmp_path / "ready")
    identity = next(line for line in out.splitlines() if "snapshot " in line).split()[-1]
    ask = ("query", *tx, "--schema", schema, "--snapshots", tmp_path / "ready", "--count", "n", "--epsilon", 0.5)
    code, out, err = pets_(*ask, "--certificate", tmp_path / "c.json")
    assert code == 0 and "Its certificates are checked with" in err and (tmp_path / "c.json").exists()
    code, again, err = pets_(*ask)
    assert code == 0 and again == out and err.startswith("Asked before, so the same answer, at no cost.")
    fresh = ("query", *tx, "--schema", schema, "--data", data, "--count", "n", "--epsilon", 0.05)
    for _ in range(2):
        code, _, err = pets_(*fresh)
        assert code == 0 and "charged again each time" in err and "Asked before" not in err
    for wrong in ("5b2c…", "5b2c", identity.upper() + "0", identity + "0"):
        code, _, err = pets_("ledger", "renew", *tx, *why, "--snapshot", wrong, "--budget-epsilon", 2)
        assert code == 10 and "32 hex digits" in err
        assert pets_("ledger", "change", *tx, *why, "--snapshot", wrong)[0] == 10
    code, _, err = pets_(*ask, "--budget-epsilon", 2)
    assert code == 6 and "leave budget out" in err
    assert pets_("ledger", "change", *tx, *why, "--project", "small", "--budget-epsilon", 0.6)[0] == 0
    code, out, err = pets_(*ask[:-1], 0.49, "--project", "small")
    assert code == 0 and "No room for another query like this" in out
    assert "the rest of this project's or analyst's own limit, fits; no more like the last one" in err
    code, _, err = pets_("ledger", "renew", *tx, *why, "--snapshot", identity, "--budget-epsilon", 2)
    assert code == 10 and "nobody asked about yet" in err
    for name in ("ann", "bob"):
        assert pets_("ledger", "key", "--out", tmp_path / f"{name}.key")[0] == 0
    approvers = [part for name in ("ann", "bob") for part in ("--approver", tmp_path / f"{name}.pub")]
    assert pets_("ledger", "change", *tx, *why, *approvers)[0] == 0
    file = tmp_path / "change.json"
    assert pets_("ledger", "change", *tx, *why, "--budget-epsilon", 2, "--draft", file)[0] == 0
    code, _, err = pets_("ledger", "apply", file, *tx)
    assert code == 11 and "2 approvers" in err
    for name in ("ann", "bob"):
        assert pets_("ledger", "sign", file, "--key", tmp_path / f"{name}.key")[0] == 0
    code, out, _ = pets_("ledger", "apply", file, *tx)
    assert code == 0 and "budget of 'stays-2026'" in out
    assert pets_("ledger", "recover", *tx)[1].startswith("0 requests")
    for wrong, said in (
        (("ledger", "recover", "--ledger", tmp_path / "absent.db"), "there is no ledger"),
        (("ledger", "apply", data, *tx), "no policy change"),
        (("ledger", "apply", tmp_path / "absent.json", *tx), "cannot be read"),
        (("ledger", "sign", file, "--key", tmp_path / "absent.key"), "there is no key"),
        (("ledger", "change", *tx, *why), "one thing at a time"),
        (("ledger", "recover", *tx, "--rebase", "--reason", "x", "--by", "a", "--by", "b"), "holds all"),
    ):
        code, _, err = pets_(*wrong)
        assert code == 10 and said in err and err.count("\n") == 1, err


def test_keys_are_made_where_they_are_not(tmp_path: Path) -> None:
    made = load_or_make(tmp_path / "k.key")
    assert load_or_make(tmp_path / "k.key").public.raw == made.public.raw


def test_what_is_refused_makes_no_ledger(pets_: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    schema, data = tmp_path / "s.json", tmp_path / "stays.csv"
    schema.write_text(json.dumps(SCHEMA.to_json()))
    FRAME.to_csv(data, index=False)
    (tmp_path / "empty.csv").touch()
    before = sorted(tmp_path.iterdir())
    open_ = ("ledger", "open", "--ledger", tmp_path / "new.db", "--schema", schema)
    for attempt, said in (
        ((*open_, "--budget-epsilon", -3), "epsilon"),
        ((*open_, "--budget-epsilon", 1, "--budget-delta", 2), "delta"),
        (("ledger", "open", "--ledger", tmp_path / "new.db", "--schema", tmp_path / "none.json"), "none.json"),
        (("query", "--ledger", tmp_path / "typo.db", "--schema", schema, "--data", data, "--count", "n", "--rho", 1),
         "there is no ledger"),
        (("quote", "--ledger", tmp_path / "typo.db", "--schema", schema, "--count", "n", "--epsilon", 1),
         "there is no ledger"),
        (("ledger", "open", "--ledger", tmp_path / "new.db", "--schema", schema), "there is no ledger"),
        (("ledger", "show", "--ledger", tmp_path / "empty.csv"), "there is no ledger"),
        (("log", "export", "--ledger", tmp_path / "empty.csv", "--out", tmp_path / "a.log"), "there is no ledger"),
    ):  # fmt: skip
        code, out, err = pets_(*attempt)
        assert code and not out and said in err, (attempt, err)
        assert sorted(tmp_path.iterdir()) == before, attempt
    assert not (tmp_path / "empty.csv").stat().st_size
