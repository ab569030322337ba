"""Login: a person logs in at the service's provider, in a browser anywhere, with a code (RFC 8628, the device flow).

Tokens stay in memory. The access token goes to the service; the refresh token, where the provider gives one, to the
provider alone.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from pets.common.codec import Json
from pets.errors import UnauthenticatedError, UserError, shown
from pets.service.wire.addresses import private
from pets.service.wire.device_login import DeviceLogin
from pets.service.wire.errors import ServiceDownError
from pets.service.wire.harmless import harmless

_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_INTERVAL, _SLOWER = 5.0, 5.0  # seconds: RFC 8628, sections 3.2 and 3.5
_SHORTEST, _LONGEST = 1.0, 60.0  # seconds between two looks, whatever the provider says
_WHOLE = 3600.0  # seconds that a code is waited for, whatever the provider says
_EARLY = 30.0  # seconds before its end in which a token is renewed
_MAX_TOKEN = 16_384


class Exchange(Protocol):
    """A request to a provider: a form that is posted, or nothing."""

    def __call__(self, url: str, form: Mapping[str, str] | None = None) -> tuple[int, Any]:
        """The status, and the JSON that came back; raises :class:`ServiceDownError`."""


@dataclass(frozen=True)
class Tokens:
    """What a provider gave.

    Attributes:
        access: what proves who asks.
        ends: when it ends, on the login's clock; ``None``: not said.
        refresh: what another one is had for, without a person.
    """

    access: str
    ends: float | None
    refresh: str | None

    def __repr__(self) -> str:
        return f"<Tokens of a login{', renewable' if self.refresh else ''}>"


class Login:
    """One person's login; safe from threads.

    Args:
        told: where and as whom, as the service says.
        exchange: what sends a request to the provider.
        service: for which service, as the line says it.
        clock: seconds.
        sleep: how to wait between two looks.
    """

    def __init__(
        self,
        told: DeviceLogin,
        exchange: Exchange,
        service: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._told, self._exchange, self._clock, self._sleep = told, exchange, clock, sleep
        self._service = service
        self._tokens: Tokens | None = None
        self._found: Json | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<Login at {self._told.issuer}>"

    def __reduce__(self) -> NoReturn:
        raise UserError("a login is never pickled; connect again where it is needed")

    @property
    def tokens(self) -> Tokens:
        """Those that hold now: a person is asked once, and what is about to end is renewed.

        Raises:
            UnauthenticatedError: where the person refuses, or enters no code in time.
            ServiceDownError, UserError: where the provider cannot be asked, or has no such login.
        """
        with self._lock:
            found = self._tokens
            if found is None:
                found = self._tokens = self._begun()
            elif found.refresh is not None and found.ends is not None and self._clock() >= found.ends - _EARLY:
                found = self._tokens = self._renewed(found.refresh)
            return found

    def renew(self, token: str) -> bool:
        """Whether there is another token than this one, which the service refused."""
        with self._lock:
            found = self._tokens
            if found is None or found.refresh is None:
                return False
            if found.access == token:  # (else somebody else has just renewed it)
                self._tokens = self._renewed(found.refresh)
            return True

    # with a person ------------------------------------------------------------------------------------------------

    def _begun(self) -> Tokens:
        asked = {"scope": self._told.scope} | ({} if self._told.resource is None else {"resource": self._told.resource})
        status, reply = self._post("device_authorization_endpoint", asked)
        if status >= 400:
            self._refused(reply)
        code, entered, address = (_text(reply, name) for name in ("device_code", "user_code", "verification_uri"))
        whole = reply.get("verification_uri_complete")
        if not private(address) or not (whole is None or private(whole)):
            raise self._odd("its page for codes is at an address that somebody on the way could change")
        grace = min(_WHOLE, _seconds(reply.get("expires_in"), 600.0))
        where = harmless(address) if whole is None else harmless(str(whole))
        then = f"enter the code {harmless(entered)}" if whole is None else f"see that it shows {harmless(entered)}"
        print(
            f"pets: to log in for {self._service}, open {where} and {then} (within {max(1, round(grace / 60))} min)",
            file=sys.stderr,
            flush=True,
        )
        return self._awaited(code, _seconds(reply.get("interval"), _INTERVAL), self._clock() + grace)

    def _awaited(self, code: str, interval: float, end: float) -> Tokens:
        """The tokens, once the person has agreed; looked for no more often than the provider allows."""
        while self._clock() + (interval := min(_LONGEST, max(_SHORTEST, interval))) < end:
            self._sleep(interval)
            try:
                status, reply = self._post("token_endpoint", {"grant_type": _DEVICE_GRANT, "device_code": code})
            except ServiceDownError:
                status, reply = 503, {}
            if status < 400:
                return self._read(reply, None)
            said = reply.get("error") if isinstance(reply, dict) else None
            if status >= 500 or status == 429:
                interval *= 2  # RFC 8628, 3.5: after a connection that timed out, look less often
            elif said == "slow_down":
                interval += _SLOWER
            elif said == "expired_token":
                break
            elif said != "authorization_pending":
                self._refused(reply)
        raise UnauthenticatedError(
            "nobody entered the code in time, and nobody is logged in; connect again for another"
        )

    # without ------------------------------------------------------------------------------------------------------

    def _renewed(self, refresh: str) -> Tokens:
        status, reply = self._post("token_endpoint", {"grant_type": "refresh_token", "refresh_token": refresh})
        if status < 400:
            return self._read(reply, refresh)
        if isinstance(reply, dict) and reply.get("error") == "invalid_grant":
            self._tokens = None
            raise UnauthenticatedError("the login has ended at its provider; connect again to log in once more")
        if status >= 500:
            raise ServiceDownError(f"the provider of logins at {self._told.issuer} does not answer now ({status})")
        self._refused(reply)

    # what comes back ----------------------------------------------------------------------------------------------

    def _post(self, endpoint: str, form: dict[str, str]) -> tuple[int, Any]:
        if self._found is None:
            self._found = self._discovered()
        address = self._found.get(endpoint)
        if not isinstance(address, str):
            raise self._odd("it has no device-code flow")
        if not private(address):
            raise self._odd("one of its addresses could be read on the way")
        status, reply = self._exchange(address, {"client_id": self._told.client} | form)
        return status, reply

    def _discovered(self) -> Json:
        """What the provider says of itself: OpenID Connect Discovery, section 4."""
        status, found = self._exchange(f"{self._told.issuer.rstrip('/')}/.well-known/openid-configuration")
        if status >= 500:
            raise ServiceDownError(f"the provider of logins at {self._told.issuer} does not answer now ({status})")
        if status != 200 or not isinstance(found, dict):
            raise self._odd("it does not describe itself at /.well-known/openid-configuration")
        if found.get("issuer") != self._told.issuer:
            raise self._odd(f"it calls itself {shown(harmless(str(found.get('issuer'))))}")
        return found

    def _read(self, reply: Any, refresh: str | None) -> Tokens:
        access = _text(reply, "access_token")
        if _text(reply, "token_type").lower() != "bearer":
            raise self._odd("its tokens are none that are sent as they are")
        if len(access) > _MAX_TOKEN or not access.isascii() or not access.isprintable() or " " in access:
            raise self._odd("its token is none that can be sent")
        life, another = reply.get("expires_in"), reply.get("refresh_token")
        ends = None if life is None else self._clock() + _seconds(life, 0.0)
        return Tokens(access, ends, another if isinstance(another, str) and another else refresh)

    def _refused(self, reply: Any) -> NoReturn:
        said = reply.get("error") if isinstance(reply, dict) else None
        if said == "access_denied":
            raise UnauthenticatedError("the login was refused at its provider; connect again, and agree there")
        raise self._odd(f"it answers {shown(harmless(str(said)[:64]))}" if said else "its answer is none of a login")

    def _odd(self, why: str) -> UserError:
        return UserError(
            f"nobody can log in at {self._told.issuer} with a code: {why}; tell whoever runs the service, or ask them "
            "for a token: pets.connect(…, token=…)"
        )


def _text(reply: Any, name: str) -> str:
    value = reply.get(name) if isinstance(reply, dict) else None
    if not isinstance(value, str) or not value:
        raise UserError(f"the provider of logins gave no {name}; tell whoever runs the service")
    return value


def _seconds(value: Any, usual: float) -> float:
    """A number of seconds of a reply; the usual one where it says none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 86_400 * 366:
        return usual
    return float(value)
