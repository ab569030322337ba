"""``pets review``: what is held, and decisions about it, on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from pets.cli.main import run
from pets.ledger.ledger import Ledger
from pets.ledger.queue import JobState, Queue
from tests.ledgers import account


def test_what_is_held_is_listed_shown_and_decided(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    address = str(tmp_path / "ledger.db")
    with Ledger(address) as ledger:
        account(ledger)
        first, second = (
            Queue(ledger).put("d", "p", "amina", "release", {"queries": [n]}, None, held=True) for n in (1, 2)
        )
    assert run(["review", "list", "--ledger", address]) == 0
    listed = capsys.readouterr().out
    assert listed.startswith(first.id) and "d: release by amina, project p; not answered" in listed
    assert run(["review", "list", "--ledger", address, "--dataset", "e"]) == 0
    assert "Nothing is held." in capsys.readouterr().err
    assert run(["review", "show", first.id, "--ledger", address]) == 0
    assert '"queries": [' in capsys.readouterr().out
    assert run(["review", "approve", first.id, "--by", "amina", "--ledger", address]) == 18
    assert "of their own" in capsys.readouterr().err
    assert run(["review", "approve", first.id, "--by", "jo", "--ledger", address]) == 0
    refusing = ["review", "refuse", second.id, "--by", "jo", "--ledger", address, "--reason"]
    assert run([*refusing, "because"]) == 2 and "is no reason to refuse" in capsys.readouterr().err
    assert run([*refusing, "unclear", "--note", "which ward?"]) == 0
    assert run(["review", "approve", second.id, "--by", "jo", "--ledger", address]) == 21
    with Ledger(address) as ledger:
        queue = Queue(ledger)
        states = [found.state for job in (first, second) if (found := queue.find(job.id, "p", "amina"))]
    assert states == [JobState.WAITING, JobState.FAILED]
