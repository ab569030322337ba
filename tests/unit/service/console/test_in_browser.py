"""The console's frame, and the pages of those who oversee, in a real browser: on any screen, and by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import pets
from pets.ledger.grants import Grants
from pets.ledger.tokens import Tokens
from pets.service.access.identity import Identity
from pets.session.custodian import Custodian
from tests.browser import Browser
from tests.console import come_about, on_loopback, press_key, sound, sound_on_any_screen, type_into
from tests.http_services import ASKED, DP, QUERY, AtOnce, TestClient, by_name, create_app, custodian

pytestmark = pytest.mark.chance(0)  # noise is drawn, and none of it is looked at

CAROL = Identity("carol", project="board", roles=frozenset({"reviewer", "auditor", "custodian"}))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as found:
        yield found


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Custodian:
    """Two projects asked, some in vain; grants; one answer is held."""
    kept = custodian(tmp_path_factory.mktemp("browser"), epsilon=2.0, policy=pets.Policy(approval="after"))
    with TestClient(create_app(kept, auth=by_name, supervisor=AtOnce(kept))) as client:
        for who, epsilon in (("amina/asthma/analyst", "0.4"), ("ben/sleep/analyst", "100")):
            asked = ASKED | {"protection": DP | {"epsilon": epsilon}}
            client.post("/datasets/stays/queries?wait=5", json=asked, headers={"who": who})
        job = client.get("/reviews", headers={"who": "jo/board/reviewer"}).json()["reviews"][0]["id"]
        client.post(f"/reviews/{job}", json={"decision": "approve"}, headers={"who": "jo/board/reviewer"})
        asked = {"queries": [QUERY | {"by": []}], "protection": DP}
        client.post("/datasets/stays/queries?wait=5", json=asked, headers={"who": "ben/sleep/analyst"})
    grants = Grants(kept.ledger)
    grants.grant("stays", "board", "carol", ["reviewer", "auditor", "custodian"], by="owner")
    grants.grant("stays", "a project with a very long name " * 3, "ben" * 30, ["analyst"], by="owner")
    return kept


@pytest.fixture(scope="module")
def address(keeper: Custodian) -> Iterator[str]:
    with on_loopback(keeper, auth=lambda _: CAROL) as found:
        yield found


def pages(keeper: Custodian) -> list[str]:
    from pets.ledger.review.reviews import Reviews

    (held,) = Reviews(keeper.ledger).waiting("stays", limit=10)
    below = ["", "/stays", "/stays/history", "/stays/grants", "/stays/incidents"]
    uses = ["/uses", "/uses/entry?project=asthma"]
    return [*(f"/oversight{one}" for one in below), "/reviews", f"/reviews/{held.job.id}", *uses]


def test_every_page_is_read_on_any_screen(browser: Browser, address: str, keeper: Custodian) -> None:
    for path in pages(keeper):
        sound_on_any_screen(browser, address, path)


def test_opening_a_page_takes_few_bytes(browser: Browser, address: str, keeper: Custodian) -> None:
    browser.look(1280)
    for path in pages(keeper):
        browser.ask("Network.clearBrowserCache")
        browser.open(address + path)
        ends = [one["params"] for one in browser.events if one.get("method") == "Network.loadingFinished"]
        assert sum(one["encodedDataLength"] for one in ends) <= 300_000


def test_a_grant_is_given_and_ended_without_scripts_and_by_keyboard(
    browser: Browser, address: str, keeper: Custodian, request: pytest.FixtureRequest
) -> None:
    browser.ask("Emulation.setScriptExecutionDisabled", value=True)
    request.addfinalizer(lambda: browser.ask("Emulation.setScriptExecutionDisabled", value=False))
    browser.look(390)
    browser.open(f"{address}/oversight/stays/grants")
    type_into(browser, "document.querySelector('#project')", "sleep")
    type_into(browser, "document.querySelector('#analyst')", "ben")
    press_key(browser, "Enter", 13, "\r")
    ends = "document.querySelector('button[aria-label=\"End the grant of ben, project sleep\"]')"
    come_about(browser, f"!!{ends}")
    assert Grants(keeper.ledger).of("stays", "sleep", "ben") is not None
    browser.run(f"{ends}.focus()")
    press_key(browser, "Enter", 13, "\r")
    come_about(browser, f"document.readyState === 'complete' && !{ends}")
    assert Grants(keeper.ledger).of("stays", "sleep", "ben") is None


def test_a_token_logs_in_and_a_button_out(browser: Browser, keeper: Custodian, tmp_path: Path) -> None:
    secret, _ = Tokens(keeper.ledger).create("carol", "board", ("auditor", "custodian"))
    with on_loopback(keeper, auth=None) as address:
        browser.look(390)
        browser.open(f"{address}/uses")
        sound(browser, address, 390)
        assert browser.run("location.pathname") == "/console/login"
        type_into(browser, "document.querySelector('#token')", secret)
        press_key(browser, "Enter", 13, "\r")
        come_about(browser, "document.querySelector('.who .name')?.textContent === 'carol'")
        assert browser.run("document.cookie") == "", "no script sees the session"
        browser.open(f"{address}/uses")
        assert browser.run("location.pathname") == "/console/uses"
        browser.run("document.querySelector('form[action$=\"/logout\"] button').click()")
        come_about(browser, "location.pathname === '/console/login'")
        browser.open(f"{address}/uses")
        assert browser.run("location.pathname") == "/console/login"
