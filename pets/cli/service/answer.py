"""``pets answer``: the processes that answer a service's questions, on this machine or another one."""

# no "from __future__ import annotations": typer and spread read the annotations when this file loads

import signal
import threading
from pathlib import Path
from typing import Annotated, Any

import typer

from pets.errors import DataError, LedgerError


def answer(
    config: Annotated[Path, typer.Option("--config", metavar="FILE", help="The service.yaml of the service.")],
    processes: Annotated[
        int | None, typer.Option("--processes", help="How many answer; left out, as the file says, or 1.")
    ] = None,
    log: Annotated[
        bool, typer.Option("--log", help="Tell what happens as lines of JSON on standard error; never a value.")
    ] = False,
) -> None:
    """Answer what waits in the queue of a service, until Ctrl-C: the only processes that read rows.

    The service itself then has 'answering: {processes: 0}'. Any number of machines may answer that share the ledger's
    database, the folder of its keys and the snapshots. Where an older copy was put in the ledger's place, it ends and
    says so (10), and is to be started anew.

    \b
    pets answer --config service.yaml --processes 4
    """
    from pets.ledger.ledger import Ledger
    from pets.service.answering.supervisor import Supervisor
    from pets.service.config import Config
    from pets.service.events import json_logs, log_events

    known = Config.load(config)
    wanted = processes if processes is not None else known.processes or 1
    limits: dict[str, Any] = {"processes": wanted, "timeout": known.timeout, "memory": known.memory}
    with Ledger(known.openings[0].ledger, keys=known.openings[0].keys) as ledger:
        supervisor = Supervisor(known.openings, ledger, **limits)
        if log:
            json_logs()
            log_events(ledger.listeners.on)
        stop = threading.Event()
        before = signal.signal(signal.SIGTERM, lambda *_: stop.set())
        try:
            supervisor.ensure()
            _until(stop, supervisor, wanted)
        except KeyboardInterrupt:
            pass
        finally:
            supervisor.close()
            signal.signal(signal.SIGTERM, before)
    print("Stopped.")


def _until(stop: threading.Event, supervisor: Any, wanted: int) -> None:
    while not (supervisor.ready or stop.wait(0.1)):
        if supervisor.lost is not None:
            raise LedgerError(supervisor.lost)
        if supervisor.problem is not None:
            raise DataError(supervisor.problem)
    if not stop.is_set():
        print(f"Answering with {wanted} {'process' if wanted == 1 else 'processes'}. Stop with Ctrl-C.", flush=True)
    while not stop.wait(0.1):
        if supervisor.lost is not None:  # whoever looks after this starts it anew, on the ledger as it then is
            raise LedgerError(supervisor.lost)
