"""Repeats: a request that was made before, under the same idempotency key or as the same question."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from pets.errors import FailedKeyError, InProgressError, OtherQuestionError
from pets.ledger.db.row_types import Scope, text
from pets.ledger.db.transaction import Transaction
from pets.ledger.ledger import close
from pets.ledger.states import Request, Sealed


def known(tx: Transaction, dataset: str, scope: Scope, request: Request, again: bool, now: float) -> Sealed | None:
    """The answer that was already paid for: under this idempotency key, or to this question."""
    if request.key is not None and request.once and tx.key_of_others(dataset, scope, request.key):
        raise OtherQuestionError(f"the key {request.key!r} was used by somebody else; it is for one request")
    if request.key is not None and (row := tx.by_key(dataset, scope, request.key)) is not None:
        # not the snapshot: another process may have made the same data ready under another name
        if (row.question, row.protection) != (request.question, text(request.protection)):
            raise OtherQuestionError(f"the key {request.key!r} was used for another question; use a new key")
        if row.state == "committed":
            return _sealed(row)
        if row.state == "reserved" and row.lease < now:
            if tx.writes:
                close(tx, row, now)  # left behind before any data was opened: the key is free again
        elif row.state == "forfeited" or row.lease < now:
            raise FailedKeyError(
                f"the request under key {request.key!r} failed after the data was opened; its charge stands; to "
                "ask again, and be charged again, use a new key"
            )
        else:
            wait = max(1, math.ceil(row.lease - now))
            raise InProgressError(
                f"the request under key {request.key!r} is still being answered; ask again in {wait} s", wait
            )
    if not again and (row := tx.by_asked(request.asked)) is not None:
        return shared(tx, row, scope)
    return None


def shared(tx: Transaction, row: Any, scope: Scope) -> Sealed:
    """An answer to this very question: as it was sealed for whoever paid, or as it was delivered here before."""
    found = _sealed(row)
    if found.scope == scope:
        return found
    before = tx.delivery(row.id, scope)
    if before is None:
        return found
    if before.release is None:  # by an earlier version, to a colleague in the same project
        return replace(found, delivered=True)
    return Sealed(row.id, bytes(before.release), bytes(before.certificate), found.scope, delivered=True)


def _sealed(row: Any) -> Sealed:
    return Sealed(row.id, bytes(row.release), bytes(row.certificate), (row.project, row.analyst))
