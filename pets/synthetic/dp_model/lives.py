"""Lives: several tables of invented people with a guarantee: measure histories, fit a model, draw people and rows.

Guarantee: that of the measurements, which are ordinary releases of counts of people, whatever number of rows they have.
Everything after them is post-processing; no row is seen. (:mod:`pets.synthetic.dp_model.histories` says what is
measured, :mod:`pets.synthetic.dp_model.drawn` how rows come of the model.)
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pets.errors import ReleaseFailedError, UserError
from pets.synthetic.dp_model.collected import Collected, Measure, fitted, misfits_of, share_of
from pets.synthetic.dp_model.drawn import Drawn, Keep
from pets.synthetic.dp_model.histories import Histories
from pets.synthetic.dp_model.marginals import STEPS
from pets.synthetic.dp_model.noise_alone import rare_values, verdict
from pets.synthetic.dp_model.private import MAX_ROWS, REUSED, Made, not_made
from pets.synthetic.dp_model.select import SIGNIFICANT, choose, surprise
from pets.synthetic.dp_model.workload import Clique, Marginal

if TYPE_CHECKING:
    pass

Mask = npt.NDArray[np.bool_]


def private_lives(
    wanted: Histories,
    measure: Measure,
    *,
    keep: Keep,
    people: int | None = None,
    cells: int,
    seed: int = 0,
    progress: bool = True,
) -> Made:
    """Several tables of invented people, from noisy marginals.

    Args:
        wanted: what is modelled.
        measure: how; see :data:`pets.synthetic.dp_model.collected.Measure`.
        keep: puts right the rules of a table's rows; see :data:`pets.synthetic.dp_model.drawn.Keep`.
        people: to draw; left out, their noisy number.
        cells: that the model may have.
        seed: of drawing; the noise has no seed.
        progress: whether a fit that takes over a second shows a bar.

    Raises:
        ReleaseFailedError: after marginals were measured, when the noise drowns the people or the fit fails; they stay
            charged.
    """
    found = Collected(wanted.workload, tuple(wanted.attributes.values()))
    found.add(measure, wanted.workload.shares())
    found.check()
    found.settle()
    filled = _filled(wanted, found)
    found.possible = partial(wanted.possible, filled=filled)
    try:
        held = _chosen(wanted, found, cells)
        model = fitted(found, held, STEPS, "fitting the model", progress)
        random = np.random.default_rng([seed, 1])
        count = min(MAX_ROWS, max(1, round(found.total))) if people is None else people
        frames = Drawn(wanted, model, filled, keep, random).frames(count)
        misfits = misfits_of(found, model, held)
        rare = rare_values(wanted.workload, found.marginals, lambda clique: share_of(model, None, clique), found.total)
    except (ReleaseFailedError, UserError, KeyboardInterrupt):
        raise
    except Exception as error:
        raise not_made(error, REUSED) from None
    whole, told = tuple(sorted({*found.whole, *filled})), verdict(misfits, found.total, "people")
    return Made(frames, tuple(found.releases), misfits, model, tuple(held), whole, told, rare)


def _chosen(wanted: Histories, found: Collected, cells: int) -> list[Clique]:
    """The pairs that the model holds: the number of rows with everything of its table, then steps, then what fits.

    Whether a pair is worth its cells is judged among people who have both rows: that whoever has no second row lacks
    all of its values is no news.
    """
    noisy = found.marginals
    rows = {table.rows for table in wanted.events}
    steps = {(table.first[name], place) for table in wanted.events for name, place in table.second.items()}
    held = [
        pair for pair in found.workload.pairs if rows & set(pair) and not set(pair) & set(wanted.attributes.values())
    ]
    scores = {pair: _news(wanted, noisy[pair]) for pair in found.workload.pairs if pair not in held}
    for some in (scores.keys() & steps, scores.keys() - steps):
        held += choose({pair: scores[pair] for pair in some}, held, found.sizes, cells)
    return held


def _news(wanted: Histories, noisy: Marginal) -> float:
    """How far a pair is from independence among people who have the rows that it is about, in deviations of noise.

    Who has no such row lacks its value, as do some who have one; so the slot of no value is left out for the later of
    the two, and what is left is about people who have both rows.
    """
    values, levels = noisy.values, [wanted.least_rows(place) for place in noisy.clique]
    axis = 0 if levels[0] > levels[1] else 1
    if levels[axis] and wanted.workload.columns[noisy.clique[axis]].lacks:
        values = np.take(values, range(values.shape[axis] - 1), axis=axis)
    rows, columns = (np.maximum(values.sum(axis=axis), 0.0) for axis in (1, 0))
    expected = np.outer(rows, columns) / max(float(rows.sum()), 1e-9)
    return surprise(Marginal(noisy.clique, values, noisy.sigma), expected)


def _filled(wanted: Histories, found: Collected) -> frozenset[int]:
    """Values of events that may be empty, but noise alone explains how often they are among people with such a row."""
    out = set()
    for table in wanted.events:
        counts = np.array([int(label) for label in wanted.workload.columns[table.rows].labels])
        for least, values in ((1, table.first), (2, table.second)):
            for place in values.values():
                one = found.measured[min(table.rows, place), max(table.rows, place)]
                cells = one.values if one.clique[0] == table.rows else one.values.T
                empty = cells[counts >= least, -1]
                if not wanted.always(table, place) and empty.sum() < SIGNIFICANT * one.sigma * np.sqrt(empty.size):
                    out.add(place)
    return frozenset(out)
