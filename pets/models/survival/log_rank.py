"""Log-rank: the model that asks whether groups differ in how long they are without the event."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pets.common.arguments import plain_arguments, plain_fields
from pets.errors import QueryError
from pets.models.survival.comparison import Comparison
from pets.models.survival.exit_model import ExitModel
from pets.query_model.query import Query
from pets.release.release import Release


@plain_fields(QueryError)
@dataclass(frozen=True)
class LogRank(ExitModel[Comparison]):
    """Whether groups differ in how long they are without the event."""

    kind: ClassVar[str] = "log_rank"
    called: ClassVar[str] = "a log-rank test"
    fewest: ClassVar[int] = 2

    def of(self, release: Release) -> Comparison:
        """The test that follows from the answer."""
        return Comparison(self, release)


@plain_arguments(QueryError, "log_rank", "write pets.log_rank('days', 'died', 'arm', data='stays', bins=12)")
def log_rank(
    time: str,
    event: str,
    by: str | Sequence[str],
    *,
    data: str | Query,
    edges: Iterable[object] | None = None,
    bins: int | None = None,
) -> LogRank:
    """The log-rank test (Mantel 1966), for :meth:`pets.Session.fit`. Nothing is read.

    It rests on the counts of :func:`pets.kaplan_meier` of the same columns and bins: whichever is asked second is free.

    >>> log_rank("days", "died", "arm", data="stays", bins=12).query.keys[0].name
    'arm'

    Args:
        time, event, data, edges, bins: as of :func:`pets.kaplan_meier`. A difference shows in 12 bins.
        by: the columns whose values are the groups that are compared.

    Raises:
        QueryError: for columns and edges that are none.
    """
    asked = Query(data) if isinstance(data, str) else data
    return LogRank(asked, time, event, by, edges, bins)  # type: ignore[arg-type]
