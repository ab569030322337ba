"""Ratio ends: how small and how great a ratio of two noisy numbers can be (Fieller 1954).

Source: Fieller, "Some problems in interval estimation", Journal of the Royal Statistical Society B 16, 1954.
"""

from __future__ import annotations

import numpy as np

from pets.common.integers import Floats


def ratio_ends(total: Floats, rows: Floats, on_total: Floats | float, on_rows: Floats | float) -> tuple[Floats, Floats]:
    """The ends of {r : (total − r·rows)² ≤ on_total² + r²·on_rows²}, an interval wherever rows > on_rows.

    ``on_total`` and ``on_rows`` are how far the noise of each reaches.
    """
    a = rows**2 - np.square(on_rows)
    spread = np.square(rows * on_total) + np.square(total * on_rows) - np.square(np.multiply(on_total, on_rows))
    root = np.sqrt(np.maximum(spread, 0.0))
    return (total * rows - root) / a, (total * rows + root) / a
