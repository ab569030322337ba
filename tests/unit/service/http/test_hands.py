"""What takes but a moment is answered by few threads, and whoever has to wait keeps nobody else from an answer."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pets.service.http import hands, questions
from pets.service.http.hands import Hands
from pets.session.custodian import Custodian
from tests.http_services import ASKED, DP, QUERY, TestClient, custodian, served
from tests.services import until

OTHER = {"queries": [QUERY | {"by": []}], "protection": DP}
ROUNDED = {"queries": [QUERY], "protection": {"kind": "sdc", "rule": "hes"}}


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Custodian:
    return custodian(tmp_path_factory.mktemp("hands"))


@pytest.fixture(scope="module")
def client(keeper: Custodian) -> Iterator[TestClient]:
    with served(keeper) as made:
        yield made


def test_no_more_are_at_work_than_there_are() -> None:
    several, at_once, most, lock = Hands(2), 0, 0, threading.Lock()

    def work(number: int) -> int:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        both.wait(60)
        with lock:
            at_once -= 1
        return number

    async def all_of_them() -> list[int]:
        return await asyncio.gather(*(several.call(work, number) for number in range(8)))

    both = threading.Barrier(2)  # each waits until another is at work, too
    assert asyncio.run(all_of_them()) == [*range(8)] and most == 2


def test_what_is_called_sees_its_callers_context_and_may_raise() -> None:
    name: contextvars.ContextVar[str] = contextvars.ContextVar("name")
    one = Hands(1)

    def fails(word: str) -> None:
        raise ValueError(word + name.get())

    async def calls() -> None:
        name.set("amina")
        assert await one.call(name.get) == "amina"
        with pytest.raises(ValueError, match="no amina"):
            await one.call(fails, "no ")

    asyncio.run(calls())
    asyncio.run(calls())  # in another loop


def test_a_fork_has_threads_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Hands(1)
    first = asyncio.run(one.call(threading.get_ident))
    assert asyncio.run(one.call(threading.get_ident)) == first
    monkeypatch.setattr(hands.os, "getpid", lambda: -1)
    assert asyncio.run(one.call(threading.get_ident)) != first


def test_who_waits_for_a_turn_to_write_keeps_nobody_from_an_answer(client: TestClient, keeper: Custodian) -> None:
    """A question is put in a transaction, which waits for others that write; what is known is told meanwhile."""
    job = client.post("/datasets/stays/queries?wait=5", json=ASKED).json()["job"]["id"]
    turns = keeper.ledger._store._turns
    assert turns is not None
    with ThreadPoolExecutor() as pool:
        with turns.one():
            waits = pool.submit(client.post, "/datasets/stays/queries", json=OTHER)
            until(lambda: len(turns._next) == 1)
            assert client.get(f"/queries/{job}").json()["job"]["state"] == "done"
            assert client.post("/datasets/stays/queries", json=ASKED).json()["job"] is None
            assert not waits.done()
        assert waits.result(60).status_code in (200, 202)


def test_who_is_given_anothers_answer_keeps_nobody_from_one(client: TestClient, keeper: Custodian) -> None:
    """That it goes to somebody else too is entered first, in a transaction, which waits for others that write."""
    job, other = client.post("/datasets/stays/queries?wait=5", json=ASKED).json()["job"], {"who": "ben/cancer/analyst"}
    name = client.get("/queries").json()["jobs"][-1]["id"] if job is None else job["id"]
    client.get("/datasets/stays/budget", headers=other)
    turns = keeper.ledger._store._turns
    assert turns is not None
    with ThreadPoolExecutor() as pool:
        with turns.one():
            waits = pool.submit(client.post, "/datasets/stays/queries", json=ASKED, headers=other)
            until(lambda: len(turns._next) == 1)
            told = pool.submit(client.get, f"/queries/{name}")
            assert told.result(20).json()["job"]["state"] == "done"
            assert not waits.done()
        assert waits.result(60).json()["job"] is None


@pytest.mark.parametrize("body", [ROUNDED, {"kind": "group_keys"}, ASKED | {"again": [0] * 5000}, {"queries": 3}])
def test_what_may_take_long_is_for_others(client: TestClient, monkeypatch: pytest.MonkeyPatch, body: Any) -> None:
    """Only a small question for a release is looked at by a hand."""
    looked, look = [], questions._looked_at

    def seen(*given: Any) -> Any:
        looked.append(threading.current_thread().name)
        return look(*given)

    monkeypatch.setattr(questions, "_looked_at", seen)
    assert client.post("/datasets/stays/queries", json=body).status_code >= 400
    (name,) = looked
    assert name.startswith("pets-hand") == (body == {"queries": 3}), name
