"""Fitting verbs of a session: models on released sums, and the price of that."""

from __future__ import annotations

import itertools
from functools import partial
from typing import TypeVar

from pets.common.arguments import plain_arguments
from pets.common.codec import digest
from pets.dp.calibrate import calibrate
from pets.errors import UserError
from pets.models.model import Model
from pets.protection.protection import DP, Protection
from pets.query_model.query import Query, queries
from pets.release.release import Release
from pets.session.fitting.quote import FitQuote, check, price_of
from pets.session.fitting.steps import Steps, rho_of, units_of
from pets.session.verbs.asker import Asker, check_request

R = TypeVar("R")
_WRITE = "write fit(pets.linear('cost ~ age + sex', data='stays'), pets.DP(epsilon=1))"


class FittingVerbs(Asker):
    """The part of :class:`pets.Session` that fits models."""

    @plain_arguments(UserError, "fit", _WRITE)
    def fit(self, model: Model[R], protection: Protection, *, again: bool = False, key: str | None = None) -> R:
        """A model with standard errors, intervals and p-values that contain the noise.

        Lists of sums are released and charged, like any question, and the model is worked out from them: so it holds
        for ``pets.DP(epsilon=…)``, for ``pets.Total()`` where the policy allows it, and for ``pets.Exact()`` on
        invented rows. A person has one row in it (``bound(rows=1)``, or people's features); in ``pets.linear`` several
        may count, and errors are then by person. The same model of the same snapshot under the same protection costs
        nothing. ``pets.logistic``, ``pets.poisson`` and a line of several rows a person are some questions one after
        the other: none is asked where the account has no room for all, and one that was paid for costs nothing.

        Args:
            model: such as ``pets.linear("cost ~ age + sex", data="stays")``, ``pets.logistic(…)``,
                ``pets.kaplan_meier("days", "died", data="stays")`` or ``pets.log_rank(…)``.
            again: whether an equal model is to be released, and charged, anew.
            key: names this request, as for :meth:`pets.Session.release`.

        Raises:
            QueryError, BudgetError, PolicyError: before any row is read; nothing is spent.
            ReleaseFailedError: after the data was opened; the charge stands.
        """
        check_request(again, key)
        check(model, self.schema, protection, pure=self.budget.currency == "pure")
        model = model.settled(self.schema, protection)
        asked = itertools.count(1)

        def ask(query: Query, protection: Protection) -> Release:
            place = next(asked)
            # (no other request has such a name by chance, and it is no longer than a key may be)
            named = key if key is None or place == 1 else f"{key[:90]} ({place}, {digest([key, model.digest])[:16]})"
            (answer,) = self._sealed(queries(query), protection, again=again, key=named)
            return answer

        def known(query: Query, protection: Protection) -> bool:
            return not again and self._known(query, protection)

        left = None if self._kind == "dummy" else self._left
        steps = Steps(self.schema, self.budget, ask, left, known, again)
        self._whole(model, protection)
        return model.fitted(steps, protection)

    def _whole(self, model: Model[R], protection: Protection) -> list[int]:
        """The most that each question may cost; of a fit of which a later one would be refused, nothing is asked."""
        budget, units = self.budget, list[int]()
        for query, under in model.questions(self.schema, protection, partial(rho_of, budget)):
            plan = self._plan(query)
            if isinstance(under, DP):
                calibrate(plan, under, budget)
                units.append(units_of(budget, under))
        return units

    @plain_arguments(UserError, "quote_fit", _WRITE.replace("fit(", "quote_fit(", 1))
    def quote_fit(self, model: Model[object], protection: Protection) -> FitQuote:
        """The price of :meth:`fit`, and the standard errors that it will have at 1,000 to 100,000 rows.

        It reads no rows, so it says what columns would give that are spread evenly over their public values.

        Raises:
            QueryError, BudgetError, PolicyError: as :meth:`fit`.
        """
        check(model, self.schema, protection, pure=self.budget.currency == "pure")
        model = model.settled(self.schema, protection)
        units = self._whole(model, protection)
        price = price_of(self._quoted(queries(model.query), protection, {}), units, [self._left()])
        return FitQuote(price, model.forecast(self.schema, protection, self.budget))
