"""Own key: a vote about an output that its checker signed with a key of their own, and what makes it count.

The key is kept by the checker alone. The dataset's custodians trust it by a signed change of the ledger (kind
``checker``), which two of them decide and which the public log tells; they revoke it in the same way. What is signed is
the output, its turn, what was looked at (under a salt: digests of small tables could be guessed), who votes, and the
vote with its reason. So a vote counts for nothing else, whoever carries it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pets.common import signing
from pets.common.codec import Json
from pets.common.entropy import random_id
from pets.common.signing import SigningKey, VerifyingKey
from pets.errors import ForbiddenError, UserError, shown
from pets.ledger.change import PAYLOAD, Change
from pets.ledger.db.transaction import Transaction
from pets.ledger.log import dsse
from pets.ledger.log.cleared import looked_at, vote_message
from pets.ledger.review.output import output_name, same_person
from pets.ledger.review.votes import Decision

HEX = {"key": "[0-9a-f]{64}", "salt": "[0-9a-f]{32}", "nonce": "([0-9a-f]{32})?", "signature": "[0-9a-f]{128}"}
"""By name, how each part of a vote is written; the public log tells them as they are."""
NO_VOTE = "this is no vote as a checker signed it; sign it anew"


@dataclass(frozen=True)
class CheckerKey:
    """A key by which a checker signs votes about a dataset's outputs.

    Attributes:
        checker: whose it is.
        key: its public half, in hex.
        revoked: whether it is trusted no more.
    """

    checker: str
    key: str
    revoked: bool


def checker_keys(tx: Transaction, dataset: str, own: VerifyingKey) -> dict[str, CheckerKey]:
    """Every checker's key that was ever trusted for a dataset, by its public half.

    Args:
        own: the ledger's key, which signed each change.
    """
    out: dict[str, CheckerKey] = {}
    for body in tx.changes(dataset):
        one = Change.from_json(json.loads(dsse.verified(json.loads(body), PAYLOAD, own)))
        if one.kind == "checker":
            name, key = one.details["checker"], one.details["key"]
            out[key] = CheckerKey(name, key, not one.details["trusted"])
    return out


@dataclass(frozen=True)
class SignedVote:
    """What a checker's own key signed.

    Attributes:
        key: its public half, in hex.
        salt: 128 random bits, which hide what was looked at from who reads the public log.
        nonce: 128 random bits, which hide the vote until all are told; empty where it returns the output at once.
        signature: in hex.
    """

    key: str
    salt: str
    nonce: str
    signature: str

    def to_json(self) -> Json:
        """The canonical form."""
        return {"key": self.key, "salt": self.salt, "nonce": self.nonce, "signature": self.signature}

    @classmethod
    def from_json(cls, form: Any) -> SignedVote:
        """The inverse of :meth:`to_json`; raises :class:`UserError` for anything else."""
        if not isinstance(form, dict) or {*form} != {*HEX}:
            raise UserError(NO_VOTE)
        if not all(isinstance(form[name], str) and re.fullmatch(way, form[name]) for name, way in HEX.items()):
            raise UserError(NO_VOTE)
        return cls(**form)


def sign(
    key: SigningKey | str | Path,
    *,
    output: str,
    turn: int,
    digest: str,
    by: str,
    decision: Decision,
    reason: str,
    at_once: bool = False,
) -> SignedVote:
    """Sign a vote with one's own key; it needs nothing of the ledger.

    Args:
        key: the key, or its file.
        output, turn, digest: of the output, as it was looked at: all 64 letters of the digest.
        at_once: for an output that is returned before all votes are in.

    Raises:
        UserError: for a file that holds no key, or that others may read.
    """
    own = own_key(key)
    salt, nonce = random_id(), "" if at_once else random_id()
    message = vote_message(
        output_name(output),
        turn,
        looked_at(digest, salt),
        by=by,
        decision=decision.value,
        reason=reason,
        nonce=nonce,
    )
    return SignedVote(own.public.raw.hex(), salt, nonce, own.sign(message).hex())


def own_key(key: SigningKey | str | Path) -> SigningKey:
    """A checker's key from its file; raises :class:`UserError` where there is none."""
    if isinstance(key, SigningKey):
        return key
    if not isinstance(key, (str, Path)):
        raise UserError(f"a checker's own key is the path of its file, not {shown(key)}")
    if not Path(key).is_file():
        raise UserError(f"there is no key {str(key)!r}; make one with pets review key new {key}")
    return signing.load_or_make(Path(key))


def check_signed(
    tx: Transaction, row: Any, signed: SignedVote, own: VerifyingKey, by: str, decision: Decision, reason: str
) -> str:
    """Refuse a vote that a trusted key of this checker did not sign about exactly this.

    Args:
        row: of the output.
        own: the ledger's key.

    Returns:
        What it says of what was looked at.

    Raises:
        ForbiddenError: with the remedy.
    """
    known = checker_keys(tx, row.dataset, own).get(signed.key)
    if known is None or not same_person(known.checker, by):
        raise ForbiddenError(
            f"this key is not trusted to sign votes of {by} about this dataset; its custodians trust it with pets "
            "review key trust, or vote without a key"
        )
    if known.revoked:
        raise ForbiddenError(
            f"this key of {by} was revoked, so nothing that it signs counts; make another with pets review key new, "
            "which the custodians trust"
        )
    about = looked_at(row.digest, signed.salt)
    said = {"by": by, "decision": decision.value, "reason": reason, "nonce": signed.nonce}
    message = vote_message(output_name(row.id), row.turn, about, **said)
    if not _verifies(signed, message):
        raise ForbiddenError(
            "this vote was signed about something else: another output, another turn of it, another digest, another "
            "vote or another person; look at the output once more, and sign what you decide about it"
        )
    return about


def _verifies(signed: SignedVote, message: bytes) -> bool:
    try:
        return VerifyingKey(bytes.fromhex(signed.key)).verifies(bytes.fromhex(signed.signature), message)
    except (ValueError, UserError):
        return False
