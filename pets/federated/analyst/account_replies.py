"""Account replies: how a coordinator asks sites for their accounts, and reads what they say."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pets.common.signing import SigningKey
from pets.errors import PetsError, shown
from pets.federated.analyst.transport import Transport
from pets.federated.messages.errors import ProtocolError
from pets.federated.messages.message import COORDINATOR, Channel, Kind, context_of
from pets.federated.messages.roster import Roster
from pets.federated.query_round.coordinator import plain
from pets.federated.site.account_request import AccountRequest
from pets.protection.budget import UNIT, Budget, Cost, described
from pets.release.certificate import Certificate
from pets.session.account_views import as_asked
from pets.session.quoting.quote import Remaining

if TYPE_CHECKING:
    import pandas as pd

_TEXTS = ("id", "at", "table", "what", "state", "protection")
_WHOLE = ("loss", "delta", "epoch")


@dataclass(frozen=True)
class AccountReply:
    """What one site said of its account.

    Attributes:
        left: of its budget; ``None`` where that was not asked.
        requests: the newest, oldest first, each with id, at, table, what, state, protection, loss, delta, unbounded
            and epoch.
        certificate: what its ledger signed of its part in the release that was asked about; ``None`` without one.
    """

    left: Remaining | None
    requests: tuple[Mapping[str, Any], ...]
    certificate: Certificate | None = None

    @classmethod
    def read(cls, body: bytes, request: AccountRequest, currency: str) -> AccountReply:
        """A site's reply; raises :class:`ProtocolError` for what is none, or none to this request."""
        try:
            form = json.loads(body)
            if (form["pets"], form["version"]) != ("federated-account", 1):
                raise ValueError("another form")
            left = _left(form["budget"], currency) if "budget" in request.about else None
            requests = [_request(one) for one in form["requests"]] if "history" in request.about else []
            certificate = _certified(form["certificate"], request) if "certificates" in request.about else None
        except (PetsError, TypeError, LookupError, ValueError, AttributeError, OverflowError, RecursionError):
            raise ProtocolError("the site's account is not in the form that pets writes; it was ignored") from None
        return cls(left, tuple(requests), certificate)


def _left(form: Any, currency: str) -> Remaining:
    budget = Budget.from_json(form["budget"])
    spent, left = Cost.from_json(form["spent"]), Cost.from_json(form["left"])
    lifetime = None if form["lifetime"] is None else Cost.from_json(form["lifetime"])
    if {budget.currency, *(cost.currency for cost in (spent, left, lifetime or left))} != {currency}:
        raise ValueError("these do not go together")
    return Remaining(
        budget=budget,
        spent=spent,
        left=left,
        epsilon=budget.describe(left)[0],
        delta=budget.conversion_delta,
        more=None if form["more"] is None else _whole(form["more"]),
        lifetime=lifetime,
        epoch=_whole(form["epoch"]),
        durable=form["durable"] is True,
        unbounded=_whole(form["unbounded"]),
    )


def _certified(form: Any, request: AccountRequest) -> Certificate | None:
    """A certificate of exactly this release over exactly this roster; whether it is genuine, ``pets verify`` says."""
    if form is None:
        return None
    found = Certificate(form)
    said = found.predicate
    if (said["release_id"], said["federation"]["roster_sha256"]) != (request.release, request.roster):
        raise ValueError("of another release")
    return found


def _request(form: Any) -> Mapping[str, Any]:
    if not all(isinstance(form[name], str) for name in _TEXTS):
        raise ValueError("a text is none")
    # what a site says is shown to people: no more of it than fits, and nothing that a terminal would act upon
    texts: dict[str, Any] = {name: plain(form[name].encode()) for name in _TEXTS}
    texts["at"] = dt.datetime.fromisoformat(form["at"])
    return texts | {name: _whole(form[name]) for name in _WHOLE} | {"unbounded": form["unbounded"] is True}


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise ValueError(f"{shown(value)} is no whole number")
    return value


def ask_accounts(
    request: AccountRequest,
    roster: Roster,
    coordinator: SigningKey,
    analyst: SigningKey,
    transport: Transport,
    here: Iterable[int] | None = None,
) -> tuple[dict[str, AccountReply], dict[str, str]]:
    """Ask the sites that are ``here`` (``None``: all): by name, what each said, and of the others, why not."""
    channel = Channel(roster, bytes.fromhex(request.id), context_of(roster, request.form), COORDINATOR, coordinator)
    first = Channel(roster, channel.query, context_of(roster), COORDINATOR, coordinator)
    message = first.write(Kind.ACCOUNT_REQUEST, 0, request.signed(analyst))
    asked = frozenset(range(roster.size) if here is None else here)
    replies = transport.exchange(dict.fromkeys(sorted(asked), message), lambda site: None)
    said: dict[str, AccountReply] = {}
    silent: dict[str, str] = {}
    for site, member in enumerate(roster.members):
        if site not in replies:
            silent[member.name] = "no reply" if site in asked else "away"
            continue
        try:
            reply = channel.read(replies[site], 0, site, None)
            if reply.kind is Kind.ACCOUNT_REPLY:
                said[member.name] = AccountReply.read(reply.body, request, roster.currency)
            else:
                silent[member.name] = f"refused: {plain(reply.body)}"
        except ProtocolError as error:
            silent[member.name] = str(error)
    return said, silent


def frame(said: Mapping[str, AccountReply], roster: Roster) -> pd.DataFrame:
    """Every request at every site that told, with the site's name; the columns of a session's history."""
    import pandas as pd

    deltas = {member.name: member.delta for member in roster.members}
    rows = [_row(site, one, deltas[site]) for site, statement in said.items() for one in statement.requests]
    names = ["site", "at", "what", "state", "epsilon", "rho", "unbounded", "table", "protection", "epoch", "id"]
    if roster.currency == "pure":
        names.remove("rho")
    return pd.DataFrame(rows, columns=names)


def _row(site: str, one: Mapping[str, Any], delta: float) -> dict[str, Any]:
    cost = Cost("zcdp" if delta else "pure", one["loss"] if one["state"] == "charged" else 0)
    epsilon = described(cost, delta)[0]
    if one["state"] == "charged" and one["unbounded"] and not cost.loss:
        epsilon = math.inf
    elif cost.loss:
        epsilon = as_asked(epsilon, one["protection"])
    shared = {name: one[name] for name in ("at", "what", "state", "unbounded", "table", "protection", "epoch", "id")}
    return {"site": site, "epsilon": epsilon, "rho": cost.loss / UNIT, **shared}
