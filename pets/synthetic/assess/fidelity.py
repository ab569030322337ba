"""Fidelity: how near the counts of a table are to those of the real rows, for columns, pairs and what connects them.

Sources: SDNist (Task, Bhagat and Howarth 2023), k-marginal score: 1000 · (1 − mean total variation distance of pairs),
numbers in 20 bins of equally many rows; Cramér 1946, section 21.9 (V).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pets.synthetic.assess.score import Score
from pets.synthetic.assess.tables import Coded, Floats, Ints, Tables

RESAMPLES = 20
MOST_PAIRS = 300


@dataclass(frozen=True)
class Fidelity:
    """The scores, and what the pictures need.

    Attributes:
        single: of each column, its total variation distance to the real rows.
        association: for real and synthetic rows, Cramér's V of every two columns.
    """

    scores: tuple[Score, ...]
    single: tuple[float, ...]
    association: tuple[Floats, Floats]


def fidelity(tables: Tables, floor: Coded, random: np.random.Generator) -> Fidelity:
    """All of them, each also of the shuffled table and of the rows kept out.

    Every table is cut to the size of the rows kept out first: small tables lie further from any other by chance alone.
    """
    sizes = [column.size for column in tables.columns]
    pairs = list(itertools.combinations(range(len(sizes)), 2))
    if len(pairs) > MOST_PAIRS:
        pairs = [pairs[i] for i in sorted(random.choice(len(pairs), MOST_PAIRS, replace=False).tolist())]
    rows = min(len(tables.holdout), len(tables.synthetic), len(floor))

    def cut(table: Coded) -> Coded:
        return table.take(random.permutation(len(table))[:rows])

    cuts = {"value": cut(tables.synthetic), "floor": cut(floor), "ceiling": cut(tables.holdout)}
    single: dict[str, float] = {}
    double: dict[str, float] = {}
    for name, table in cuts.items():
        single[name] = float(
            np.mean(_distances(tables.real.codes, table.codes, [(c,) for c in range(len(sizes))], sizes))
        )
        double[name] = float(np.mean(_distances(tables.real.codes, table.codes, pairs, sizes)))
    resampled = np.array([_resampled(tables, cuts["value"], pairs, sizes, random) for _ in range(RESAMPLES)])
    ends = [_interval(of, resampled[:, i]) for i, of in enumerate((single["value"], double["value"]))]
    ties = {name: _association(table.codes, sizes) for name, table in (cuts | {"real": tables.real}).items()}
    apart = {name: float(np.abs(ties[name] - ties["real"]).mean()) for name in cuts}
    scores = (
        Score(
            "fidelity",
            "columns by themselves",
            "Mean total variation distance of single columns to the real rows: the share of rows in the wrong place.",
            single["value"],
            single["floor"],
            single["ceiling"],
            better="less",
            low=ends[0][0],
            high=ends[0][1],
        ),
        Score(
            "fidelity",
            "pairs of columns",
            "The same for every two columns together.",
            double["value"],
            double["floor"],
            double["ceiling"],
            better="less",
            low=ends[1][0],
            high=ends[1][1],
        ),
        Score(
            "fidelity",
            "k-marginal (SDNist)",
            "1000 · (1 − the distance of pairs), as SDNist prints it; 1000 is perfect.",
            1000 * (1 - double["value"]),
            1000 * (1 - double["floor"]),
            1000 * (1 - double["ceiling"]),
            better="more",
            low=1000 * (1 - ends[1][1]),
            high=1000 * (1 - ends[1][0]),
        ),
        Score(
            "fidelity",
            "associations",
            "Mean difference of Cramér's V (0: unrelated, 1: one tells the other) over every two columns.",
            apart["value"],
            apart["floor"],
            apart["ceiling"],
            better="less",
        ),
    )
    every = _distances(tables.real.codes, tables.synthetic.codes, [(c,) for c in range(len(sizes))], sizes)
    return Fidelity(scores, tuple(every), (ties["real"], _association(tables.synthetic.codes, sizes)))


def _share(codes: Ints, clique: Sequence[int], sizes: Sequence[int]) -> Floats:
    shape = [sizes[place] for place in clique]
    cells = np.ravel_multi_index([codes[:, place] for place in clique], shape)
    share: Floats = np.bincount(cells, minlength=int(np.prod(shape))) / len(codes)
    return share


def _distances(one: Ints, other: Ints, cliques: Sequence[Sequence[int]], sizes: Sequence[int]) -> list[float]:
    """Total variation distance of each marginal."""
    return [float(np.abs(_share(one, c, sizes) - _share(other, c, sizes)).sum()) / 2 for c in cliques]


def _resampled(
    tables: Tables, table: Coded, pairs: Sequence[tuple[int, int]], sizes: Sequence[int], random: np.random.Generator
) -> tuple[float, float]:
    codes = table.codes[random.integers(0, len(table), len(table))]
    singles = [(c,) for c in range(len(sizes))]
    return (
        float(np.mean(_distances(tables.real.codes, codes, singles, sizes))),
        float(np.mean(_distances(tables.real.codes, codes, pairs, sizes))),
    )


def _interval(value: float, resampled: Floats) -> tuple[float, float]:
    """From the spread of resampled tables alone: their level is too high, since resampling adds chance of its own."""
    half = 1.96 * float(resampled.std(ddof=1))
    return max(0.0, value - half), value + half


def _association(codes: Ints, sizes: Sequence[int]) -> Floats:
    """Cramér's V of every two columns; 1 on the diagonal, 0 where a column has one value."""
    count = len(sizes)
    out: Floats = np.eye(count)
    for a, b in itertools.combinations(range(count), 2):
        joint = _share(codes, (a, b), sizes).reshape(sizes[a], sizes[b])
        left, right = joint.sum(axis=1, keepdims=True), joint.sum(axis=0, keepdims=True)
        expected = left * right
        square = float(((joint - expected) ** 2 / np.where(expected > 0, expected, 1)).sum())
        ranks = min(int((left > 0).sum()), int((right > 0).sum())) - 1
        out[a, b] = out[b, a] = np.sqrt(square / ranks) if ranks > 0 else 0.0
    return out
