"""A whole service under load, whose processes are killed: what was shown is what was committed, and charged once.

``pets serve`` on PostgreSQL, askers by HTTP (some by :func:`pets.connect`), a refresh of the rows, a server of the
database that stops and comes again, and a budget that is used up. In the end what is spent is the sum of what was
committed and forfeited, to the unit.
"""

from __future__ import annotations

import contextlib
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from pets.common.codec import Json
from pets.ledger.db.tables import requests
from pets.ledger.ledger import Ledger
from pets.ledger.queue import JobState, Queue
from tests.attacks.served import DATASET, Asker, Served, request_of
from tests.ledgers import Place, Server, audit, opened, under_way, verify
from tests.services import CANARY, ended, opening, prepared, rows_of_jobs, until

pytestmark = pytest.mark.chance(0)  # processes; no number of theirs decides

TOLD = {"done", "budget", "release-failed", "failed-key"}
"""How a question may end, however many processes died."""


@dataclass
class Deaths:
    """What was done to the service.

    Attributes:
        hands: processes that may have had a job in hand when they, or the database, died.
    """

    answering: int = 0
    listening: int = 0
    restarts: int = 0
    refreshes: int = 0
    hands: int = 0
    log: list[str] = field(default_factory=list)


class Weather:
    """Whatever befalls a service."""

    def __init__(self, served: Served, place: Place, server: Server, seed: int) -> None:
        self.served, self._place, self._server = served, place, server
        self.deaths, self._draw = Deaths(), random.Random(seed)

    def kill_answering(self) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            if found := self.served.answerers():
                self._draw.choice(found).kill()
                self.deaths.answering += 1
                self.deaths.hands += 1

    def kill_listening(self) -> None:
        self.served.kill()
        self.deaths.listening += 1
        self.served.start()

    def restart(self) -> None:
        self.deaths.hands += len(self.served.answerers()) + self.deaths.listening
        self._server.stop()
        self._server.start()
        self.deaths.restarts += 1

    def refresh(self) -> None:
        """By the custodian's own process: the service's see the new snapshots at their next job."""
        data = {"stays": str(self.served.folder / "rows.csv")}
        custodian = opening(self.served.folder, self._place, budget=None, data=data).custodian()
        with contextlib.closing(custodian.ledger):
            custodian.refresh()
        self.deaths.refreshes += 1


@pytest.fixture
def own_server(server: Server) -> Iterator[Server]:
    """One that may be stopped."""
    made = Server()
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return prepared(tmp_path / "tables")


def later() -> float:
    return time.time() + 61


def settled(place: Place, served: Served, askers: list[Asker], deaths: Deaths) -> tuple[Counter[str], list[Json]]:
    """Look at what is left when nobody asks any more; gives how questions ended, and all answers that were shown."""
    wrong = [one for asker in askers for one in asker.seen.wrong]
    assert not wrong, wrong[:5]
    ends = sum((asker.seen.ends for asker in askers), Counter[str]())
    assert set(ends) <= TOLD, ends
    with opened(place, lease=30.0, clock=later) as ledger:  # all leases are over
        Queue(ledger).sweep()
        assert not under_way(ledger)
        audit(ledger)  # Σ committed + forfeited is what is spent, in every scope, and no more than the budget
        verify(ledger)
        rows = _rows(ledger)
        shown = [one for asker in askers for answer in asker.seen.shown.values() for one in answer]
        for one in shown:
            row = rows[request_of(one)]
            assert row.state == "committed", f"shown, and {row.state}"
            assert _values(row) == one["values"], "other numbers than were committed"
        for asker in askers:
            for key, queries in asker.seen.asked.items():
                mine = [row for row in rows.values() if _is_of(row, asker, key)]
                charged = [row for row in mine if row.state in ("committed", "forfeited")]
                assert len({row.key for row in charged}) == len(charged) <= queries, f"the key {key} was charged twice"
                # what ended in an answer lost nothing, and what was refused for want of a budget cost nothing
                assert key not in asker.seen.shown or {row.state for row in charged} <= {"committed"}
        keys = {(asker.project, asker.analyst, key) for asker in askers for key in asker.seen.asked}
        for row in (row for row in rows.values() if row.state in ("committed", "forfeited")):
            assert (row.project, row.analyst, str(row.key).partition("#")[0]) in keys, "a charge that nobody asked for"
        forfeited = sum(row.state == "forfeited" for row in rows.values())
        assert forfeited <= 2 * deaths.hands, (forfeited, deaths)
        assert CANARY not in rows_of_jobs(Queue(ledger))
    assert CANARY not in served.said.read_text() and "Traceback" not in served.said.read_text()
    return ends, shown


def _rows(ledger: Ledger) -> dict[str, sa.Row[tuple[object, ...]]]:
    with ledger.reading() as tx:
        found = tx.connection.execute(sa.select(requests).where(requests.c.dataset == DATASET)).all()
    return {row.id: row for row in found}


def _is_of(row: sa.Row[tuple[object, ...]], asker: Asker, key: str) -> bool:
    own = (row.project, row.analyst) == (asker.project, asker.analyst)
    return own and row.key is not None and (row.key == key or row.key.startswith(f"{key}#"))


def _values(row: sa.Row[tuple[object, ...]]) -> list[int]:
    return list(json.loads(bytes(row.release))["values"])


def test_a_service_that_dies_in_parts_shows_what_is_committed_and_charges_once(
    folder: Path, new_place: Callable[[str], Place], tmp_path: Path, server: Server
) -> None:
    """The short form: a death of each kind, and a budget that ends."""
    place = new_place("postgresql")
    with opened(place) as ledger:
        served = Served(folder, place, tmp_path, epsilon=2.5, processes=1)
        weather = Weather(served, place, server, 1)
        askers = [Asker(served, ledger, f"asker-{n}", f"project-{n % 2}", many=8, client=n == 3) for n in range(4)]
        try:
            served.start()
            for asker in askers:
                asker.start()
            until(lambda: sum(len(one.seen.shown) for one in askers) >= 2)
            weather.kill_answering()
            until(lambda: sum(len(one.seen.shown) for one in askers) >= 5)
            weather.kill_listening()
            for asker in askers:
                asker.join(300)
            assert not any(asker.is_alive() for asker in askers)
            served.stop()
        finally:
            served.end()
    ends, shown = settled(place, served, askers, weather.deaths)
    assert sum(ends.values()) == 32 and ends["budget"] and len(shown) > 5


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("minutes", [10])
def test_ten_minutes_of_it(minutes: float, folder: Path, own_server: Server, tmp_path: Path) -> None:
    """16 askers; a death every 20 seconds, a refresh, a database that stops; the budget ends before they do."""
    place = own_server.place(tmp_path)
    begun, every = time.monotonic(), 20.0
    with opened(place) as ledger:
        served = Served(folder, place, tmp_path, epsilon=6 * minutes, processes=2)
        weather = Weather(served, place, own_server, int(time.time()))
        askers = [Asker(served, ledger, f"asker-{n}", f"project-{n % 4}", client=n % 4 == 3) for n in range(16)]
        try:
            served.start()
            for asker in askers:
                asker.start()
            for turn in range(1, int(minutes * 60 / every)):
                time.sleep(max(0.0, begun + turn * every - time.monotonic()))
                if turn % 10 == 4:
                    weather.refresh()
                if turn % 10 == 8:
                    weather.restart()
                weather.kill_listening() if turn % 3 == 2 else weather.kill_answering()
            for asker in askers:
                asker.over.set()
            for asker in askers:
                asker.join(300)
            assert not any(asker.is_alive() for asker in askers)
            served.stop()
        finally:
            served.end()
    ends, shown = settled(place, served, askers, weather.deaths)
    with opened(place, clock=later) as ledger:
        jobs = [job for asker in askers for job in Queue(ledger).mine(asker.project, asker.analyst, limit=10_000)]
        found = ended(Queue(ledger), jobs, 1)
        assert len(found) == len(jobs) and all(job.state in (JobState.DONE, JobState.FAILED) for job in found)
    print(f"\n{weather.deaths}\n{ends}\n{len(shown)} answers shown")
    assert ends["budget"] and ends["done"] > 100 and weather.deaths.restarts and weather.deaths.refreshes
