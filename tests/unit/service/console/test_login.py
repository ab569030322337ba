"""Logging in to the console: sessions that nobody can choose or guess, and forms that no other site can send."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from pets.errors import UnauthenticatedError
from pets.ledger.tokens import Tokens
from pets.service.access.bearer import Bearer
from pets.service.access.code_flow import Client, CodeFlow, Login
from pets.service.access.identity import Identity
from pets.service.access.oidc import Oidc
from pets.service.access.tokens import ServiceTokens
from pets.service.app import create_app
from pets.service.console.desk import IDLE, LIFE, Desk
from pets.service.http.limits import Limits
from pets.session.custodian import Custodian
from tests.http_services import AtOnce, TestClient, by_name, custodian
from tests.unit.service.access.test_code_flow import SAID, Provider
from tests.unit.service.access.test_oidc import AUDIENCE, ISSUER, JWKS, signed

HERE = {"Origin": "http://localhost"}


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Custodian:
    return custodian(tmp_path_factory.mktemp("login"))


@pytest.fixture(scope="module")
def secrets(keeper: Custodian) -> dict[str, str]:
    """By name, the token of somebody."""
    make = Tokens(keeper.ledger).create
    return {name: make(name, "asthma", (role,))[0] for name, role in (("amina", "analyst"), ("jo", "auditor"))}


@pytest.fixture
def browser(keeper: Custodian) -> Iterator[TestClient]:
    with TestClient(
        create_app(keeper, supervisor=AtOnce(keeper)),
        base_url="http://localhost",
        follow_redirects=False,
        raise_server_exceptions=False,
    ) as client:
        yield client


def csrf(page: str) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', page)
    assert found is not None, page
    return found[1]


def log_in(browser: TestClient, token: str, **more: str) -> Any:
    fields = {"csrf": csrf(browser.get("/console/login").text), "token": token}
    return browser.post("/console/login", data=fields | more, headers=HERE)


def inside(browser: TestClient) -> bool:
    """Whether somebody is logged in."""
    reply = browser.get("/console/register")
    assert reply.status_code in (200, 401, 403)
    return reply.status_code != 401


def test_a_token_opens_a_session_and_is_shown_to_nobody(browser: TestClient, secrets: dict[str, str]) -> None:
    assert not inside(browser)
    reply = log_in(browser, secrets["jo"])
    assert (reply.status_code, reply.headers["location"]) == (303, "/console/")
    (set_cookie,) = [one for one in reply.headers.get_list("set-cookie") if one.startswith("pets-session=")]
    assert set(set_cookie.split("; ")[1:]) == {"Path=/console", "HttpOnly", "SameSite=Lax"}
    page = browser.get("/console/register")
    assert page.status_code == 200
    kept = "".join([*browser.cookies.values(), page.text, str(reply.headers), browser.get("/console/uses").text])
    assert secrets["jo"] not in kept and "jo" in browser.get("/console/uses").text


@pytest.mark.parametrize(
    ("cookie", "to"),
    [
        (None, "/console/uses/entry?project=a%20b"),
        ("//evil.example/x", "/console//evil.example/x"),
        ("https://evil.example", "/console/"),
        ("/a\r\nSet-Cookie: b=c", "/console/a%0D%0ASet-Cookie:%20b=c"),
    ],
)
def test_after_the_login_comes_the_page_that_was_wanted_and_none_of_another_site(
    browser: TestClient, secrets: dict[str, str], cookie: str | None, to: str
) -> None:
    assert browser.get("/console/uses/entry?project=a%20b").headers["location"] == "/console/login"
    if cookie is not None:
        (kept,) = [one for one in browser.cookies.jar if one.name == "pets-wanted"]
        kept.value = quote(cookie, safe="")
    assert log_in(browser, secrets["jo"]).headers["location"] == to
    assert "pets-wanted" not in browser.cookies


def test_by_https_no_other_site_and_no_page_without_tls_can_set_the_cookie(
    keeper: Custodian, secrets: dict[str, str]
) -> None:
    app = create_app(keeper, supervisor=AtOnce(keeper))
    with TestClient(app, base_url="https://pets.test", follow_redirects=False) as browser:
        fields = {"csrf": csrf(browser.get("/console/login").text), "token": secrets["jo"]}
        reply = browser.post("/console/login", data=fields, headers={"Origin": "https://pets.test"})
        (set_cookie,) = [one for one in reply.headers.get_list("set-cookie") if "session=" in one and "=;" not in one]
        name, *flags = set_cookie.split("; ")
        assert name.startswith("__Host-pets-session=")
        assert set(flags) == {"Path=/", "HttpOnly", "SameSite=Lax", "Secure"}
        assert inside(browser)


def test_behind_a_proxy_that_hides_the_address_nobody_logs_in(browser: TestClient, secrets: dict[str, str]) -> None:
    """nginx, without the lines of the docs: the browser is at https, and the session's cookie would go out in clear."""
    fields = {"csrf": csrf(browser.get("/console/login").text), "token": secrets["jo"]}
    hidden = {"Origin": "https://pets.example.org", "Sec-Fetch-Site": "same-origin"}
    reply = browser.post("/console/login", data=fields, headers=hidden)
    assert reply.status_code == 400 and "X-Forwarded-Proto" in reply.text
    assert "set-cookie" not in reply.headers and not inside(browser)


def test_without_tls_nobody_logs_in_from_elsewhere(keeper: Custodian, secrets: dict[str, str]) -> None:
    with TestClient(create_app(keeper), base_url="http://pets.test", follow_redirects=False) as browser:
        fields = {"csrf": csrf(browser.get("/console/login").text), "token": secrets["jo"]}
        reply = browser.post("/console/login", data=fields, headers={"Origin": "http://pets.test"})
        assert reply.status_code == 400 and "https alone" in reply.text
        assert not inside(browser)


@pytest.mark.parametrize("token", ["", "pets_no", "no token\x00", "a" * 20_000, "<script>alert(1)</script>"])
def test_what_is_no_token_opens_nothing_and_is_not_said_again(browser: TestClient, token: str) -> None:
    reply = log_in(browser, token)
    assert reply.status_code == 401 and "not valid here" in reply.text
    assert not token or token not in reply.text
    assert not inside(browser)


def test_a_login_begins_a_session_of_a_new_name(
    browser: TestClient, keeper: Custodian, secrets: dict[str, str]
) -> None:
    """Whoever knows the cookie of before, or set it, has nothing of the login after it."""
    chosen = "f" * 64
    assert Desk(Bearer(ServiceTokens(keeper.ledger))).begin(Login(secrets["jo"]), chosen) != chosen
    log_in(browser, secrets["amina"])
    before = browser.cookies["pets-session"]
    sent = {"csrf": csrf(browser.get("/console/uses").text), "token": secrets["jo"]}
    assert browser.post("/console/login", data=sent, headers=HERE).status_code == 303
    assert browser.cookies["pets-session"] != before
    old = browser.get("/console/uses", headers={"cookie": f"pets-session={before}"})
    assert (old.status_code, old.headers["location"]) == (303, "/console/login")


FORMS: dict[str, Callable[[dict[str, str], str], tuple[dict[str, str], dict[str, str]]]] = {
    "without what it was given": lambda headers, mine: ({"a": "b"}, headers),
    "with nothing in it": lambda headers, mine: ({"csrf": ""}, headers),
    "with something else": lambda headers, mine: ({"csrf": "0" * 64}, headers),
    "with most of it": lambda headers, mine: ({"csrf": mine[:-1]}, headers),
    "from another site": lambda headers, mine: ({"csrf": mine}, {"Origin": "https://evil.example"}),
    "from a page of nowhere": lambda headers, mine: ({"csrf": mine}, {"Origin": "null"}),
    "from another port": lambda headers, mine: ({"csrf": mine}, {"Origin": "http://localhost:81"}),
    "from a site that the browser knows to be another": lambda headers, mine: (
        {"csrf": mine},
        headers | {"Sec-Fetch-Site": "cross-site"},
    ),
    "from a host beside it": lambda headers, mine: ({"csrf": mine}, headers | {"Sec-Fetch-Site": "same-site"}),
    "from who does not say": lambda headers, mine: ({"csrf": mine}, {}),
}


@pytest.mark.parametrize("kind", FORMS)
def test_a_form_that_is_not_of_this_console_does_nothing(
    browser: TestClient, secrets: dict[str, str], kind: str
) -> None:
    log_in(browser, secrets["jo"])
    fields, headers = FORMS[kind](HERE, csrf(browser.get("/console/uses").text))
    reply = browser.post("/console/logout", data=fields, headers=headers)
    assert reply.status_code == 403 and "load it again" in reply.text
    assert inside(browser)


def test_the_form_of_another_session_does_nothing(
    browser: TestClient, keeper: Custodian, secrets: dict[str, str]
) -> None:
    log_in(browser, secrets["jo"])
    with TestClient(browser.app, base_url="http://localhost", follow_redirects=False) as other:
        log_in(other, secrets["amina"])
        theirs = csrf(other.get("/console/nowhere").text)
    assert browser.post("/console/logout", data={"csrf": theirs}, headers=HERE).status_code == 403
    own = csrf(browser.get("/console/uses").text)
    told = {"Sec-Fetch-Site": "same-origin"}  # a browser that says this need not say where from
    assert browser.post("/console/logout", data={"csrf": own}, headers=told).status_code == 303


def test_nobody_is_logged_in_by_a_form_of_another_site(browser: TestClient, secrets: dict[str, str]) -> None:
    fields = {"csrf": csrf(browser.get("/console/login").text), "token": secrets["jo"]}
    assert browser.post("/console/login", data=fields, headers={"Origin": "https://evil.example"}).status_code == 403
    assert not inside(browser)


def test_a_body_that_is_no_form_is_refused(browser: TestClient, secrets: dict[str, str]) -> None:
    log_in(browser, secrets["jo"])
    own = csrf(browser.get("/console/uses").text)
    for sent, kind, status in (
        (f'{{"csrf": "{own}"}}', "application/json", 415),
        (f"csrf={own}", "text/plain", 415),
        (f"csrf={own}&a=%ff", "application/x-www-form-urlencoded", 400),
        (f"csrf={own}&a={'x' * 1_000_001}", "application/x-www-form-urlencoded", 413),
        (f"csrf={own}" + "&a=1" * 3000, "application/x-www-form-urlencoded", 400),
    ):
        reply = browser.post("/console/logout", content=sent, headers=HERE | {"Content-Type": kind})
        assert reply.status_code == status, sent[:90]
    assert inside(browser)


def test_whoever_has_logged_out_is_out_for_good(browser: TestClient, secrets: dict[str, str]) -> None:
    log_in(browser, secrets["jo"])
    kept = browser.cookies["pets-session"]
    own = csrf(browser.get("/console/uses").text)
    browser.cookies.set("pets-wanted", quote("/jobs/1", safe=""), domain="localhost.local", path="/console")
    reply = browser.post("/console/logout", data={"csrf": own}, headers=HERE)
    assert (reply.status_code, reply.headers["location"]) == (303, "/console/login")
    assert not {"pets-session", "pets-wanted"} & set(browser.cookies), "nobody lands on the page of who was here before"
    again = browser.get("/console/uses", headers={"cookie": f"pets-session={kept}"})
    assert again.headers["location"] == "/console/login"


def test_one_logs_out_while_the_provider_is_away_and_may_then_log_out_there(
    keeper: Custodian, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Provider(monkeypatch)
    provider.said = SAID | {"end_session_endpoint": f"{ISSUER}/end"}
    made = CodeFlow(Oidc(ISSUER, AUDIENCE, JWKS), Client("console", scope="openid offline_access"))
    with TestClient(create_app(keeper, login=made), base_url="http://localhost", follow_redirects=False) as browser:
        asked = parse_qs(urlsplit(browser.get("/console/login/start").headers["location"]).query)
        given = {"aud": "console", "nonce": asked["nonce"][0]}
        both = signed(pets_project=["asthma", "stroke"], pets_roles=["auditor"])
        provider.tokens = {"id_token": signed(**given), "access_token": both, "refresh_token": "r"}
        browser.get("/console/login/return", params={"state": asked["state"][0], "code": "c"})
        chosen = {"csrf": csrf(browser.get("/console/uses").text), "project": "stroke"}
        assert browser.post("/console/project", data=chosen, headers=HERE).status_code == 303
        own = csrf(browser.get("/console/uses").text)
        monkeypatch.setattr(made, "identify", lambda login: None)  # the token has ended
        provider.away = True  # and nobody can say whether there is a newer one
        assert browser.get("/console/uses").status_code == 429
        assert browser.post("/console/logout", data={"csrf": "0" * 64}, headers=HERE).status_code == 403
        reply = browser.post("/console/logout", data={"csrf": own}, headers=HERE)
        assert (reply.status_code, reply.headers["location"]) == (303, "/console/login?left")
        assert not inside(browser)
        assert 'href="/console/login/leave"' in browser.get("/console/login?left").text
        assert "/leave" not in browser.get("/console/login").text
        assert browser.get("/console/login/leave").headers["location"] == f"{ISSUER}/end?client_id=console"


def test_a_token_that_is_revoked_ends_its_session(browser: TestClient, keeper: Custodian) -> None:
    tokens = Tokens(keeper.ledger)
    secret, token = tokens.create("ann", "asthma", ("auditor",))
    log_in(browser, secret)
    assert browser.get("/console/uses").status_code == 200
    tokens.revoke(token.id)
    assert browser.get("/console/uses").headers["location"] == "/console/login"
    assert not inside(browser)


def test_a_session_ends_when_nobody_uses_it_and_after_a_day_of_work(keeper: Custodian, secrets: dict[str, str]) -> None:
    now = [0.0]
    desk = Desk(Bearer(ServiceTokens(keeper.ledger)), clock=lambda: now[0])
    idle = desk.begin(Login(secrets["jo"]))
    now[0] += IDLE - 1
    assert desk.find(idle) is not None
    now[0] += IDLE
    assert desk.find(idle) is None and desk.find(idle) is None
    busy = desk.begin(Login(secrets["jo"]))
    for _ in range(int(LIFE / IDLE) * 2 - 1):
        now[0] += IDLE / 2
        assert desk.find(busy) is not None
    now[0] += IDLE / 2
    assert desk.find(busy) is None
    with pytest.raises(UnauthenticatedError):
        desk.begin(Login("pets_no"))


def test_nobody_ends_the_sessions_of_others_by_beginning_many(keeper: Custodian, secrets: dict[str, str]) -> None:
    desk = Desk(Bearer(ServiceTokens(keeper.ledger)))
    other = desk.begin(Login(secrets["amina"]))
    mine = [desk.begin(Login(secrets["jo"])) for _ in range(25)]
    assert [desk.find(one) is not None for one in mine] == [False] * 5 + [True] * 20
    assert desk.find(other) is not None


def test_whoever_is_not_logged_in_is_led_to_the_login(browser: TestClient) -> None:
    from pets.service.console.site import PAGES

    closed = [page for page in PAGES if not page.opened]
    assert len(closed) >= 4
    for page in closed:
        path = "/console" + re.sub(r"\{\w+\}", "x", page.path)
        reply = browser.request(page.method, path, headers=HERE)
        assert (reply.status_code, reply.headers["location"]) == (303, "/console/login"), page


def test_one_of_several_projects_is_chosen_and_only_of_ones_own(keeper: Custodian) -> None:
    both = Identity("amina", project="asthma", projects=frozenset({"asthma", "strøke & co"}))
    app = create_app(keeper, auth=lambda request: both)
    with TestClient(app, follow_redirects=False) as browser:

        def choose(project: str) -> int:
            own = csrf(browser.get("/console/nowhere").text)
            sent = {"csrf": own, "project": project}
            return int(browser.post("/console/project", data=sent, headers={"Origin": "http://testserver"}).status_code)

        def chosen() -> str:
            found = re.search(r'<option value="([^"]*)" selected>', browser.get("/console/nowhere").text)
            return found[1] if found else ""

        assert (choose("sleep"), chosen()) == (403, "asthma")
        assert (choose("strøke & co"), chosen()) == (303, "strøke &amp; co")
        browser.cookies.set("pets-project", "sleep", path="/console", domain="testserver.local")
        assert chosen() in ("asthma", "strøke &amp; co")


def test_a_form_is_good_for_the_project_whose_page_it_was_on(keeper: Custodian) -> None:
    """Another tab may have chosen another since; what is asked then would be asked, and paid for, there."""
    names, who = {"asthma", "sleep"}, ["amina"]
    app = create_app(keeper, auth=lambda request: Identity(who[0], project="asthma", projects=frozenset(names)))
    with TestClient(app, follow_redirects=False) as browser:

        def choose(form: str, project: str) -> int:
            sent, headers = {"csrf": form, "project": project}, {"Origin": "http://testserver"}
            return int(browser.post("/console/project", data=sent, headers=headers).status_code)

        first = csrf(browser.get("/console/nowhere").text)
        assert (choose(first, "sleep"), choose(first, "asthma")) == (303, 403)
        second = csrf(browser.get("/console/nowhere").text)
        assert second != first and choose(second, "asthma") == 303
        who[0] = "ben"  # somebody else has logged in to the host since
        assert choose(first, "asthma") == 403


@pytest.mark.usefixtures("no_minute_passes")
def test_strangers_keep_nobody_from_logging_in(keeper: Custodian, secrets: dict[str, str]) -> None:
    limits = Limits(per_minute=3)
    app = create_app(keeper, supervisor=AtOnce(keeper), limits=limits)
    with (
        TestClient(app, base_url="http://localhost", follow_redirects=False) as stranger,
        TestClient(app, base_url="http://localhost", follow_redirects=False) as browser,
    ):
        assert [log_in(stranger, "pets_no").status_code for _ in range(5)] == [401] * 5
        assert log_in(browser, secrets["jo"]).status_code == 303
    # many of them are looked up no more, from where they come, and honest ones from elsewhere are
    app = create_app(keeper, supervisor=AtOnce(keeper))
    here = {"base_url": "http://localhost", "follow_redirects": False}
    with TestClient(app, client=("192.0.2.1", 5), **here) as stranger, TestClient(app, **here) as browser:
        seen = [log_in(stranger, f"pets_{number}").status_code for number in range(70)]
        assert (seen[0], seen[-1]) == (401, 429)
        assert log_in(browser, secrets["jo"]).status_code == 303


def test_where_the_host_knows_who_asks_there_is_no_login_here(keeper: Custodian) -> None:
    def who(request: Any) -> Identity:
        return replace(by_name(request), projects=frozenset({"board", "asthma"}))

    with TestClient(create_app(keeper, auth=who), follow_redirects=False) as browser:
        jo = {"who": "jo/board/auditor"}
        page = browser.get("/console/uses", headers=jo)
        assert page.status_code == 200 and "Log out" not in page.text
        assert browser.get("/console/uses", headers={"who": ""}).status_code == 401
        login = browser.get("/console/login", headers={"who": ""})
        assert login.status_code == 401 and "<form" not in login.text
        # its forms are told from those of other sites all the same
        fields = {"csrf": csrf(page.text), "project": "asthma"}
        for sent, origin, status in (
            (fields, "http://evil.example", 403),
            ({"project": "asthma"}, "http://testserver", 403),
            (fields, "http://testserver", 303),
        ):
            reply = browser.post("/console/project", data=sent, headers=jo | {"Origin": origin})
            assert reply.status_code == status, (sent, origin)


def test_a_login_with_a_provider_goes_with_the_services_own_tokens_alone(keeper: Custodian, tmp_path: Path) -> None:
    import pets

    flow = CodeFlow(Oidc("https://login.example.org", "pets", "https://login.example.org/jwks"), Client("console"))
    with pytest.raises(pets.UserError, match="leave one of them out"):
        create_app(keeper, auth=by_name, login=flow)
