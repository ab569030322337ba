"""Select: which measured pairs a model should hold, judged by the noisy answers alone.

Nothing here sees a row: what was released is looked at again, which costs nothing and weakens nothing
(post-processing). The first pairs form a spanning tree of the strongest (as MST does: McKenna, Miklau and Sheldon 2021,
section 4); further ones follow as long as the model stays small enough to be fitted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from pets.synthetic.dp_model.workload import Clique, Floats, Marginal

SIGNIFICANT = 4.0
"""Standard deviations by which a pair must differ from what the model holds already before it is worth its cells."""


def surprise(noisy: Marginal, expected: Floats) -> float:
    """How far a noisy pair lies from what is expected, in standard deviations of what noise alone would do.

    Σ (noisy − expected)² has mean kσ² and variance about 2kσ⁴ where only noise of standard deviation σ on k cells
    parts them; the score is what is above that mean, in standard deviations.

    >>> alike = Marginal((0, 1), np.full((10, 10), 7.0), 1.0)
    >>> round(surprise(alike, alike.values), 2)
    -7.07
    """
    cells = noisy.values.size
    square = float(np.square(noisy.values - expected).sum())
    return (square / noisy.sigma**2 - cells) / math.sqrt(2 * cells)


def independent(first: Marginal, second: Marginal, total: float) -> Floats:
    """The pair that two columns would have if they had nothing to do with each other."""
    left, right = (np.maximum(one.values, 0.0) for one in (first, second))
    scale = total / max(float(left.sum() * right.sum()), 1e-9)
    product: Floats = np.outer(left, right) * scale
    return product


def from_singles(marginals: Mapping[Clique, Marginal], pairs: Iterable[Clique], total: float) -> dict[Clique, float]:
    """The surprise of each pair at the thought that its columns are independent."""
    return {(a, b): surprise(marginals[a, b], independent(marginals[(a,)], marginals[(b,)], total)) for a, b in pairs}


def choose(scores: Mapping[Clique, float], held: Sequence[Clique], sizes: Sequence[int], most: int) -> list[Clique]:
    """The pairs to add to a model that holds some, most surprising first: a spanning tree, then what fits.

    Args:
        scores: the surprise of each candidate.
        held: what the model holds already.
        sizes: slots of each column.
        most: cells that the model may have; a pair that would pass it is left out.
    """
    order = [pair for pair, score in sorted(scores.items(), key=lambda item: (-item[1], item[0]))]
    order = [pair for pair in order if scores[pair] > SIGNIFICANT and pair not in held]
    forest = _Forest(held)
    tree = [pair for pair in order if forest.join(pair)]
    chosen: list[Clique] = []
    for pair in tree + [pair for pair in order if pair not in tree]:
        if model_cells(sizes, [*held, *chosen, pair]) <= most:
            chosen.append(pair)
    return chosen


def model_cells(sizes: Sequence[int], cliques: Iterable[Clique]) -> int:
    """The cells of the junction tree that a model of these cliques needs, by greedy elimination.

    Columns leave one by one, always the one whose neighbourhood has the fewest cells; what it leaves behind is
    connected (Koller and Friedman 2009, section 9.4.3). Neighbourhoods inside another one are no nodes of their own.

    >>> model_cells([2, 3, 4], [(0, 1), (1, 2)]), model_cells([2, 3, 4], [(0, 1), (1, 2), (0, 2)])
    (18, 24)
    """
    near: dict[int, set[int]] = {place: {place} for place in range(len(sizes))}
    for clique in cliques:
        for place in clique:
            near[place].update(clique)
    cost = {place: math.prod(sizes[other] for other in around) for place, around in near.items()}
    nodes: list[set[int]] = []
    while cost:
        place = min(cost, key=lambda at: (cost[at], at))
        del cost[place]
        around = near.pop(place)
        if not any(around <= node for node in nodes):
            nodes.append(around)
        for other in around - {place}:
            near[other] = (near[other] | around) - {place}
            cost[other] = math.prod(sizes[at] for at in near[other])
    return sum(math.prod(sizes[place] for place in node) for node in nodes)


class _Forest:
    """Which columns are connected already (Kruskal 1956)."""

    def __init__(self, held: Iterable[Clique]) -> None:
        self._root: dict[int, int] = {}
        for clique in held:
            for place in clique[1:]:
                self.join((clique[0], place))

    def _find(self, place: int) -> int:
        while (up := self._root.get(place, place)) != place:
            place = up
        return place

    def join(self, pair: Clique) -> bool:
        """Connect two columns; says whether they were apart."""
        a, b = (self._find(place) for place in pair)
        self._root[a] = b
        return a != b
