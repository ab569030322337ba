"""``pets login``: a token in a file of one's own, which the commands after it read, and nothing else of a login."""

from __future__ import annotations

import stat
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from pets.cli.connection.login import kept
from pets.cli.main import run
from pets.errors import UnauthenticatedError
from pets.service.client.login import Login
from pets.service.client.transport import Transport
from pets.service.wire.problems import problem, status

URL, ISSUER = "https://data.example/pets", "https://login.example"
FOUND = {"issuer": ISSUER, "device_authorization_endpoint": f"{ISSUER}/d", "token_endpoint": f"{ISSUER}/t"}
BEGAN = {"device_code": "d", "user_code": "WXYZ", "verification_uri": f"{ISSUER}/enter", "expires_in": 600}
GIVEN = {"access_token": "the.access.token", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "the-refresh"}


class Service:
    """A service that knows one token, and its provider."""

    def __init__(self) -> None:
        self.login: Any = {"issuer": ISSUER, "client": "pets-client", "scope": "openid", "resource": None}

    def reply(self, request: httpx.Request) -> httpx.Response:
        spoken = {"Pets-Protocol": "1"}
        if request.url.path == "/pets/login":
            return httpx.Response(200, json={"login": self.login}, headers=spoken)
        if request.headers.get("authorization") != f"Bearer {GIVEN['access_token']}":
            error = UnauthenticatedError("the token is not valid here, or no longer; log in again")
            return httpx.Response(status(error), json=problem(error), headers=spoken)
        return httpx.Response(200, json={"analyst": "amina", "project": "asthma", "datasets": []}, headers=spoken)

    def exchange(self, url: str, form: Any = None, **_: Any) -> tuple[int, Any]:
        replies: dict[str, Any] = {f"{ISSUER}/d": BEGAN, f"{ISSUER}/t": GIVEN}
        return 200, replies.get(url, FOUND)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Service:
    found = Service()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PETS_TOKEN", raising=False)

    def carried(*given: Any, **more: Any) -> Transport:
        return Transport(*given, **more | {"sent_by": httpx.MockTransport(found.reply)})

    monkeypatch.setattr("pets.service.client.transport.Transport", carried)
    monkeypatch.setattr("pets.service.client.connect.Transport", carried)
    monkeypatch.setattr("pets.service.client.transport.exchange", found.exchange)
    monkeypatch.setattr("pets.service.client.login.Login", partial(Login, sleep=lambda seconds: None))
    return found


def test_a_token_is_kept_for_its_owner_alone_and_read_by_the_next_command(
    service: Service, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    ask = ["quote", "--service", URL, "--count", "n", "--epsilon", "1"]
    assert run(ask) == 2 and f"or log in: pets login --service {URL}" in capsys.readouterr().err
    assert run(["login", "--service", URL]) == 0
    told = capsys.readouterr()
    path = Path(told.out.strip())
    assert path == kept(URL) == kept(URL + "/") and tmp_path in path.parents
    assert "open https://login.example/enter and enter the code WXYZ" in told.err
    assert "Logged in as amina, project asthma, for 59 min" in told.err or "for 60 min" in told.err
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and path.read_text() == f"{GIVEN['access_token']}\n"
    written = [one for one in tmp_path.rglob("*") if one.is_file()]
    assert written == [path] and "the-refresh" not in path.read_text() + told.out + told.err
    assert GIVEN["access_token"] not in told.out + told.err
    assert run(ask) != 0  # who asks is known by now, and may ask about nothing
    assert "may ask about no dataset" in capsys.readouterr().err
    path.write_text("of yesterday\n")
    assert run(ask) == 17 and "log in again" in capsys.readouterr().err
    assert run(["login", "--service", URL, "--forget"]) == 0 and not path.exists()


def test_a_service_without_a_provider_says_so(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    service.login = None
    assert run(["login", "--service", URL]) == 2 and "has no provider of logins" in capsys.readouterr().err
    service.login = {"issuer": "http://login.example", "client": "x"}
    assert run(["login", "--service", URL]) == 2 and "is at an https:// address" in capsys.readouterr().err
    service.login = {"issuer": ISSUER, "client": "x"}
    assert run(["login", "--service", URL.replace("https", "http")]) == 2
    assert "could be read on its way" in capsys.readouterr().err
    assert not kept(URL).exists()


def test_a_token_is_kept_only_where_the_service_takes_it(
    service: Service, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = partial(Transport, sent_by=httpx.MockTransport(_strict))
    monkeypatch.setattr("pets.service.client.transport.Transport", strict)
    assert run(["login", "--service", URL]) == 17 and not kept(URL).exists()


def _strict(request: httpx.Request) -> httpx.Response:
    if request.url.path == "/pets/login":
        told = {"issuer": ISSUER, "client": "pets-client"}
        return httpx.Response(200, json={"login": told}, headers={"Pets-Protocol": "1"})
    error = UnauthenticatedError("the token is not valid here; ask the custodian")
    return httpx.Response(status(error), json=problem(error), headers={"Pets-Protocol": "1"})
