"""Told book: the book of a dataset as its ledger holds it."""

from __future__ import annotations

from pets.ledger.account import Account
from pets.sdc.book import Book, book_of


def opened(account: Account) -> Book:
    """What left the dataset without a finite guarantee, by anybody, also what was started and never sealed."""
    with account.ledger.reading() as tx:
        rows = [tx.request(name) for name, _, _ in tx.unbounded(account.dataset)]
    stored = [None if row is None or row.release is None else bytes(row.release) for row in rows]
    return book_of(stored)
