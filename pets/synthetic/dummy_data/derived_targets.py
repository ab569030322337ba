"""Derived columns in invented rows: their codes, and which codes of the table's own columns give a wished one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import numpy.typing as npt

from pets.plan.computed.derived_codes import derived_code
from pets.plan.plan import Plan
from pets.plan.predicate import Range

TRIED = 20_000
"""Combinations of the own columns' codes that are looked at for ones that make a wish come true."""

FOUND = 8

Ranges = dict[str, tuple[Range, ...]]
Codes = npt.NDArray[np.int64]


def derived_codes(plan: Plan, codes: Mapping[str, Codes]) -> dict[str, Codes]:
    """The codes of a plan's derived columns, row by row."""
    known = dict(codes)
    for made in plan.derived:
        known[made.name] = derived_code(
            made, plan.fields, known.__getitem__, np.where, lambda code: np.asarray(code, dtype=np.int64)
        )
    return {made.name: known[made.name] for made in plan.derived}


def rooted(plan: Plan, branches: Iterable[Ranges]) -> Iterator[Ranges]:
    """Ways to meet a condition in which derived columns are replaced by codes of the columns that they are made of.

    Of many combinations of codes, a few that make the wish come true; where none of those tried does, the way is left
    out.
    """
    for branch in branches:
        if any(name in plan.made for name in branch):
            yield from _tried(plan, branch)
        else:
            yield branch


def _tried(plan: Plan, branch: Ranges) -> Iterator[Ranges]:
    own = {name: ranges for name, ranges in branch.items() if name not in plan.made}
    roots = _roots(plan, [name for name in branch if name in plan.made])
    generator = np.random.default_rng(0)
    every = {name: own.get(name, ((0, plan.fields[name].cells - 1),)) for name in (*roots, *own)}
    codes = {name: _some(ranges, generator) for name, ranges in every.items()}
    derived = derived_codes(plan, codes | {name: _zeros() for name in plan.fields if name not in codes})
    met = np.ones(TRIED, dtype=bool)
    for name, ranges in branch.items():
        if name in derived:
            met &= np.any([(derived[name] >= low) & (derived[name] <= high) for low, high in ranges], axis=0)
    for place in np.flatnonzero(met)[:FOUND].tolist():
        yield own | {name: ((int(codes[name][place]),) * 2,) for name in roots}


def _zeros() -> Codes:
    return np.zeros(TRIED, dtype=np.int64)


def _some(ranges: tuple[Range, ...], generator: np.random.Generator) -> Codes:
    """Codes of the ranges, spread over them."""
    which = generator.integers(0, len(ranges), TRIED)
    low, high = (np.array([pair[end] for pair in ranges], dtype=np.int64)[which] for end in (0, 1))
    found: Codes = generator.integers(low, high, endpoint=True)
    return found


def _roots(plan: Plan, names: Iterable[str]) -> list[str]:
    out: dict[str, None] = {}
    left = list(names)
    while left:
        name = left.pop()
        if name in plan.made:
            left += plan.made[name].recipe.columns
        else:
            out[name] = None
    return list(out)
