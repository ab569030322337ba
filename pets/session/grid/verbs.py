"""Verbs: what a custodian does about the dataset's grid: look at what follows of it, and let it leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pets.common.arguments import plain_arguments
from pets.errors import UserError
from pets.protection.sdc import SDC, WIDTH
from pets.query_model.query import Query
from pets.release.rounded.rounded_table import ProtectedGrid
from pets.session.custody import Custody

if TYPE_CHECKING:
    from pets.session.grid.comparing import Compared


class GridVerbs:
    """Of a custodian, and of whoever is custodian and analyst alike: the protected grid of the dataset."""

    _custody: Custody

    @plain_arguments(UserError, "name_grid", "write name_grid(query, pets.SDC('hes'))")
    def name_grid(
        self, query: Query, protection: SDC, *, anew: bool = False, confirm: str | None = None
    ) -> ProtectedGrid:
        """Count people in every cell of a grid, protect each cell once, and let tables over it leave from then on.

        A dataset has one grid: from then on ``session.release(question, pets.SDC(…))`` answers any question that takes
        whole cells of it, by sums of what they show. The whole grid is entered as unbounded before it is counted, and
        named on every later certificate: whoever asks may come to know all of it. Where anything left before without
        noise, the earlier grid among it, :meth:`compare_grid` looks at what follows of all of it together, and nothing
        is made before you say that you have looked.

        Args:
            query: one ``pets.count()`` of everybody, grouped by public columns and coarse bins, without conditions. A
                person must lie in one cell: a table with one row a person, or ``pets.people(of=…)``.
            protection: the rule, one that the policy allows: ``pets.SDC("hes")``.
            anew: after a refresh: make the same grid of the new tables. Where a cell then shows another number, who
                knows that few people came or went learns of them; until you decide that, releases stay on the old one.
            confirm: the word that :meth:`compare_grid` ended with; it stands in the grid's notes.

        Raises:
            QueryError, PolicyError, BudgetError: before any row is read.
            UserError: the dataset has another grid, or this one was made before a refresh and ``anew`` is not said, or
                something left before and ``confirm`` is not the word of what left until now.
            ReleaseFailedError: after the data was opened.
        """
        from pets.session.grid.naming import name_grid

        return name_grid(self._custody, query, protection, anew=anew, confirm=confirm)

    @plain_arguments(UserError, "compare_grid", "write compare_grid(query, pets.SDC('hes'))")
    def compare_grid(self, query: Query, protection: SDC, *, width: int = WIDTH, seconds: float = 60) -> Compared:
        """What would follow of a grid together with all that left before without noise. It is for you alone.

        People are counted as :meth:`name_grid` would; nothing leaves, nothing is entered, and of the counts only what
        the rule shows is looked at. After a refresh every cell is named that would show another number than before,
        and what somebody learns of it who knows how few people came or went.

        Args:
            query, protection: as for :meth:`name_grid`, and so are the errors.
            width: of the promise that is looked at.
            seconds: for the search; what was not decided in time is said.

        Raises:
            MissingExtraError: the search needs the extra ``sdc``.
            DataError: the rows could not be counted.
        """
        from pets.session.grid.naming import compare_grid

        return compare_grid(self._custody, query, protection, width=width, seconds=seconds)
