"""Connect: open a connection to a service of pets."""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pets.common.arguments import plain_arguments
from pets.common.codec import Json
from pets.common.signing import VerifyingKey
from pets.errors import NotFoundError, UnauthenticatedError, UserError, VerificationError, did_you_mean, shown
from pets.service.client.connection import Connection
from pets.service.client.facts import Facts
from pets.service.client.jobs import Jobs
from pets.service.client.login import Login
from pets.service.client.reading import pinned
from pets.service.client.transport import Transport, exchange
from pets.service.wire.addresses import LOCAL
from pets.service.wire.device_login import DeviceLogin
from pets.service.wire.harmless import harmless


@plain_arguments(UserError, "connect", "write pets.connect('https://host/pets', token='…')")
def connect(
    url: str,
    *,
    token: str | None = None,
    dataset: str | None = None,
    project: str | None = None,
    key: str | Path | VerifyingKey | None = None,
    timeout: float = 60.0,
    progress: bool = True,
    transport: Any = None,
) -> Connection:
    """A session on a service's tables: the same verbs, results and errors as :class:`pets.Session`.

    Args:
        url: where the service is, such as ``"https://host/pets"``.
        token: who asks, as the service or its login gave it. Left out where the service wants one, and has a provider
            of logins: a line shows an address and a code, with which one logs in, in any browser. That login stays in
            memory, and is renewed as long as the provider allows.
        dataset: which of the service's; left out, its only one.
        project: for which of the token's projects.
        key: the ledger's public key, as the custodian gave it on another way: 64 hex digits, or the path of its file.
            Left out, the key that the service names is taken and shown: it then protects from everybody but the
            service itself.
        timeout: seconds that one request may take; an answer may take longer, and is waited for.
        progress: whether a wait of over a second shows a line.
        transport: for programs and tests, what carries requests in place of a network (an ``httpx.BaseTransport``).

    Raises:
        UserError: for an address, a token, a dataset or a version that does not fit, with the remedy.
        UnauthenticatedError: where nobody logs in, or the token is not valid.
        VerificationError: where the service's ledger has another key than ``key``.
    """
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 < timeout <= 86_400:
        raise UserError(f"timeout must be a number of seconds above 0, not {shown(timeout)}")
    own = pinned(key)
    line = Transport(url, token, project, float(timeout), sent_by=transport)
    try:
        told = line.get("datasets")
    except UnauthenticatedError as error:
        if token is not None:
            raise
        offered = offer(line)
        if offered is None:
            raise UnauthenticatedError(f"{error}; here it goes in pets.connect(…, token='…')") from None
        line.log_in(Login(offered, partial(exchange, timeout=float(timeout), sent_by=transport), line.url))
        told = line.get("datasets")
    except NotFoundError:
        raise NotFoundError(
            f"there is a service of pets there, and not at {line.url}; check the path of the address, such as /pets in "
            "'https://host/pets'"
        ) from None
    who = {"project": _text(told, "project"), "analyst": _text(told, "analyst"), "dataset": _one(told, dataset)}
    found = _signing(line.get("key"))
    if own is None:
        print(
            f"pets: the ledger of {who['dataset']!r} signs with key {found.id}; where its custodian confirms that, pin "
            f"it: pets.connect(…, key={found.raw.hex()!r})",
            file=sys.stderr,
        )
    elif own != found:
        raise VerificationError(
            f"the service's ledger signs with key {found.id}, and {own.id} was pinned; ask the custodian which one is "
            "right before you ask anything"
        )
    jobs = Jobs(line, who["dataset"], progress=progress, clock=time.monotonic)
    return Connection(line, who, found, jobs, Facts.of(line, who["dataset"]))


def offer(line: Transport) -> DeviceLogin | None:
    """How one logs in at a service; ``None`` where it has no provider of logins for that, or is an older one.

    Raises :class:`UserError` where the login would be for another service than this one.
    """
    try:
        told: Json = line.get("login")
    except NotFoundError:
        return None
    if told.get("login") is None:
        return None
    found = DeviceLogin.from_json(told["login"])
    # who logs in gives the service a token; one for somebody else's service would be a stolen one
    asked = [] if found.resource is None or _same_site(found.resource, line.url) else [found.resource]
    asked += [word for word in found.scope.split() if ":" in word or "/" in word]  # a scope that names a service
    if asked and urlsplit(line.url).hostname not in LOCAL:
        raise UserError(
            f"the service at {line.url} wants a login for {shown(harmless(asked[0]))}, which is another service; ask "
            "its custodian for a token of this one (the resource in service.yaml must lie at this site, and no scope "
            "be a service)"
        )
    return found


def _same_site(resource: str, url: str) -> bool:
    """Whether both addresses have one scheme, host and port: one owner, as browsers see it."""
    try:
        asked, here = urlsplit(resource), urlsplit(url)
        return (asked.scheme, asked.hostname, asked.port) == (here.scheme, here.hostname, here.port)
    except ValueError:
        return False


def _text(told: Any, name: str) -> str:
    value = told.get(name)
    if not isinstance(value, str) or harmless(value) != value:
        raise UserError(f"the service does not say the {name}; install the version of pets that it has")
    return value


def _one(told: Any, dataset: str | None) -> str:
    """The dataset that is meant."""
    listed = told.get("datasets")
    names = (
        [harmless(str(one.get("dataset"))) for one in listed if isinstance(one, dict)]
        if isinstance(listed, list)
        else []
    )
    if dataset is None:
        if len(names) == 1:
            return names[0]
        if not names:
            raise UserError("this token may ask about no dataset of the service; ask its custodian for a grant")
        raise UserError(
            f"the service has several datasets; say which with dataset={names[0]!r}{did_you_mean('', names)}"
        )
    if dataset not in names:
        raise UserError(f"the service has no dataset {shown(dataset)} for this token{did_you_mean(dataset, names)}")
    return dataset


def _signing(told: Any) -> VerifyingKey:
    try:
        return VerifyingKey(bytes.fromhex(told["key"]))
    except (UserError, LookupError, TypeError, ValueError):
        raise UserError("the service names no key of its ledger; install the version of pets that it has") from None
