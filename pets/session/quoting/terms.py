"""Terms of what is asked: its plan and its noise, from what is public alone; no row is read, and no ledger asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pets.dp.key_threshold import KeyNoise, key_noise
from pets.dp.selection import TopNoise, top_noise
from pets.dp.train_noise import TrainNoise, train_noise
from pets.errors import BudgetError, QueryError, shown
from pets.plan.key_plan import KeyPlan, make_key_plan
from pets.plan.plan import Plan, make_plan
from pets.plan.selection.top_plan import TopPlan, make_top_plan, question_of
from pets.plan.trained.train_plan import TrainPlan, make_train_plan
from pets.protection.budget import Budget
from pets.protection.policy import Policy
from pets.protection.protection import DP, Protection
from pets.query_model.expression import Filter
from pets.query_model.query import Query
from pets.query_model.trained.network import Network
from pets.schema.schema import Schema


@dataclass(frozen=True)
class PublicTerms:
    """What decides the terms of every question about a dataset, known to whoever asks.

    Attributes:
        schema: the public description of the tables.
        policy: what the custodian allows.
        budget: all that may be spent.
    """

    schema: Schema
    policy: Policy
    budget: Budget

    def plan(self, query: Query) -> Plan:
        """What a question measures, within the policy's limits on one question, which are looked at before any work.

        Raises:
            QueryError, PolicyError: what is asked cannot be answered so, or not here.
        """
        if isinstance(query, Query):
            self.policy.check_conditions(query)
        plan = make_plan(query, self.schema)
        self.policy.check_numbers(plan.size)
        return plan

    def keys(
        self,
        table: str,
        by: Sequence[str],
        protection: Protection,
        *,
        where: Filter | None,
        groups: int | None,
        delta: float | None,
    ) -> tuple[KeyPlan, KeyNoise]:
        """The plan and the noise of a release of keys that nobody listed; see :meth:`pets.Session.group_keys`."""
        if not isinstance(protection, DP):
            raise BudgetError(
                "keys that nobody listed are released with pets.DP(epsilon=…) alone, on invented rows too; "
                f"{shown(protection)} has no threshold"
            )
        if where is not None:
            self.policy.check_conditions(Query(table, condition=where))
        plan = make_key_plan(table, by, self.schema, where=where, groups=groups)
        return plan, key_noise(plan.groups, protection, self.budget, delta)

    def top(self, query: Query, k: int, protection: Protection) -> tuple[TopPlan, TopNoise]:
        """The plan and the noise of a choice of groups; see :meth:`pets.Session.top_keys`."""
        if not isinstance(protection, DP):
            raise BudgetError(
                "groups are chosen by noise, with pets.DP(epsilon=…) alone, on invented rows too; of exact counts take "
                f"the greatest of the answer's table, not {shown(protection)}"
            )
        asked, most = question_of(query, k)
        top = make_top_plan(self.plan(asked), most)
        return top, top_noise(most, top.candidates, top.linf, top.counted, protection, self.budget)

    def train(self, network: Network, protection: Protection) -> tuple[TrainPlan, TrainNoise]:
        """The plan and the noise of a training; see :meth:`pets.Session.train`."""
        if not isinstance(network, Network):
            raise QueryError(
                f"train takes a network, such as pets.classifier('ill', ['age'], data='stays'), not {shown(network)}: "
                "a module of your own is code that would run on people's rows"
            )
        if not isinstance(protection, DP):
            raise BudgetError(
                f"a network is trained with pets.DP(epsilon=…) alone, on invented rows too, not {shown(protection)}"
            )
        self.policy.check_conditions(network.query)
        plan = make_train_plan(network, self.schema)
        if network.outputs is not None:  # as many as are needed: so it is the network that does not name them
            plan = make_train_plan(replace(network, outputs=None), self.schema)
        self.policy.check_numbers(plan.numbers, "take fewer steps, fewer columns or narrower layers")
        return plan, train_noise(plan.network.steps, plan.l2_squared, protection, self.budget)
