"""Repeats: a request that was made before, under the same idempotency key or as the same question."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from pets.errors import FailedKeyError, HeldError, InProgressError, NotApprovedError, OtherQuestionError
from pets.ledger.db.row_types import Scope, text
from pets.ledger.db.transaction import Transaction
from pets.ledger.ledger import Ledger, close
from pets.ledger.queued.unseen import unseen
from pets.ledger.states import Request, Sealed


def known(
    tx: Transaction, dataset: str, scope: Scope, request: Request, again: bool, now: float, *, holding: bool = False
) -> Sealed | None:
    """The answer that was already paid for: under this idempotency key, or to this question.

    Args:
        holding: what is answered now is held too, so that one's own held answers may be part of it.

    Raises:
        HeldError, NotApprovedError: it waits for a person's approval, or was not approved.
    """
    if request.key is not None and request.once and tx.key_of_others(dataset, scope, request.key):
        raise OtherQuestionError(f"the key {request.key!r} was used by somebody else; it is for one request")
    if request.key is not None and (row := tx.by_key(dataset, scope, request.key)) is not None:
        # not the snapshot: another process may have made the same data ready under another name
        if (row.question, row.protection) != (request.question, text(request.protection)):
            raise OtherQuestionError(f"the key {request.key!r} was used for another question; use a new key")
        if row.state == "committed":
            return _sealed(row, scope, holding)
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
        return shared(tx, row, scope, holding=holding)
    return None


def answered(ledger: Ledger, asked: str) -> tuple[bytes, bytes] | None:
    """The first answer to this question and its certificate, whoever asked it; ``None`` where there is none."""
    with ledger.reading() as tx:
        row = tx.by_asked(asked)
    return None if row is None or row.release is None else (bytes(row.release), bytes(row.certificate))


def check_asked(approval: str | None, job: str | None) -> None:
    """Raises :class:`HeldError` where a person must decide about what is asked, and there is no job of it to decide."""
    if approval is not None and job is None:
        raise HeldError(
            "this custodian's policy lets a second person approve every answer, and nothing was charged; ask through "
            "the service, where requests wait for that: pets.connect(url)"
        )


def free(tx: Transaction, dataset: str, scope: Scope, request: Request, now: float, approval: str | None) -> Any:
    """:func:`known`, for who asks without a job; ``None`` where one is needed: it is in time, and a person may decide.

    An answer whose own job has not ended yet for its asker, or that is being made under this key, is none yet. Where
    requests are approved ``"before"`` their answer, an answer to somebody else needs an approval of its own.
    """
    try:
        found = known(tx, dataset, scope, request, False, now)
    except (HeldError, InProgressError, NotApprovedError):
        return None
    except FailedKeyError:
        if unseen(tx, tx.by_key(dataset, scope, request.key or ""), now):
            return None
        raise
    if found is not None and unseen(tx, tx.request(found.request), now):
        return None
    others = found is not None and found.scope != scope and not found.delivered
    return None if approval == "before" and others else found


def shared(tx: Transaction, row: Any, scope: Scope, *, holding: bool = False) -> Sealed:
    """An answer to this very question: as it was sealed for whoever paid, or as it was delivered here before."""
    found = _sealed(row, scope, holding)
    if found.scope == scope:
        return found
    before = tx.delivery(row.id, scope)
    if before is None:
        return found
    if before.release is None:  # by an earlier version, to a colleague in the same project
        return replace(found, delivered=True)
    return Sealed(row.id, bytes(before.release), bytes(before.certificate), found.scope, delivered=True)


def _sealed(row: Any, scope: Scope, holding: bool) -> Sealed:
    """What is in a request's row; every answer that anybody is given passes here, and no held one does."""
    own = holding and row.review == "held" and (row.project, row.analyst) == scope
    if not own:
        check_let_go(row)
    return Sealed(row.id, bytes(row.release), bytes(row.certificate), (row.project, row.analyst))


def check_let_go(row: Any) -> None:
    """Raises :class:`HeldError` or :class:`NotApprovedError` where a person has not let go the answer to a request."""
    if row.review in (None, "approved"):
        return
    if row.review == "refused":
        raise NotApprovedError(
            "a second person did not approve the answer to this question; to have it answered, charged and "
            "reviewed once more, ask with again=True"
        )
    raise HeldError(
        "the answer to an equal question waits for a second person's approval; nothing was charged; ask again "
        "when that is given"
    )
