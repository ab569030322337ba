"""Training verbs of a session: networks of named layers, and the price of that."""

from __future__ import annotations

from dataclasses import replace

from pets.common.arguments import plain_arguments
from pets.common.codec import digest
from pets.errors import BudgetError, QueryError, UserError, shown
from pets.models.trained import Trained
from pets.plan.trained.train_plan import TrainPlan, make_train_plan
from pets.protection.protection import DP, Protection
from pets.query_model.trained.network import Network
from pets.session.custody import Custody
from pets.session.training.quote import TrainQuote
from pets.session.training.train_release import TrainJob
from pets.session.verbs.asker import check_request

_WRITE = "write train(pets.classifier('ill', ['age', 'sex'], data='stays'), pets.DP(epsilon=1))"


class TrainingVerbs:
    """The part of :class:`pets.Session` that trains networks."""

    _custody: Custody

    @plain_arguments(UserError, "train", _WRITE)
    def train(
        self, network: Network, protection: Protection, *, again: bool = False, key: str | None = None
    ) -> Trained:
        """A classifier trained in T noisy steps: logistic regression, or a network of named layers.

        Each step releases the sum over people of what each would move the weights by, at most the clip in L2, with the
        discrete Gaussian. All steps are one entry of the account and charged together before the first: stopping gives
        nothing back. The weights follow from the released sums, and the release holds them all. Out of how many people
        a sum is, a noisy count tells, for a hundredth of the price. The same network of the same snapshot under the
        same protection costs nothing.

        Args:
            network: of :func:`pets.classifier` or :func:`pets.network`.
            protection: ``pets.DP(epsilon=…)`` or ``pets.DP(rho=…)``, of all steps together; on invented rows too.
            again: whether an equal network is to be trained, and charged, anew.
            key: names this request, as for :meth:`pets.Session.release`.

        Raises:
            QueryError, BudgetError, PolicyError: before any row is read; nothing is spent.
            ReleaseFailedError: after the data was opened; the charge stands.
        """
        check_request(again, key)
        custody = self._custody
        plan, noise = self._terms(network, protection)
        assert isinstance(protection, DP)
        snapshot = custody.snapshot(plan.plan.table)
        same = digest([snapshot.id, plan.digest, protection.to_json(), custody.policy.digest])
        job = TrainJob(plan, protection, noise.noise, snapshot, same)
        return Trained.sealed(*custody.sealed(job, key, again=again))

    @plain_arguments(UserError, "quote_train", _WRITE.replace("train(", "quote_train(", 1))
    def quote_train(self, network: Network, protection: Protection) -> TrainQuote:
        """The price of :meth:`train`, and how loud its noise will be at 1,000 to 100,000 people; reads no rows.

        Raises:
            QueryError, BudgetError, PolicyError: as :meth:`train`.
        """
        return self._terms(network, protection)[1]

    def _terms(self, network: Network, protection: Protection) -> tuple[TrainPlan, TrainQuote]:
        if not isinstance(network, Network):
            raise QueryError(
                f"train takes a network, such as pets.classifier('ill', ['age'], data='stays'), not {shown(network)}: "
                "a module of your own is code that would run on people's rows"
            )
        if not isinstance(protection, DP):
            raise BudgetError(
                f"a network is trained with pets.DP(epsilon=…) alone, on invented rows too, not {shown(protection)}; "
                "write pets.DP(epsilon=1)"
            )
        custody = self._custody
        custody.policy.check_conditions(network.query)
        plan = make_train_plan(network, custody.schema)
        if network.outputs is not None:  # as many as are needed: so it is the network that does not name them
            plan = make_train_plan(replace(network, outputs=None), custody.schema)
        custody.policy.check_numbers(plan.numbers, "take fewer steps, fewer columns or narrower layers")
        return plan, TrainQuote.of(plan, protection, custody.budget)
