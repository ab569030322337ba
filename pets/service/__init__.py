"""The query service: one custodian, many analysts, over HTTP; and the client that feels like the library.

In an app of one's own (FastAPI, Starlette), with its own login::

    def who(request):
        user = request.state.user                              # whatever the host knows
        return pets.service.Identity(user.name, project=user.team)

    stays = pets.service.Opening("stays.yaml", "ledger.db", {"stays": "stays.csv"}, snapshots="ready")
    app.mount("/pets", pets.service.create_app(stays, auth=who))

Alone: ``pets serve --config service.yaml``. Loading this package loads no framework.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pets.service.access.identity import Identity
    from pets.service.access.oidc import Oidc
    from pets.service.app import create_app
    from pets.service.http.app import router
    from pets.service.http.limits import Limits
    from pets.service.opening import Opening

_HOMES = {
    "create_app": "app",
    "router": "http.app",
    "Identity": "access.identity",
    "Limits": "http.limits",
    "Oidc": "access.oidc",
    "Opening": "opening",
}

__all__ = ["create_app", "router", "Identity", "Limits", "Oidc", "Opening"]

_FRAMEWORK = ("fastapi", "starlette", "uvicorn", "jinja2", "markupsafe")


def __getattr__(name: str) -> Any:
    from pets.errors import did_you_mean, missing_extra

    if name in _HOMES:
        try:
            value = getattr(importlib.import_module(f"pets.service.{_HOMES[name]}"), name)
        except ModuleNotFoundError as error:
            if error.name in _FRAMEWORK:
                raise missing_extra("the query service", "service") from None
            raise
        globals()[name] = value
        return value
    raise AttributeError(f"pets.service has no {name!r}{did_you_mean(name, __all__)}")


def __dir__() -> list[str]:
    return sorted(__all__)
