"""Desk: who is logged in to the console. Sessions are kept in this process, each under the hash of its cookie.

A session is a number that nobody can guess, in a cookie; the token with which somebody logged in never leaves the
service again. Who that is is asked anew at every request, so that a token's end is the end of its sessions.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from pets.common.codec import canonical
from pets.common.entropy import random_bytes
from pets.errors import BusyError, UnauthenticatedError
from pets.service.access.bearer import Authenticator, Bearer
from pets.service.access.code_flow import CodeFlow, Login
from pets.service.access.identity import Identity
from pets.service.access.rates import Rates

LIFE = 8 * 3600.0
"""Seconds that a session lasts."""

IDLE = 3600.0
"""Seconds after the last request in which it ends."""

_MOST = 10_000  # sessions; the one that was used longest ago ends for another
_WAYS = 60  # ways to the provider and back, a minute, of one address
_MOST_OF_ONE = 20  # of one person, so that nobody ends others' sessions by beginning many


@dataclass(frozen=True)
class Cookie:
    """A cookie to set, under its bare name; without seconds it ends with the browser, with 0 it ends now."""

    name: str
    value: str
    seconds: int | None = None


SESSION, FORM, LOGIN, PROJECT, WANTED = "session", "form", "login", "project", "wanted"
"""Names of cookies: the session; what forms send back where there is none; a login under way; the chosen project; the
page that somebody wanted before they logged in."""


@dataclass
class Session:
    """Somebody who is logged in.

    Attributes:
        login: the token of it.
        who: whose it was at its last request.
        csrf: what their forms' own text is made from.
        since, seen: when it began, and the last request in it.
    """

    login: Login
    who: Identity
    csrf: str
    since: float
    seen: float
    lock: threading.Lock = field(default_factory=threading.Lock)


class Desk:
    """Where people log in and out; safe from threads.

    Attributes:
        ways: how fast people go to the provider and come back, by address.

    Args:
        auth: who makes a request, of the service.
        flow: the provider at which people log in, where there is one.
        clock: seconds, for how long sessions last.
    """

    def __init__(
        self, auth: Authenticator, flow: CodeFlow | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.auth, self.flow, self._clock = auth, flow, clock
        self.ways = Rates(_WAYS)
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def own(self) -> bool:
        """Whether people log in here; else the host's login says who they are."""
        return isinstance(self.auth, Bearer)

    def begin(self, login: Login, before: str = "", address: str = "") -> str:
        """Begin a session, under a new name, for a login that is valid; one before it in the same browser ends.

        Args:
            before: the name of that one.
            address: from which somebody logs in.

        Raises:
            UnauthenticatedError: for a login that is not valid.
            BusyError: for one of many tokens from there that were nobody's.
        """
        who = self._who(login, address)
        if who is None:
            raise UnauthenticatedError("this token is not valid here, or no longer; ask the custodian for another one")
        self.end(before)
        secret, now = unguessable(), self._clock()
        with self._lock:
            mine = [name for name, one in self._sessions.items() if one.who.subject == who.subject]
            for name in mine[: max(0, len(mine) - _MOST_OF_ONE + 1)]:
                del self._sessions[name]
            self._sessions[_hash(secret)] = Session(login, who, unguessable(), now, now)
            while len(self._sessions) > _MOST:
                self._sessions.popitem(last=False)
        return secret

    def find(self, secret: str) -> Session | None:
        """The session of a cookie; ``None`` where it has ended or never was."""
        now = self._clock()
        with self._lock:
            found = self._sessions.pop(_hash(secret), None)
            if found is None or now - found.since >= LIFE or now - found.seen >= IDLE:
                return None
            found.seen = now
            self._sessions[_hash(secret)] = found
            return found

    def end(self, secret: str) -> Session | None:
        """End a session, if there is one; gives it."""
        with self._lock:
            return self._sessions.pop(_hash(secret), None)

    def identify(self, session: Session, address: str = "") -> Identity:
        """Whose session it is, as of now, in a request from an address.

        Raises:
            UnauthenticatedError: where the login holds no longer.
            BusyError: where it could be renewed, and the provider cannot be asked now.
        """
        found = self._who(session.login, address)
        if found is None and self.flow is not None:
            if not session.lock.acquire(blocking=False):  # nobody's thread waits for another's
                raise BusyError("your login is being renewed; load the page again", 1.0)
            try:
                found = self._who(session.login, address)
                if found is None and (renewed := self.flow.renewed(session.login)) is not None:
                    found = self._who(renewed, address)
                    session.login = renewed if found is not None else session.login
            finally:
                session.lock.release()
        if found is None:
            raise UnauthenticatedError("your login has ended; log in again")
        session.who = found
        return found

    def _who(self, login: Login, address: str) -> Identity | None:
        if login.sub:
            return None if self.flow is None else self.flow.identify(login)
        try:
            return self.auth.identify(f"Bearer {login.token}", address) if isinstance(self.auth, Bearer) else None
        except UnauthenticatedError:
            return None


def unguessable() -> str:
    """256 random bits, as text."""
    return random_bytes(32).hex()


def bound(secret: str, *names: str) -> str:
    """A text that stands for a secret together with some names, and from which neither can be told."""
    if not secret:
        return ""
    return hmac.new(secret.encode(), canonical(names), hashlib.sha256).hexdigest()


def same(given: str, expected: str) -> bool:
    """Whether two texts are the same one; how long that takes says nothing. Nothing is the same as no text."""
    return bool(expected) and hmac.compare_digest(given.encode(), expected.encode())


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
