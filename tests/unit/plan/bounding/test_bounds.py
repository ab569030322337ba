"""What a cap on the rows of a group does to the sensitivity: every way in which a person's rows can fall, tried."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

import pets
from pets import col
from pets.plan.measure import Sensitivity
from pets.plan.plan import Plan, make_plan

ROWS, MOST = 5, 4


def schema(cells: int, **unit: object) -> pets.Schema:
    columns = {
        "id": {"type": "identifier"},
        "day": {"type": "category", "values": [f"d{i}" for i in range(cells)], "nullable": False},
        "hour": {"type": "integer", "min": 0, "max": 23},
        "onset": {"type": "date", "min": "2024-01-01", "max": "2024-12-31"},
        "spent": {"type": "integer", "min": -3, "max": 3, "nullable": False},
    }
    unit = {"column": "id", "max_rows": ROWS} | unit
    people = {"unit": {"column": "id", "max_rows": 1}, "columns": {"id": {"type": "identifier"}, "old": "boolean"}}
    table = {"unit": unit, "columns": columns, "person_table": "people"}
    return pets.Schema.load({"tables": {"visits": table, "people": people}})


VISITS = pets.query("visits").group_by("day").agg(n=pets.count())


def fallen(cells: int, rows: int, groups: int, most: int) -> Iterator[list[int]]:
    """How many rows of one person count in each group, for every order of up to five rows over the groups."""
    for length in range(1, ROWS + 1):
        for placed in itertools.product(range(cells), repeat=length):
            counted = [0] * cells
            for cell in placed[:rows]:
                entered = counted[cell] > 0 or sum(n > 0 for n in counted) < groups
                if entered and counted[cell] < most:
                    counted[cell] += 1
            yield counted


def greatest(found: Iterator[list[int]]) -> Sensitivity:
    """The greatest of each norm."""
    norms = [(sum(n > 0 for n in c), sum(c), sum(n * n for n in c), max(c)) for c in found]
    return Sensitivity(*(max(column) for column in zip(*norms, strict=True)))


@pytest.mark.parametrize("cells", range(1, MOST + 1))
def test_no_way_to_fall_passes_the_bound_and_each_norm_is_reached(cells: int) -> None:
    told, tried = schema(cells), 0
    for rows, groups, most in itertools.product(range(1, ROWS + 1), range(1, MOST + 1), range(1, MOST + 1)):
        plan = make_plan(VISITS.bound(rows=rows, groups=groups, rows_per_group=most), told)
        assert plan.measures[0].sensitivity == greatest(fallen(cells, rows, groups, most)), (rows, groups, most)
        tried += 1
    assert tried == ROWS * MOST * MOST  # 320 for the four numbers of groups


@pytest.mark.parametrize(
    ("bound", "l2"),
    [((7, 7, 7), 7), ((7, 7, 1), 7**0.5), ((14, 7, 2), 28**0.5), ((40, 5, 8), 320**0.5), ((7, None, 3), 19**0.5)],
)
def test_known_answers(bound: tuple[int, int | None, int], l2: float) -> None:
    rows, groups, most = bound
    asked = VISITS.bound(rows=rows, groups=groups, rows_per_group=most)
    moved = make_plan(asked, schema(10, max_rows=40)).measures[0].sensitivity
    assert moved.l2_squared == pytest.approx(l2**2)


def test_a_sum_moves_by_its_greatest_weight_times_as_much() -> None:
    asked = pets.query("visits").group_by("day").agg(s=pets.sum("spent")).bound(rows=5, groups=3, rows_per_group=2)
    (total,) = make_plan(asked, schema(4)).measures
    assert total.sensitivity == Sensitivity(l0=3, l1=3 * 5, l2_squared=9 * 9, linf=3 * 2)


def test_a_tree_and_a_histogram_have_the_caps_on_each_level() -> None:
    asked = pets.query("visits").group_by("day").bound(rows=5, groups=2, rows_per_group=2)
    told = schema(4)
    (tree,) = make_plan(asked.agg(q=pets.quantile("hour")), told).measures
    assert len(tree.levels) == 2
    assert tree.sensitivity == Sensitivity(l0=4 * 2, l1=4 * 2, l2_squared=8 * 2, linf=2)
    (leaves,) = make_plan(asked.agg(h=pets.histogram("hour")), told).measures
    assert leaves.sensitivity == Sensitivity(l0=4, l1=4, l2_squared=8, linf=2)


def test_people_are_counted_as_without_the_cap() -> None:
    asked = pets.query("visits").group_by("day").agg(u=pets.count_units())
    with_cap, without = (make_plan(one, schema(4)) for one in (asked.bound(rows_per_group=1), asked))
    assert with_cap.measures == without.measures


def test_a_cap_that_changes_nothing_is_none() -> None:
    told = schema(4)
    plain = make_plan(VISITS.bound(rows=3), told)
    same = make_plan(VISITS.bound(rows=3, rows_per_group=3), told)
    assert same.group_rows is None and same.measures == plain.measures
    assert "rows_per_group" not in plain.to_json() and "rows_per_group" not in same.to_json()
    assert make_plan(VISITS.bound(rows=3, rows_per_group=2), told).to_json()["rows_per_group"] == 2


# ── which stored rank serves ──────────────────────────────────────────────────────────────────────────────────────────

RANKED = [["day"], ["hour", "day"], ["onset"], ["onset.week"], ["onset.period.month", "day"]]


def served(asked: pets.Query) -> Plan:
    return make_plan(asked.agg(n=pets.count()).bound(rows=4, rows_per_group=1), schema(4, rank_within=RANKED))


BY_DAY = pets.query("visits").group_by("day")
SERVES = {
    "the key": (BY_DAY, ("day",)),
    "the key, two of them in any order": (pets.query("visits").group_by("hour", "day"), ("day", "hour")),
    "an attribute of the person beside it": (pets.query("visits").group_by("old", "day"), ("day",)),
    "listed keys": (pets.query("visits").group_by(pets.KeySet.of([{"day": "d1"}, {"day": "d2"}])), ("day",)),
    "a condition on the key": (BY_DAY.where(col("day") != "d1"), ("day",)),
    "a condition on the person": (BY_DAY.where((col("old") == True) | (col("day") == "d1")), ("day",)),  # noqa: E712
    "a condition on another column": (BY_DAY.where(col("hour") > 3), None),
    "a condition that reads another column, too": (BY_DAY.where((col("hour") > 3) | (col("day") == "d1")), None),
    "a coarser key than the rank's": (pets.query("visits").group_by("hour"), None),
    "bins of the key": (pets.query("visits").group_by("day", col("hour").bins([0, 12, 24])), None),
    "each day": (pets.query("visits").group_by(col("onset").day()), ("onset",)),
    "a condition on the days": (
        pets.query("visits").where(col("onset") < "2024-06-01").group_by(col("onset").day()),
        ("onset",),
    ),
    "weeks of days": (pets.query("visits").group_by(col("onset").week()), ("onset.week",)),
    "other weeks of days": (pets.query("visits").group_by(col("onset").mmwr_week()), None),
    "weeks, and a condition on the days": (
        pets.query("visits").where(col("onset") < "2024-06-01").group_by(col("onset").week()),
        None,
    ),
    "weeks of what is computed": (
        pets.query("visits").with_columns(later=col("onset") + 1).group_by(col("later").week("onset.week")),
        None,
    ),
    "a computed column of a rank's name": (
        pets.query("visits").with_columns(**{"onset.week": col("hour") * 2}).group_by("onset.week"),
        None,
    ),
    "a condition on a computed column of a rank's name": (
        pets.query("visits")
        .with_columns(**{"onset.week": col("hour") * 2})
        .where(col("onset.week") > 4)
        .group_by(col("onset").week("w")),
        None,
    ),
    "months and a column": (
        pets.query("visits").group_by(col("onset").period("month"), "day"),
        ("day", "onset.period.month"),
    ),
    "the month of the year": (pets.query("visits").group_by(col("onset").month(), "day"), None),
    "days of the week": (pets.query("visits").group_by(col("onset").weekday()), None),
    "months of days": (pets.query("visits").group_by(col("onset").period("month")), None),
    "no key": (pets.query("visits"), None),
    "only an attribute of the person": (pets.query("visits").group_by("old"), None),
}


@pytest.mark.parametrize("name", SERVES)
def test_a_stored_rank_serves_where_it_is_exact(name: str) -> None:
    asked, wanted = SERVES[name]
    assert served(asked).stored_rank == wanted


def test_explain_says_what_the_cap_costs() -> None:
    asked = VISITS.bound(rows=5, groups=3, rows_per_group=1)
    quick = str(pets.explain(asked, schema(4, rank_within=RANKED)))
    slow = str(pets.explain(asked, schema(4)))
    assert "12 to 67 times" in slow and "rank_within" in slow and "12 to 67" not in quick
    assert "within day" in quick
    for said in (quick, slow):
        assert "In each group at most 1 row of a person counts" in said
        assert "L0 = 3, L1 = 3, L2 = 1.73205, L∞ = 1: at most 5 rows of a person count, in at most 3 groups" in said
