"""New files of a process: the first is made by the migrations, and every other one holds the same."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import pets
from pets.ledger.db import tables, upgrade
from tests.ledgers import account, ask, request


def held(file: Path) -> tuple[list[Any], list[Any]]:
    """All that the database holds, as SQLite wrote it down, and its version."""
    with closing(sqlite3.connect(file)) as look:
        every = look.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name").fetchall()
        return every, look.execute(f"SELECT * FROM {tables.VERSION_TABLE}").fetchall()


def test_another_new_file_holds_what_the_migrations_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[Any] = []
    inner = upgrade._migrate
    monkeypatch.setattr(upgrade, "_made", {})
    monkeypatch.setattr(upgrade, "_migrate", lambda connection: (ran.append(connection), inner(connection)))
    for name in ("first", "second"):
        with pets.Ledger(tmp_path / f"{name}.db") as ledger:
            assert len(ask(account(ledger), request())) == 1
    assert len(ran) == 1
    first, second = (held(tmp_path / f"{name}.db") for name in ("first", "second"))
    assert first == second and {"table", "index", "trigger"} == {kind for kind, *_ in first[0]} and len(first[1]) == 1
