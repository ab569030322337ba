"""Bearer: what the header ``Authorization`` of a request says, and who that is.

A token of the service's own begins with ``pets_``; any other is for the provider of logins, where there is one. Every
token that is not valid is refused in the same words, whatever is wrong with it: an expired one, one that was revoked,
one that never was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from pets.errors import UnauthenticatedError
from pets.ledger.tokens import MARK
from pets.service.access.identity import Identity
from pets.service.access.rates import Strangers
from pets.service.wire.device_login import DeviceLogin

MAX_TOKEN = 16_384

Authenticator = Callable[[Any], Identity]
"""Who makes a request (a Starlette ``Request``); raises :class:`UnauthenticatedError` where that is not known."""


class Verifier(Protocol):
    """Whoever knows what a token stands for."""

    def identify(self, token: str) -> Identity | None:
        """Who that is; ``None`` where the token is not valid."""


@runtime_checkable
class Remembering(Protocol):
    """An authenticator that remembers whom it knew."""

    def lately(self, request: Any) -> Identity | None:
        """Who made an earlier request like this one, where it takes but a moment to ask whether they still may.

        ``None``: nobody who is known.
        """


class Bearer:
    """An authenticator by bearer tokens: the service's own, or of a provider of logins.

    Args:
        tokens: the service's own.
        oidc: of a provider, where there is one.
        strangers: how fast tokens that nobody knows are looked up.
    """

    def __init__(self, tokens: Verifier, oidc: Verifier | None = None, strangers: Strangers | None = None) -> None:
        self._tokens, self._oidc, self._strangers = tokens, oidc, strangers or Strangers()

    @property
    def login(self) -> DeviceLogin | None:
        """How clients without a browser log in at the provider; ``None``: not at all."""
        found = getattr(self._oidc, "device", None)
        return found if isinstance(found, DeviceLogin) else None

    def __call__(self, request: Any) -> Identity:
        """Who makes the request."""
        client = getattr(request, "client", None)
        return self.identify(_header(request), "" if client is None else client.host)

    def lately(self, request: Any) -> Identity | None:
        """Whom the request's token stood for when it was last looked up, where it is one of the service's own."""
        token = _header(request).partition(" ")[2].strip()
        found: Identity | None = self._strangers.lately(token) if token.startswith(MARK) else None
        return found

    def identify(self, header: str, address: str = "") -> Identity:
        """Who a header ``Authorization`` names, in a request from an address.

        Raises:
            UnauthenticatedError: nobody.
            BusyError: so many tokens from there were nobody's of late that this one was not looked up.
        """
        scheme, _, token = header.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN or not token.isascii():
            raise UnauthenticatedError(
                "say who asks: send the header 'Authorization: Bearer TOKEN', with a token of this service "
                "(pets service token create) or of your login"
            )
        verifier = self._tokens if token.startswith(MARK) or self._oidc is None else self._oidc
        found: Identity | None = self._strangers.look_up(token, address, verifier.identify)
        if found is None:
            raise UnauthenticatedError(
                "the token is not valid here, or no longer; log in again, or ask the custodian for another one"
            )
        return found


def _header(request: Any) -> str:
    return str(request.headers.get("authorization", ""))
