"""Votes: what a reviewer may decide and why, and when the decisions on one job are enough.

A job is held before its answer is made, or after; each vote of one stage is of another person.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any

from pets.errors import UserError, did_you_mean, shown

NEEDED = 1
"""Reviewers who must approve one job at one stage."""


class Stage(Enum):
    """When a person decides."""

    BEFORE = "before"
    AFTER = "after"


class Decision(Enum):
    """What a reviewer says."""

    APPROVE = "approve"
    REFUSE = "refuse"


REASONS = MappingProxyType(
    {
        Decision.APPROVE: ("checked",),
        Decision.REFUSE: ("not-needed", "out-of-scope", "may-disclose", "unclear", "other"),
    }
)
"""Why, for the public log; the first is meant where none is given. What else a reviewer writes stays outside it."""


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


def decided(votes: Iterable[Vote], needed: int = NEEDED) -> Decision | None:
    """What the votes of one stage come to: one refusal refuses; so many people approve; else more must vote."""
    given = list(votes)
    if any(vote.decision is Decision.REFUSE for vote in given):
        return Decision.REFUSE
    return Decision.APPROVE if len({vote.reviewer for vote in given}) >= needed else None


def known_decision(value: Any, reason: Any) -> tuple[Decision, str]:
    """A decision and its reason; raises :class:`UserError` for what is none."""
    names = [one.value for one in Decision]
    if isinstance(value, Decision):
        value = value.value
    if not isinstance(value, str) or value not in names:
        raise UserError(f"a decision is {' or '.join(names)}, not {shown(value)}")
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
