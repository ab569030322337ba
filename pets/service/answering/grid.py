"""The time grid: first answers are shown at ticks of a clock, so that the moment tells little of how long one took.

A mitigation and no proof (timing is outside the guarantee): a step is longer than most answers of its class take, and
ticks, unlike random delays, do not average out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pets.errors import UserError, shown


@dataclass(frozen=True)
class Grid:
    """Steps in seconds, counted from 1970.

    Attributes:
        small: of questions with at most ``cells`` cells, which the plan alone decides.
        large: of all others.
        cells: where the one ends and the other begins.

    Raises:
        UserError: for a step that is no number of seconds from 0.001 to 3600.
    """

    small: float = 0.25
    large: float = 2.0
    cells: int = 10_000

    def __post_init__(self) -> None:
        for step in (self.small, self.large):
            if isinstance(step, bool) or not isinstance(step, (int, float)) or not 0.001 <= step <= 3600:
                raise UserError(f"a step of the time grid is from 0.001 to 3600 seconds, not {shown(step)}")

    def tick(self, at: float, cells: int | None) -> float:
        """The first tick from then on; ``cells``: of the answer (``None``: the plan does not tell)."""
        step = self.small if cells is not None and cells <= self.cells else self.large
        return max(at, math.ceil(at / step) * step)
