"""The verbs of a release that make tables for publication: they follow from its numbers, and cost nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from pets.common.arguments import plain_arguments
from pets.errors import QueryError, shown

if TYPE_CHECKING:
    import pandas as pd

    from pets.release.tables.crosstab import CrossTable
    from pets.release.tables.values_above import ValuesAbove
    from pets.release.views import Answer


class Tables:
    """What a release can be asked for beside its own table."""

    @property
    def confidence(self) -> float:
        """The confidence of each interval."""
        raise NotImplementedError

    @plain_arguments(QueryError, "shares", "write release.shares('n', within='region')")
    def shares(self, output: str, within: str | Sequence[str] = ()) -> pd.DataFrame:
        """What share of a total each group's count is: ``share``, ``share_low`` and ``share_high`` beside the keys.

        The total is that of the groups with the same keys ``within`` (left out: of all groups), the one without a value
        among them: leave it out by a KeySet. The intervals hold the noise of both count and total, for the bounded
        answer. NaN: the noise could be the whole total. For ``count_units`` a person counts once in each group.

        Raises :class:`QueryError` when there is no such count or key.
        """
        from pets.release.tables.shares import shares

        kept = (within,) if isinstance(within, str) else within
        if not isinstance(kept, (tuple, list)) or not all(isinstance(key, str) for key in kept):
            raise QueryError(f"within must be a list of the release's keys, such as ['region'], not {shown(within)}")
        return shares(cast("Answer", self), output, kept, self.confidence)

    @plain_arguments(QueryError, "crosstab", "write release.crosstab('n', rows='age', columns='sex')")
    def crosstab(self, output: str, *, rows: str, columns: str, margins: str = "All") -> CrossTable:
        """A count or a sum by two keys, with margins: ``.table`` as pandas' crosstab, ``.errors`` of each number.

        Margins are the sums of the noisy cells, so the table adds up; the errors are standard deviations of the noise,
        √m times a cell's on a margin of m cells. Asked for by one key alone a margin has less noise. Other keys of the
        release are summed over. For ``count_units`` margins count a person once in each group (``.note``).

        Raises :class:`QueryError` when there is no such output or key, or the output does not add up.
        """
        from pets.release.tables.crosstab import crosstab

        return crosstab(cast("Answer", self), output, rows, columns, margins)

    @plain_arguments(QueryError, "values_above", "write release.values_above('people')")
    def values_above(self, output: str | None = None, least: float | None = None) -> ValuesAbove:
        """How many of the listed values have a noisy count of at least ``least``, and what that means.

        For counts by value: ``group_by("diagnosis").agg(people=pets.count_units())``. Left out, ``least`` is the noise
        threshold: with the release's confidence no value that nobody has is counted, of all that are listed. So there
        are at least so many different values; those of few people may be more. Rows without a value are no value.

        Raises :class:`QueryError` when there is no such count.
        """
        from pets.release.tables.values_above import values_above

        return values_above(cast("Answer", self), output, least, self.confidence)

    @plain_arguments(QueryError, "standardise", "write release.standardise('cases', 'people', by='age')")
    def standardise(
        self,
        events: str,
        among: str | Mapping[Any, float],
        *,
        by: str,
        population: str | Mapping[Any, float] = "ESP2013",
        per: float = 100_000,
        confidence: float | None = None,
    ) -> pd.DataFrame:
        """Directly standardised rates: of counted events among counted people, as in a standard population.

        Each combination of the other keys has one rate; rows without an age are left out. The interval is Dobson's with
        Byar's limits (chance, where events are rare and one a person), widened by the noise of this release. There is
        none where noise could be all the people of an age. ``attrs["standard"]`` of the frame names the population:
        of bins that begin later, ESP2013 from there on.

        Args:
            events: the name of a count in this release.
            among: that of the people that they are of, or public numbers by key (a tuple, of several keys).
            by: the key of ages, such as ``col("age").bins([0, 5, 10, …, 90, 120])``.
            population: ``"ESP2013"``, the European Standard Population of 2013, or a weight for each group of ``by``
                (0: left out).

        Raises :class:`QueryError` for what is no count, key or population, or keys that lack an age of it somewhere.
        """
        from pets.release.standardise import standardise

        level = self.confidence if confidence is None else confidence
        return standardise(cast("Answer", self), events, among, by, population, per, level)
