"""Rounded sum: counts of people over several sites, each of which rounded its own, or whose key holder did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pets.common.clock import now
from pets.common.codec import Json
from pets.common.integers import Ints
from pets.errors import UserError
from pets.plan.plan import Plan
from pets.protection.rounding import Rounding
from pets.protection.sdc import SDC
from pets.query_model.query import Query
from pets.release.rounded.counts import Counts
from pets.release.rounded.rounded_table import SummedTable
from pets.release.rounded.sealed_table import NONE
from pets.schema.schema import Schema


@dataclass(frozen=True)
class CountsOfSites(Counts):
    """One count in each group, over the cells of all sites.

    Attributes:
        cells: how many cells of the sites' grids, or of the key holder's, are in the group, hidden or shown.
    """

    cells: Ints

    PARTS: ClassVar[tuple[str, ...]] = (*Counts.PARTS, "cells")

    def fits(self, rule: Rounding) -> bool:
        """Whether these may be sums of what a rule shows: no more is hidden than there is, and each lies between.

        A number that is not the middle of its step is a multiple of the base.
        """
        most = {"hidden": 2**31, "cells": 2**31, "shown": 2**61, "low": 2**61, "high": 2**61}
        if not all(
            bool(((getattr(self, name) >= 0) & (getattr(self, name) < end)).all()) for name, end in most.items()
        ):
            return False  # (so that nothing below passes 64 bits)
        if not super().fits(rule) or not bool((self.hidden <= self.cells * bool(rule.threshold)).all()):
            return False
        shown = self.shown - self.hidden * rule.middle
        low, high = (end - self.hidden * hidden for end, hidden in zip((self.low, self.high), rule.hidden, strict=True))
        wide = (self.cells - self.hidden) * (rule.base - 1)
        whole = rule.midpoint or bool((shown % rule.base == 0).all())
        return whole and bool(((low <= shown) & (shown <= high) & (high - low <= wide)).all())


class RoundedSum(SummedTable):
    """Counts of people over all sites of a federation; ``federation.release(…, pets.SDC(…))`` makes it.

    Each site protected the cells of its own grid, and its numbers were added to the others' under masks; or the key
    holder protected the cells of one grid over all sites, all of which are in ``sharing``. What is shown is the sum;
    the exact number lies between ``low`` and ``high``, the sums of the ends that those cells leave open. No ledger
    signs it: the coordinator does, and each site's own certificate is in ``sharing``.

    Guarantee: the sentence in ``guarantee``. It is not differential privacy.
    """

    FORM = "rounded-sum"
    PARTS = ("counts", "sharing")
    COUNTS = CountsOfSites

    @classmethod
    def unsigned(
        cls,
        id: str,
        plan: Plan,
        schema: Schema,
        protection: SDC,
        analyst: str,
        counts: Sequence[Sequence[CountsOfSites]],
        sharing: Json,
        stated: Mapping[str, Any],
    ) -> Json:
        """The canonical form of an answer, made now, without the coordinator's signature: the one place it comes from.

        Args:
            sharing: who took part.
            stated: what follows from them: its snapshot, data, cost, budget, project, guarantee and notes.
        """
        return {
            "pets": cls.FORM,
            "version": cls.VERSION,
            "id": id,
            "dataset": schema.dataset,
            "table": plan.table,
            "query": plan.query.to_json(),
            "schema": schema.to_json(),
            "plan": plan.digest,
            "rule": protection.rule.to_json(),
            "protection": protection.to_json(),
            "issued_at": now(),
            "analyst": analyst,
            "counts": [[one.to_json() for one in several] for several in counts],
            "sharing": sharing,
            **{name: stated[name] for name in ("snapshot", "data", "cost", "budget", "project", "guarantee")},
            "notes": list(stated["notes"]),
        }

    def _check(self) -> None:
        super()._check()
        if self.certificate is not None or not isinstance(self._form["sharing"], dict):
            raise UserError(NONE)

    @property
    def sharing(self) -> Json:
        """Who took part under which assumptions, who signed that, and each site's certificate, of those that tell."""
        return dict(self.form["sharing"])

    @property
    def query(self) -> Query:
        """What was asked."""
        return self.plan.query

    @property
    def schema(self) -> Schema:
        """Of what it was asked."""
        return Schema.from_json(self._form["schema"])

    @property
    def plan_digest(self) -> str:
        """Of the plan that was counted."""
        return self.plan.digest

    @property
    def analyst(self) -> str:
        """Who asked."""
        return str(self._form["analyst"])

    @property
    def cost(self) -> Json:
        """Nothing, in the ledgers' units."""
        return dict(self._form["cost"])

    @property
    def budget(self) -> Json | None:
        """No ledger's: each site keeps its own."""
        found: Json | None = self._form["budget"]
        return found

    @property
    def project(self) -> str:
        """Of the federation."""
        return str(self._form["project"])

    @property
    def _told(self) -> str:
        sites = self._form["sharing"]["sites"]
        if "grid" in self._form["sharing"]:
            return f"{self._asked}: {self.rule}; sums of the key holder's grid over {sites} sites."
        return f"{self._asked}: {self.rule}; sums over {sites} sites of the cells of each one's grid."
