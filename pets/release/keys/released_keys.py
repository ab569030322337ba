"""Released keys: keys that nobody listed, paid for once.

The keys that enough people have, each with its noisy count of people, the scale of the noise and the threshold; nothing
else is known of keys, so those that do not show may have people or none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pets.common.codec import Json, fraction, whole
from pets.errors import QueryError, shown
from pets.query_model.group_keys import KeySet
from pets.release.keys.sealed_keys import SealedKeys, order

if TYPE_CHECKING:
    import pandas as pd

PEOPLE = "people"


class ReleasedKeys(SealedKeys):
    """A :class:`pets.KeySet` of released keys, sorted; :meth:`pets.Session.group_keys` makes it.

    Grouping by it, and every property and method here, costs nothing: it is public.

    Attributes:
        certificate: the ledger's signed statement about exactly these bytes (``None``: not yet signed).
    """

    FORM = "keys"
    PARTS = (
        *("pets", "version", "id", "dataset", "table", "keys", "schema", "plan", "rows", "people", "scale"),
        *("threshold", "protection", "snapshot", "data", "cost", "epsilon", "delta", "rho", "guarantee", "budget"),
        *("issued_at", "project", "analyst", "notes"),
    )

    @classmethod
    def _columns(cls, form: Json) -> tuple[str, ...]:
        return tuple(form["keys"]["by"])

    @classmethod
    def _fits(cls, form: Json, rows: tuple[tuple[Any, ...], ...]) -> bool:
        people = form["people"]
        reach = all(whole(noisy) >= form["threshold"] for noisy in people)
        return reach and len(people) == len(rows) and list(rows) == sorted(rows, key=order)

    @property
    def threshold(self) -> int:
        """The least noisy count of people that shows."""
        return int(self._form["threshold"])

    @property
    def scale(self) -> float:
        """Of the discrete Gaussian noise on every count of people."""
        return float(fraction(self._form["scale"]))

    @property
    def table(self) -> pd.DataFrame:
        """A fresh data frame: the keys (``missing`` for rows without a value), and the noisy ``people`` of each.

        Where a column of the keys has that name, the counts are in ``people_2``.

        That a key shows says that its noise was not far down, so small counts are rather too high than too low.
        """
        import pandas as pd

        return pd.DataFrame(self.named() | {self.beside(PEOPLE): list(self._form["people"])})

    def top(self, k: int) -> KeySet:
        """The k keys of most noisy people, largest first among equals by key: a free view of what was released.

        Raises :class:`QueryError` for a k that is no whole number above 0, or where no key was released.
        """
        try:
            most = whole(k)
        except ValueError:
            most = 0
        if most < 1:
            raise QueryError(f"top takes a whole number above 0, not {shown(k)}")
        ranked = sorted(zip(self._form["people"], self.rows, strict=True), key=lambda pair: (-pair[0], order(pair[1])))
        return KeySet(self.columns, tuple(sorted((row for _, row in ranked[:most]), key=order)))

    def plain(self) -> KeySet:
        """The keys alone, as any list of them: what a question holds.

        Raises :class:`QueryError` where no key reached the threshold.
        """
        if not self.rows:
            raise QueryError(
                f"no key reached the threshold of {self.threshold:,} people, so there is nothing to group by; release "
                "keys with a larger epsilon, fewer groups= or fewer columns"
            )
        return KeySet(self.columns, self.rows)

    @property
    def _told(self) -> str:
        return (
            f"{len(self.rows):,} keys of {', '.join(self.columns)} that at least about {self.threshold:,} people have "
            f"(noise of scale {self.scale:.4g} on every count)."
        )
