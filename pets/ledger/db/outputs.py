"""Outputs: statements on what analysts want to take out, on the votes about it, and on comments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from pets.ledger.db.tables import WAITS, output_comments, output_votes, outputs, scopes


def by_id(connection: sa.Connection, name: str) -> Any:
    """The row of an output, or ``None``."""
    return connection.execute(sa.select(outputs).where(outputs.c.id == name)).first()


def open_(connection: sa.Connection, dataset: str | None, limit: int | None) -> list[Any]:
    """Those of a dataset, or of all, that wait for votes, the next due first."""
    query = sa.select(outputs).where(WAITS)
    if dataset is not None:
        query = query.where(outputs.c.dataset == dataset)
    return list(connection.execute(query.order_by(outputs.c.due, outputs.c.id).limit(limit)).all())


def listed(
    connection: sa.Connection, dataset: str | None, scope: tuple[str, str] | None, states: Sequence[str], limit: int
) -> list[Any]:
    """Those in these states (none: in any), of an analyst of a project, or of all; the newest first."""
    query = sa.select(outputs)
    if dataset is not None:
        query = query.where(outputs.c.dataset == dataset)
    if scope is not None:
        query = query.where(outputs.c.project == scope[0], outputs.c.analyst == scope[1])
    if states:
        query = query.where(outputs.c.state.in_(states))
    return list(connection.execute(query.order_by(outputs.c.at.desc(), outputs.c.id).limit(limit)).all())


def waiting_of(connection: sa.Connection, scope: tuple[str, str]) -> list[str]:
    """The ids of those of an analyst of a project that wait for votes."""
    mine = outputs.c.project == scope[0], outputs.c.analyst == scope[1]
    return list(connection.execute(sa.select(outputs.c.id).where(WAITS, *mine)).scalars())


def add(connection: sa.Connection, row: dict[str, Any]) -> None:
    """A new output."""
    connection.execute(sa.insert(outputs), row)


def move(connection: sa.Connection, name: str, before: str, turn: int, /, **values: Any) -> bool:
    """Compare and set: whether it was in that state and turn."""
    mine = outputs.c.id == name, outputs.c.state == before, outputs.c.turn == turn
    return bool(connection.execute(sa.update(outputs).where(*mine).values(**values)).rowcount)


def named(connection: sa.Connection, sha256: str, gone: Sequence[str]) -> bool:
    """Whether the present turn of an output that is in none of these states has a file of this digest."""
    query = sa.select(outputs.c.id).where(outputs.c.state.not_in(gone), outputs.c.manifest.contains(sha256))
    return connection.execute(query.limit(1)).first() is not None


def manifests(connection: sa.Connection, gone: Sequence[str]) -> list[str]:
    """What the present turn of each output holds that is in none of these states."""
    return list(connection.execute(sa.select(outputs.c.manifest).where(outputs.c.state.not_in(gone))).scalars())


def votes(connection: sa.Connection, name: str, turn: int) -> list[Any]:
    """What was voted in one turn, oldest first."""
    mine = output_votes.c.output == name, output_votes.c.turn == turn
    return list(connection.execute(sa.select(output_votes).where(*mine).order_by(output_votes.c.seq)).all())


def add_vote(connection: sa.Connection, row: dict[str, Any]) -> None:
    """A reviewer's vote."""
    connection.execute(sa.insert(output_votes), row)


def comments(connection: sa.Connection, name: str) -> list[Any]:
    """What was written about an output, oldest first."""
    query = sa.select(output_comments).where(output_comments.c.output == name)
    return list(connection.execute(query.order_by(output_comments.c.seq)).all())


def add_comment(connection: sa.Connection, row: dict[str, Any]) -> None:
    """What somebody wrote."""
    connection.execute(sa.insert(output_comments), row)


def askers(connection: sa.Connection, dataset: str, project: str) -> list[str]:
    """Who ever asked about a dataset in a project."""
    mine = scopes.c.dataset == dataset, scopes.c.project == project
    return list(connection.execute(sa.select(scopes.c.analyst).where(*mine)).scalars())
