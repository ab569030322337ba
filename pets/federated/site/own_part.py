"""Own part: what this site's ledger keeps of its part in a federated query, by the query's id."""

from __future__ import annotations

from pets.ledger.account import Account
from pets.ledger.states import Sealed, State


def key_of(query: str) -> str:
    """The idempotency key of a query in a site's ledger: its id is used once, for ever."""
    return f"federated:{query}"


def was_opened(query: str, account: Account) -> bool:
    """Whether the data was, or may have been, opened for a query here: its charge stands, whatever left."""
    with account.ledger.reading() as tx:
        row = tx.by_key(account.dataset, account.scope, key_of(query))
    return row is not None and State(row.state).opened


def part_in(query: str, account: Account) -> Sealed | None:
    """The stored part and its certificate; ``None`` where none left this site."""
    with account.ledger.reading() as tx:
        row = tx.by_key(account.dataset, account.scope, key_of(query))
    if row is None or row.state != "committed":
        return None
    return Sealed(row.id, bytes(row.release), bytes(row.certificate), account.scope)
