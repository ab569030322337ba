"""Training over a service: a network that is trained where the rows are, held against what the ledger signed."""

from __future__ import annotations

from typing import Literal, overload

from pets.common.arguments import plain_arguments
from pets.common.codec import Json
from pets.dp.train_noise import TrainNoise
from pets.errors import UserError
from pets.models.trained import Trained
from pets.plan.trained.train_plan import TrainPlan
from pets.protection.protection import Protection
from pets.query_model.trained.network import Network
from pets.service.client import reading
from pets.service.client.asking import Asking
from pets.service.client.jobs import Pending
from pets.service.wire.asked import Asked
from pets.session.verbs.asker import check_request
from pets.session.verbs.training_quotes import TrainingQuotes


class Training(TrainingQuotes, Asking):
    """The part of a connection that trains networks."""

    @overload
    def train(
        self,
        network: Network,
        protection: Protection,
        *,
        again: bool = ...,
        key: str | None = ...,
        wait: Literal[True] = ...,
    ) -> Trained: ...

    @overload
    def train(
        self,
        network: Network,
        protection: Protection,
        *,
        again: bool = ...,
        key: str | None = ...,
        wait: Literal[False],
    ) -> Pending: ...

    @plain_arguments(UserError, "train", "write train(pets.classifier('ill', ['age'], data='t'), pets.DP(epsilon=1))")
    def train(
        self,
        network: Network,
        protection: Protection,
        *,
        again: bool = False,
        key: str | None = None,
        wait: bool = True,
    ) -> Trained | Pending:
        """As :meth:`pets.Session.train`. A training may take minutes: with ``wait=False`` it is fetched later."""
        check_request(again, key)
        plan, _ = self._train_terms(network, protection)
        same = {"network": plan.network.to_json(), "protection": protection.to_json(), "plan": plan.digest}

        def read(reply: Json) -> Trained:
            return reading.network(reply.get("trained"), self.key, self._own | same)

        asked = Asked("train", {"network": plan.network, "protection": protection, "again": again})
        return self._answer(asked, key, wait, read)

    def _train_terms(self, network: Network, protection: Protection) -> tuple[TrainPlan, TrainNoise]:
        return self._publicly(lambda terms: terms.train(network, protection))
