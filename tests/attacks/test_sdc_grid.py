"""The grid, attacked: whoever asks for all of it and for many sums learns of no small cell more than its rule shows.

The attacker is not pets: he writes the rules down anew, knows how sums are made and when one is hidden, takes every
answer with its mask and its ends as a constraint on 480 whole numbers, and looks by constraint programming (CP-SAT) for
two populations that would be answered alike and differ by a width in a cell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets import col
from pets.common.integers import Ints
from pets.errors import PetsError
from tests.linked_tables import COLUMNS, RULES, people

WIDTH = 3
HIDDEN = {"hes": (1, 7), "ons_10_5": (0, 9), "opensafely": (0, 7), "midpoint6": None}
SCHEMA = pets.Schema(
    {
        "t": pets.Table(
            pets.Unit("id", max_rows=1),
            {
                "id": pets.Identifier(),
                **{
                    name: pets.Category([f"{name[0]}{code}" for code in range(size)], nullable=False)
                    for name, size in COLUMNS.items()
                },
                "born": pets.Integer(1900, 2024, nullable=False),
            },
        )
    },
    dataset="d",
)
T = pets.query("t")
GRID = T.group_by(*COLUMNS).agg(n=pets.count())
CUT = (T.group_by("born").agg(n=pets.count()), T.where(col("born") < 1950).group_by("sex").agg(n=pets.count()))
"""Questions that no grid of these columns answers."""


def rows(truth: Ints) -> pd.DataFrame:
    """One row a person."""
    cells = np.stack(np.unravel_index(np.repeat(np.arange(truth.size), truth), tuple(COLUMNS.values())), axis=1)
    frame = pd.DataFrame({name: [f"{name[0]}{code}" for code in cells[:, i]] for i, name in enumerate(COLUMNS)})
    return frame.assign(id=range(len(frame)), born=[1900 + at % 125 for at in range(len(frame))])


@dataclass(frozen=True)
class Answer:
    """One number of one table: the cells that it adds, what is shown (``None``: hidden), and its ends."""

    cells: tuple[int, ...]
    shown: int | None
    low: int
    high: int


def asked(seed: int, tables: int) -> Iterator[tuple[Any, Callable[[Sequence[str]], tuple[int, ...]]]]:
    """All of the grid, then tables of one or two columns, of people in some classes of others; and which cells a row
    of each adds."""
    draw, names = np.random.default_rng([seed, 7]), list(COLUMNS)
    places = np.arange(int(np.prod(list(COLUMNS.values())))).reshape(tuple(COLUMNS.values()))
    for number in range(tables):
        keys = names if number == 0 else sorted(draw.choice(names, int(draw.integers(1, 3)), replace=False).tolist())
        question, window = T, [np.arange(size) for size in COLUMNS.values()]
        for name in names:
            if name not in keys and draw.random() < 0.5:
                size = int(draw.integers(1, COLUMNS[name] + 1))
                window[names.index(name)] = draw.choice(COLUMNS[name], size, replace=False)
                question = question.where(col(name).isin([f"{name[0]}{c}" for c in window[names.index(name)]]))

        def cells(labels: Sequence[str], keys: list[str] = keys, window: list[Ints] = window) -> tuple[int, ...]:
            taken = list(window)
            for name, label in zip(keys, labels, strict=True):
                taken[names.index(name)] = np.array([int(label[1:])])
            return tuple(places[np.ix_(*taken)].ravel().tolist())

        yield question.group_by(*keys).agg(n=pets.count()), cells


def answers(session: pets.Session, seed: int, tables: int, rule: pets.SDC) -> list[Answer]:
    """What somebody is told who asks all of that."""
    out = []
    for question, cells in asked(seed, tables):
        found = session.release(question, rule).table
        keys = [name for name in found if name not in ("n", "n_low", "n_high")]
        for labels, n, low, high in zip(
            found[keys].to_numpy(), found["n"], found["n_low"], found["n_high"], strict=True
        ):
            out.append(Answer(cells(labels), None if pd.isna(n) else int(n), int(low), int(high)))
    return out


def parts_of(name: str, count: int) -> tuple[int, int, int]:
    """What a cell of so many people adds to a sum, whether it is hidden, and whether it is shown as more than 0."""
    hidden = HIDDEN[name]
    if hidden is None:
        return ((count + 5) // 6 * 6 - 3, 0, 1) if count else (0, 0, 0)
    if hidden[0] <= count <= hidden[1]:
        return sum(hidden) // 2, 1, 0
    return ((count + 2) // 5 * 5, 0, 1) if count else (0, 0, 0)


class Attacker:
    """Two populations at once, each of whose every answer is the one that was given."""

    def __init__(self, name: str, told: Sequence[Answer], cells: int, seconds: float = 20) -> None:
        from ortools.sat.python import cp_model

        self._lib, self._seconds, self._known = cp_model, seconds, list[Ints]()
        single = {one.cells[0]: one for one in told if len(one.cells) == 1}
        self._model = model = cp_model.CpModel()
        self._worlds = []
        for world in "ab":
            x, adds, hidden, seen = [], [], [], []
            for cell in range(cells):
                one = single.get(cell)
                most = one.high if one is not None else 200
                tuples = [(count, *parts_of(name, count)) for count in range(most + 1)]
                x.append(model.new_int_var(0, most, f"{world}{cell}"))
                adds.append(model.new_int_var(0, max(t[1] for t in tuples), ""))
                hidden.append(model.new_bool_var(""))
                seen.append(model.new_bool_var(""))
                model.add_allowed_assignments([x[-1], adds[-1], hidden[-1], seen[-1]], tuples)
            for one in told:
                inside = list(one.cells)
                model.add_linear_constraint(sum(x[c] for c in inside), one.low, one.high)
                if one.shown is None:  # hidden, and nothing that is shown
                    model.add(sum(seen[c] for c in inside) == 0)
                    model.add(sum(hidden[c] for c in inside) >= 1)
                else:
                    model.add(sum(adds[c] for c in inside) == one.shown)
                    if one.shown:
                        model.add(sum(seen[c] for c in inside) >= 1)
                    else:
                        model.add(sum(hidden[c] for c in inside) == 0)
            self._worlds.append(x)

    def wider(self, cell: int, width: int) -> bool | None:
        """Whether two populations lie ``width`` apart in a cell; ``None``: not known in time."""
        if self._known:
            values = np.array(self._known)[:, cell]
            if values.max() - values.min() >= width:
                return True
        model = self._model.clone()
        a, b = (model.get_int_var_from_proto_index(world[cell].index) for world in self._worlds)
        model.add(b - a >= width)
        solver = self._lib.CpSolver()
        solver.parameters.num_workers, solver.parameters.random_seed = 1, 0
        solver.parameters.max_time_in_seconds = self._seconds
        status = solver.solve(model)
        if status in (self._lib.OPTIMAL, self._lib.FEASIBLE):
            self._known += [np.array([solver.value(one) for one in world]) for world in self._worlds]
            return True
        return False if status == self._lib.INFEASIBLE else None


def refusals(session: pets.Session, rule: pets.SDC) -> list[str]:
    """What somebody is told who asks for what the grid does not have."""
    out = []
    for question in CUT:
        with pytest.raises(PetsError) as refused:
            session.release(question, rule)
        out.append(f"{refused.value.code}: {refused.value}")
    return out


def attacked(seed: int, name: str, tables: int) -> tuple[int, int, int, int]:
    """Small cells of one grid, and of them those known for certain, below the width, and not known in time."""
    truth, rule = people(seed), pets.SDC(name)
    given: dict[str, Any] = {"budget": pets.Budget(epsilon=1), "policy": pets.Policy(sdc=(name,)), "progress": False}
    session, twin = (pets.Session(SCHEMA, rows(one), **given) for one in (truth, people(seed + 1)))
    for one in (session, twin):
        one.name_grid(GRID, rule)
    assert refusals(session, rule) == refusals(twin, rule), "a refusal follows from the question, and from no row"
    attacker = Attacker(name, answers(session, seed, tables, rule), truth.size)
    small = np.flatnonzero((truth >= 1) & (truth <= 9)).tolist()
    found = [attacker.wider(cell, WIDTH) for cell in small]
    certain = sum(attacker.wider(cell, 1) is False for cell, wide in zip(small, found, strict=True) if wide is False)
    return len(small), certain, found.count(False), found.count(None)


def test_no_small_cell_of_a_grid_is_known_better_than_it_is_shown() -> None:
    cells, certain, below, unknown = attacked(1, "hes", 12)
    assert cells > 200 and (certain, below, unknown) == (0, 0, 0)


def test_the_attacker_has_teeth() -> None:
    """He finds what true totals beside the cells tell, and uses a mask: what a sum would not show, nobody has."""
    truth = (1, 3, 2, 4, 0, 1, 2, 2)
    told = [Answer((cell,), None if n else 0, *RULES["hes"](n)) for cell, n in enumerate(truth)]
    assert Attacker("hes", told, 8).wider(1, 6)
    exact = [Answer((0, 1), None, 4, 4), Answer((1, 2), None, 5, 5), Answer((0, 2), None, 3, 3)]
    assert Attacker("hes", [*told, *exact], 8).wider(1, 1) is False
    mask = Answer((0, 1), None, 0, 20)  # two cells of which nothing else is told: neither has more than 7 people
    assert Attacker("hes", [mask], 2).wider(0, 7) and Attacker("hes", [mask], 2).wider(0, 8) is False
    assert Attacker("hes", [Answer((0, 1), 14, 0, 30)], 2).wider(0, 1), "4 for a hidden cell, and 8 to 12 people"
    assert Attacker("hes", [Answer((0, 1), 8, 0, 20)], 2).wider(0, 1) is False, "two hidden cells are not shown"


@pytest.mark.soak
@pytest.mark.parametrize("name", list(HIDDEN))
def test_nine_thousand_cells(name: str, record_property: Callable[[str, object], None]) -> None:
    found, seed = np.zeros(4, dtype=int), 100
    while found[0] < 2250:
        found += attacked(seed, name, 30)
        seed += 2
    record_property("measured", (name, *found.tolist()))
    print(f"grid, {name}: {found[0]:,} small cells, {found[1]} certain, {found[2]} below {WIDTH}, {found[3]} undecided")
    assert found[1:].tolist() == [0, 0, 0]
