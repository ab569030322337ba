"""Incidents outlive the session and the process that failed, and nobody but the owner reads them."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pets
import pets.session.job as job_module
from pets.cli.main import run
from pets.errors import ReleaseFailedError, UserError
from pets.ledger import incidents
from pets.ledger.incidents import Incidents
from tests.ledgers import Place, opened

SCHEMA = pets.Schema({"stays": pets.Table(pets.Unit("id"), {"id": pets.Identifier()})}, dataset="hospital")
CANARY = "row 17 holds p33"


@pytest.fixture
def failed(new_place: Callable[[str], Place], monkeypatch: pytest.MonkeyPatch) -> tuple[Place, str]:
    """A request that failed, in a session and a ledger that are closed by now."""
    place = new_place("sqlite")

    def broken(*_: object) -> None:
        raise ValueError(CANARY)

    monkeypatch.setattr(job_module, "tabulate", broken)
    before = os.umask(0)
    try:
        with opened(place) as ledger:
            rows = pd.DataFrame({"id": ["p1"]})
            budget = pets.Budget(epsilon=1, delta=1e-6)
            session = pets.Session(SCHEMA, rows, budget=budget, ledger=ledger, progress=False)
            with pytest.raises(ReleaseFailedError) as caught:
                session.release(pets.query("stays").agg(n=pets.count()), pets.DP(epsilon=0.1))
            number = str(session.history()["id"][0])[:12]
            assert number in str(caught.value) and CANARY not in str(caught.value)
    finally:
        os.umask(before)
    return place, number


def test_another_session_and_the_command_line_tell_it(
    failed: tuple[Place, str], capsys: pytest.CaptureFixture[str]
) -> None:
    place, number = failed
    with opened(place) as ledger:
        session = pets.Session(SCHEMA, ledger=ledger)
        assert CANARY in session.incident(number)
        with pytest.raises(UserError, match=f"no incident '{number[:-1]}x'; did you mean '{number}'"):
            session.incident(f"{number[:-1]}x")
    assert run(["ledger", "incident", number, "--ledger", place.address]) == 0
    assert CANARY in capsys.readouterr().out
    assert run(["ledger", "incident", "--ledger", place.address]) == 0
    assert capsys.readouterr().out.split() == [number]
    assert run(["ledger", "incident", "../ledger.db", "--ledger", place.address]) == UserError.exit_code


def test_only_its_owner_reads_it_and_the_ledger_never_holds_it(failed: tuple[Place, str]) -> None:
    place, number = failed
    folder = Path(f"{place.address}.incidents")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / f"{number}.txt").stat().st_mode) == 0o600
    for path in Path(place.keys).iterdir():
        assert path.is_dir() or CANARY.encode() not in path.read_bytes(), path.name


def test_old_ones_make_room_and_long_ones_are_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incidents, "KEPT", 3)
    kept = Incidents(tmp_path / "x")
    for turn in range(5):
        kept.note(f"{turn:012x}", "a" * 300_000 + str(turn))
        os.utime(tmp_path / "x" / f"{turn:012x}.txt", (turn, turn))
    assert kept.numbers == [f"{turn:012x}" for turn in (4, 3, 2)]
    assert len(kept.read(f"{4:012x}")) == 200_000 and kept.read(f"{4:012x}").endswith("4")


@pytest.mark.parametrize("number", ["", "x", "../../../etc/passwd", "A" * 12, 17, None])
def test_no_other_file_is_read(number: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no incident"):
        Incidents(tmp_path).read(number)


def test_one_that_cannot_be_written_stays_in_the_process(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    kept = Incidents(tmp_path / "file")
    kept.note("0" * 12, "why")
    assert kept.read("0" * 12) == "why"
