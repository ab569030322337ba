"""Access: statements on the tables of grants and of scripts' tokens. They touch no account."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from pets.ledger.db.prepared import Prepared
from pets.ledger.db.tables import grants, tokens


def granted(connection: sa.Connection, dataset: str, project: str, analyst: str) -> Any:
    """The row of a grant, also of one that has ended, or ``None``."""
    return _GRANTED(connection, {"dataset": dataset, "project": project, "analyst": analyst}).first()


def all_granted(connection: sa.Connection, dataset: str) -> list[Any]:
    """Every grant in force, by project and analyst."""
    query = sa.select(grants).where(grants.c.dataset == dataset, sa.not_(grants.c.revoked))
    return list(connection.execute(query.order_by(grants.c.project, grants.c.analyst)).all())


def ever_granted(connection: sa.Connection, dataset: str) -> bool:
    """Whether anybody was given leave, also where that has ended."""
    return _EVER(connection, {"dataset": dataset}).first() is not None


def put_grant(connection: sa.Connection, row: dict[str, Any]) -> None:
    """A grant, in place of the earlier one to the same analyst."""
    connection.execute(sa.delete(grants).where(*_to(row["dataset"], row["project"], row["analyst"])))
    connection.execute(sa.insert(grants), row)


def add_token(connection: sa.Connection, row: dict[str, Any]) -> None:
    """A new token."""
    connection.execute(sa.insert(tokens), row)


def token(connection: sa.Connection, hashed: str) -> Any:
    """The row of a token, by its hash, or ``None``."""
    return _TOKEN(connection, {"hash": hashed}).first()


def all_tokens(connection: sa.Connection) -> list[Any]:
    """Every token that was made, oldest first."""
    return list(connection.execute(sa.select(tokens).order_by(tokens.c.at, tokens.c.id)).all())


def revoke(connection: sa.Connection, name: str, at: float) -> bool:
    """End a token; whether there is one of this id that was not ended before."""
    mine = tokens.c.id == name, tokens.c.revoked.is_(None)
    return bool(connection.execute(sa.update(tokens).where(*mine).values(revoked=at)).rowcount)


def _to(dataset: Any, project: Any, analyst: Any) -> tuple[Any, ...]:
    return grants.c.dataset == dataset, grants.c.project == project, grants.c.analyst == analyst


# (every request asks these)
_bind: Any = sa.bindparam
_GRANTED = Prepared(sa.select(grants).where(*_to(_bind("dataset"), _bind("project"), _bind("analyst"))))
_EVER = Prepared(sa.select(grants.c.seq).where(grants.c.dataset == _bind("dataset")).limit(1))
_TOKEN = Prepared(sa.select(tokens).where(tokens.c.hash == _bind("hash")))
