"""The whole service as one application: its endpoints, and the console, which asks them for people in a browser."""

from __future__ import annotations

from pets.errors import UserError
from pets.service.access.bearer import Authenticator
from pets.service.access.code_flow import CodeFlow
from pets.service.console.desk import Desk
from pets.service.console.register import Register
from pets.service.console.site import Site
from pets.service.http.app import Application, Served, app_of, service_of
from pets.service.http.limits import Limits
from pets.service.http.pages import add_pages
from pets.service.http.service import Supervisor


def create_app(
    custodian: Served,
    *,
    auth: Authenticator | None = None,
    limits: Limits | None = None,
    supervisor: Supervisor | None = None,
    public_log: bool = False,
    console: bool = True,
    public_register: bool = False,
    login: CodeFlow | None = None,
    metrics: bool = False,
) -> Application:
    """The query service as an ASGI application: ``app.mount("/pets", create_app(custodian, auth=who))``.

    Args:
        custodian: how a custodian is opened (:class:`pets.service.Opening`): processes that answer are then started
            with the first question that needs one. Or an open :class:`pets.Custodian`, for which they run elsewhere
            (``pets answer``). Several, with one ledger, are several datasets.
        auth: a function from a Starlette ``Request`` to a :class:`~pets.service.access.identity.Identity`, plain or
            ``async``, which raises :class:`~pets.errors.UnauthenticatedError` where nobody is logged in. Left out:
            bearer tokens that ``pets service token create`` makes.
        limits: what is refused before any charge.
        supervisor: what starts processes that answer, in place of the usual one.
        public_log: whether everybody who is logged in may read the entries of the log, which name projects and
            analysts.
        console: whether people find pages for a browser below ``/console``. With ``auth``, that says who they are
            there too, and there is no page to log in.
        public_register: whether anybody, logged in or not, may read the console's record of all releases, which names
            datasets, projects and analysts.
        login: the provider at which people log in to the console; for bearer tokens alone, not beside a host's login.
        metrics: whether there is ``GET /metrics`` for Prometheus, for tokens of auditors and custodians of every
            dataset of the ledger.

    Raises:
        UserError: for custodians that cannot be served together, a login beside a host's own, or metrics where
            prometheus_client is not installed.
        DataError: for an opening whose tables are not ready (``pets snapshot``): this process reads no rows.
    """
    service = service_of(custodian, auth, limits, supervisor, public_log, metrics)
    app = app_of(service)
    if console:
        desk = Desk(service.auth, login)
        if login is not None and not desk.own:
            raise UserError("people log in with auth, or at the provider of login; leave one of them out")
        add_pages(app, Site(service, desk, Register(service.ledger, public_register)).addresses())
    return app
