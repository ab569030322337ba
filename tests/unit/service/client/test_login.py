"""A login with a code that a person enters in a browser (RFC 8628): what is shown, how often it looks, what ends it."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

import pets
from pets.errors import NotFoundError, UnauthenticatedError, UserError
from pets.service.access.bearer import Bearer
from pets.service.access.oidc import Oidc
from pets.service.access.tokens import ServiceTokens
from pets.service.client.connect import offer
from pets.service.client.login import Login, Tokens
from pets.service.client.transport import Transport, exchange
from pets.service.wire.device_login import DeviceLogin
from pets.service.wire.errors import ServiceDownError
from tests import http_services, login_provider
from tests.login_provider import AUDIENCE, DEVICE, RESOURCE

ISSUER, SERVICE = "https://login.example/realms/x", "https://pets.example"
TOLD = DeviceLogin(ISSUER, "pets-client", resource="https://pets.example/api")
FOUND = {
    "issuer": ISSUER,
    "device_authorization_endpoint": f"{ISSUER}/device",
    "token_endpoint": f"{ISSUER}/token",
}
BEGAN = {
    "device_code": "d",
    "user_code": "WDJB-MJHT",
    "verification_uri": "https://login.example/enter",
    "expires_in": 1800,
}
GIVEN = {"access_token": "a.b.c", "token_type": "Bearer", "expires_in": 300, "refresh_token": "r1"}


def problem(code: str) -> tuple[int, Any]:
    return 400, {"error": code}


class Place:
    """A provider that says what a test wants it to; and a clock that goes on while somebody waits."""

    def __init__(self, *replies: Any, **changed: Any) -> None:
        self.replies = list(replies)
        self.found: Any = FOUND
        self.began: Any = {name: value for name, value in (BEGAN | changed).items() if value is not None}
        self.now = 0.0
        self.waits: list[float] = []
        self.forms: list[dict[str, str]] = []

    def login(self, told: DeviceLogin = TOLD) -> Login:
        return Login(
            told,
            partial(exchange, timeout=5.0, sent_by=httpx.MockTransport(self.reply)),
            SERVICE,
            clock=lambda: self.now,
            sleep=self.sleep,
        )

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def reply(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["accept"] == "application/json" and "authorization" not in request.headers
        if request.url.path.endswith("/.well-known/openid-configuration"):
            return httpx.Response(200, json=self.found)
        self.forms.append({name: values[0] for name, values in parse_qs(request.content.decode()).items()})
        if request.url.path.endswith("/device"):
            status, body = self.began if isinstance(self.began, tuple) else (200, self.began)
            return httpx.Response(status, json=body)
        one = self.replies.pop(0)
        if isinstance(one, Exception):
            raise one
        status, body = one if isinstance(one, tuple) else (200, one)
        return httpx.Response(status, json=body)


def test_a_person_is_shown_one_line_and_looked_for_as_the_rfc_says(capsys: pytest.CaptureFixture[str]) -> None:
    pending, slower = problem("authorization_pending"), problem("slow_down")
    place = Place(pending, slower, pending, httpx.ReadTimeout("away"), (503, None), pending, GIVEN)
    login = place.login()
    assert login.tokens == Tokens("a.b.c", place.now + 300, "r1")
    told = capsys.readouterr()
    assert told.out == "" and told.err.splitlines() == [
        "pets: to log in for https://pets.example, open https://login.example/enter and enter the code WDJB-MJHT "
        "(within 30 min)"
    ]
    assert place.waits == [5, 5, 10, 10, 20, 40, 40], "slower where it is told so, and where nobody answers"
    asked = {"client_id": "pets-client", "scope": "openid offline_access", "resource": "https://pets.example/api"}
    looked = {"client_id": "pets-client", "device_code": "d"}
    assert place.forms[0] == asked
    assert all(
        form == looked | {"grant_type": "urn:ietf:params:oauth:grant-type:device_code"} for form in place.forms[1:]
    )
    assert login.tokens.access == "a.b.c" and len(place.forms) == 8, "who is logged in is not asked again"


@pytest.mark.parametrize(("interval", "waited"), [(None, 5), (2, 2), (0, 1), (10**7, 60), ("7", 5), (True, 5)])
def test_the_provider_says_how_often_and_is_not_asked_without_a_pause(interval: Any, waited: float) -> None:
    place = Place(GIVEN, interval=interval)
    place.login().tokens  # noqa: B018
    assert place.waits == [waited]


def test_a_whole_address_is_shown_with_the_code_to_compare(capsys: pytest.CaptureFixture[str]) -> None:
    Place(GIVEN, verification_uri_complete="https://login.example/enter?c=WDJB-MJHT").login().tokens  # noqa: B018
    assert "open https://login.example/enter?c=WDJB-MJHT and see that it shows WDJB-MJHT" in capsys.readouterr().err


def test_what_a_provider_says_cannot_steer_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Place(GIVEN, user_code="A\x1b[2J").login().tokens  # noqa: B018
    assert "\x1b" not in capsys.readouterr().err
    with pytest.raises(UserError) as caught:
        Place(problem("odd\x1b[2J")).login().tokens  # noqa: B018
    assert "\x1b" not in str(caught.value)


ENDS: dict[str, tuple[Callable[[], Place], type[Exception], str]] = {
    "refused": (lambda: Place(problem("access_denied")), UnauthenticatedError, "was refused at its provider"),
    "too late": (lambda: Place(problem("expired_token")), UnauthenticatedError, "nobody entered the code in time"),
    "too late by this clock": (
        lambda: Place(*[problem("authorization_pending")] * 2, expires_in=14),
        UnauthenticatedError,
        "nobody entered the code in time",
    ),
    "another client": (lambda: Place(problem("invalid_client")), UserError, "answers 'invalid_client'"),
    "no such client": (lambda: _began((401, {"error": "invalid_client"})), UserError, "answers 'invalid_client'"),
    "no answer": (lambda: Place((400, ["x"])), UserError, "its answer is none of a login"),
    "no token": (lambda: Place({"token_type": "Bearer"}), UserError, "gave no access_token"),
    "a bound token": (lambda: Place(GIVEN | {"token_type": "DPoP"}), UserError, "none that are sent as they are"),
    "a token of two lines": (lambda: Place(GIVEN | {"access_token": "a\r\nb"}), UserError, "none that can be sent"),
    "a page by http": (lambda: Place(verification_uri="http://login.example"), UserError, "could change"),
    "a script for a page": (lambda: Place(verification_uri_complete="javascript:x"), UserError, "could change"),
    "no code": (lambda: Place(user_code=None), UserError, "gave no user_code"),
    "another issuer": (lambda: _found(issuer="https://other.example"), UserError, "calls itself 'https://other"),
    "no such flow": (lambda: _found(device_authorization_endpoint=None), UserError, "has no device-code flow"),
    "tokens by http": (lambda: _found(token_endpoint="http://login.example/t"), UserError, "could be read on the way"),
    "no description": (lambda: _found(None), UserError, "does not describe itself"),
}


def _began(reply: Any) -> Place:
    place = Place()
    place.began = reply
    return place


def _found(*whole: Any, **changed: Any) -> Place:
    place = Place(GIVEN)
    place.found = whole[0] if whole else FOUND | changed
    return place


@pytest.mark.parametrize("name", ENDS)
def test_what_ends_a_login_is_said_with_its_remedy(name: str) -> None:
    made, kind, said = ENDS[name]
    with pytest.raises(kind, match=said) as caught:
        made().login().tokens  # noqa: B018
    assert type(caught.value) is kind and "a.b.c" not in str(caught.value)
    assert "connect again" in str(caught.value) or "tell whoever runs the service" in str(caught.value)


def test_a_provider_that_is_away_is_said() -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no")

    login = Login(TOLD, partial(exchange, timeout=5.0, sent_by=httpx.MockTransport(away)), SERVICE)
    with pytest.raises(ServiceDownError, match=r"provider of logins at login\.example cannot be reached"):
        login.tokens  # noqa: B018


def test_a_login_is_renewed_before_it_ends_and_once_it_is_refused() -> None:
    later = GIVEN | {"access_token": "second", "refresh_token": "r2"}
    kept = {name: value for name, value in GIVEN.items() if name != "refresh_token"} | {"access_token": "third"}
    place = Place(GIVEN, later, kept, (503, None), problem("invalid_grant"))
    login = place.login()
    assert login.tokens.access == "a.b.c"
    place.now += 269
    assert login.tokens.access == "a.b.c"
    place.now += 1
    assert login.tokens.access == "second" and place.forms[-1]["refresh_token"] == "r1"
    assert login.renew("second") and login.tokens == Tokens("third", place.now + 300, "r2"), "it gave no other one"
    assert login.renew("second") and place.forms[-1]["refresh_token"] == "r2", "another thread's is not renewed again"
    assert len(place.forms) == 4
    with pytest.raises(ServiceDownError, match="does not answer now"):
        login.renew("third")
    with pytest.raises(UnauthenticatedError, match="connect again to log in once more"):
        login.renew("third")
    unrenewable = Place({name: value for name, value in GIVEN.items() if name != "refresh_token"}).login()
    assert unrenewable.tokens.refresh is None and not unrenewable.renew("a.b.c")


def test_a_request_whose_token_is_refused_is_sent_again_with_another_one_once() -> None:
    tokens: list[str] = []

    def service(request: httpx.Request) -> httpx.Response:
        tokens.append(request.headers["authorization"])
        body = {"code": "unauthenticated", "detail": "the token is not valid here"}
        known = tokens[-1] == f"Bearer {valid}"
        return httpx.Response(200 if known else 401, json={} if known else body, headers={"Pets-Protocol": "1"})

    line = Transport("https://pets.example", None, None, 5.0, sent_by=httpx.MockTransport(service))
    line.log_in(Place(GIVEN, GIVEN | {"access_token": "second"}, GIVEN | {"access_token": "third"}).login())
    valid = "second"
    assert line.get("datasets") == {} and tokens == ["Bearer a.b.c", "Bearer second"]
    valid = "none"
    with pytest.raises(UnauthenticatedError, match="not valid here"):
        line.get("datasets")
    assert tokens[2:] == ["Bearer second", "Bearer third"]


def test_a_login_shows_no_token_and_is_never_pickled() -> None:
    login = Place(GIVEN).login()
    shown = repr(login) + repr(login.tokens) + str(login.tokens)
    assert "a.b.c" not in shown and "r1" not in shown
    with pytest.raises(UserError, match="never pickled"):
        pickle.dumps(login)


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "http://login.example", "client": "x"},
        {"issuer": ISSUER, "client": ""},
        {"issuer": ISSUER, "client": "a\nb"},
        {"issuer": ISSUER, "client": "x", "scope": 3},
        {"issuer": ISSUER},
        "x",
    ],
)
def test_what_a_service_says_of_its_provider_is_checked(wrong: Any) -> None:
    with pytest.raises(UserError):
        DeviceLogin.from_json(wrong)
    assert DeviceLogin.from_json(TOLD.to_json() | {"later": 1}) == TOLD


# with a real provider, and the service --------------------------------------------------------------------------------


class Both(httpx.BaseTransport):
    """Requests to the service go to an application of this process, all others over the network."""

    def __init__(self, service: httpx.BaseTransport) -> None:
        self._service, self._network = service, httpx.HTTPTransport()
        self.seen: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        return (self._service if request.url.host == "pets.test" else self._network).handle_request(request)


def test_a_connection_without_a_token_logs_in_and_is_renewed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keeper = http_services.custodian(tmp_path)
    with login_provider.running() as provider:
        device = {"client": DEVICE, "resource": RESOURCE}
        oidc = Oidc(provider.issuer, AUDIENCE, provider.jwks, device=device)
        people: list[tuple[str, bool]] = [("amina", True), ("ben", False)]

        def person(seconds: float) -> None:
            line = capsys.readouterr().err
            address = line.split("open ")[1].split(" ")[0]
            user, refuses = people.pop()
            provider.enter(address, line.split("shows ")[1].split(" ")[0], user, refuse=refuses)

        monkeypatch.setattr("pets.service.client.connect.Login", partial(Login, sleep=person))
        with http_services.served(keeper, auth=Bearer(ServiceTokens(keeper.ledger), oidc)) as client:
            assert client.get("/login").json() == {
                "login": {
                    "issuer": provider.issuer,
                    "client": DEVICE,
                    "scope": "openid offline_access",
                    "resource": RESOURCE,
                }
            }
            carried = Both(http_services.Carried(client))
            connection = pets.connect("https://pets.test", key=keeper.ledger.key, progress=False, transport=carried)
            assert (connection.analyst, connection.project) == ("ben", "stroke")
            sent = {one.url.host for one in carried.seen if "authorization" in one.headers}
            assert sent == {"pets.test"}, "a token goes to the service alone"
            tokens = connection._transport._login.tokens  # type: ignore[union-attr]
            assert tokens.access not in repr(vars(connection)) and tokens.refresh is not None
            monkeypatch.setattr(oidc, "identify", _once_refused(oidc.identify))
            left = connection.remaining()  # refused once, renewed by itself, and sent again
            assert left.spent.loss == 0 and connection._transport._login.tokens.access != tokens.access  # type: ignore[union-attr]
            with pytest.raises(UnauthenticatedError, match="was refused at its provider"):
                pets.connect("https://pets.test", key=keeper.ledger.key, transport=carried)


def _once_refused(identify: Callable[[str], Any]) -> Callable[[str], Any]:
    refusals = [True]

    def answer(token: str) -> Any:
        return None if refusals and refusals.pop() else identify(token)

    return answer


def test_where_there_is_no_provider_the_service_s_own_words_are_raised(tmp_path: Path) -> None:
    keeper = http_services.custodian(tmp_path)
    with http_services.served(keeper, auth=Bearer(ServiceTokens(keeper.ledger))) as client:
        assert client.get("/login").json() == {"login": None}
        carried = http_services.Carried(client)
        with pytest.raises(UnauthenticatedError, match=r"say who asks.*; here it goes in pets\.connect"):
            pets.connect("http://localhost", transport=carried)
        with pytest.raises(UnauthenticatedError, match="not valid here"):
            pets.connect("http://localhost", token="pets_x", transport=carried)
        with pytest.raises(NotFoundError, match="not at http://localhost/pets; check the path of the address"):
            pets.connect("http://localhost/pets", token="pets_x", transport=carried)


@pytest.mark.parametrize(
    ("url", "resource", "scope", "refused"),
    [
        ("https://data.example/pets", "https://mail.example/api", "openid", "https://mail.example/api"),
        ("https://data.example/pets", "http://data.example/pets", "openid", "http://data.example/pets"),
        ("https://data.example/pets", "https://data.example.evil/pets", "openid", "https://data.example.evil/pets"),
        ("https://data.example/pets", "https://data.example:8443/pets", "openid", "https://data.example:8443/pets"),
        ("https://data.example/pets", "urn:mail", "openid", "urn:mail"),
        ("https://data.example/pets", None, "openid api://mail/send", "api://mail/send"),
        ("https://data.example/pets", "https://data.example/pets", "openid offline_access pets", None),
        ("https://data.example/pets", "https://data.example/api", "openid", None),
        ("https://data.example/pets", None, "openid offline_access", None),
        ("http://127.0.0.1:8470", "https://data.example/api", "openid", None),
    ],
)
def test_nobody_logs_in_for_another_service_than_the_one_that_is_given_the_token(
    url: str, resource: str | None, scope: str, refused: str | None
) -> None:
    def reply(request: httpx.Request) -> httpx.Response:
        told = DeviceLogin(ISSUER, "pets-client", scope, resource)
        return httpx.Response(200, json={"login": told.to_json()}, headers={"Pets-Protocol": "1"})

    line = Transport(url, None, None, 5.0, sent_by=httpx.MockTransport(reply))
    if refused is None:
        assert offer(line) == DeviceLogin(ISSUER, "pets-client", scope, resource)
        return
    with pytest.raises(UserError, match=re.escape(f"wants a login for {refused!r}, which is another service")):
        offer(line)


def test_a_login_s_token_is_never_sent_in_the_clear() -> None:
    def reply(request: httpx.Request) -> httpx.Response:
        headers = {"Pets-Protocol": "1"}
        if request.url.path == "/login":
            return httpx.Response(200, json={"login": DeviceLogin(ISSUER, "x").to_json()}, headers=headers)
        body = {"code": "unauthenticated", "detail": "log in"}
        return httpx.Response(401, content=json.dumps(body), headers=headers)

    with pytest.raises(UserError, match="could be read on its way"):
        pets.connect("http://data.example", transport=httpx.MockTransport(reply))


@pytest.mark.parametrize(("url", "trusts"), [("http://127.0.0.1:1", False), ("https://login.example", True)])
def test_a_provider_on_this_machine_is_asked_through_no_proxy(
    url: str, trusts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[bool] = []

    class Client(httpx.Client):
        def __init__(self, **given: Any) -> None:
            made.append(given["trust_env"])
            super().__init__(**given | {"trust_env": False, "transport": httpx.MockTransport(lambda _: OK)})

    OK = httpx.Response(200, json={})
    monkeypatch.setattr(httpx, "Client", Client)
    assert exchange(url, timeout=1.0) == (200, {}) and made == [trusts]
    Transport(url, None, None, 1.0).close()
    assert made == [trusts] * 2
