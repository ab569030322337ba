"""Bounding: what the bound on each person's rows leaves out at all sites together."""

from __future__ import annotations

from collections.abc import Sequence

from pets.common.arguments import plain_arguments
from pets.errors import UserError
from pets.federated.analyst.planning import FederatedRequest, total_noise
from pets.federated.messages.roster import Roster
from pets.plan.plan import Plan, make_plan
from pets.protection.protection import DP, Protection
from pets.query_model.query import Query
from pets.release.bounding.rows_lost import RowsLost, question
from pets.release.estimate import Noise
from pets.release.release import Release
from pets.schema.schema import Schema
from pets.session.quoting.best_rows import best_rows


class FederatedBounds:
    """The part of :class:`pets.Federation` that speaks of bounds."""

    schema: Schema
    roster: Roster

    def _request(self, query: Query, protection: Protection, secure: str, again: bool = False) -> FederatedRequest:
        """A question to all sites with its price."""
        raise NotImplementedError

    def _one(self, query: Query, protection: Protection, secure: str, again: bool) -> Release:
        """The answer to one question over all sites."""
        raise NotImplementedError

    @plain_arguments(UserError, "rows_lost", "write rows_lost('stays', pets.DP(epsilon=0.1))")
    def rows_lost(
        self,
        table: str,
        protection: Protection,
        by: str | Sequence[str] | None = None,
        *,
        secure: str = "masked",
        again: bool = False,
    ) -> RowsLost:
        """What each bound K leaves out of a table at all sites together; see :meth:`pets.Session.rows_lost`.

        It is a release over the sites like any other: each charges its own ledger, and only the total is seen. A site
        keeps K rows of a person by itself, so the rows that K leaves out add up over the sites as they are; ``people``
        are those of each site, and a person at two of them is counted at both (``sites_per_person`` is in the noise).

        Intervals of the full answer, ``rows_lost(…).full(…)``, are for one session: sites may have refreshed their rows
        between two answers, which nobody can see.

        Args:
            table, protection, by: as for a session.
            secure, again: as for :meth:`pets.Federation.release`.

        Raises as :meth:`pets.Federation.release`.
        """
        return RowsLost(self._one(question(table, by), protection, secure, again))

    @plain_arguments(UserError, "best_rows", "write best_rows(query, lost, pets.DP(epsilon=0.5))")
    def best_rows(self, query: Query, lost: RowsLost, protection: DP, *, secure: str = "masked") -> int:
        """The K at which the query's counts of rows over all sites err least; see :meth:`pets.Session.best_rows`.

        The noise is that of an answer in which all sites take part.
        """

        def noise_of(plan: Plan) -> Noise:
            shares = self._request(plan.query, protection, secure).shares
            assert shares is not None  # (of a protection with noise)
            return total_noise(plan, shares, self.roster.size, protection)

        return best_rows(query, lost, protection, lambda asked: make_plan(asked, self.schema), noise_of)
