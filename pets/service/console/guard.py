"""Guard: the headers of every page, its cookies, and whether a form comes from a page of one's own.

A form is taken where the browser says that it comes from this very site, and where it sends back what the page was
given: text that no other site can read. Either alone would do; both are asked.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from pets.errors import ForbiddenError, UserError
from pets.service.console.desk import Cookie, same

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # (without any, a browser would not say where a form comes from)
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of every reply of the console."""

_HERE = ("localhost", "127.0.0.1", "::1")
_MARK = "pets-"
_PROXY = (
    "people log in by https alone; ask whoever runs the service to put a proxy with TLS in front of it, which sends "
    "the headers Host and X-Forwarded-Proto"
)


class Cookies:
    """The console's cookies of one request, and how others are set.

    By https their names say to the browser that no other site, and no page without TLS, may set them (``__Host-``).
    """

    def __init__(self, request: Any, base: str) -> None:
        self._secure = request.url.scheme == "https"
        self._prefix = f"__Host-{_MARK}" if self._secure else _MARK
        self._path = "/" if self._secure else base  # (a name with __Host- must be for the whole host)
        self.found = {
            name.removeprefix(self._prefix): value
            for name, value in request.cookies.items()
            if name.startswith(self._prefix)
        }

    def header(self, cookie: Cookie) -> str:
        """The value of ``Set-Cookie``: out of reach for scripts, and not sent along by the forms of other sites."""
        parts = [f"{self._prefix}{cookie.name}={cookie.value}", f"Path={self._path}", "HttpOnly", "SameSite=Lax"]
        if self._secure:
            parts.append("Secure")
        if cookie.seconds is not None:
            parts.append(f"Max-Age={cookie.seconds}")
        return "; ".join(parts)


def check_wire(site: str) -> None:
    """Refuse a login where others could listen: without TLS, but on this machine.

    Args:
        site: scheme and host, as the browser wrote them.

    Raises:
        UserError: what whoever runs the service has to change.
    """
    if not site.startswith("https://") and _host(site) not in _HERE:
        raise UserError(_PROXY)


def check_form(request: Any, given: str, expected: str) -> None:
    """Refuse a form that comes from elsewhere.

    Args:
        given: what the form sent back.
        expected: what this browser's pages were given.

    Raises:
        ForbiddenError: where the browser names another site, or none, or the form does not send that back.
        UserError: where a proxy keeps from the service at which address the browser is: cookies would lack its TLS.
    """
    told, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if told == "same-origin" and origin is not None and not _same_host(origin, request):
        raise UserError(_PROXY)
    here = told == "same-origin" if told is not None else _same_host(origin, request)
    if not here or not same(given, expected):
        raise ForbiddenError(
            "this form comes from another page than the console's, or you have logged in or chosen another project "
            "since it was loaded; load it again"
        )


def _same_host(origin: str | None, request: Any) -> bool:
    return bool(origin) and origin == f"{request.url.scheme}://{request.headers.get('host', '')}"


def _host(site: str) -> str | None:
    try:
        return urlsplit(site).hostname
    except ValueError:
        return None
