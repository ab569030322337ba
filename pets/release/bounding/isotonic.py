"""Isotonic: the sequence that falls (or stays) and lies nearest to noisy numbers.

Source: Ayer, Brunk, Ewing, Reid and Silverman, "An empirical distribution function for sampling with incomplete
information", Annals of Mathematical Statistics 26, 1955 (pool adjacent violators); used on noisy counts by Hay,
Rastogi, Miklau and Suciu, "Boosting the accuracy of differentially private histograms through consistency", VLDB 2010.
"""

from __future__ import annotations

import numpy as np

from pets.common.integers import Floats


def falling(values: Floats) -> Floats:
    """The least squares fit that never rises.

    >>> falling(np.array([5.0, 7.0, 1.0])).tolist()
    [6.0, 6.0, 1.0]
    """
    pools: list[tuple[float, int]] = []  # the sum and the size of each run
    for value in values.tolist():
        total, size = float(value), 1
        while pools and pools[-1][0] / pools[-1][1] < total / size:
            before, many = pools.pop()
            total, size = total + before, size + many
        pools.append((total, size))
    return np.array([total / size for total, size in pools for _ in range(size)], dtype=np.float64)
