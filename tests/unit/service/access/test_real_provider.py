"""Tokens of a real provider of logins: those of its flows are taken, and what is nearly one of them is nobody's."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from pets.service.access.identity import Identity
from pets.service.access.oidc import Oidc
from tests import login_provider
from tests.login_provider import AUDIENCE, ELSEWHERE, Provider

BACK = "http://127.0.0.1:9/back"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with login_provider.running(BACK) as found:
        yield found


@pytest.fixture
def oidc(provider: Provider) -> Oidc:
    return Oidc(provider.issuer, AUDIENCE, provider.jwks)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_person_s_login_with_a_code_says_who_asks(provider: Provider, oidc: Oidc, algorithm: str) -> None:
    provider.sign_by(algorithm)
    try:
        token = provider.by_device("amina")["access_token"]
    finally:
        provider.sign_by("RS256")
    assert jwt.get_unverified_header(token)["alg"] == algorithm
    assert oidc.identify(token) == Identity("amina", project="asthma", projects=frozenset({"asthma", "stroke"}))


def test_a_login_in_a_browser_says_the_same(provider: Provider, oidc: Oidc) -> None:
    tokens = provider.by_code("ben", BACK)
    assert oidc.identify(tokens["access_token"]) == Identity(
        "ben", project="stroke", roles=frozenset({"analyst", "auditor"})
    )
    assert oidc.identify(tokens["id_token"]) is None, "it is for the client, and not for the service"


def test_a_login_without_roles_is_the_least_unless_the_owner_named_the_claim(provider: Provider, oidc: Oidc) -> None:
    token = provider.by_device("nobody")["access_token"]
    assert oidc.identify(token) == Identity("nobody", project="stroke")
    assert Oidc(provider.issuer, AUDIENCE, provider.jwks, claims={"roles": "pets_roles"}).identify(token) is None


def test_a_token_for_another_service_or_of_another_issuer_is_nobody_s(provider: Provider, oidc: Oidc) -> None:
    assert oidc.identify(provider.by_device("amina", resource=ELSEWHERE)["access_token"]) is None
    theirs = provider.by_device("amina", issuer=provider.other)["access_token"]  # signed with the very same keys
    assert oidc.identify(theirs) is None
    assert Oidc(provider.other, AUDIENCE, provider.jwks).identify(theirs) is not None


def test_a_token_that_has_ended_is_nobody_s(provider: Provider, oidc: Oidc) -> None:
    provider.set_clock(-400)
    try:
        late = provider.by_device("amina")["access_token"]
    finally:
        provider.set_clock(0)
    assert oidc.identify(late) is None and oidc.identify(provider.by_device("amina")["access_token"]) is not None


def test_nobody_signs_in_the_provider_s_place(provider: Provider, oidc: Oidc) -> None:
    token = provider.by_device("amina")["access_token"]
    head, body, signature = token.split(".")
    said = json.loads(base64.urlsafe_b64decode(head + "=="))

    def headed(**changed: str) -> str:
        return base64.urlsafe_b64encode(json.dumps(said | changed).encode()).rstrip(b"=").decode()

    (published,) = [one for one in provider.published() if one["kid"] == said["kid"]]
    key = jwt.PyJWK(published).key
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    for secret in (pem, json.dumps(published).encode()):
        text = f"{headed(alg='HS256')}.{body}"
        mac = base64.urlsafe_b64encode(hmac.new(secret, text.encode(), hashlib.sha256).digest()).rstrip(b"=")
        assert oidc.identify(f"{text}.{mac.decode()}") is None
    assert oidc.identify(f"{headed(alg='none')}.{body}.") is None
    assert oidc.identify(f"{headed(alg='none')}.{body}.{signature}") is None
    (other,) = [one["kid"] for one in provider.published() if one["kty"] == "EC"]
    assert oidc.identify(f"{headed(kid=other, alg='ES256')}.{body}.{signature}") is None
    assert oidc.identify(token) is not None


def test_keys_that_the_provider_changed_are_found_and_the_old_ones_end(provider: Provider) -> None:
    now = [0.0]
    oidc = Oidc(provider.issuer, AUDIENCE, provider.jwks, clock=lambda: now[0])
    before = provider.by_device("amina")["access_token"]
    assert oidc.identify(before) is not None
    provider.rotate()
    after = provider.by_device("amina")["access_token"]
    assert jwt.get_unverified_header(before)["kid"] != jwt.get_unverified_header(after)["kid"]
    assert oidc.identify(after) is None, "within a minute nobody looks twice"
    now[0] = 61.0
    assert oidc.identify(after) is not None and oidc.identify(before) is None
