"""What has no finite guarantee is named ever after, wherever in its life it ended."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pets
from pets.ledger import failpoint
from pets.ledger.publish import export, show
from pets.ledger.publish.page import page
from pets.ledger.publish.read_log import published
from pets.ledger.states import State
from pets.release.certificate import Certificate
from tests.ledgers import Place, account, ask, opened, request, seal

SCHEMA = pets.Schema({"stays": pets.Table(pets.Unit("id"), {"id": pets.Identifier()})}, dataset="hospital")
N = pets.query("stays").agg(n=pets.count())
BEFORE = ("reserve-begin", "reserve-charged", "reserve-logged")
AFTER = ("reserve-committed", "data-opened", "measured", "seal-begin", "seal-logged", "seal-stored", "seal-committed")


@pytest.fixture(autouse=True)
def no_hook() -> Iterator[None]:
    yield
    failpoint.hook = None


def stop_at(point: str) -> None:
    """As Ctrl-C would, the first time that it gets there."""

    def hook(reached: str) -> None:
        if reached == point:
            failpoint.hook = None
            raise KeyboardInterrupt

    failpoint.hook = hook


def session(place: Place, **changed: Any) -> pets.Session:
    rows = pd.DataFrame({"id": [f"p{i}" for i in range(30)]})
    known: dict[str, Any] = {"policy": pets.Policy(allow_unbounded=True), "progress": False}
    return pets.Session(SCHEMA, rows, budget=pets.Budget(epsilon=1, delta=1e-6), ledger=place.open(), **known | changed)


def named(release: pets.Release) -> list[str]:
    assert release.certificate is not None
    return [one["request_id"] for one in release.certificate.predicate["other_releases"]["unbounded"]]


def total(asked: pets.Session) -> None:
    asked.release(N, pets.Total())


def written(asked: pets.Session) -> None:
    with asked.custody.unbounded("stays", "a page", "question", {"kind": "page"}):
        pass


@pytest.mark.parametrize("point", [*BEFORE, *AFTER])
def test_wherever_it_ended(point: str, place: Place) -> None:
    with opened(place) as ledger:
        asker = account(ledger)
        stop_at(point)
        with pytest.raises(KeyboardInterrupt):
            (grant,) = asker.reserve([request(unbounded=True, milli=1)])
            with asker.closing([grant]):
                failpoint.failpoint("data-opened")
                failpoint.failpoint("measured")
                seal(asker, grant)
        started = [] if point in BEFORE else [asker.entries()[0].id]
        for _ in range(2):
            assert others(ask(asker, request())[0].certificate) == started


@pytest.mark.parametrize("make", [total, written])
@pytest.mark.parametrize("point", ["reserve-logged", "data-opened", "measured", "seal-stored"])
def test_wherever_a_session_ended(point: str, make: Any, new_place: Callable[[str], Place]) -> None:
    place = new_place("sqlite")
    asked = session(place)
    stop_at(point)
    with pytest.raises(KeyboardInterrupt):
        make(asked)
    release = asked.release(N, pets.DP(epsilon=0.1))
    wanted = [] if point in BEFORE else list(asked.history()["id"][:1])
    assert named(release) == wanted
    assert asked.remaining().unbounded == len(wanted)
    assert any("had no finite guarantee" in note for note in release.notes) == bool(wanted)


def test_one_that_was_never_started_is_not_named(place: Place) -> None:
    with opened(place) as ledger:
        asker = account(ledger)
        asker.close(asker.reserve([request(unbounded=True, milli=0)], start=False))
        assert others(ask(asker, request())[0].certificate) == []
        (waiting,) = asker.reserve([request(unbounded=True, milli=0)], start=False)
        assert others(ask(asker, request())[0].certificate) == []
        asker.start([waiting])
        assert others(ask(asker, request())[0].certificate) == [waiting.id]


def test_it_does_not_name_itself(place: Place) -> None:
    with opened(place) as ledger:
        asker = account(ledger)
        (first,) = asker.reserve([request(unbounded=True, milli=0)])
        (second,) = asker.reserve([request(unbounded=True, milli=0)])
        assert others(seal(asker, second).certificate) == [first.id]
        assert others(seal(asker, first).certificate) == [second.id]


def others(certificate: bytes) -> list[str]:
    said = Certificate(json.loads(certificate)).predicate
    return [one["request_id"] for one in said["other_releases"]["unbounded"]]


def test_the_public_page_and_the_checked_log_name_it_too(place: Place, tmp_path: Path) -> None:
    with opened(place) as ledger:
        asker = account(ledger)
        asker.close(asker.reserve([request(unbounded=True, milli=0)]))
        ask(asker, request())
        found = published(ledger)
        (known,) = found.history.datasets.values()
        assert [one.state for one in known.unbounded] == [State.FORFEITED]
        text = page(found)
        assert "had no privacy guarantee" in text and "Failed without a guarantee" in text
        assert "1 release (1 of them not known to have ended) without a guarantee" in show.dataset(known)
        export.write(ledger, tmp_path / "log.jsonl", progress=False)
        assert export.verify(tmp_path / "log.jsonl", progress=False).accounts[0].unbounded == 1
