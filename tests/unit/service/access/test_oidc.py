"""Tokens of a provider of logins, with keys that are made here: the good one, and everything that is nearly it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from pets.errors import UserError
from pets.service.access import oidc
from pets.service.access.identity import Identity
from pets.service.access.oidc import Oidc

ISSUER, AUDIENCE = "https://login.example.org", "pets"
KEYS: dict[str, Any] = {
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
WRITERS: dict[str, Any] = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}


def public(name: str, key: Any, algorithm: str, **more: object) -> dict[str, Any]:
    form = WRITERS[algorithm].to_jwk(key.public_key())
    return (json.loads(form) if isinstance(form, str) else form) | {"kid": name} | more


JWKS = {"keys": [public(name, key, name) for name, key in KEYS.items()]}


def claims(**changed: object) -> dict[str, object]:
    now = int(time.time())
    said = {"iss": ISSUER, "aud": AUDIENCE, "sub": "amina", "iat": now, "exp": now + 300} | changed
    return {name: value for name, value in said.items() if value is not None}


def signed(algorithm: str = "RS256", kid: str | None = None, key: Any = None, **changed: object) -> str:
    head = {"kid": algorithm if kid is None else kid}
    return jwt.encode(claims(**changed), KEYS[algorithm] if key is None else key, algorithm, headers=head)


@pytest.fixture(scope="module")
def provider() -> Oidc:
    return Oidc(ISSUER, AUDIENCE, JWKS)


@pytest.mark.parametrize("algorithm", KEYS)
def test_a_token_of_each_algorithm_says_who_asks(provider: Oidc, algorithm: str) -> None:
    found = provider.identify(
        signed(algorithm, pets_project=["asthma", "stroke"], pets_roles="analyst auditor other", pets_datasets=["a"])
    )
    assert found == Identity(
        "amina",
        project="asthma",
        roles=frozenset({"analyst", "auditor"}),
        datasets=frozenset({"a"}),
        projects=frozenset({"asthma", "stroke"}),
    )
    assert provider.identify(signed(algorithm)) == Identity("amina")  # what is not said is the least that there is


WRONG: dict[str, Callable[[], str]] = {
    "expired": lambda: signed(exp=int(time.time()) - 60),
    "not yet valid": lambda: signed(nbf=int(time.time()) + 120),
    "without an end": lambda: signed(exp=None),
    "for another service": lambda: signed(aud="other"),
    "for nobody": lambda: signed(aud=None),
    "of another provider": lambda: signed(iss="https://login.example.com"),
    "of no provider": lambda: signed(iss=None),
    "of nobody": lambda: signed(sub=None),
    "of a subject that is no name": lambda: signed(sub="a\nb"),
    "for a project that is no name": lambda: signed(pets_project=["a\x07b"]),
    "by a key that nobody published": lambda: signed(kid="other"),
    "by another's key under a known name": lambda: signed(
        key=rsa.generate_private_key(public_exponent=65537, key_size=2048)
    ),
    "without a key's name": lambda: jwt.encode(claims(), KEYS["RS256"], "RS256"),
    "alg=none": lambda: jwt.encode(claims(), None, "none", headers={"kid": "RS256"}),
    "alg=none with a signature": lambda: jwt.encode(claims(), None, "none", headers={"kid": "RS256"}) + "AAAA",
    "an algorithm that is not allowed": lambda: signed_by("RS512", KEYS["RS256"], "RS256"),
    "the public key as a shared secret": lambda: by_secret(),
    "another key's algorithm": lambda: signed_by("ES256", KEYS["ES256"], "RS256"),
    "altered": lambda: altered(signed()),
    "cut": lambda: signed().rpartition(".")[0],
    "no token": lambda: "a.b.c",
    "empty": lambda: "",
    "what only a later reader understands": lambda: jwt.encode(
        claims(), KEYS["RS256"], "RS256", headers={"kid": "RS256", "crit": ["b64"], "b64": True}
    ),
}


def signed_by(algorithm: str, key: Any, kid: str) -> str:
    return jwt.encode(claims(), key, algorithm, headers={"kid": kid})


def by_secret() -> str:
    """HS256 by the text of the public key: what a reader takes that lets the token choose."""
    import base64
    import hashlib
    import hmac

    def part(value: object) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

    text = part({"alg": "HS256", "kid": "RS256"}) + b"." + part(claims())
    secret = json.dumps(JWKS["keys"][0]).encode()
    mac = hmac.new(secret, text, hashlib.sha256).digest()
    return (text + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()


def altered(token: str) -> str:
    import base64

    head, body, signature = token.split(".")
    said = json.loads(base64.urlsafe_b64decode(body + "=="))
    again = base64.urlsafe_b64encode(json.dumps(said | {"sub": "mallory"}).encode()).rstrip(b"=").decode()
    return f"{head}.{again}.{signature}"


@pytest.mark.parametrize("name", WRONG)
def test_a_token_that_is_nearly_good_is_nobodys(provider: Oidc, name: str) -> None:
    assert provider.identify(WRONG[name]()) is None


def test_an_algorithm_that_the_owner_left_out_is_refused() -> None:
    found = Oidc(ISSUER, AUDIENCE, JWKS, algorithms=("ES256",))
    assert found.identify(signed("ES256")) is not None and found.identify(signed("RS256")) is None


def test_claims_have_the_names_that_the_owner_gives() -> None:
    names = {"subject": "email", "project": "https://example.org/team", "roles": "realm_access.roles"}
    found = Oidc(ISSUER, AUDIENCE, JWKS, claims=names)
    token = signed(email="a@example.org", realm_access={"roles": ["custodian"]}, **{"https://example.org/team": "x"})
    assert found.identify(token) == Identity("a@example.org", project="x", roles=frozenset({"custodian"}))
    assert found.identify(signed()) is None  # no email


def test_a_name_with_spaces_is_one_name(provider: Oidc) -> None:
    alpha, beta = (provider.identify(signed(pets_project=f"Team {name}")) for name in ("Alpha", "Beta"))
    assert alpha is not None and (alpha.project, alpha.projects) == ("Team Alpha", {"Team Alpha"})
    assert beta is not None and (beta.project, beta.projects) == ("Team Beta", {"Team Beta"})
    several = provider.identify(signed(pets_project=["Team Alpha", "x"], pets_datasets="hospital stays"))
    assert several is not None and several.projects == {"Team Alpha", "x"} and several.datasets == {"hospital stays"}


@pytest.mark.parametrize("claim", ["project", "roles", "datasets"])
def test_a_claim_that_the_owner_named_is_in_every_token(claim: str) -> None:
    found = Oidc(ISSUER, AUDIENCE, JWKS, claims={claim: "the.claim"})
    assert found.identify(signed(the={"claim": ["analyst"]})) is not None
    assert found.identify(signed()) is None and found.identify(signed(the={"other": ["analyst"]})) is None


@pytest.mark.parametrize("claim", ["pets_project", "pets_roles", "pets_datasets"])
@pytest.mark.parametrize("value", [{"a": 1}, 3, True, ["a", 1], [["a"]]])
def test_a_claim_of_another_type_makes_no_login(provider: Oidc, claim: str, value: Any) -> None:
    assert provider.identify(signed(**{claim: value})) is None


def test_a_claim_that_is_null_or_names_no_project_makes_no_login(provider: Oidc) -> None:
    for more in ({"pets_project": []}, {"pets_project": None}, {"pets_roles": None}, {"pets_datasets": None}):
        token = jwt.encode(claims() | more, KEYS["RS256"], "RS256", headers={"kid": "RS256"})
        assert provider.identify(token) is None, more


@pytest.mark.filterwarnings("ignore:The RSA key is 1024 bits")
def test_keys_for_other_uses_and_of_other_kinds_are_passed_over() -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    other = ec.generate_private_key(ec.SECP384R1())
    keys = [
        public("enc", KEYS["RS256"], "RS256", use="enc"),
        public("weak", weak, "RS256"),
        public("other", other, "ES256"),
        {"kty": "oct", "kid": "shared", "k": "c2VjcmV0"},
        {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"},
        "no key",
    ]
    found = Oidc(ISSUER, AUDIENCE, {"keys": keys})
    assert found.identify(signed(kid="enc")) is None
    assert found.identify(signed(kid="weak", key=weak)) is None
    assert found.identify(jwt.encode(claims(), "secret" * 8, "HS256", headers={"kid": "shared"})) is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"jwks": "http://login.example.org/keys"}, "https"),
        ({"jwks": "file:///etc/passwd"}, "https"),
        ({"jwks": "https://[::1"}, "https"),
        ({"jwks": {"key": []}}, "set of keys"),
        ({"algorithms": ("HS256",)}, "RS256"),
        ({"algorithms": ("none",)}, "RS256"),
        ({"algorithms": ()}, "RS256"),
        ({"claims": {"project": None}}, "the claim for project"),
        ({"claims": {"roles": " "}}, "the claim for roles"),
        ({"claims": {"role": "x"}}, "did you mean 'roles'"),
        ({"issuer": ""}, "issuer"),
        ({"device": {}}, "as which client"),
        ({"device": {"client": "x", "scop": "y"}}, "did you mean 'scope'"),
        ({"device": {"client": ""}}, "the client of a login"),
        ({"device": {"client": "x"}, "issuer": "http://login.example.org"}, "https://"),
        ({"jwks": "https://a:b@login.example.org/keys"}, "https"),
        ({"audience": None}, "audience"),
    ],
)
def test_settings_that_cannot_be_safe_are_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        Oidc(**{"issuer": ISSUER, "audience": AUDIENCE, "jwks": JWKS} | wrong)


@pytest.fixture
def published() -> Iterator[tuple[str, dict[str, Any]]]:
    """A provider on this machine: its address, and what it publishes and counts."""
    state: dict[str, Any] = {"keys": [public("RS256", KEYS["RS256"], "RS256")], "looks": 0}

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state["looks"] += 1
            body = json.dumps({"keys": state["keys"]}).encode()
            moved = state.get("to") if self.path == "/keys" else None
            self.send_response(302 if moved else state.get("status", 200))
            if moved:
                self.send_header("Location", moved)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Keys)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/keys", state
    server.shutdown()
    server.server_close()
    thread.join()


def test_new_keys_are_looked_for_and_unknown_names_bring_no_flood(published: tuple[str, dict[str, Any]]) -> None:
    url, state = published
    now = [0.0]
    found = Oidc(ISSUER, AUDIENCE, url, clock=lambda: now[0])
    assert found.identify(signed("RS256")) is not None and state["looks"] == 1
    for _ in range(20):
        assert found.identify(signed("ES256")) is None  # a name that is not published (yet)
    assert state["looks"] == 1
    state["keys"] = [public("ES256", KEYS["ES256"], "ES256")]  # the provider has changed its keys
    now[0] = 61.0
    assert found.identify(signed("ES256")) is not None and state["looks"] == 2
    assert found.identify(signed("RS256")) is None  # a key that was taken back is no key
    now[0] = 3700.0
    state["keys"] = []
    assert found.identify(signed("ES256")) is None and state["looks"] == 3  # nor is one that is looked at again


def test_keys_end_a_day_after_the_provider_was_last_there(published: tuple[str, dict[str, Any]]) -> None:
    url, state = published
    now = [0.0]
    found = Oidc(ISSUER, AUDIENCE, url, clock=lambda: now[0])
    assert found.identify(signed()) is not None
    state["status"] = 503
    now[0] = 86_000.0
    assert found.identify(signed()) is not None and state["looks"] == 2
    now[0] = 86_401.0
    assert found.identify(signed()) is None
    state["status"] = 200
    now[0] += 61.0
    assert found.identify(signed()) is not None


def test_a_redirect_over_an_address_that_could_be_changed_is_not_followed(
    published: tuple[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, state = published
    asked: list[str] = []
    real = oidc.check_url
    monkeypatch.setattr(oidc, "check_url", lambda one: (asked.append(one), real(one))[1])
    state["to"] = url.replace("/keys", "/moved")
    assert Oidc(ISSUER, AUDIENCE, url).identify(signed()) is not None  # (each address on the way may be asked)
    assert asked == [url, state["to"]] and state["looks"] == 2
    state["to"], state["looks"] = "http://login.example.org/keys", 0
    assert Oidc(ISSUER, AUDIENCE, url).identify(signed()) is None and state["looks"] == 1


def test_nobody_with_a_known_key_waits_for_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    looking, go = threading.Event(), threading.Event()
    keys = oidc._keys({"keys": [public("RS256", KEYS["RS256"], "RS256")]})
    looks: list[int] = []

    def fetched(_: str) -> Any:
        looks.append(len(looks))
        if len(looks) > 1:
            looking.set()
            assert go.wait(600)
        return keys

    monkeypatch.setattr(oidc, "_fetched", fetched)
    now = [0.0]
    found = Oidc(ISSUER, AUDIENCE, "https://login.example.org/keys", clock=lambda: now[0])
    assert found.identify(signed()) is not None
    now[0] = 100.0
    stranger = threading.Thread(target=found.identify, args=(signed("ES256"),))
    stranger.start()
    assert looking.wait(600)
    known: list[Any] = []
    one = threading.Thread(target=lambda: known.append(found.identify(signed())))
    one.start()
    one.join(600)
    assert known and known[0] is not None  # while the look goes on
    go.set()
    stranger.join()
    one.join()


def test_a_provider_that_is_away_lets_nobody_in_and_known_keys_last(published: tuple[str, dict[str, Any]]) -> None:
    url, _ = published
    now = [0.0]
    found = Oidc(ISSUER, AUDIENCE, url, clock=lambda: now[0])
    assert found.identify(signed()) is not None
    away = Oidc(ISSUER, AUDIENCE, "http://127.0.0.1:1/keys")
    assert away.identify(signed()) is None
