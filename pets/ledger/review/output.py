"""Output: what an analyst wants to take out, as whoever looks at it may see it, and the rules it is decided by."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pets.common.codec import Json, digest, whole
from pets.errors import PolicyError, shown
from pets.ledger.log.cleared import person
from pets.ledger.review.manifest import Manifest
from pets.ledger.review.votes import Decision, OutputState, OutputVote

DAY = 86_400.0


@dataclass(frozen=True)
class Rules:
    """By what an output is decided, fixed when it is submitted.

    Attributes:
        needed: people who must approve it; never its author.
        own_project: whether they may be of the author's project.
        logins: whether votes count only where a login says who votes, or a key of their own does, and not the
            ledger's own keeper.
        days: in which each turn is to be decided.
    """

    needed: int = 2
    own_project: bool = False
    logins: bool = False
    days: int = 7

    def __post_init__(self) -> None:
        for name, most in (("needed", 10), ("days", 365)):
            try:
                value = whole(getattr(self, name))
            except ValueError:
                value = 0
            if not 1 <= value <= most:
                raise PolicyError(f"{name} must be a whole number from 1 to {most}, not {shown(getattr(self, name))}")
            object.__setattr__(self, name, value)
        for name in ("own_project", "logins"):
            if not isinstance(getattr(self, name), bool):
                raise PolicyError(f"{name} must be True or False, not {shown(getattr(self, name))}")

    def to_json(self) -> Json:
        """The canonical form."""
        return {"needed": self.needed, "own_project": self.own_project, "logins": self.logins, "days": self.days}


@dataclass(frozen=True)
class Comment:
    """What somebody wrote about an output.

    Attributes:
        turn: in which.
        at: seconds since 1970.
        seq: the log entry that tells of it, and has its digest alone.
    """

    author: str
    text: str
    turn: int
    at: float
    seq: int


@dataclass(frozen=True)
class Output:
    """One output, as whoever looks at it may see it.

    Attributes:
        turn: how often it was submitted. Votes are about one turn.
        digest: of the manifest; whoever approves it names it.
        due: seconds since 1970, by which this turn is to be decided.
        voted: how many people have voted in this turn.
        votes: those that whoever looks may see: their own alone, until all that are needed are in; its author sees
            none before the turn has ended.
        comments: likewise.
    """

    id: str
    dataset: str
    project: str
    analyst: str
    state: OutputState
    turn: int
    rules: Rules
    manifest: Manifest
    digest: str
    at: float
    due: float
    voted: int
    votes: tuple[OutputVote, ...] = ()
    comments: tuple[Comment, ...] = ()


def output_name(name: str) -> str:
    """How the public log names an output: only who knows its random id can tell which it is."""
    return digest(["output", name])


def committed(output: str, turn: int, vote: OutputVote) -> str:
    """What the log says of a vote before all are in: a hash with 128 random bits, opened later.

    It commits to the vote and hides it, since SHA-256 of so many unknown bits tells nothing of the rest.
    """
    parts = {"output": output_name(output), "turn": turn, "by": vote.reviewer, "nonce": vote.nonce}
    return digest(parts | {"decision": vote.decision.value, "reason": vote.reason})


def same_person(one: str, other: str) -> bool:
    """Whether two names are one but for capitals, blanks and forms of a letter, as who audits the log compares them."""
    return person(one) == person(other)


def vote_of(row: Any) -> OutputVote:
    """A row of the votes' table."""
    parts: tuple[Any, ...] = (row.reviewer, row.digest, Decision(row.decision), row.reason, row.note, row.nonce)
    parts += (row.at, row.seq, row.signed)
    return OutputVote(*parts)


def sealed_votes(votes: Sequence[OutputVote]) -> list[OutputVote]:
    """Those that count: one without a nonce was no vote, but returned the output at once."""
    return [vote for vote in votes if vote.nonce]


def output_of(row: Any, votes: Sequence[OutputVote], comments: Sequence[Any], by: str | None) -> Output:
    """As ``by`` may see it (``None``: the ledger's keeper, who is shown what every reviewer is)."""
    state, rules = OutputState(row.state), Rules(**json.loads(row.rules))
    author = by is not None and same_person(by, row.analyst)
    complete = len(sealed_votes(votes)) >= rules.needed and not (author and state.open)

    def mine(name: str) -> bool:
        return by is not None and same_person(by, name)

    def told(comment: Any) -> bool:
        """Its author's words are for all; a reviewer's for the others once votes are, and for the author at the end."""
        if mine(comment.author) or same_person(comment.author, row.analyst) or comment.turn < row.turn:
            return True
        return not state.open or (state is OutputState.REVIEWED and not author)

    seen = tuple(vote for vote in votes if not vote.nonce or complete or mine(vote.reviewer))
    words = tuple(Comment(one.author, one.text, one.turn, one.at, one.seq) for one in comments if told(one))
    manifest = Manifest.from_json(json.loads(row.manifest))
    return Output(
        *(row.id, row.dataset, row.project, row.analyst, state, row.turn, rules, manifest, row.digest, row.at, row.due),
        voted=len(sealed_votes(votes)),
        votes=seen,
        comments=words,
    )
