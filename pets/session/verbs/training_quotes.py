"""Training quotes: what a training costs, wherever the rows are."""

from __future__ import annotations

from pets.common.arguments import plain_arguments
from pets.dp.train_noise import TrainNoise
from pets.errors import UserError
from pets.plan.trained.train_plan import TrainPlan
from pets.protection.protection import Protection
from pets.query_model.trained.network import Network
from pets.session.training.quote import TrainQuote

WRITE = "write train(pets.classifier('ill', ['age', 'sex'], data='stays'), pets.DP(epsilon=1))"


class TrainingQuotes:
    """What a training costs, wherever the rows are."""

    @plain_arguments(UserError, "quote_train", WRITE.replace("train(", "quote_train(", 1))
    def quote_train(self, network: Network, protection: Protection) -> TrainQuote:
        """The price of a training, and how loud its noise will be at 1,000 to 100,000 people; reads no rows.

        Raises:
            QueryError, BudgetError, PolicyError: as :meth:`pets.Session.train`.
        """
        plan, noise = self._train_terms(network, protection)
        return TrainQuote(noise, plan.size, plan.bound)

    def _train_terms(self, network: Network, protection: Protection) -> tuple[TrainPlan, TrainNoise]:
        """The plan and the noise, from what is public alone."""
        raise NotImplementedError
