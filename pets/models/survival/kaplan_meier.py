"""Kaplan–Meier: the model of a survival curve, or of one in each group."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pets.common.arguments import plain_arguments, plain_fields
from pets.common.codec import Json, python_value
from pets.errors import QueryError, shown
from pets.models.survival.curves import Curves
from pets.models.survival.exit_model import ExitModel
from pets.query_model.query import Query
from pets.release.release import Release


@plain_fields(QueryError)
@dataclass(frozen=True)
class KaplanMeier(ExitModel[Curves]):
    """The share that is still without the event, over time.

    Attributes:
        actuarial: whether those who leave a bin of several values without the event count half in it.
    """

    actuarial: bool = True
    kind: ClassVar[str] = "kaplan_meier"
    called: ClassVar[str] = "a survival curve"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "actuarial", python_value(self.actuarial))
        if not isinstance(self.actuarial, bool):
            raise QueryError(f"actuarial is True or False, not {shown(self.actuarial)}")

    @property
    def settings(self) -> Json:
        """What its canonical form has besides."""
        return {} if self.actuarial else {"actuarial": False}

    def of(self, release: Release) -> Curves:
        """The curves that follow from the answer."""
        return Curves(self, release)


@plain_arguments(
    QueryError, "kaplan_meier", "write pets.kaplan_meier('days', 'died', by='arm', data='stays', edges=[0, 30, 90])"
)
def kaplan_meier(
    time: str,
    event: str,
    by: str | Sequence[str] | None = None,
    *,
    data: str | Query,
    edges: Iterable[object] | None = None,
    bins: int | None = None,
    actuarial: bool = True,
) -> KaplanMeier:
    """The model of survival curves, for :meth:`pets.Session.fit`. Nothing is read.

    >>> kaplan_meier("days", "died", by="arm", data="stays", edges=[0, 30, 90, 365]).query.keys[0].name
    'arm'

    Args:
        time: the column of how long each row was followed, a number from 0 on.
        event: the column of whether that ended in the event, a boolean; where not, the row was lost from sight then
            (censored).
        by: the columns whose values each have a curve of their own; all curves have the price of one.
        data: the table, or a question that chooses rows and computes columns, such as
            ``pets.query("stays").where(pets.col("age") >= 18)`` or ``pets.people(…)``.
        edges: the ends of the bins of time: a bin has the times from one edge up to, not with, the next. Who was
            followed to the last edge or longer is at risk to the end of the curve.
        bins: in place of edges, into how many bins the public range of the time is cut up to its largest value (24
            where neither is given). That value has one more bin of its own, so where everybody is followed to one day,
            the largest of the schema, those who reach it are at risk all the time before.
        actuarial: a bin of several values does not tell who left first: those without the event count half in it. With
            ``False`` they count whole, as if all times of a bin were its first.

    Raises:
        QueryError: for columns and edges that are none.
    """
    asked = Query(data) if isinstance(data, str) else data
    return KaplanMeier(asked, time, event, by, edges, bins, actuarial)  # type: ignore[arg-type]
