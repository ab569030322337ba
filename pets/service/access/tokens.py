"""Tokens: those of the service's own, for scripts; the ledger's database keeps their hashes alone."""

from __future__ import annotations

from pets.ledger.ledger import Ledger
from pets.ledger.tokens import Tokens
from pets.service.access.identity import Identity


class ServiceTokens:
    """Who a token of the service stands for.

    Args:
        ledger: in whose database tokens are kept.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._kept = Tokens(ledger)

    def identify(self, token: str) -> Identity | None:
        """Who that is; ``None`` for one that never was, has expired or was revoked."""
        found = self._kept.find(token)
        if found is None:
            return None
        return Identity(
            found.subject,
            project=found.project,
            roles=frozenset(found.roles),
            datasets=frozenset(found.datasets) if found.datasets else None,
        )
