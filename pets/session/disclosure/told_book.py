"""Told book: the book of a dataset as its ledger holds it, and by what one knows whether it is still the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pets.common.codec import digest
from pets.ledger.account import Account
from pets.ledger.db import reviews
from pets.ledger.db.row_types import parsed
from pets.ledger.db.transaction import Transaction
from pets.ledger.queued.job import TABLE
from pets.ledger.review.tables import Look, looks, question
from pets.sdc.book import Book, book_of


@dataclass(frozen=True)
class Looked:
    """What a look at the ledger found.

    Attributes:
        book: what left the dataset without a finite guarantee, by anybody, also what was started and never sealed.
        refused: the jobs of tables outside the grid that a person refused, oldest first: a refusal tells, too. Among
            them those that were looked at, are not proved, and wait or were taken back: that they do not leave tells as
            much.
        seen: of each question about a table outside the grid, by whom ever it was asked: the jobs that ask it, and
            what is noted of looks at them.
        state: a digest of which these were; it changes with each of them, but for sums of the grid's shown cells.
    """

    book: Book
    refused: tuple[Any, ...]
    seen: Mapping[str, tuple[tuple[str, ...], tuple[Look, ...]]]
    state: str


def opened(account: Account) -> Book:
    """What left the dataset without a finite guarantee, by anybody."""
    return looked(account, "").book


def looked(account: Account, asked: str) -> Looked:
    """The book and what was refused, at one moment.

    Args:
        asked: the question that is looked at: where it waits itself it is not refused.
    """
    with account.ledger.reading() as tx:
        rows, tables = _rows(tx, account.dataset), _tables(tx, account.dataset)
    stored = [None if row.release is None else bytes(row.release) for row in rows if row.release or not _sums(row)]
    refused, seen = _refused(tables, asked), dict[str, tuple[tuple[str, ...], tuple[Look, ...]]]()
    for row in tables:
        names, noted = seen.get(question(row), ((), ()))
        seen[question(row)] = (*names, row.id), (*noted, *looks(row))
    return Looked(book_of(stored), tuple(refused), seen, _state(rows, refused))


def state_of(tx: Transaction, dataset: str, asked: str) -> str:
    """The state of the book, within a transaction; ``asked`` as of :func:`looked`."""
    return _state(_rows(tx, dataset), _refused(_tables(tx, dataset), asked))


def _rows(tx: Transaction, dataset: str) -> list[Any]:
    found = [tx.request(name) for name, _, _ in tx.unbounded(dataset)]
    return [row for row in found if row is not None]


def _tables(tx: Transaction, dataset: str) -> list[Any]:
    return reviews.of_kind(tx.connection, dataset, TABLE)


def _refused(tables: list[Any], asked: str) -> list[Any]:
    return [row for row in tables if row.review == "refused" or (_waits(row) and question(row) != asked)]


def _waits(row: Any) -> bool:
    """Whether that a table does not leave tells as much as a refusal: somebody looked, and it was not proved."""
    return row.state in ("held", "cancelled") and any(one.tells for one in looks(row))


def _state(rows: list[Any], refused: list[Any]) -> str:
    told = [[row.id, row.release is not None] for row in rows if not _sums(row)]
    return digest([told, [[row.id, row.worker] for row in refused]])


def _sums(row: Any) -> bool:
    """Whether a request is for sums of the grid's shown cells, which tell nothing that the grid does not."""
    return str(row.what).startswith("rounded ") and parsed(row.protection).get("kind") == "sdc"
