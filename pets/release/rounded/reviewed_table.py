"""Reviewed tables: counts of people that are no sums of the grid's cells, which a person has let leave."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from pets.common.codec import Json
from pets.common.integers import Ints
from pets.errors import UserError
from pets.protection.rounding import HIDDEN
from pets.release.rounded.counts import Counts, whole_numbers
from pets.release.rounded.rounded_table import ProtectedGrid, RoundedTable
from pets.release.rounded.sealed_table import NONE, SealedTable

FOUND = ("proved", "attack", "undecided")
"""What was found of a table before it left."""
TEXTS = ("finding", "beside", "salt")


class ReviewedTable(RoundedTable):
    """Counts of people and rates outside the grid, each cell protected by itself; a person has let it leave.

    Attributes:
        certificate: the ledger's signed statement about exactly these bytes (``None``: not yet signed).
    """

    FORM = "reviewed"
    PARTS = ("shown", "review")

    def _check(self) -> None:
        review = self._form["review"]
        fits = isinstance(review, dict) and set(review) == {*TEXTS, "found", "width", "releases"}
        fits = fits and review["found"] in FOUND and all(isinstance(review[name], str) for name in TEXTS)
        fits = fits and type(review["width"]) is int and type(review["releases"]) is int
        fits = fits and [len(one.parts) for one in self.plan.outputs] == [len(one) for one in self._blocks]
        by_measure: dict[int, Ints] = {}
        for measure, one in self._measured if fits else ():
            fits = fits and one.shape == (self.plan.groups,) and self.rule.fits(one)
            fits = fits and bool((by_measure.setdefault(measure, one) == one).all())
        if not fits:
            raise UserError(NONE)
        super()._check()

    @cached_property
    def _blocks(self) -> tuple[tuple[Ints, ...], ...]:
        """Of each output, its counts as each cell is shown."""
        return tuple(tuple(map(whole_numbers, several)) for several in self._form["shown"])

    @property
    def _measured(self) -> list[tuple[int, Ints]]:
        """The same, each with the plan's measure that it is of."""
        pairs = zip(self.plan.outputs, self._blocks, strict=True)
        return [one for output, several in pairs for one in zip(output.parts, several, strict=True)]

    @cached_property
    def _counts(self) -> tuple[tuple[Counts, ...], ...]:
        return tuple(tuple(map(self._count, several)) for several in self._blocks)

    def _count(self, shown: Ints) -> Counts:
        hidden = shown == HIDDEN
        low, high = self.rule.interval(shown)
        return Counts(shown * ~hidden + self.rule.middle * hidden, hidden.astype("int64"), low, high)

    @property
    def grid(self) -> Json:
        """Of no grid."""
        return {}

    @property
    def review(self) -> Json:
        """What was found before it left: the finding's digest, what it came to, for what width, beside what.

        ``beside`` is the digest of the releases that it was compared with, and ``salt`` opens what the log says of the
        numbers that were compared.
        """
        return dict(self._form["review"])

    @property
    def _told(self) -> str:
        return f"{self._asked}: {self.rule}; let out by a person."


def table_of(form: Any, certificate: Json | None = None) -> SealedTable:
    """The table of a sealed form of any kind; raises :class:`UserError` for anything else."""
    kinds = {one.FORM: one for one in (ProtectedGrid, RoundedTable, ReviewedTable)}
    if not isinstance(form, dict) or form.get("pets") not in kinds:
        raise UserError(NONE)
    return kinds[form["pets"]].sealed(form, certificate)
