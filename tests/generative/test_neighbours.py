"""The promise: all rows of one person move each measure's block by at most its L0, L1, L2² and L∞.

On random schemas, rows and queries; on every engine; with the rows in another order, since nothing may depend on it.
Then with people made to hit the bounds; and with bounds that are too small, which the same check must find out.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from pets import (
    col,
    correlation,
    count,
    count_units,
    covariance,
    histogram,
    mean,
    quantile,
    query,
    rate,
    sum,
    tails,
    variance,
)
from pets.plan.measure import Sensitivity
from pets.plan.plan import make_plan
from pets.query_model.nodes.design import Moments
from pets.query_model.nodes.exits import Exits
from pets.query_model.nodes.gradient import Gradient
from pets.query_model.nodes.meat import Meat
from pets.query_model.nodes.newton import Newton
from pets.query_model.query import Query
from pets.rows.snapshot import Snapshot
from pets.schema.schema import (
    Boolean,
    Category,
    Date,
    DateTime,
    Domain,
    Identifier,
    Integer,
    Real,
    Schema,
    Table,
    Text,
    Time,
    Unit,
)
from tests import oracle, strategies
from tests.aggregates import AGGREGATES
from tests.generative import neighbours
from tests.generative.neighbours import Moved
from tests.strategies import Case

Draw = Any


def keeps_the_promise(case: Case, person: str, seed: int) -> None:
    schema, table = case.schema, case.table
    plan = make_plan(case.query, schema)
    before = neighbours.snapshot_of(schema, case.data, table)
    fewer = neighbours.without(schema, case.data, table, person)
    after = neighbours.snapshot_of(schema, neighbours.shuffled(fewer, seed), table)
    moved = neighbours.promise_kept(plan, before, after)
    event("moved" if any(step.l0 for step in moved[0]) else "still")
    # stronger, and what the bound rests on: everybody else keeps the same rows, in the same order
    gone = Counter(neighbours.rows_kept(before)) - Counter(neighbours.rows_kept(after))
    come = Counter(neighbours.rows_kept(after)) - Counter(neighbours.rows_kept(before))
    assert gone.total() <= 1 and not come, f"kept before but not after: {gone}; after but not before: {come}"


@st.composite
def neighbouring(draw: Draw, size: int = 24) -> tuple[Case, str, int]:
    """A case, one of its people and an order of rows."""
    case = draw(strategies.cases(size))
    everybody = neighbours.people_of(case.schema, case.data, case.table)
    assume(everybody)
    return case, draw(st.sampled_from(everybody)), draw(st.integers(0, 2**32))


@settings(max_examples=80)
@given(found=neighbouring())
def test_one_person_moves_the_vector_by_at_most_its_sensitivity(found: tuple[Case, str, int]) -> None:
    keeps_the_promise(*found)


@pytest.mark.soak
@pytest.mark.timeout(0)
@settings(max_examples=5000)
@given(found=neighbouring(size=60))
def test_one_person_moves_the_vector_by_at_most_its_sensitivity_soak(found: tuple[Case, str, int]) -> None:
    keeps_the_promise(*found)


# ── people made to hit the bounds ─────────────────────────────────────────────────────────────────────────────────────


def extremes(domain: Domain) -> list[Any]:
    """The cells whose codes lie at the ends of the domain, and beyond them."""
    if isinstance(domain, Category):
        return [domain.values[0], domain.values[-1], None]
    if isinstance(domain, Boolean):
        return ["true", "false", None]
    if isinstance(domain, Text):
        return [min(oracle.texts(domain)), max(oracle.texts(domain)), None]
    if isinstance(domain, (Date, DateTime)):
        return [domain.lo.isoformat(), domain.hi.isoformat(), None]
    if isinstance(domain, Time):
        return [str(domain.lo), str(domain.hi), None]
    assert isinstance(domain, (Integer, Real))
    ends = [domain.lo, domain.hi] if isinstance(domain, Integer) else [float(domain.lo), float(domain.hi)]
    return [*(str(end) for end in ends), "-1e30", "1e30", None]


@st.composite
def adversaries(draw: Draw) -> tuple[Case, str, int]:
    """A person with as many rows as count and more, alike or spread, each at an end of its columns' domains."""
    schema = draw(strategies.schemas(by_row=False, person_table=False))
    table = schema.table("t")
    own = {c: d for c, d in table.columns.items() if not isinstance(d, Identifier)}
    pools = {c: extremes(d) for c, d in own.items() if not (isinstance(d, Category) and d.lookup is not None)}
    kinds = draw(st.lists(st.sampled_from(list(AGGREGATES)), min_size=3, max_size=5))
    asked = draw(strategies.queries(schema, kinds))
    size = table.unit.max_rows + draw(st.integers(-1, 3))
    spread = draw(st.booleans())
    template = {c: draw(st.sampled_from(pool)) for c, pool in pools.items()}
    rows = []
    for index in range(max(size, 1)):
        row = {c: pool[index % len(pool)] for c, pool in pools.items()} if spread else dict(template)
        rows.append(row | {"id": "evil"})
    others = [
        {c: draw(st.sampled_from(pool)) for c, pool in pools.items()} | {"id": draw(st.sampled_from(["1", "2"]))}
        for _ in range(draw(st.integers(0, 3)))
    ]
    mixed = neighbours.shuffled({"t": rows + others}, draw(st.integers(0, 99)))["t"]
    return Case(schema, {"t": [dict(row) for row in mixed]}, asked), "evil", draw(st.integers(0, 2**32))


@settings(max_examples=60)
@given(found=adversaries())
def test_people_made_to_hit_the_bounds_do_not_pass_them(found: tuple[Case, str, int]) -> None:
    keeps_the_promise(*found)


@pytest.mark.soak
@pytest.mark.timeout(0)
@settings(max_examples=3000)
@given(found=adversaries())
def test_people_made_to_hit_the_bounds_do_not_pass_them_soak(found: tuple[Case, str, int]) -> None:
    keeps_the_promise(*found)


# ── the bounds are reached, so they are not vacuous; and smaller ones are found out ───────────────────────────────────

K = 4
COLUMNS: dict[str, Domain] = {
    "id": Identifier(),
    "g": Category(["a", "b", "c", "d", "e", "f"], nullable=False),
    "x": Integer(-7, 20),
    "y": Real("0.5", "64.25", "0.25"),
    "z": Integer(0, 400, nullable=False),
    "e": Boolean(),
}
SCHEMA = Schema({"t": Table(Unit("id", max_rows=K, rank_within=(("g",),)), COLUMNS)})
ALIKE = [{"id": "v", "g": "b", "x": "20", "y": "64.25", "z": "400", "e": "true"}] * (K + 1)
LOW = [{"id": "v", "g": "b", "x": "-7", "y": "0.5", "z": "0", "e": "false"}] * (K + 1)
SPREAD = [
    {"id": "v", "g": g, "x": x, "y": "64.25", "z": z, "e": "false"}
    for g, x, z in zip("abcd", ["-7", "20", "-7", "20"], ["0", "100", "200", "400"], strict=True)
]
PAIRS = [SPREAD[0], SPREAD[0], SPREAD[1], SPREAD[1]]
UNEVEN = [SPREAD[0], SPREAD[0], SPREAD[0], SPREAD[1]]
CROWD = [
    {"id": "w", "g": "b", "x": "3", "y": "1", "z": "5", "e": "true"},
    {"id": "u", "g": "e", "x": "4", "y": "9", "z": "399", "e": ""},
]
# people of one row in every group: a bound that is enforced on groups instead of people loses them with one person
CROWD += [{"id": f"{g}{i}", "g": g, "x": str(i), "y": str(1 + i), "z": str(40 * i), "e": "true"} for g in "abcdef"
          for i in range(8)]  # fmt: skip

HALFWAY = [row | {"z": "200"} for row in ALIKE]
FULL_PAIRS = [row | {"z": "400"} for row in PAIRS]
by_group = query("t").group_by("g")
TWO_TERMS = Moments(terms=(("x",), ("z",)), outcome="y")
AT_ITS_ENDS = Moments(terms=(("x",), ("z",)), outcome="y", weights=Fraction(4))
STEP = Newton(terms=(("x",), ("g",)), outcome="z", family="poisson", at=(0,) * 7)
SCORES = Meat(terms=(("z",),), outcome="x", at=(0, 0), norm=Fraction(K))
ALIKE_SCORES = Meat(terms=(("e",), ("y",), ("z",)), outcome="x", at=(0,) * 4, norm=Fraction(2 * K))
WITH_LEVELS = Moments(terms=(("g",), ("x",), ("g", "x")), outcome="y")
OVER_TIME = Exits("z", "e", (0, 50, 150, 300))  # type: ignore[arg-type]
ALL = ("l0", "l1", "l2_squared", "linf")
PULL = Gradient(outcome="e", inputs=("z",), norm="0.5", at=(0, 0))  # type: ignore[arg-type]
MIDDLE = [ALIKE[0] | {"z": "200"}]

# measure kind, query, rows, and which bounds these rows reach exactly
TIGHT: list[tuple[str, str, Query, list[dict[str, str]], tuple[str, ...]]] = [
    ("rows", "alike", by_group.agg(n=count()), ALIKE, ("l1", "l2_squared", "linf")),
    ("descent", "people", query("t").agg(g=replace(PULL, at=None)), ALIKE, ALL),
    ("descent", "one weight", query("t").agg(g=PULL).bound(rows=1), MIDDLE, ("l2_squared", "linf")),
    ("descent", "both weights", query("t").agg(g=PULL), ALIKE, ("l0", "l1")),
    ("rows", "spread", by_group.agg(n=count()), SPREAD, ("l0", "l1")),
    ("rows", "alike, capped", by_group.agg(n=count()).bound(groups=2), ALIKE, ("l1", "l2_squared", "linf")),
    ("rows", "spread, capped", by_group.agg(n=count()).bound(groups=2), SPREAD, ("l0",)),
    ("rows", "fewer rows", by_group.agg(n=count()).bound(rows=2), ALIKE, ("l1", "l2_squared", "linf")),
    ("rows", "one group", query("t").agg(n=count()), ALIKE, ("l0", "l1", "l2_squared", "linf")),
    ("rows", "one a group", by_group.agg(n=count()).bound(rows_per_group=1), SPREAD, ALL),
    ("rows", "one a group, alike", by_group.agg(n=count()).bound(rows_per_group=1), ALIKE, ("linf",)),
    ("rows", "two a group of two", by_group.agg(n=count()).bound(groups=2, rows_per_group=2), PAIRS, ALL),
    (
        "rows",
        "three and the rest",
        by_group.agg(n=count()).bound(rows_per_group=3),
        UNEVEN,
        ("l1", "l2_squared", "linf"),
    ),
    (
        "rows",
        "two a group, ranked for the question",
        by_group.where(col("z") >= 0).agg(n=count()).bound(groups=2, rows_per_group=2),
        PAIRS,
        ALL,
    ),
    ("total", "two a group of two", by_group.agg(m=mean("z")).bound(groups=2, rows_per_group=2), FULL_PAIRS, ALL),
    (
        "balance",
        "two a group of two",
        by_group.agg(r=rate(col("x") > -9)).bound(groups=2, rows_per_group=2),
        PAIRS,
        ALL,
    ),
    (
        "leaves",
        "two a group of two",
        by_group.agg(h=histogram("x")).bound(groups=2, rows_per_group=2),
        PAIRS,
        ("l1", "l2_squared", "linf"),
    ),
    ("balance", "alike", by_group.agg(r=rate(col("x") > 0)), ALIKE, ("l1", "l2_squared", "linf")),
    ("balance", "alike, not met", by_group.agg(r=rate(col("x") > 0)), LOW, ("l1", "l2_squared", "linf")),
    ("balance", "spread", by_group.agg(r=rate(col("x") > 0)), SPREAD, ("l0", "l1")),
    ("units", "spread", by_group.agg(u=count_units()), SPREAD, ("l0", "l1", "l2_squared", "linf")),
    (
        "units",
        "spread, capped",
        by_group.agg(u=count_units()).bound(groups=3),
        SPREAD,
        ("l0", "l1", "l2_squared", "linf"),
    ),
    ("units", "one group", query("t").agg(u=count_units()), ALIKE, ("l0", "l1", "l2_squared", "linf")),
    ("total", "sum, alike", by_group.agg(s=sum("x")), ALIKE, ("l1", "l2_squared", "linf")),
    ("total", "sum, spread", by_group.agg(s=sum("z")), [r | {"z": "400"} for r in SPREAD], ("l0", "l1")),
    ("total", "mean, high", by_group.agg(m=mean("x")), ALIKE, ("l1", "l2_squared", "linf")),
    ("total", "mean, low", by_group.agg(m=mean("x")), LOW, ("l1", "l2_squared", "linf")),
    ("total", "mean, spread", by_group.agg(m=mean("x")), SPREAD, ("l0", "l1")),
    ("total", "mean of reals", by_group.agg(m=mean("y")), ALIKE, ("l1", "l2_squared", "linf")),
    ("total", "clipped", by_group.agg(m=mean("z", clip=(10, 20))), ALIKE, ("l1", "l2_squared", "linf")),
    ("total", "sum, clipped above", by_group.agg(s=sum("z", clip=(0, 20))), ALIKE, ("l1", "l2_squared", "linf")),
    (
        "total",
        "sum, clipped below",
        by_group.agg(n=count(), s=sum("z", clip=(380, 400))),
        LOW,
        ("l1", "l2_squared", "linf"),
    ),
    ("total", "mean, clipped above", by_group.agg(m=mean("z", clip=(0, 20))), ALIKE, ("l1", "l2_squared", "linf")),
    ("total", "mean, clipped below", by_group.agg(m=mean("x", clip=(18, 20))), LOW, ("l1", "l2_squared", "linf")),
    ("square", "clipped above", by_group.agg(v=variance("z", clip=(0, 20))), ALIKE, ("l1", "l2_squared", "linf")),
    ("square", "clipped below", by_group.agg(v=variance("z", clip=(380, 400))), LOW, ("l1", "l2_squared", "linf")),
    ("square", "high", by_group.agg(v=variance("x")), ALIKE, ("l1", "l2_squared", "linf")),
    ("square", "low", by_group.agg(v=variance("z")), LOW, ("l1", "l2_squared", "linf")),
    ("square", "spread", by_group.agg(v=variance("x")), SPREAD, ("l0", "l1")),
    ("square", "coarse", by_group.agg(v=variance("z", step=10)), ALIKE, ("l1", "l2_squared", "linf")),
    ("product", "alike", by_group.agg(c=covariance("x", "z")), ALIKE, ("l1", "l2_squared", "linf")),
    ("product", "low", by_group.agg(c=correlation("x", "y")), LOW, ("l1", "l2_squared", "linf")),
    (
        "product",
        "spread",
        by_group.agg(c=covariance("x", "z")),
        [row | {"z": "400"} for row in SPREAD],
        ("l0", "l1"),
    ),
    (
        "total",
        "computed",
        by_group.with_columns(d=2 * col("x") - col("z")).agg(m=mean("d")),
        [row | {"z": "0"} for row in ALIKE],
        ("l1", "l2_squared", "linf"),
    ),
    ("moments", "alike", by_group.agg(f=TWO_TERMS), ALIKE, ("l1", "l2_squared", "linf")),
    ("moments", "low", by_group.agg(f=TWO_TERMS), LOW, ("l1", "l2_squared", "linf")),
    ("moments", "spread", by_group.agg(f=TWO_TERMS), [row | {"z": "400"} for row in SPREAD], ("l0", "l1")),
    ("moments", "one row", query("t").agg(f=TWO_TERMS).bound(rows=1), ALIKE, ALL),
    ("moments", "rows that count in full", by_group.agg(f=AT_ITS_ENDS), ALIKE, ("l1", "l2_squared", "linf")),
    ("moments", "a category and a product", query("t").agg(f=WITH_LEVELS), ALIKE, ("l1", "l2_squared", "linf")),
    ("exits", "alike", by_group.agg(s=OVER_TIME), LOW, ("l1", "l2_squared", "linf")),
    ("exits", "one row", by_group.agg(s=OVER_TIME).bound(rows=1), LOW, ALL),
    ("exits", "spread", by_group.agg(s=OVER_TIME), [row | {"z": "0"} for row in SPREAD], ("l0", "l1")),
    ("exits", "by number", query("t").agg(s=Exits("z", "e", bins=7)), LOW, ("l1", "l2_squared", "linf")),
    ("step", "alike", query("t").agg(f=STEP), ALIKE, ("l1", "l2_squared", "linf")),
    ("step", "one row", query("t").agg(f=STEP).bound(rows=1), ALIKE, ALL),
    ("meat", "alike", query("t").agg(m=SCORES), HALFWAY, ("l2_squared", "linf")),
    ("meat", "all alike", query("t").agg(m=ALIKE_SCORES), ALIKE, ("l0", "l1")),
    ("meat", "alike, by group", by_group.agg(m=SCORES), HALFWAY, ("linf",)),
    ("leaves", "alike", by_group.agg(h=histogram("x")), ALIKE, ("l1", "l2_squared", "linf")),
    ("leaves", "spread", query("t").agg(h=histogram("z", [0, 50, 150, 300, 400])), SPREAD, ("l0", "l1")),
    ("tails", "alike", by_group.agg(t=tails()), ALIKE, ALL),
    ("tails", "spread", by_group.agg(t=tails()).bound(rows=1), SPREAD, ALL),
    ("tree", "alike", by_group.agg(q=quantile("z")), ALIKE, ("l1", "l2_squared", "linf")),
    ("tree", "spread", query("t").agg(q=quantile("z")), SPREAD, ("l0", "l1")),
    ("tree", "spread over groups", by_group.agg(q=quantile("z")), SPREAD, ("l0", "l1")),
]
NAMES = [f"{kind}: {name}" for kind, name, *_ in TIGHT]
REACHED = [(name, reached) for name, (*_, reached) in zip(NAMES, TIGHT, strict=True)]


@cache
def made(rows: str) -> Snapshot:
    """One snapshot for all measures that read the same rows (most of their time would go there)."""
    return neighbours.snapshot_of(SCHEMA, {"t": json.loads(rows)})


@cache
def moved(name: str) -> tuple[Moved, Sensitivity]:
    """How far the first measure of a kind moves when ``v`` leaves, and how far it may; on every engine."""
    kind, _, asked, rows, _ = TIGHT[NAMES.index(name)]
    every = {"t": CROWD + rows}
    plan = make_plan(asked, SCHEMA)
    before, after = (made(json.dumps(part["t"])) for part in (every, neighbours.without(SCHEMA, every, "t", "v")))
    steps = neighbours.promise_kept(plan, before, after)[0]
    index = [measure.kind for measure in plan.measures].index(kind)  # type: ignore[arg-type]
    return steps[index], plan.measures[index].sensitivity


@pytest.mark.parametrize(("name", "reached"), REACHED, ids=NAMES)
def test_every_bound_is_reached(name: str, reached: tuple[str, ...]) -> None:
    step, bound = moved(name)
    assert {n: getattr(step, n) for n in reached} == {n: getattr(bound, n) for n in reached}


@pytest.mark.parametrize(("name", "reached"), REACHED, ids=NAMES)
def test_a_bound_that_is_too_small_is_found_out(name: str, reached: tuple[str, ...]) -> None:
    step, bound = moved(name)
    for label in reached:
        size = getattr(bound, label)
        if size > 1:
            assert step.passes(replace(bound, **{label: size - 1})), f"{label} one less"
            assert step.passes(replace(bound, **{label: size // 2})), f"{label} halved"


def test_every_kind_of_measure_and_every_bound_is_reached_somewhere() -> None:
    from typing import get_args

    from pets.plan.measure import MeasureKind

    reached = {(kind, label) for kind, *_, labels in TIGHT for label in labels}
    assert reached == {(kind, label) for kind in get_args(MeasureKind) for label in ("l0", "l1", "l2_squared", "linf")}


def test_the_check_finds_a_rank_that_looks_at_other_people() -> None:
    """Shuffled rows are kept by position: an order that is not a person's own changes what others keep."""
    rows = [
        {"id": str(i % 3), "g": "abcdef"[i % 6], "x": str(i), "y": "1", "z": str(i), "e": "true"} for i in range(40)
    ]
    kept = []
    for data in (rows, [row for row in rows if row["id"] != "1"][::-1]):
        first: dict[str, list[tuple[str, str]]] = {}
        for row in data:
            first.setdefault(row["id"], []).append((row["g"], row["z"]))
        kept.append(Counter(tuple(mine[:K]) for mine in first.values()))
    assert (kept[1] - kept[0]).total() > 0  # what keeps_the_promise refuses
    assert oracle.people(SCHEMA, "t", {"t": rows}).keys() == {"0", "1", "2"}
