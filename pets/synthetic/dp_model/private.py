"""A synthetic table with a guarantee: measure noisy marginals, fit a model to them, draw rows from it.

Guarantee: that of the measurements, which are ordinary releases: bounded per person, charged before data is opened.
Everything after them (choosing pairs, fitting, drawing, decoding) is post-processing. This file sees no row, no session
and no account: how marginals are measured is an argument, so that they may as well come from encrypted or federated
rows.

Sources: McKenna, Miklau and Sheldon 2021 (MST) and 2022 ("AIM: an adaptive and iterative mechanism", Algorithm 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pets.errors import ReleaseFailedError, UserError, did_you_mean, shown
from pets.release.release import Release
from pets.schema.domain import Identifier
from pets.schema.schema import Schema
from pets.synthetic.dp_model.collected import DRAWS, Collected, Measure, fitted, misfits_of, share_of
from pets.synthetic.dp_model.columns import derived
from pets.synthetic.dp_model.marginals import STEPS, Model
from pets.synthetic.dp_model.noise_alone import Rare, Verdict, rare_values, verdict
from pets.synthetic.dp_model.select import choose, from_singles, model_cells, surprise
from pets.synthetic.dp_model.workload import Clique, Workload
from pets.synthetic.synthetic_release import MARKER, PEOPLE, RECORD, Misfit

if TYPE_CHECKING:
    import pandas as pd

Selection = Literal["tree", "aim"]
SELECTIONS: tuple[Selection, ...] = ("tree", "aim")

CELLS = 50_000
"""Cells of a model: more hold more pairs and take longer (Adult, 10 columns: 30,000 cells hold 31 of 45 pairs)."""

MAX_ROWS = 50_000_000
FIRST = Fraction(1, 2)
"""AIM: the share of the budget for the first look at everything; the rest measures again what fits worst."""

_AIM_STEPS = 200  # of the fits between its rounds


@dataclass(frozen=True)
class Made:
    """What came of it.

    Attributes:
        frames: the rows of each table.
        releases: what was measured, in order.
        misfits: the model's error against each of them.
        model: that was fitted.
        held: the pairs that it was fitted to.
        whole: places of columns that may be empty, and are in no row: what may be without a value is lost in the noise.
        verdict: whether rows were enough, judged by noisy numbers alone.
        rare: values whose noisy count is below its noise.
    """

    frames: Mapping[str, pd.DataFrame]
    releases: tuple[Release, ...]
    misfits: tuple[Misfit, ...]
    model: Model
    held: tuple[Clique, ...]
    whole: tuple[int, ...]
    verdict: Verdict
    rare: tuple[Rare, ...]


def private_table(
    schema: Schema,
    workload: Workload,
    measure: Measure,
    *,
    rows: int | None = None,
    selection: Selection = "tree",
    cells: int = CELLS,
    seed: int = 0,
    progress: bool = True,
) -> Made:
    """A synthetic table from noisy marginals.

    Args:
        schema: of the table that the workload is about.
        workload: what is measured.
        measure: how; see :data:`Measure`.
        rows: to draw; left out, the noisy number of rows.
        selection: ``"tree"``: one round; ``"aim"``: a longer job of as many rounds as there are columns, each of which
            measures again the pair that the model fits worst.
        cells: that the model may have.
        seed: of drawing rows from the model; the noise has no seed.
        progress: whether fits that take over a second show a bar.

    Raises:
        ReleaseFailedError: after marginals were measured, when the noise drowns the rows or the fit fails; they stay
            charged.
    """
    found = Collected(workload)
    first = FIRST if selection == "aim" and workload.pairs else Fraction(1)
    found.add(measure, workload.shares(first))
    found.check()
    found.settle()
    try:
        if selection == "aim" and workload.pairs:
            held = _adaptive(found, measure, first, cells, seed, progress)
        else:
            scores = from_singles(found.marginals, workload.pairs, found.total)
            held = choose(scores, [], found.sizes, cells)
        model = fitted(found, held, STEPS, "fitting the model", progress)
        random = np.random.default_rng([seed, 1])
        count = min(MAX_ROWS, max(1, round(found.total))) if rows is None else rows
        frame = _decoded(schema, workload, model.sample(count, random), random)
        misfits = misfits_of(found, model, held)
        rare = rare_values(workload, found.marginals, lambda clique: share_of(model, None, clique), found.total)
    except (ReleaseFailedError, UserError, KeyboardInterrupt):
        raise
    except Exception as error:
        again = "the whole price was charged before the first, and asking again is charged again"
        raise not_made(error, again if selection == "aim" else REUSED) from None
    whole, told = tuple(sorted(found.whole)), verdict(misfits, found.total)
    name = workload.table if workload.people is None else PEOPLE
    return Made({name: frame}, tuple(found.releases), misfits, model, tuple(held), whole, told, rare)


REUSED = "asking again with the same settings reuses the same marginals at no cost"


def not_made(error: Exception, again: str) -> ReleaseFailedError:
    """What is said where marginals were measured and no model could be made of them."""
    return ReleaseFailedError(
        f"the marginals were measured and stay charged, but the model could not be made ({type(error).__name__}); "
        f"{again}; fewer columns or coarser bins make a smaller model"
    )


def _adaptive(
    found: Collected, measure: Measure, spent: Fraction, cells: int, seed: int, progress: bool
) -> list[Clique]:
    """AIM's loop: fit, find the pair that the model fits worst, measure it again, hold it from now on.

    The paper picks that pair by looking at rows (and pays for it); this picks it by the first, noisy look at every
    pair.
    """
    workload = found.workload
    scores = from_singles(found.marginals, workload.pairs, found.total)
    sizes = found.sizes
    # begin with the tree alone: what it explains needs no cells of its own
    held = choose(scores, [], sizes, cells)[: len(sizes) - 1]
    rounds = min(len(workload.columns), len(workload.pairs))
    again: set[Clique] = set()  # each pair once: the same question at the same price would be the same answer
    for turn in range(rounds):
        model = fitted(found, held, _AIM_STEPS, f"round {turn + 1} of {rounds}", progress)
        drawn = model.sample(DRAWS, np.random.default_rng([seed, 2, turn]))
        noisy, total = found.marginals, found.total
        worst = {pair: surprise(noisy[pair], share_of(model, drawn, pair) * total) for pair in workload.pairs}
        fresh = [pair for pair in worst if pair not in again]
        fits = [pair for pair in fresh if pair in held or model_cells(sizes, [*held, pair]) <= cells] or fresh
        best = max(fits, key=lambda pair: (worst[pair], pair))
        found.add(measure, [(best, (1 - spent) / rounds)])
        again.add(best)
        if best not in held and model_cells(sizes, [*held, best]) <= cells:
            held.append(best)
        # what is surprising beyond doubt joins at once; re-measuring is for the worst
        left = {pair: score for pair, score in worst.items() if pair not in held}
        held += choose(left, held, sizes, cells)[: max(1, len(workload.pairs) // rounds)]
    return held


def _decoded(schema: Schema, workload: Workload, slots: Any, random: np.random.Generator) -> pd.DataFrame:
    """Rows in the schema's order: values from slots, look-ups from their source, ids invented."""
    import pandas as pd

    count = len(slots)
    ids = [f"{MARKER}-{row:08d}" for row in range(1, count + 1)]
    values: dict[str, Any] = {}
    for place, column in enumerate(workload.columns):
        # (dtype object: pandas would turn whole numbers with gaps into floats, and so 3 into 3.0)
        drawn = column.values(slots[:, place], random)
        made: pd.Series[Any] = pd.Series(drawn, dtype=object)
        values[column.name] = made if None in drawn else made.infer_objects()
    if workload.people is not None:
        return pd.DataFrame({RECORD: ids} | values)
    for name, domain in derived(schema, workload.table, values).items():
        lookup = domain.lookup
        assert lookup is not None
        values[name] = values[lookup.column].map(lambda value, of=lookup.mapping: of.get(value))
    out: dict[str, Any] = {RECORD: ids}
    for name, own in schema.table(workload.table).columns.items():
        if isinstance(own, Identifier):
            out[name] = ids
        elif name in values:
            out[name] = values.pop(name)
    return pd.DataFrame(out | values)


def check_selection(selection: object) -> Selection:
    """One of :data:`SELECTIONS`; raises :class:`UserError` for anything else."""
    for known in SELECTIONS:
        if selection == known:
            return known
    raise UserError(f"there is no selection {shown(selection)}{did_you_mean(selection, SELECTIONS)}")
