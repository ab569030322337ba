"""Exit fit: what fits of survival have in common: the groups of a release, and who leaves them when."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from pets.errors import UserError
from pets.models.saved import Saved
from pets.models.survival.exit_model import ExitModel, exit_model_of, places
from pets.models.survival.streams import Streams, streams
from pets.plan.clamping import clamped_columns
from pets.plan.fitted.exits import ExitBins, exit_bins, solved
from pets.plan.measure import Measure
from pets.release.certificate import Certificate
from pets.release.estimate import noise_of
from pets.release.release import Release
from pets.release.text import DUMMY


@dataclass(frozen=True, repr=False)
class ExitFit(Saved):
    """What follows from one release of who leaves when, so it keeps that release's guarantee.

    Attributes:
        model: what was fitted.
        release: the counts that it was made of, with their certificate.
    """

    model: ExitModel[Any]
    release: Release
    kind: ClassVar[str] = ""
    """Of its model."""

    def __post_init__(self) -> None:
        right = isinstance(self.model, ExitModel) and self.model.kind == self.kind
        if not right or not isinstance(self.release, Release) or self.release.query.digest != self.model.query.digest:
            raise UserError(
                f"{self.called} is made by session.fit(model, protection), of the release of that model's own counts"
            )

    @classmethod
    def _made(cls, model: Any, release: Release, **also: Release) -> Self:
        return cls(exit_model_of(cls.kind, model), release)

    # what follows from the release ----------------------------------------------------------------------------------

    @cached_property
    def bins(self) -> ExitBins:
        """The bins of time."""
        plan = self.release.plan
        return exit_bins(self.model.counted, plan.fields, plan.table)

    @cached_property
    def _groups(self) -> list[tuple[Any, ...]]:
        columns = self.release.plan.layout.columns()
        return [tuple(columns[name][place] for name in columns) for place in places(self.release.plan)]

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups, by the values of ``by`` (of none: ``all``)."""
        several = len(self.model.by) > 1
        named = (zip(self.model.by, labels, strict=True) for labels in self._groups)
        return tuple(", ".join(f"{by} {one}" if several else str(one) for by, one in each) or "all" for each in named)

    @property
    def exact(self) -> bool:
        """Whether there is no noise."""
        return noise_of(self.release).exact

    @property
    def _measure(self) -> Measure:
        (measure,) = self.release.plan.measures
        return measure

    @cached_property
    def streams(self) -> tuple[Streams, ...]:
        """Who leaves each group when."""
        plan, noise = self.release.plan, noise_of(self.release)
        blocks = np.asarray(self.release.values).reshape(plan.groups, self._measure.width)
        deviation = 0.0 if noise.exact else noise.deviation(0)
        return tuple(streams(blocks[place], self.bins.levels, deviation) for place in places(plan))

    @cached_property
    def sizes(self) -> list[tuple[float, float]]:
        """Of each group, the people and the events, whose noise is on average nothing.

        Counts that are moved to be nowhere negative add up to more where noise is large against them.
        """
        plan = self.release.plan
        blocks = np.asarray(self.release.values).reshape(plan.groups, self._measure.width)
        found, _ = solved(blocks[places(plan)], self.bins.levels, self.exact)
        return [(float(one.sum()), float(one[: self.bins.within].sum())) for one in found]

    @property
    def certificate(self) -> Certificate | None:
        """The ledger's signed statement about the counts; all else follows from them."""
        return self.release.certificate

    @property
    def _said(self) -> list[str]:
        """Notes that are of any such fit."""
        plan = self.release.plan
        out = self.model.remarks(plan)
        if len(self._groups) < plan.groups:
            names = " or ".join(map(repr, self.model.by))
            out.append(f"Rows without a value in {names} are in no group.")
        if not self.exact:  # an exact release says so itself
            out += clamped_columns(plan.fields, [self.model.time])
            out.append("No interval holds what clamping moved.")
        return out

    # how it is shown ------------------------------------------------------------------------------------------------

    @property
    def _head(self) -> list[str]:
        alarm = [DUMMY] if self.release.data == "dummy" else []
        by = f" by {self.model.formula}" if self.model.by else ""
        said = f"{self.called[0].upper()}{self.called[1:]} of {self.model.time} until {self.model.event}{by}"
        return [*alarm, said, f"Data: {self.release.dataset}, {self.release.plan.source}"]
