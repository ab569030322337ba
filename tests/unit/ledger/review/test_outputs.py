"""Outputs: nothing leaves the airlock that two other people have not approved, byte by byte and by themselves."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pets.errors import ForbiddenError, HeldError, LedgerError, NotFoundError, PetsError, PolicyError, UserError
from pets.ledger import failpoint
from pets.ledger.grants import Grants
from pets.ledger.ledger import Ledger
from pets.ledger.publish import export
from pets.ledger.publish.read_log import published
from pets.ledger.review.output import Output, Rules, output_name, same_person
from pets.ledger.review.outputs import MAX_OPEN, Outputs
from pets.ledger.review.votes import Decision, OutputState, OutputVote, decided, standing
from pets.ledger.review.voting import Voting
from tests.ledgers import Place, account, ask, audit, opened, request, verify

TABLE = b"region,n\nNorth,120\nSouth,85\n"
SAID = {
    "context": "Stays by region, for the first table of the paper.",
    "controls": "Counts below 10 hidden, rest to 5.",
}


@pytest.fixture
def ledger(place: Place) -> Iterator[Ledger]:
    with opened(place) as ledger:
        account(ledger)
        yield ledger


@pytest.fixture
def memory() -> Iterator[Ledger]:
    with Ledger(None) as ledger:
        account(ledger)
        yield ledger


def submit(ledger: Ledger, table: bytes = TABLE, rules: Rules | None = None, analyst: str = "a") -> Output:
    files = {"table.csv": table, "notes/read me.md": b"# Stays\n"}
    whose = {"dataset": "d", "project": "p", "analyst": analyst}
    return Outputs(ledger).submit(files, rules=rules, **whose, **SAID)


def vote(ledger: Ledger, output: Output, by: str, decision: str = "approve", **more: Any) -> Output:
    given = {"digest": Outputs(ledger).find(output.id).digest} | more
    return Voting(ledger).decide(output.id, decision, by=by, **given)


def entries(ledger: Ledger) -> list[dict[str, Any]]:
    """The public bodies that tell of outputs."""
    with ledger.reading() as tx:
        bodies = [json.loads(body) for body, _, _ in tx.entries()]
    return [body for body in bodies if body["event"].startswith("output")]


def holds(ledger: Ledger, folder: Path | None = None) -> None:
    """The account, the chain and the log's own rules, in this process and as an exported file."""
    audit(ledger)
    verify(ledger)
    assert published(ledger).history.others == ()
    if folder is not None:
        export.write(ledger, folder / "log.jsonl", progress=False)
        export.verify(folder / "log.jsonl", progress=False)


# the way out ----------------------------------------------------------------------------------------------------------


def test_an_output_leaves_once_two_others_have_approved_it(ledger: Ledger, tmp_path: Path) -> None:
    every = Outputs(ledger)
    made = submit(ledger)
    assert (made.state, made.turn, made.voted, made.due - made.at) == (OutputState.SUBMITTED, 1, 0, 7 * 86400)
    assert [one.id for one in every.waiting("d")] == [made.id] and every.waiting("e") == []
    assert every.file(made.id, "table.csv") == TABLE
    with pytest.raises(HeldError, match="is submitted, so nothing of it leaves; it must be approved first"):
        every.release(made.id, by="v")
    first = vote(ledger, made, "jo", note="I added the rows up")
    assert first.state is OutputState.PARTIALLY_REVIEWED
    with pytest.raises(HeldError, match="so nothing of it leaves"):
        every.release(made.id, by="v")
    second = vote(ledger, made, "kim")
    assert second.state is OutputState.APPROVED and [one.reviewer for one in second.votes] == ["jo", "kim"]
    assert every.waiting("d") == []
    for _ in range(2):  # once more is the same files, and no other entry
        assert every.release(made.id, by="v") == {"table.csv": TABLE, "notes/read me.md": b"# Stays\n"}
    assert every.find(made.id).state is OutputState.RELEASED
    told = entries(ledger)
    acts = ["output", "output-vote", "output-vote", "output-review", "output-released"]
    assert [one["event"] for one in told] == acts and {one["output"] for one in told} == {output_name(made.id)}
    assert told[-1]["by"] == "v" and sorted(one["bytes"] for one in told[-1]["files"]) == [8, len(TABLE)]
    assert {one["sha256"] for one in told[-1]["files"]} == {one.sha256 for one in made.manifest.files}
    holds(ledger, tmp_path)


def test_the_log_tells_no_free_text_and_no_vote_before_all_are_in(memory: Ledger) -> None:
    made = submit(memory)
    Outputs(memory).comment(made.id, "the smallest group has 24 people", by="a")
    vote(memory, made, "jo", "return", reason="differencing", note="with table 1 of May")
    with memory.reading() as tx:
        everything = b"".join(body + private for body, private, _ in tx.entries()).decode()
    for words in ("first table", "smallest group", "table 1 of May", "table.csv", "read me"):
        assert words not in everything
    (entry,) = (one for one in entries(memory) if one["event"] == "output-vote")
    assert set(entry) >= {"by", "how", "vote"} and not {"decision", "reason", "digest"} & set(entry)
    assert "return" not in json.dumps(entry) and made.digest not in json.dumps(entries(memory))
    vote(memory, made, "kim", "return")
    (review,) = (one for one in entries(memory) if one["event"] == "output-review")
    assert review["state"] == "returned"
    assert [(one["by"], one["decision"], one["reason"]) for one in review["votes"]] == [
        ("jo", "return", "differencing"),
        ("kim", "return", "small-counts"),
    ]


@pytest.mark.parametrize(
    ("votes", "end"),
    [
        (["approve", "approve"], "approved"),
        (["approve", "return"], "reviewed"),
        (["approve", "return", "approve"], "approved"),
        (["return", "approve", "return"], "returned"),
        (["reject", "reject"], "rejected"),
        (["reject", "return"], "returned"),
        (["approve", "reject", "return"], "returned"),
    ],
)
def test_what_votes_come_to(memory: Ledger, votes: list[str], end: str) -> None:
    made = submit(memory)
    for number, decision in enumerate(votes):
        found = vote(memory, made, f"r{number}", decision)
    assert found.state.value == end
    holds(memory)


def test_three_may_be_needed_and_one_may_do(memory: Ledger) -> None:
    three = submit(memory, rules=Rules(needed=3))
    assert [vote(memory, three, f"r{n}").state.value for n in range(3)] == ["partially-reviewed"] * 2 + ["approved"]
    one = submit(memory, rules=Rules(needed=1))
    assert vote(memory, one, "jo").state is OutputState.APPROVED
    assert vote(memory, submit(memory, rules=Rules(needed=1)), "jo", "reject").state is OutputState.REJECTED
    holds(memory)


# who ------------------------------------------------------------------------------------------------------------------


def test_nobody_decides_about_their_own(memory: Ledger) -> None:
    made = submit(memory, analyst="Amina")
    for name in ("Amina", "amina", " AMINA "):
        with pytest.raises(ForbiddenError, match="an output of their own"):
            vote(memory, made, name)
        with pytest.raises(ForbiddenError, match="an output of their own"):
            Voting(memory).send_back(made.id, by=name, digest=made.digest)
    vote(memory, made, "jo")
    for name in ("jo", "Jo", " jo"):
        with pytest.raises(HeldError, match="you have voted about this output before"):
            vote(memory, made, name, "return")
    assert vote(memory, made, "jo").voted == 1, "said again it changes nothing"
    assert len(entries(memory)) == 2


def test_a_colleague_of_the_author_decides_where_the_rules_allow_it(memory: Ledger) -> None:
    ask(account(memory, project="p", analyst="asker"), request())
    strict, free = submit(memory), submit(memory, rules=Rules(own_project=True))
    for colleague, project in (("c", "p"), ("asker", None), ("asker", "q"), (" Asker ", "q"), ("\uff21sker", None)):
        with pytest.raises(ForbiddenError, match="of the author's project, p"):
            vote(memory, strict, colleague, project=project)
        assert vote(memory, free, f"{colleague}", project=project).voted in (1, 2)
        free = submit(memory, rules=Rules(own_project=True))
    assert vote(memory, strict, "c", project="q").voted == 1


def test_a_name_is_one_however_it_is_written_for_the_votes_and_for_both_auditors(
    ledger: Ledger, tmp_path: Path
) -> None:
    composed, apart = "Jos\u00e9  Lee", "jose\u0301 lee"
    made = submit(ledger, analyst=composed)
    with pytest.raises(ForbiddenError, match="an output of their own"):
        vote(ledger, made, apart)
    assert Outputs(ledger).withdraw(made.id, by=apart).state is OutputState.WITHDRAWN
    other = submit(ledger)
    vote(ledger, other, composed)
    with pytest.raises(HeldError, match="you have voted about this output before"):
        vote(ledger, other, apart, "return")
    holds(ledger, tmp_path)


def test_where_there_are_grants_a_checker_has_one(memory: Ledger) -> None:
    grants = Grants(memory)
    grants.grant("d", "p", "a", ["analyst", "reviewer"], by="head")
    grants.grant("d", "p", "mate", ["reviewer"], by="head")
    grants.grant("d", "q", "other", ["analyst"], by="head")
    grants.grant("d", "q", "jo", ["reviewer"], by="head")
    made = submit(memory)
    refused = {
        "a": "of their own",
        "mate": "of the author's project",
        "other": "nobody has granted other",
        "x": "granted x",
    }
    for name, said in refused.items():
        with pytest.raises(ForbiddenError, match=said):
            vote(memory, made, name)
        if name != "a":
            with pytest.raises(ForbiddenError, match=said):
                Outputs(memory).comment(made.id, "hello", by=name)
    assert vote(memory, made, "jo").voted == 1


def test_votes_may_count_only_after_a_login(memory: Ledger) -> None:
    made = submit(memory, rules=Rules(logins=True))
    for act in (vote, lambda *_: Voting(memory).send_back(made.id, by="jo", digest=made.digest)):
        with pytest.raises(ForbiddenError, match=r"only from whoever is logged in.*pets\.connect"):
            act(memory, made, "jo")
    assert vote(memory, made, "jo", login=True).voted == 1
    vote(memory, submit(memory), "jo")
    assert [one["how"] for one in entries(memory) if one["event"] == "output-vote"] == ["login", "keeper"]


# what each sees -------------------------------------------------------------------------------------------------------


def test_votes_are_hidden_from_each_other_until_all_are_in(memory: Ledger) -> None:
    made = submit(memory)
    vote(memory, made, "jo", "return", note="ward 3")
    Outputs(memory).comment(made.id, "look at ward 3", by="jo")

    def seen(by: str | None) -> tuple[list[str], list[str]]:
        found = Outputs(memory).find(made.id, by=by)
        return [one.reviewer for one in found.votes], [one.text for one in found.comments]

    assert seen("jo") == (["jo"], ["look at ward 3"])
    for other in ("kim", "a", None):
        assert seen(other) == ([], []), other
    vote(memory, made, "kim", "approve")  # they disagree: now they talk, and the author waits
    assert seen("kim") == seen(None) == seen("lee") == (["jo", "kim"], ["look at ward 3"])
    assert seen("a") == ([], [])
    vote(memory, made, "lee", "return")
    assert seen("a") == (["jo", "kim", "lee"], ["look at ward 3"])


def test_a_change_of_anything_is_another_output_to_vote_about(ledger: Ledger) -> None:
    every = Outputs(ledger)
    made = submit(ledger)
    vote(ledger, made, "jo")
    said = {"reason": "missing-counts", "note": "add n"}
    back = Voting(ledger).send_back(made.id, by="kim", digest=made.digest, **said)
    assert back.state is OutputState.RETURNED
    author = every.find(made.id, by="a")
    assert [(one.reviewer, one.reason, one.note) for one in author.votes] == [("kim", "missing-counts", "add n")]
    files = every.files(made.id)
    with pytest.raises(UserError, match="nothing has changed since it was returned"):
        every.resubmit(made.id, files, by="a", **SAID)
    again = every.resubmit(made.id, files | {"table.csv": TABLE + b"East,40\n"}, by="a", **SAID)
    assert (again.turn, again.voted, again.votes, again.state) == (2, 0, (), OutputState.SUBMITTED)
    with pytest.raises(HeldError, match=f"not the output that waits, whose digest begins with {again.digest[:12]}"):
        vote(ledger, made, "jo", digest=made.digest)
    with pytest.raises(HeldError, match="not the output that waits"):
        vote(ledger, made, "jo", digest=again.digest[:11])
    with pytest.raises(HeldError, match="not the output that waits"):
        Voting(ledger).send_back(made.id, by="kim", digest=made.digest)
    vote(ledger, again, "jo", digest=again.digest[:12])
    assert vote(ledger, again, "kim").state is OutputState.APPROVED
    assert every.release(made.id, by="v")["table.csv"].endswith(b"East,40\n")
    assert [one["event"] for one in entries(ledger)].count("output-return") == 1, "nothing is hidden from the log"
    holds(ledger)


def test_only_its_author_changes_it_or_takes_it_back(memory: Ledger) -> None:
    every = Outputs(memory)
    made = submit(memory)
    with pytest.raises(ForbiddenError, match="another analyst's"):
        every.withdraw(made.id, by="b")
    with pytest.raises(ForbiddenError, match="another analyst's"):
        every.resubmit(made.id, {"a.csv": TABLE}, by="b", **SAID)
    with pytest.raises(HeldError, match="is submitted, and cannot become submitted"):
        every.resubmit(made.id, {"a.csv": TABLE}, by="a", **SAID)
    assert every.withdraw(made.id, by="a").state is OutputState.WITHDRAWN
    by_jo: dict[str, Any] = {"by": "jo", "digest": made.digest}
    for act in (lambda: vote(memory, made, "jo"), lambda: Voting(memory).send_back(made.id, **by_jo)):
        with pytest.raises(HeldError, match="waits for no vote: it is withdrawn"):
            act()
    with pytest.raises(HeldError, match="cannot become withdrawn"):
        every.withdraw(made.id, by="a")
    approved = submit(memory)
    vote(memory, approved, "jo")
    vote(memory, approved, "kim")
    with pytest.raises(HeldError, match="cannot become withdrawn"):
        every.withdraw(approved.id, by="a")
    assert [one.id for one in every.listed("d", states=(OutputState.APPROVED,))] == [approved.id]
    assert [one.id for one in every.listed(scope=("p", "b"))] == []
    holds(memory)


def test_an_analyst_has_so_many_that_wait(memory: Ledger) -> None:
    made = [submit(memory) for _ in range(MAX_OPEN)]
    with pytest.raises(UserError, match=f"{MAX_OPEN} outputs of yours wait already"):
        submit(memory)
    Outputs(memory).withdraw(made[0].id, by="a")
    submit(memory)


# the files ------------------------------------------------------------------------------------------------------------


def test_the_files_are_for_the_owner_alone_and_are_what_was_approved(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        account(ledger)
        made = submit(ledger)
        store = tmp_path / "ledger.db.outputs"
        assert stat.S_IMODE(store.stat().st_mode) == 0o700
        held = {path.name: stat.S_IMODE(path.stat().st_mode) for path in store.iterdir()}
        assert held == {one.sha256: 0o600 for one in made.manifest.files}
        vote(ledger, made, "jo")
        vote(ledger, made, "kim")
        path = store / made.manifest.file("table.csv").sha256
        path.write_bytes(TABLE.replace(b"85", b"84"))
        with pytest.raises(LedgerError, match="missing from the folder beside the ledger, or was altered there"):
            Outputs(ledger).release(made.id, by="v")
        assert Outputs(ledger).find(made.id).state is OutputState.APPROVED and len(entries(ledger)) == 4
        path.unlink()
        with pytest.raises(LedgerError, match="restore the folder"):
            Outputs(ledger).file(made.id, "table.csv")
        submit(ledger)  # the same bytes: they are there again
        assert Outputs(ledger).release(made.id, by="v")["table.csv"] == TABLE
        assert {path.name for path in store.iterdir()} == set(held), "and nothing half-written beside them"


def test_the_bytes_of_what_never_leaves_are_deleted(tmp_path: Path) -> None:
    with Ledger(tmp_path / "kept.db") as ledger:
        account(ledger)
        every, store = Outputs(ledger), tmp_path / "kept.db.outputs"

        def held() -> set[str]:
            return {path.name for path in store.iterdir()}

        kept, other = submit(ledger), submit(ledger, TABLE + b"East,40\n")
        shared = {one.sha256 for one in kept.manifest.files}
        every.withdraw(other.id, by="a")
        assert held() == shared, "a file that another output shares stays"
        for _ in range(MAX_OPEN):
            submit(ledger, analyst="full")
        for wrong in ({"dataset": "e"}, {"analyst": "full"}):
            whose = {"dataset": "d", "project": "p", "analyst": "a"} | wrong
            with pytest.raises(PetsError):
                every.submit({"other.csv": TABLE + b"West,55\n"}, **whose, **SAID)
            assert held() == shared, "what is refused leaves nothing"
        turned = submit(ledger, TABLE + b"East,45\n")
        Voting(ledger).send_back(turned.id, by="jo", digest=turned.digest)
        turned = every.resubmit(turned.id, {"t.csv": TABLE + b"East,50\n"}, by="a", **SAID)
        assert held() == shared | {turned.manifest.files[0].sha256}, "what a turn replaced is deleted"
        with pytest.raises(HeldError):
            every.resubmit(turned.id, {"t.csv": TABLE + b"East,60\n"}, by="a", **SAID)
        for name in ("jo", "kim"):
            assert every.files(turned.id)
            vote(ledger, turned, name, "reject")
        assert held() == shared and every.files(turned.id) == {}
        with pytest.raises(HeldError, match="is rejected, and its files are deleted"):
            every.file(turned.id, "t.csv")
        with pytest.raises(HeldError, match="so nothing of it leaves"):
            every.release(turned.id, by="v")
        vote(ledger, kept, "jo")
        vote(ledger, kept, "kim")
        assert every.release(kept.id, by="v")["table.csv"] == TABLE
        holds(ledger)


# crashes and crowds ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", ["output-stored", "output-logged", "output-committed"])
@pytest.mark.parametrize("act", ["submit", "vote", "last vote", "release"])
def test_a_crash_leaves_an_act_whole_or_not_at_all(
    place: Place, point: str, act: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if point == "output-stored" and act != "submit":
        return

    def die(reached: str) -> None:
        if reached == point:
            raise KeyboardInterrupt

    with opened(place) as ledger:
        account(ledger)
        made = submit(ledger)
        for name in {"last vote": ["jo"], "release": ["jo", "kim"]}.get(act, []):
            vote(ledger, made, name)
        before = len(entries(ledger))
        acts = {
            "submit": lambda: submit(ledger, b"region,n\nEast,40\n"),
            "release": lambda: Outputs(ledger).release(made.id, by="v"),
        }
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(failpoint, "hook", die)
            acts.get(act, lambda: vote(ledger, made, "lee"))()
    with opened(place) as ledger:
        whole = point == "output-committed"
        added = {"last vote": 2}.get(act, 1)
        assert len(entries(ledger)) == before + added * whole
        waits = {"submit": 1 + whole, "vote": 1, "last vote": 1 - whole, "release": 0}
        assert len(Outputs(ledger).waiting("d")) == waits[act]
        found = Outputs(ledger).find(made.id)
        if act == "release":
            assert found.state is (OutputState.RELEASED if whole else OutputState.APPROVED)
            assert Outputs(ledger).release(made.id, by="v")["table.csv"] == TABLE
        elif act != "submit":
            assert found.voted == {"vote": 0, "last vote": 1}[act] + whole
            vote(ledger, made, "lee")
            assert Outputs(ledger).find(made.id).voted == {"vote": 1, "last vote": 2}[act]
        holds(ledger)


@pytest.mark.parametrize(
    ("point", "act"),
    [
        ("output-committed", "withdraw"),
        ("output-committed", "reject"),
        ("output-committed", "resubmit"),
        ("output-stored", "submit"),
    ],
)
def test_what_a_crash_left_undeleted_is_deleted_at_the_next_opening(
    tmp_path: Path, point: str, act: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log tells that it may not leave, and the process dies before its bytes are gone."""
    address, store = tmp_path / "kept.db", tmp_path / "kept.db.outputs"
    new = {"t.csv": TABLE + b"East,50\n"}

    def die(reached: str) -> None:
        if reached == point:
            raise KeyboardInterrupt

    def held() -> set[str]:
        return {path.name for path in store.iterdir()}

    with Ledger(address) as ledger:
        account(ledger)
        every, kept = Outputs(ledger), submit(ledger)
        made = submit(ledger, TABLE + b"East,45\n")
        wanted = {one.sha256 for one in kept.manifest.files}
        if act == "reject":
            vote(ledger, made, "jo", "reject")
        if act == "resubmit":
            Voting(ledger).send_back(made.id, by="jo", digest=made.digest)
            wanted |= {hashlib.sha256(new["t.csv"]).hexdigest()}
        if act == "submit":
            wanted |= {one.sha256 for one in made.manifest.files}
        acts = {
            "withdraw": lambda: every.withdraw(made.id, by="a"),
            "reject": lambda: vote(ledger, made, "kim", "reject"),
            "resubmit": lambda: every.resubmit(made.id, new, by="a", **SAID),
            "submit": lambda: submit(ledger, TABLE + b"East,60\n"),
        }
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(failpoint, "hook", die)
            acts[act]()
        assert held() > wanted
    for name, old in ((".left.new", True), (".begun.new", False), ("notes.txt", True)):
        (store / name).write_bytes(b"half")
        if old:
            os.utime(store / name, (0, 0))
    with Ledger(address) as ledger:
        Outputs(ledger)
        assert held() == wanted | {".begun.new", "notes.txt"}
        assert Outputs(ledger).files(kept.id)["table.csv"] == TABLE
        holds(ledger)


def test_many_vote_at_once(ledger: Ledger) -> None:
    """As many as are needed decide it, each once; whoever comes later is told so."""
    made = submit(ledger)
    gate, told = threading.Barrier(6), []

    def one(number: int) -> None:
        gate.wait()
        try:
            vote(ledger, made, f"r{number % 3}", ("approve", "return")[number % 3 == 2])
            told.append("voted")
        except HeldError:
            told.append("late")

    threads = [threading.Thread(target=one, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    votes = [entry["by"] for entry in entries(ledger) if entry["event"] == "output-vote"]
    assert len(votes) == len(set(votes)) in (2, 3) and len(told) == 6
    end = Outputs(ledger).find(made.id).state
    assert end is (OutputState.APPROVED if {"r0", "r1"} <= set(votes) else OutputState.REVIEWED)
    holds(ledger)


# what is none ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"decision": "refuse"}, UserError, "a decision is approve, return or reject, not 'refuse'"),
        ({"reason": "fine"}, UserError, "'fine' is no reason to approve"),
        ({"decision": "reject", "reason": "small-counts"}, UserError, "is no reason to reject"),
        ({"by": "\n"}, UserError, "by must be a printable text"),
        ({"note": "x" * 5001}, UserError, "a note is a text of at most 5,000 letters"),
        ({"note": "\ud800"}, UserError, "half a character"),
        ({"digest": ""}, HeldError, "not the output that waits"),
        ({"output": "0" * 32}, NotFoundError, "there is no output"),
        ({"output": "a\x00"}, NotFoundError, "there is no output"),
        ({"dataset": "e"}, NotFoundError, "there is no output"),
    ],
)
def test_what_is_no_vote(memory: Ledger, given: dict[str, Any], error: type[PetsError], said: str) -> None:
    made = submit(memory)
    full = {"output": made.id, "decision": "approve", "by": "jo", "digest": made.digest} | given
    with pytest.raises(error, match=said):
        Voting(memory).decide(**full)
    assert len(entries(memory)) == 1


def test_what_is_no_output(memory: Ledger) -> None:
    every = Outputs(memory)
    whose = {"dataset": "d", "project": "p", "analyst": "a"}
    with pytest.raises(LedgerError, match="has no dataset 'e'; there are: d"):
        every.submit({"a.csv": TABLE}, **(whose | {"dataset": "e"}), **SAID)
    with pytest.raises(UserError, match="what the output is, is not said"):
        every.submit({"a.csv": TABLE}, **whose, context="a table", controls=SAID["controls"])
    with pytest.raises(UserError, match=r"a\.parquet: files that end in '\.parquet' are not taken out"):
        every.submit({"a.parquet": b"PAR1"}, **whose, **SAID)
    with pytest.raises(UserError, match="a comment is a text of at least one letter"):
        every.comment(submit(memory).id, " ", by="a")
    for wrong in ({"needed": 0}, {"needed": True}, {"days": 366}, {"logins": 1}):
        with pytest.raises(PolicyError):
            Rules(**wrong)  # type: ignore[arg-type]


def test_the_rule_of_votes_is_one() -> None:
    def said(*decisions: Decision) -> list[OutputVote]:
        return [OutputVote(f"r{at}", "", one, "checked") for at, one in enumerate(decisions)]

    yes, back, no = Decision.APPROVE, Decision.RETURN, Decision.REJECT
    assert standing([], 2) is OutputState.SUBMITTED and standing(said(yes), 2) is OutputState.PARTIALLY_REVIEWED
    assert decided(said(yes, no), 2) is None and standing(said(yes, no), 2) is OutputState.REVIEWED
    assert decided([*said(yes), *said(yes)], 2) is None, "one person is one vote"
    assert decided(said(no, back), 2) is Decision.RETURN and decided(said(no, yes, no), 2) is Decision.REJECT
    assert decided(said(yes, back, yes), 2) is Decision.APPROVE
    assert same_person("Jo  Smith", "jo smith ") and not same_person("jo", "joe")
    assert same_person("Jos\u00e9", "JOSE\u0301") and same_person("\ufb01nn", "Finn") and not same_person("e", "\u00e9")
