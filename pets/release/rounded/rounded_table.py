"""Rounded tables: the protected grid of a dataset, and the answers that are sums of its cells."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

from pets.common.codec import Json
from pets.common.integers import Ints
from pets.errors import UserError
from pets.protection.rounding import HIDDEN, Rounding
from pets.query_model.traits import TRAITS
from pets.release.rounded.counts import Counts, whole_numbers
from pets.release.rounded.sealed_table import DUMMY, NONE, SealedTable


class ProtectedGrid(SealedTable):
    """The one grid of a dataset, each of whose cells was protected once; :meth:`pets.Custodian.name_grid` makes it."""

    FORM = "grid"
    PARTS = ("shown",)

    def _check(self) -> None:
        if self.shown.shape != (self.plan.size,) or not self.rule.fits(self.shown):
            raise UserError(NONE)

    @cached_property
    def shown(self) -> Ints:
        """Each cell as it is shown; :data:`pets.protection.rounding.HIDDEN` where it is hidden."""
        return whole_numbers(self._form["shown"])

    def counts(self) -> tuple[tuple[Counts, ...], ...]:
        return ((cells_of(self.rule, self.shown),),)

    def invented(self, shown: list[int], snapshot: str, guarantee: str) -> ProtectedGrid:
        """A grid of the same cells on invented rows; nobody signs it."""
        told = {"shown": shown, "snapshot": snapshot, "data": DUMMY, "guarantee": guarantee}
        return ProtectedGrid(self.form | told)

    @property
    def _told(self) -> str:
        return f"The grid of {self.plan.dataset}, {self.plan.groups:,} cells: {self.rule}."


def cells_of(rule: Rounding, shown: Ints) -> Counts:
    """The cells of a grid as what sums are made of: a hidden one counts as the middle of its interval."""
    hidden = shown == HIDDEN
    low, high = rule.interval(shown)
    return Counts(shown * ~hidden + rule.middle * hidden, hidden.astype("int64"), low, high)


class SummedTable(SealedTable):
    """Counts of people and rates, each from sums of shown cells."""

    COUNTS: ClassVar[type[Counts]] = Counts

    def _check(self) -> None:
        wanted = [TRAITS[output.kind].made_of_counts for output in self.plan.outputs]
        fits = wanted == [len(one) for one in self.counts()]
        for one in (one for several in self.counts() for one in several):
            fits = fits and all(getattr(one, name).shape == (self.plan.groups,) for name in one.PARTS)
            fits = fits and one.fits(self.rule)
        if not fits:
            raise UserError(NONE)

    def counts(self) -> tuple[tuple[Counts, ...], ...]:
        return self._counts

    @cached_property
    def _counts(self) -> tuple[tuple[Counts, ...], ...]:
        return tuple(tuple(map(self.COUNTS.from_json, several)) for several in self._form["counts"])

    @property
    def _asked(self) -> str:
        """What was asked of what, in words."""
        names = ", ".join(output.name for output in self.plan.outputs)
        keys = ", ".join(one.name for one in self.plan.layout.dimensions)
        by = f" by {keys}" if keys else ""
        return f"{names}{by}, from {self.plan.dataset}/{self.plan.source}"


class RoundedTable(SummedTable):
    """Counts of people and rates, each from sums of a grid's shown cells; ``session.release(…, pets.SDC(…))`` makes it.

    Attributes:
        certificate: the ledger's signed statement about exactly these bytes (``None``: not yet signed).
    """

    FORM = "rounded"
    PARTS = ("grid", "counts")

    @property
    def grid(self) -> Json:
        """Of which grid: its release's id and digest, and its question."""
        return dict(self._form["grid"])

    @property
    def _told(self) -> str:
        return f"{self._asked}: {self.rule}; sums of the grid's cells."
