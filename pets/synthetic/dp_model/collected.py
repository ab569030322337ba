"""Collected: the noisy marginals of a workload as they come in, the model that they make, and how well it holds them.

Nothing here sees a row: everything is computed from what was released already (post-processing).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from pets.common.progress import bar
from pets.errors import ReleaseFailedError
from pets.query_model.query import Query
from pets.release.release import Release
from pets.synthetic.dp_model.marginals import Model, fit
from pets.synthetic.dp_model.select import SIGNIFICANT
from pets.synthetic.dp_model.workload import (
    Clique,
    Floats,
    Marginal,
    Workload,
    displaced,
    slot_counts,
    total_error,
    total_of,
)
from pets.synthetic.synthetic_release import Misfit

Measure = Callable[[Sequence[tuple[Query, Fraction]]], list[Release]]
"""Measures queries, each at its share of the budget: all of them or none."""

DRAWS = 200_000


class Collected:
    """Marginals as they come in.

    Args:
        workload: of which they are.
        filled: the places of columns that everybody has a value of or may lack one, as far as noise can tell (``None``:
            all that may lack one); see :meth:`settle`.
        possible: which cells of a marginal rows may be in, by public knowledge (``None``: all of them).
    """

    def __init__(
        self,
        workload: Workload,
        filled: Collection[int] | None = None,
        possible: Callable[[Clique], npt.NDArray[np.bool_] | None] = lambda _: None,
    ) -> None:
        self.workload, self.filled, self.possible = workload, filled, possible
        self.measured: dict[Clique, Marginal] = {}
        self.releases: list[Release] = []
        self.whole: frozenset[int] = frozenset()

    def add(self, measure: Measure, shares: Sequence[tuple[Clique, Fraction]]) -> None:
        """Measure some more; one measured before becomes the weighted mean of both."""
        asked = [(self.workload.query(clique), share) for clique, share in shares]
        known = {release.id for release in self.releases}
        for (clique, _), release in zip(shares, measure(asked), strict=True):
            if release.id in known:
                continue  # the same question at the same price is the same answer, not a second opinion
            self.releases.append(release)
            new = self.workload.read(clique, release)
            self.measured[clique] = self.measured[clique].joined(new) if clique in self.measured else new

    @property
    def total(self) -> float:
        """The noisy number of rows."""
        return total_of(list(self.measured.values()))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Slots of each column, as the model has them."""
        return tuple(size - (place in self.whole) for place, size in enumerate(self.workload.sizes))

    @property
    def marginals(self) -> dict[Clique, Marginal]:
        """What was measured, without the slots that are left out."""
        return {clique: self._left(one) for clique, one in self.measured.items()}

    def _left(self, one: Marginal) -> Marginal:
        kept = tuple(slice(-1 if place in self.whole else None) for place in one.clique)
        held = self.possible(one.clique)
        values = one.values if held is None else np.where(held, one.values, 0.0)
        return replace(one, values=values[kept])

    def settle(self) -> None:
        """Leave out the slot "no value" where noise alone explains what it holds.

        Fitted to noise, the model would make rows without a value of a column that has one in every row. The slot's
        count is told by every marginal with the column, each weighted by its precision.
        """
        empty = []
        for place, column in enumerate(self.workload.columns):
            if not column.lacks or column.size < 2 or (self.filled is not None and place not in self.filled):
                continue
            counts, sigma = slot_counts(self.measured, place)
            if counts[-1] < SIGNIFICANT * sigma:
                empty.append(place)
        self.whole = frozenset(empty)

    def check(self) -> None:
        """Refuse to model nothing but noise."""
        what = "rows" if self.workload.people is None else "people"
        error = total_error(list(self.measured.values()))
        if self.total < SIGNIFICANT * error:
            raise ReleaseFailedError(
                f"the marginals were measured and stay charged, but their noise (σ = {error:,.0f} on the number of "
                f"{what}) drowns the {what}; ask with a larger epsilon, for fewer columns, or with wider bins"
            )


def fitted(found: Collected, held: Sequence[Clique], steps: int, what: str, progress: bool) -> Model:
    """The model of all columns by themselves and of the pairs that it shall hold."""
    used = {clique: one for clique, one in found.marginals.items() if len(clique) == 1 or clique in held}
    sizes, total = found.sizes, found.total
    impossible = {clique: ~cells for clique in held if (cells := found.possible(clique)) is not None}
    with bar(steps, what, show=progress) as moved:
        return fit(sizes, used, total, steps=steps, impossible=impossible, said=moved.to)


def share_of(model: Model, drawn: Any, clique: Clique) -> Floats:
    """The model's share of each cell; where no node holds the columns, that of rows drawn from it."""
    exact = model.marginal(clique)
    if exact is not None:
        return exact
    shape = tuple(model.sizes[place] for place in clique)
    cells = np.ravel_multi_index([drawn[:, place] for place in clique], shape)
    counts = np.bincount(cells, minlength=int(np.prod(shape))).reshape(shape)
    share: Floats = counts / len(drawn)
    return share


def misfits_of(found: Collected, model: Model, held: Sequence[Clique]) -> tuple[Misfit, ...]:
    """The model's error against each noisy marginal."""
    drawn = model.sample(DRAWS, np.random.default_rng([0, 3]))
    total = found.total
    out = []
    for clique, one in found.marginals.items():
        error = float(np.abs(one.values / total - share_of(model, drawn, clique)).sum()) / 2
        noise = displaced(one.sigma, one.values.size, total)
        names = found.workload.names(clique)
        out.append(Misfit(names, one.values.size, one.sigma, error, noise, len(clique) == 1 or clique in held))
    return tuple(out)
