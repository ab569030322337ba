"""A custodian is told what went wrong: on the console, in a file, once; never in words that quote a row."""

from __future__ import annotations

from pathlib import Path

import pytest

import pets
from pets.common.entropy import random_bytes
from pets.errors import LedgerError, PetsError
from pets.federated.analyst.transport import InProcess
from pets.federated.deployment import notices as module
from pets.federated.deployment.notices import FILE, Notices, Observed, last
from pets.federated.messages.errors import ProtocolError
from tests.unit.federated.site.test_site import BY_AGE, HALF, UNBOUNDED, federation
from tests.unit.session.test_session import SCHEMA


def test_a_notice_is_said_and_kept_and_given_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    notices = Notices(tmp_path, said.append)
    for text in ("one", "two", "one", "three\x1b[2J\n"):
        notices.note(text)
    assert [line.split("  ", 1)[1] for line in said] == ["one", "two", "three[2J"]
    assert (tmp_path / FILE).read_text("utf-8").splitlines() == said
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0
    assert last(tmp_path, 2) == said[1:]
    assert last(tmp_path, 0) == last(tmp_path / "nobody's", 5) == []
    monkeypatch.setattr(module, "AGAIN", 0.0)
    notices.note("one")
    assert len(said) == 4
    monkeypatch.setattr(module, "KEPT", 10)
    for number in range(40):
        notices.note(f"n{number}")
    kept = last(tmp_path, 1000)
    assert 10 <= len(kept) <= 20
    assert kept[-1].endswith("  n39")


def test_a_full_disk_does_not_silence_the_console(tmp_path: Path) -> None:
    said: list[str] = []
    Notices(tmp_path / "not there", said.append).note("the disk is full")
    assert [line.split("  ", 1)[1] for line in said] == ["the disk is full"]


def test_what_a_gate_refuses_or_does_not_answer_is_told_to_its_custodian() -> None:
    many = federation(people=60)
    said: list[str] = []
    kept: dict[str, str] = {}
    watched = [Observed(site, Notices(None, said.append), kept.__setitem__) for site in many.sites.values()]
    many._transport = InProcess(watched)  # type: ignore[arg-type]
    with pytest.raises(PetsError, match="does not allow exact totals"):
        many.release(BY_AGE, pets.Total())
    assert [line.split("  ", 1)[1] for line in said[:1]] == [
        "Refused: this site's policy does not allow exact totals; use pets.DP(epsilon=…)."
    ]
    said.clear()
    with pytest.raises(ProtocolError):
        watched[0].handle(random_bytes(100))
    assert "A message was not answered: this message is of another version" in said[0]

    class Broken:
        def handle(self, data: bytes) -> bytes:
            raise ValueError("P-CANARY-7731")

    with pytest.raises(ValueError, match="CANARY"):
        Observed(Broken(), Notices(None, said.append), kept.__setitem__).handle(b"")
    (number,) = kept
    assert said[1].endswith(f"A message was not answered, through a fault in pets (incident {number}).")
    assert "P-CANARY-7731" in kept[number]


def test_what_a_site_withholds_has_a_number_and_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    many = federation(people=60, policy=UNBOUNDED)
    site = many.sites["s0"]
    said: list[str] = []
    site.notice = said.append
    monkeypatch.setattr(site, "_vector", lambda *_: 1 / 0)
    with pytest.raises(PetsError):
        many.release(BY_AGE, HALF, secure="local")
    number = site.session.ledger.incidents.numbers[0]
    assert said == [f"Nothing left in answer to a query, which stays charged (incident {number})."]
    assert "ZeroDivisionError" in site.incident(number)


def test_a_ledger_that_cannot_be_written_is_told_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    many = federation(people=60)
    said: list[str] = []
    site = many.sites["s0"]
    site.notice = said.append

    def full(*_: object, **__: object) -> None:
        raise LedgerError("the ledger cannot be written: database or disk is full")

    monkeypatch.setattr(type(site.session.custody.account), "reserve", full)
    with pytest.raises(PetsError, match=r"took no entry \(incident") as error:
        many.release(BY_AGE, HALF)
    assert "disk is full" not in str(error.value)
    number = site.session.ledger.incidents.numbers[0]
    told = f"The ledger took no entry, and nothing left (incident {number}): the ledger cannot be written: database"
    assert said == [f"{told} or disk is full."]
    assert SCHEMA.dataset not in said[0]
