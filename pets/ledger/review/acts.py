"""Acts: what every act on an output shares: its row, its next state, its entry of the log, and what is shown of it."""

from __future__ import annotations

import json
from typing import Any

from pets.common.codec import Json, digest
from pets.common.literals import text as whole_text
from pets.errors import HeldError, NotFoundError, UserError, shown
from pets.ledger.db import outputs
from pets.ledger.db.transaction import Transaction
from pets.ledger.failpoint import failpoint
from pets.ledger.review.output import Output, output_name, output_of, vote_of
from pets.ledger.review.votes import NEXT, OutputState

MAX_WORDS = 5000
"""Letters of a comment, and of the note to a vote."""


def found(tx: Transaction, output: str, dataset: str | None) -> Any:
    """The row of an output; raises :class:`NotFoundError`."""
    row = outputs.by_id(tx.connection, output) if isinstance(output, str) and "\x00" not in output else None
    if row is None or dataset not in (None, row.dataset):
        raise NotFoundError(f"there is no output {shown(output)}; look at the list of those there are")
    return row


def seen(tx: Transaction, row: Any, by: str | None) -> Output:
    """An output as somebody may see it."""
    votes = [vote_of(one) for one in outputs.votes(tx.connection, row.id, row.turn)]
    return output_of(row, votes, outputs.comments(tx.connection, row.id), by)


def digests(row: Any) -> list[str]:
    """The SHA-256 of each file of an output's row."""
    return [one["sha256"] for one in json.loads(row.manifest)["files"]]


def check_next(row: Any, after: OutputState) -> None:
    """Raises :class:`HeldError` where this state may not follow an output's own."""
    before, ends = OutputState(row.state), NEXT[OutputState.REVIEWED]
    through = after in ends and OutputState.REVIEWED in NEXT[before]
    if not (after in NEXT[before] or through):
        if after is OutputState.RELEASED:
            raise HeldError(f"this output is {before.value}, so nothing of it leaves; it must be approved first")
        raise HeldError(f"this output is {before.value}, and cannot become {after.value}; look at it once more")


def move(tx: Transaction, row: Any, after: OutputState, **values: Any) -> None:
    """To a state that may follow; the last vote that is needed passes ``reviewed`` on its way.

    Raises :class:`HeldError` for any other, and where it was changed meanwhile.
    """
    check_next(row, after)
    if not outputs.move(tx.connection, row.id, row.state, row.turn, **({"state": after.value} | values)):
        raise HeldError("this output was changed meanwhile; look at it once more")


def say(tx: Transaction, event: str, row: Any, now: float, *, hidden: Json | None = None, **said: Any) -> None:
    """An entry of the log; ``hidden`` is in its private part alone."""
    told: Json = {"dataset": row.dataset, "output": output_name(row.id), "turn": row.turn}
    tx.append(event, now, told | said, {"output_id": row.id} | (hidden or {}))
    failpoint("output-logged")


def hidden_note(note: str) -> Json:
    """What the private part of an entry says of somebody's own words."""
    return {"note": digest(note)}


def own_words(what: str, words: str) -> str:
    """Free text that somebody wrote; raises :class:`UserError` for what is none, or too long."""
    if not isinstance(words, str) or len(words) > MAX_WORDS or "\x00" in words:
        raise UserError(f"{what} is a text of at most {MAX_WORDS:,} letters, not {shown(words)}; shorten it")
    return whole_text(words, UserError).strip()
