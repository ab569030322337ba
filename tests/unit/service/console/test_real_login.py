"""A person logs in to the console at a real provider of logins, by code flow with PKCE."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from pets.service.access.code_flow import Client, CodeFlow
from pets.service.access.oidc import Oidc
from pets.service.app import create_app
from pets.session.custodian import Custodian
from tests import login_provider
from tests.http_services import TestClient, custodian
from tests.login_provider import AUDIENCE, CONSOLE, SECRET, Provider

pytestmark = pytest.mark.chance(0)  # it starts a provider, which has keys of its own

BACK = "/console/login/return"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with login_provider.running(f"http://localhost{BACK}") as found:
        yield found


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Custodian:
    return custodian(tmp_path_factory.mktemp("real"))


@pytest.fixture
def browser(provider: Provider, keeper: Custodian) -> Iterator[TestClient]:
    flow = CodeFlow(Oidc(provider.issuer, AUDIENCE, provider.jwks), Client(CONSOLE, SECRET))
    app = create_app(keeper, login=flow)
    with TestClient(app, base_url="http://localhost", follow_redirects=False, raise_server_exceptions=False) as client:
        yield client


def begin(browser: TestClient) -> str:
    page = browser.get("/console/login")
    assert 'href="/console/login/start"' in page.text
    reply = browser.get("/console/login/start")
    assert reply.status_code == 303
    return str(reply.headers["location"])


def test_whoever_logs_in_there_is_who_they_are_here(browser: TestClient, provider: Provider) -> None:
    to = begin(browser)
    asked = parse_qs(urlsplit(to).query)
    assert asked["code_challenge_method"] == ["S256"] and to.startswith(provider.issuer)
    told = provider.code(to, "carol")
    reply = browser.get(BACK, params=told)
    assert (reply.status_code, reply.headers["location"]) == (303, "/console/")
    page = browser.get("/console/uses")
    assert page.status_code == 200 and "carol" in page.text and "stroke" in page.text
    assert told["code"] not in page.text
    # the code, and what the browser kept for it, are good for once
    again = browser.get(BACK, params=told)
    assert again.status_code == 401 and "began no such login" in again.text


def test_roles_and_projects_are_those_of_the_provider(browser: TestClient, provider: Provider) -> None:
    browser.get(BACK, params=provider.code(begin(browser), "amina"))
    page = browser.get("/console/uses")
    assert page.status_code == 403
    assert re.findall(r'<option value="(\w+)"', page.text) == ["asthma", "stroke"]


def test_a_login_that_another_browser_began_lets_nobody_in(
    browser: TestClient, provider: Provider, keeper: Custodian
) -> None:
    """Whoever sends somebody the end of their own login does not have them work under their name."""
    told = provider.code(begin(browser), "carol")
    with TestClient(browser.app, base_url="http://localhost", follow_redirects=False) as other:
        assert other.get(BACK, params=told).status_code == 401
        begin(other)
        assert other.get(BACK, params=told).status_code == 401
        assert other.get("/console/uses").headers["location"] == "/console/login"


def test_a_login_of_a_provider_whose_clock_is_wrong_is_none(browser: TestClient, provider: Provider) -> None:
    told = provider.code(begin(browser), "carol")
    provider.set_clock(-3600)
    try:
        reply = browser.get(BACK, params=told)
    finally:
        provider.set_clock(0)
    assert reply.status_code == 401 and "not valid here" in reply.text


def test_a_refusal_at_the_provider_is_said(browser: TestClient) -> None:
    state = parse_qs(urlsplit(begin(browser)).query)["state"][0]
    reply = browser.get(BACK, params={"state": state, "error": "access_denied", "error_description": "<b>no</b>"})
    assert reply.status_code == 401 and "let nobody in" in reply.text and "<b>no" not in reply.text
