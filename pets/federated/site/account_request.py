"""Account request: an analyst asks what a site's ledger says: what is left, and what was asked. Public numbers only.

A request is typed and signed like an order, passes the same gate in the same order, and is refused unless the site's
policy tells what it asks for. What is told never depends on a row: the same is said whether an exact total left the
site or was withheld, since both are charged.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pets.common.codec import Json, canonical
from pets.common.signing import SigningKey
from pets.errors import LedgerError, PetsError, PolicyError
from pets.federated.messages.errors import ProtocolError
from pets.federated.messages.message import COORDINATOR, Channel, Kind, Message, context_of, verified
from pets.federated.messages.roster import Member, Roster
from pets.federated.messages.signed_form import SignedForm, is_id
from pets.federated.query_round.coordinator import MAX_REASON
from pets.federated.site.own_part import part_in
from pets.federated.site.policy import TELLABLE, SitePolicy
from pets.ledger.account import Account as Ledger
from pets.ledger.states import Entry
from pets.schema.schema import Schema
from pets.session.account_views import remaining
from pets.session.session import Session

MAX_REQUESTS = 10_000
"""Requests that one reply lists, at most: the newest."""


@dataclass(frozen=True)
class AccountRequest(SignedForm):
    """What an analyst asks of a site's account.

    Attributes:
        id: 16 random bytes in hex, fresh for every request.
        roster: the digest of the roster that it is about.
        analyst: who asks, as the roster knows them.
        about: any of ``"budget"``, ``"certificates"`` and ``"history"``.
        last: of how many requests the site shall tell, the newest.
        release: the id of the release of which a certificate is wanted; empty without.
    """

    DOMAIN = b"pets.federated.enquiry.v1\x00"
    CALLED = "the request for an account"

    id: str
    roster: str
    analyst: str
    about: tuple[str, ...]
    last: int = MAX_REQUESTS
    release: str = ""

    def __post_init__(self) -> None:
        if not is_id(self.id) or not all(isinstance(text, str) for text in (self.roster, self.analyst)):
            raise ProtocolError("a request's id has 32 hex digits, and its roster and analyst are texts")
        if self.release != "" and not is_id(self.release):
            raise ProtocolError("a release's id has 32 hex digits")
        if not self.about or self.about != tuple(sorted(set(self.about) & set(TELLABLE))):
            raise ProtocolError(f"a request is about {' or '.join(TELLABLE)}")
        if isinstance(self.last, bool) or not isinstance(self.last, int) or not 0 <= self.last <= MAX_REQUESTS:
            raise ProtocolError(f"a request asks for 0 to {MAX_REQUESTS:,} requests")

    def to_json(self) -> Json:
        """The canonical form."""
        return {
            "pets": "federated-enquiry",
            "version": 1,
            "id": self.id,
            "roster": self.roster,
            "analyst": self.analyst,
            "about": list(self.about),
            "last": self.last,
            "release": self.release,
        }

    @classmethod
    def from_json(cls, given: Any) -> AccountRequest:
        """The inverse of :meth:`to_json`; raises for anything else."""
        names = ("id", "roster", "analyst", "last", "release")
        return cls(about=tuple(given["about"]), **{name: given[name] for name in names})


def account_reply(
    message: Message,
    rosters: Iterable[Roster],
    seen: set[bytes],
    key: SigningKey,
    policy: SitePolicy,
    session: Session,
) -> bytes:
    """A site's reply: what its ledger says, or why it says nothing. No row is read, and nothing is charged.

    Raises:
        ProtocolError: for what is forged, replayed, or about something else.
    """
    roster = next((r for r in rosters if verified(message, r, context_of(r))), None)
    if roster is None or message.sender != COORDINATOR or message.round != 0:
        raise ProtocolError("the request is not from the coordinator of a roster that this site has pinned")
    request = AccountRequest.read(message.body, roster)
    if bytes.fromhex(request.id) != message.query or message.query in seen:
        raise ProtocolError("the request was seen before, or its id is not its message's; it was ignored")
    seen.add(message.query)
    me = next(place for place, member in enumerate(roster.members) if member.key == key.public.raw.hex())
    channel = Channel(roster, message.query, context_of(roster, request.form), me, key)
    try:
        _check(request, roster.members[me], policy, session.schema)
        return channel.write(Kind.ACCOUNT_REPLY, 0, canonical(_account(request, session.custody.account)))
    except LedgerError:  # whose words may name a file of this site
        return channel.write(Kind.REFUSED, 0, b"this site's ledger cannot be read just now")
    except PetsError as error:
        return channel.write(Kind.REFUSED, 0, str(error).encode()[:MAX_REASON])


def _check(request: AccountRequest, member: Member, policy: SitePolicy, schema: Schema) -> None:
    for what in request.about:
        if what not in policy.tell:
            raise PolicyError(f"the site's policy does not tell its {what}; its custodian may list it under tell")
    if member.schema != schema.digest:
        raise PolicyError("the site has another schema than the roster says; exchange a new roster")
    if member.policy != policy.digest:
        raise PolicyError("the site's policy has changed since the roster was made; exchange a new roster")


def _account(request: AccountRequest, ledger: Ledger) -> Json:
    entries = ledger.entries()
    mine = [entry for entry in entries if entry.project == ledger.scope[0]]
    form: dict[str, Any] = {"pets": "federated-account", "version": 1, "budget": None, "requests": None}
    form["certificate"] = _certificate(request, ledger) if "certificates" in request.about else None
    if "budget" in request.about:
        left = remaining(ledger)
        form["budget"] = {
            "budget": left.budget.to_json(),
            "spent": left.spent.to_json(),
            "left": left.left.to_json(),
            "lifetime": None if left.lifetime is None else left.lifetime.to_json(),
            "epoch": left.epoch,
            "durable": left.durable,
            "more": left.more,
            # not those that left, but those that were charged: whether one was withheld is a fact about rows
            "unbounded": sum(entry.unbounded and entry.state.charged for entry in entries),
        }
    if "history" in request.about:
        form["requests"] = [_entry(entry) for entry in mine[len(mine) - min(request.last, len(mine)) :]]
    return form


def _certificate(request: AccountRequest, ledger: Ledger) -> Json | None:
    """What the ledger signed of this site's part in a release that this analyst asked for; ``None`` without one."""
    found = part_in(request.release, ledger)
    if found is None:
        return None
    part = json.loads(found.release)
    if (part["order"]["analyst"], part["roster"]) != (request.analyst, request.roster):
        return None
    return dict(json.loads(found.certificate))


def _entry(entry: Entry) -> Json:
    return {
        "id": entry.id,
        "at": entry.at.replace(microsecond=0, tzinfo=None).isoformat(),
        "table": entry.table,
        "what": entry.what,
        "state": "charged" if entry.state.charged else entry.state.value,
        "protection": entry.protection,
        "loss": entry.cost.loss,
        "delta": entry.cost.delta,
        "unbounded": entry.unbounded,
        "epoch": entry.epoch,
    }
