"""Told book: the book of a dataset as its ledger holds it, and by what one knows whether it is still the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pets.common.codec import digest
from pets.ledger.account import Account
from pets.ledger.db import reviews
from pets.ledger.db.row_types import parsed
from pets.ledger.db.transaction import Transaction
from pets.ledger.queued.job import TABLE
from pets.sdc.book import Book, book_of


@dataclass(frozen=True)
class Looked:
    """What a look at the ledger found.

    Attributes:
        book: what left the dataset without a finite guarantee, by anybody, also what was started and never sealed.
        refused: the jobs of tables outside the grid that a person refused, oldest first: a refusal tells, too.
        state: a digest of which these were; it changes with each of them, but for sums of the grid's shown cells.
    """

    book: Book
    refused: tuple[Any, ...]
    state: str


def opened(account: Account) -> Book:
    """What left the dataset without a finite guarantee, by anybody."""
    return looked(account).book


def looked(account: Account) -> Looked:
    """The book and what was refused, at one moment."""
    with account.ledger.reading() as tx:
        rows, refused = _rows(tx, account.dataset), _refused(tx, account.dataset)
    stored = [None if row.release is None else bytes(row.release) for row in rows if row.release or not _sums(row)]
    return Looked(book_of(stored), tuple(refused), _state(rows, refused))


def state_of(tx: Transaction, dataset: str) -> str:
    """The state of the book, within a transaction."""
    return _state(_rows(tx, dataset), _refused(tx, dataset))


def _rows(tx: Transaction, dataset: str) -> list[Any]:
    found = [tx.request(name) for name, _, _ in tx.unbounded(dataset)]
    return [row for row in found if row is not None]


def _refused(tx: Transaction, dataset: str) -> list[Any]:
    return reviews.refused(tx.connection, dataset, TABLE)


def _state(rows: list[Any], refused: list[Any]) -> str:
    told = [[row.id, row.release is not None] for row in rows if not _sums(row)]
    return digest([told, [row.id for row in refused]])


def _sums(row: Any) -> bool:
    """Whether a request is for sums of the grid's shown cells, which tell nothing that the grid does not."""
    return str(row.what).startswith("rounded ") and parsed(row.protection).get("kind") == "sdc"
