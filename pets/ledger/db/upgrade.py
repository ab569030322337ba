"""Upgrade: the migrations that make a ledger's tables, or bring older ones up to this code."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from pets.ledger.db import tables

_MIGRATIONS = Path(__file__).with_name("migrations")
_made: dict[str, tuple[str, ...]] = {}
"""By revision, what the migrations left in a new SQLite file of this process: another new file gets the same."""


def known_revisions() -> list[str]:
    """The migrations that this code has."""
    return [path.name.partition("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py")]


def upgrade(connection: sa.Connection, revision: str) -> None:
    """Bring the tables up to the newest revision, which is named so; where there are none, make them."""
    new = connection.dialect.name == "sqlite" and not _left(connection)
    if new and revision in _made:
        for statement in _made[revision]:
            connection.exec_driver_sql(statement)
        return
    _migrate(connection)
    if new:
        version = f"INSERT INTO {tables.VERSION_TABLE} VALUES ('{revision}')"
        _made[revision] = (*_left(connection), version)


def _left(connection: sa.Connection) -> tuple[str, ...]:
    """The statements of all that a SQLite database holds, tables before what belongs to them."""
    found = connection.exec_driver_sql(
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type <> 'table', type, rowid"
    )
    return tuple(statement for (statement,) in found)


def _migrate(connection: sa.Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
