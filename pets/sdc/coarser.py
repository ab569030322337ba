"""Coarser: what a table is rounded to where its own rule leaves too little open, step by step, before it is refused.

The steps follow from the rule alone. Which of them was taken depends on rows, and so does a refusal: both are answers.
"""

from __future__ import annotations

from dataclasses import replace

from pets.protection.rounding import Rounding

BASES = (11, 21)
"""Bases after a rule's own. They are odd, so that no count lies half-way between two of their multiples."""

STEPS = (2, 4)
"""How many steps of a midpoint rule are taken together."""


def coarser(rule: Rounding) -> tuple[Rounding, ...]:
    """The rule, then those that leave more open, finest first.

    A greater base may hide more: no count but 0 may be shown as 0.

    >>> [(one.base, one.threshold) for one in coarser(Rounding(threshold=7, base=5))]
    [(5, 7), (11, 7), (21, 10)]
    """
    if rule.midpoint:
        return (rule, *(replace(rule, base=rule.base * times) for times in STEPS))
    greater = [base for base in BASES if base > rule.base]
    return (rule, *(replace(rule, base=base, threshold=max(rule.threshold, base // 2)) for base in greater))
