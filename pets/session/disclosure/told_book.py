"""Told book: the book of a dataset as its ledger holds it, and by what one knows whether it is still the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pets.common.codec import digest
from pets.errors import PetsError, UserError
from pets.ledger.db import reviews
from pets.ledger.db.row_types import parsed
from pets.ledger.db.transaction import Transaction
from pets.ledger.queued.job import job_of
from pets.ledger.queued.kinds import TABLE
from pets.ledger.review.tables import Look, Notes, looks, notes_of, question
from pets.plan.plan import Plan
from pets.sdc.book import REVIEWED, Book, Told, book_of
from pets.session.custody import Custody
from pets.session.disclosure.finding import PROVED
from pets.session.disclosure.untold import asked_of, found_of, told_of


@dataclass(frozen=True)
class Looked:
    """What a look at the ledger found.

    Attributes:
        book: what left the dataset without a finite guarantee, by anybody, also what was started and never sealed.
        compared: the ids of the requests by which it left, but of sums of the grid's shown cells, in order.
        refused: the jobs of tables outside the grid that a person refused, oldest first: a refusal tells, too. Among
            them those that were looked at, are not proved, and wait or were taken back: that they do not leave tells as
            much.
        proved: the jobs of those that were looked at, are proved, and wait or were taken back. That others leave beside
            them tells that they are, and by that of their numbers: else they would keep the others back.
        seen: of each question about a table outside the grid, by whom ever it was asked: the jobs that ask it, and
            what is noted of looks at them.
        state: a digest of which these were; it changes with each of them, but for sums of the grid's shown cells.
        notes: what is noted of looks at other tables, of each that anybody looked at.
    """

    book: Book
    compared: tuple[str, ...]
    refused: tuple[Any, ...]
    proved: tuple[Any, ...]
    seen: Mapping[str, tuple[tuple[str, ...], tuple[Look, ...]]]
    state: str
    notes: Notes


def looked(custody: Custody, asked: str) -> Looked:
    """The book and what was refused, at one moment.

    Args:
        asked: the question that is looked at: where it waits itself it is not refused.
    """
    dataset = custody.account.dataset
    with custody.account.ledger.reading() as tx:
        rows, tables = _rows(tx, dataset), _tables(tx, dataset)
    refused, seen = _refused(rows, tables, asked), dict[str, tuple[tuple[str, ...], tuple[Look, ...]]]()
    for row in tables:
        names, noted = seen.get(question(row), ((), ()))
        seen[question(row)] = (*names, row.id), (*noted, *looks(row))
    sealed = {_same(row) for row in rows if row.release is not None} - {None}
    stored = list[bytes | Told | None]()
    for row in rows:
        if row.release is not None:
            stored.append(bytes(row.release))
        elif not _sums(row) and _same(row) not in sealed:
            stored.append(_unsealed(custody, row, tables))
    return Looked(
        book_of(stored),
        compared_with(rows),
        tuple(refused),
        _proved(rows, tables, refused, asked),
        seen,
        _state(rows, refused),
        notes_of(tables, asked),
    )


@dataclass(frozen=True)
class Unleft:
    """One table that was refused, or that was looked at and waits.

    Attributes:
        row: of its job; plan: what it asks, ``None`` where nobody can tell any more.
        tables: what was found of it, as it would be told, once for each state of the rows.
        whole: whether nothing that was found of it is lost.
        closes: whether nothing of the same people leaves beside it.
    """

    row: Any
    plan: Plan | None
    tables: tuple[Told, ...]
    whole: bool
    closes: bool = True


def unleft(custody: Custody, seen: Looked, *, proved: bool = False) -> list[Unleft]:
    """Every table that was refused, or that was looked at, is not proved, and has not left.

    Args:
        proved: also those that are proved, which close nobody.
    """
    out, number = list[Unleft](), len(seen.book.entries)
    for row in (*seen.refused, *(seen.proved if proved else ())):
        job = job_of(row)
        try:
            plan: Plan | None = asked_of(custody, job.asked)[0]
        except UserError:  # under another schema: nobody can tell whom it counts
            plan = None
        several, whole = found_of(custody.account.ledger, *seen.seen[question(row)])
        closes = row in seen.refused
        several = [one for one in several if closes or one.state == PROVED]
        if not closes and whole and not several:
            continue  # (that it does not leave follows from others, or from the question)
        tables = list[Told]()
        for one in several:
            if plan is None:
                break
            number += 1
            try:
                tables.append(told_of(number, job.id, plan, one))
            except (PetsError, ValueError):
                whole = False
        out.append(Unleft(row, plan, tuple(tables), whole, closes))
    return out


def state_of(tx: Transaction, dataset: str, asked: str) -> str:
    """The state of the book, within a transaction; ``asked`` as of :func:`looked`."""
    rows = _rows(tx, dataset)
    return _state(rows, _refused(rows, _tables(tx, dataset), asked))


def left_since(tx: Transaction, dataset: str, before: Looked) -> bool:
    """Whether something besides grids has left, or was begun, since a look; within a transaction."""
    more = set(compared_with(_rows(tx, dataset))) - set(before.compared)
    return any(not str(tx.request(name).what).startswith("grid ") for name in more)


def compared_with(rows: Sequence[Any]) -> tuple[str, ...]:
    """The requests that left something besides sums of the grid's shown cells, or may have."""
    return tuple(row.id for row in rows if not _sums(row))


def _unsealed(custody: Custody, row: Any, tables: Sequence[Any]) -> Told | None:
    """What a request that was never sealed can have told at most; ``None``: nobody knows.

    A table that a person let leave is counted again by then, and fails unless it shows what was found.
    """
    asking = [one for one in tables if one.request == row.id]
    if not _reviewed(row) or not asking or row.schema_digest != custody.schema.digest:
        return None
    try:
        plan, rule = asked_of(custody, job_of(asking[0]).asked)
        for found in found_of(custody.account.ledger, [one.id for one in asking], ())[0]:
            same = (found.question, found.snapshot) == (plan.digest, row.snapshot)
            if same and plan.digest == row.question and found.rule == rule.rule.to_json():
                return told_of(0, row.id, plan, found, REVIEWED)
    except (PetsError, UserError, ValueError):
        pass
    return None


def _same(row: Any) -> tuple[str, ...] | None:
    """By what an exact or a rounded table shows the same numbers; ``None``: of what is drawn anew each time."""
    kind = parsed(row.protection).get("kind")
    return (row.question, row.snapshot, row.protection, row.what) if kind in ("total", "sdc") else None


def _rows(tx: Transaction, dataset: str) -> list[Any]:
    found = [tx.request(name) for name, _, _ in tx.unbounded(dataset)]
    return [row for row in found if row is not None]


def _tables(tx: Transaction, dataset: str) -> list[Any]:
    return reviews.of_kind(tx.connection, dataset, TABLE)


def _refused(rows: Sequence[Any], tables: Sequence[Any], asked: str) -> list[Any]:
    left = {(row.question, row.snapshot) for row in rows if _reviewed(row)}
    return [row for row in tables if row.review == "refused" or (_waits(row, left) and question(row) != asked)]


def _proved(rows: Sequence[Any], tables: Sequence[Any], refused: Sequence[Any], asked: str) -> tuple[Any, ...]:
    left = {(row.question, row.snapshot) for row in rows if _reviewed(row)}
    waiting = [row for row in tables if row.state in ("held", "cancelled") and row not in refused]
    mine = [row for row in waiting if question(row) != asked]
    return tuple(row for row in mine if any((question(row), one.snapshot) not in left for one in looks(row)))


def _waits(row: Any, left: set[tuple[str, str]]) -> bool:
    """Whether that a table does not leave tells as much as a refusal: somebody looked, and it was not proved.

    What has left for whoever else asked the same of the same rows tells no more by waiting.
    """
    telling = [one for one in looks(row) if one.tells and (question(row), one.snapshot) not in left]
    return row.state in ("held", "cancelled") and bool(telling)


def _state(rows: Sequence[Any], refused: Sequence[Any]) -> str:
    told = [[row.id, row.release is not None] for row in rows if not _sums(row)]
    return digest([told, [[row.id, row.worker] for row in refused]])


def _sums(row: Any) -> bool:
    """Whether a request is for sums of the grid's shown cells, which tell nothing that the grid does not."""
    return str(row.what).startswith("rounded ") and parsed(row.protection).get("kind") == "sdc"


def _reviewed(row: Any) -> bool:
    """Whether a request is for a table outside the grid, which a person let leave."""
    return str(row.what).startswith("reviewed ") and parsed(row.protection).get("kind") == "sdc"
