"""Votes: what a reviewer may decide and why, and when the decisions of several people are enough.

One rule for both queues. A job of the service is held before its answer is made, or after, and one vote decides it. An
output that an analyst wants to take out is decided by two people who do not see each other's votes: each vote is about
one turn of it, and so about the exact bytes of that turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any

from pets.errors import UserError, did_you_mean, shown

NEEDED = 1
"""Reviewers who must approve one job at one stage."""


class Stage(Enum):
    """When a person decides about a job."""

    BEFORE = "before"
    AFTER = "after"


class Decision(Enum):
    """What a reviewer says: of a job ``approve`` or ``refuse``, of an output ``approve``, ``return`` or ``reject``."""

    APPROVE = "approve"
    RETURN = "return"
    REFUSE = "refuse"
    REJECT = "reject"


OF_JOBS = (Decision.APPROVE, Decision.REFUSE)
OF_OUTPUTS = (Decision.APPROVE, Decision.RETURN, Decision.REJECT)

REASONS = MappingProxyType(
    {
        Decision.APPROVE: ("checked",),
        Decision.RETURN: (
            *("small-counts", "missing-counts", "missing-context", "missing-controls", "too-detailed", "differencing"),
            *("file-type", "unclear", "other"),
        ),
        Decision.REFUSE: ("not-needed", "out-of-scope", "may-disclose", "unclear", "other"),
        Decision.REJECT: ("may-disclose", "rows-of-people", "out-of-scope", "not-allowed", "other"),
    }
)
"""Why, for the public log; the first is meant where none is given. What else a reviewer writes stays outside it."""


class OutputState(Enum):
    """Where an output stands; the names are those of OpenSAFELY's airlock."""

    SUBMITTED = "submitted"
    PARTIALLY_REVIEWED = "partially-reviewed"
    REVIEWED = "reviewed"
    APPROVED = "approved"
    RETURNED = "returned"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    RELEASED = "released"

    @property
    def open(self) -> bool:
        """Whether it waits for votes."""
        return self in OPEN

    @property
    def independent(self) -> bool:
        """Whether reviewers do not see each other's votes yet."""
        return self in (OutputState.SUBMITTED, OutputState.PARTIALLY_REVIEWED)


OPEN = (OutputState.SUBMITTED, OutputState.PARTIALLY_REVIEWED, OutputState.REVIEWED)
"""Those in which people vote, in their order."""

GONE = (OutputState.WITHDRAWN, OutputState.REJECTED)
"""Those from which nothing leaves any more: the bytes of their files are deleted."""

_S = OutputState
NEXT: Mapping[OutputState, frozenset[OutputState]] = MappingProxyType(
    {
        # (with one vote needed, the first is the last)
        _S.SUBMITTED: frozenset({_S.PARTIALLY_REVIEWED, _S.REVIEWED, _S.RETURNED, _S.WITHDRAWN}),
        _S.PARTIALLY_REVIEWED: frozenset({_S.PARTIALLY_REVIEWED, _S.REVIEWED, _S.RETURNED, _S.WITHDRAWN}),
        _S.REVIEWED: frozenset({_S.REVIEWED, _S.APPROVED, _S.REJECTED, _S.RETURNED, _S.WITHDRAWN}),
        _S.RETURNED: frozenset({_S.SUBMITTED, _S.WITHDRAWN}),
        _S.APPROVED: frozenset({_S.RELEASED}),
        _S.REJECTED: frozenset(),
        _S.WITHDRAWN: frozenset(),
        _S.RELEASED: frozenset(),
    }
)
"""What may become of each; the last vote that is needed makes it reviewed, and at once what the votes come to."""

_ENDS = {
    Decision.APPROVE: _S.APPROVED,
    Decision.RETURN: _S.RETURNED,
    Decision.REJECT: _S.REJECTED,
    Decision.REFUSE: _S.REJECTED,
}


@dataclass(frozen=True)
class Vote:
    """One reviewer's decision on one job.

    Attributes:
        reviewer: the subject, as whoever logs people in names it.
        reason: of :data:`REASONS`.
        at: seconds since 1970.
        seq: the log entry that tells of it.
    """

    reviewer: str
    stage: Stage
    decision: Decision
    reason: str
    at: float = 0.0
    seq: int = 0


@dataclass(frozen=True)
class OutputVote:
    """One reviewer's decision on one turn of an output.

    Attributes:
        digest: of what was voted about: the exact bytes of every file, and what was said of them.
        note: the reviewer's own words, which the log has by their digest alone.
        nonce: 128 random bits, so that nobody can guess a vote from what the log commits to.
        signed: what the reviewer's own key signed, as JSON; empty without one.
    """

    reviewer: str
    digest: str
    decision: Decision
    reason: str
    note: str = ""
    nonce: str = ""
    at: float = 0.0
    seq: int = 0
    signed: str = ""


def decided(votes: Iterable[Vote | OutputVote], needed: int = NEEDED) -> Decision | None:
    """What the votes of one stage, or turn, come to; ``None``: more people must vote.

    So many people who approve approve it; so many who do not end it in the mildest way that one of them chose. One
    person is one vote. Where the first ``needed`` disagree, another decides between them.
    """
    last = {vote.reviewer: vote.decision for vote in votes}
    against = [one for one in last.values() if one is not Decision.APPROVE]
    if len(last) - len(against) >= needed:
        return Decision.APPROVE
    if len(against) < needed:
        return None
    return Decision.RETURN if Decision.RETURN in against else against[0]


def standing(votes: Sequence[OutputVote], needed: int) -> OutputState:
    """Where an output stands after these votes of its present turn."""
    end = decided(votes, needed)
    if end is not None:
        return _ENDS[end]
    people = len({vote.reviewer for vote in votes})
    return OPEN[0] if not people else OPEN[1] if people < needed else OPEN[2]


def known_decision(value: Any, reason: Any, among: Sequence[Decision] = OF_JOBS) -> tuple[Decision, str]:
    """A decision and its reason; raises :class:`UserError` for what is none."""
    names = [one.value for one in among]
    if isinstance(value, Decision):
        value = value.value
    if not isinstance(value, str) or value not in names:
        raise UserError(f"a decision is {', '.join(names[:-1])} or {names[-1]}, not {shown(value)}")
    decision = Decision(value)
    reasons = REASONS[decision]
    if reason is None:
        return decision, reasons[0]
    if not isinstance(reason, str) or reason not in reasons:
        raise UserError(
            f"{shown(reason)} is no reason to {decision.value}{did_you_mean(reason, reasons)}; the words of your own "
            "go into the note"
        )
    return decision, reason
