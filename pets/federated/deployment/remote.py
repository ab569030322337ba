"""Remote: a federation whose sites are elsewhere. The same verbs; each site's account stays with the site."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from pets.common.arguments import whole_between
from pets.common.clock import now
from pets.common.codec import Json
from pets.common.entropy import random_id
from pets.errors import PetsError, PolicyError, ReleaseFailedError, UserError, shown
from pets.federated.analyst.account_replies import AccountReply, ask_accounts, frame
from pets.federated.analyst.federation import Federation
from pets.federated.analyst.open_folder import OpenFolder
from pets.federated.analyst.open_question import OpenQuestion, advanced, wait_of
from pets.federated.analyst.planning import FederatedRequest
from pets.federated.analyst.public_range import check_total
from pets.federated.analyst.sealing import Answer, order_of, released, sealed
from pets.federated.deployment.federation_folder import Answers, FederationFolder
from pets.federated.deployment.greeting import greet
from pets.federated.keyholder.client import KeyHolderClient
from pets.federated.keyholder.gate import NAME
from pets.federated.messages.errors import Refused
from pets.federated.messages.roster import Roster
from pets.federated.query_round.coordinator import Relay
from pets.federated.query_round.envelopes import KeyHolder, round_in
from pets.federated.query_round.order import Order
from pets.federated.query_round.regression_step import Model
from pets.federated.site.account_request import MAX_REQUESTS, AccountRequest
from pets.federated.site.policy import SitePolicy
from pets.federated.site.site import Site
from pets.federated.site.waiting.kept_replies import GRACE
from pets.protection.budget import Budget
from pets.protection.protection import Protection
from pets.protection.sdc import SDC
from pets.query_model.query import Query
from pets.release.certificate import Certificate
from pets.release.release import Release
from pets.session.quoting.quote import Remaining
from pets.session.session import Session

if TYPE_CHECKING:
    import pandas as pd

    from pets.federated.deployment.nvflare_engine import Line

_Said = TypeVar("_Said")
PATIENCE = 120.0
"""Seconds after which a site that says nothing is lost for a query."""
HELLO = 15.0
"""Seconds in which a gate says that it is there."""


class RemoteFederation(Federation):
    """The sites of a federation's folder, over its running server.

    Args:
        folder: as ``pets federation init`` made it.
        patience: seconds after which a site that says nothing is lost for the query.
        progress: whether a query that takes over a second shows a bar, site by site.

    The line to the server is opened with the first query, and closed by :meth:`close` or at the end of a ``with``.
    """

    def __init__(self, folder: str | Path, *, patience: float = PATIENCE, progress: bool = True) -> None:
        if isinstance(patience, bool) or not isinstance(patience, (int, float)) or not 1 <= patience <= 3600:
            raise UserError(f"patience is a number of seconds from 1 to 3600, not {shown(patience)}")
        self.folder = FederationFolder(Path(folder))
        self._sites: tuple[Site, ...] = ()
        self.analyst = self.folder.facts.analyst
        self.schema, self.roster = self.folder.schema, self.folder.roster
        self._coordinator, self._analyst = self.folder.key("coordinator"), self.folder.key("analyst")
        self._answers = Answers(self.folder.path / "answers")
        self._patience, self._progress = float(patience), progress
        self._line: Line | None = None
        self._clock: Callable[[], dt.datetime] = partial(dt.datetime.now, dt.UTC)
        self._open = OpenFolder(self.folder.path / "open")
        self._evidence: dict[str, bytes] = {}
        self.last_step: Json = {}
        self.lost: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<Federation of {self.roster.size} sites elsewhere: {', '.join(self.folder.names)}>"

    def __enter__(self) -> RemoteFederation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the server; sites and server go on."""
        if self._line is not None:
            self._line.close()
            self._line = None

    @property
    def line(self) -> Line:
        """The way to the sites; opened when first used."""
        if self._line is None:
            self._line = self.folder.line(self._patience)
        return self._line

    def connected(self) -> tuple[str, ...]:
        """The sites whose gates answer now, and the key holder."""
        return tuple(self.greetings())

    def greetings(self) -> dict[str, str]:
        """By party whose gate answers now, how its clock stands against this one; empty where both agree."""
        return self._greeted(self._prepared())

    def _greeted(self, names: Sequence[str]) -> dict[str, str]:
        parties, public = self.folder.parties, self.folder.public_key
        holder = None if public is None else public.holder
        asked = [parties.index(name) for name in names]

        def exchange(messages: Mapping[int, bytes]) -> Mapping[int, bytes]:
            return self.line.exchange(messages, lambda site: None, min(HELLO, self._patience))

        found = greet(self.roster, self._coordinator, holder, asked, exchange)
        return {name: found[place] for place, name in enumerate(parties) if place in found}

    def _prepared(self) -> tuple[str, ...]:
        """Who is on the line; over a new one where the server was begun anew since the line was opened."""
        fresh = self._line is None
        try:
            return self.line.prepare()
        except UserError:
            self.close()
            if fresh:
                raise
        return self.line.prepare()

    def _somewhere(self) -> tuple[str, ...]:
        here = self._prepared()
        if not here:
            raise UserError("no site is in touch with the federation's server; start them with pets site serve")
        return here

    def _carried(self, request: FederatedRequest, model: Model | None = None) -> tuple[Order, Relay]:
        self._somewhere()
        return super()._carried(request, model)

    def _carry(self, relay: Relay) -> None:
        self._transport = self.line
        super()._carry(relay)

    # questions that stay open ------------------------------------------------------------------------------------

    def submit(
        self, query: Query, protection: Protection, *, wait: str | dt.timedelta = "7d", again: bool = False
    ) -> OpenQuestion | Release:
        """Ask a question that stays open: each site sends one encrypted envelope, on a day of its own.

        The key holder signs its round now; sites that are in touch answer now. It is kept in the federation's folder,
        and goes on with :meth:`collect`, also in another process.

        Args:
            query, protection: as for :meth:`release`. Each site is charged when it answers, once.
            wait: how long, such as ``"7d"``, ``"36h"`` or ``"90m"``. At its end the sites that answered are the
                answer, where they are enough; else it is void, and their charges stay.
            again: the same question is answered from what was released before, or goes on where it is open, unless
                this is true.

        Returns:
            The answer, where it is there already; else the question.

        Raises:
            QueryError, BudgetError, PolicyError, UserError: before anything is sent or charged.
            Refused, ReleaseFailedError: where it is over without an answer.
        """
        if isinstance(protection, SDC):
            raise PolicyError("rounded counts are asked of all sites at once; leave the waiting out (submit, --wait)")
        request = self._request(query.shown_as(None), protection, "encrypted", again)
        key = request.key(self.roster)
        if not again and key in self._answers:
            return released(self._answers[key]).shown_as(query.display)
        if not again:
            for one in self.pending():
                if self._asked(one).key(self.roster) == key:
                    return self.collect(one.id) or self._open.get(one.id)
        until = (self._clock() + wait_of(wait)).isoformat(timespec="seconds")
        self._somewhere()
        order, signed, _ = self._ordered(request, until=until)
        self._open.keep(OpenQuestion(order, signed, now()))
        return self.collect(order.id) or self._open.get(order.id)

    def pending(self) -> tuple[OpenQuestion, ...]:
        """The questions that stay open, the oldest first."""
        return self._open.all()

    def collect(self, question: str) -> Release | None:
        """Go on with an open question: ask the sites that are in touch and were not heard, and open what is complete.

        Args:
            question: its id, or the first digits of it.

        Returns:
            The answer; ``None`` where it still waits. :attr:`lost` says which sites are not in, and why.

        Raises:
            UserError: where there is no such question, or the server cannot be reached; it stays open.
            Refused, ReleaseFailedError: where it is over without an answer, with what stays charged, or where the key
                holder did not open it this time.
        """
        found = self._open.get(question)
        there = self._greeted(self._prepared())
        here = {self.roster.number(name) for name in there if name != NAME}
        request, moment = self._asked(found), self._clock()
        relay = self._relay(found.order, found.signed, request.plan.size, round_in(found.order))
        try:
            done = advanced(found, relay, self.line, here, NAME in there, moment, self._open.keep)
        except (Refused, ReleaseFailedError):
            if not relay.enough or moment > found.until + GRACE:
                self._open.drop(found)
            raise
        finally:
            self.lost = dict(relay.lost)
        if not done.relay.done:
            return None
        check_total(request.plan, self.roster, request.shares, len(relay.survivors), relay.total)
        release = sealed(
            request, found.order, relay, self.schema, self._certified(found.order, relay), self._coordinator
        )
        self._answers[request.key(self.roster)] = release
        self._open.drop(found)
        return released(release)

    def _asked(self, question: OpenQuestion) -> FederatedRequest:
        """What a question asks, with its price."""
        order = question.order
        return replace(self._request(order.query, order.protection, order.secure), shares=order.shares)

    def _certified(self, order: Order, relay: Relay) -> Mapping[str, Certificate]:
        request = AccountRequest(random_id(), self.roster.digest, self.analyst, ("certificates",), 0, order.id)
        here = [self.roster.number(name) for name in relay.survivors if name not in relay.lost]
        try:
            said, _ = ask_accounts(request, self.roster, self._coordinator, self._analyst, self.line, here)
        except PetsError:  # the answer is there; who wants the certificates may ask for them again
            return {}
        return {name: one.certificate for name, one in said.items() if one.certificate is not None}

    def _key_holder(self) -> tuple[KeyHolder, Roster]:
        holder = self._opener()
        if NAME not in self.connected():
            raise UserError("the key holder is not in touch with the federation's server; nothing was spent")
        return holder

    def _opener(self) -> tuple[KeyHolder, Roster]:
        public = self.folder.public_key
        if public is None:
            raise UserError(
                "this federation has no key holder; make one with pets keyholder init, and a federation with "
                "--key-holder FILE, or use secure='masked'"
            )
        keys = self._coordinator, self._analyst
        return KeyHolderClient(public, self.roster, *keys, self.analyst, self.line, self.roster.size), self.roster

    def dummy(self, rows: int = 1000, seed: int = 0) -> Federation:
        """A federation in this process on invented rows, ``rows`` a site; ``pets.Exact()`` may be used."""
        roster = self.roster
        delta = roster.delta if roster.currency == "zcdp" else 0
        sites = [
            Site(
                Session(self.schema, budget=Budget(1.0, delta), progress=False).dummy(rows, seed + number),
                policy=SitePolicy.open(self.schema),
                name=member.name,
            )
            for number, member in enumerate(roster.members)
        ]
        return Federation(
            sites,
            sites_per_person=roster.sites_per_person,
            dropouts=roster.dropouts,
            colluding=roster.colluding,
            analyst=self.analyst,
            progress=self._progress,
        )

    def certificates(self, release: Answer) -> dict[str, Certificate]:
        """By site, its ledger's signed certificate of its part in an answer, of the sites that tell.

        Raises:
            PolicyError: where no site tells.
        """
        if not isinstance(release, Answer):
            raise UserError(f"certificates are of a release of this federation, not of {shown(release)}")
        said = _somebody(self._accounts("certificates", release=order_of(release)), self.lost)
        return {name: one.certificate for name, one in said.items() if one.certificate is not None}

    def remaining(self) -> dict[str, Remaining]:
        """By site, what it says is left in its own ledger; of sites that do not say, :attr:`lost` has the reason.

        Raises:
            PolicyError: where no site says.
        """
        return _somebody(self.lefts(), self.lost)

    def lefts(self) -> dict[str, Remaining]:
        """:meth:`remaining`, of the sites that say, which may be none."""
        said = self._accounts("budget")
        return {name: one.left for name, one in said.items() if one.left is not None}

    def history(self, last: int = MAX_REQUESTS) -> pd.DataFrame:
        """The newest requests of the federation at every site that says, with the site's name.

        A request is ``charged`` whether or not its answer left the site: that could depend on rows.

        Raises:
            PolicyError: where no site says.
        """
        asked = whole_between("last", last, 1, MAX_REQUESTS)
        return frame(_somebody(self._accounts("history", asked), self.lost), self.roster)

    def _accounts(self, about: str, last: int = 0, release: str = "") -> dict[str, AccountReply]:
        """What the sites say; it costs nothing, and reads no row."""
        request = AccountRequest(random_id(), self.roster.digest, self.analyst, (about,), last, release)
        here = [self.roster.number(name) for name in self._greeted(self._somewhere()) if name != NAME]
        said, self.lost = ask_accounts(request, self.roster, self._coordinator, self._analyst, self.line, here)
        return said


def _somebody(said: dict[str, _Said], silent: dict[str, str]) -> dict[str, _Said]:
    if not said:
        why = "; ".join(f"{name}: {reason}" for name, reason in silent.items())
        raise PolicyError(f"no site says what its account holds ({why}); their custodians see it with pets site status")
    return said


def connect(folder: str | Path, *, patience: float = PATIENCE, progress: bool = True) -> RemoteFederation:
    """A federation of real sites, by the coordinator's folder (``pets federation init`` makes it)."""
    return RemoteFederation(folder, patience=patience, progress=progress)
