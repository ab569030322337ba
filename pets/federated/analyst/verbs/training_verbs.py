"""Training verbs of a federation: a network in steps, each of which all sites answer with one sum that nobody sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pets.common.arguments import plain_arguments
from pets.dp.train_noise import TrainNoise, parts
from pets.errors import BudgetError, QueryError, UserError, shown
from pets.federated.analyst.planning import total_noise
from pets.federated.analyst.verbs.fit_steps import FitSteps
from pets.federated.messages.roster import Roster
from pets.federated.site.gate import check_price
from pets.models.networks.over_sites import TrainedOverSites, asked, begun
from pets.plan.trained.descent import descended
from pets.plan.trained.train_plan import TrainPlan, make_train_plan
from pets.protection.budget import UNIT, Cost, described
from pets.protection.protection import DP, Protection
from pets.query_model.query import Query
from pets.query_model.trained.network import Network
from pets.schema.schema import Schema
from pets.session.training.quote import TrainQuote

if TYPE_CHECKING:
    from pets.federated.analyst.planning import FederatedRequest
    from pets.federated.analyst.sealing import Answer
    from pets.federated.site.site import Site
    from pets.release.release import Release
    from pets.session.quoting.quote import Remaining

_WRITE = "write train(pets.classifier('ill', ['age', 'sex'], data='stays'), pets.DP(epsilon=1))"


class FederatedTraining:
    """The part of :class:`pets.Federation` that trains networks."""

    schema: Schema
    roster: Roster
    if TYPE_CHECKING:
        _one: Callable[[Query, Protection, str, bool], Release]
        _request: Callable[[Query, Protection, str], FederatedRequest]
        _answers: Mapping[str, Answer]
        _sites: tuple[Site, ...]
        lefts: Callable[[], Mapping[str, Remaining]]

    @plain_arguments(UserError, "train", _WRITE)
    def train(
        self, network: Network, protection: Protection, *, secure: str = "masked", again: bool = False
    ) -> TrainedOverSites:
        """A classifier of all sites' rows, trained in T noisy steps, as :meth:`pets.Session.train` trains one.

        Before noise, each step's sum is that of the pooled rows at the same weights, bit for bit. How many people there
        are, and each step, is a question of its own, which every site holds against its policy, charges to its own
        ledger before it opens its data, and certifies: nothing rests on who chose the weights. All T are looked at
        beforehand, and none is asked where a site that tells has no room for the whole. What was broken off goes on
        where it was, at no second charge.

        Args:
            network: of :func:`pets.classifier` or :func:`pets.network`.
            protection: ``pets.DP(epsilon=…)`` or ``pets.DP(rho=…)``, of all questions together, at each site.
            secure: ``"masked"``, ``"encrypted"`` or ``"local"``, as for :meth:`release`.
            again: whether an equal network is to be trained, and charged, anew, from the first question on.

        Raises:
            QueryError, BudgetError, PolicyError: before anything is sent; nothing is spent.
            Refused, ReleaseFailedError: where sites were lost or refused on the way; what was answered stays charged.
        """
        plan, each = self._trained(network, protection)
        steps = self._steps(secure, again, "training")
        self._quoted(plan, each, secure, at_sites=True)
        releases: list[Release] = []
        looked = False

        def answer(at: Sequence[int] | None) -> Release:
            nonlocal looked
            query, place = asked(plan.network, at), len(releases)
            if not looked and not steps.known(query, each[min(place, 1)]):
                rest = [each[0]] * (place == 0) + [each[1]] * (plan.network.steps + 1 - max(1, place))
                steps.check(query, rest, begun=place > 0)
                looked = True
            releases.append(steps(query, each[min(place, 1)]))
            return releases[-1]

        descent = begun(plan, int(answer(None).values[0]))
        descended(descent, plan.network.steps, lambda now: answer(now.at).values)
        return TrainedOverSites(plan.network, releases)

    @plain_arguments(UserError, "quote_train", _WRITE.replace("train(", "quote_train(", 1))
    def quote_train(self, network: Network, protection: Protection, *, secure: str = "masked") -> TrainQuote:
        """The price of :meth:`train` at each site, and how loud its noise will be where all sites answer.

        It reads no rows, and asks no site.

        Raises:
            QueryError, BudgetError, PolicyError: as :meth:`train`.
        """
        plan, each = self._trained(network, protection)
        return self._quoted(plan, each, secure)

    def _steps(self, secure: str, again: bool, called: str) -> FitSteps:
        """How what is done in several questions asks these sites, one after the other; ``called``: what that is."""

        def ask(query: Query, under: Protection) -> Release:
            return self._one(query, under, secure, again)

        def known(query: Query, under: Protection) -> bool:
            return not again and self._request(query, under, secure).key(self.roster) in self._answers

        return FitSteps(self.schema, self.roster, ask, self.lefts, known, called, again)

    def _trained(self, network: Network, protection: Protection) -> tuple[TrainPlan, tuple[DP, DP]]:
        """The plan, and what protects the number of people and each step."""
        if not isinstance(network, Network):
            raise QueryError(
                f"train takes a network, such as pets.classifier('ill', ['age'], data='stays'), not {shown(network)}: "
                "a module of your own is code that would run on people's rows"
            )
        if not isinstance(protection, DP):
            raise BudgetError(
                f"a network is trained with pets.DP(epsilon=…) alone, on invented rows too, not {shown(protection)}"
            )
        plan = make_train_plan(network, self.schema)
        if network.outputs is not None:  # as many as are needed: so it is the network that does not name them
            plan = make_train_plan(replace(network, outputs=None), self.schema)
        counting, each = parts(network.steps, protection, self.roster.currency, self.roster.delta)
        return plan, (DP(rho=counting / UNIT), DP(rho=each / UNIT))

    def _quoted(self, plan: TrainPlan, each: tuple[DP, DP], secure: str, *, at_sites: bool = False) -> TrainQuote:
        """The price, whatever the weights; with ``at_sites``, refused where a site in this process would refuse it."""
        network, scales, losses = plan.network, [], []
        for at, under in zip((None, begun(plan, 1).at), each, strict=True):
            request = self._request(asked(network, at), under, secure)
            for site in self._sites if at_sites and self.roster.members[0].data == "real" else ():
                check_price(request.cost, site.policy, site.session.budget)
                site.session.policy.check_numbers(request.plan.size, "take fewer columns or narrower layers")
            assert request.shares is not None
            scales.append(total_noise(request.plan, request.shares, self.roster.size, under).scales[0])
            losses.append(request.cost.loss)
        cost = Cost(self.roster.currency, losses[0] + network.steps * losses[1])
        epsilon, delta = described(cost, self.roster.delta)
        noise = TrainNoise(
            network.steps, scales[0], scales[1], (losses[0], losses[1]), cost, epsilon, delta, cost.loss / UNIT
        )
        return TrainQuote(noise, plan.size, plan.bound, over_sites=True)
