"""The analyst's pages in a real browser: on any screen, by keyboard, as one types, and without a reload."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from pets.session.custodian import Custodian
from tests.browser import Browser
from tests.console import Nobody, come_about, on_loopback, press_key, sound, sound_on_any_screen, type_into
from tests.http_services import AtOnce, custodian
from tests.services import until

PAGES = ("/", "/datasets/stays", "/datasets/stays/ask", "/datasets/stays/history", "/jobs")
SQL = "document.querySelector('#sql').elements.sql"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as found:
        yield found


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Custodian:
    return custodian(tmp_path_factory.mktemp("browser"))


@pytest.fixture(scope="module")
def address(keeper: Custodian) -> Iterator[str]:
    """A console at which nobody answers until somebody is poked."""
    with on_loopback(keeper, supervisor=Nobody()) as found:
        yield found


def _press(browser: Browser, value: str) -> None:
    button = f"document.querySelector('button[value={value}]')"
    come_about(browser, f"{button} && !{button}.disabled")
    browser.run(f"{button}.click()")


def _jobs(browser: Browser, address: str) -> list[str]:
    """The numbers of what was asked through the service so far."""
    browser.open(f"{address}/jobs")
    text = str(browser.run("document.querySelector('main').textContent"))
    found = re.findall(r"job ([0-9a-f]{32})", text)
    assert found or "Nothing yet" in text
    return found


def _ended(browser: Browser) -> list[dict[str, Any]]:
    """What the page has loaded whole by now; the browser says so a moment after the page is there."""
    browser.run("0")
    return [one["params"] for one in browser.events if one.get("method") == "Network.loadingFinished"]


def test_every_page_is_read_on_any_screen(browser: Browser, address: str) -> None:
    for path in PAGES:
        sound_on_any_screen(browser, address, path)
    for dark in (True, False):
        browser.look(390, dark=dark)
        ink, paper = (browser.run(f"getComputedStyle(document.body).{name}") for name in ("color", "backgroundColor"))
        assert (sum(map(int, ink[4:-1].split(","))) > sum(map(int, paper[4:-1].split(",")))) == dark


def test_opening_a_page_takes_few_bytes(browser: Browser, address: str) -> None:
    browser.ask("Network.clearBrowserCache")
    browser.look(1280)
    for path in ("/", "/datasets/stays/ask"):
        browser.open(address + path)
        until(lambda: len(_ended(browser)) >= len(browser.requests()) - 1 > 0)
        assert sum(one["encodedDataLength"] for one in _ended(browser)) <= 300_000


def test_price_and_expected_error_follow_what_one_types(browser: Browser, address: str) -> None:
    browser.look(1280)
    browser.open(f"{address}/datasets/stays/ask")
    cost = "(document.querySelector('#price .cost') || {}).textContent"
    type_into(browser, "document.querySelector('#sql').elements.amount", "0.25")
    assert browser.run("document.querySelector('button[value=release]').disabled")  # before its price is there
    come_about(browser, f"({cost} || '').includes('ε = 0.25')")
    # a choice in the form is written as SQL, and priced
    browser.run(
        "(s => { s.value = 'sex'; s.dispatchEvent(new Event('input', {bubbles: true})) })"
        "(document.querySelector('#parts').elements.by0)"
    )
    come_about(browser, f"{SQL}.value.includes('GROUP BY sex')")
    assert browser.run(f"!!{cost}")
    # SQL that is not answered says why, beside the box, and cannot be asked
    type_into(browser, SQL, "SELECT sexx, COUNT(*) AS n FROM stays GROUP BY sexx")
    come_about(browser, "(document.querySelector('#price .alarm') || {}).textContent?.includes('sexx')")
    assert browser.run("document.querySelector('button[value=release]').disabled")
    type_into(browser, SQL, "SELECT sex, COUNT(*) AS n FROM stays GROUP BY sex")
    come_about(browser, f"!!{cost} && !document.querySelector('button[value=release]').disabled")
    assert not [one for one in browser.complaints() if "exceptionThrown" in one or "Refused" in one]


def test_enter_never_pays(browser: Browser, address: str, keeper: Custodian) -> None:
    browser.look(1280)
    before = _jobs(browser, address)
    browser.open(f"{address}/datasets/stays/ask")
    for field in ("document.querySelector('#sql').elements.amount", "document.querySelector('#parts').elements.name0"):
        browser.run(f"{field}.focus()")
        press_key(browser, "Enter", 13, "\r")
        come_about(browser, "!!document.querySelector('#price .cost')")
    assert browser.run("location.pathname").endswith("/ask")
    assert _jobs(browser, address) == before


def test_the_keyboard_reaches_all_that_one_asks_with(browser: Browser, address: str) -> None:
    browser.look(1280)
    browser.open(f"{address}/datasets/stays/ask")
    reached = []
    for _ in range(60):
        press_key(browser, "Tab", 9)
        reached.append(browser.run("document.activeElement.name || document.activeElement.className"))
        seen = browser.run("getComputedStyle(document.activeElement).outlineStyle")
        assert reached[-1] == "" or seen == "solid", reached
        if browser.run("document.activeElement.value") == "release":
            break
    wanted = ["skip", "what0", "of0", "by0", "if0", "sql", "how", "amount", "do"]
    assert [one for one in dict.fromkeys(reached) if one in wanted] == wanted


def test_invented_rows_and_answers_come_without_a_reload(browser: Browser, address: str, keeper: Custodian) -> None:
    browser.look(390)
    browser.open(f"{address}/datasets/stays/ask")
    browser.run("window.here = 1")
    type_into(browser, SQL, "SELECT sex, COUNT(*) AS n, AVG(days) AS d FROM stays WHERE days < 39 GROUP BY sex")
    _press(browser, "dummy")
    come_about(browser, "!!document.querySelector('#dummy .job')")
    AtOnce(keeper).poke()
    come_about(browser, "!!document.querySelector('#dummy .watermark')")
    assert browser.run("window.here") == 1
    sound(browser, address, 390)
    _press(browser, "release")
    come_about(browser, "location.pathname.includes('/jobs/') && !!document.querySelector('.job')")
    browser.run("window.here = 2")
    sound(browser, address, 390)
    AtOnce(keeper).poke()
    come_about(browser, "!!document.querySelector('.answer .checked')")
    assert browser.run("window.here") == 2 and not browser.run("!!document.querySelector('.watermark')")
    come_about(browser, "[...document.querySelectorAll('.answer img')].every(i => i.complete && i.naturalWidth > 100)")
    sound_on_any_screen(browser, address)


def test_without_scripts_a_page_waits_and_shows_the_answer(
    browser: Browser, address: str, keeper: Custodian, request: pytest.FixtureRequest
) -> None:
    browser.ask("Emulation.setScriptExecutionDisabled", value=True)
    request.addfinalizer(lambda: browser.ask("Emulation.setScriptExecutionDisabled", value=False))
    browser.look(390)
    browser.open(f"{address}/datasets/stays/ask")
    for button in ("write", "price"):
        assert browser.run(f"document.querySelector('button[value={button}]').checkVisibility()")
    browser.run(f"{SQL}.value = 'SELECT COUNT(*) AS n FROM stays WHERE days < 9'")
    _press(browser, "release")
    come_about(browser, "!!document.querySelector('.job')")
    AtOnce(keeper).poke()
    come_about(browser, "!!document.querySelector('.answer .checked')")  # by the page's own refresh
