"""Verbs of a rounded table: rates, sums and means that are made of its shown counts, at no cost and telling no more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from pets.common.arguments import plain_arguments
from pets.errors import QueryError

if TYPE_CHECKING:
    import pandas as pd

    from pets.release.rounded.counts import Counted


class RoundedVerbs:
    """What is computed of a rounded table's numbers: no row is read, and nothing is entered."""

    @plain_arguments(QueryError, "standardise", "write table.standardise('cases', 'people', by='age')")
    def standardise(
        self,
        events: str,
        among: str | Mapping[Any, float],
        *,
        by: str,
        population: str | Mapping[Any, float] = "ESP2013",
        per: float = 100_000,
        confidence: float = 0.95,
    ) -> pd.DataFrame:
        """Directly standardised rates of shown counts, as :meth:`pets.Release.standardise` has them of noisy ones.

        ``rate`` is that of the counts as they are shown, and missing where a hidden cell is part of it. Between
        ``rate_low`` and ``rate_high`` lies Dobson's interval (with Byar's limits) of every table of counts that is
        shown so, the exact one among them: it holds chance and rounding, and is there for hidden cells, too. All three
        are missing where an age may have nobody. Arguments and errors as of that method.
        """
        from pets.release.rounded.standardised import standardised

        return standardised(cast("Counted", self), events, among, by, population, per, confidence)

    @plain_arguments(QueryError, "averages", "write table.averages('stays')")
    def averages(self, column: str, *, people: str | None = None) -> pd.DataFrame:
        """Sums and means of a column that the table is grouped by, for each combination of its other keys.

        ``sum`` and ``mean`` are of the counts as they are shown, in which a hidden cell counts as the middle of its
        interval and a bin as the middle of its values; they are missing where only hidden cells have people. Between
        ``…_low`` and ``…_high`` lies the exact one: the ends over all counts that are shown so, and all values of a
        bin. People without a value are left out. It is a function of the shown counts, so it tells no more than they.

        Args:
            column: the key, of numbers: ``"stays"``, or the name of its bins.
            people: which count; left out, the only one.

        Raises :class:`QueryError` for what is no such key or count.
        """
        from pets.release.rounded.averages import averages

        return averages(cast("Counted", self), column, people)
