"""Finding: what was found of one table outside the grid, for the custodian's eyes; a decision names its digest.

It is bound to the very question, the rows, the policy and all that had left before. It holds the table as the rule
shows it, and pairs of tables of people: both lie near the truth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from pets.common.codec import Json, digest
from pets.errors import UserError

PROVED, ATTACK, UNDECIDED, CLOSED = "proved", "attack", "undecided", "closed"
STATES = (PROVED, ATTACK, UNDECIDED)
"""With which a table can leave: the first by a person's decision, the others on their word besides."""

_SAID = {
    PROVED: "Proved: each small number that was looked at stays open, but for what was known before.",
    ATTACK: "Attack: a small number can be derived more closely than promised.",
    UNDECIDED: "Undecided: that small numbers stay open was not shown, nor that they do not.",
    CLOSED: "Closed: a table of some of these people was refused, or was looked at and waits, and that tells of them.",
}


@dataclass(frozen=True)
class Finding:
    """What was found of one table outside the grid.

    Attributes:
        request: the job that asks for it.
        question, snapshot, policy: the digest of its plan, the public id of the rows, and the digest of the policy.
        looked: the state of all that left before, by :mod:`pets.session.disclosure.told_book`.
        rule: how its counts are shown.
        shown: of each block of counts, each cell as it is shown. Nobody has let it out.
        width: how many whole numbers beside the true one each small sum of people was to leave open.
        state: of :data:`PROVED`, :data:`ATTACK`, :data:`UNDECIDED` and :data:`CLOSED`.
        releases: how many earlier releases without noise it was compared with.
        beside: the digest of which these were, by :func:`pets.ledger.review.tables.beside`.
        sums: how many sums of people were looked at.
        attacks: how a small number is derived, a sentence each.
        before: the same of what could be derived as closely before this table.
        besides: why the rest is undecided.
        tables, pairs: of a proof: tables of people, atom by atom, that agree with all that was told; and of each sum
            its atoms and the two of these tables that lie far enough apart in it.
        nonce, salt: 128 random bits each, so that nobody can guess a finding from its digest, nor what it shows from
            that of :attr:`commitment`. The salt leaves with the table, and not before.
    """

    request: str
    question: str
    snapshot: str
    policy: str
    looked: str
    rule: Json
    shown: tuple[tuple[int, ...], ...] = field(repr=False)
    width: int
    state: str
    releases: int
    beside: str
    sums: int
    nonce: str = field(repr=False)
    salt: str = field(repr=False)
    attacks: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    besides: tuple[str, ...] = ()
    tables: tuple[tuple[int, ...], ...] = field(default=(), repr=False)
    pairs: tuple[tuple[tuple[int, ...], int, int], ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if self.state not in _SAID or not self.nonce or not self.salt:
            raise ValueError("no finding")

    def __str__(self) -> str:
        known = [f"Known before: {one}" for one in self.before]
        looked = f"{self.releases:,} earlier releases without noise, {self.sums:,} sums of people looked at."
        return "\n".join([_SAID[self.state], looked, *self.attacks, *known, *self.besides, f"Digest: {self.digest}"])

    @property
    def told(self) -> Json:
        """What a reviewer is told of it: not what the table shows, nor the tables of people that agree with it."""
        names = ("state", "width", "releases", "sums", "attacks", "before", "besides")
        return {name: _listed(getattr(self, name)) for name in names} | {"digest": self.digest, "words": str(self)}

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical form: what a decision names."""
        return digest(self.to_json())

    def commitment(self, shown: Any) -> str:
        """What the log says of the numbers that were compared; ``shown``: they, as the release has them."""
        return commitment(self.salt, self.question, self.snapshot, self.rule, shown)

    def to_json(self) -> Json:
        """The canonical form."""
        return {one.name: _listed(getattr(self, one.name)) for one in fields(self)}

    @classmethod
    def from_json(cls, form: Any) -> Finding:
        """The inverse of :meth:`to_json`; raises :class:`UserError` for anything else."""
        try:
            given = {name: _fixed(part) for name, part in form.items()}
            made = cls(**given | {"rule": dict(form["rule"])})
            if digest(made.to_json()) != digest(form):
                raise ValueError("edited")
        except (AttributeError, LookupError, TypeError, ValueError):
            raise UserError("what was found of this table cannot be read any more; look at it once more") from None
        return made


def commitment(salt: str, plan: str, snapshot: str, rule: Json, shown: Any) -> str:
    """A digest of a table's numbers, of which nobody learns anything without the salt."""
    return digest(["pets.shown", salt, plan, snapshot, rule, shown])


def _listed(part: Any) -> Any:
    return [_listed(one) for one in part] if isinstance(part, (tuple, list)) else part


def _fixed(part: Any) -> Any:
    if isinstance(part, Mapping):
        return dict(part)
    return tuple(_fixed(one) for one in part) if isinstance(part, (tuple, list)) else part
