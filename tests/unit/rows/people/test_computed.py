"""What is computed of people's features: by hand, with a person planted at each bound, and with somebody gone."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import pets
from pets import col
from pets.errors import QueryError
from pets.plan.plan import make_plan
from pets.query_model.query import Query
from pets.rows.tabulate import LOCAL as ENGINES
from pets.rows.tabulate import tabulate
from tests.generative.neighbours import Moved
from tests.unit.rows.test_people import DRUGS, FIRST, ROWS, SCHEMA, STAYS, data, day, linked, vector

DRUG = DRUGS.first("day", by="day")
WIDE = (
    pets.people(
        of="stays",
        first=FIRST,
        drug=DRUG,
        stays=STAYS.count(max=6),
        drugs=DRUGS.count(max=5),
        episodes=DRUGS.episodes("day", gap=3, max=4),
        both=2 * STAYS.count(max=6) + DRUGS.count(max=5) - 1,
        late=pets.max_of(FIRST, DRUG),
        who=pets.case((col("drug").is_null(), "none"), (col("drugs") > 3, "many"), default="few"),
    )
    .with_columns(more=col("both") + col("drugs"), wait=col("drug") - col("first"))
    .group_by("who")
    .agg(
        n=pets.count(),
        episodes=pets.sum("episodes"),
        both=pets.sum("both"),
        more=pets.sum("more"),
        late=pets.count(~col("late").is_null()),
        soon=pets.count(col("wait").between(-6, 0)),
    )
)
EVIL = {
    "stays": [{"id": "evil", "day": day(0), "kind": "a", "cost": "1"}] * ROWS,
    "drugs": [{"id": "evil", "day": day(10 * k)} for k in range(ROWS)],
}


def rows_of(**drugs: list[int]) -> dict[str, list[dict[str, Any]]]:
    """People with one stay and drugs on such days."""
    stays = [{"id": name, "day": day(0), "kind": "a", "cost": "0"} for name in drugs]
    days = [{"id": name, "day": day(number)} for name, found in drugs.items() for number in found]
    return {"p": [{"id": name, "sex": "F"} for name in drugs], "stays": stays, "drugs": days}


@pytest.mark.parametrize("engine", ENGINES)
def test_an_episode_ends_where_the_next_event_is_further_than_the_gap(engine: str) -> None:
    rows = rows_of(none=[], one=[5, 5], near=[0, 30, 60], far=[0, 31, 62, 90], many=[0, 40, 80, 120, 160])
    query = pets.people(of="stays", n=DRUGS.episodes("day", gap=30, max=4)).group_by("n").agg(n_=pets.count())
    assert vector(query, rows, engine) == [1, 2, 0, 1, 1]
    every = pets.people(of="stays", n=DRUGS.episodes("day", gap=0, max=9)).group_by("n").agg(n_=pets.count())
    assert vector(every, rows, engine) == [1, 1, 0, 1, 1, 1, 0, 0, 0, 0]


@pytest.mark.parametrize("engine", ENGINES)
def test_rows_without_the_date_begin_no_episode(engine: str) -> None:
    rows = rows_of(lost=[], one=[3])
    rows["drugs"] += [{"id": "lost", "day": "1999-01-01"}] * 2  # outside the column's days
    query = pets.people(of="stays", n=DRUGS.episodes("day", gap=3, max=3)).group_by("n").agg(n_=pets.count())
    assert vector(query, rows, engine) == [1, 1, 0, 0]


@pytest.mark.parametrize("engine", ENGINES)
def test_what_lacks_a_part_is_missing(engine: str) -> None:
    """SQL's LEAST and GREATEST pass a missing value by."""
    rows = rows_of(without=[], earlier=[2], later=[8])
    for extreme in (pets.min_of, pets.max_of):
        query = pets.people(of="stays", x=extreme(FIRST + 5, DRUG), y=extreme(DRUGS.count(max=9), 0))
        asked = query.agg(missing=pets.count(col("x").is_null()), there=pets.count(~col("y").is_null()))
        assert vector(asked, rows, engine) == [1, 3]
    for extreme, listed in ((pets.min_of, (2, 5)), (pets.max_of, (5, 8))):
        keys = pets.KeySet.of([{"x": day(number)} for number in listed])
        query = pets.people(of="stays", x=extreme(FIRST + 5, DRUG)).group_by(keys).agg(n=pets.count())
        assert vector(query, rows, engine) == [1, 1]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_person_planted_at_every_bound_reaches_it(engine: str) -> None:
    rows, plan = data(), make_plan(WIDE, SCHEMA)
    more = {table: found + EVIL.get(table, []) for table, found in rows.items()}
    before, after = vector(WIDE, more, engine), vector(WIDE, rows, engine)
    for measure, block in zip(plan.measures, plan.blocks, strict=True):
        moved, bound = Moved.between(before[block], after[block]), measure.sensitivity
        assert moved == Moved(bound.l0, bound.l1, bound.l2_squared, bound.linf), measure.name


def test_a_person_who_leaves_moves_nobody_else() -> None:
    plan = make_plan(WIDE, SCHEMA)
    before = {engine: tabulate(plan, linked(data()), engine).reveal().tolist() for engine in ENGINES}
    assert before["duckdb"] == before["polars"]
    for name in ("n0", "n4", "n58"):
        rest = linked(data(without=name))
        for engine, first in before.items():
            second = tabulate(plan, rest, engine).reveal().tolist()
            for measure, block in zip(plan.measures, plan.blocks, strict=True):
                assert not Moved.between(first[block], second[block]).passes(measure.sensitivity), measure.name


@pytest.mark.parametrize(
    "question",
    [
        pets.people(n=DRUGS.count(max=9) + 1).where(col("n") > 0),
        pets.people(n=DRUGS.count(max=9)).with_columns(m=2 * col("n")).where(col("m") < 3),
        pets.people(n=DRUGS.count(max=9), k=pets.case((col("n") > 3, "a"), default="b")).where(col("k") == "b"),
        pets.people(n=DRUGS.episodes("day", gap=3, max=9)).where(col("n") == 0),
        pets.people(n=DRUGS.count(max=9) // 2).where(col("n") == 0),
        pets.people(d=DRUG, k=pets.case((col("d").is_null(), "a"), default="b")).where(col("k") == "a"),
    ],
)
def test_somebody_without_rows_is_not_let_in_by_what_is_computed(question: Query) -> None:
    with pytest.raises(QueryError, match="somebody without a row in any table meets the condition"):
        make_plan(question.agg(people=pets.count()), SCHEMA)


def test_bounds_follow_from_the_parts() -> None:
    fields = make_plan(WIDE, SCHEMA).fields
    assert [(fields[name].lo, fields[name].hi) for name in ("both", "more", "wait")] == [  # type: ignore[attr-defined]
        (-1, 16),
        (-1, 21),
        (-1095, 1095),
    ]
    assert str(fields["late"].lo) == "2020-01-01" and fields["late"].nullable  # type: ignore[attr-defined]
    assert not fields["who"].nullable
    assert make_plan(WIDE, SCHEMA).measures[0].sensitivity.l1 == 1


def test_a_sum_is_the_same_in_whatever_order() -> None:
    stays, drugs = STAYS.count(max=6), DRUGS.count(max=5)
    several = [stays + drugs - 1, drugs + (stays - 1), -(1 - stays - drugs), (2 * stays + drugs) - stays - 1]
    assert len({one.key for one in several}) == 1
    asked = pets.people(of="p", n=several[0]).agg(n_=pets.count())
    assert Query.from_json(asked.to_json()).digest == asked.digest
    assert (DRUG - FIRST).days(0, 9).to_json()["feature"] == "days"  # as it was written before


def test_each_interval_is_a_measure_that_one_person_moves_by_one() -> None:
    parts = DRUGS.intervals("day", FIRST, days=[-30, 0, 30, 60])
    assert list(parts) == ["days_minus30_minus1", "days_0_29", "days_30_59"]
    flags = {name: part.exists() for name, part in parts.items()}
    asked = pets.people(first=FIRST, **flags).where(~col("first").is_null())
    plan = make_plan(asked.agg(**{f"n_{name}": pets.count(col(name) == True) for name in parts}), SCHEMA)  # noqa: E712
    assert [measure.sensitivity.l1 for measure in plan.measures] == [1, 1, 1]
    assert plan.rows == 1


def test_an_explanation_says_what_is_computed() -> None:
    text = str(pets.explain(WIDE, SCHEMA))
    assert "episodes: number of episodes of day, 3 days apart at most within one, at most 4 in 'drugs'" in text
    assert "who: 'none' where drug is None, 'many' where drugs > 3, else 'few'" in text
    assert "late: max_of((first day by day in 'drugs'), (first day by day in 'stays'))" in text
    assert "more: both + drugs, so it holds whole numbers -1 to 21" in text


@pytest.mark.parametrize("engine", ENGINES)
def test_a_map_that_gives_everybody_one_name_is_a_column_like_any(engine: str) -> None:
    columns = {"id": pets.Identifier(), "sex": pets.Category(["F", "M"], nullable=False)}
    schema = pets.Schema({"p": pets.Table(pets.Unit("id", max_rows=1), columns)})
    rows = {"p": pd.DataFrame({"id": ["1", "2", "3"], "sex": ["F", "M", "F"]})}
    asked = pets.people(of="p", rows=pets.events("p").count(max=2)).with_columns(
        made=col("sex").map({"F": "all"}, otherwise="all")
    )
    found = pets.testing.exact(schema, rows, asked.group_by("made").agg(n=pets.count()), engine=engine)
    assert found.to_dict("list") == {"made": ["all"], "n": [3]}
