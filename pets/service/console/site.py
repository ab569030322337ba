"""Site: all pages of the console, and how a request becomes one of them."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from pets.errors import NotFoundError, PetsError, UnauthenticatedError, UserError
from pets.service.access.identity import Identity
from pets.service.console.desk import FORM, PROJECT, SESSION, WANTED, Cookie, Desk, bound, unguessable
from pets.service.console.guard import HEADERS, Cookies, check_form
from pets.service.console.page import Answer, File, Html, Page, Redirect, Visit
from pets.service.console.pages import airlock, analyst, grants, login, oversight, public, reviews, uses
from pets.service.console.register import Register
from pets.service.console.rendering import render, static_name
from pets.service.http.endpoint import NOBODY, body_of, identity_of, incident
from pets.service.http.pages import Sent, Serve, in_thread
from pets.service.http.service import Service
from pets.service.wire import problems

PAGES: tuple[Page, ...] = (
    *analyst.PAGES,
    *reviews.PAGES,
    *airlock.PAGES,
    *oversight.PAGES,
    *grants.PAGES,
    *uses.PAGES,
    *public.PAGES,
    *login.PAGES,
)

_FORM_TYPE = "application/x-www-form-urlencoded"
_MOST_FIELDS = 2000
_LONGEST = 1000  # letters of an address that is kept until somebody has logged in
_UNDER_WAY = 600  # seconds that it is kept
_logger = logging.getLogger("pets.service")


class Site:
    """The console of a service.

    Args:
        service: whose endpoints its pages ask.
        desk: where people log in.
        register: the page for everybody.
        prefix: where it stands below the application.
    """

    def __init__(self, service: Service, desk: Desk, register: Register, prefix: str = "/console") -> None:
        self._service, self._desk, self._register, self._prefix = service, desk, register, prefix

    def addresses(self) -> list[tuple[str, str, Serve]]:
        """What the application has to answer: methods, addresses and what answers there."""
        pages = [(one.method, self._prefix + one.path, self._serving(one)) for one in PAGES]
        rest = [
            ("", self._prefix, self._serving(_FRONT)),
            ("", self._prefix + "/{rest:path}", self._serving(_ELSEWHERE)),
        ]
        return [*pages, *rest]

    def _serving(self, page: Page) -> Serve:
        async def serve(request: Any) -> Sent:
            return await self._serve(page, request)

        return serve

    async def _serve(self, page: Page, request: Any) -> Sent:
        base = request.scope.get("root_path", "") + self._prefix
        turn = _Turn(self._service, self._desk, self._register, page, request, base)
        try:
            sent = await turn.answered()
        except PetsError as error:
            sent = await in_thread(turn.refused, error)
        except Exception:
            sent = await in_thread(turn.refused, incident(self._service))
        _logger.info("%s %s %d", request.method, self._prefix + page.path, sent.status)
        return sent


class _Turn:
    """One request on its way through the console."""

    def __init__(self, service: Service, desk: Desk, register: Register, page: Page, request: Any, base: str) -> None:
        self._service, self._desk, self._register = service, desk, register
        self._page, self._request, self._base = page, request, base
        self._cookies = Cookies(request, base)
        self._set: list[Cookie] = []
        self._address = "" if request.client is None else str(request.client.host)
        self._who = NOBODY
        self._secret = self._cookies.found.get(SESSION, "")
        self._session = desk.find(self._secret) if desk.own and self._secret else None
        self._given = "" if page.anonymous else self._browser() if self._session is None else self._session.csrf

    async def answered(self) -> Sent:
        """The page, or where to go instead; raises :class:`PetsError`."""
        try:
            if not self._page.anonymous:
                self._who = self._chosen(await self._identity())
        except Exception as error:  # also what a host's own login does not foresee, where a page is open to all
            if not self._page.opened and self._desk.own and isinstance(error, UnauthenticatedError):
                return self._sent(Redirect("/login", self._wanted()))
            if not self._page.opened:
                raise
        if self._page.roles:
            self._who.require(*self._page.roles)
        pairs = await self._form() if self._page.method == "POST" else ()
        return await in_thread(self._made, pairs)

    def _wanted(self) -> tuple[Cookie, ...]:
        """Where to go after the login, which is below the console's own address wherever that leads."""
        asked = self._request.url.query
        path = quote(self._request.scope["path"].removeprefix(self._base)) + (f"?{asked}" if asked else "")
        kept = self._page.method == "GET" and len(path) <= _LONGEST
        return (Cookie(WANTED, quote(path, safe=""), _UNDER_WAY),) if kept else ()

    async def _identity(self) -> Identity:
        if not self._desk.own:
            return await identity_of(self._service, self._request)
        if self._session is None:
            raise UnauthenticatedError("log in first; then come back to this page")
        try:
            return await in_thread(self._desk.identify, self._session, self._address)
        except UnauthenticatedError:
            self._desk.end(self._secret)
            self._session, self._given = None, self._browser()
            raise

    @property
    def _csrf(self) -> str:
        """What forms send back: of this session or browser, and of whoever asks in this project, and nobody else.

        Where the provider cannot say now who that is, it is who it was: one can log out all the same.
        """
        session = self._session
        who = self._chosen(session.who) if self._who is NOBODY and session is not None else self._who
        return bound(self._given, who.subject, who.project)

    def _browser(self) -> str:
        """What forms depend on where there is no session: the browser has it in a cookie, from now on at least."""
        if found := str(self._cookies.found.get(FORM, "")):
            return found
        made = unguessable()
        self._set.append(Cookie(FORM, made))
        return made

    def _chosen(self, identity: Identity) -> Identity:
        """In the project that they chose, as long as it is one of theirs."""
        project = unquote(self._cookies.found.get(PROJECT, ""))
        return identity.within(project) if project in identity.projects else identity

    async def _form(self) -> tuple[tuple[str, str], ...]:
        """What a form of this console sent; raises :class:`ForbiddenError` for one of another site."""
        body = await body_of(self._request, self._service.limits.max_bytes, _FORM_TYPE)
        try:
            found = parse_qsl(
                body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
            )
        except ValueError:
            raise UserError("the form is not as a browser sends it; load the page again") from None
        check_form(self._request, dict(found).get("csrf", ""), self._csrf)
        # a browser sends the ends of lines as two letters, whatever was typed
        return tuple((name, value.replace("\r\n", "\n")) for name, value in found if name != "csrf")

    def _made(self, pairs: tuple[tuple[str, str], ...]) -> Sent:
        request = self._request
        visit = Visit(
            service=self._service,
            identity=self._who,
            path=request.path_params,
            query=dict(reversed(request.query_params.multi_items())),
            pairs=pairs,
            csrf=self._csrf,
            base=self._base,
            site=f"{request.url.scheme}://{request.headers.get('host', '')}",
            cookies=self._cookies.found,
            address=self._address,
            desk=self._desk,
            register=self._register,
        )
        return self._sent(self._page.handler(visit))

    def refused(self, error: PetsError) -> Sent:
        """The page that says why there is none."""
        told = problems.problem(error)
        values = {"title": told["title"], "sentence": told["detail"], "code": error.code}
        sent = self._sent(Html("problem.html", values, told["status"]))
        if error.retry_after is None:
            return sent
        return Sent(sent.body, sent.status, (*sent.headers, ("Retry-After", str(math.ceil(error.retry_after)))))

    def _sent(self, answer: Answer) -> Sent:
        more: Mapping[str, str] = {}
        if isinstance(answer, Redirect):
            to = self._base + answer.to if answer.to.startswith("/") else answer.to
            body, status, more = b"", 303, {"Location": quote(to, safe="%/:?#[]@!$&'()*+,;=~-._")}
        elif isinstance(answer, File):
            body, status, more = answer.body, 200, {"Content-Type": answer.media_type} | dict(answer.headers)
        else:
            body, status = render(answer.template, self._common() | dict(answer.values)), answer.status
            more = {"Content-Type": "text/html; charset=utf-8"}
        cookies = [*self._set, *(() if isinstance(answer, File) else answer.cookies)]
        headers = [*(HEADERS | dict(more)).items(), *(("Set-Cookie", self._cookies.header(one)) for one in cookies)]
        return Sent(body, status, tuple(headers))

    def _common(self) -> dict[str, Any]:
        """What every template has."""
        who = None if self._who is NOBODY else self._who
        listed = [one for one in PAGES if who is not None and one.shown_to(who)]
        return {
            "base": self._base,
            "csrf": self._csrf,
            "who": who,
            "own_login": self._desk.own,
            "public_register": self._register.opened,
            "nav": [{"to": self._base + one.path, "label": one.nav, "here": self._within(one.path)} for one in listed],
            "static": lambda name: f"{self._base}/static/{static_name(name)}",
        }

    def _within(self, path: str) -> str:
        """How a page in the list of pages stands to this one: it is ``page``, or leads to it (``true``)."""
        below = "/datasets" if path == "/" else path
        return "page" if path == self._page.path else "true" if self._page.path.startswith(below) else ""


def _front(_: Visit) -> Answer:
    return Redirect("/")


def _nowhere(_: Visit) -> Answer:
    raise NotFoundError("the console has no such page; its first page leads to those that there are")


_FRONT = Page("GET", "", _front, opened=True)
_ELSEWHERE = Page("GET", "/{rest}", _nowhere, opened=True)
