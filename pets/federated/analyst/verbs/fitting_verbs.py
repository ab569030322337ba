"""Fitting verbs of a federation: a model of all sites' rows, from one list of sums that nobody sees but as a total."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pets.common.arguments import plain_arguments
from pets.errors import PolicyError, UserError
from pets.federated.analyst.verbs.fit_steps import FitSteps
from pets.federated.analyst.verbs.training_verbs import FederatedTraining
from pets.federated.site.gate import check_price
from pets.models.model import Model
from pets.protection.protection import Protection, Total
from pets.session.fitting.quote import check

if TYPE_CHECKING:
    from pets.query_model.query import Query
    from pets.release.release import Release

R = TypeVar("R")


class FederatedFits(FederatedTraining):
    """The part of :class:`pets.Federation` that fits models."""

    @plain_arguments(UserError, "fit", "write fit(pets.linear('cost ~ age', data='stays'), pets.DP(epsilon=1))")
    def fit(self, model: Model[R], protection: Protection, *, secure: str = "masked", again: bool = False) -> R:
        """A model of all sites' rows, as :meth:`pets.Session.fit` gives one of one table's.

        Before noise, its sums are those of the pooled rows, bit for bit; each site is charged from its own budget.

        Args:
            model: such as ``pets.linear("cost ~ age + sex", data="stays")``, or ``pets.kaplan_meier(…)``.
            secure: ``"masked"``, ``"encrypted"`` or ``"local"``, as for :meth:`release`.
            again: whether an equal model is to be released, and charged, anew.

        Raises:
            QueryError, BudgetError, PolicyError: as :meth:`release`, and as :meth:`pets.Session.fit`.
        """
        if isinstance(protection, Total):
            raise PolicyError(
                "sites give no exact totals of what models are fitted to; fit exactly with "
                "pets.federated.glm(federation, …) or pets.federated.kaplan_meier(federation, …), or ask with "
                "pets.DP(epsilon=…)"
            )
        check(model, self.schema, protection, pure=self.roster.currency == "pure")
        if self.roster.sites_per_person > 1:
            raise PolicyError(
                "intervals of a model are right where one site has all rows of a person, and here several may have "
                "some of one; make the federation with sites_per_person=1 where that is so"
            )
        model = model.settled(self.schema, protection)

        def ask(query: Query, under: Protection) -> Release:
            return self._one(query, under, secure, again)

        def known(query: Query, under: Protection) -> bool:
            return not again and self._request(query, under, secure).key(self.roster) in self._answers

        steps = FitSteps(self.schema, self.roster, ask, self.lefts, known)
        for query, under in model.questions(self.schema, protection, steps.rho):
            # (what can be refused is refused before the first is asked; sites elsewhere do not tell their policies)
            request = self._request(query, under, secure)
            for site in self._sites if self.roster.members[0].data == "real" else ():
                check_price(request.cost, site.policy, site.session.budget)
        return model.fitted(steps, protection)
