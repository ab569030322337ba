"""Federation: many sites, one answer. It has the verbs of a session."""

from __future__ import annotations

import json
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, overload

from pets.common import signing
from pets.common.arguments import plain_arguments, whole_between
from pets.common.codec import Json
from pets.common.entropy import random_id
from pets.dp.shares import Spread, View, alone, shared, shares_loss
from pets.errors import BudgetError, PolicyError, QueryError, UserError, shown
from pets.federated.analyst import planning
from pets.federated.analyst.bounding import FederatedBounds
from pets.federated.analyst.fits.last_step import record_of
from pets.federated.analyst.one_site import OneSite
from pets.federated.analyst.planning import FederatedRequest, as_site, one_schema, total_noise
from pets.federated.analyst.public_range import check_answer, check_sums
from pets.federated.analyst.sealing import Answer, order_of, sealed, shown_as
from pets.federated.analyst.transport import InProcess, Transport, carry
from pets.federated.analyst.verbs.fitting_verbs import FederatedFits
from pets.federated.analyst.verbs.grid_verbs import GridVerbs
from pets.federated.messages.roster import Roster
from pets.federated.query_round.coordinator import Relay
from pets.federated.query_round.envelopes import CoordinatorEnvelopes, KeyHolder, asked_for
from pets.federated.query_round.evidence import packed
from pets.federated.query_round.order import Order
from pets.federated.query_round.regression_step import Model
from pets.federated.secure_sum.interface import check_way
from pets.federated.site.gate import most_rows
from pets.federated.site.site import Site
from pets.plan.plan import make_plan
from pets.plan.vector import Ints
from pets.protection.budget import added_up, described
from pets.protection.protection import DP, Protection
from pets.protection.sdc import SDC
from pets.query_model.query import Query, queries
from pets.release.certificate import Certificate
from pets.release.release import Release
from pets.release.rounded.rounded_sum import RoundedSum
from pets.session.quoting.forecast import forecast_of
from pets.session.quoting.quote import Quote, Remaining, notes_of
from pets.session.session import Session

if TYPE_CHECKING:
    import pandas as pd

    from pets.he.totals.round import Round
    from pets.synthetic.synthetic_release import SyntheticRelease


class Federation(FederatedBounds, FederatedFits, GridVerbs, OneSite):
    """Several sites that answer as one, each under its own policy and from its own budget.

    Args:
        sites: sessions (in this process, of one custodian), or :class:`pets.federated.Site` objects.
        sites_per_person: m, the most sites that may hold rows of one person. It is a fact about the world that must be
            known: 1 only where a contract or a register says that sites share nobody.
        dropouts: sites that may be lost without losing the answer; the noise is sized for it.
        colluding: sites that may pool all they know with the coordinator; the noise is sized for that, too.
        analyst: who asks.
        key_holder: for ``secure="encrypted"``: who opens totals, a :class:`pets.he.SecretKey`. Left out, a key is made
            when it is first needed and kept on the analyst's side. Key holder and coordinator must not collude.
        progress: whether a query that takes over a second shows a bar, site by site.

    Raises:
        PolicyError, UserError: where the sites do not fit together, with the remedy.
    """

    @plain_arguments(UserError, "Federation", "write pets.Federation([a, b, c], sites_per_person=1)")
    def __init__(
        self,
        sites: Sequence[Session | Site],
        *,
        sites_per_person: int | None = None,
        dropouts: int = 0,
        colluding: int = 1,
        analyst: str = "local",
        key_holder: KeyHolder | None = None,
        progress: bool = True,
    ) -> None:
        if sites_per_person is None:
            raise PolicyError(
                "state sites_per_person=…, the most sites that may hold rows of one person; 1 only where a contract or "
                "a register says that sites share nobody"
            )
        if not isinstance(sites, (list, tuple)) or not all(isinstance(site, (Session, Site)) for site in sites):
            raise UserError(f"a federation is made of a list of sessions or sites, not {shown(sites)}")
        planning.check_settings(analyst, key_holder, progress)
        self._sites = tuple(as_site(site, number) for number, site in enumerate(sites, start=1))
        planning.each_its_own(self._sites)
        self._coordinator, self._analyst = signing.ephemeral(), signing.ephemeral()
        self.analyst = analyst
        self.schema = one_schema(self._sites)
        self.roster = Roster(
            tuple(site.member for site in self._sites),
            self._coordinator.public.raw.hex(),
            ((analyst, self._analyst.public.raw.hex()),),
            sites_per_person=sites_per_person,
            dropouts=dropouts,
            colluding=colluding,
            key_holder="" if key_holder is None else key_holder.public.id,
        )
        for site in self._sites:
            site.join(self.roster, None if key_holder is None else key_holder.public)
        self._holder, self._keyed = key_holder, self.roster
        self._transport: Transport = InProcess(self._sites)
        self._progress = progress
        self._answers: MutableMapping[str, Answer] = {}
        self._evidence: dict[str, bytes] = {}
        self.last_step: Json = {}
        self.lost: dict[str, str] = {}

    def __repr__(self) -> str:
        names = ", ".join(site.name for site in self._sites)
        return f"<Federation of {len(self._sites)} sites on dataset {self.schema.dataset!r}: {names}>"

    # asking -----------------------------------------------------------------------------------------------------

    @plain_arguments(UserError, "dummy", "write dummy(rows=1000, seed=0)")
    def dummy(self, rows: int = 1000, seed: int = 0) -> Federation:
        """The same federation on invented rows, ``rows`` a site. It costs nothing; ``pets.Exact()`` may be used."""
        seed = whole_between("seed", seed, 0, 2**62)
        twins = [
            Site(site.session.dummy(rows, seed + number), policy=site.policy, name=site.name)
            for number, site in enumerate(self._sites)
        ]
        roster = self.roster
        return Federation(
            twins,
            sites_per_person=roster.sites_per_person,
            dropouts=roster.dropouts,
            colluding=roster.colluding,
            analyst=self.analyst,
            progress=self._progress,
        )

    @plain_arguments(UserError, "sql", "write sql('SELECT sex, COUNT(*) AS n FROM stays GROUP BY sex')")
    def sql(self, text: str) -> Query:
        """The query that a SELECT asks, against the schema that all sites share; see :meth:`pets.Session.sql`."""
        from pets.query_model.sql.reading import sql

        return sql(text, self.schema)

    @plain_arguments(UserError, "quote", "write quote(query, pets.DP(epsilon=1), secure='masked')")
    def quote(self, query: Query | Sequence[Query], protection: Protection, *, secure: str = "masked") -> Quote:
        """Cost at each site and expected error, before spending; never reads rows.

        The error is that of an answer in which all sites take part: fewer sites bear less noise, never too little.
        """
        if not isinstance(protection, DP):
            raise BudgetError("only a differentially private release has a cost; quote with pets.DP(epsilon=…)")
        asked = [self._request(one, protection, secure) for one in queries(query)]
        errors = []
        for one in asked:
            assert one.shares is not None
            errors.append(forecast_of(one.plan, total_noise(one.plan, one.shares, self.roster.size, protection)))
        cost = added_up([one.cost for one in asked])
        lefts = [site.session.remaining() for site in self._sites]
        epsilon, delta = asked[0].at or (0.0, 0.0)
        if len(asked) > 1:
            epsilon, delta = described(cost, self.roster.delta)
        mechanism = "gaussian" if asked[0].shares is None else asked[0].shares.mechanism
        fits = all(cost.fits(left.left) for left in lefts)
        more = min((left.left.loss // max(1, cost.loss) for left in lefts), default=None)
        notes = notes_of([one.plan for one in asked])
        return Quote(cost, epsilon, delta, mechanism, tuple(errors), fits, more, protection.confidence, notes=notes)

    @overload
    def release(  # type: ignore[overload-overlap]
        self, query: Query, protection: SDC, *, secure: str = "masked", again: bool = False
    ) -> RoundedSum: ...

    @overload
    def release(  # type: ignore[overload-overlap]
        self, query: Sequence[Query], protection: SDC, *, secure: str = "masked", again: bool = False
    ) -> list[RoundedSum]: ...

    @overload
    def release(
        self, query: Query, protection: Protection, *, secure: str = "masked", again: bool = False
    ) -> Release: ...

    @overload
    def release(
        self, query: Sequence[Query], protection: Protection, *, secure: str = "masked", again: bool = False
    ) -> list[Release]: ...

    @plain_arguments(UserError, "release", "write release(query, pets.DP(epsilon=1), secure='masked')")
    def release(
        self,
        query: Query | Sequence[Query],
        protection: Protection,
        *,
        secure: str = "masked",
        again: bool = False,
    ) -> Answer | list[Release] | list[RoundedSum]:
        """One protected answer over all sites' rows, as pooled data would have given it (before noise, bit for bit).

        Args:
            query: what is asked; several are paid for one after the other, once all of them are known to fit.
            protection: as for a session. Each site charges its own ledger the whole cost. ``pets.SDC(…)``: each site
                rounds its own counts, which are sums of the shown cells of its own grid (a :class:`RoundedSum`); with
                ``secure="encrypted"``, sums of the grid that :meth:`name_grid` had the key holder show.
            secure: ``"masked"`` (secure aggregation: only the total can be seen), ``"encrypted"`` (BFV
                envelopes: the coordinator adds what it cannot read, the key holder opens one total), or ``"local"``
                (each site adds the whole noise and sends its own vector).
            again: the same question is answered from what was released before, at no cost, unless this is true.

        Raises:
            QueryError, BudgetError, PolicyError: before anything is sent or charged, or from a site's gate.
            ReleaseFailedError: where too few sites were left, or a site withheld; what was started stays charged.
        """
        if not isinstance(again, bool):
            raise UserError(f"again must be True or False, not {shown(again)}")
        asked = queries(query)
        sealed = self._answered([self._request(one, protection, secure, again) for one in asked])
        answers = [shown_as(answer, one.display) for one, answer in zip(asked, sealed, strict=True)]
        return answers[0] if isinstance(query, Query) else answers  # type: ignore[return-value]

    def _one(self, query: Query, protection: Protection, secure: str, again: bool) -> Release:
        return self.release(query, protection, secure=secure, again=again)

    def synthesise(self, rows: int | None = None, *, secure: str = "masked", **settings: Any) -> SyntheticRelease:
        """A whole synthetic table with a guarantee, from noisy marginals over all sites; nobody sees one site's.

        Args:
            rows: to draw; left out, the noisy number of rows.
            secure: how each marginal's vectors are combined.
            settings: ``epsilon`` (needed), ``table``, ``tables``, ``order``, ``columns``, ``bins``, ``bound``,
                ``cells``, ``seed``, ``progress``: :func:`pets.session.synthesis.synthesise.synthesise` has them.

        Raises:
            UserError: before anything is sent; nothing is spent.
            ReleaseFailedError: where a site was lost on the way, or noise drowns the rows; what was measured stays
                charged, and is asked again at no cost.
        """
        from pets.federated.analyst.synthesise import synthesised

        def ask(questions: Sequence[tuple[Query, DP]]) -> list[Release]:
            found = self._answered([self._request(query, protection, secure) for query, protection in questions])
            return [one for one in found if isinstance(one, Release)]

        roster = self._key_holder()[1] if secure == "encrypted" else self.roster
        return synthesised(self.schema, roster, self.analyst, secure, rows, ask, settings)

    def _answered(self, requests: Sequence[FederatedRequest]) -> list[Answer]:
        """All of them, or none where a site has no room for those that are not known yet."""
        if self.roster.members[0].data != "dummy":
            new = [one.cost for one in requests if one.again or one.key(self.roster) not in self._answers]
            planning.check_room(new, self.lefts)
        return [self._answer(one) for one in requests]

    def _request(self, query: Query, protection: Protection, secure: str, again: bool = False) -> FederatedRequest:
        plan, roster, way = make_plan(query, self.schema), self.roster, check_way(secure)
        if not isinstance(protection, DP):
            return planning.without_noise(query, plan, protection, way, roster.currency, again=again)
        spread, view = Spread(plan, roster.sites_per_person), View(roster.currency, roster.delta)
        shares = (
            alone(spread, protection, view, roster.size)
            if secure == "local"
            else shared(spread, protection, view, roster.honest, roster.size)
        )
        loss = shares_loss(spread, shares, roster.honest, roster.currency, roster.delta, protection)
        return FederatedRequest(plan, protection, way, shares, loss.cost, loss, again)

    def _answer(self, request: FederatedRequest) -> Answer:
        key = request.key(self.roster)
        if not request.again and key in self._answers:
            return self._answers[key]
        if request.for_holder:
            return self._answers.setdefault(key, self._from_grid(request))
        order, relay = self._carried(request)
        certificates = self._certified(order, relay)
        release = sealed(request, order, relay, self.schema, certificates, self._coordinator)
        self._answers[key] = release
        return release

    def _carried(self, request: FederatedRequest, model: Model | None = None) -> tuple[Order, Relay]:
        """One query, from its order to its total."""
        order, signed, asked = self._ordered(request, model)
        relay = self._relay(order, signed, request.size + (0 if model is None else model.size), asked)
        self._carry(relay)
        check_answer(request, relay)
        return order, relay

    def _carry(self, relay: Relay) -> None:
        try:
            carry(relay, self._transport, progress=self._progress)
        finally:
            self.lost = dict(relay.lost)

    def _ordered(
        self, request: FederatedRequest, model: Model | None = None, until: str = ""
    ) -> tuple[Order, bytes, Round | None]:
        """The order of a query, the body of the message that brings it to the sites, and the key holder's round."""
        roster, asked_round, plan, protection = self.roster, None, request.plan, request.protection
        if request.secure == "encrypted":
            holder, roster = self._key_holder()
            asked_round = asked_for(holder, roster, plan, protection, request.shares, self.schema)
        order = Order(
            random_id() if asked_round is None else asked_round.id,
            roster.digest,
            self.schema.digest,
            self.analyst,
            plan.query,
            protection,
            request.secure,
            request.shares,
            None if asked_round is None else json.loads(asked_round.to_bytes()),
            None if model is None else model.step,
            until,
        )
        evidence = b"" if model is None else self._evidence.get(model.step.before, b"")
        return order, packed(order.signed(self._analyst), evidence), asked_round

    def _relay(self, order: Order, signed: bytes, size: int, asked: Round | None) -> Relay:
        """An order's messages, from the first."""
        roster, adder = self.roster, None
        if asked is not None:
            holder, roster = self._opener()
            adder = CoordinatorEnvelopes(asked, holder)
        return Relay(roster, self._coordinator, order, signed, size, order.everyone, adder)

    @plain_arguments(QueryError, "a regression step by step", "it takes secure= and nothing else of release")
    def iterate(
        self, query: Query, model: Model, protection: Protection, *, secure: str = "masked"
    ) -> tuple[str, Ints]:
        """One step of a regression over all sites, for :func:`pets.federated.glm`: the query's id, and the step's sums.

        The first is at zero; each later one is what :func:`~pets.federated.query_round.next_step.next_step` gives, and
        follows the step that was asked last. Sites refuse any other: they reckon it from what all of them signed.
        Each step is a query of its own, which every site lets in, enters in its ledger as unbounded, and certifies.
        """
        request = self._request(query, protection, secure)
        plan, (order, relay) = request.plan, self._carried(request, model)
        self._evidence = {order.id: relay.evidence}  # of the last step alone: the next one follows from it
        sums = relay.total[-model.size :]
        check_sums(model, model.bits(most_rows(plan, self.roster)), int(relay.total[0]), sums)
        self.last_step = record_of(plan, order, relay, self.schema, sums, self._coordinator)
        return order.id, sums

    def _key_holder(self) -> tuple[KeyHolder, Roster]:
        """Who opens totals, and the roster that names their key; both are made once, where none were given."""
        if self._holder is None:
            from pets.he.secret_key import keygen

            self._pin(keygen()[1])
        assert self._holder is not None
        return self._holder, self._keyed

    def _opener(self) -> tuple[KeyHolder, Roster]:
        """The same, of a round that is signed already."""
        return self._key_holder()

    def _pin(self, holder: KeyHolder) -> None:
        self._holder, self._keyed = holder, replace(self.roster, key_holder=holder.public.id)
        for site in self._sites:
            site.join(self._keyed, holder.public)

    def _certified(self, order: Order, relay: Relay) -> Mapping[str, Certificate]:
        """What the ledgers of the sites in an answer signed of their parts."""
        found = {name: self.sites[name].certificates.get(order.id) for name in relay.survivors}
        return {name: certificate for name, certificate in found.items() if certificate is not None}

    # accounts ---------------------------------------------------------------------------------------------------

    @property
    def sites(self) -> Mapping[str, Site]:
        """The sites by name."""
        return {site.name: site for site in self._sites}

    def certificates(self, release: Answer) -> dict[str, Certificate]:
        """By site, its ledger's signed certificate of its part in an answer."""
        if not isinstance(release, Answer):
            raise UserError(f"certificates are of a release of this federation, not of {shown(release)}")
        found = {site.name: site.certificates.get(order_of(release)) for site in self._sites}
        return {name: certificate for name, certificate in found.items() if certificate is not None}

    def remaining(self) -> dict[str, Remaining]:
        """By site, what is left of its budget."""
        return {site.name: site.session.remaining() for site in self._sites}

    def lefts(self) -> dict[str, Remaining]:
        """What is known of the sites' budgets before several queries are asked."""
        return self.remaining()

    def history(self) -> pd.DataFrame:
        """Every request at every site, with the site's name."""
        import pandas as pd

        frames = []
        for site in self._sites:
            frame = site.session.history()
            frame.insert(0, "site", site.name)
            frames.append(frame)
        return pd.concat(frames, ignore_index=True)
