"""Code flow: a person logs in at a provider, in a browser, and comes back with a code that is good for one token.

OpenID Connect Core 1.0, 3.1, with PKCE (RFC 7636, S256). The code is worth nothing without the verifier, which only the
browser that began has; ``state`` ties the way back to the way out, ``nonce`` the token to this login.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from pets.common.entropy import random_bytes
from pets.errors import BusyError, PetsError, UnauthenticatedError, UserError, shown
from pets.service.access.discovery import Discovery, fetched
from pets.service.access.identity import Identity
from pets.service.access.oidc import Oidc

SCOPE = "openid"
TOKENS = ("access", "id")

_AT_ONCE = 8  # logins that wait for the provider; a thread waits with each


@dataclass(frozen=True)
class Client:
    """What the console is to a provider of logins: one of its clients.

    Attributes:
        id: its name there.
        secret: where the provider gave one.
        scope: what is asked for; it has ``openid`` in it. With ``offline_access``, many providers let a login outlive
            their tokens.
        resource: for whom the access token is to be, where the provider wants that said (RFC 8707).
        token: which of the provider's tokens says who somebody is: the ``access`` token, which is for this service and
            what every endpoint takes; or the ``id`` token, which says only that they logged in to the console, where
            the provider's access tokens are none that a service can read.
    """

    id: str
    secret: str = ""
    scope: str = SCOPE
    resource: str = ""
    token: str = "access"

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not isinstance(value, str) or not (value.isprintable() and len(value) <= 1000):
                raise UserError(f"the {name} of a login's client is a printable text, as the provider gives it")
        if not self.id:
            raise UserError("the client of a login needs its id, as the provider gives it")
        if self.token not in TOKENS:
            raise UserError(f"a login's client goes by the {' or the '.join(TOKENS)} token, not {shown(self.token)}")
        if "openid" not in self.scope.split():
            raise UserError("the scope of a login's client must have 'openid' in it; add it, as in 'openid profile'")


@dataclass(frozen=True)
class Login:
    """The token with which somebody logged in.

    Attributes:
        sub: whom the provider that gave it let in; ``""``: it is one of the service's own.
        refresh: what is good for a newer one, where the provider gave such.
    """

    token: str
    sub: str = ""
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
        # (renewals of running sessions have places of their own, whoever comes back with codes that are none)
        self._beginning, self._renewing = (threading.BoundedSemaphore(_AT_ONCE) for _ in range(2))

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
        sub = None if claims is None else claims.get("sub")
        if claims is None or not isinstance(sub, str) or claims.get("azp", self.client.id) != self.client.id:
            raise UnauthenticatedError("the provider's word about this login is not valid here; log in again")
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), begun.nonce.encode()):
            raise UnauthenticatedError("the provider's word is about another login; log in again")
        login = self._login(told, sub)
        if self.identify(login) is None:
            raise UnauthenticatedError(
                "the provider lets you in, and its token is none for this service; ask the custodian whether you may"
            )
        return login

    def way_out(self) -> str | None:
        """Where a person ends their session at the provider; ``None`` where it says of no such place, or cannot now.

        OpenID Connect RP-Initiated Logout 1.0. No token goes along: the provider asks the person.
        """
        try:
            address = self._found.known("end_session_endpoint")
        except PetsError:
            return None
        client = urlencode({"client_id": self.client.id})
        return None if address is None else f"{address}{'&' if '?' in address else '?'}{client}"

    def identify(self, login: Login) -> Identity | None:
        """Who somebody is; ``None`` where the token holds no longer, or is of somebody else than who logged in."""
        told = self.provider.told(login.token, audience=self.client.id if self.client.token == "id" else None)
        if told is None or not login.sub or told.get("sub") != login.sub:
            return None
        return self.provider.named(told)

    def renewed(self, login: Login) -> Login | None:
        """The same login with a newer token; ``None`` where the provider gives none.

        Raises:
            BusyError: where the provider cannot be asked now.
        """
        if not (login.sub and login.refresh):
            return None
        try:
            told = self._tokens(grant_type="refresh_token", refresh_token=login.refresh)
        except UnauthenticatedError:
            return None
        return self._login({"refresh_token": login.refresh} | told, login.sub)

    def _login(self, told: Mapping[str, str], sub: str) -> Login:
        """Of what the provider gave, the one token that the owner said."""
        return Login(told.get(f"{self.client.token}_token", ""), sub, told.get("refresh_token", ""))

    def _tokens(self, **form: str) -> dict[str, str]:
        """The token endpoint's reply to a grant."""
        secret = {"client_secret": self.client.secret} if self.client.secret else {}
        sent = {"client_id": self.client.id} | secret | self._resource | form
        places = self._renewing if "refresh_token" in form else self._beginning
        if not places.acquire(blocking=False):
            raise BusyError("many people log in at this moment; try again", 1.0)
        try:
            told = fetched(self._found.address("token_endpoint"), sent)
        finally:
            places.release()
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
