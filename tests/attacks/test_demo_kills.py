"""kill -9 at any step of ``pets demo``, then the same command: one answer a charge, one state for every charge."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

import pets
from pets.ledger.db import listing
from pets.ledger.ledger import LEASE, Ledger
from pets.ledger.publish import export
from pets.ledger.states import State

pytestmark = pytest.mark.chance(0)  # processes; none of their numbers is looked at

PEOPLE = 1_000
BEFORE = ("reserve-begin", "reserve-charged", "reserve-logged")  # nothing is durable yet
BETWEEN = ("reserve-committed", "data-opened", "measured", "seal-begin", "seal-stored", "seal-logged")  # charged
AFTER = ("seal-committed", "checkpoint-written", "delivered")  # sealed


def demo(out: str, point: str | None) -> None:
    """The command, in a process of its own, which dies when it reaches the point in the real session."""
    from pets.cli import demo as walk
    from pets.cli import main
    from pets.ledger import failpoint

    def die(reached: str) -> None:
        # dummy sessions pass the same points on ledgers in memory: only the file's is meant
        if reached == point and (Path(out) / "query-asked").exists():
            os.kill(os.getpid(), signal.SIGKILL)

    bars = walk._cut

    def asked(text: str) -> str:
        (Path(out) / "query-asked").touch()  # the dummy answer was shown: what follows is the real one
        return bars(text)

    walk.PEOPLE, walk._cut, failpoint.hook = PEOPLE, asked, die
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        code = main.run(["demo", "--out", out])
    os._exit(code)


@pytest.fixture(scope="module")
def processes() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [
            *("pets.session.session", "pets.cli.demo", "pets.cli.main", "pets.ledger.publish.export"),
            # of what is loaded late: each of a dozen processes would load it anew
            *(
                "pandas",
                "opendp.measurements",
                "ibis.backends.duckdb",
                "altair",
                "alembic.command",
                "pets.release.html",
            ),
        ]
    )
    return context


ALWAYS = ("reserve-logged", "reserve-committed", "measured", "seal-logged", "seal-committed", "delivered")


@pytest.mark.parametrize(
    "point",
    [pytest.param(p, marks=() if p in ALWAYS else pytest.mark.soak) for p in (*BEFORE, *BETWEEN, *AFTER)],
)
def test_the_same_command_after_a_kill(
    processes: multiprocessing.context.ForkServerContext, point: str, tmp_path: Path
) -> None:
    codes = []
    for here in (point, None):
        (tmp_path / "query-asked").unlink(missing_ok=True)
        process = processes.Process(target=demo, args=(str(tmp_path), here))
        process.start()
        process.join(1000)
        codes.append(process.exitcode)
    assert codes == [-signal.SIGKILL, 0]
    ledger = Ledger(
        tmp_path / "ledger.db", clock=lambda: time.time() + LEASE + 1
    )  # leases are over: what is open is closed
    with ledger.reading() as tx:
        rows = listing.of_dataset(tx.connection)
        spent = next(iter(tx.totals().values()))[1]
    states = [State(row.state) for row in rows]
    answers = states.count(State.COMMITTED)
    assert answers == 1 and not any(state.open for state in states)
    assert states == ([State.FORFEITED] if point in BETWEEN else []) + [State.COMMITTED]
    assert spent == sum(row.loss for row in rows)
    release = pets.Release.load(tmp_path / "answer.json")
    assert release.certificate is not None and release.certificate.predicate["request_id"] == rows[-1].id
    verified = export.verify(tmp_path / "log.jsonl", key=ledger.key)
    assert verified.checkpoint.size <= ledger.published().size  # type: ignore[union-attr]
