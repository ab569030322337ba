"""Solve: the greatest and the least of a sum, by HiGHS; what comes out of it is a proposal that others check.

The only importer of the solver. Numbers of a solver are never taken for true: tables are checked in whole numbers and
multipliers in fractions (:mod:`pets.sdc.proof`); where it is wrong or late, nothing is proved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pets.common.integers import Ints
from pets.errors import missing_extra
from pets.sdc.system import System

Reals = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Vertex:
    """An end of a sum over fractional tables, as the solver says: the table, and what each row is multiplied by."""

    value: float
    table: Reals
    multipliers: Reals


class Engine(Protocol):
    """What a search asks of a solver; ``None``: no answer in time."""

    def linear(self, cells: Ints, sense: int, seconds: float) -> Vertex | None:
        """The greatest (``sense`` 1) or least (-1) sum of some atoms over tables that may be fractional."""
        ...

    def whole(self, cells: Ints, sense: int, goal: int, base: Ints | None, free: Ints, seconds: float) -> Ints | None:
        """A whole-number table whose sum reaches ``goal`` from below (``sense`` 1) or above, or goes as far as it can.

        Args:
            base: a table that agrees with every row, from which the search starts.
            free: the atoms that may differ from it.
        """
        ...


class Highs:
    """HiGHS over one system; the linear model is kept, so that one sum is solved from where the last one ended."""

    def __init__(self, system: System) -> None:
        self._system, self._owners = system, system.owners()
        self._lib: Any = _highspy()
        self._model: Any = None
        self._costs = np.zeros(0, dtype=np.int32)

    def linear(self, cells: Ints, sense: int, seconds: float) -> Vertex | None:
        """See :class:`Engine`."""
        if self._model is None:
            s = self._system
            self._model = _model(self._lib, (s.indptr, s.indices, s.lo, s.hi), np.zeros(s.atoms), None)
        model, columns = self._model, np.asarray(cells, dtype=np.int32)
        model.changeColsCost(len(self._costs), self._costs, np.zeros(len(self._costs)))
        model.changeColsCost(len(columns), columns, np.ones(len(columns)))
        model.changeObjectiveSense(self._lib.ObjSense.kMaximize if sense > 0 else self._lib.ObjSense.kMinimize)
        self._costs = columns
        model.setOptionValue("time_limit", float(model.getRunTime() + seconds))
        model.run()
        if model.getModelStatus() != self._lib.HighsModelStatus.kOptimal:
            return None
        found = model.getSolution()
        table = np.asarray(found.col_value, dtype=np.float64)
        return Vertex(float(table[cells].sum()), table, np.asarray(found.row_dual, dtype=np.float64))

    def whole(self, cells: Ints, sense: int, goal: int, base: Ints | None, free: Ints, seconds: float) -> Ints | None:
        """See :class:`Engine`."""
        s = self._system
        place = np.full(s.atoms, -1, dtype=np.int64)
        place[free] = np.arange(len(free))
        inside = place[s.indices] >= 0
        owners, columns = self._owners[inside], place[s.indices[inside]]
        rows, starts = np.unique(owners, return_index=True)
        start = np.zeros(s.atoms, dtype=np.int64) if base is None else base
        fixed = s.sums(np.where(place >= 0, 0, start))[rows]
        costs = np.zeros(len(free))
        costs[place[cells[place[cells] >= 0]]] = -sense
        pointers = np.append(starts, len(columns))
        model = _model(self._lib, (pointers, columns, s.lo[rows] - fixed, s.hi[rows] - fixed), costs, len(free))
        model.setOptionValue("time_limit", float(seconds))
        if base is not None:
            reached = goal - int(start[cells[place[cells] < 0]].sum())
            model.setOptionValue("objective_target", -sense * reached + 0.5)
            model.setSolution(len(free), np.arange(len(free), dtype=np.int32), base[free].astype(np.float64))
        model.run()
        if not model.getInfo().primal_solution_status:
            return None
        table = start.copy()
        table[free] = np.rint(np.asarray(model.getSolution().col_value)).astype(np.int64)
        return table


def _model(lib: Any, rows: tuple[Ints, Ints, Ints, Ints], costs: Reals, whole: int | None) -> Any:
    pointers, columns, low, high = rows
    form = lib.HighsLp()
    form.num_col_, form.num_row_ = len(costs), len(low)
    form.col_cost_, form.col_lower_ = costs, np.zeros(len(costs))
    form.col_upper_ = np.full(len(costs), lib.kHighsInf)
    form.row_lower_, form.row_upper_ = low.astype(np.float64), high.astype(np.float64)
    form.a_matrix_.format_ = lib.MatrixFormat.kRowwise
    form.a_matrix_.start_, form.a_matrix_.index_ = pointers.astype(np.int32), columns.astype(np.int32)
    form.a_matrix_.value_ = np.ones(len(columns))
    if whole is not None:
        form.integrality_ = [lib.HighsVarType.kInteger] * whole
    model = lib.Highs.__base__()  # the class of its own wrapper greets on stdout before it can be told not to
    for name, value in {"output_flag": False, "threads": 1, "random_seed": 0, "mip_abs_gap": 0.99}.items():
        model.setOptionValue(name, value)
    model.passModel(form)
    return model


def _highspy() -> Any:
    try:
        import highspy
    except ImportError:
        raise missing_extra("disclosure control with a proof", "sdc") from None
    return highspy
