"""Afterwards: what stands on standard error once an answer was given: whether it was charged, and where it is kept."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pets.protection.budget import Cost
    from pets.session.session import Session

NOTE = (
    "note: without --ledger the account ends with this command, and the next run begins with its whole budget; for "
    "real people use --ledger ledger.db, which counts them all."
)
AGAIN = (
    "note: --data is prepared anew by every command, so the same question is charged again each time; prepare it once "
    "(pets snapshot), and ask with --snapshots."
)


def told(session: Session, before: Cost, *, stored: bool, costs: bool, entry: str = "") -> None:
    """Say it.

    Args:
        before: what was spent when the question was asked.
        stored: whether the rows were prepared before; the same question then costs nothing.
        costs: whether the answer has a cost.
        entry: of the answer in the log, as it is to be written.
    """
    if session.remaining().spent == before and costs:
        print("Asked before, so the same answer, at no cost.", file=sys.stderr)
    elif not stored:
        print(AGAIN, file=sys.stderr)
    ledger = session.ledger
    kept = f"ledger: {ledger.label}{entry}; {session.remaining()}"
    print(f"{kept} Its certificates are checked with {ledger.public_path}.", file=sys.stderr)
