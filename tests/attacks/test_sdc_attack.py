"""An attacker on linked tables: another formulation and another solver (CP-SAT) than the check's.

He knows the rules and sees every table that left with its base and its hidden cells; he looks for two populations that
agree with all of them and lie a width apart in a cell. Where there are none, the cell is known more closely than that.
He also knows that each was checked: a sum that is known closely is then not one of few people (:meth:`Attacker.knows`).

What he does not use: that a table left at a coarser base, or not at all, tells that the finer ones failed. That is an
answer too, which no check of tables covers (``test_sdc_answers.py`` shows what it gives away); so pets answers from one
grid (``test_sdc_grid.py``), outside it a person decides, and no base is chosen by a check.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from pets.common.integers import Ints
from pets.sdc.proof import Protected
from pets.sdc.search import check
from pets.sdc.system import Statement, System
from tests.linked_tables import RULES, Rule, Slot, hes, linked, midpoints, naive10, people, rounded, small, told

WIDTH, SMALL = 3, 9
LADDER = {
    "hes": (hes, rounded(7, 11, False), rounded(10, 21, False)),
    "ons_10_5": (RULES["ons_10_5"], rounded(9, 11, True), rounded(10, 21, True)),
    "midpoint6": (midpoints(6), midpoints(12), midpoints(24)),
}


@dataclass
class Sequence_:
    """What left: every number that was told, and how each table got out."""

    truth: Ints
    statements: list[Statement] = field(default_factory=list)
    slots: list[Slot] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    undecided: int = 0

    @property
    def cells(self) -> list[Protected]:
        """The small cells of all tables that left."""
        return small(self.slots, self.truth)


def checked(seed: int, tables: int, ladder: Sequence[Rule], seconds: float) -> Sequence_:
    """Tables released one after another, each at the first rule at which every small cell so far stays open."""
    out = Sequence_(people(seed))
    pairs: list[Ints] = []
    for slots in linked(seed, tables):
        every = [*out.slots, *slots]
        for step, rule in enumerate(ladder):
            wanted = [*out.statements, *told(slots, out.truth, rule)]
            system = System.from_statements(len(out.truth), wanted)
            found = check(system, out.truth, small(every, out.truth), WIDTH, seconds, tables=pairs[-60:])
            out.undecided += found.count("undecided")
            if found.proved:
                out.statements, out.slots = wanted, every
                pairs = list({id(one): one for f in found if f.pair for one in f.pair}.values())
                out.steps.append(step)
                break
        else:
            out.steps.append(len(ladder))
    return out


def plain(seed: int, tables: int, rule: Rule) -> Sequence_:
    """The same tables under a rule without a check."""
    out = Sequence_(people(seed))
    for slots in linked(seed, tables):
        out.slots += slots
        out.statements += told(slots, out.truth, rule)
    return out


class Attacker:
    """Two populations at once, by constraint programming; what was found for one cell is tried for the next."""

    def __init__(self, statements: Sequence[Statement], atoms: int, seconds: float) -> None:
        from ortools.sat.python import cp_model

        self._lib, self._seconds = cp_model, seconds
        members = np.zeros((len(statements), atoms), dtype=np.int64)
        for row, one in enumerate(statements):
            members[row, list(one.cells)] = 1
        columns, self._kind = np.unique(members, axis=1, return_inverse=True)
        self._model = cp_model.CpModel()
        kinds = columns.shape[1]
        self._worlds = [[self._model.new_int_var(0, 5000, f"{w}{k}") for k in range(kinds)] for w in "ab"]
        for row, one in enumerate(statements):
            inside = np.flatnonzero(columns[row]).tolist()
            for world in self._worlds:
                self._model.add_linear_constraint(sum(world[k] for k in inside), one.lo, one.hi)
        self._known: list[Ints] = []

    def knows(self, slots: Sequence[Slot]) -> int:
        """Take into account that what left was checked: a sum that is known closely is not of few people.

        Otherwise it would not have left so, whatever the population is. How many sums that is said of.
        """
        sets = list(dict.fromkeys(tuple(np.unique(self._kind.ravel()[list(one.cells)]).tolist()) for one in slots))
        close = [kinds for kinds in sets if self._wider(kinds, WIDTH) is False]
        for kinds in close:
            for world in self._worlds:
                many = self._model.new_bool_var("")
                self._model.add(sum(world[k] for k in kinds) >= SMALL + 1).only_enforce_if(many)
                self._model.add(sum(world[k] for k in kinds) == 0).only_enforce_if(~many)
        for kinds in close:
            sums = [int(one[list(kinds)].sum()) for one in self._known]
            self._known = [one for one, n in zip(self._known, sums, strict=True) if not 1 <= n <= SMALL]
        return len(close)

    def wider(self, cells: Sequence[int], width: int) -> bool | None:
        """Whether two populations lie ``width`` apart in a cell; ``None``: not known in time."""
        return self._wider(np.unique(self._kind.ravel()[list(cells)]).tolist(), width)

    def _wider(self, kinds: Sequence[int], width: int) -> bool | None:
        if self._known:
            sums = np.array(self._known)[:, list(kinds)].sum(axis=1)
            if sums.max() - sums.min() >= width:
                return True
        model = self._model.clone()
        a, b = ([model.get_int_var_from_proto_index(world[k].index) for k in kinds] for world in self._worlds)
        model.add(sum(b) - sum(a) >= width)
        solver = self._lib.CpSolver()
        solver.parameters.num_workers, solver.parameters.random_seed = 1, 0
        solver.parameters.max_time_in_seconds = self._seconds
        status = solver.solve(model)
        if status in (self._lib.OPTIMAL, self._lib.FEASIBLE):
            self._known += [np.array([solver.value(one) for one in world]) for world in self._worlds]
            return True
        return False if status == self._lib.INFEASIBLE else None


@dataclass
class Loss:
    """What an attacker got of some cells: for certain, closer than the width, or not known in time."""

    cells: int = 0
    certain: int = 0
    narrow: int = 0
    unknown: int = 0

    def take(self, left: Sequence_, seconds: float, most: int | None = None, *, knows: bool = False) -> Loss:
        """Attack the small cells of a sequence; ``knows``: that it was checked."""
        attacker = Attacker(left.statements, len(left.truth), seconds)
        if knows:
            attacker.knows(left.slots)
        for cell in left.cells[:most]:
            self.cells += 1
            wide = attacker.wider(cell.cells, WIDTH)
            if wide is None:
                self.unknown += 1
            elif not wide:
                self.narrow += 1
                self.certain += attacker.wider(cell.cells, 1) is False
        return self


@dataclass
class Measured:
    """Sequences of so many linked tables until enough small cells were attacked, and the same tables suppressed."""

    tables: int
    safe: Loss = field(default_factory=Loss)
    suppressed: Loss = field(default_factory=Loss)
    steps: list[int] = field(default_factory=list)
    undecided: int = 0

    def run(self, cells: int, seed: int, *, knows: bool = True) -> Measured:
        """Go on until so many cells were attacked, with sequences of these seeds."""
        rules = list(LADDER.values())
        while self.safe.cells < cells:
            left = checked(seed, self.tables, rules[seed % len(rules)], 60)
            self.safe.take(left, 20, knows=knows)
            self.steps += left.steps
            self.undecided += left.undecided
            if self.suppressed.cells < cells:
                self.suppressed.take(plain(seed, self.tables, naive10), 20, cells - self.suppressed.cells)
            seed += 1
        return self

    @property
    def soon(self) -> float:
        """The share of tables that left at their base, or at one coarser."""
        return sum(step <= 1 for step in self.steps) / len(self.steps)

    def __str__(self) -> str:
        safe, plain_, refused = self.safe, self.suppressed, self.steps.count(len(LADDER["hes"]))
        return (
            f"{self.tables} linked tables, {len(self.steps)} in all: checked, {safe.certain} certain and {safe.narrow} "
            f"below {WIDTH} of {safe.cells:,} small cells ({safe.unknown} not known in time); suppressed, "
            f"{plain_.certain / plain_.cells:.0%} certain and {plain_.narrow / plain_.cells:.0%} below of "
            f"{plain_.cells:,}; {self.soon:.1%} left at their base or one coarser, {refused} not at all; "
            f"{self.undecided} times a cell was undecided"
        )

    def check(self, least: float) -> None:
        """Nothing is recovered where tables are checked, much of the same ones where small counts are suppressed."""
        assert (self.safe.certain, self.safe.narrow) == (0, 0), self
        assert self.suppressed.certain >= least * self.suppressed.cells, self
        assert self.soon >= 0.9, self


SIZES = [(2, 3000, 0.25), (5, 1500, 0.30), (20, 300, 0.40)]


@pytest.mark.parametrize(("tables", "cells"), [(tables, cells // 10) for tables, cells, _ in SIZES])
def test_a_tenth_of_the_linked_tables(tables: int, cells: int) -> None:
    found = Measured(tables).run(cells, 100 * tables, knows=tables < 20)
    found.check(0.15)
    assert found.safe.unknown == 0


@pytest.mark.soak
@pytest.mark.parametrize(("tables", "cells", "least"), SIZES)
def test_linked_tables(tables: int, cells: int, least: float, record_property: Callable[[str, object], None]) -> None:
    """All of them; one size alone, a few minutes of CPU: -m soak -k "linked_tables and 20-"."""
    began = time.process_time()
    found = Measured(tables).run(cells, 100 * tables)
    record_property("measured", str(found))
    print(f"{found}; {time.process_time() - began:,.0f} CPU s")
    found.check(least)
