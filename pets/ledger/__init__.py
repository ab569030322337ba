"""The account of everything that ever left: who asked what, when, at what cost, and what is left."""

from pets.ledger.account import Account, Entry, State

__all__ = ["Account", "Entry", "State"]
