"""Fitting verbs of a federation: a model of all sites' rows, from one list of sums that nobody sees but as a total."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pets.common.arguments import plain_arguments
from pets.dp.calibrate import calibrate
from pets.dp.shares import View
from pets.errors import PolicyError, UserError
from pets.federated.analyst.planning import total_noise
from pets.federated.analyst.verbs.fit_steps import FitSteps
from pets.federated.analyst.verbs.training_verbs import FederatedTraining
from pets.federated.site.gate import check_price
from pets.models.model import Model
from pets.protection.budget import Budget
from pets.protection.protection import DP, Protection, Total
from pets.session.fitting.quote import FitQuote, check, price_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pets.session.quoting.quote import Quote

R = TypeVar("R")
_WRITE = "write fit(pets.linear('cost ~ age', data='stays'), pets.DP(epsilon=1))"


class FederatedFits(FederatedTraining):
    """The part of :class:`pets.Federation` that fits models."""

    if TYPE_CHECKING:
        quote: Callable[..., Quote]

    @plain_arguments(UserError, "fit", _WRITE)
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
        model = self._settled(model, protection)
        steps = self._steps(secure, again, "fit")
        self._priced(model, protection, steps, secure)
        return model.fitted(steps, protection)

    @plain_arguments(UserError, "quote_fit", _WRITE.replace("fit(", "quote_fit(", 1))
    def quote_fit(self, model: Model[object], protection: Protection, *, secure: str = "masked") -> FitQuote:
        """The price of :meth:`fit` at each site, and its standard errors at 1,000 to 100,000 rows of all sites.

        They are those of answers in which all sites take part. It reads no rows, as :meth:`pets.Session.quote_fit`.

        Raises:
            QueryError, BudgetError, PolicyError: as :meth:`fit`.
        """
        model = self._settled(model, protection)
        price = self.quote(model.query, protection, secure=secure)
        assert isinstance(protection, DP)
        steps, lefts = self._steps(secure, False, "fit"), [site.session.remaining().left for site in self._sites]
        price = price_of(price, self._priced(model, protection, steps, secure), lefts)
        request, view = self._request(model.query, protection, secure), View(self.roster.currency, self.roster.delta)
        assert request.shares is not None
        alone = calibrate(request.plan, protection, view)
        total = total_noise(request.plan, request.shares, self.roster.size, protection)
        # (noise of so much greater a scale is that of an answer of one table for so much less)
        less = (alone.scales[0] / total.scales[0]) ** 2
        under = DP(rho=(alone.rho or 0.0) * less, confidence=protection.confidence)
        return FitQuote(price, model.forecast(self.schema, under, Budget(1.0, self.roster.delta)))

    def _settled(self, model: Model[R], protection: Protection) -> Model[R]:
        """The model with what it left open settled; refused where sites cannot fit it honestly."""
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
        return model.settled(self.schema, protection)

    def _priced(self, model: Model[R], protection: Protection, steps: FitSteps, secure: str) -> list[int]:
        """The most that each question may cost a site; what can be refused before the first is refused.

        (Sites elsewhere do not tell their policies.)
        """
        units = list[int]()
        for query, under in model.questions(self.schema, protection, steps.rho):
            request = self._request(query, under, secure)
            for site in self._sites if self.roster.members[0].data == "real" else ():
                check_price(request.cost, site.policy, site.session.budget)
                site.session.policy.check_numbers(request.plan.size, "take fewer terms or bins")
            units += [steps.units(under)] if isinstance(under, DP) else []
        return units
