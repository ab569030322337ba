"""Whether somebody answers: said every few seconds, believed for half a minute, by all that share the ledger."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pets.ledger.ledger import Ledger
from pets.service.answering import presence
from pets.service.answering.presence import LASTS, Presence
from tests.ledgers import Place, opened


@pytest.fixture
def place(new_place: Callable[[str], Place], monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(presence, "LOOK", 0.0)
    return new_place("sqlite")


def written(place: Place) -> Path:
    return Path(place.keys) / "ledger.db.answering"


def test_a_word_is_good_for_a_while_and_only_one_in_a_few_seconds_is_written(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_800_000_000.0]
    with opened(place, clock=lambda: now[0]) as ledger:
        answers, asks = Presence(ledger), Presence(ledger)
        assert not asks.here() and not written(place).exists()
        answers.say()
        first = written(place).read_bytes()
        assert asks.here() and first == b"1800000000          \n" and written(place).stat().st_mode & 0o077 == 0o044
        now[0] += LASTS - 1
        answers.say()
        assert asks.here() and written(place).read_bytes() == first, "it said so a moment ago"
        now[0] += 2
        assert not asks.here()
        monkeypatch.setattr(presence, "EVERY", 0.0)
        answers.say()
        assert asks.here()
        now[0] -= LASTS + 1  # a clock that is set back by more than clocks may differ
        assert not asks.here()


@pytest.mark.parametrize("held", [b"", b"soon", b"\xff\xfe", b"1" * 30])
def test_what_is_no_time_is_nobodys_word(held: bytes, place: Place) -> None:
    with opened(place) as ledger:
        written(place).write_bytes(held)
        assert not Presence(ledger).here()


def test_nobody_answers_what_waits_in_memory() -> None:
    one = Presence(Ledger(None))
    one.say()
    assert not one.here()
