"""Discovery: what a provider of logins says of itself, and how it is asked: over a wire that nobody can change.

OpenID Connect Discovery 1.0; every address that is used must be https (http on this machine alone), redirects too.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from pets.common.codec import Json
from pets.errors import BusyError
from pets.service.access.oidc import Redirects, check_url

PATIENCE = 5.0
_MOST = 1_000_000  # bytes of an answer
_REFUSED = (400, 401, 403)
_PAUSE = 5.0  # seconds between two looks, however many people want to log in


class Discovery:
    """A provider's addresses, looked up when first needed and kept; safe from threads.

    Args:
        issuer: as its tokens name it; below it the provider publishes what it is.
        clock: seconds, for when it is asked again after it could not be.
    """

    def __init__(self, issuer: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.issuer, self._clock = issuer, clock
        self._found: Json | None = None
        self._looked = float("-inf")
        self._lock = threading.Lock()

    def address(self, name: str) -> str:
        """An address by its name, such as ``token_endpoint``.

        Raises:
            BusyError: where the provider cannot be asked now, says that it is another one, or has no such address.
        """
        found = self.known(name)
        if found is None:
            raise _away()
        return found

    def known(self, name: str) -> str | None:
        """:meth:`address` of what a provider need not have; ``None`` where it has none."""
        if self._found is None:
            if not self._lock.acquire(blocking=False):  # somebody asks already, and nobody's thread waits for that
                raise _away()
            try:
                self._look()
            finally:
                self._lock.release()
        found = (self._found or {}).get(name)
        if not isinstance(found, str):
            return None
        check_url(found)
        return found

    def _look(self) -> None:
        if self._found is not None:
            return
        check_url(self.issuer)
        if self._clock() - self._looked < _PAUSE:
            raise _away()
        self._looked = self._clock()
        told = fetched(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        if told is None or told.get("issuer") != self.issuer:
            raise _away()
        self._found = told


def fetched(url: str, form: Mapping[str, str] | None = None) -> Json | None:
    """The JSON object that an address answers with, to a form where one is sent; ``None`` where it refuses the form.

    Raises:
        BusyError: where it cannot be asked now, or answers with anything else.
    """
    body = None if form is None else urllib.parse.urlencode(form).encode()
    request = urllib.request.Request(url, body, {"Accept": "application/json"})
    opener = urllib.request.build_opener(Redirects if form is None else _Stays)
    try:
        with opener.open(request, timeout=PATIENCE) as reply:
            told = json.loads(reply.read(_MOST))
    except urllib.error.HTTPError as error:
        if form is not None and error.code in _REFUSED:
            return None
        raise _away() from None
    except (OSError, ValueError, RecursionError):
        raise _away() from None
    if not isinstance(told, dict):
        raise _away()
    return told


class _Stays(urllib.request.HTTPRedirectHandler):
    """A form with a secret in it is sent to nobody but whom it is for."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> None:
        """None: the redirect is an error."""


def _away() -> BusyError:
    return BusyError("the provider of logins cannot be asked now; try again, or tell whoever runs the service", _PAUSE)
