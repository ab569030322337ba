"""A reviewer's connection: what waits, the protected answer behind its certificate, and the decision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

import pets
from pets.common.codec import canonical
from pets.errors import ForbiddenError, HeldError, NotApprovedError, NotFoundError, UserError, VerificationError
from pets.release.release import Release
from pets.service.access.identity import Identity
from pets.service.client.connection import Connection
from pets.session.custodian import Custodian
from tests.http_services import Carried, connected, custodian, served

N = pets.query("stays").group_by("sex").agg(n=pets.count())
DP = pets.DP(epsilon=0.5)


@contextmanager
def reviewing(keeper: Custodian, subject: str = "jo", **more: Any) -> Iterator[Connection]:
    who = Identity(subject, project="board", roles=frozenset({"reviewer"}))
    with served(keeper, auth=lambda request: who) as client:
        settings: dict[str, Any] = {"key": keeper.ledger.key, "progress": False, "transport": Carried(client)}
        yield pets.connect("http://localhost", **settings | more)


@pytest.mark.parametrize("stage", ["before", "after"])
def test_a_reviewer_sees_the_question_and_lets_it_be_answered(
    tmp_path: Path, stage: Literal["before", "after"]
) -> None:
    keeper = custodian(tmp_path, policy=pets.Policy(approval=stage))
    with connected(keeper, analyst="amina", project="asthma") as amina, reviewing(keeper) as jo:
        assert repr(jo.reviews()) == "No request waits for a second person."
        assert "No request waits" in jo.reviews()._repr_html_()
        pending = amina.release(N, DP, wait=False)
        (listed,) = jo.reviews()
        assert (listed.id, listed.stage, listed.analyst, listed.project) == (pending.id, stage, "amina", "asthma")
        assert listed.asked is listed.answer is None and pending.id in repr(jo.reviews())
        found = jo.review(listed.id)
        assert found.queries == [N] and found.asked is not None and found.asked.arguments["protection"] == DP
        assert found.questions == (N.sql(keeper.schema),) and f"Question: {found.questions[0]}" in repr(found)
        assert "Query(" not in repr(found) + found._repr_html_() and "amina, project asthma" in found._repr_html_()
        assert (found.answer is None) == (stage == "before")
        if stage == "after":
            assert isinstance(found.answer, Release) and found.answer.analyst == "amina"
            assert "Answer:" in repr(found) and "its answer is held" in repr(found)
        assert jo.approve(listed.id, note="seen") in ("waiting", "running", "done")
        if stage == "before":
            amina.release(N, pets.DP(epsilon=0.125), wait=False)  # (whoever answers looks once somebody asks)
        answer = amina.fetch(pending.id)
        assert answer.query == N and (found.answer is None or found.answer == answer)
        with pytest.raises(HeldError, match="is not held"):
            jo.refuse(listed.id, reason="unclear")


def test_what_is_refused_is_never_shown(tmp_path: Path) -> None:
    keeper = custodian(tmp_path, policy=pets.Policy(approval="after"))
    with connected(keeper, analyst="amina", project="asthma") as amina, reviewing(keeper) as jo:
        pending = amina.release(N, DP, wait=False)
        assert jo.refuse(pending.id, reason="may-disclose", note="one ward") == "failed" and len(jo.reviews()) == 0
        with pytest.raises(NotApprovedError, match="may-disclose"):
            pending.result()
        with pytest.raises(NotFoundError, match=r"GET /reviews"):
            jo.review(pending.id)


def test_each_kind_of_held_answer_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = custodian(tmp_path, policy=pets.Policy(approval="after"))
    with connected(keeper, analyst="amina", project="asthma") as amina, reviewing(keeper) as jo:
        asked = [
            amina.rows_lost("stays", DP, wait=False),
            amina.group_keys("stays", by=["ward"], protection=DP, wait=False),
            amina.top_keys(pets.query("stays").group_by("sex").agg(n=pets.count_units()), 1, DP, wait=False),
            amina.release([N, pets.query("stays").agg(n=pets.count())], DP, wait=False),
        ]
        kinds = [type(jo.review(one.id).answer).__name__ for one in asked]
        assert kinds == ["RowsLost", "ReleasedKeys", "TopKeys", "list"]
        shown = jo.review(asked[-1].id)
        top = jo.review(asked[2].id)
        assert len(top.questions) == 1 and top.questions[0].startswith("SELECT") and "Query(" not in repr(top)
        monkeypatch.setattr(jo, "dataset", "another")  # of its schema nothing is known here
        assert jo.review(asked[-1].id).questions[0] == canonical(N.to_json()).decode()
        assert len(shown.queries) == len(shown.questions) == 2 and shown._repr_html_().count("<pre>") == 2
        assert [one.kind for one in jo.reviews()] == ["rows_lost", "group_keys", "top_keys", "release"]
        assert [one.id for one in jo.reviews()[1:3]] == [one.id for one in asked[1:3]]


def test_a_held_answer_that_the_key_did_not_sign_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = custodian(tmp_path, policy=pets.Policy(approval="after"))
    with connected(keeper, analyst="amina", project="asthma") as amina, reviewing(keeper) as jo:
        number = amina.release(N, DP, wait=False).id
        told = jo._transport.get

        def edited(*path: str, **more: Any) -> Any:
            found = told(*path, **more)
            found["releases"][0]["values"][0] += 1
            return found

        monkeypatch.setattr(jo._transport, "get", edited)
        with pytest.raises((VerificationError, UserError), match=r"not shown|edited or damaged"):
            jo.review(number)

        def other(*path: str, **more: Any) -> Any:
            found = told(*path, **more)
            found["review"]["analyst"] = "ben"
            return found

        monkeypatch.setattr(jo._transport, "get", other)
        with pytest.raises(VerificationError, match="answer to another question"):
            jo.review(number)
        for odd in (
            {},
            {"review": []},
            {"review": {"id": 3}},
            {"review": told("reviews", number)["review"] | {"at": "x"}},
        ):
            monkeypatch.setattr(jo._transport, "get", lambda *path, odd=odd, **more: odd)
            with pytest.raises(UserError, match="in a form that is none"):
                jo.review(number)


def test_only_a_reviewer_and_nobody_about_their_own(tmp_path: Path) -> None:
    keeper = custodian(tmp_path, policy=pets.Policy(approval="after"))
    with connected(keeper, analyst="amina", project="asthma") as amina, reviewing(keeper, "amina") as herself:
        number = amina.release(N, DP, wait=False).id
        for act in (amina.reviews, lambda: amina.approve(number), lambda: herself.approve(number)):
            with pytest.raises(ForbiddenError):
                act()
        with pytest.raises(ForbiddenError):
            herself.review(number)
        for wrong in (3, "", None):
            with pytest.raises(UserError, match="named by its id"):
                herself.approve(wrong)  # type: ignore[arg-type]
        with pytest.raises(UserError, match="did you mean 'may-disclose'"):
            herself.refuse(number, reason="may-discloses")
