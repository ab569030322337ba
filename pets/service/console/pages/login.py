"""Logging in and out, choosing a project, and the files that every page needs."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote, unquote

from pets.errors import NotFoundError, PetsError, UnauthenticatedError
from pets.service.access.code_flow import Begun, Login
from pets.service.console.desk import FORM, LOGIN, PROJECT, SESSION, WANTED, Cookie
from pets.service.console.guard import check_wire
from pets.service.console.page import Answer, File, Html, Page, Redirect, Visit, said
from pets.service.console.rendering import static
from pets.service.http.endpoint import NOBODY
from pets.service.wire.problems import status

_BACK = "/login/return"
_UNDER_WAY = 600  # seconds that a login at a provider may take
_YEAR = 31_536_000


def _form(visit: Visit) -> Answer:
    if visit.identity is not NOBODY:
        return Redirect("/")
    return _asked(visit)


def _asked(visit: Visit, error: PetsError | None = None) -> Html:
    """The form, after what was wrong with the last one."""
    if not visit.desk.own:
        raise UnauthenticatedError("log in where you usually do; then come back to this page")
    provider = "" if visit.desk.flow is None else visit.desk.flow.host
    return Html(
        "login.html",
        {"provider": provider, "problem": "" if error is None else said(error), "left": "left" in visit.query},
        200 if error is None else status(error),
    )


def _log_in(visit: Visit) -> Answer:
    """With a token of the service's own, or of the provider."""
    token = visit.form.get("token", "").strip()
    try:
        return _begun(visit, Login(token))
    except UnauthenticatedError as error:
        return _asked(visit, error)


def _begun(visit: Visit, login: Login) -> Answer:
    check_wire(visit.site)
    secret = visit.desk.begin(login, visit.cookies.get(SESSION, ""), visit.address)
    ended = [Cookie(name, "", 0) for name in (LOGIN, FORM, PROJECT, WANTED) if name in visit.cookies]
    wanted = unquote(visit.cookies.get(WANTED, ""))
    return Redirect(wanted if wanted.startswith("/") else "/", (Cookie(SESSION, secret), *ended))


def _out(visit: Visit) -> Answer:
    """To the provider."""
    if visit.desk.flow is None:
        raise NotFoundError("this service has no provider of logins; log in with a token of it")
    visit.desk.ways.take(visit.address)
    check_wire(visit.site)
    to, begun = visit.desk.flow.begin(_back(visit))
    return Redirect(to, (Cookie(LOGIN, begun.text, _UNDER_WAY),))


def _return(visit: Visit) -> Answer:
    """From the provider; what the browser kept is good for one try."""
    if visit.desk.flow is None:
        raise NotFoundError("this service has no provider of logins; log in with a token of it")
    visit.desk.ways.take(visit.address)
    begun = Begun.read(visit.cookies.get(LOGIN, ""))
    try:
        return _begun(visit, visit.desk.flow.finish(begun, visit.query, _back(visit)))
    except UnauthenticatedError as error:
        return replace(_asked(visit, error), cookies=(Cookie(LOGIN, "", 0),))


def _back(visit: Visit) -> str:
    return f"{visit.site}{visit.base}{_BACK}"


def _log_out(visit: Visit) -> Answer:
    """Here; whether they log out at the provider too, where other services go by the same login, is theirs to say.

    (No form may lead there by itself: the policy of every page keeps forms to this site.)
    """
    ended, flow = visit.desk.end(visit.cookies.get(SESSION, "")), visit.desk.flow
    elsewhere = ended is not None and ended.login.sub and flow is not None and flow.way_out() is not None
    gone = tuple(Cookie(name, "", 0) for name in (SESSION, PROJECT, WANTED))
    return Redirect("/login?left" if elsewhere else "/login", gone)


def _leave(visit: Visit) -> Answer:
    """To where the provider ends its own session."""
    visit.desk.ways.take(visit.address)
    to = None if visit.desk.flow is None else visit.desk.flow.way_out()
    if to is None:
        raise NotFoundError("this service has no provider of logins where one logs out; close the browser instead")
    return Redirect(to)


def _choose(visit: Visit) -> Answer:
    """Another of one's projects; raises :class:`ForbiddenError` for anybody else's."""
    project = visit.identity.within(visit.form.get("project", "")).project
    return Redirect("/", (Cookie(PROJECT, quote(project, safe="")),))


def _static(visit: Visit) -> Answer:
    kind, body = static(visit.path["name"])
    return File(body, kind, {"Cache-Control": f"public, max-age={_YEAR}, immutable"})


PAGES = (
    Page("GET", "/login", _form, opened=True),
    Page("POST", "/login", _log_in, opened=True),
    Page("GET", "/login/start", _out, opened=True),
    Page("GET", _BACK, _return, opened=True),
    Page("POST", "/logout", _log_out, opened=True),
    Page("GET", "/login/leave", _leave, opened=True, anonymous=True),
    Page("POST", "/project", _choose),
    Page("GET", "/static/{name}", _static, opened=True, anonymous=True),
)
