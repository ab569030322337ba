"""Transport: requests to a service over HTTP, sent again where that is safe. The only file that imports httpx."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from pets.common.codec import Json, canonical
from pets.errors import BusyError, PetsError, UnauthenticatedError, UserError, missing_extra, shown
from pets.service.client.unreached import stranger, unreached
from pets.service.wire.addresses import LOCAL
from pets.service.wire.errors import ServiceDownError
from pets.service.wire.problems import error_of

if TYPE_CHECKING:
    import httpx

    from pets.service.client.login import Login

PROTOCOL = 1
"""The version of what is spoken; a service says its own in the header ``Pets-Protocol`` of every reply."""

_TRIES = 5
_PAUSE, _LONGEST = 0.25, 10.0  # seconds between tries: doubled each time, up to the longest
_AGAIN = (502, 503, 504)  # of gateways, and of a ledger that is down: the very same request may succeed


class Transport:
    """Requests to one service.

    Every request may be sent twice: what charges carries a key that names it, and the rest changes nothing.

    Args:
        url: where the service is, such as ``"https://host/pets"``.
        token: who asks; it goes to this address alone, and is in no message.
        project: of those that the token may ask for.
        timeout: seconds that one request may take, beside what it waits for.
        sent_by: in tests, what carries requests in place of a network.
        sleep: how to wait between two tries.

    Raises:
        UserError: for an address that is none, or a token that would be sent in the clear.
    """

    def __init__(
        self,
        url: str,
        token: str | None,
        project: str | None,
        timeout: float,
        *,
        sent_by: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url, self._sleep = _address(url, token), sleep
        self._library = _httpx()
        headers = {"Accept": "application/json", "User-Agent": f"pets protocol {PROTOCOL}"}
        headers |= {} if token is None else {"Authorization": f"Bearer {_header('token', token)}"}
        headers |= {} if project is None else {"Pets-Project": _header("project", project)}
        self._client = _client(self.url, timeout, sent_by, headers)
        self._patience = timeout
        self._login: Login | None = None

    def log_in(self, login: Login) -> None:
        """From now on a person's login says who asks; raises :class:`UserError` where its token could be read."""
        _address(self.url, "of a login")
        self._login = login

    def get(self, *path: str, wait: float | None = None, **query: object) -> Json:
        """What is there; ``wait``: the seconds that the service may wait before it answers."""
        return self._asked("GET", path, wait=wait, query=query)

    def post(self, *path: str, body: Json, key: str | None = None, wait: float | None = None) -> Json:
        """The answer to a request; ``key`` names it."""
        return self._asked("POST", path, body=body, key=key, wait=wait)

    def delete(self, *path: str, **query: object) -> Json:
        """What is there no more."""
        return self._asked("DELETE", path, query=query)

    def close(self) -> None:
        """Close what is open; the service knows what was asked as before."""
        self._client.close()

    @property
    def closed(self) -> bool:
        """Whether it was."""
        return bool(self._client.is_closed)

    def _asked(
        self,
        method: str,
        path: tuple[str, ...],
        *,
        body: Json | None = None,
        key: str | None = None,
        wait: float | None = None,
        query: Json | None = None,
    ) -> Json:
        if self.closed:
            raise UserError("this connection was closed; open it again with pets.connect(…)")
        given = {name: str(value) for name, value in (query or {}).items() if value is not None}
        given |= {} if wait is None else {"wait": f"{wait:g}"}
        headers = {} if key is None else {"Idempotency-Key": _header("key", key)}
        headers |= {} if body is None else {"Content-Type": "application/json"}
        request = self._client.build_request(
            method,
            "/".join([self.url, *(quote(part, safe="") for part in path)]),
            params=given,
            headers=headers,
            content=None if body is None else canonical(body),
            timeout=self._patience + (wait or 0.0),
        )
        for tries in range(1, _TRIES + 1):
            token = self._signed(request)
            reply, error = self._once(request)
            if isinstance(error, UnauthenticatedError) and self._login is not None and self._login.renew(token):
                self._signed(request)
                reply, error = self._once(request)
            if error is None:
                return reply
            if tries == _TRIES or error.retry_after is None or error.retry_after > _LONGEST:
                raise error
            if isinstance(error, BusyError | ServiceDownError) or error.code == "ledger-down":
                self._sleep(min(_LONGEST, max(error.retry_after, _PAUSE * 2 ** (tries - 1))))
            else:
                raise error
        raise AssertionError("a request is sent at least once")

    def _signed(self, request: httpx.Request) -> str:
        """Put the token of a login into a request, as it is now."""
        if self._login is None:
            return ""
        token = self._login.tokens.access
        request.headers["Authorization"] = f"Bearer {token}"
        return token

    def _once(self, request: httpx.Request) -> tuple[Json, PetsError | None]:
        try:
            reply = self._client.send(request)
        except self._library.TransportError as error:
            return {}, unreached(f"the service at {self.url}", self.url, error)
        if reply.status_code in _AGAIN and "pets-protocol" not in reply.headers:  # a gateway's, in front of it
            return {}, ServiceDownError(f"the service at {self.url} does not answer now ({reply.status_code})")
        self._known(reply)
        body = _json(reply.content)
        if reply.status_code >= 400:
            return {}, error_of(body)
        if not isinstance(body, dict):
            raise UserError(stranger(self.url))
        return body, None

    def _known(self, reply: httpx.Response) -> None:
        """Refuse what is no service of pets, or speaks another version."""
        spoken = reply.headers.get("pets-protocol")
        if spoken is None:
            raise UserError(stranger(self.url, reply.status_code))
        if spoken != str(PROTOCOL):
            newer = "this client" if spoken.isascii() and spoken.isdigit() and int(spoken) > PROTOCOL else "the service"
            raise UserError(
                f"the service at {self.url} speaks protocol {shown(spoken)} and this client {PROTOCOL}; install a "
                f"newer pets where {newer} is"
            )


def exchange(
    url: str, form: Mapping[str, str] | None = None, *, timeout: float, sent_by: httpx.BaseTransport | None = None
) -> tuple[int, Any]:
    """The status and the JSON of a reply of a provider of logins, which is posted a form, or asked for what is there.

    Raises:
        ServiceDownError: where it cannot be reached.
    """
    library = _httpx()
    try:
        with _client(url, timeout, sent_by, {"Accept": "application/json"}) as client:
            reply = client.get(url) if form is None else client.post(url, data=dict(form))
    except library.TransportError as error:
        raise unreached(f"the provider of logins at {urlsplit(url).hostname}", url, error) from None
    return reply.status_code, _json(reply.content)


def _client(url: str, timeout: float, sent_by: httpx.BaseTransport | None, headers: Mapping[str, str]) -> httpx.Client:
    # what this machine asks itself by http goes to no proxy that the environment names: it would read the token
    alone = sent_by is not None or urlsplit(url).scheme == "http"
    made: httpx.Client = _httpx().Client(
        headers=headers, timeout=timeout, transport=sent_by, follow_redirects=False, trust_env=not alone
    )
    return made


def _httpx() -> ModuleType:
    try:
        import httpx
    except ImportError:
        raise missing_extra("a connection to a service", "service") from None
    return httpx


def _address(url: str, token: str | None) -> str:
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
        fits = parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query
    except ValueError:
        fits = False
    if not fits or parts is None:
        raise UserError(f"a service is at an address such as 'https://host/pets', not at {shown(url)}")
    if parts.username is not None or parts.password is not None:
        raise UserError("an address is written down in many places: leave the password out of it, and give token=")
    if token is not None and parts.scheme == "http" and parts.hostname not in LOCAL:
        raise UserError(
            f"a token sent to {parts.hostname} by http could be read on its way; write https:// (http is for this "
            "machine alone)"
        )
    return url.rstrip("/")


def _header(name: str, value: object) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not text or not text.isascii() or not text.isprintable():
        what = "a text" if name == "token" else shown(value)
        raise UserError(f"{name} must be printable letters of ASCII to be sent to a service, and {what} is not")
    return text


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None
