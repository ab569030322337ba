"""A request's statements look rows up: none walks through all requests or all of the log, however long they grow."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from pets.ledger.db import sql
from pets.ledger.db.prepared import Prepared
from pets.ledger.ledger import Ledger
from tests.ledgers import Place, account, ask, opened, request

LONG = ("pets_requests", "pets_log")
STATEMENTS = {name: value._statement for name, value in vars(sql).items() if isinstance(value, Prepared)}


def plan(ledger: Ledger, statement: sa.sql.ClauseElement) -> list[str]:
    """How SQLite carries a statement out, step by step."""
    compiled = statement.compile(dialect=sqlite.dialect(), compile_kwargs={"render_postcompile": True})
    with ledger.reading() as look:
        driver = look.connection.connection.cursor()
        rows = driver.execute(f"EXPLAIN QUERY PLAN {compiled}", [None] * len(compiled.positiontup or ())).fetchall()
    return [str(row[-1]) for row in rows]


def walks(ledger: Ledger, statement: sa.sql.ClauseElement) -> bool:
    """Whether it goes through all rows of a table that grows, or sorts what it found there."""
    steps = plan(ledger, statement)
    return any(step.startswith("SCAN") and any(name in step for name in LONG) for step in steps)


@pytest.fixture
def ledger(new_place: object) -> object:
    place: Place = new_place("sqlite")  # type: ignore[operator]
    with opened(place) as here:
        asker = account(here)
        for _ in range(5):
            ask(asker, request(milli=1))
        yield here


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_no_statement_walks_through_what_grows(name: str, ledger: Ledger) -> None:
    assert not walks(ledger, STATEMENTS[name]), plan(ledger, STATEMENTS[name])


def test_what_left_without_a_guarantee_is_found_among_itself(ledger: Ledger) -> None:
    """The dataset's own index would find every request of the dataset, and be no better than a walk."""
    for statement, index in (
        (sql._UNBOUNDED, "pets_requests_unbounded"),
        (sql._EXPIRED, "pets_requests_open"),
    ):
        steps = plan(ledger, statement)
        assert any(index in step for step in steps), steps


def test_a_walk_is_seen(ledger: Ledger) -> None:
    from pets.ledger.db.tables import log, requests

    assert walks(ledger, sa.select(requests).where(requests.c.unbounded))
    assert walks(ledger, sa.select(log))
