"""OIDC: the tokens of a provider of logins, checked with the keys that it publishes (a JWKS).

Checked are the signature, by an algorithm of a short list and with a key of that algorithm's own kind; who issued the
token and for whom; from when and until when it holds. What it says of project, roles and datasets is taken from claims
that the service's owner names. A name is taken whole, with the spaces in it; only roles, which have none, may also come
as one text of words. A claim that the owner named and a token lacks, or that is of another type, makes no login: what
is not said widens nothing.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from pets.common.arguments import plain_arguments
from pets.common.codec import Json
from pets.errors import UserError, did_you_mean, missing_extra, shown
from pets.ledger.grants import ROLES
from pets.service.access.identity import DEFAULT_PROJECT, Identity
from pets.service.wire.addresses import private
from pets.service.wire.device_login import DeviceLogin

ALGORITHMS = ("RS256", "ES256", "EdDSA")
CLAIMS = {"subject": "sub", "project": "pets_project", "roles": "pets_roles", "datasets": "pets_datasets"}
"""By what the service wants to know, the claim that says it, unless the owner names another."""

_KEPT = 3600.0  # seconds that published keys are used without a look
_OLDEST = 86_400.0  # seconds after which keys are used no more, should the provider have been away since
_PAUSE = 60.0  # seconds between two looks, however many tokens name a key that nobody knows
_LEEWAY = 30.0  # seconds that the clocks of provider and service may differ
_PATIENCE = 5.0
_MAX_KEYS = 1_000_000  # bytes of a set of keys
_MIN_RSA = 2048  # bits
_ABSENT = object()
_KINDS = {("RSA", ""): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}
"""By kind and curve of a key, the one algorithm that it is used with here."""


class Oidc:
    """The tokens of one provider.

    Args:
        issuer: as the tokens name it.
        audience: for whom a token must be: this service's name at the provider.
        jwks: where the provider publishes its keys (a URL), or the set of keys itself.
        algorithms: of :data:`ALGORITHMS`.
        claims: other names for some of :data:`CLAIMS`; a dot leads into an object (``realm_access.roles``).
        device: how clients without a browser log in: ``client``, and ``scope`` and ``resource`` where the provider
            wants others than usual (:class:`~pets.service.wire.device_login.DeviceLogin`); ``None``: not at all.
        clock: seconds since the epoch, for how long keys are kept.

    Raises:
        UserError: for a URL that is not https (http on this machine alone), or an algorithm that is not allowed.
    """

    @plain_arguments(UserError, "Oidc")
    def __init__(
        self,
        issuer: str,
        audience: str,
        jwks: str | Mapping[str, Any],
        *,
        algorithms: tuple[str, ...] = ALGORITHMS,
        claims: Mapping[str, str] | None = None,
        device: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        for what, value in (("issuer", issuer), ("audience", audience)):
            if not isinstance(value, str) or not value:
                raise UserError(f"the {what} of logins must be a text, as the provider's tokens name it")
        if isinstance(jwks, str):
            check_url(jwks)
        if not algorithms:
            raise UserError(f"allow at least one algorithm for logins, of {', '.join(ALGORITHMS)}")
        for name in algorithms:
            if name not in ALGORITHMS:
                raise UserError(f"logins are never signed by {shown(name)} here; allow some of {', '.join(ALGORITHMS)}")
        for name in claims or {}:
            if name not in CLAIMS:
                raise UserError(f"there is no claim for {shown(name)}{did_you_mean(name, CLAIMS)}")
        _jwt()
        self.issuer, self.audience, self.algorithms = issuer, audience, tuple(algorithms)
        for name, claim in (claims or {}).items():
            if not isinstance(claim, str) or not claim.strip():
                raise UserError(f"the claim for {name} is the name of one, not {shown(claim)}; or leave {name} out")
        self.device = None if device is None else _device(issuer, device)
        self._claims, self._clock = {**CLAIMS, **(claims or {})}, clock
        self._named = frozenset(claims or {})
        self._url = jwks if isinstance(jwks, str) else None
        self._keys: dict[str, Any] = {} if isinstance(jwks, str) else _keys(jwks)
        self._looked, self._fresh = float("-inf"), float("-inf")
        self._lock = threading.Lock()

    def identify(self, token: str) -> Identity | None:
        """Who a token stands for; ``None`` for anything but a valid one."""
        told = self.told(token)
        return None if told is None else self.named(told)

    def told(self, token: str, audience: str | None = None) -> Json | None:
        """What a valid token claims; ``None`` for any other.

        Args:
            audience: for whom it must be, if not for this service (a token about a login is for a login's client).
        """
        jwt = _jwt()
        try:
            head = jwt.get_unverified_header(token)
            algorithm, name = head.get("alg"), head.get("kid")
            if algorithm not in self.algorithms or "crit" in head or not isinstance(name, str):
                return None
            key = self._key(name)
            if key is None or key.algorithm_name != algorithm:
                return None
            told: Json = jwt.decode(
                token,
                key.key,
                algorithms=[algorithm],
                audience=self.audience if audience is None else audience,
                issuer=self.issuer,
                leeway=_LEEWAY,
                options={"require": ["exp", "iss", "aud", self._claims["subject"]]},
            )
            return told
        except (jwt.PyJWTError, UserError, ValueError, TypeError):
            return None

    def named(self, told: Json) -> Identity | None:
        """Who is meant by what a token claims; ``None`` where that makes no login."""
        try:
            return self._identity(told)
        except (UserError, ValueError, TypeError):
            return None

    def _identity(self, told: Json) -> Identity | None:
        said = {name: _claim(told, claim) for name, claim in self._claims.items()}
        if any(said[name] is _ABSENT for name in self._named):
            return None
        subject, roles = said["subject"], said["roles"]
        projects = [DEFAULT_PROJECT] if said["project"] is _ABSENT else _names(said["project"])
        if not isinstance(subject, str) or not projects:
            return None
        mine = ["analyst"] if roles is _ABSENT else roles.split() if isinstance(roles, str) else _names(roles)
        return Identity(
            subject,
            project=projects[0],
            # a provider has roles of its own; those of pets count
            roles=frozenset({*mine} & {*ROLES}),
            datasets=None if said["datasets"] is _ABSENT else frozenset(_names(said["datasets"])),
            projects=frozenset(projects),
        )

    # the keys -----------------------------------------------------------------------------------------------------

    def _key(self, name: str) -> Any:
        """The key of that name, after a look at what the provider publishes now where it is due."""
        if self._url is None:
            return self._keys.get(name)
        # whoever has a known key waits for nobody's look
        if (name not in self._keys or self._age >= _KEPT) and self._lock.acquire(blocking=name not in self._keys):
            try:
                now = self._clock()
                if (name not in self._keys or self._age >= _KEPT) and now - self._looked >= _PAUSE:
                    self._looked = now
                    if (found := _fetched(self._url)) is not None:
                        self._keys, self._fresh = found, now
            finally:
                self._lock.release()
        return self._keys.get(name) if self._age < _OLDEST else None

    @property
    def _age(self) -> float:
        """Seconds since the provider published what is known."""
        return self._clock() - self._fresh


def _device(issuer: str, device: Mapping[str, str]) -> DeviceLogin:
    known = ("client", "scope", "resource")
    if not isinstance(device, Mapping) or "client" not in device:
        raise UserError("device says as which client one logs in; write {'client': 'the name at the provider'}")
    for name in device:
        if name not in known:
            raise UserError(f"a device login has no {shown(name)}{did_you_mean(name, known)}")
    return DeviceLogin(issuer, **device)


def check_url(url: str) -> None:
    """Refuse an address whose answer somebody on the way could change; raises :class:`UserError`."""
    if not private(url):
        raise UserError(f"the keys of logins are fetched by https, and not from {shown(url)}; give an https:// URL")


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect where each address on the way may be asked."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """The next request; raises :class:`UserError` for an address whose answer somebody could change."""
        check_url(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _fetched(url: str) -> dict[str, Any] | None:
    """The keys that are published there now; ``None`` where they cannot be had."""
    try:
        with urllib.request.build_opener(Redirects).open(url, timeout=_PATIENCE) as reply:
            return _keys(json.loads(reply.read(_MAX_KEYS)))
    except (OSError, ValueError, UserError, RecursionError):
        return None


def _keys(form: Any) -> dict[str, Any]:
    """By name, the keys for signatures; one of a kind that is not allowed here is passed over."""
    jwt, found = _jwt(), {}
    listed = form.get("keys") if isinstance(form, Mapping) else None
    if not isinstance(listed, list):
        raise UserError('a set of keys is {"keys": [...]}, as the provider publishes it; check the address')
    for one in listed:
        if not isinstance(one, Mapping) or one.get("use", "sig") != "sig" or not isinstance(one.get("kid"), str):
            continue
        kind = _KINDS.get((str(one.get("kty")), str(one.get("crv", ""))))
        if kind is None or one.get("alg", kind) != kind:
            continue
        with contextlib.suppress(jwt.PyJWTError, ValueError, TypeError):
            key = jwt.PyJWK(dict(one), algorithm=kind)
            if getattr(key.key, "key_size", _MIN_RSA) >= _MIN_RSA or kind != "RS256":
                found[one["kid"]] = key
    return found


def _claim(told: Json, name: str) -> Any:
    """What a claim says, or that it is absent; a dot leads into an object, unless the whole name is a claim (a URL)."""
    if name in told:
        return told[name]
    here: Any = told
    for part in name.split("."):
        here = here.get(part, _ABSENT) if isinstance(here, Mapping) else _ABSENT
    return here


def _names(value: Any) -> list[str]:
    """A claim of several names, or of one, each as it is; raises :class:`TypeError` for any other."""
    several = [value] if isinstance(value, str) else value
    if not isinstance(several, list) or not all(isinstance(one, str) for one in several):
        raise TypeError("a claim of names is a text, or a list of texts")
    return several


def _jwt() -> Any:
    try:
        import jwt
    except ModuleNotFoundError:
        raise missing_extra("logins by OpenID Connect", "service") from None
    return jwt
