"""``pets answer``: it watches processes that answer, until it is asked to stop, and says why none can."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pets.cli.main import run
from pets.ledger.ledger import Ledger
from pets.service.answering import child, reach
from tests.ledgers import Place, account
from tests.restores import dump, restore
from tests.services import SCHEMA

FAKE = Path(__file__).parents[3] / "fake_answering.py"

pytestmark = pytest.mark.chance(0)  # processes that draw nothing


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(child, "_COMMAND", (sys.executable, "-S", str(FAKE), str(tmp_path)))
    (tmp_path / "schema.yaml").write_text(SCHEMA, "utf-8")
    file = tmp_path / "service.yaml"
    budget = "{epsilon: 3, delta: 1e-6}"
    file.write_text(
        f"ledger: ledger.db\nanswering: {{processes: 0, timeout: 60}}\n"
        f"datasets:\n- schema: schema.yaml\n  snapshots: snap\n  budget: {budget}\n",
        "utf-8",
    )
    return file


def later(true: Callable[[], bool], do: Callable[[], None]) -> threading.Thread:
    """Do this once that is true, from another thread."""

    def run() -> None:
        until = time.monotonic() + 600
        while not true() and time.monotonic() < until:
            time.sleep(0.02)
        do()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_until_it_is_asked_to_stop(
    number: signal.Signals, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (config.parent / "says").write_text('{"ready":true}')
    before, printed = signal.getsignal(signal.SIGTERM), io.StringIO()
    monkeypatch.setattr(sys, "stdout", printed)  # (what pytest captured could be read once, and not beside a writer)
    thread = later(lambda: "Ctrl-C.\n" in printed.getvalue(), lambda: os.kill(os.getpid(), number))
    assert run(["answer", "--config", str(config), "--processes", "2"]) == 0
    thread.join()
    assert printed.getvalue().splitlines() == ["Answering with 2 processes. Stop with Ctrl-C.", "Stopped."]
    started = [json.loads(line) for line in (config.parent / "started").read_text().splitlines()]
    assert [one["timeout"] for one in started] == [60.0, 60.0]
    assert started[0]["openings"][0]["snapshots"] == str(config.parent / "snap")
    assert signal.getsignal(signal.SIGTERM) == before


def test_why_none_can_answer_is_said(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (config.parent / "says").write_text('{"refused":{"code":"data","message":"there is no snapshot here"}}\n!die')
    assert run(["answer", "--config", str(config)]) == 5
    assert "there is no snapshot here" in capsys.readouterr().err


def test_it_ends_and_says_so_where_an_older_copy_takes_the_ledgers_place(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (config.parent / "says").write_text('{"ready":true}')
    monkeypatch.setattr(reach, "EVERY", 0.05)
    with Ledger(config.parent / "ledger.db") as ledger:
        account(ledger)
        dump(Place(str(config.parent / "ledger.db"), str(config.parent)), config.parent / "old")
    started = config.parent / "started"
    thread = later(started.exists, lambda: restore(Place(str(config.parent / "ledger.db"), ""), config.parent / "old"))
    assert run(["answer", "--config", str(config)]) == 10
    thread.join()
    assert "was put in another's place" in capsys.readouterr().err
