"""The search: the worked examples, random systems against all of their tables, and solvers that lie or are late."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from pets.common.integers import Ints
from pets.errors import QueryError
from pets.sdc.block import Pool
from pets.sdc.proof import Protected, verify_attack, verify_pair
from pets.sdc.search import bounds, check
from pets.sdc.solve import Highs, Vertex
from pets.sdc.system import Statement, System
from tests.linked_tables import RULES, hes, midpoint6, naive10, small, system_of, told, with_margins
from tests.linked_tables import Slot as Cut


def numbers(*counts: int) -> Ints:
    return np.array(counts, dtype=np.int64)


# ── the worked examples ─────────────────────────────────────────────────────────────────────────────────────────────

TWO_BY_TWO = numbers(3, 20, 15, 40)
THREE_BY_THREE = numbers(3, 4, 30, 6, 5, 40, 31, 42, 50)
KNOWN = {"naive10": (3, 3), "strict_10": (3, 3), "hes": (1, 7), "ons_10_5": (1, 9), "midpoint6": (1, 4)}


@pytest.mark.parametrize(("rule", "ends"), KNOWN.items())
@pytest.mark.parametrize("known", [True, False])
def test_a_small_cell_with_its_totals(rule: str, ends: tuple[int, int], known: bool) -> None:
    system = system_of((2, 2), TWO_BY_TWO, RULES[rule])
    truth = TWO_BY_TWO if known else None
    assert bounds(system, [0], truth=truth) == (*ends, True)
    [found] = check(system, truth, [Protected((0,), "cell (0, 0)")], 3, 60)
    assert found.state == ("proved" if ends[1] - ends[0] >= 3 else "attack")
    if found.state == "proved":
        assert found.pair is not None and verify_pair(system, found.protected, found.pair, 3)
    else:
        assert (found.lo, found.hi) == ends
        assert found.attack is not None and verify_attack(system, found.protected, found.attack, 3)
        assert found.sentence.startswith("cell (0, 0) is 3: 23 − 20, from (0, all) of release 1 and (0, 1) of release")


@pytest.mark.parametrize(
    ("inner", "outer", "expected"),
    [
        (385, 386, {"naive10": (1, 1), "hes": (0, 4), "ons_10_5": (0, 4), "midpoint6": (0, 5)}),
        (48, 57, {"naive10": (9, 9), "hes": (1, 9), "ons_10_5": (1, 9), "midpoint6": (7, 17)}),
    ],
)
def test_what_is_left_of_a_population_without_one_inside_it(
    inner: int, outer: int, expected: dict[str, tuple[int, int]]
) -> None:
    truth = numbers(inner, outer - inner)
    for rule, ends in expected.items():
        system = System.from_statements(2, told([Cut((0,), "in"), Cut((0, 1), "out")], truth, RULES[rule]))
        assert bounds(system, [1], truth=truth) == (*ends, True), rule


def test_two_hidden_cells_may_be_open_while_their_sum_is_known() -> None:
    truth = THREE_BY_THREE
    for rule, ends in {"naive10": (1, 6), "strict_10": (0, 7)}.items():
        system = system_of((3, 3), truth, RULES[rule])
        assert bounds(system, [0], truth=truth) == (*ends, True)
        one, both = check(system, truth, [Protected((0,), "one"), Protected((0, 1), "both")], 3, 60)
        assert (one.state, both.state, both.lo, both.hi) == ("proved", "attack", 7, 7)


@pytest.mark.parametrize(
    ("cells", "each", "total", "ends"),
    [
        (3, (1, 9), (3, 3), (1, 1)),
        (7, (1, 7), (1, 7), (1, 1)),
        (6, (1, 6), (1, 6), (1, 1)),
        (4, (1, 6), (1, 6), (1, 3)),
    ],
)
def test_hidden_cells_under_a_small_total(
    cells: int, each: tuple[int, int], total: tuple[int, int], ends: tuple[int, int]
) -> None:
    said = [Statement((cell,), *each, f"cell {cell}") for cell in range(cells)]
    system = System.from_statements(cells, [*said, Statement(tuple(range(cells)), *total, "total")])
    for cell in range(cells):
        assert bounds(system, [cell]) == (*ends, True)
    assert {one.state for one in check(system, None, [Protected((0,), "cell 0")], 3, 60)} == {"attack"}


def test_a_zero_that_is_shown_costs_its_neighbour_nothing() -> None:
    said = [Statement((0,), 0, 0, "zero"), Statement((1,), 1, 7, "hidden"), Statement((0, 1), 1, 7, "total")]
    system = System.from_statements(2, said)
    assert bounds(system, [0]) == (0, 0, True)
    assert bounds(system, [1]) == (1, 7, True)


def test_fractions_alone_are_not_enough() -> None:
    pairs = [(0, 1), (1, 2), (0, 2), (3, 4), (4, 5), (3, 5)]
    system = System.from_statements(6, [Statement(pair, 0, 1, f"{pair}") for pair in pairs])
    vertex = Highs(system).linear(np.arange(6), 1, 60)
    assert vertex is not None and vertex.value == pytest.approx(3)
    low, high, exact = bounds(system, range(6), truth=np.zeros(6, dtype=np.int64))
    assert (low, exact) == (0, False) and high >= 2
    six = Protected(tuple(range(6)), "all six")
    at_two, at_three = (next(iter(check(system, None, [six], width, 60))).state for width in (2, 3))
    assert (at_two, at_three) == ("proved", "undecided")  # never proved: no whole numbers add up to 3


def ranges(days: int, longest: int) -> list[Cut]:
    spans = [(a, b) for a in range(days) for b in range(a + 1, days + 1) if b - a <= longest]
    return [Cut(tuple(range(a, b)), f"days {a + 1} to {b}") for a, b in spans]


LONG = [(rule, seed) for rule in ("hes", "ons_10_5", "midpoint6") for seed in (0, 1)]


@pytest.mark.parametrize(
    ("rule", "seed"), [one if one == ("hes", 0) else pytest.param(*one, marks=pytest.mark.soak) for one in LONG]
)
def test_all_ranges_of_days_give_every_small_day_back(rule: str, seed: int) -> None:
    days = np.random.default_rng(seed).poisson(2.5, 30).astype(np.int64)
    system = System.from_statements(30, told(ranges(30, 30), days, RULES[rule]))
    found = check(system, days, [Protected((day,), f"day {day}") for day in np.flatnonzero(days).tolist()], 3, 60)
    assert {one.state for one in found} == {"attack"}
    assert [one.lo for one in found] == [one.hi for one in found] == days[days > 0].tolist()


def test_ranges_that_are_checked_before_they_leave_give_no_day_back() -> None:
    days = np.random.default_rng(0).poisson(2.5, 14).astype(np.int64)
    every = ranges(14, 14)
    np.random.default_rng(5).shuffle(every)  # type: ignore[arg-type]
    small_days = [Protected((day,), f"day {day}") for day in np.flatnonzero(days).tolist()]
    released: list[Statement] = [Statement(tuple(range(14)), 0, 1000, "everybody")]
    refused = 0
    for one in every[:40]:
        wanted = [*released, *told([one], days, hes)]
        if check(System.from_statements(14, wanted), days, small_days, 3, 60).proved:
            released = wanted
        else:
            refused += 1
    assert refused and len(released) > 10
    system = System.from_statements(14, released)
    for day in small_days:
        low, high, exact = bounds(system, day.cells, truth=days)
        assert exact and high - low >= 3


def test_one_refusal_tells_three_days() -> None:
    near = [Cut((0, 1), "days 1 and 2"), Cut((1, 2), "days 2 and 3"), Cut((0, 1, 2), "all three")]

    def refused(days: Ints) -> bool:
        said = [Statement(one.cells, *hes_nearest(int(days[list(one.cells)].sum())), one.name) for one in near]
        small_days = [Protected((day,), f"day {day}") for day in range(3) if 1 <= days[day] <= 9]
        return not check(System.from_statements(3, said), days, small_days, 3, 60).proved

    def hes_nearest(count: int) -> tuple[int, int]:
        return max((count + 2) // 5 * 5 - 2, 0), (count + 2) // 5 * 5 + 2

    fit = [d for d in itertools.product(range(13), repeat=3) if 8 <= d[0] + d[1] <= 12 and 8 <= d[1] + d[2] <= 12]
    some = [(11, 1, 11), *(fit[:: len(fit) // 40])]
    assert [days for days in some if refused(numbers(*days))] == [(11, 1, 11)]


# ── against all tables ──────────────────────────────────────────────────────────────────────────────────────────────


def some_system(draw: np.random.Generator) -> tuple[System, Ints, list[Protected]]:
    atoms = int(draw.integers(3, 6))
    truth = draw.integers(0, 5, atoms)
    said = [Statement((atom,), 0, 6, f"atom {atom}") for atom in range(atoms)]
    for number in range(int(draw.integers(2, 7))):
        cells = tuple(draw.choice(atoms, int(draw.integers(1, atoms + 1)), replace=False).tolist())
        total, below, above = int(truth[list(cells)].sum()), *draw.integers(0, 3, 2).tolist()
        said.append(Statement(cells, total - below, total + above, f"number {number}"))
    targets = [tuple(draw.choice(atoms, int(draw.integers(1, 3)), replace=False).tolist()) for _ in range(3)]
    return System.from_statements(atoms, said), truth, [Protected(cells, f"{cells}") for cells in targets]


def all_tables(system: System) -> Ints:
    every = np.indices((7,) * system.atoms).reshape(system.atoms, -1)
    for row in range(system.rows):
        sums = every[system.cells(row)].sum(axis=0)
        every = every[:, (system.lo[row] <= sums) & (sums <= system.hi[row])]
    return every


def compared(seed: int, systems: int) -> tuple[int, int]:
    """How many targets were compared, and of how many neither was shown."""
    draw, looked, undecided = np.random.default_rng(seed), 0, 0
    for _ in range(systems):
        system, truth, targets = some_system(draw)
        every = all_tables(system)
        width = int(draw.integers(1, 4))
        start = truth if draw.random() < 0.5 else None
        for target, found in zip(targets, check(system, start, targets, width, 60), strict=True):
            sums = every[list(target.cells)].sum(axis=0)
            low, high = int(sums.min()), int(sums.max())
            at_least, at_most, exact = bounds(system, target.cells, truth=start, seconds=60)
            assert at_least <= low <= high <= at_most
            assert not exact or (low, high) == (at_least, at_most)
            if found.state == "proved":
                assert high - low >= width and found.lo <= low <= high <= found.hi
            elif found.state == "attack":
                assert (found.lo, found.hi) == (low, high) and high - low < width
            else:
                assert not exact
                undecided += 1
            looked += 1
    return looked, undecided


def test_random_systems_are_as_all_of_their_tables_say() -> None:
    assert compared(11, 40) == (120, 0)


@pytest.mark.soak
def test_a_thousand_targets_are_as_all_of_their_tables_say() -> None:
    looked, undecided = compared(12, 400)
    assert looked == 1200 and undecided <= 12


# ── solvers that lie, and time that is up ───────────────────────────────────────────────────────────────────────────


class Liar(Highs):
    """A solver that gives something else than it found."""

    lie = ""

    def linear(self, cells: Ints, sense: int, seconds: float) -> Vertex | None:
        found = super().linear(cells, sense, seconds)
        if found is None or self.lie == "late":
            return None
        table, multipliers = found.table, found.multipliers
        if self.lie == "another vertex":
            table = table + np.where(np.isin(np.arange(len(table)), cells), 5 * sense, 0)
        elif self.lie == "halves":
            table = table + np.where(np.isin(np.arange(len(table)), cells), 3.5 * sense, 0)
        elif self.lie == "no numbers":
            table, multipliers = table * np.nan, multipliers * np.nan
        elif self.lie == "another size":
            table, multipliers = table[:-1], multipliers[:-1]
        elif self.lie == "half the multipliers":
            multipliers = multipliers / 2
        elif self.lie == "no multipliers":
            multipliers = multipliers * 0
        elif self.lie == "other signs":
            multipliers = -multipliers
        return Vertex(found.value, table, multipliers)

    def whole(self, cells: Ints, sense: int, goal: int, base: Ints | None, free: Ints, seconds: float) -> Ints | None:
        if self.lie == "late" or base is None:
            return None
        table = base.copy()
        table[cells] += 5 * sense
        return table


LIES = (
    "another vertex",
    "halves",
    "no numbers",
    "another size",
    "half the multipliers",
    "no multipliers",
    "other signs",
    "late",
)


@pytest.mark.parametrize("lie", LIES)
def test_a_solver_that_lies_proves_nothing_and_derives_nothing(lie: str) -> None:
    engine = type("Lie", (Liar,), {"lie": lie})
    target = [Protected((0,), "cell (0, 0)")]
    [open_] = check(system_of((3, 3), THREE_BY_THREE, naive10), THREE_BY_THREE, target, 3, 60, engine=engine)
    [known] = check(system_of((2, 2), TWO_BY_TWO, naive10), TWO_BY_TWO, target, 3, 60, engine=engine)
    assert open_.state != "attack" and known.state != "proved"
    assert open_.lo <= 1 and open_.hi >= 6 and known.lo <= 3 <= known.hi
    if lie == "late":
        assert open_.state == known.state == "undecided"


def test_a_table_that_nobody_looked_at_before_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search looks at both tables of a proof once more, whatever took them in."""

    def trusting(pool: Pool, table: Ints | None) -> bool:
        if table is not None:
            pool.tables = np.vstack([pool.tables, table])
        return True

    monkeypatch.setattr(Pool, "add", trusting)
    engine, target = type("Lie", (Liar,), {"lie": "another vertex"}), [Protected((0,), "cell (0, 0)")]
    [found] = check(system_of((2, 2), TWO_BY_TWO, naive10), TWO_BY_TWO, target, 3, 60, engine=engine)
    assert found.state != "proved" and found.pair is None


def test_where_time_is_up_nothing_is_proved() -> None:
    system = system_of((2, 2), TWO_BY_TWO, hes)
    target = Protected((0,), "cell (0, 0)")
    for truth in (TWO_BY_TWO, None):
        [found] = check(system, truth, [target], 3, 0)
        assert (found.state, found.pair, found.sentence) == ("undecided", None, "")
        assert bounds(system, [0], truth=truth, seconds=0)[2] is False


def test_an_earlier_proof_is_tried_first_and_one_that_no_longer_fits_is_not() -> None:
    system, target = system_of((2, 2), TWO_BY_TWO, hes), Protected((0,), "cell (0, 0)")
    [found] = check(system, TWO_BY_TWO, [target], 3, 60)
    assert found.pair is not None
    [again] = check(system, TWO_BY_TWO, [target], 3, 0, tables=found.pair)  # no time for a solver
    assert again.state == "proved"
    [closer] = check(system_of((2, 2), TWO_BY_TWO, naive10), TWO_BY_TWO, [target], 3, 0, tables=found.pair)
    assert closer.state == "undecided"


# ── what else is asked ──────────────────────────────────────────────────────────────────────────────────────────────


def test_parts_that_nothing_joins_and_atoms_that_nothing_tells_of() -> None:
    said = [Statement((0, 1), 10, 10, "a"), Statement((2, 3), 7, 7, "b"), Statement((3,), 7, 7, "c")]
    system = System.from_statements(6, said)
    targets = [Protected(cells, f"{cells}") for cells in [(0,), (2,), (4,), (0, 2), (1, 2, 5)]]
    truth = numbers(4, 6, 0, 7, 1, 1)
    found = check(system, truth, targets, 3, 60)
    assert [one.state for one in found] == ["proved", "attack", "proved", "proved", "proved"]
    for one in found:
        assert one.pair is None or verify_pair(system, one.protected, one.pair, 3)
    assert (found.count("proved"), found.proved, [one.lo for one in found.attacks]) == (4, False, [0])


@pytest.mark.parametrize("truth", [None, numbers(1, 2)])
def test_numbers_that_contradict_each_other(truth: Any) -> None:
    system = System.from_statements(2, [Statement((0, 1), 3, 3, "a"), Statement((0,), 5, 9, "b")])
    with pytest.raises(QueryError, match="contradict each other"):
        check(system, truth, [Protected((0,), "one")], 3, 60)


def test_a_sum_of_atoms_that_there_are_not() -> None:
    system = System.from_statements(2, [Statement((0, 1), 3, 3, "a")])
    for cells in [(), (2,), (-1,)]:
        with pytest.raises(QueryError, match="the sum adds atoms"):
            check(system, None, [Protected(cells, "the sum")], 3, 60)


def test_a_width_is_a_range_and_not_every_number_in_it() -> None:
    said = [Statement((0, 1), 5, 5, "a + b"), Statement((0, 2), 5, 5, "a + c"), Statement((1, 2), 1, 7, "b + c")]
    system, both = System.from_statements(3, said), Protected((1, 2), "b + c")
    assert sorted({int(b + c) for _, b, c in all_tables(system).T}) == [2, 4, 6]
    for width, state in ((4, "proved"), (5, "undecided")):
        [found] = check(system, numbers(3, 2, 2), [both], width, 60)
        assert (found.state, found.lo, found.hi) == (state, 1, 7)


def test_a_width_that_protects_nothing() -> None:
    with pytest.raises(QueryError, match="width=0 protects nothing"):
        check(system_of((2, 2), TWO_BY_TWO, hes), TWO_BY_TWO, [Protected((0,), "one")], 0, 60)


def test_cells_that_stand_alone_need_no_solver() -> None:
    said = [Statement((cell,), 1, 7, f"cell {cell}") for cell in range(6)]
    system = System.from_statements(6, [*said[:5], Statement((5,), 3, 5, "narrow")])
    targets = [Protected((cell,), f"cell {cell}") for cell in range(6)]
    found = check(system, numbers(1, 2, 4, 6, 7, 4), targets, 3, 60, engine=type("Late", (Liar,), {"lie": "late"}))
    assert [one.state for one in found] == [*["proved"] * 5, "undecided"]
    for one in found:
        assert one.pair is None or verify_pair(system, one.protected, one.pair, 3)


@pytest.mark.parametrize("rule", ["hes", "ons_10_5", "midpoint6"])
def test_three_columns_with_all_their_margins(rule: str) -> None:
    truth = np.random.default_rng(3).poisson(5, 60).astype(np.int64)
    slots = with_margins((3, 4, 5))
    system = System.from_statements(60, told(slots, truth, RULES[rule]))
    targets = small(slots, truth)[:30]
    found = check(system, truth, targets, 3, 60)
    assert found.count("undecided") == 0
    for one in found:
        low, high, exact = bounds(system, one.protected.cells, truth=truth)
        assert exact and (one.state == "proved") == (high - low >= 3)


def test_midpoints_are_read_as_their_step() -> None:
    assert [midpoint6(count) for count in (0, 1, 6, 7, 12, 13)] == [
        (0, 0), (1, 6), (1, 6), (7, 12), (7, 12), (13, 18),
    ]  # fmt: skip
