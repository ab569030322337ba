"""Page: one address of the console, who may see it, and what its handler is given and gives back."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pets.common.codec import Json
from pets.errors import PetsError
from pets.service.access.identity import Identity
from pets.service.console.desk import Cookie, Desk
from pets.service.console.register import Register
from pets.service.http.app import ENDPOINTS
from pets.service.http.endpoint import Later, settled
from pets.service.http.service import Service
from pets.service.wire.problems import outward

LONGEST = 2.0
"""Seconds that a page waits for an answer at most: a thread waits with it."""

_LOOKS = (0.05, 0.1, 0.2, 0.4)  # seconds between looks at a job that a page waits for, then the last of them

_WAITING = threading.BoundedSemaphore(8)
"""Pages that may wait at once: the others say at once how it is, and the threads that endpoints need stay free."""

_BY_ADDRESS = {(one.method, one.path): one for one in ENDPOINTS}


@dataclass(frozen=True)
class Html:
    """A page made from a template.

    Attributes:
        template: its name below ``templates``.
        values: what it shows, each escaped there; beside them it has ``base``, ``csrf``, ``who`` and ``nav``.
    """

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    cookies: tuple[Cookie, ...] = ()


@dataclass(frozen=True)
class Redirect:
    """Go on to another address, which is then fetched (303).

    Attributes:
        to: an address below the console's own (``"/jobs"``), unless it is whole (the provider of logins).
    """

    to: str
    cookies: tuple[Cookie, ...] = ()


@dataclass(frozen=True)
class File:
    """Something that is no page of a template.

    Attributes:
        headers: in place of the usual ones of the same names.
    """

    body: bytes
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


Answer = Html | Redirect | File


@dataclass(frozen=True)
class Visit:
    """One request for a page.

    Attributes:
        identity: who asks; of a page that is open to all, nobody, unless somebody is logged in.
        path: the names in the address.
        query, form: what stands behind its question mark, and what a form sent; of a name that comes twice the first.
        pairs: all that the form sent, in order.
        csrf: what each form of a page must send back, in a field named ``csrf``.
        base: the console's own address, without a slash at its end.
        site: scheme and host, as whoever asks wrote them.
        cookies: by their bare names.
        address: of whoever asks, as far as that is known.
        desk: where logins are kept.
        register: what everybody may see, where the service's owner says so.
    """

    service: Service
    identity: Identity
    path: Mapping[str, str]
    query: Mapping[str, str]
    pairs: tuple[tuple[str, str], ...]
    csrf: str
    base: str
    site: str
    cookies: Mapping[str, str]
    address: str
    desk: Desk
    register: Register

    @property
    def form(self) -> Mapping[str, str]:
        """What a form sent, by name."""
        return dict(reversed(self.pairs))

    def several(self, name: str) -> list[str]:
        """All values that a form sent under a name."""
        return [value for one, value in self.pairs if one == name]

    def ask(
        self,
        method: str,
        address: str,
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        key: str | None = None,
    ) -> Json:
        """What an endpoint of the service answers to whoever sees the page: the same rules, counted as any request.

        Args:
            address: of the endpoint as it stands in :data:`pets.service.http.app.ENDPOINTS`, braces and all.
            key: as the header ``Idempotency-Key``.

        Raises:
            PetsError: what the endpoint refuses with.
        """
        one = _BY_ADDRESS[method, address]
        if one.limited:
            self.service.rates.take((self.identity.project, self.identity.subject))
        sent = json.dumps(body or {}).encode()
        call = one.call(self.service, self.identity, dict(path or {}), [*(query or {}).items()], sent, key)
        reply = settled(partial(one.handler, call))
        if not isinstance(reply, Later):
            return reply.form
        found, last = reply.look()
        if last or not reply.seconds or not _WAITING.acquire(blocking=False):
            return found.form
        try:
            return _waited(reply)
        finally:
            _WAITING.release()


def _waited(reply: Later) -> Json:
    end, looks = time.monotonic() + min(reply.seconds, LONGEST), iter(_LOOKS)
    while True:
        time.sleep(max(0.0, min(end - time.monotonic(), next(looks, _LOOKS[-1]))))
        found, last = reply.look()
        if last or time.monotonic() >= end:
            return found.form


@dataclass(frozen=True)
class Page:
    """One address of the console and one method.

    Attributes:
        path: below the console's own address; ``{name}`` stands for a part of it.
        roles: of which one is needed; none: whoever is logged in.
        opened: whether nobody needs to be logged in.
        anonymous: whether it is the same for everybody, so that nobody is asked who they are.
        nav: under which words the page stands in every page's list; empty: it does not.
    """

    method: str
    path: str
    handler: Callable[[Visit], Answer]
    roles: tuple[str, ...] = ()
    opened: bool = False
    anonymous: bool = False
    nav: str = ""

    def shown_to(self, identity: Identity) -> bool:
        """Whether it is in the list of pages for somebody."""
        return bool(self.nav) and (not self.roles or bool(identity.roles & {*self.roles}))


def said(error: PetsError) -> str:
    """What a page says of a refusal that it shows beside a form."""
    return outward(error.code, str(error))
