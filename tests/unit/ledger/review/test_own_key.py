"""A checker's own key: what it signs counts once, for what was looked at; and both checkers of a log see to that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pets.common import signing
from pets.common.codec import digest
from pets.common.signing import SigningKey
from pets.errors import ForbiddenError, LedgerError, UserError
from pets.ledger.change import Change, apply, draft
from pets.ledger.ledger import Ledger
from pets.ledger.log.cleared import Cleared, vote_message
from pets.ledger.log.tally import Wrong
from pets.ledger.publish.read_log import published
from pets.ledger.review.output import Output, Rules, output_name
from pets.ledger.review.outputs import Outputs
from pets.ledger.review.own_key import SignedVote, checker_keys, sign
from pets.ledger.review.votes import Decision, OutputState
from pets.ledger.review.voting import Voting
from pets.verify import check
from pets.verify.cleared import Cleared as Stranger
from tests.ledgers import account
from tests.unit.ledger.review.test_outputs import SAID, TABLE, entries, holds, submit, vote

TWO = ("A. One", "B. Two")


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger(None) as made:
        account(made)
        yield made


@pytest.fixture
def key() -> SigningKey:
    return signing.generate()


def change(ledger: Ledger, key: SigningKey, checker: str = "jo", *, trusted: bool = True) -> None:
    details = {"checker": checker, "key": key.public.raw.hex(), "trusted": trusted}
    apply(ledger, draft(Change(ledger.origin, "d", "checker", details, "a reason", TWO)))


def signed(key: SigningKey, output: Output, decision: str = "approve", by: str = "jo", **more: Any) -> SignedVote:
    given = Decision(decision)
    terms = {"output": output.id, "turn": output.turn, "digest": output.digest, "reason": "checked"} | more
    return sign(key, by=by, decision=given, **terms)


def log(ledger: Ledger) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each entry that tells of outputs or of keys, and its private part."""
    with ledger.reading() as tx:
        found = [(json.loads(body), json.loads(private or b"{}")) for body, private, *_ in _entries(tx)]
    return [one for one in found if one[0]["event"].startswith("output") or one[0].get("change") == "checker"]


def _entries(tx: Any) -> Any:
    return tx.entries()


# ── what counts ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_two_keys_let_an_output_leave_and_the_log_holds(ledger: Ledger, key: SigningKey, tmp_path: Path) -> None:
    other = signing.generate()
    change(ledger, key)
    change(ledger, other, "kim")
    made = submit(ledger, rules=Rules(logins=True))  # no keeper's word counts here
    with pytest.raises(ForbiddenError, match=r"or signs them; decide through the service .* \(--key\)"):
        vote(ledger, made, "jo")
    first = vote(ledger, made, "jo", key=key)
    assert first.state is OutputState.PARTIALLY_REVIEWED and first.voted == 1
    said = entries(ledger)[-1]
    assert said["how"] == "key" and said["key"] == key.public.raw.hex()
    # nothing in the public log tells what the vote is, nor what was looked at
    assert "signature" not in said and made.digest not in json.dumps(said) and "approve" not in json.dumps(said)
    assert vote(ledger, made, "kim", key=other).state is OutputState.APPROVED
    told = entries(ledger)[-1]["votes"]
    assert [len(bytes.fromhex(one["signature"])) for one in told] == [64, 64]
    holds(ledger, tmp_path)
    assert Outputs(ledger).release(made.id, by="v")["table.csv"] == TABLE
    holds(ledger, tmp_path)


def test_keys_logins_and_a_keepers_word_stand_side_by_side(ledger: Ledger, key: SigningKey, tmp_path: Path) -> None:
    change(ledger, key)
    made = submit(ledger)
    vote(ledger, made, "jo", key=key)
    assert vote(ledger, made, "jo", key=key).voted == 1  # said again it changes nothing
    vote(ledger, made, "kim", "return", reason="unclear")
    assert vote(ledger, made, "lee", login=True).state is OutputState.APPROVED
    assert [one.get("how") for one in entries(ledger) if one["event"] == "output-vote"] == ["key", "keeper", "login"]
    holds(ledger, tmp_path)


def test_a_key_returns_an_output_at_once(ledger: Ledger, key: SigningKey, tmp_path: Path) -> None:
    change(ledger, key)
    made = submit(ledger)
    back = Voting(ledger).send_back(made.id, by="jo", digest=made.digest, reason="unclear", key=key)
    assert back.state is OutputState.RETURNED
    said = entries(ledger)[-1]
    assert said["how"] == "key" and len(bytes.fromhex(said["signature"])) == 64
    holds(ledger, tmp_path)


def test_a_vote_that_was_signed_elsewhere_counts(ledger: Ledger, key: SigningKey) -> None:
    change(ledger, key)
    made = submit(ledger)
    away = SignedVote.from_json(json.loads(json.dumps(signed(key, made).to_json())))
    assert vote(ledger, made, "jo", key=away).voted == 1
    for wrong in (None, {}, {"key": 1}, signed(key, made).to_json() | {"more": ""}):
        with pytest.raises(UserError, match="no vote as a checker signed it"):
            SignedVote.from_json(wrong)


def test_a_file_holds_the_key(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no key .*; make one with pets review key new"):
        vote(ledger, submit(ledger), "jo", key=tmp_path / "jo.key")
    change(ledger, signing.load_or_make(tmp_path / "jo.key"))
    assert vote(ledger, submit(ledger, b"x,n\na,20\n"), "jo", key=str(tmp_path / "jo.key")).voted == 1


# ── what does not ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_was_signed_about_something_else_counts_for_nothing(ledger: Ledger, key: SigningKey) -> None:
    change(ledger, key)
    made, other = submit(ledger), submit(ledger, b"x,n\na,20\n")
    lies = (
        signed(key, other),  # another output
        signed(key, replace(made, turn=2)),  # another turn
        signed(key, replace(made, digest=other.digest)),  # other bytes
        signed(key, made, "reject"),  # another vote
        signed(key, made, reason="other"),  # another code
        signed(key, made, by="kim"),  # another person
        replace(signed(key, made), nonce="0" * 32),
        replace(signed(key, made), salt="0" * 32),
        replace(signed(key, made), signature="00" * 64),
        replace(signed(key, made), signature="no"),
    )
    for lie in lies:
        with pytest.raises(ForbiddenError, match="was signed about something else"):
            vote(ledger, made, "jo", key=lie)
    with pytest.raises(ForbiddenError, match="a vote and a return at once are signed apart"):
        vote(ledger, made, "jo", key=signed(key, made, at_once=True))
    with pytest.raises(ForbiddenError, match="signed apart"):
        back = signed(key, made, "return", reason="unclear")
        Voting(ledger).send_back(made.id, by="jo", digest=made.digest, reason="unclear", key=back)
    assert Outputs(ledger).find(made.id).voted == 0
    assert vote(ledger, made, "jo", key=signed(key, made)).voted == 1


def test_a_vote_of_an_earlier_turn_is_none_of_the_next(ledger: Ledger, key: SigningKey) -> None:
    change(ledger, key)
    made = submit(ledger)
    before = signed(key, made)
    vote(ledger, made, "jo", key=before)
    Voting(ledger).send_back(made.id, by="kim", digest=made.digest, reason="unclear")
    files = {"table.csv": b"region,n\nNorth,120\n"}
    again = Outputs(ledger).resubmit(made.id, files, by="a", **SAID)
    with pytest.raises(ForbiddenError, match="another turn of it"):
        vote(ledger, again, "jo", key=before)


def test_a_key_that_is_not_trusted_or_was_revoked(ledger: Ledger, key: SigningKey) -> None:
    made = submit(ledger)
    with pytest.raises(ForbiddenError, match=r"not trusted to sign votes of jo about this dataset; .*key trust"):
        vote(ledger, made, "jo", key=key)
    change(ledger, key, "kim")
    with pytest.raises(ForbiddenError, match="not trusted to sign votes of jo"):
        vote(ledger, made, "jo", key=key)  # another's
    change(ledger, key, "kim", trusted=False)
    with pytest.raises(ForbiddenError, match=r"this key of kim was revoked.*make another"):
        vote(ledger, made, "kim", key=key)
    with ledger.reading() as tx:
        (one,) = checker_keys(tx, "d", ledger.key).values()
    assert (one.checker, one.revoked) == ("kim", True)
    assert Outputs(ledger).find(made.id).voted == 0


def test_authors_and_colleagues_have_no_vote_with_a_key_either(ledger: Ledger, key: SigningKey) -> None:
    change(ledger, key, "a")
    with pytest.raises(ForbiddenError, match="an output of their own"):
        vote(ledger, submit(ledger), "a", key=key)


def test_trust_is_given_once_and_taken_away_once(ledger: Ledger, key: SigningKey) -> None:
    with pytest.raises(LedgerError, match=r"not trusted to sign votes of 'jo'; look at pets review key list"):
        change(ledger, key, trusted=False)
    change(ledger, key)
    for again in ("jo", "kim"):
        with pytest.raises(LedgerError, match="was trusted for this dataset before"):
            change(ledger, key, again)
    with pytest.raises(LedgerError, match="not trusted to sign votes of 'kim'"):
        change(ledger, key, "kim", trusted=False)
    change(ledger, key, trusted=False)
    with pytest.raises(LedgerError, match="make another"):
        change(ledger, key)
    for wrong in ({"key": "00"}, {"key": "x" * 64}, {"trusted": "yes"}):
        details = {"checker": "jo", "key": signing.generate().public.raw.hex(), "trusted": True} | wrong
        with pytest.raises(LedgerError, match="64 hex digits"):
            apply(ledger, draft(Change(ledger.origin, "d", "checker", details, "a reason", TWO)))
    with pytest.raises(LedgerError, match="two different people"):
        Change(ledger.origin, "d", "checker", {"checker": "jo", "key": "", "trusted": True}, "r", ("A", "a "))
    assert published(ledger).history.others == ()


# ── both checkers of a log ────────────────────────────────────────────────────────────────────────────────────────────

KEY = signing.from_seed(b"\7" * 32)
NAMED = {"event": "change", "dataset": "d", "change": "checker", "checker": "jo", "key": KEY.public.raw.hex()}
NAMED |= {"by": ["A", "B"]}
TRUSTED, REVOKED = NAMED | {"trusted": True}, NAMED | {"trusted": False}


def _log(by: str = "jo", **change_: Any) -> list[dict[str, Any]]:
    """The entries of an output that one person's key approves; ``change_`` is of what it signed."""
    base: dict[str, Any] = {"dataset": "d", "output": "o", "turn": 1}
    said = {"by": by, "decision": "approve", "reason": "checked", "nonce": "n"}
    message = vote_message("o", 1, "about", **(said | change_))
    sealed = digest(said | {"output": "o", "turn": 1})
    key = {"how": "key", "key": KEY.public.raw.hex(), "about": "about"}
    told = said | {"signature": KEY.sign(message).hex()}
    return [
        base | {"event": "output", "project": "p", "analyst": "x", "needed": 1},
        base | {"event": "output-vote", "by": by, "vote": sealed} | key,
        base | {"event": "output-review", "state": "approved", "votes": [told]},
    ]


def _hear(entries_: list[dict[str, Any]]) -> None:
    made = Cleared()
    for said in entries_:
        made.trust(said) if said["event"] == "change" else made.hear(said, None)


def _stranger(entries_: list[dict[str, Any]]) -> None:
    def need(holds_: Any, why: str) -> None:
        if not holds_:
            raise Wrong(why)

    made = Stranger(need, check.signs)
    for at, said in enumerate(entries_):
        made.hear(said, at)


def _back(**more: Any) -> list[dict[str, Any]]:
    said = {"by": "jo", "decision": "return", "reason": "unclear", "nonce": ""}
    signature = KEY.sign(vote_message("o", 1, "about", **said)).hex()
    first, voted, _ = _log()
    return [first, voted | {"event": "output-return", "reason": "unclear", "signature": signature} | more]


@pytest.mark.parametrize("hear", [_hear, _stranger])
def test_both_take_what_was_signed(hear: Any) -> None:
    hear([TRUSTED, *_log()])
    hear([TRUSTED, *_back()])
    first, voted, told = _log()
    hear([TRUSTED, first, voted, REVOKED, told])  # it was trusted when it was given


@pytest.mark.parametrize("hear", [_hear, _stranger])
@pytest.mark.parametrize(
    ("given", "why"),
    [
        (_log(), "not trusted for whoever votes"),
        ([TRUSTED, REVOKED, *_log()], "not trusted for whoever votes"),
        ([TRUSTED, *_log(by="kim")], "not trusted for whoever votes"),
        ([TRUSTED, TRUSTED], "checker's key"),
        ([REVOKED], "checker's key"),
        ([TRUSTED, REVOKED, TRUSTED], "checker's key"),
        ([TRUSTED | {"checker": ""}], "checker's key"),
        ([TRUSTED, *_log(decision="reject")], "own key did not sign"),
        ([TRUSTED, *_log(reason="other")], "own key did not sign"),
        ([TRUSTED, *_log(nonce="m")], "own key did not sign"),
        ([TRUSTED, *_back(reason="other")], "own key did not sign"),
        ([TRUSTED, *_back(about="other")], "own key did not sign"),
        ([TRUSTED, _log()[0], _log()[1] | {"about": "other"}, _log()[2]], "own key did not sign"),
        ([TRUSTED, _log()[0], _log()[1] | {"how": "login"}, _log()[2]], "a signature under"),
    ],
)
def test_both_refuse_what_was_not(hear: Any, given: list[dict[str, Any]], why: str) -> None:
    with pytest.raises((Wrong, ValueError), match=why):
        hear(given)


@pytest.mark.parametrize("hear", [_hear, _stranger])
def test_both_refuse_a_keepers_word_where_it_counts_for_nothing(hear: Any) -> None:
    plain, voted, _ = _log()
    first = plain | {"logins": True}
    by_keeper = {name: voted[name] for name in voted if name not in ("key", "about")} | {"how": "keeper"}
    back = {name: by_keeper[name] for name in by_keeper if name != "vote"}
    back |= {"event": "output-return", "reason": "unclear"}
    for way in ({"how": "login"}, {"how": "keeper"}):
        hear([plain, by_keeper | way])
        hear([plain, back | way])
    for one in (by_keeper, back):
        hear([first, one | {"how": "login"}])
        with pytest.raises(Wrong, match="keeper's word"):
            hear([first, one])
    hear([TRUSTED, first, *_log()[1:]])
    returned = [first, back | {"how": "login"}]
    hear([*returned, first | {"turn": 2}])
    with pytest.raises(Wrong, match="by other rules"):
        hear([*returned, plain | {"turn": 2}])


def test_the_log_says_where_a_keepers_word_counts_for_nothing(ledger: Ledger) -> None:
    submit(ledger)
    submit(ledger, rules=Rules(logins=True))
    assert [said.get("logins") for said, _ in log(ledger)] == [None, True]


@pytest.mark.parametrize("by", [[], ["A"], ["Ann", "ANN "], ["A", " "]])
def test_a_stranger_takes_no_key_that_one_person_trusts(by: list[str]) -> None:
    """(The ledger's own check holds every change against that.)"""
    for one in (TRUSTED | {"by": by}, REVOKED | {"by": by}):
        with pytest.raises(Wrong, match="by one person's word"):
            _stranger([TRUSTED, one] if one["trusted"] is False else [one])


def test_with_the_private_part_a_vote_is_held_against_what_was_submitted(ledger: Ledger, key: SigningKey) -> None:
    change(ledger, key)
    made = submit(ledger)
    vote(ledger, made, "jo", key=key)
    found = log(ledger)
    sound = Cleared()
    for said, private in found:
        sound.trust(said) if said["event"] == "change" else sound.hear(said, private)
    for name, why in (("digest", "about something else"), ("salt", "about something else")):
        torn = Cleared()
        for said, private in found[:-1]:
            torn.trust(said) if said["event"] == "change" else torn.hear(said, private)
        said, private = found[-1]
        with pytest.raises(Wrong, match=why):
            torn.hear(said, private | {name: "0" * 64})
    assert output_name(made.id) == found[-1][0]["output"]
