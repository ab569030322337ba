"""Code flow: a person logs in at a provider, in a browser, and comes back with a code that is good for one token.

OpenID Connect Core 1.0, 3.1, with PKCE (RFC 7636, S256). The code is worth nothing without the verifier, which only the
browser that began has; ``state`` ties the way back to the way out, ``nonce`` the token to this login.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from pets.common.entropy import random_bytes
from pets.errors import UnauthenticatedError, UserError
from pets.service.access.discovery import Discovery, fetched
from pets.service.access.identity import Identity
from pets.service.access.oidc import Oidc

SCOPE = "openid"


@dataclass(frozen=True)
class Client:
    """What the console is to a provider of logins: one of its clients.

    Attributes:
        id: its name there.
        secret: where the provider gave one.
        scope: what is asked for; it has ``openid`` in it. With ``offline_access``, many providers let a login outlive
            their tokens.
        resource: for whom the access token is to be, where the provider wants that said (RFC 8707).
    """

    id: str
    secret: str = ""
    scope: str = SCOPE
    resource: str = ""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not isinstance(value, str) or not (value.isprintable() and len(value) <= 1000):
                raise UserError(f"the {name} of a login's client is a printable text, as the provider gives it")
        if not self.id:
            raise UserError("the client of a login needs its id, as the provider gives it")
        if "openid" not in self.scope.split():
            raise UserError("the scope of a login's client must have 'openid' in it; add it, as in 'openid profile'")


@dataclass(frozen=True)
class Login:
    """The token with which somebody logged in.

    Attributes:
        by_provider: whether a provider of logins gave it; else it is one of the service's own.
        about: whether it is the ID token, which is about the login and for the client; else it is for the service.
        refresh: what is good for a newer one, where the provider gave such.
    """

    token: str
    by_provider: bool = False
    about: bool = False
    refresh: str = ""


@dataclass(frozen=True)
class Begun:
    """A login under way; the browser that began it keeps this, and nobody else.

    >>> Begun.read(Begun("a", "b", "c").text), Begun.read("anything")
    (Begun(state='a', nonce='b', verifier='c'), None)
    """

    state: str
    nonce: str
    verifier: str

    @property
    def text(self) -> str:
        """As a cookie holds it."""
        return ".".join((self.state, self.nonce, self.verifier))

    @classmethod
    def read(cls, text: str) -> Begun | None:
        """The inverse of :attr:`text`; ``None`` for anything else."""
        parts = text.split(".")
        return cls(*parts) if len(parts) == 3 and all(parts) else None


class CodeFlow:
    """Logins at one provider.

    Args:
        provider: who checks its tokens, here as at every endpoint.
        client: what the console is there.
    """

    def __init__(self, provider: Oidc, client: Client) -> None:
        self.provider, self.client = provider, client
        self._found = Discovery(provider.issuer)

    @property
    def host(self) -> str:
        """Where people log in, to be named on a page."""
        return urlsplit(self.provider.issuer).netloc

    def begin(self, back: str) -> tuple[str, Begun]:
        """Where to send a browser, and what it keeps until it comes back to the address ``back``."""
        begun = Begun(_text(), _text(), _text())
        asked = {
            "response_type": "code",
            "client_id": self.client.id,
            "redirect_uri": back,
            "scope": self.client.scope,
            "state": begun.state,
            "nonce": begun.nonce,
            "code_challenge": _base64(hashlib.sha256(begun.verifier.encode()).digest()),
            "code_challenge_method": "S256",
        } | self._resource
        if "offline_access" in self.client.scope.split():
            asked["prompt"] = "consent"  # without which a provider must not grant it
        address = self._found.address("authorization_endpoint")
        return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}", begun

    def finish(self, begun: Begun | None, query: Mapping[str, str], back: str) -> Login:
        """What the provider gives for the code that a browser came back with.

        Raises:
            UnauthenticatedError: where this browser began no such login, or the provider does not stand by it.
            BusyError: where the provider cannot be asked now.
        """
        state = query.get("state", "")
        if begun is None or not hmac.compare_digest(state.encode(), begun.state.encode()):
            raise UnauthenticatedError("this browser began no such login, or too long ago; log in again")
        if query.get("iss", self.provider.issuer) != self.provider.issuer:  # RFC 9207
            raise UnauthenticatedError("another provider answered than the one that was asked; log in again")
        if "code" not in query:
            raise UnauthenticatedError("the provider of logins let nobody in; log in again")
        told = self._tokens(
            grant_type="authorization_code", code=query["code"], redirect_uri=back, code_verifier=begun.verifier
        )
        claims = self.provider.told(told.get("id_token", ""), audience=self.client.id)
        if claims is None or claims.get("azp", self.client.id) != self.client.id:
            raise UnauthenticatedError("the provider's word about this login is not valid here; log in again")
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), begun.nonce.encode()):
            raise UnauthenticatedError("the provider's word is about another login; log in again")
        return self._login(told)

    def identify(self, login: Login) -> Identity | None:
        """Who somebody is; ``None`` where the token holds no longer."""
        told = self.provider.told(login.token, audience=self.client.id if login.about else None)
        return None if told is None else self.provider.named(told)

    def renewed(self, login: Login) -> Login | None:
        """The same login with a newer token; ``None`` where the provider gives none."""
        if not (login.by_provider and login.refresh):
            return None
        try:
            told = self._tokens(grant_type="refresh_token", refresh_token=login.refresh)
        except UserError:
            return None
        return self._login({"refresh_token": login.refresh} | told)

    def _login(self, told: Mapping[str, str]) -> Login:
        """Of what the provider gave, what the service takes: the token for it, or that about the login."""
        access = Login(told.get("access_token", ""), True, refresh=told.get("refresh_token", ""))
        if self.identify(access) is not None:
            return access
        return Login(told.get("id_token", ""), True, about=True, refresh=access.refresh)

    def _tokens(self, **form: str) -> dict[str, str]:
        """The token endpoint's reply to a grant."""
        secret = {"client_secret": self.client.secret} if self.client.secret else {}
        sent = {"client_id": self.client.id} | secret | self._resource | form
        told = fetched(self._found.address("token_endpoint"), sent)
        if told is None:
            raise UnauthenticatedError("the provider of logins gave no token for this login; log in again")
        return {name: value for name, value in told.items() if isinstance(value, str)}

    @property
    def _resource(self) -> dict[str, str]:
        return {"resource": self.client.resource} if self.client.resource else {}


def _text() -> str:
    """256 random bits, as an address may hold them."""
    return _base64(random_bytes(32))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
