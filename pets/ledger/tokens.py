"""Tokens: what scripts prove themselves with, in place of a person's login. The ledger's database holds their hashes.

A token's text holds 256 random bits, so that one SHA-256 of it is as good as any slow hash; it is shown once.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pets.common.entropy import random_bytes, random_id
from pets.common.literals import printable
from pets.errors import LedgerError, UserError, shown
from pets.ledger.db import access
from pets.ledger.db.row_types import text
from pets.ledger.grants import known_roles
from pets.ledger.ledger import Ledger

MARK = "pets_"
"""How every token begins, so that a scanner of leaked secrets knows it."""

SHOWN = len(MARK) + 6
"""Characters by which its owner tells a token from others."""


@dataclass(frozen=True)
class Token:
    """What a token stands for; its text is not here.

    Attributes:
        prefix: the text's beginning.
        subject: who uses it: the analyst's name in the account.
        datasets: those that it is for; empty: all.
        at, expires, revoked: seconds since 1970.
    """

    id: str
    prefix: str
    subject: str
    project: str
    roles: tuple[str, ...]
    datasets: tuple[str, ...]
    at: float
    expires: float | None
    revoked: float | None


class Tokens:
    """The tokens in a ledger's database."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def create(
        self,
        subject: str,
        project: str,
        roles: Sequence[str] = ("analyst",),
        datasets: Sequence[str] = (),
        *,
        expires: float | None = None,
    ) -> tuple[str, Token]:
        """A new token, and its text, which cannot be shown again.

        Args:
            subject: who will use it.
            datasets: those that it is for; none: all.
            expires: when it ends, in seconds since 1970.

        Raises :class:`UserError` for a name that is none, or a role that does not exist.
        """
        subject, project = printable("subject", subject), printable("project", project)
        datasets = [printable("dataset", one) for one in datasets]
        secret = MARK + base64.urlsafe_b64encode(random_bytes(32)).decode().rstrip("=")
        row: dict[str, Any] = {"id": random_id()[:16], "hash": _hash(secret), "prefix": secret[:SHOWN]}
        row |= {"subject": subject, "project": project, "roles": text(list(known_roles(roles)))}
        row |= {"datasets": text(list(datasets)), "expires": expires, "revoked": None}
        with self.ledger.aside() as (connection, now):
            if expires is not None and expires <= now:
                raise UserError("a token must end in the future; give a later time, or none")
            access.add_token(connection, row | {"at": now})
            made = access.token(connection, row["hash"])
        return secret, _token(made)

    def find(self, secret: str) -> Token | None:
        """What a text stands for; ``None`` for one that is unknown, has ended or was revoked."""
        with self.ledger.aside(writes=False) as (connection, now):
            row = access.token(connection, _hash(secret))
        if row is None or row.revoked is not None or (row.expires is not None and row.expires <= now):
            return None
        return _token(row)

    def revoke(self, token: str) -> None:
        """End a token at once; raises :class:`LedgerError` where none of this id is in force."""
        with self.ledger.aside() as (connection, now):
            if not access.revoke(connection, token, now):
                raise LedgerError(
                    f"there is no token {shown(token)} in force; pets service token list shows those that are"
                )

    def all(self) -> list[Token]:
        """Every token that was made, oldest first, also those that have ended."""
        with self.ledger.aside(writes=False) as (connection, _):
            return [_token(row) for row in access.all_tokens(connection)]


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _token(row: Any) -> Token:
    roles, datasets = (tuple(json.loads(column)) for column in (row.roles, row.datasets))
    return Token(row.id, row.prefix, row.subject, row.project, roles, datasets, row.at, row.expires, row.revoked)
