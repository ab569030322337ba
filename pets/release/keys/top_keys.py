"""Top keys: the groups that noise chose as those with most people or rows, paid for once.

They come in the order in which they were chosen, the greatest first, and without their counts: a question that groups
by them asks for those. A group that was left out may have nearly as many, or by a small chance more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pets.common.codec import Json, fraction, whole
from pets.query_model.group_keys import KeySet
from pets.release.keys.sealed_keys import SealedKeys, order

if TYPE_CHECKING:
    import pandas as pd

RANK = "rank"


class TopKeys(SealedKeys):
    """A :class:`pets.KeySet` of chosen groups, the greatest first; :meth:`pets.Session.top_keys` makes it.

    Grouping by it, and every property and method here, costs nothing: it is public.

    Attributes:
        certificate: the ledger's signed statement about exactly these bytes (``None``: not yet signed).
    """

    FORM = "top"
    PARTS = (
        *("pets", "version", "id", "dataset", "table", "query", "k", "candidates", "counted", "schema", "plan", "rows"),
        *(
            "scale",
            "protection",
            "snapshot",
            "data",
            "cost",
            "epsilon",
            "delta",
            "rho",
            "guarantee",
            "budget",
            "issued_at",
        ),
        *("project", "analyst", "notes"),
    )

    @classmethod
    def _columns(cls, form: Json) -> tuple[str, ...]:
        return tuple(key["column"] for key in form["query"]["by"])

    @classmethod
    def _fits(cls, form: Json, rows: tuple[tuple[Any, ...], ...]) -> bool:
        return len(rows) == whole(form["k"]) < whole(form["candidates"])

    @property
    def candidates(self) -> int:
        """How many groups there were to choose from."""
        return int(self._form["candidates"])

    @property
    def scale(self) -> float:
        """Of the Gumbel noise on every count, none of which left."""
        return float(fraction(self._form["scale"]))

    @property
    def table(self) -> pd.DataFrame:
        """A fresh data frame: the keys (``missing`` for rows without a value), and the ``rank`` of each, 1 first.

        Where a column of the keys has that name, the ranks are in ``rank_2``.
        """
        import pandas as pd

        return pd.DataFrame(self.named() | {self.beside(RANK): range(1, len(self.rows) + 1)})

    def plain(self) -> KeySet:
        """The keys alone, in their own order, as any list of them: what a question holds."""
        return KeySet(self.columns, tuple(sorted(self.rows, key=order)))

    @property
    def _told(self) -> str:
        return (
            f"The {len(self.rows):,} of {self.candidates:,} groups of {', '.join(self.columns)} with most "
            f"{self._form['counted']}, as noise of scale {self.scale:.4g} on every count chose them; the counts are "
            "not released."
        )
