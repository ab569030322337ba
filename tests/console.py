"""What the console's tests share: pages as a browser without scripts sees them, and a server for one that has them."""

from __future__ import annotations

import html
import importlib.util
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from pets.service.app import create_app
from pets.session.custodian import Custodian
from tests.browser import Browser
from tests.http_services import AtOnce, TestClient, by_name
from tests.services import until

HOME = {"Origin": "http://testserver"}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
SEEN = ["color-contrast", "link-in-text-block", "scrollable-region-focusable"]
"""Of these rules of axe, those that another screen may break: the others look at words and roles alone."""

_HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')


class Nobody:
    """Where nobody answers: what is asked waits."""

    def ensure(self) -> None:
        """Nobody comes."""

    def poke(self) -> None:
        """Nobody looks."""


@dataclass
class Pages:
    """Somebody at the console, whose browser runs no scripts and keeps cookies.

    Attributes:
        who: as :func:`tests.http_services.by_name` reads it.
    """

    client: TestClient
    who: str = "amina/asthma/analyst"
    last: httpx.Response | None = field(default=None, repr=False)

    def get(self, path: str, status: int = 200) -> str:
        """A page below the console's address."""
        self.last = self.client.get(f"/console{path}", headers={"who": self.who})
        assert self.last.status_code == status, self.last.text
        return self.last.text

    def send(self, path: str, page: str, /, *, form: str = "", status: int = 200, **fields: str) -> str:
        """What comes of a form of a page: its hidden fields and these; where it leads elsewhere, the page there.

        Args:
            form: the form's id; the page's only form where it is left out.
        """
        sent = hidden(page, form) | fields
        self.last = self.client.post(f"/console{path}", data=sent, headers=HOME | {"who": self.who})
        assert self.last.status_code == status, self.last.text
        return self.last.text


def hidden(page: str, form: str = "") -> dict[str, str]:
    """The hidden fields of a form."""
    several = [one.partition("</form>")[0] for one in page.split("<form ")[1:]]
    (mine,) = (
        [one for one in several if f'id="{form}"' in one] if form else [one for one in several if "inline" not in one]
    )
    return {name: html.unescape(value) for name, value in _HIDDEN.findall(mine)}


def said(page: str) -> str:
    """The words of a page, without its marks."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page.partition("<main")[2])).split())


@contextmanager
def console(keeper: Custodian, **options: Any) -> Iterator[Pages]:
    """Amina at the console of a service that answers at once."""
    settings: dict[str, Any] = {"auth": by_name, "supervisor": AtOnce(keeper)}
    with TestClient(create_app(keeper, **settings | options), raise_server_exceptions=False) as client:
        yield Pages(client)


@contextmanager
def on_loopback(keeper: Custodian, **options: Any) -> Iterator[str]:
    """The address of a console on this machine, for a real browser."""
    settings: dict[str, Any] = {"auth": by_name, "supervisor": AtOnce(keeper)}
    server = uvicorn.Server(uvicorn.Config(create_app(keeper, **settings | options), port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        until(lambda: server.started)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/console"
    finally:
        server.should_exit = True
        thread.join(30)


# in a real browser --------------------------------------------------------------------------------------------------


def come_about(browser: Browser, script: str) -> None:
    """Wait until an expression is true in the page, whichever page that is by then."""

    def true() -> bool:
        try:
            return bool(browser.run(script))
        except AssertionError:  # between two pages there is nothing to look at
            return False

    until(true, 60)


def type_into(browser: Browser, field: str, text: str) -> None:
    """Write over what stands in a field; ``field``: an expression for it."""
    browser.run(f"{field}.focus(); {field}.select()")
    browser.ask("Input.insertText", text=text)


def press_key(browser: Browser, key: str, code: int, text: str = "") -> None:
    """Press a key of the keyboard."""
    more = {"text": text} if text else {}
    browser.ask("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, **more)
    browser.ask("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)


def sound_on_any_screen(browser: Browser, address: str, path: str | None = None) -> None:
    """:func:`sound` of a page on a phone in light, then on a wide screen in the dark, where its words are the same.

    Args:
        path: the page that is opened; left out, it is open.
    """
    browser.look(390)
    if path is not None:
        browser.open(address + path)
    sound(browser, address, 390)
    browser.look(1280, dark=True)
    sound(browser, address, 1280, {"type": "rule", "values": SEEN})


def sound(browser: Browser, address: str, width: int, rules: object = RULES) -> None:
    """Nothing complains, no other host is asked, nothing is cut off, and axe finds nothing.

    Args:
        address: the console's.
        rules: which of axe's are looked at.
    """
    assert browser.complaints() == []
    home = address.removesuffix("/console")
    assert all(one.startswith((home, "data:")) for one in browser.requests()), browser.requests()
    assert browser.run("document.documentElement.scrollWidth") <= width
    spec = importlib.util.find_spec("axe_core_python")
    if spec is None or spec.origin is None:
        pytest.skip("the dev extra carries axe: pip install -e '.[dev]'")
    if not browser.run("!!window.axe"):
        browser.run(f"{(Path(spec.origin).parent / 'axe.min.js').read_text('utf-8')};0")
    found = browser.run(
        f"axe.run(document, {json.dumps({'runOnly': rules})}).then(r => ({{passes: r.passes.length, "
        "wrong: r.violations.map(v => [v.id, v.nodes.map(n => n.target.join(' '))])}))"
    )
    assert found["wrong"] == [] and found["passes"] > (15 if rules is RULES else 0)
