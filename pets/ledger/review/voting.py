"""Voting: what people decide about an output, each without the others' votes until all that are needed are in.

The log commits to each vote, and tells it once all are in: so it hides nothing for good, and nobody who reads it can
follow another's opinion. Every vote names the digest of what was looked at, and a checker's own
key may sign it (:mod:`pets.ledger.review.own_key`): then the log tells the signature with the vote.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from pets.common.codec import Json
from pets.common.entropy import random_id
from pets.common.literals import printable
from pets.common.signing import SigningKey
from pets.errors import ForbiddenError, HeldError
from pets.ledger.db import outputs
from pets.ledger.db.row_types import text
from pets.ledger.db.transaction import Transaction
from pets.ledger.failpoint import failpoint
from pets.ledger.ledger import Ledger
from pets.ledger.review.acts import digests, found, hidden_note, move, own_words, say, seen
from pets.ledger.review.checkers import check_checker
from pets.ledger.review.file_store import FileStore
from pets.ledger.review.output import Output, committed, same_person, sealed_votes, vote_of
from pets.ledger.review.own_key import SignedVote, check_signed, sign
from pets.ledger.review.votes import OF_OUTPUTS, Decision, OutputState, OutputVote, known_decision, standing

OwnKey = SigningKey | SignedVote | str | Path | None
"""A checker's own key, or its file; or what it signed."""
Own = tuple[SignedVote, str] | None
LEAST_DIGEST = 12
"""Letters of a digest by which a vote names what was looked at."""


class Voting:
    """The votes about a ledger's outputs; safe from threads and processes."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def decide(
        self,
        output: str,
        decision: str | Decision,
        *,
        by: str,
        digest: str,
        reason: str | None = None,
        note: str = "",
        dataset: str | None = None,
        project: str | None = None,
        login: bool = False,
        key: OwnKey = None,
    ) -> Output:
        """Vote about an output; said again by the same person in the same turn it changes nothing.

        Args:
            decision: ``approve``, ``return`` (the author may mend it) or ``reject`` (for good).
            by: who votes; never its author, nor, unless the rules say so, somebody of the author's project.
            digest: of the output that was looked at, or its first 12 letters or more: a vote is about exact bytes.
            reason: of :data:`pets.ledger.review.votes.REASONS`; the log has it once all votes are in.
            note: words of one's own; the log has their digest alone.
            project: in which ``by`` is logged in, where a login says so.
            login: whether a login says who votes.
            key: of the checker's own, or its file: signs the vote here; or what it signed elsewhere.

        Raises:
            ForbiddenError: for the author, for a colleague of the author, or for somebody who has no leave to review;
                for a key that is not trusted, or signed something else.
            HeldError: where it waits for no vote, or is another output by now.
            NotFoundError: where there is no such output.
        """
        given, why = known_decision(decision, reason, OF_OUTPUTS)
        vote = OutputVote(printable("by", by), "", given, why, own_words("a note", note), random_id())
        with self.ledger.writing() as (tx, now):
            row = found(tx, output, dataset)
            check_checker(tx, row, vote.reviewer, project=project, login=login or key is not None)
            vote, own = self._signed(tx, row, vote, key)
            earlier = [vote_of(one) for one in outputs.votes(tx.connection, output, row.turn)]
            if any(_again(one, vote) for one in earlier):
                return seen(tx, row, vote.reviewer)
            self._check_open(row, vote.reviewer, earlier, digest)
            self._enter(tx, row, vote, earlier, now, _how(own, login=login))
        made = self._done(output, vote.reviewer)
        if made.state is OutputState.REJECTED:
            FileStore(self.ledger).forget(digests(row))
        return made

    def send_back(
        self,
        output: str,
        *,
        by: str,
        digest: str,
        reason: str | None = None,
        note: str = "",
        dataset: str | None = None,
        project: str | None = None,
        login: bool = False,
        key: OwnKey = None,
    ) -> Output:
        """Return an output at once, before all votes are in, so that its author can mend what is plainly missing.

        The votes of the turn count no more, and stay unopened; the log tells that it was returned, by whom and why.
        Arguments and errors as of :meth:`decide`.
        """
        _, why = known_decision(Decision.RETURN, reason, OF_OUTPUTS)
        vote = OutputVote(printable("by", by), "", Decision.RETURN, why, own_words("a note", note))
        with self.ledger.writing() as (tx, now):
            row = found(tx, output, dataset)
            check_checker(tx, row, vote.reviewer, project=project, login=login or key is not None)
            vote, own = self._signed(tx, row, vote, key)
            earlier = [vote_of(one) for one in outputs.votes(tx.connection, output, row.turn)]
            self._check_open(row, vote.reviewer, earlier, digest)
            outputs.add_vote(tx.connection, _row_of(row, vote, tx, now))
            move(tx, row, OutputState.RETURNED)
            how, salt = _how(own, login=login)
            if own is not None:
                how |= {"signature": own[0].signature}
            hidden = hidden_note(vote.note) | ({"digest": row.digest} | salt if salt else {})
            say(tx, "output-return", row, now, by=vote.reviewer, **how, reason=why, hidden=hidden)
        return self._done(output, vote.reviewer)

    def _signed(self, tx: Transaction, row: Any, vote: OutputVote, key: OwnKey) -> tuple[OutputVote, Own]:
        """The vote as its checker's own key signs it, and what that says of what was looked at."""
        if key is None:
            return vote, None
        terms: dict[str, Any] = {"by": vote.reviewer, "decision": vote.decision, "reason": vote.reason}
        if not isinstance(key, SignedVote):
            which = {"output": row.id, "turn": row.turn, "digest": row.digest}
            key = sign(key, **which, **terms, at_once=not vote.nonce)
        if bool(key.nonce) != bool(vote.nonce):
            raise ForbiddenError(
                "a vote and a return at once are signed apart, and this is the other of them; sign what you decide"
            )
        about = check_signed(tx, row, key, self.ledger.key, **terms)
        return replace(vote, nonce=key.nonce, signed=text(key.to_json())), (key, about)

    def _check_open(self, row: Any, by: str, earlier: list[OutputVote], looked_at: str) -> None:
        if not OutputState(row.state).open:
            raise HeldError(f"this output waits for no vote: it is {row.state}; look at the list of those that wait")
        if any(same_person(one.reviewer, by) for one in earlier):
            raise HeldError("you have voted about this output before; another person must, too")
        if not isinstance(looked_at, str) or len(looked_at) < 12 or not row.digest.startswith(looked_at):
            raise HeldError(
                "this is not the output that waits, whose digest begins with "
                f"{row.digest[:12]}; look at it once more, and vote about what you saw"
            )

    def _enter(
        self,
        tx: Transaction,
        row: Any,
        vote: OutputVote,
        earlier: list[OutputVote],
        now: float,
        said: tuple[Json, Json],
    ) -> None:
        """The vote, which the log commits to; and where all are in, what they were and come to."""
        outputs.add_vote(tx.connection, _row_of(row, vote, tx, now))
        sealed = committed(row.id, row.turn, vote)
        how, salt = said
        hidden = {"digest": row.digest, "decision": vote.decision.value, "reason": vote.reason} | hidden_note(vote.note)
        say(tx, "output-vote", row, now, by=vote.reviewer, **how, vote=sealed, hidden=hidden | salt)
        before, votes = sealed_votes(earlier), [*sealed_votes(earlier), vote]
        needed = json.loads(row.rules)["needed"]
        state = standing(votes, needed)
        move(tx, row, state)
        if len(votes) < needed:
            return
        opened = votes if len(before) < needed else [vote]
        told = [
            {"by": one.reviewer, "decision": one.decision.value, "reason": one.reason, "nonce": one.nonce}
            | ({"signature": json.loads(one.signed)["signature"]} if one.signed else {})
            for one in opened
        ]
        say(tx, "output-review", row, now, state=state.value, votes=told)

    def _done(self, output: str, by: str) -> Output:
        failpoint("output-committed")
        self.ledger.catch_up()
        with self.ledger.reading() as tx:
            return seen(tx, found(tx, output, None), by)


def _how(own: Own, *, login: bool) -> tuple[Json, Json]:
    """Who says that it is this person, for the log: their own key, a login, or whoever keeps the ledger.

    And what of it the private part of the entry has.
    """
    if own is None:
        return {"how": "login" if login else "keeper"}, {}
    signed, about = own
    return {"how": "key", "key": signed.key, "about": about}, {"salt": signed.salt}


def _row_of(row: Any, vote: OutputVote, tx: Transaction, now: float) -> dict[str, Any]:
    kept = {"output": row.id, "turn": row.turn, "reviewer": vote.reviewer, "digest": row.digest, "note": vote.note}
    said = {"decision": vote.decision.value, "reason": vote.reason, "nonce": vote.nonce}
    return kept | said | {"at": now, "seq": tx.head.size, "signed": vote.signed}


def _again(one: OutputVote, vote: OutputVote) -> bool:
    same = (one.reviewer, one.decision, one.reason) == (vote.reviewer, vote.decision, vote.reason)
    return same and bool(one.nonce)
