"""What a replay found: how many cases, the greatest loss, and every violation in a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class ReplayReport:
    """What :func:`pets.testing.replay` found.

    Attributes:
        cases: pairs of worlds times requests.
        draws: measurements that were compared.
        worst: the greatest loss of a request divided by what was charged for it; above 1 it is a violation.
        problems: the violations, each in a sentence that names the request, the engine and the two data sets; empty
            where all held. They are about exact values: for whoever may see the rows.
        refused: the requests that were refused in every pair, alike, with what was said: nothing else of them was
            compared.
    """

    cases: int
    draws: int
    worst: Fraction
    problems: tuple[str, ...]
    refused: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return not self.problems

    def __str__(self) -> str:
        head = (
            f"{self.cases} cases, {self.draws} draws of noise; the greatest loss is {float(self.worst):.6f} of its "
            "charge"
        )
        if self.refused:
            head += f"; refused in every pair: {'; '.join(self.refused[:3])}"
            head += f" and {len(self.refused) - 3} more" if len(self.refused) > 3 else ""
        if self.holds:
            return f"{head}. Nothing was found."
        shown = [f"  {problem}" for problem in self.problems[:20]]
        more = [f"  and {len(self.problems) - 20} more"] if len(self.problems) > 20 else []
        return "\n".join([f"{head}. {len(self.problems)} violations:", *shown, *more])
