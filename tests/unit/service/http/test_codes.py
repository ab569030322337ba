"""Each code of the closed list: what brings it about over HTTP, the remedy on the page, and one sentence on both sides.

That sentence and code are the same in the client as in the library is held for every code in
``tests/unit/service/wire/test_problems.py``, and over HTTP in ``test_refusals.py``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import pets
from pets.common.codec import Json
from pets.errors import LedgerDownError, PetsError, ReleaseFailedError
from pets.service.http.limits import Limits
from pets.service.wire.problems import STATUS, error_of
from pets.session.custodian import Custodian
from tests.http_services import ASKED, QUERY, TestClient, custodian, served
from tests.unit.test_error_codes import every

ROOT = Path(__file__).resolve().parents[4]
ROW = re.compile(r"^\| `([a-z-]+)` \| (\d{3}|–) \| (.+) \|$", re.MULTILINE)
LIMITS = Limits(max_queries=2, max_bytes=20_000, max_waiting=1, per_minute=10_000)
QUESTION, DP = pets.Query.from_json(QUERY), pets.DP(epsilon=0.1)
JO = {"who": "jo/board/reviewer"}


class World:
    """A service, its client, and who keeps its rows."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, client: TestClient, keeper: Custodian) -> None:
        self.folder, self.patch, self.client, self.keeper = folder, patch, client, keeper

    def ask(self, form: Json | None = None, part: str = "queries", **headers: str) -> Json:
        """What is said to a question: a problem, or what became of the job."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        reply = self.client.post(f"/datasets/stays/{part}", json=ASKED if form is None else form, headers=named)
        told: Json = reply.json()
        assert reply.status_code == told.get("status", reply.status_code)
        return told if reply.status_code >= 400 else told["job"]["problem"]

    def get(self, path: str, **headers: str) -> Json:
        told: Json = self.client.get(path, headers=headers).json()
        return told

    def session(self) -> Any:
        return self.keeper.session(analyst="amina", project="asthma")


def asked(**changed: Any) -> Json:
    return ASKED | {"queries": [QUERY | changed]}


def broken(world: World, key: str | None = None) -> None:
    def fails(*_: Any) -> None:
        raise RuntimeError("in row p17")

    with world.patch.context() as patch:
        patch.setattr("pets.session.job.tabulate", fails)
        with pytest.raises(ReleaseFailedError):
            world.session().release(QUESTION, DP, key=key)


def failed(world: World) -> Json:
    world.patch.setattr("pets.session.job.tabulate", lambda *_: 1 / 0)
    return world.ask()


def failed_key(world: World) -> Json:
    broken(world, "k")
    return world.ask(Idempotency_Key="k")


def in_progress(world: World) -> Json:
    told: list[Json] = []
    world.keeper.on("started", lambda event: told.append(world.ask(Idempotency_Key="k")))
    world.session().release(QUESTION, DP, key="k")
    return told[0]


def other_question(world: World) -> Json:
    assert world.client.post("/datasets/stays/queries", json=ASKED, headers={"idempotency-key": "k"}).is_success
    return world.ask(asked(by=[]), Idempotency_Key="k")


def held(world: World) -> Json:
    """An equal question of somebody else's, whose answer a person has not approved."""
    assert world.client.post("/datasets/stays/queries", json=ASKED).status_code == 202
    return world.ask(who="ben/sleep/analyst")


def not_approved(world: World) -> Json:
    number = world.client.post("/datasets/stays/queries", json=ASKED).json()["job"]["id"]
    decision = {"decision": "refuse", "reason": "unclear"}
    assert world.client.post(f"/reviews/{number}", json=decision, headers=JO).is_success
    return dict(world.get(f"/queries/{number}")["job"]["problem"])


def ledger_down(world: World) -> Json:
    world.patch.setattr(world.keeper.ledger, "_clock", lambda: 0.0)  # the clock was set back
    return world.get("/readyz")


def ledger_broken(world: World) -> Json:
    world.keeper.ledger.close()
    for part in world.folder.glob("ledger.db-*"):
        part.unlink()
    (world.folder / "ledger.db").write_bytes(b"no database" * 1000)
    return world.get("/datasets/stays/budget")


def commit_unknown(world: World) -> Json:
    """The connection is lost while a question is put."""

    commit = sa.engine.RootTransaction.commit

    def lost(self: Any) -> None:
        if self.connection.get_execution_options().get("writes") is None:
            return commit(self)
        raise sa.exc.DBAPIError("COMMIT", {}, RuntimeError(str(world.folder)), connection_invalidated=True)

    world.patch.setattr(sa.engine.RootTransaction, "commit", lost)
    return world.ask()


def foreseen_by_nobody(world: World) -> Json:
    world.patch.setattr(Custodian, "remaining", lambda *_: 1 / 0)
    return world.get("/datasets/stays/account", who="vera/audit/auditor")


CAUSES: dict[str, Callable[[World], Json]] = {
    "request": lambda world: world.get("/queries?weight=1"),
    "unauthenticated": lambda world: world.get("/datasets", who=""),
    "forbidden": lambda world: world.ask(who="vera/audit/auditor"),
    "policy": lambda world: world.ask(ASKED | {"queries": [QUERY] * 3}),
    "not-found": lambda world: world.get("/datasets/births/schema"),
    "wrong-method": lambda world: world.client.put("/datasets").json(),
    "too-large": lambda world: world.ask({"x": "x" * 30_000}),
    "media-type": lambda world: world.ask(Content_Type="text/plain"),
    "schema": lambda world: world.ask(asked(table="stay")),
    "query": lambda world: world.ask(asked(by=["sexx"])),
    "sql": lambda world: world.ask({"sql": "SELECT * FROM stays"}, "sql"),
    "budget": lambda world: world.ask(ASKED | {"protection": {"kind": "dp"}}),
    "in-progress": in_progress,
    "failed-key": failed_key,
    "other-question": other_question,
    "held": held,
    "not-approved": not_approved,
    "release-failed": failed,
    "ledger": ledger_broken,
    "ledger-down": ledger_down,
    "commit-unknown": commit_unknown,
    "internal": foreseen_by_nobody,
}
"""By code, how a service comes to say it."""

SHOWN: dict[str, str] = {
    "busy": "tests/unit/service/http/test_refusals.py::test_sizes_and_numbers_of_waiting_jobs_are_limited",
    "data": "tests/unit/service/http/test_refusals.py::test_no_place_of_the_service_is_told",
    "missing-extra": "tests/unit/service/http/test_refusals.py::test_every_code_leaves_as_a_problem",
    "service-down": "tests/unit/service/client/test_connection.py::test_a_service_that_cannot_be_reached_is_said",
    "verification": "tests/unit/service/client/test_connection.py::test_keys_that_nobody_signed_are_not_shown",
}
"""By code, the test that brings about what takes more than a request, or what a client says by itself."""

ELSEWHERE = {"error", "used-key", "name", "pack", "unconfirmed", "refused", "record", "protocol", "withheld"}
"""Roots of other codes, names of Python, what custodians alone do, and what federations say: no service says them."""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[World]:
    approval = "after" if request.node.callspec.params["code"] in ("held", "not-approved") else None
    keeper = custodian(tmp_path, policy=pets.Policy(approval=approval))
    with served(keeper, limits=LIMITS) as client:
        yield World(tmp_path, monkeypatch, client, keeper)


@pytest.mark.parametrize("code", CAUSES)
def test_a_service_says_it(world: World, code: str) -> None:
    told = CAUSES[code](world)
    assert told["code"] == code, told
    error = error_of(told)
    kinds: dict[str, type[PetsError]] = {kind.code: kind for kind in every()}
    # (a connection that was lost is for a client a ledger that is down: ask the same again)
    assert type(error) is (LedgerDownError if code == "commit-unknown" else kinds[code])
    assert str(error) == told.get("detail", told.get("message"))
    assert str(world.folder) not in str(told) and "p17" not in str(told)


def test_each_code_is_brought_about_by_a_test() -> None:
    assert not {*CAUSES} & {*SHOWN} and not ({*CAUSES} | {*SHOWN}) & ELSEWHERE
    assert {*CAUSES} | {*SHOWN} | ELSEWHERE == {*STATUS}
    for code, test in SHOWN.items():
        file, _, name = test.partition("::")
        assert re.search(rf"^def {name}\(", (ROOT / file).read_text("utf-8"), re.MULTILINE), (code, test)


def test_the_page_says_what_to_do_about_each() -> None:
    rows = ROW.findall((ROOT / "docs" / "service.md").read_text("utf-8"))
    told = {code: "–" if code in (*ELSEWHERE, "service-down", "verification") else str(STATUS[code]) for code in STATUS}
    assert {code: status for code, status, _ in rows} == told and len(rows) == len(told)
    assert [code for code, _, remedy in rows if len(remedy.split()) < 5] == []
