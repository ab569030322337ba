"""A real provider of logins for tests: ``oidc-provider`` of npm on this machine, and a person who logs in there.

Its packages are pinned in ``tests/oidc_provider`` and installed by ``npm ci`` there. Where Node.js or they are missing,
tests that need it are skipped with the command that mends that (npm's registry is no place of ours to promise).
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

FOLDER = Path(__file__).parent / "oidc_provider"
REMEDY = (
    "tests of logins need Node.js 18 or later (apt-get install nodejs npm), then: npm ci --prefix tests/oidc_provider"
)
AUDIENCE = "pets"
RESOURCE, ELSEWHERE = "https://pets.test/api", "https://elsewhere.test/api"
"""What a token is asked for: that of the service, which is also given where none is named, and that of another one."""

DEVICE, CONSOLE, SECRET = "pets-client", "pets-console", "a secret of forty letters that only tests use"
"""Clients: a public one for the device-code flow, and one with a secret for the code flow with PKCE."""

PASSWORD = "open sesame"
USERS: dict[str, dict[str, Any]] = {
    "amina": {"pets_project": ["asthma", "stroke"], "pets_roles": ["analyst"]},
    "ben": {"pets_project": "stroke", "pets_roles": "analyst auditor other"},
    "jo": {"pets_project": "stroke", "pets_roles": ["reviewer", "analyst"]},
    "carol": {"pets_project": "stroke", "pets_roles": ["custodian", "auditor"]},
    "nobody": {"pets_project": "stroke"},  # (no claim of roles)
}


class Provider:
    """A provider that runs; :func:`running` starts one.

    Attributes:
        issuer: its name and address.
        other: of another issuer with the same keys, users and clients.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        told = self._told()
        self.issuer, self.other = str(told["issuer"]), str(told["other"])

    @property
    def jwks(self) -> str:
        """Where it publishes its keys."""
        return f"{self.issuer}/jwks"

    def found(self, issuer: str | None = None) -> dict[str, Any]:
        """What it says of itself (OpenID Connect Discovery)."""
        return dict(self._get(f"{issuer or self.issuer}/.well-known/openid-configuration"))

    # what whoever runs it does ------------------------------------------------------------------------------------

    def rotate(self) -> None:
        """Other keys from now on; the old ones are published no more."""
        self._do(does="rotate")

    def sign_by(self, algorithm: str) -> None:
        """Sign access tokens by another algorithm."""
        self._do(does="algorithm", name=algorithm)

    def set_clock(self, seconds: float) -> None:
        """Its clock goes so many seconds before (negative: after) that of this machine."""
        self._do(does="clock", seconds=seconds)

    # what a person does in their browser --------------------------------------------------------------------------

    def enter(self, address: str, code: str, user: str, *, refuse: bool = False) -> str:
        """Enter the code of a device at that address and log in, or refuse; gives the last page."""
        with httpx.Client(follow_redirects=True, trust_env=False) as browser:
            page = _submit(browser, browser.get(address), user_code=code)
            page = _submit(browser, page, **({"abort": "yes"} if refuse else {}))
            return page.text if refuse else self._log_in(browser, page, user).text

    def code(self, address: str, user: str) -> dict[str, str]:
        """Log in at the address of an authorisation request; gives what comes back to the client, such as its code."""
        with httpx.Client(follow_redirects=False, trust_env=False) as browser:
            page, before = browser.get(address), urlsplit(self.issuer).netloc
            while True:
                if page.is_redirect:
                    there = str(page.headers["location"])
                    if urlsplit(there).netloc not in ("", before):
                        return {name: values[0] for name, values in parse_qs(urlsplit(there).query).items()}
                    page = browser.get(str(page.url.join(there)))
                else:
                    page = _submit(browser, page, user=user, password=PASSWORD)

    def _log_in(self, browser: httpx.Client, page: httpx.Response, user: str) -> httpx.Response:
        return _submit(browser, page, user=user, password=PASSWORD) if "/interaction/" in str(page.url) else page

    # tokens, without a client of pets -----------------------------------------------------------------------------

    def by_device(
        self, user: str, *, scope: str = "openid", resource: str | None = None, issuer: str | None = None
    ) -> dict[str, Any]:
        """The token endpoint's reply at the end of a device-code flow (RFC 8628)."""
        found = self.found(issuer)
        asked = {"client_id": DEVICE, "scope": scope} | ({} if resource is None else {"resource": resource})
        began = self._post(found["device_authorization_endpoint"], asked)
        self.enter(began["verification_uri"], began["user_code"], user)
        grant = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "client_id": DEVICE}
        return self._post(found["token_endpoint"], grant | {"device_code": began["device_code"]})

    def by_code(self, user: str, redirect: str) -> dict[str, Any]:
        """The token endpoint's reply at the end of a code flow with PKCE."""
        found, verifier = self.found(), secrets.token_urlsafe(48)
        digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {"client_id": CONSOLE, "response_type": "code", "redirect_uri": redirect, "scope": "openid"}
        asked |= {"code_challenge": digest, "code_challenge_method": "S256", "state": "s", "nonce": "n"}
        address = str(httpx.URL(found["authorization_endpoint"], params=asked))
        grant = {"grant_type": "authorization_code", "redirect_uri": redirect, "code_verifier": verifier}
        grant |= {"client_id": CONSOLE, "client_secret": SECRET, "code": self.code(address, user)["code"]}
        return self._post(found["token_endpoint"], grant)

    def published(self) -> list[dict[str, Any]]:
        """The keys that it publishes."""
        return list(self._get(self.jwks)["keys"])

    def _get(self, address: str) -> Any:
        return httpx.get(address, trust_env=False).raise_for_status().json()

    def _post(self, address: str, form: dict[str, str]) -> dict[str, Any]:
        reply = httpx.post(address, data=form, trust_env=False)
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    def _do(self, **command: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        assert self._told() == {"done": command["does"]}

    def _told(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the provider of logins has ended; it said why on stderr"
        return dict(json.loads(line))


@contextmanager
def running(*redirects: str, life: int = 300, grace: int = 600, **users: dict[str, Any]) -> Iterator[Provider]:
    """A provider that runs; skips the test where it cannot.

    Args:
        redirects: where the client :data:`CONSOLE` has people come back to.
        life: seconds that an access or ID token lasts.
        grace: seconds that the code of a device lasts.
        users: more of them, with their claims; each has the password :data:`PASSWORD`.
    """
    node = shutil.which("node")
    if node is None or not (FOLDER / "node_modules" / "oidc-provider").is_dir():
        pytest.skip(REMEDY)
    device = {"client_id": DEVICE, "token_endpoint_auth_method": "none", "redirect_uris": [], "response_types": []}
    device["grant_types"] = ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"]
    console = {"client_id": CONSOLE, "client_secret": SECRET, "token_endpoint_auth_method": "client_secret_post"}
    console |= {"redirect_uris": list(redirects) or ["http://127.0.0.1/"], "grant_types": ["authorization_code"]}
    settings = {
        "users": {name: claims | {"password": PASSWORD} for name, claims in (USERS | users).items()},
        "clients": [device, console],
        "audiences": {RESOURCE: AUDIENCE, ELSEWHERE: "elsewhere"},
        "life": life,
        "grace": grace,
    }
    process = subprocess.Popen(
        [node, str(FOLDER / "provider.mjs"), json.dumps(settings)],
        cwd=FOLDER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if name in ("PATH", "LANG")},
    )
    try:
        yield Provider(process)
    finally:
        process.kill()
        process.communicate()


class _Form(HTMLParser):
    """The first form of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag == "form":
            self.action = told.get("action") or ""
        elif tag == "input" and told.get("name"):
            self.fields[str(told["name"])] = told.get("value") or ""


def _submit(browser: httpx.Client, page: httpx.Response, **given: str) -> httpx.Response:
    """Fill a page's form, and send it."""
    form = _Form()
    form.feed(page.text)
    assert form.action is not None, f"there is no form at {page.url} ({page.status_code}): {page.text[:500]}"
    return browser.post(page.url.join(form.action) if form.action else page.url, data=form.fields | given)
