"""A table outside the grid in the console: its reviewer has it looked at there, reads what was found, and decides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pets.ledger.ledger import Ledger
from pets.service.app import create_app
from pets.session.disclosure import solving
from tests.checked_tables import searched_here, total
from tests.doors import HES, days, kept
from tests.http_services import AtOnce, TestClient, by_name
from tests.unit.service.console.test_approvals import AMINA, JO, send

HERE = "/datasets/checked-tables/queries?wait=5"


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solving, "_replies", searched_here)


def ask(client: TestClient, query: Any) -> Any:
    body = {"queries": [query.to_json()], "protection": HES.to_json()}
    return client.post(HERE, json=body, headers=AMINA).json()


@pytest.mark.parametrize("narrow", [False, True])
def test_a_reviewer_looks_and_decides_on_a_page(tmp_path: Path, narrow: bool) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        keeper = kept([1, 1, 40] if narrow else None, ledger=ledger)
        if narrow:
            total(keeper, days(0, 1))
        query = days(0, 0) if narrow else days(0, 1)
        app = create_app(keeper, auth=by_name, supervisor=AtOnce(keeper))
        with TestClient(app, raise_server_exceptions=False, follow_redirects=False) as client:
            ask(client, query)
            (held,) = keeper.reviews()
            path = f"/console/reviews/{held.id}"
            page = client.get(path, headers=JO).text
            assert "Nobody has looked" in page and 'value="approve"' not in page and 'value="refuse"' in page
            assert send(client, path, AMINA, decision="look").status_code == 403, "one's own"
            looked = send(client, path, JO, decision="look")
            assert (looked.status_code, looked.headers["location"]) == (303, path)
            page = client.get(path, headers=JO).text
            digest = page.partition("Digest: ")[2][:64]
            assert f'name="finding" value="{digest}"' in page and "Look once more" in page
            assert ("Why it leaves although it is not proved" in page) == narrow and ("Attack" in page) == narrow
            if narrow:
                wrong = send(client, path, JO, decision="approve", finding=digest, anyway=" ")
                assert wrong.status_code == 409 and "answers for it" in wrong.text
            wrong = send(client, path, JO, decision="approve", finding="0" * 64, anyway="<b>both</b>")
            assert wrong.status_code == 409 and "what was found last" in wrong.text and "<b>both" not in wrong.text
            sent = send(client, path, JO, decision="approve", finding=digest, anyway="both consented")
            assert (sent.status_code, sent.headers["location"]) == (303, "/console/reviews")
            assert ask(client, query)["releases"][0]["pets"] == "reviewed"


def test_a_table_is_refused_on_the_page_before_anybody_looks(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        keeper = kept(ledger=ledger)
        app = create_app(keeper, auth=by_name, supervisor=AtOnce(keeper))
        with TestClient(app, raise_server_exceptions=False, follow_redirects=False) as client:
            ask(client, days(0, 1))
            (held,) = keeper.reviews()
            path = f"/console/reviews/{held.id}"
            assert send(client, path, JO, decision="refuse", reason="out-of-scope").status_code == 303
            assert ask(client, days(0, 1))["job"]["problem"]["code"] == "not-approved"
