"""The custodian's verbs of a connection: what the service's addresses give, as tables and plain errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import pets
from pets.errors import BudgetError, ForbiddenError, NotFoundError, ReleaseFailedError, UserError
from pets.query_model.query import Query
from pets.service.access.identity import Identity
from pets.service.client.connection import Connection
from pets.session.custodian import Custodian
from tests.http_services import QUERY, Carried, custodian, served


@pytest.fixture
def keeper(tmp_path: Path) -> Custodian:
    return custodian(tmp_path)


@contextmanager
def connection(keeper: Custodian, subject: str, *roles: str) -> Iterator[Connection]:
    who = Identity(subject, project="board", roles=frozenset(roles))
    with served(keeper, auth=lambda request: who) as client:
        yield pets.connect(
            "http://localhost", token="a token", key=keeper.ledger.key, progress=False, transport=Carried(client)
        )


def test_grants(keeper: Custodian) -> None:
    with connection(keeper, "vera", "custodian") as vera:
        assert vera.grants().empty
        with pytest.raises(UserError, match="give yourself one first"):
            vera.grant("asthma", "amina")
        vera.grant("board", "vera", ["custodian", "analyst"])
        vera.grant("asthma/2", "amina & co")
        told = vera.grants()
        assert list(told["analyst"]) == ["amina & co", "vera"] and list(told["roles"])[1] == ["analyst", "custodian"]
        vera.end_grant("asthma/2", "amina & co")
        assert list(vera.grants()["analyst"]) == ["vera"]
        with pytest.raises(NotFoundError, match="no such grant"):
            vera.end_grant("asthma/2", "amina & co")
        with pytest.raises(UserError, match="'king' does not exist"):
            vera.grant("asthma", "amina", "king")


def test_the_account_events_and_incidents(keeper: Custodian, monkeypatch: pytest.MonkeyPatch) -> None:
    query = Query.from_json(QUERY)
    with connection(keeper, "vera", "custodian", "analyst") as vera:
        vera.release(query, pets.DP(epsilon=0.5))
        with pytest.raises(BudgetError):
            vera.release(query, pets.DP(epsilon=60))
        seen = vera.account()
        assert seen.remaining == vera.remaining() and (seen.waiting, seen.held) == (0, 0)
        (asked,) = seen.asked.to_dict("records")
        assert (asked["analyst"], asked["committed"], asked["denied"]) == ("vera", 1, 1)
        whole = seen.scopes[seen.scopes["project"] == ""].iloc[0]
        assert whole["epsilon_cap"] == pytest.approx(50, rel=1e-6) and 0.4 < whole["epsilon_spent"] < 0.5001
        assert len(seen.denials) == 1 and seen.denials["at"][0].year >= 2024
        assert "0 questions wait" in str(seen) and "vera" in str(seen)
        assert vera.events()["committed"] == 1

        def fails(*_: object, **__: object) -> None:
            raise ValueError("ward 3")

        monkeypatch.setattr("pets.session.job.tabulate", fails)
        with pytest.raises(ReleaseFailedError):
            vera.release(query, pets.DP(epsilon=0.25))
        (failed,) = vera.incidents().to_dict("records")
        assert failed["incident"] == failed["request"][:12] and "ward 3" in keeper.incident(failed["incident"])
        assert vera.incidents(last=5)["at"][0].year >= 2024


def test_a_refresh(keeper: Custodian) -> None:
    with connection(keeper, "vera", "custodian") as vera:
        before = vera.snapshots
        assert vera.refresh() == keeper.snapshots != before
        assert vera.snapshots == keeper.snapshots
        (job,) = (one for one in vera._transport.get("queries")["jobs"])
        assert job["kind"] == "refresh" and vera.fetch(job["id"]) == keeper.snapshots


def test_they_are_for_their_roles_alone(keeper: Custodian) -> None:
    with connection(keeper, "amina", "analyst", "reviewer") as amina:
        verbs = (amina.grants, amina.account, amina.incidents, amina.events, amina.refresh)
        for verb in (*verbs, lambda: amina.grant("p", "a"), lambda: amina.end_grant("p", "a")):
            with pytest.raises(ForbiddenError, match="custodian"):
                verb()
