"""A table outside the grid by a connection: whoever asks waits, a reviewer looks, and it leaves on their word."""

from __future__ import annotations

from pathlib import Path

import pytest

from pets.errors import ForbiddenError, HeldError, UserError, VerificationError
from pets.ledger.ledger import Ledger
from pets.release.rounded.reviewed_table import ReviewedTable
from pets.service.client import reading, reviewing
from pets.session.disclosure import solving
from tests.checked_tables import searched_here, total
from tests.doors import HES, days, kept
from tests.http_services import connected
from tests.unit.service.client.test_reviewing import reviewing as as_reviewer


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solving, "_replies", searched_here)


def test_a_reviewer_looks_and_lets_it_leave(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        keeper = kept(ledger=ledger)
        with connected(keeper, analyst="amina", project="asthma") as amina, as_reviewer(keeper) as jo:
            with pytest.raises(HeldError, match="in review"):
                amina.release(days(0, 1), HES)
            (waits,) = jo.reviews()
            asked = jo.review(waits.id)
            assert asked.kind == "table" and asked.queries == [days(0, 1)] and asked.finding is None
            with pytest.raises(HeldError, match="nobody has looked"):
                jo.approve(waits.id, finding="0" * 64)
            found = jo.look(waits.id)
            assert found.state == "proved" and str(found).endswith(f"Digest: {found.digest}")
            seen = jo.review(waits.id)
            assert seen.finding == found and "Proved" in repr(seen) and "Proved" in seen._repr_html_()
            assert jo.approve(waits.id, finding=found.digest[:12], note="fine") == "done" and not jo.reviews()
            table = amina.release(days(0, 1), HES)
            assert isinstance(table, ReviewedTable) and table.form["shown"] == [[[10]]]
            with connected(keeper, analyst="ben", project="sleep") as ben:
                assert ben.release(days(0, 1), HES).form["shown"] == [[[10]]]


def test_what_is_not_proved_needs_words_and_nobody_looks_at_their_own(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        keeper = kept([1, 1, 40], ledger=ledger)
        total(keeper, days(0, 1))
        with connected(keeper, analyst="amina", project="asthma") as amina, as_reviewer(keeper) as jo:
            with pytest.raises(HeldError):
                amina.release(days(0, 0), HES)
            (waits,) = jo.reviews()
            with as_reviewer(keeper, "amina") as herself, pytest.raises(ForbiddenError):
                herself.look(waits.id)
            found = jo.look(waits.id)
            assert found.state == "attack"
            with pytest.raises(HeldError, match="answers for it"):
                jo.approve(waits.id, finding=found.digest)
            with pytest.raises(UserError, match="or name its finding"):
                jo.approve(waits.id, anyway="both consented")
            assert jo.approve(waits.id, finding=found.digest, anyway="both consented") == "done"
            assert "Not protected" in amina.release(days(0, 0), HES).guarantee


def test_what_a_service_says_was_found_cannot_steer_a_terminal() -> None:
    found = reviewing._finding({"digest": "5e88", "state": "proved", "words": "a\x1b[2Jb\nc"})
    assert found is not None and "\x1b" not in str(found) and str(found).count("\n") == 1
    with pytest.raises(UserError, match="in a form that is none"):
        reviewing._finding({"digest": "5e88"})


def test_a_table_outside_the_grid_that_nobody_signed_is_not_shown(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        keeper = kept(ledger=ledger)
        with connected(keeper, analyst="amina", project="asthma") as amina:
            with pytest.raises(HeldError):
                amina.release(days(0, 1), HES)
            (held,) = keeper.reviews()
            keeper.approve(held.id, by="jo", finding=keeper.look(held.id).digest)
            form = amina.release(days(0, 1), HES).to_json()
        own = {"dataset": "checked-tables", "project": "asthma", "analyst": "amina", "data": "real"}
        assert reading.are_rounded([form]) and reading.tables([form], keeper.ledger.key, own)
        with pytest.raises(VerificationError):
            reading.tables([form | {"shown": [[[15]]]}], keeper.ledger.key, own)
