"""The plan: sensitivities, midpoints, shared counts, layouts and refusals, against answers worked out by hand."""

from __future__ import annotations

from fractions import Fraction

import pytest

import pets
from pets import col
from pets.errors import QueryError
from pets.plan.plan import Plan, make_plan


def schema(rows: int = 3, max_rows: int = 5, **table: object) -> pets.Schema:
    columns = {
        "id": pets.Identifier(),
        "sex": pets.Category(["F", "M"], nullable=False),
        "region": pets.Category(["n", "s", "e", "w"]),
        "v": pets.Integer(0, 100, nullable=False),
        "w": pets.Integer(-7, 7, nullable=False),
        "days": pets.Integer(1, 14),
        "cost": pets.Real(0, 1000, step=0.01),
        "day": pets.Date("2023-11-15", "2024-02-10"),
        "flag": pets.Boolean(nullable=False),
    }
    return pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=max_rows, rows=rows), columns, **table)})  # type: ignore[arg-type]


def plan(query: pets.Query, **settings: object) -> Plan:
    return make_plan(query, schema(**settings))  # type: ignore[arg-type]


def bounds(found: Plan, index: int = 0) -> tuple[int, int, int, int]:
    at = found.measures[index].sensitivity
    return at.l0, at.l1, at.l2_squared, at.linf


T = pets.query("t")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        # K = 3 rows, all of which may fall in one cell: L1 = L2 = L∞ = K, and they reach at most min(K, cells) cells
        (T.agg(n=pets.count()), (1, 3, 9, 3)),
        (T.group_by("sex").agg(n=pets.count()), (2, 3, 9, 3)),
        (T.group_by("region").agg(n=pets.count()), (3, 3, 9, 3)),
        (T.group_by("region").agg(n=pets.count()).bound(rows=1), (1, 1, 1, 1)),
        # a person counts once a group, in at most max_rows = 5 groups whatever K is; ungrouped just once
        (T.agg(u=pets.count_units()), (1, 1, 1, 1)),
        (T.group_by("region", "sex").agg(u=pets.count_units()).bound(rows=1), (5, 5, 5, 1)),
        (T.group_by("region", "sex").agg(u=pets.count_units()).bound(groups=2), (2, 2, 2, 1)),
        (T.group_by("region", "sex").agg(n=pets.count()).bound(groups=2), (2, 3, 9, 3)),
        # a sum alone is measured as it is: K × max(|lo|, |hi|)
        (T.agg(s=pets.sum("v")), (1, 300, 90_000, 300)),
        (T.agg(s=pets.sum("w")), (1, 21, 441, 21)),
        # a mean is centred: K × half the range (in half steps where the midpoint lies between two values)
        (T.agg(m=pets.mean("v")), (1, 150, 22_500, 150)),
        (T.agg(m=pets.mean("days")), (1, 39, 39**2, 39)),
        (T.agg(m=pets.mean("v", clip=(20, 40))), (1, 30, 900, 30)),
        # each row adds 1 or -1
        (T.agg(r=pets.rate(col("sex") == "F")), (1, 3, 9, 3)),
        (T.agg(h=pets.histogram("v", [0, 50, 100])), (2, 3, 9, 3)),
        # in one group of the sexes, a person's 3 rows may still fall in all 3 bins of it
        (T.group_by("sex").agg(h=pets.histogram("v", [0, 30, 60, 100])).bound(groups=1), (3, 3, 9, 3)),
        # 101 leaves under 7 nodes: two levels, each row once on each
        (T.agg(q=pets.quantile("v")), (6, 6, 18, 3)),
        (T.agg(q=pets.quantile("w")), (3, 3, 9, 3)),
    ],
    ids=str,
)
def test_sensitivities(query: pets.Query, expected: tuple[int, int, int, int]) -> None:
    assert bounds(plan(query)) == expected


def test_half_steps() -> None:
    """days 1..14 has its midpoint at 7.5: weights are odd numbers of half days from -13 to 13."""
    found = plan(T.agg(m=pets.mean("days")))
    weight = found.measures[0].weight
    assert weight is not None and weight.span == (-13, 13)
    assert found.outputs[0].centre == Fraction(15, 2) and found.outputs[0].factor == Fraction(1, 2)


def test_variance_is_centred_twice() -> None:
    found = plan(T.agg(x=pets.variance("v")))
    square = found.measures[0]
    # deviations reach 50, squares 2500; around 1250 a square moves by at most 1250
    assert square.kind == "square" and square.centre == 1250 and bounds(found) == (1, 3750, 3750**2, 3750)


def test_a_sum_is_centred_only_where_its_count_is_there_anyway() -> None:
    alone = plan(T.agg(s=pets.sum("v")))
    assert [m.kind for m in alone.measures] == ["total"] and alone.outputs[0].centre == 0
    shared = plan(T.agg(n=pets.count(), s=pets.sum("v")))
    assert [m.kind for m in shared.measures] == ["rows", "total"] and bounds(shared, 1) == (1, 150, 22_500, 150)
    assert shared.outputs[1].centre == 50 and shared.outputs[1].parts == (1, 0)


def test_one_count_serves_all_columns_declared_complete() -> None:
    found = plan(T.agg(n=pets.count(), a=pets.mean("v"), b=pets.mean("w"), r=pets.rate(col("flag") == True)))  # noqa: E712
    assert sum(measure.kind == "rows" for measure in found.measures) == 1
    nullable = plan(T.agg(n=pets.count(), a=pets.mean("v"), b=pets.mean("days")))
    assert sum(measure.kind == "rows" for measure in nullable.measures) == 2


def test_all_quantiles_of_a_column_share_one_tree() -> None:
    found = plan(
        T.agg(a=pets.quantile("cost", 0.1), b=pets.quantile("cost", 0.9), c=pets.quantile("cost", 0.5, bins=64))
    )
    assert len(found.measures) == 1 and found.measures[0].levels == (64, 4)


def test_layout_has_a_missing_slot_only_where_the_schema_allows_nulls() -> None:
    found = plan(T.group_by("sex", "region").agg(n=pets.count()))
    assert found.groups == 2 * 5
    assert found.layout.columns()["region"][:5] == ["n", "s", "e", "w", "missing"]
    assert found.layout.columns()["sex"] == ["F"] * 5 + ["M"] * 5


def test_calendar_keys() -> None:
    columns = plan(T.group_by(col("day").period("month")).agg(n=pets.count())).layout.columns()
    assert columns["day_month"] == ["2023-11", "2023-12", "2024-01", "2024-02", "missing"]
    columns = plan(T.group_by(col("day").month()).agg(n=pets.count())).layout.columns()
    assert columns["day_month"] == [1, 2, 11, 12, "missing"]
    columns = plan(T.group_by(col("day").quarter(), col("day").year()).agg(n=pets.count())).layout.columns()
    assert columns["day_quarter"][::3] == [1, 4, "missing"] and columns["day_year"][:3] == [2023, 2024, "missing"]


def test_key_sets_report_just_their_keys() -> None:
    keys = pets.KeySet.of([{"sex": "M", "region": "w"}, {"sex": "F", "region": "n"}])
    found = plan(T.group_by(keys).agg(n=pets.count()))
    assert found.groups == 2 and found.layout.columns() == {"sex": ["F", "M"], "region": ["n", "w"]}
    with pytest.raises(QueryError, match="'x' is not a key of 'region'"):
        plan(T.group_by(pets.KeySet.product({"region": ["x"]})).agg(n=pets.count()))


def test_refusals_before_anything_is_allocated() -> None:
    with pytest.raises(QueryError, match=r"at most 2,000,000"):
        plan(T.group_by("v", "w", "days", "region", "day").agg(n=pets.count()))
    with pytest.raises(QueryError, match=r"could pass 2\^62"):
        plan(T.agg(x=pets.variance("cost")), people=2**40)
    assert plan(T.agg(x=pets.variance("cost", step=1)), people=2**30).size == 3
    with pytest.raises(QueryError, match="ask for at most 5"):
        plan(T.agg(n=pets.count()).bound(rows=6))


def test_the_digest_is_of_meaning_not_of_spelling() -> None:
    a = plan(T.where(col("v") >= 18).agg(n=pets.count()))
    assert a.digest == make_plan(pets.Query.from_json(a.query.to_json()), schema()).digest
    assert a.digest != plan(T.where(col("v") > 18).agg(n=pets.count())).digest
    assert a.digest != plan(T.where(col("v") >= 18).agg(n=pets.count()).bound(rows=2)).digest
    assert a.digest != plan(T.where(col("v") >= 18).agg(n=pets.count()), max_rows=6).digest
    # True equals 1 in Python, but they are not the same question
    with pytest.raises(QueryError, match="True, False"):
        plan(T.where(col("flag") == True).agg(n=pets.count()))  # noqa: E712
        plan(T.where(col("flag") == 1).agg(n=pets.count()))


WIDE = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=3), {"id": pets.Identifier(), "v": pets.Integer(0, 2**60)},
                                    people=1000)})  # fmt: skip


def test_the_limit_is_of_what_is_summed_and_a_tighter_clip_mends_it() -> None:
    with pytest.raises(QueryError, match=r"could pass 2\^62 with 1,000 people; use .* a tighter clip"):
        make_plan(T.agg(s=pets.sum("v")), WIDE)
    far = 2**59
    for clip in ((0, 1), (far, far + 1)):
        for ask in (pets.mean, pets.sum):
            if ask is pets.sum and clip[0]:
                continue  # a sum of a thousand such values does pass 2^62
            found = make_plan(T.agg(s=ask("v", clip=clip), n=pets.count()), WIDE)
            assert max(measure.limit for measure in found.measures) < 2**20


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_clipped_sums_of_far_values_are_exact(engine: str) -> None:
    import pandas as pd

    from pets.testing import exact

    far = 2**45
    frame = pd.DataFrame({"id": ["a", "a", "b", "c"], "v": pd.array([0, far, far + 1, None], dtype="Int64")})
    query = T.agg(s=pets.sum("v", clip=(0, 1)), m=pets.mean("v", clip=(far, far + 3)))
    found = exact(WIDE, {"t": frame}, query, engine=engine)
    assert found["s"].tolist() == [2]
    assert found["m"].tolist() == [pytest.approx(far + 1 / 3, abs=0.01)]


def test_edges_that_doubles_round_are_the_grid_values() -> None:
    import numpy as np

    edges = np.linspace(0, 1, 11)
    assert edges[3] > 0.3
    tenths = pets.Schema({"t": pets.Table("row", {"x": pets.Real(0, 1, "0.1")})})  # type: ignore[arg-type]
    found = make_plan(pets.query("t").group_by(col("x").bins(edges)).agg(n=pets.count()), tenths)
    dimension = found.layout.dimensions[0]
    assert dimension.labels[2] == "[0.2, 0.3)"
    assert dimension.breaks[:4] == (0, 1, 2, 3)
    thirds = pets.Schema({"t": pets.Table("row", {"x": pets.Real(0, 1, "1/3")})})  # type: ignore[arg-type]
    found = make_plan(pets.query("t").group_by(col("x").bins([0, 1 / 3, 2 / 3, 1])).agg(n=pets.count()), thirds)
    assert found.layout.dimensions[0].breaks[:3] == (0, 1, 2)
    # an edge that lies between two grid values stays there
    found = make_plan(pets.query("t").group_by(col("x").bins([0, 0.3000001, 1])).agg(n=pets.count()), tenths)
    assert found.layout.dimensions[0].breaks[:2] == (0, 4)
