"""Training verbs of a session: networks of named layers, and the price of that."""

from __future__ import annotations

from pets.common.arguments import plain_arguments
from pets.common.codec import digest
from pets.dp.train_noise import TrainNoise
from pets.errors import UserError
from pets.models.trained import Trained
from pets.plan.trained.train_plan import TrainPlan
from pets.protection.protection import DP, Protection
from pets.query_model.trained.network import Network
from pets.session.custody import Custody
from pets.session.training.train_release import TrainJob
from pets.session.verbs.asker import check_request
from pets.session.verbs.training_quotes import WRITE, TrainingQuotes


class TrainingVerbs(TrainingQuotes):
    """The part of :class:`pets.Session` that trains networks."""

    _custody: Custody

    @plain_arguments(UserError, "train", WRITE)
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
        plan, noise = self._train_terms(network, protection)
        assert isinstance(protection, DP)
        snapshot = custody.snapshot(plan.plan.table)
        same = digest([snapshot.id, plan.digest, protection.to_json(), custody.policy.digest])
        job = TrainJob(plan, protection, noise, snapshot, same)
        return Trained.sealed(*custody.sealed(job, key, again=again))

    def _train_terms(self, network: Network, protection: Protection) -> tuple[TrainPlan, TrainNoise]:
        return self._custody.public.train(network, protection)
