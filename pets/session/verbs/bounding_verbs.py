"""Bounding verbs of a session: what a bound on each person's rows leaves out, and the bound that errs least."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from pets.common.arguments import plain_arguments
from pets.errors import UserError
from pets.protection.protection import DP, Protection
from pets.query_model.query import Query
from pets.release.bounding.rows_lost import RowsLost, question
from pets.release.release import Release
from pets.session.quoting.best_rows import best_rows, noise_at
from pets.session.verbs.asker import Asker, check_request


class BoundingVerbs(Asker):
    """The part of :class:`pets.Session` that speaks of bounds."""

    @cached_property
    def _lost(self) -> dict[str, RowsLost]:
        """By table, what this session released of the rows that bounds leave out."""
        return {}

    def _still_lost(self) -> dict[str, RowsLost]:
        """The same, of the rows that are held now: the custodian may have made them anew since."""
        held = self._snapshot
        return {table: lost for table, lost in self._lost.items() if lost.release.snapshot_id == held(table)}

    @plain_arguments(UserError, "rows_lost", "write rows_lost('stays', pets.DP(epsilon=0.1))")
    def rows_lost(
        self,
        table: str,
        protection: Protection,
        by: str | Sequence[str] | None = None,
        *,
        again: bool = False,
        key: str | None = None,
    ) -> RowsLost:
        """What each bound K leaves out of a table, for every K at one price: noisy counts of people with so many rows.

        Paid, certified and cached like any release (it is one of ``pets.tails()``): an equal question is free. All rows
        of a person move the counts by √max_rows in all. Quotes and answers of this session then say what share of rows
        is counted.

        Args:
            table: whose rows.
            protection: as for :meth:`pets.Session.release`.
            by: a column, or several, for the loss in each group; the price is the same, the noise that of each group.
            again, key: as for :meth:`pets.Session.release`.

        Raises as :meth:`pets.Session.release`.
        """
        check_request(again, key)
        (release,) = self._sealed([question(table, by)], protection, again=again, key=key)
        lost = RowsLost(release)
        if lost.whole:
            self._lost[table] = lost
        return lost

    @plain_arguments(UserError, "best_rows", "write best_rows(query, lost, pets.DP(epsilon=0.5))")
    def best_rows(self, query: Query, lost: RowsLost, protection: DP) -> int:
        """The K at which the query's counts of rows err least under a protection: what it leaves out, and its noise.

        A number for ``query.bound(rows=…)``; it reads no rows and costs nothing, since ``lost`` is released already.
        """
        return best_rows(query, lost, protection, self._plan, noise_at(protection, self.budget))

    def _beside(self, answer: Release) -> Release:
        """The answer, shown with what is known of the rows that it is made of, if they were not prepared anew since."""
        lost = self._lost.get(answer.table_name)
        same = lost is not None and lost.release.snapshot_id == answer.snapshot_id
        return answer.beside(lost) if same else answer
