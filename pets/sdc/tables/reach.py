"""Reach: what can be found of a count that is hidden or rounded: by subtraction first, by all tables at once after.

Only what was proved passes: by two whole-number tables that agree with all that is shown, and differ enough here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pets.errors import QueryError
from pets.sdc.tables.bounds import MOST
from pets.sdc.tables.findings import Verdict
from pets.sdc.tables.linked import Linked, Target
from pets.sdc.tables.rules import Limits
from pets.sdc.tables.subtraction import ContradictionError, Subtraction


@dataclass(frozen=True)
class Reached:
    """What was found of one count, and what follows."""

    verdict: Verdict
    reason: str
    low: int
    high: int
    told: str = ""


class Reach:
    """What can be found in linked sheets."""

    def __init__(self, linked: Linked, subtraction: Subtraction, limits: Limits, seconds: float) -> None:
        self._linked, self._subtraction, self._limits, self._seconds = linked, subtraction, limits, seconds
        self._statements = tuple(linked.statements())
        self._uses: dict[int, int] = {}
        for stated in self._statements:
            for atom in stated.atoms if stated.high < MOST or stated.low > 0 else ():
                self._uses[atom] = self._uses.get(atom, 0) + 1

    def all(self, targets: Sequence[Target]) -> list[Reached]:
        """What was found of each."""
        out: list[Reached | None] = [self._plain(one) for one in targets]
        rest = [one for one, found in zip(targets, out, strict=True) if found is None]
        solved = iter(self._solved(rest) if rest else [])
        return [found if found is not None else next(solved) for found in out]

    def _plain(self, target: Target) -> Reached | None:
        """What subtraction alone decides: a disclosure, or a count that nothing else is about."""
        here = self._subtraction.slots[target.atoms]
        told = self._subtraction.sentence(target.atoms, target.name)
        if found := self.judged(here.low, here.high, told):
            return found
        if max((self._uses.get(atom, 0) for atom in target.atoms), default=0) <= 1 and target.entry is not None:
            return Reached(Verdict.PASS, "open" if here.high < MOST else "empty", here.low, here.high)
        return None

    def judged(self, low: int, high: int, told: str) -> Reached | None:
        """What the ends of a count decide; ``None`` where it is left open enough, if they can be reached."""
        small = self._limits.small
        if low > small or high == 0:
            return Reached(Verdict.PASS, "large", low, high, told)
        if high - low >= self._limits.width:
            return None
        if low > 0:
            return Reached(Verdict.FAIL, "derived", low, high, told)
        return Reached(Verdict.REVIEW, "derived", low, high, told)

    def _solved(self, targets: Sequence[Target]) -> list[Reached]:
        """What all tables at once tell."""
        from pets.sdc.search import Protected, check
        from pets.sdc.system import Statement, System

        told = [
            Statement(one.atoms, one.low, one.high, one.source)
            for one in self._statements
            if one.low > 0 or one.high < MOST
        ]
        system = System.from_statements(self._linked.size, told)
        protected = [Protected(one.atoms, one.name) for one in targets]
        try:
            found = check(system, None, protected, self._limits.width, self._seconds)
        except QueryError:  # no whole numbers fit all that is shown
            raise ContradictionError("a total") from None
        return [self._answer(target, one) for target, one in zip(targets, found, strict=True)]

    def _answer(self, target: Target, found: Any) -> Reached:
        here = self._subtraction.slots[target.atoms]
        low, high = max(here.low, found.lo), min(here.high, found.hi)
        if found.state == "proved":
            return Reached(Verdict.PASS, "open", low, high)
        if found.state == "attack":
            return self.judged(low, high, found.sentence) or Reached(
                Verdict.REVIEW, "derived", low, high, found.sentence
            )
        return self._undecided(target)

    def _undecided(self, target: Target) -> Reached:
        here = self._subtraction.slots[target.atoms]
        return Reached(Verdict.REVIEW, "undecided", here.low, here.high)
