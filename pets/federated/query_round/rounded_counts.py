"""Rounded counts: what sites add up under a rule of disclosure control, as one vector of whole numbers.

Of each count in each group: what a site's cells show, how many of them are hidden, the ends of what they leave open,
and how many cells there are. All of it follows from the shown cells of the site's own grid, so that sums of it over
sites tell of no site more than its grid does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from pets.errors import QueryError, ReleaseFailedError
from pets.plan.plan import Plan
from pets.plan.vector import Ints
from pets.protection.rounding import Rounding
from pets.query_model.query import Query
from pets.query_model.traits import TRAITS
from pets.release.rounded.counts import Counts
from pets.release.rounded.rounded_sum import CountsOfSites
from pets.sdc.grid import check_counts, check_people

PARTS = 5
"""Numbers of each count in each group."""


def check_question(query: Query, plan: Plan) -> None:
    """Refuse what no grid answers, before anybody is asked; raises :class:`QueryError`."""
    check_people(plan)
    for output in plan.outputs:
        check_counts(plan, output)
    if query.display is not None:
        raise QueryError(
            "a rounded table is sealed as a whole; leave out HAVING, ORDER BY and LIMIT, which are for its reader"
        )


def size(plan: Plan) -> int:
    """How long the vector is."""
    return PARTS * plan.groups * sum(_widths(plan))


def _widths(plan: Plan) -> list[int]:
    """Of each output, how many counts it is made of."""
    return [TRAITS[output.kind].made_of_counts for output in plan.outputs]


def written(counts: Sequence[Sequence[tuple[Counts, Ints]]]) -> Ints:
    """The vector of counts and of their numbers of cells, output by output."""
    each = [(*_parts(one), cells) for several in counts for one, cells in several]
    return np.concatenate([part for parts in each for part in parts]).astype(np.int64)


def read(plan: Plan, rule: Rounding, total: Ints) -> tuple[tuple[CountsOfSites, ...], ...]:
    """The counts of a total.

    Raises:
        ReleaseFailedError: where no cells could add up to it, so that a site sent something else.
    """
    blocks = iter(total.reshape(-1, plan.groups))
    found = tuple(tuple(_one(blocks) for _ in range(width)) for width in _widths(plan))
    if not all(one.fits(rule) for several in found for one in several):
        raise ReleaseFailedError(
            "the total is no sum of what the rule can show, so a site sent something else; who did cannot be told; "
            "nothing was released, and what the sites entered stays; ask again"
        )
    return found


def _one(blocks: Iterator[Ints]) -> CountsOfSites:
    return CountsOfSites(*(next(blocks).copy() for _ in range(PARTS)))


def _parts(one: Counts) -> tuple[Ints, ...]:
    return one.shown, one.hidden, one.low, one.high
