"""Spanned: whether exact answers tell, taken together, the size of a set of few rows.

What follows from the sizes of sets of rows by adding and subtracting is what lies in the linear span of their
indicators (Chin and Özsoyoglu 1982, *Auditing and inference control in statistical databases*, IEEE TSE 8(6)). Rows
that lie in the same sets are one atom, and a set of rows whose size follows is a vector of the span that is 0 or 1 on
every atom. Whether one of these has fewer rows than a bound is an integer program. It is solved on the heaviest atoms,
among which is a basis of all, so that what has no solution there has none; those that a solution leaves out are added.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pets.errors import missing_extra
from pets.plan.vector import Ints

SECONDS = 60.0
"""After which a set of few rows counts as found: what cannot be shown to be safe does not leave."""
LARGEST = 4_000_000
"""Atoms times sets above which nothing is searched, and a set of few rows counts as found: some 32 MB, and seconds."""
_CLOSE = 1e-6
_MORE = 50
Floats = npt.NDArray[np.float64]


def tells_few(sets: Sequence[Ints], least: int) -> bool:
    """Whether sizes of sets of rows tell, taken together, that of a set of at least 1 and fewer than ``least`` rows.

    Args:
        sets: for each of several partitions, the number of each row's set, -1 for a row that is in none.
        least: the bound.
    """
    late = time.monotonic() + SECONDS
    first, weights = _atoms(sets)
    if least < 2 or not first.size or int(weights.min()) >= least:
        return False
    named = [(one, name) for one in sets for name in np.unique(one[one >= 0])]
    if len(first) * len(named) > LARGEST:
        return True
    matrix: Floats = np.array([one[first] == name for one, name in named], dtype=np.float64).T
    try:
        from scipy.linalg import qr
    except ImportError:
        raise missing_extra("holding several exact totals against each other", "federated") from None
    _, triangle, order = qr(matrix.T, mode="economic", pivoting=True)
    rank = int((np.abs(np.diag(triangle)) > _CLOSE).sum())
    heavy = np.argsort(-weights, kind="stable")[: 2 * matrix.shape[1]]
    looked = np.union1d(order[:rank], heavy)
    while True:
        solved = _solved(matrix[looked], weights[looked], least, max(0.0, late - time.monotonic()))
        if solved is None:
            return False
        found = matrix @ solved if solved.size else np.zeros(0)
        near = np.abs(found - np.round(found)) <= _CLOSE
        wrong = np.flatnonzero(~near | (found < -_CLOSE) | (found > 1 + _CLOSE))
        if not wrong.size:
            ones = np.flatnonzero(found > 0.5)
            if not found.size or int(weights[ones].sum()) < least:
                return True
            wrong = ones
        more = np.setdiff1d(wrong, looked)
        if not more.size:  # within the solver's tolerance alone
            return True
        looked = np.union1d(looked, more[np.argsort(-weights[more], kind="stable")][:_MORE])


def _atoms(sets: Sequence[Ints]) -> tuple[Ints, Ints]:
    """A row of each atom, and how many rows it has; rows that are in no set are left out."""
    ids, some = np.zeros(len(sets[0]), dtype=np.int64), np.zeros(len(sets[0]), dtype=bool)
    for one in sets:
        names, place = np.unique(one, return_inverse=True)
        ids = np.unique(ids * len(names) + place, return_inverse=True)[1]
        some |= one >= 0
    _, first, weights = np.unique(ids, return_index=True, return_counts=True)
    return first[some[first]], weights[some[first]]


def _solved(matrix: Floats, weights: Ints, least: int, seconds: float) -> Floats | None:
    """What combines the sets to such a set on these atoms; ``None`` without one, empty where nobody can tell."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    small = weights < least
    (rows, columns), (some, rest) = matrix.shape, (matrix[small], matrix[~small])
    count = len(some)
    ones, zeros = np.eye(count), np.zeros(columns)
    constraints = [
        LinearConstraint(np.hstack([ones, -some]), 0, 0),
        LinearConstraint(np.hstack([np.zeros((rows - count, count)), rest]), 0, 0),
        LinearConstraint(np.concatenate([weights[small], zeros])[None], 1, least - 1),
    ]
    free = np.full(columns, np.inf)
    found = milp(
        np.zeros(count + columns),
        constraints=constraints if rows > count else [constraints[0], constraints[2]],
        integrality=np.concatenate([np.ones(count), zeros]),
        bounds=Bounds(np.concatenate([np.zeros(count), -free]), np.concatenate([np.ones(count), free])),
        options={"time_limit": seconds},
    )
    if found.status == 2:
        return None
    return np.zeros(0) if found.x is None else np.asarray(found.x[count:])
