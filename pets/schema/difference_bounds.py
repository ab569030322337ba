"""Whole numbers with bounds on each and on their differences: whether they can be met, and how tightly.

This is the *simple temporal problem* of Dechter, Meiri and Pearl (Artificial Intelligence 49, 1991): all bounds are
edges of a graph, shortest paths make each of them as tight as the others imply, and a negative cycle means that
nothing can meet them. Once tight, values may be chosen one after the other, each within the bounds that those before
leave it, and none is ever left without a value.
"""

from __future__ import annotations

from math import inf


class Gaps:
    """Numbers ``0`` to ``len(bounds) - 1``, each within its (low, high).

    >>> gaps = Gaps([(0, 10), (0, 10)])
    >>> gaps.limit(0, 1, 7, 9)  # the second is 7 to 9 above the first
    >>> gaps.close(), gaps.bounds(0), gaps.bounds(1)
    (True, (0, 3), (7, 10))
    """

    def __init__(self, bounds: list[tuple[int, int]]) -> None:
        size = len(bounds) + 1  # the last one is 0 itself
        # most[i][j]: the most by which j may exceed i
        self._most: list[list[float]] = [[0 if i == j else inf for j in range(size)] for i in range(size)]
        for index, (low, high) in enumerate(bounds):
            self._most[-1][index] = high
            self._most[index][-1] = -low

    def limit(self, first: int, second: int, low: float, high: float) -> None:
        """Number ``second`` exceeds number ``first`` by ``low`` to ``high`` (``inf``: no limit)."""
        self._most[first][second] = min(self._most[first][second], high)
        self._most[second][first] = min(self._most[second][first], -low)

    def close(self) -> bool:
        """Make every bound as tight as the others imply; whether any numbers meet them."""
        every = range(len(self._most))
        for via in every:
            for i in every:
                for j in every:
                    through = self._most[i][via] + self._most[via][j]
                    if through < self._most[i][j]:
                        self._most[i][j] = through
        return all(self._most[i][i] >= 0 for i in every)

    def bounds(self, index: int) -> tuple[int, int]:
        """The least and the greatest value of a number."""
        return int(-self._most[index][-1]), int(self._most[-1][index])

    def apart(self, first: int, second: int) -> tuple[float, float]:
        """The least and the most by which ``second`` exceeds ``first`` (infinite where nothing limits it)."""
        return -self._most[second][first], self._most[first][second]
