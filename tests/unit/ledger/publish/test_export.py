"""Exported logs: both views of a ledger with a past verify, and say what happened; entries that could not be do not."""

from __future__ import annotations

import io
import stat
from pathlib import Path
from typing import Any

import pytest

from pets.common import signing
from pets.common.codec import Json, digest
from pets.errors import UserError, VerificationError
from pets.ledger.change import Change, apply, countersigned, draft
from pets.ledger.ledger import Ledger
from pets.ledger.publish import export
from pets.ledger.publish.export import verify, verify_stream
from pets.ledger.rebase import rebase
from pets.ledger.states import State
from pets.protection.budget import Budget
from tests import logs
from tests.sample_ledger import Past, eventful

KEY = signing.ephemeral()
ORIGIN = logs.ORIGIN


@pytest.fixture
def past(tmp_path: Path) -> Past:
    return eventful(tmp_path / "ledger.db")


@pytest.mark.parametrize("public", [False, True])
def test_a_ledger_with_a_past(past: Past, tmp_path: Path, public: bool) -> None:
    path = tmp_path / "a.log"
    size = export.write(past.ledger, path, public=public)
    found = verify(path, key=past.ledger.key, checkpoints=[past.ledger.checkpoint_path.read_text()])  # type: ignore[union-attr]
    assert (found.view, found.checkpoint.size) == (["full", "public"][public], size)
    stays, dental = found.accounts
    standing = past.account().standing()
    assert (stays.charged, stays.lifetime, stays.epoch) == (standing.spent, standing.lifetime, 1)
    assert stays.budget == Budget(epsilon=2, delta=1e-6)
    assert stays.requests == {
        State.STARTED: 1,
        State.COMMITTED: 5,
        State.VOIDED: 1,
        State.FORFEITED: 1,
        State.DENIED: 1,
    }
    assert (stays.unbounded, dental.requests, dental.charged.loss) == (1, {}, 0)
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == (0o044 if public else 0)
    assert [p.name for p in tmp_path.glob("a.log*")] == ["a.log"]


def test_the_public_view_holds_bodies_alone(past: Past, tmp_path: Path) -> None:
    full, public = tmp_path / "full.log", tmp_path / "public.log"
    export.write(past.ledger, full)
    export.write(past.ledger, public, public=True)
    assert b'"salt"' in full.read_bytes() and b'"salt"' not in public.read_bytes()
    for one, other in zip(full.read_bytes().split(b"\n")[1:-1], public.read_bytes().split(b"\n")[1:-1], strict=True):
        assert one.split(b"\t")[:2] == other.split(b"\t")


def test_a_ledger_in_memory_and_an_empty_one(tmp_path: Path) -> None:
    ledger = Ledger()
    assert export.write(ledger, tmp_path / "a.log") == 1
    assert verify(tmp_path / "a.log", key=ledger.key).accounts == ()
    assert verify(tmp_path / "a.log").checkpoint.origin == ledger.origin


def test_approvers_and_a_rebase(tmp_path: Path) -> None:
    past = eventful(tmp_path / "ledger.db")
    approver, path = signing.ephemeral(), tmp_path / "a.log"
    past.change("approvers", {"keys": [approver.public.raw.hex()], "needed": 1}, "A second pair of eyes.")
    with pytest.raises(VerificationError):
        past.change("budget", {"budget": Budget(3, 1e-6).to_json()}, "More.")
    details = {"budget": Budget(3, 1e-6).to_json()}
    change = Change(past.ledger.origin, "hospital-stays", "budget", details, "More.", ("R. Okafor", "L. Meyer"))
    apply(past.ledger, countersigned(draft(change), approver))
    export.write(past.ledger, path)
    assert verify(path).accounts[0].budget == Budget(3, 1e-6)
    # the backup of now is restored after one more answer
    past.ledger.close()
    kept = {p: p.read_bytes() for p in tmp_path.glob("ledger.db*") if not p.name.endswith(".checkpoint")}
    again = Ledger(tmp_path / "ledger.db", clock=past.clock)
    past.ledger = again
    past.release(past.account(), "count", 0.2, "s2")
    spent = past.account().standing()
    old = again.checkpoint_path.read_text()  # type: ignore[union-attr]
    again.close()
    for file in tmp_path.glob("ledger.db-*"):
        file.unlink()
    for file, data in kept.items():
        file.write_bytes(data)
    back = Ledger(tmp_path / "ledger.db", clock=past.clock, check=False)
    rebase(back, "The disk failed.", ("R. Okafor", "L. Meyer"))
    export.write(back, path)
    found = verify(path).accounts[0]
    assert (found.charged, found.lifetime) == (spent.spent, spent.lifetime)
    with pytest.raises(VerificationError, match="entries were cut off"):
        verify(path, checkpoints=[old])
    past.ledger = back
    past.release(past.account(), "count", 0.1, "s2")
    export.write(back, path)
    with pytest.raises(VerificationError, match="after a rebase, give a later checkpoint"):
        verify(path, checkpoints=[old])


# what is refused -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no exported log"),
        (b"\x00" * 5000, "no exported log"),
        (b'{"checkpoint":', "no exported log"),
        (b'{"checkpoint":' + b"[" * 100_000 + b"\n", "not what pets wrote"),
        (b'{"checkpoint":1,"key":"","pets":"log","version":1,"view":"full"}\n', "not what pets wrote"),
        (b'{"checkpoint":"","key":"00","pets":"log","version":1,"view":"full"}\n', "not what pets wrote"),
        (b'{"checkpoint":"","key":"' + b"0" * 64 + b'","pets":"log","version":2,"view":"full"}\n', "another version"),
        (b'{"checkpoint":"\\ud800","key":"' + b"0" * 64 + b'","pets":"log","version":1,"view":"full"}\n', "not what"),
        (b'{"checkpoint":"","key":"' + b"0" * 64 + b'","pets":"log","version":1,"view":"full"}\n', "signature"),
        (b"SQLite format 3\x00", "no exported log"),
    ],
)
def test_a_foreign_file(data: bytes, said: str) -> None:
    with pytest.raises(VerificationError, match=said):
        verify_stream(io.BytesIO(data))


def test_a_missing_file_another_key_another_ledger(past: Past, tmp_path: Path) -> None:
    path, other = tmp_path / "a.log", Ledger(tmp_path / "other.db")
    with pytest.raises(VerificationError, match="cannot be read"):
        verify(path)
    export.write(past.ledger, path)
    with pytest.raises(VerificationError, match=f"signed by key {past.ledger.key.id}, and not by {other.key.id}"):
        verify(path, key=other.key)
    with pytest.raises(VerificationError, match="not signed by this ledger's key"):
        verify(path, checkpoints=[other.checkpoint_path.read_text()])  # type: ignore[union-attr]
    with pytest.raises(UserError, match="cannot be written"):
        export.write(past.ledger, tmp_path / "no" / "a.log")


def dataset(**more: Any) -> tuple[Json, Json]:
    budget = Budget(epsilon=1)
    return {
        "event": "dataset",
        "dataset": "d",
        "currency": "pure",
        "budget": budget.to_json(),
        "loss": budget.cap.loss,
        "delta": 0,
        "units": {"t": "id"},
    } | more, {}


def asked(event: str, name: str = "a", loss: int = 10**11, **more: Any) -> tuple[Json, Json]:
    return {
        "event": event,
        "request": name * 32,
        "dataset": "d",
        "project": "p",
        "analyst": "x",
        "table": "t",
        "what": "count",
        "protection": {"kind": "dp"},
        "epoch": 0,
        "loss": loss,
        "delta": 0,
        "unbounded": False,
    } | more, {}


def granted(event: str, **changes: object) -> tuple[Json, Json]:
    said = {"event": event, "dataset": "d", "project": "p", "analyst": "x", "by": "head", "roles": ["analyst"]}
    return said | changes, {}


def held(**changes: object) -> tuple[Json, Json]:
    return {"event": "held", "dataset": "d", "job": "j", "requests": ["a" * 32]} | changes, {}


def review(**changes: object) -> tuple[Json, Json]:
    said = {"event": "review", "dataset": "d", "job": "j", "stage": "after", "decision": "approve", "by": "jo"}
    return said | {"reason": "checked", "requests": ["a" * 32]} | changes, {}


def sealed(by: str, decision: str = "approve", turn: int = 1) -> Json:
    """A vote as the log tells it once all are in."""
    return {"by": by, "decision": decision, "reason": "checked", "nonce": f"{by}{turn}"}


def out(event: str = "output", **changes: object) -> tuple[Json, Json]:
    """An entry of an output that two people must approve."""
    said: Json = {"event": event, "dataset": "d", "output": "o", "turn": 1}
    if event == "output":
        said |= {"project": "p", "analyst": "x", "needed": 2}
    elif event == "output-released":
        said |= {"by": "v", "files": [{"sha256": "0", "bytes": 1}]}
    else:
        said |= {"by": "jo", "how": "login", "reason": "unclear"}
    return said | changes, {}


def voted(by: str, decision: str = "approve", turn: int = 1) -> tuple[Json, Json]:
    """What the log says of a vote while others are out."""
    said = sealed(by, decision, turn) | {"output": "o", "turn": turn}
    return out("output-vote", by=by, turn=turn, vote=digest(said))


def told(state: str, *votes: Json, turn: int = 1) -> tuple[Json, Json]:
    return out("output-review", state=state, votes=list(votes), turn=turn)


VOTED = [out(), voted("jo"), voted("kim"), told("approved", sealed("jo"), sealed("kim"))]


def changed(kind: str, **more: Any) -> tuple[Json, Json]:
    said = {"event": "change", "dataset": "d", "change": kind, "id": kind, "reason": "r", "by": ["a", "b"]}
    return said | {"signers": [KEY.public.id]} | more, {}


def renewed(**more: Any) -> tuple[Json, Json]:
    budget = Budget(epsilon=1)
    new = {"budget": budget.to_json(), "loss": budget.cap.loss, "delta": 0, "epoch": 1, "lifetime": [0, 0]}
    return changed("renew", **new | {"snapshots": ["s"]} | more)


FIRST: tuple[Json, Json] = ({"event": "ledger", "origin": ORIGIN, "key": KEY.public.raw.hex(), "version": 1}, {})
CAP = {"budget": Budget(epsilon=0.1).to_json(), "loss": 10**11, "delta": 0, "project": "p", "analyst": ""}


def check(entries: list[tuple[Json, Json]], charged: int = 0, lifetime: int | None = None, epoch: int = 0) -> None:
    """Verify the public view of a log of these entries, signed as they are: only their sense can be wrong."""
    life = charged if lifetime is None else lifetime
    totals = {"d": (epoch, charged, 0, life, 0)} if len(entries) > 1 else {}
    verify_stream(io.BytesIO(logs.packed(entries, totals, KEY)))


def test_logs_that_make_sense() -> None:
    check([FIRST])
    check([FIRST, dataset()])
    check([FIRST, dataset(), asked("started"), asked("committed")], 10**11)
    check([FIRST, dataset(), asked("started", loss=10**12)], 10**12)
    check([FIRST, dataset(), asked("reserved"), asked("started"), asked("forfeited")], 10**11)
    check([FIRST, dataset(), asked("reserved"), asked("voided"), asked("denied", "b")])
    check(
        [FIRST, dataset(), asked("reserved", loss=10**12), asked("voided", loss=10**12), asked("started", "b")], 10**11
    )
    check([FIRST, dataset(), renewed(), asked("started", epoch=1)], 10**11, epoch=1)
    check([FIRST, dataset(), changed("cap", **CAP), asked("started")], 10**11)
    check([FIRST, dataset(), changed("table", table="u", unit="id"), asked("started", table="u")], 10**11)
    check([*OPENED, review(job="i", stage="before", requests=[]), *ANSWERED, held(), review(), TO], 10**11)
    check([*OPENED, *VOTED, out("output-released")])
    back = [out(), voted("jo"), out("output-return", by="kim"), out(turn=2)]
    check([*OPENED, *back, *[out("output-comment", turn=2)] * 2])
    again = [voted("jo", turn=2), voted("kim", turn=2)]
    opened = told("approved", sealed("jo", turn=2), sealed("kim", turn=2), turn=2)
    check([*OPENED, *back, *again, opened])
    torn = [out(), voted("jo"), voted("kim", "return"), told("reviewed", sealed("jo"), sealed("kim", "return"))]
    check([*OPENED, *torn, voted("lee"), told("approved", sealed("lee")), out("output-released")])
    check([*OPENED, *torn, out("output-withdrawn", by="x")])
    check([FIRST, dataset(), asked("started", what='a "b" \\ é'), asked("committed", what='a "b" \\ é')], 10**11)


A, OPENED = asked, [FIRST, dataset()]
ANSWERED = [A("started"), A("committed")]
TO = A("delivered", loss=0, analyst="y")


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([dataset()], "entry 0 is out of place"),
        ([FIRST, FIRST], "entry 1 is out of place"),
        ([({**FIRST[0], "key": "0" * 64}, {})], "names another ledger or key"),
        ([({**FIRST[0], "origin": "other"}, {})], "names another ledger or key"),
        ([({**FIRST[0], "version": 2}, {})], "another version"),
        ([*OPENED, dataset()], "for the second time"),
        ([FIRST, dataset(loss=10**13)], "does not say what an entry of kind 'dataset' must say"),
        ([FIRST, dataset(currency="zcdp")], "does not say"),
        ([FIRST, dataset(charged=[1, 0])], "other charges than were counted as lost"),
        ([*OPENED, ({"event": "tables", "dataset": "d", "units": {"t": "other"}}, {})], "does not say"),
        ([*OPENED, changed("table", table="t", unit="other")], "does not say"),
        ([*OPENED, changed("table", table="u", unit=3)], "does not say"),
        ([*OPENED, changed("table", table="u", unit="id", signers=["0" * 16])], "without the signatures"),
        ([*OPENED, ({"event": "source", "dataset": "d", "table": "u"}, {})], "does not say"),
        ([*OPENED, ({"event": "source", "dataset": "e", "table": "t"}, {})], "'e', which was never opened"),
        ([*OPENED, ({"event": "refund", "dataset": "d"}, {})], "unknown kind, 'refund'"),
        ([*OPENED, A("refunded")], "unknown kind, 'refunded'"),
        ([*OPENED, A("committed")], "never began"),
        ([*OPENED, A("voided")], "never began"),
        ([*OPENED, A("started"), A("started")], "makes 'started' of a request that was 'started'"),
        ([*OPENED, A("started"), A("voided")], "makes 'voided' of a request that was 'started'"),
        ([*OPENED, A("reserved"), A("committed")], "makes 'committed' of a request that was 'reserved'"),
        ([*OPENED, A("reserved"), A("forfeited")], "makes 'forfeited'"),
        ([*OPENED, A("started"), A("committed"), A("committed")], "never began"),
        ([*OPENED, A("started"), A("committed"), A("started")], "had ended before"),
        ([*OPENED, A("denied"), A("started")], "had ended before"),
        ([*OPENED, A("started"), A("committed", loss=1)], "says something else of its request"),
        ([*OPENED, A("started"), A("committed", what="sum")], "says something else of its request"),
        ([*OPENED, A("started"), A("committed", unbounded=True)], "says something else of its request"),
        ([*OPENED, A("started", loss=10**12 + 1)], "a cap was passed"),
        ([*OPENED, A("started", loss=6 * 10**11), A("reserved", "b", loss=6 * 10**11)], "a cap was passed"),
        ([*OPENED, A("started", delta=1)], "a cap was passed"),
        ([*OPENED, changed("cap", **CAP), A("started"), A("started", "b", analyst="y")], "a cap was passed"),
        ([*OPENED, A("started"), A("started", "b"), changed("cap", **CAP)], "below what was charged"),
        ([*OPENED, A("started", epoch=1)], "is of epoch 1, and the dataset was in epoch 0"),
        ([*OPENED, A("started", loss=-1)], "does not say"),
        ([*OPENED, A("started", loss=True)], "does not say"),
        ([*OPENED, A("started", loss=1.0)], "does not say"),
        ([*OPENED, A("started", table="u")], "'u', which was never opened"),
        ([*OPENED, A("started", project="")], "does not say"),
        ([*OPENED, A("started", unbounded=0)], "does not say"),
        ([*OPENED, renewed(epoch=2)], "renews a budget"),
        ([*OPENED, renewed(lifetime=[1, 0])], "renews a budget"),
        ([*OPENED, A("started"), renewed(lifetime=[10**11, 0])], "renews a budget"),
        ([*OPENED, renewed(signers=["0" * 16])], "without the signatures"),
        ([*OPENED, renewed(by=["a", " A"])], "one person's decision"),
        ([*OPENED, changed("cap", **CAP), changed("cap", **CAP)], "applies a change for the second time"),
        ([*OPENED, changed("pardon")], "unknown change, 'pardon'"),
        ([*OPENED, ({"event": "rebase", "found": 1, "counted": {}, "unknown": {}}, {})], "never held"),
        (
            [*OPENED, ({"event": "rebase", "found": 2, "counted": {"d": [10**13, 0, 0, 0]}, "unknown": {}}, {})],
            "a cap was passed",
        ),
        ([*OPENED, granted("grant", dataset="e")], "'e', which was never opened"),
        ([*OPENED, granted("grant", roles=[])], "does not say what an entry of kind 'grant'"),
        ([*OPENED, granted("grant", by="")], "does not say"),
        ([*OPENED, granted("grant-end")], "takes away a leave that was never given"),
        ([*OPENED, granted("grant"), granted("grant-end", analyst="y")], "takes away a leave"),
        ([*OPENED, granted("grant"), granted("grant-end"), granted("grant-end")], "takes away a leave"),
        ([*OPENED, A("started"), held()], "holds an answer that was never committed"),
        ([*OPENED, *ANSWERED, held(), held()], "holds a job for the second time"),
        (
            [*OPENED, *ANSWERED, held(), A("delivered", loss=0, analyst="y")],
            "delivers an answer that a person has not approved",
        ),
        (
            [*OPENED, *ANSWERED, held(), review(decision="refuse"), A("delivered", loss=0, analyst="y")],
            "a person has not approved",
        ),
        ([*OPENED, *ANSWERED, review()], "decides about an answer that is not held"),
        ([*OPENED, *ANSWERED, held(), review(), review()], "decides about an answer that is not held"),
        ([*OPENED, *ANSWERED, held(), review(requests=["other"])], "lets go an answer that was not held"),
        (
            [*OPENED, *ANSWERED, held(), review(stage="before", requests=[])],
            "decides for the second time whether a job is answered",
        ),
        (
            [*OPENED, *[review(stage="before", requests=[])] * 2],
            "decides for the second time whether a job is answered",
        ),
        ([*OPENED, review(stage="before", requests=[], by="")], "does not say what an entry of kind 'review'"),
        ([*OPENED, review(stage="before", requests=[], decision="maybe")], "does not say"),
        ([*OPENED, review(stage="before", requests=[], dataset="e")], "'e', which was never opened"),
        ([*OPENED, out(needed=0)], "does not say what an entry of kind 'output'"),
        ([*OPENED, out(dataset="e")], "'e', which was never opened"),
        ([*OPENED, out(turn=2)], "submits an output anew that was never submitted"),
        ([*OPENED, out(), out(turn=2)], "submits an output anew that was not returned"),
        ([*OPENED, out(), out("output-return"), out(turn=2, needed=1)], "not returned, or by other rules"),
        ([*OPENED, voted("jo")], "is about an output, or a turn of it, that was never submitted"),
        ([*OPENED, out(), voted("jo", turn=2)], "is about an output, or a turn of it"),
        ([*OPENED, out(), voted("X")], "is its author's decision about an output"),
        ([*OPENED, out(), out("output-return", by="x")], "is its author's decision"),
        ([*OPENED, out(), voted("jo"), voted("Jo")], "is one person's second vote about an output"),
        ([*OPENED, out(), out("output-vote", vote="0", how="rumour")], "does not say"),
        ([*OPENED, out(), out("output-released")], "lets an output go that was not approved"),
        ([*OPENED, *VOTED[:3], out("output-released")], "lets an output go that was not approved"),
        ([*OPENED, *VOTED, out("output-released"), out("output-released")], "lets an output go that was not approved"),
        ([*OPENED, *VOTED, out("output-released", files=[])], "does not say"),
        ([*OPENED, *VOTED, voted("lee")], "decides about an output that waits for no vote"),
        ([*OPENED, *VOTED, out("output-withdrawn", by="x")], "decides about an output that waits for no vote"),
        ([*OPENED, out(), voted(" \uff38 ")], "is its author's decision"),
        ([*OPENED, out(), voted("Jos\u00e9"), voted("jose\u0301")], "is one person's second vote"),
        ([*OPENED, out(), out("output-withdrawn", by="jo")], "takes back another analyst's output"),
        ([*OPENED, *VOTED[:2], told("approved", sealed("jo"))], "something else than the votes"),
        ([*OPENED, *VOTED[:3], told("approved", sealed("jo"))], "something else than the votes"),
        ([*OPENED, *VOTED[:3], told("returned", sealed("jo"), sealed("kim"))], "something else than the votes"),
        (
            [*OPENED, *VOTED[:3], told("approved", sealed("jo"), sealed("lee"))],
            "another vote than the log had committed",
        ),
        (
            [*OPENED, out(), voted("jo"), voted("kim", "return"), told("approved", sealed("jo"), sealed("kim"))],
            "another vote than the log had committed",
        ),
        (
            [*OPENED, *VOTED[:3], told("approved", sealed("jo"), sealed("jo"))],
            "another vote than the log had committed",
        ),
        ([*OPENED, ({"event": "started"}, {})], "does not say what an entry of kind 'started' must say"),
        ([*OPENED, ({"event": ["started"]}, {})], "not written as pets writes entries"),
        ([*OPENED, ({**A("started")[0], "at": "now"}, {})], "not written as pets writes entries"),
        ([*OPENED, ({**A("started")[0], "at": "2001-01-01T00:00:00.000+00:00"}, {})], "older than the one before"),
        ([*OPENED, A("started"), ({**A("committed")[0], "seq": 7}, {})], "says that it is entry 7"),
    ],
)
def test_logs_that_make_no_sense(entries: list[tuple[Json, Json]], said: str) -> None:
    with pytest.raises(VerificationError, match=said):
        check(entries, 10**11)


@pytest.mark.parametrize("charged", [(0, 0), (10**11, 0), (0, 10**11), (10**11 + 1, 10**11)])
def test_a_checkpoint_that_tells_another_account(charged: tuple[int, int]) -> None:
    with pytest.raises(VerificationError, match="tells another account"):
        check([*OPENED, asked("started")], *charged)


def test_bodies_in_another_form_are_refused() -> None:
    data = logs.packed(
        OPENED, {"d": (0, 0, 0, 0, 0)}, KEY, spell=lambda body: body.replace(b'"delta":0', b'"delta": 0')
    )
    with pytest.raises(VerificationError, match="entry 1 is not written as pets writes entries"):
        verify_stream(io.BytesIO(data))


def test_what_was_read_before_is_not_read_otherwise_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fast way to read a request's body finds what JSON finds: the same verdicts with it and without it."""
    from pets.ledger.log.audit import Audit

    fast = Audit._remember
    for remember in (fast, lambda *_: None):
        monkeypatch.setattr(Audit, "_remember", remember)
        check(
            [*OPENED, asked("started"), asked("committed"), asked("started", "b"), asked("committed", "b")], 2 * 10**11
        )
        with pytest.raises(VerificationError, match="a cap was passed"):
            check([*OPENED, *[asked("started", name) for name in "0123456789ab"]], 0)


def test_a_change_is_the_one_that_was_signed(tmp_path: Path) -> None:
    """In the full view the signed envelope is there: a public body that tells of another change is found."""
    path, past = tmp_path / "a.log", eventful(tmp_path / "ledger.db")
    export.write(past.ledger, path)
    entries = logs.unpacked(path.read_bytes())
    totals = logs.totals_of(path.read_bytes())
    again = logs.packed(entries, totals, past.ledger.signer, origin=past.ledger.origin, view="full", named=True)
    verify_stream(io.BytesIO(again))
    number = next(n for n, (said, _) in enumerate(entries) if said.get("change") == "cap")
    said, private = entries[number]
    for edit in ({"reason": "Another."}, {"by": ["R. Okafor", "somebody else"]}, {"project": "other"}):
        told = [*entries[:number], (said | edit, private), *entries[number + 1 :]]
        data = logs.packed(told, totals, past.ledger.signer, origin=past.ledger.origin, view="full", named=True)
        with pytest.raises(VerificationError, match=f"entry {number} is not the change that was signed"):
            verify_stream(io.BytesIO(data))


@pytest.mark.parametrize("public", [True, False])
@pytest.mark.soak
def test_a_million_entries(tmp_path: Path, public: bool) -> None:
    key = logs.write_log(tmp_path / "big.log", 1_000_000, public=public)
    found = verify(tmp_path / "big.log", key=key, progress=False)
    assert found.checkpoint.size == 1_000_000
    assert found.accounts[0].requests == {State.COMMITTED: 499_999}
