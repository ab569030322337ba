"""Fidelity: how near the counts of a table are to those of the real rows, for columns, pairs and what connects them.

Sources: SDNist (Task, Bhagat and Howarth 2023), k-marginal score: 1000 · (1 − mean total variation distance of pairs),
numbers in 20 bins of equally many rows; Cramér 1946, section 21.9 (V).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pets.synthetic.assess.score import Score
from pets.synthetic.assess.tables import Coded, Floats, Ints, Tables

RESAMPLES = 20
MAX_PAIRS = 300
DENSE = 1_000_000
"""Cells up to which a marginal is held as an array; two columns of postcodes would have billions."""


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
    if len(pairs) > MAX_PAIRS:
        pairs = [pairs[i] for i in sorted(random.choice(len(pairs), MAX_PAIRS, replace=False).tolist())]
    rows = min(len(tables.holdout), len(tables.synthetic), len(floor))

    def cut(table: Coded) -> Coded:
        return table.take(random.permutation(len(table))[:rows])

    cuts = {"value": cut(tables.synthetic), "floor": cut(floor), "ceiling": cut(tables.holdout)}
    singles = [(place,) for place in range(len(sizes))]
    real_ties = _association(tables.real.codes, sizes)

    def apart(table: Coded) -> list[float]:
        """The mean distance to the real rows of single columns, of pairs, and of associations."""
        near = [float(np.mean(_distances(tables.real.codes, table.codes, of, sizes))) for of in (singles, pairs)]
        return [
            *near,
            float(np.abs(_association(table.codes, sizes) - real_ties).sum() / (len(sizes) ** 2 - len(sizes))),
        ]

    distances = {name: apart(table) for name, table in cuts.items()}
    own, rows_of_it = cuts["value"], len(cuts["value"])
    resampled = np.array([apart(own.take(random.integers(0, rows_of_it, rows_of_it))) for _ in range(RESAMPLES)])
    ends = [_interval(of, resampled[:, i]) for i, of in enumerate(distances["value"])]
    found = [{name: of[i] for name, of in distances.items()} for i in range(3)]
    scores = (
        _score(
            "columns by themselves",
            "Mean total variation distance of single columns to the real rows: the share of rows in the wrong place.",
            found[0],
            ends[0],
        ),
        _score("pairs of columns", "The same for every two columns together.", found[1], ends[1]),
        _score(
            "k-marginal (SDNist)",
            "1000 · (1 − the distance of pairs), as SDNist prints it; 1000 is perfect.",
            {name: 1000 * (1 - value) for name, value in found[1].items()},
            (1000 * (1 - ends[1][1]), 1000 * (1 - ends[1][0])),
            better="more",
        ),
        _score(
            "associations",
            "Mean difference of Cramér's V (0: unrelated, 1: one tells the other) over every two columns.",
            found[2],
            ends[2],
        ),
    )
    every = _distances(tables.real.codes, tables.synthetic.codes, singles, sizes)
    return Fidelity(scores, tuple(every), (real_ties, _association(tables.synthetic.codes, sizes)))


def _score(
    name: str,
    meaning: str,
    of: Mapping[str, float],
    ends: tuple[float, float] = (np.nan, np.nan),
    better: Literal["more", "less"] = "less",
) -> Score:
    return Score("fidelity", name, meaning, of["value"], of["floor"], of["ceiling"], better, *ends)


def _cells(codes: Ints, clique: Sequence[int], sizes: Sequence[int]) -> tuple[Ints, int]:
    """The cell of each row in a marginal, and how many cells that has."""
    shape = [sizes[place] for place in clique]
    return np.ravel_multi_index([codes[:, place] for place in clique], shape), math.prod(shape)


def _shares(*cells: Ints, most: int) -> list[Floats]:
    """Of several tables the share of rows in each cell; of many cells, only of those that anybody is in."""
    if most > DENSE:
        held, inverse = np.unique(np.concatenate(cells), return_inverse=True)
        cells = tuple(np.split(inverse, np.cumsum([len(part) for part in cells])[:-1]))
        most = len(held)
    return [np.bincount(part, minlength=most) / len(part) for part in cells]


def _distances(one: Ints, other: Ints, cliques: Sequence[Sequence[int]], sizes: Sequence[int]) -> list[float]:
    """Total variation distance of each marginal."""
    out = []
    for clique in cliques:
        (left, most), (right, _) = (_cells(codes, clique, sizes) for codes in (one, other))
        mine, theirs = _shares(left, right, most=most)
        out.append(float(np.abs(mine - theirs).sum()) / 2)
    return out


def _interval(value: float, resampled: Floats) -> tuple[float, float]:
    """From the spread of resampled tables alone: their level is too high, since resampling adds chance of its own."""
    half = 1.96 * float(resampled.std(ddof=1))
    return max(0.0, value - half), value + half


def _association(codes: Ints, sizes: Sequence[int]) -> Floats:
    """Cramér's V of every two columns; 1 on the diagonal, 0 where a column has one value.

    V² is (Σ p²/(p₁·p₂) − 1) ÷ (fewest values − 1), over the cells that somebody is in.
    """
    count = len(sizes)
    out: Floats = np.eye(count)
    alone = [np.bincount(codes[:, place], minlength=sizes[place]) / len(codes) for place in range(count)]
    for a, b in itertools.combinations(range(count), 2):
        cells, most = _cells(codes, (a, b), sizes)
        if most > DENSE:
            held, counts = np.unique(cells, return_counts=True)
        else:
            counts = np.bincount(cells, minlength=most)
            held = np.flatnonzero(counts)
            counts = counts[held]
        expected = alone[a][held // sizes[b]] * alone[b][held % sizes[b]]
        square = float(((counts / len(codes)) ** 2 / expected).sum()) - 1
        ranks = min(int((alone[a] > 0).sum()), int((alone[b] > 0).sum())) - 1
        out[a, b] = out[b, a] = np.sqrt(min(max(square, 0.0) / ranks, 1.0)) if ranks > 0 else 0.0
    return out
