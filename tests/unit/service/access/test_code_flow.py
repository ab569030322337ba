"""A login at a provider by code flow with PKCE: the good one, and everything that somebody may slip into it."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from pets.errors import BusyError, UnauthenticatedError, UserError
from pets.service.access import code_flow, discovery
from pets.service.access.bearer import Bearer
from pets.service.access.code_flow import Begun, Client, CodeFlow, Login
from pets.service.access.discovery import Discovery
from pets.service.access.oidc import Oidc
from pets.service.console.desk import Desk
from tests.unit.service.access.test_oidc import AUDIENCE, ISSUER, JWKS, signed

BACK = "https://pets.example.org/console/login/return"
SAID = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/auth?realm=r",
    "token_endpoint": f"{ISSUER}/token",
}


class Provider:
    """What a provider answers, and what it was sent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.said: dict[str, Any] | None = dict(SAID)
        self.tokens: dict[str, Any] | None = {}
        self.sent: list[dict[str, str]] = []
        self.looks = 0
        self.away = False
        monkeypatch.setattr(discovery, "fetched", self.answer)
        monkeypatch.setattr(code_flow, "fetched", self.answer)

    def answer(self, url: str, form: dict[str, str] | None = None) -> Any:
        if self.away:
            raise BusyError("the provider of logins cannot be asked now", 5.0)
        if form is None:
            assert url == f"{ISSUER}/.well-known/openid-configuration"
            self.looks += 1
            if self.said is None:
                raise BusyError("the provider of logins cannot be asked now", 5.0)
            return self.said
        assert url == SAID["token_endpoint"]
        self.sent.append(dict(form))
        return self.tokens


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Provider:
    return Provider(monkeypatch)


def flow(**more: str) -> CodeFlow:
    return CodeFlow(Oidc(ISSUER, AUDIENCE, JWKS), Client("console", **more))


def test_the_way_out_and_the_way_back(provider: Provider) -> None:
    made = flow(secret="s3", resource="https://api")
    to, begun = made.begin(BACK)
    assert to.startswith(f"{ISSUER}/auth?realm=r&")
    asked = {name: values for name, (values,) in parse_qs(urlsplit(to).query).items()}
    digest = base64.urlsafe_b64encode(hashlib.sha256(begun.verifier.encode()).digest()).rstrip(b"=").decode()
    assert asked == {
        **{"realm": "r", "response_type": "code", "client_id": "console", "redirect_uri": BACK, "scope": "openid"},
        **{"state": begun.state, "nonce": begun.nonce, "code_challenge": digest, "code_challenge_method": "S256"},
        "resource": "https://api",
    }
    assert begun.verifier not in to and 43 <= len(begun.verifier) <= 128
    assert len({begun.state, begun.nonce, begun.verifier}) == 3 and made.begin(BACK)[1].state != begun.state
    provider.tokens = {
        "id_token": signed(aud="console", nonce=begun.nonce),
        "access_token": signed(pets_roles=["auditor"]),
        "refresh_token": "more",
        "expires_in": 300,
    }
    login = made.finish(begun, {"state": begun.state, "code": "the code", "iss": ISSUER}, BACK)
    assert provider.sent == [
        {
            **{"client_id": "console", "client_secret": "s3", "resource": "https://api"},
            **{"grant_type": "authorization_code", "code": "the code", "redirect_uri": BACK},
            "code_verifier": begun.verifier,
        }
    ]
    assert login == Login(provider.tokens["access_token"], "amina", "more")
    found = made.identify(login)
    assert found is not None and (found.subject, found.roles) == ("amina", {"auditor"})


def finished(made: CodeFlow, provider: Provider, **tokens: Any) -> Login:
    """What a login comes to with these tokens, and a right word about the login."""
    to, begun = made.begin(BACK)
    assert ("prompt" in parse_qs(urlsplit(to).query)) == ("offline_access" in made.client.scope)
    provider.tokens = {"id_token": signed(aud="console", nonce=begun.nonce)} | tokens
    return made.finish(begun, {"state": begun.state, "code": "c"}, BACK)


def test_a_login_outlives_its_token_where_the_provider_renews_it(provider: Provider) -> None:
    made = flow(scope="openid offline_access")
    login = finished(made, provider, access_token=signed())
    assert made.renewed(login) is None and len(provider.sent) == 1, "without what is good for a newer one"
    login = replace(login, refresh="r1")
    provider.tokens = {"access_token": signed(pets_roles=["auditor"])}
    newer = made.renewed(login)
    assert newer == Login(provider.tokens["access_token"], "amina", "r1") and made.identify(newer) is not None
    assert provider.sent[-1] == {"client_id": "console", "grant_type": "refresh_token", "refresh_token": "r1"}
    provider.tokens = {"access_token": signed(sub="other")}
    other = made.renewed(login)
    assert other is not None and made.identify(other) is None, "a session stays whose it is"
    provider.tokens = None
    assert made.renewed(login) is None, "the provider refuses"
    provider.away = True
    with pytest.raises(BusyError):  # which says nothing about the login
        made.renewed(login)
    assert made.renewed(Login("pets_x", refresh="r1")) is None, "a token of the service's own is nobody's to renew"


def test_a_session_goes_on_while_the_provider_is_away_and_ends_when_it_says_so(provider: Provider) -> None:
    made = flow(scope="openid offline_access")
    desk = Desk(Bearer(Nothing()), made)
    secret = desk.begin(finished(made, provider, access_token=signed(), refresh_token="r1"))
    session = desk.find(secret)
    assert session is not None and desk.identify(session).subject == "amina"
    session.login = replace(session.login, token=signed(exp=1))
    provider.away = True
    with pytest.raises(BusyError):
        desk.identify(session)
    provider.away, provider.tokens = False, {"access_token": signed(sub="other")}
    with pytest.raises(UnauthenticatedError, match="has ended"):
        desk.identify(session)
    provider.tokens = {"access_token": signed(), "refresh_token": "r2"}
    assert desk.identify(session).subject == "amina" and session.login.refresh == "r2"


@pytest.mark.parametrize(
    ("said", "way"),
    [
        (f"{ISSUER}/end", f"{ISSUER}/end?client_id=console"),
        (f"{ISSUER}/end?realm=r", f"{ISSUER}/end?realm=r&client_id=console"),
        ("http://login.example.org/end", None),
        (7, None),
    ],
)
def test_the_way_out_of_the_provider_is_what_it_says_itself(provider: Provider, said: Any, way: str | None) -> None:
    provider.away = True
    assert flow().way_out() is None
    provider.away, provider.said = False, SAID | {"end_session_endpoint": said}
    assert flow().way_out() == way
    provider.said = dict(SAID)
    assert flow().way_out() is None


class Nothing:
    """Of the service's own tokens none."""

    def identify(self, token: str) -> None:
        """Nobody."""


@pytest.mark.parametrize(
    "access", [lambda: signed(aud="payroll"), lambda: signed(sub="other"), lambda: "opaque", lambda: signed(exp=1)]
)
def test_who_may_log_in_at_the_provider_may_not_therefore_come_in(provider: Provider, access: Any) -> None:
    """The token for this service is what says so, and no other is taken in its place."""
    with pytest.raises(UnauthenticatedError, match="none for this service"):
        finished(flow(), provider, access_token=access())
    with pytest.raises(UnauthenticatedError, match="none for this service"):
        finished(flow(), provider)


def test_the_word_about_the_login_says_who_somebody_is_where_the_owner_chose_so(provider: Provider) -> None:
    made = flow(token="id")
    login = finished(made, provider, access_token=signed(pets_roles=["custodian"]))
    found = made.identify(login)
    assert found is not None and found.roles == {"analyst"} and login.token == provider.tokens["id_token"]  # type: ignore[index]
    assert made.provider.identify(login.token) is None, "at no endpoint, which the console's tokens are not for"
    assert flow().identify(login) is None


def wrong_queries(begun: Begun) -> dict[str, dict[str, str]]:
    return {
        "no state": {"code": "c"},
        "another's state": {"code": "c", "state": "x" * len(begun.state)},
        "half of it": {"code": "c", "state": begun.state[:-1]},
        "letters that are none of a state": {"code": "c", "state": "ü"},
        "of another provider": {"code": "c", "state": begun.state, "iss": "https://evil.example"},
        "no code": {"state": begun.state},
        "a refusal": {"state": begun.state, "error": "access_denied"},
    }


@pytest.mark.parametrize("kind", wrong_queries(Begun("s", "n", "v")))
def test_a_way_back_that_is_not_of_this_browser_asks_for_no_token(provider: Provider, kind: str) -> None:
    made = flow()
    _, begun = made.begin(BACK)
    provider.tokens = {"id_token": signed(aud="console", nonce=begun.nonce), "access_token": signed()}
    with pytest.raises(UnauthenticatedError):
        made.finish(begun, wrong_queries(begun)[kind], BACK)
    with pytest.raises(UnauthenticatedError):
        made.finish(None, {"state": begun.state, "code": "c"}, BACK)
    assert provider.sent == []


TOKENS: dict[str, Any] = {
    "none": lambda nonce: {"access_token": signed()},
    "of another login": lambda nonce: {"id_token": signed(aud="console", nonce="x"), "access_token": signed()},
    "of no login": lambda nonce: {"id_token": signed(aud="console"), "access_token": signed()},
    "for another client": lambda nonce: {"id_token": signed(aud="other", nonce=nonce), "access_token": signed()},
    "for the service": lambda nonce: {"id_token": signed(nonce=nonce), "access_token": signed()},
    "that another client was given": lambda nonce: {
        "id_token": signed(aud=["console", "other"], azp="other", nonce=nonce),
        "access_token": signed(),
    },
    "of another provider": lambda nonce: {"id_token": signed(aud="console", nonce=nonce, iss="https://evil.example")},
    "expired": lambda nonce: {"id_token": signed(aud="console", nonce=nonce, exp=1)},
    "no text": lambda nonce: {"id_token": 7, "access_token": signed()},
}


@pytest.mark.parametrize("kind", TOKENS)
def test_a_word_about_another_login_lets_nobody_in(provider: Provider, kind: str) -> None:
    made = flow()
    _, begun = made.begin(BACK)
    query = {"state": begun.state, "code": "c"}
    provider.tokens = TOKENS[kind](begun.nonce)
    with pytest.raises(UnauthenticatedError, match="log in again"):
        made.finish(begun, query, BACK)
    provider.tokens = None
    with pytest.raises(UnauthenticatedError, match="gave no token"):
        made.finish(begun, query, BACK)


@pytest.mark.parametrize(
    "said",
    [
        None,
        {"issuer": "https://evil.example"} | {k: v for k, v in SAID.items() if k != "issuer"},
        {"issuer": ISSUER},
        SAID | {"authorization_endpoint": 7},
    ],
)
def test_a_provider_that_is_away_or_another_is_asked_again_later(provider: Provider, said: Any) -> None:
    now = [0.0]
    found = Discovery(ISSUER, clock=lambda: now[0])
    provider.said = said
    for _ in range(3):
        with pytest.raises(BusyError, match="cannot be asked now"):
            found.address("authorization_endpoint")
    assert provider.looks == 1
    provider.said, now[0] = dict(SAID), 6.0
    if said is None:
        assert found.address("token_endpoint") == SAID["token_endpoint"]


def test_no_address_of_a_provider_may_be_read_on_the_way(provider: Provider) -> None:
    provider.said = SAID | {"token_endpoint": "http://login.example.org/token"}
    with pytest.raises(UserError, match="https"):
        Discovery(ISSUER).address("token_endpoint")
    with pytest.raises(UserError, match="https"):
        Discovery("http://login.example.org").address("token_endpoint")


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"id": ""}, "needs its id"),
        ({"scope": "profile"}, "openid"),
        ({"secret": "a\nb"}, "printable"),
        ({"token": "both"}, "access or the id token, not 'both'"),
    ],
)
def test_a_client_that_is_none_is_refused(more: dict[str, str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        Client(**{"id": "console"} | more)
