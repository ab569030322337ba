"""The application: to mount below an address of one's own app, to include as a router, or to serve alone.

Nothing is started before the first request needs it: an app that is mounted does not run its start-up work.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.exceptions import HTTPException

from pets.common.version import __version__
from pets.errors import NotFoundError, PetsError, UserError
from pets.service.access.bearer import Authenticator, Bearer
from pets.service.access.tokens import ServiceTokens
from pets.service.answering.supervisor import Supervisor as Supervising
from pets.service.http import custodians, log, outputs, public, questions, reviews
from pets.service.http.endpoint import PROTOCOL, Endpoint, refusal, response
from pets.service.http.limits import Limits
from pets.service.http.protocol.openapi import described
from pets.service.http.service import Service, Supervisor
from pets.service.opening import Opening
from pets.service.telemetry.metrics import OTHER
from pets.service.wire.errors import WrongMethodError
from pets.session.custodian import Custodian

ENDPOINTS: tuple[Endpoint, ...] = (
    *public.ENDPOINTS,
    *questions.ENDPOINTS,
    *reviews.ENDPOINTS,
    *outputs.ENDPOINTS,
    *custodians.ENDPOINTS,
    *log.ENDPOINTS,
)

Application = FastAPI

Served = Custodian | Opening | Sequence[Custodian] | Sequence[Opening]
"""What is served: open custodians, or how to open them, here and in the processes that answer."""


def create_app(
    custodian: Served,
    *,
    auth: Authenticator | None = None,
    limits: Limits | None = None,
    supervisor: Supervisor | None = None,
    public_log: bool = False,
    metrics: bool = False,
) -> FastAPI:
    """The endpoints as an ASGI application, without the console (:func:`pets.service.create_app` has that too).

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
        metrics: whether there is ``GET /metrics`` for Prometheus, for tokens of auditors and custodians of every
            dataset of the ledger.

    Raises:
        UserError: for custodians that cannot be served together, or metrics where prometheus_client is not installed.
        DataError: for an opening whose tables are not ready (``pets snapshot``): this process reads no rows.
    """
    return app_of(service_of(custodian, auth, limits, supervisor, public_log, metrics))


def app_of(service: Service) -> FastAPI:
    """An application of the endpoints of a service."""
    app = FastAPI(
        title="pets",
        version=PROTOCOL,  # of what is spoken; a reply says it in the header Pets-Protocol
        description=f"The query service of pets {__version__}, which speaks protocol {PROTOCOL}.",
        docs_url=None,  # FastAPI's pages load scripts from another host
        redoc_url=None,
        openapi_url=None,  # served below, with the headers of every other reply
        redirect_slashes=False,
    )
    app.include_router(_routes(service))

    async def openapi(_: Request) -> Response:
        return response(app.openapi())

    app.add_route("/openapi.json", openapi, include_in_schema=False)

    async def elsewhere(request: Request, error: Exception) -> Response:
        with service.telemetry.request(OTHER, OTHER) as outcome:
            found, outcome.code = _elsewhere(error)
            outcome.status = found.status_code
        return found

    app.add_exception_handler(HTTPException, elsewhere)
    return app


def router(
    custodian: Served,
    *,
    auth: Authenticator | None = None,
    limits: Limits | None = None,
    supervisor: Supervisor | None = None,
    public_log: bool = False,
    metrics: bool = False,
) -> APIRouter:
    """The same endpoints for an application of one's own: ``app.include_router(router(custodian), prefix="/pets")``.

    Arguments and errors as for :func:`create_app`. What is no address of these is the application's to answer.
    """
    return _routes(service_of(custodian, auth, limits, supervisor, public_log, metrics))


def service_of(
    custodian: Any, auth: Any, limits: Any, supervisor: Any, public_log: bool, metrics: bool = False
) -> Service:
    """What the endpoints work on; arguments and errors as for :func:`create_app`."""
    several = list(custodian) if isinstance(custodian, (list, tuple)) else [custodian]
    if several and all(isinstance(one, Opening) for one in several):
        openings, several = several, [one.listening() for one in several]
        supervisor = Supervising(openings, several[0].ledger) if supervisor is None else supervisor
    if auth is None and several and isinstance(several[0], Custodian):
        auth = Bearer(ServiceTokens(several[0].ledger))
    if auth is not None and not callable(auth):
        raise UserError("auth is a function from a request to a pets.service Identity; leave it out for bearer tokens")
    made = Service(several, auth, limits=limits, supervisor=supervisor, public_log=public_log)
    if metrics:
        made.telemetry.measure([one.path for one in (*ENDPOINTS, custodians.METRICS)], made.gauges)
    return made


def _routes(service: Service) -> APIRouter:
    made = APIRouter()
    for one in ENDPOINTS if service.telemetry.metrics is None else (*ENDPOINTS, custodians.METRICS):
        made.add_api_route(
            one.path,
            _serving(service, one),
            methods=[one.method],
            name=one.handler.__name__.lstrip("_"),
            summary=one.does,
            response_class=Response,
            response_model=None,
            openapi_extra=described(one),
        )
    return made


def _serving(service: Service, one: Endpoint) -> Any:
    async def serve(request: Request) -> Response:
        return await one.serve(service, request)

    return serve


def _elsewhere(error: Exception) -> tuple[Response, str]:
    """What is no address of the service, or not with this method; and the code of that."""
    status, told = getattr(error, "status_code", 404), getattr(error, "headers", None) or {}
    why: PetsError = NotFoundError("there is no such address here; /openapi.json lists those that there are")
    if status == 405:
        why = WrongMethodError("this address is not for that method; /openapi.json lists what there is")
    found = refusal(why)
    found.headers.update(told if status == 405 else {})
    return found, why.code
