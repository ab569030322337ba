"""The time grid over HTTP: until its tick, nothing that a service says tells that an answer is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pets.ledger.queue import Queue
from pets.service.answering.grid import Grid
from pets.service.answering.work import Work
from tests.http_services import ASKED, custodian, served


class Nobody:
    """Answers when the test says so."""

    def ensure(self) -> None:
        """Not yet."""

    def poke(self) -> None:
        """Nor now."""


@pytest.mark.parametrize("fails", [False, True])
def test_no_reply_tells_of_an_answer_before_its_tick(
    tmp_path: Path, fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = custodian(tmp_path)
    queue = Queue(keeper.ledger)
    path, key = "/datasets/stays/queries", {"idempotency-key": "k"}
    with served(keeper, supervisor=Nobody()) as client:

        def told() -> list[Any]:
            row = client.get("/datasets/stays/history").json()["history"]
            return [
                client.get(f"/queries/{job}").json(),
                client.get("/queries").json()["jobs"],
                client.post(path, json=ASKED, headers=key).json(),
                [dict(zip(row["columns"], one, strict=True))["state"] for one in row["rows"]],
            ]

        job = client.post(path, json=ASKED, headers=key).json()["job"]["id"]
        claimed = queue.claim("w", shown=4e9)
        assert claimed is not None
        waits = told()
        assert waits[0]["job"]["state"] == waits[2]["job"]["state"] == "waiting"
        work = Work([keeper], queue, Grid(3600.0, 3600.0))
        monkeypatch.setattr(work, "_shown", lambda _: 4e9)
        if fails:
            monkeypatch.setattr("pets.session.answering.measured", lambda *_: 1 / 0)
        work.answer(claimed)
        entries = keeper.history()["state"].tolist()
        assert entries == ["forfeited" if fails else "committed"], "the custodian's own is exact"
        assert told()[:3] == waits[:3] and told()[3] == ["started"]
        monkeypatch.setattr(keeper.ledger, "_clock", lambda: 4e9 + 1)
        state, _, again, history = told()
        assert state["job"]["state"] == ("failed" if fails else "done") and history == entries
        assert fails or again["releases"] == state["releases"]
