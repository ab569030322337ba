"""The page for everybody: the register of all releases, where the service's owner opens it."""

from __future__ import annotations

import base64
import hashlib

from pets.errors import UnauthenticatedError
from pets.ledger.publish.page import STYLE
from pets.service.access.grants import check_whole_ledger
from pets.service.console.page import Answer, File, Page, Visit
from pets.service.http.endpoint import NOBODY

_ADDRESS = "/register"
_STYLE = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def check_register(visit: Visit) -> None:
    """Refuse what the register tells to whoever may not see all of it; it names projects, analysts and datasets.

    Raises:
        UnauthenticatedError, ForbiddenError: where it is not open to all, and this is no auditor of the whole ledger.
    """
    nobody = visit.identity is NOBODY  # all without a login are counted together, and as no analyst of any name
    visit.service.rates.take(_ADDRESS if nobody else (visit.identity.project, visit.identity.subject))
    if not visit.register.opened:
        if nobody:
            raise UnauthenticatedError("this record is not open to all; log in first, as an auditor or a custodian")
        visit.identity.require("auditor", "custodian")
        check_whole_ledger(visit.service.ledger, visit.identity, "auditor", "custodian")


def _register(visit: Visit) -> Answer:
    check_register(visit)
    return File(visit.register.page(), "text/html; charset=utf-8", {"Content-Security-Policy": _POLICY})


PAGES = (Page("GET", _ADDRESS, _register, opened=True),)
