"""People: every engine gives what a question means, and one person moves the vector by at most the stated norms.

The person is removed from every table at once. Everybody else then keeps the same features, which is more.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import event, given, settings

from pets import testing
from pets.plan.plan import make_plan
from pets.rows.linked import Linked
from pets.rows.tabulate import LOCAL as TABULATORS
from pets.rows.tabulate import tabulate
from tests import oracle, people, people_strategies
from tests.generative.compare import differences
from tests.generative.neighbours import Moved
from tests.people_strategies import Case
from tests.soaking import told
from tests.spec.engines import ENGINES, Engine


def kept(case: Case, linked: Linked) -> dict[str, list[oracle.Kept]]:
    """What the snapshots keep, after a check that it is what the rows mean."""
    return {name: oracle.kept(case.schema, name, case.data, snapshot) for name, snapshot in linked.snapshots.items()}


def agree(case: Case, engines: dict[str, Engine]) -> None:
    """Every engine gives the answer that the oracle gives on the rows that are kept."""
    linked = testing.linked(case.schema, case.sources(), list(case.schema.tables))
    wanted = people.answer(case.schema, case.query, kept(case, linked))
    plan = make_plan(case.query, case.schema)
    vectors = {engine: tabulate(plan, linked, engine).reveal().tolist() for engine in TABULATORS}
    assert len({tuple(vector) for vector in vectors.values()}) == 1, vectors
    event("nobody" if not any(vectors["duckdb"]) else "somebody")
    for name, engine in engines.items():
        wrong = differences(wanted, engine(case.schema, linked, case.query))
        assert not wrong, f"{name}: {wrong[:5]}"


TABLES = {name: ENGINES[name] for name in TABULATORS}


@settings(max_examples=40)
@given(case=people_strategies.cases())
def test_every_engine_gives_what_a_question_about_people_means(case: Case) -> None:
    agree(case, TABLES)


@pytest.mark.soak
@pytest.mark.timeout(0)
@settings(max_examples=2000)
@given(case=people_strategies.cases())
def test_every_engine_gives_what_a_question_about_people_means_soak(case: Case) -> None:
    agree(case, TABLES)
    told("engines agree about people")


def everybody(case: Case) -> list[str]:
    """Everybody who has a row somewhere."""
    found: dict[str, None] = {}
    for name, rows in case.data.items():
        table = case.schema.table(name)
        found |= dict.fromkeys(
            one for i, row in enumerate(rows) if (one := oracle.person_of(table, row, i)) is not None
        )
    return list(found)


def without(case: Case, person: str) -> Case:
    """The same case without one person's rows, in whatever table."""
    data = {
        name: [row for i, row in enumerate(rows) if oracle.person_of(case.schema.table(name), row, i) != person]
        for name, rows in case.data.items()
    }
    return Case(case.schema, data, case.query)


def shown(case: Case, linked: Linked) -> Counter[tuple[Any, ...]]:
    """Everybody's features, without their numbers."""
    rows = people.as_rows(case.schema, case.query, kept(case, linked))
    return Counter(tuple(sorted((name, str(value)) for name, value in row.values.items())) for row in rows)


def keeps_the_promise(case: Case, persons: int = 6) -> None:
    """Each of some people, removed from all tables, moves the vector by at most its sensitivity, on every engine."""
    plan = make_plan(case.query, case.schema)
    names = list(case.schema.tables)
    before = testing.linked(case.schema, case.sources(), names)
    first = {engine: tabulate(plan, before, engine).reveal().tolist() for engine in TABULATORS}
    reached = False
    for person in everybody(case)[:persons]:
        fewer = without(case, person)
        after = testing.linked(case.schema, fewer.sources(), names)
        for engine, vector in first.items():
            second = tabulate(plan, after, engine).reveal().tolist()
            for measure, block in zip(plan.measures, plan.blocks, strict=True):
                moved = Moved.between(vector[block], second[block])
                wrong = moved.passes(measure.sensitivity)
                assert not wrong, f"{engine}, {measure.name}, without {person}: {'; '.join(wrong)}"
                reached |= moved.linf == measure.sensitivity.linf
        gone, come = shown(case, before), shown(fewer, after)
        assert (gone - come).total() <= 1 and not come - gone, f"others changed without {person}: {gone - come}"
    event("some bound is reached" if reached else "no bound is reached")


@settings(max_examples=30)
@given(case=people_strategies.cases())
def test_one_person_in_all_tables_moves_the_vector_by_at_most_its_sensitivity(case: Case) -> None:
    keeps_the_promise(case)


@pytest.mark.soak
@pytest.mark.timeout(0)
@settings(max_examples=500)
@given(case=people_strategies.cases())
def test_one_person_in_all_tables_moves_the_vector_by_at_most_its_sensitivity_soak(case: Case) -> None:
    keeps_the_promise(case)
    told("one person moves the vector")
