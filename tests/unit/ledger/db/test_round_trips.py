"""How often a request waits for a database on another host: a few round trips, not one for each statement."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import sqlalchemy as sa

from pets.ledger.queue import Queue, QueuedJob
from tests.ledgers import Place, account, ask, opened, request


def test_a_job_takes_few_round_trips(new_place: Callable[[str], Place], tmp_path: Path) -> None:
    """To put it, to find it, and to end it and take the next."""
    trace = tmp_path / "trace"
    with opened(new_place("postgresql")) as ledger, trace.open("w") as out:
        account(ledger)
        queue = Queue(ledger)

        def turn(last: QueuedJob | None) -> QueuedJob | None:
            job = queue.put("d", "p", "a", "release", {}, None)
            assert queue.find(job.id, "p", "a") is not None
            ending = None if last is None else queue.ending(last, float, lambda: "w")
            return queue.claim("w") if ending is None else queue.done_and_next(ending, "r")

        claimed = None
        for _ in range(8):
            claimed = turn(claimed)
        sa.event.listen(ledger._store._engine, "checkout", lambda connection, *_: connection.pgconn.trace(out.fileno()))
        turn(claimed)
    senders = [line.split("\t")[1] for line in trace.read_text().splitlines()]
    trips = sum(pair == ("F", "B") for pair in pairwise(senders))
    assert 3 <= trips <= 10, trips


def test_a_request_takes_few_round_trips(new_place: Callable[[str], Place], tmp_path: Path) -> None:
    """Reserving and sealing execute some thirty statements; libpq's own trace tells how often the client waited."""
    trace = tmp_path / "trace"
    with opened(new_place("postgresql")) as ledger, trace.open("w") as out:
        asker = account(ledger)
        for _ in range(8):  # by then the statements are prepared on the server
            ask(asker, request(milli=1))
        sa.event.listen(ledger._store._engine, "checkout", lambda connection, *_: connection.pgconn.trace(out.fileno()))
        ask(asker, request(milli=1))
    # a line: time, who sends (F: the client, B: the server), length, kind of message
    senders = [line.split("\t")[1] for line in trace.read_text().splitlines()]
    assert senders.count("F") > 60
    trips = sum(pair == ("F", "B") for pair in pairwise(senders))
    assert 4 <= trips <= 14, trips
