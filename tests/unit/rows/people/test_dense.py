"""Everybody is grouped in an array where there is room for one, and answers are what they are without."""

from __future__ import annotations

import pytest

import pets
from pets import col
from pets.plan.plan import make_plan
from pets.query_model.query import Query
from pets.rows.linked import Linked
from pets.rows.people import dense
from pets.rows.people.lowered import People
from pets.rows.tabulate import LOCAL as ENGINES
from pets.rows.tabulate import tabulate
from tests.unit.rows.test_people import DRUGS, FIRST, SCHEMA, STAYS, data, linked

MANY = 6000  # codes of 13 bits, also of those in the person table
GIB = 2**30
EVERYBODY = (
    pets.people(of="p", stays=STAYS.count(max=5), drugs=DRUGS.count(max=5), first=FIRST)
    .group_by("sex")
    .agg(n=pets.count(), stays=pets.sum("stays"), drugs=pets.sum("drugs"), none=pets.count(col("first").is_null()))
)
SOME = EVERYBODY.where(col("first").between("2020-01-03", "2020-01-05"))


@pytest.fixture(scope="module")
def many() -> Linked:
    found: Linked = linked(data(people=MANY))
    found.connection().con.execute("SET threads = 2")
    return found


def way(query: Query, rows: Linked) -> str:
    """How DuckDB would group the people of a question."""
    people = People(make_plan(query, SCHEMA), rows)
    cursor = people.connection().con.cursor()
    people.tell(cursor)
    shown = f"EXPLAIN {people.before} FROM snap"
    return "".join(cursor.execute(shown).fetchone()[1].split()).upper()


def test_all_people_are_grouped_in_an_array_and_few_are_not(many: Linked) -> None:
    assert "PERFECT" in way(EVERYBODY, many)
    assert "PERFECT" not in way(SOME, many)


def test_answers_are_the_same_in_an_array(many: Linked, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_plan(EVERYBODY, SCHEMA)
    inside, other = (tabulate(plan, many, engine).reveal().tolist() for engine in ENGINES)
    monkeypatch.setattr(dense, "key_bits", lambda *_: 0)
    assert "PERFECT" not in way(EVERYBODY, many)
    assert inside == other == tabulate(plan, many).reveal().tolist()
    # 2,400 women and as many men; four stays and, of two thirds, three drugs each, told as twice their way from 2.5
    assert other == [2400, 2400, 0, 7200, 7200, 0, -2400, -2400, 0, 0, 0, 0]


@pytest.mark.parametrize("engine", ENGINES)
def test_who_is_not_in_the_named_table_is_left_out_of_the_few(engine: str) -> None:
    # the first stay of number n is on the day after n % 7 others; each fifth has no row in the table of people
    there = [number for number in range(60) if number % 7 in (2, 3, 4) and number % 5]
    found = tabulate(make_plan(SOME, SCHEMA), linked(data(people=60)), engine).reveal().tolist()
    assert found[:3] == [sum(number % 2 == 0 for number in there), sum(number % 2 for number in there), 0]


@pytest.mark.parametrize(
    ("people", "rows", "sums", "memory", "threads", "bits"),
    [
        (3_000_000, 20_000_000, 2, 10 * GIB, 2, 23),
        (3_000_000, 20_000_000, 2, 8 * GIB, 2, 0),  # two arrays of 2²³ places with room for three sums: 1.1 GiB
        (3_000_000, 20_000_000, 60, 10 * GIB, 2, 0),
        (3_000_000, 20_000_000, 2, 999 * GIB, 3, 0),  # three arrays of 2²³ places are more than there are rows
        (3_000_000, 1_000_000, 2, 8 * GIB, 2, 0),
        (1_000, 10_000, 2, 8 * GIB, 2, 0),  # DuckDB does so anyway
        (2**31, 2**35, 0, 2**60, 1, 0),  # more bits than it can be told
    ],
)
def test_an_array_must_be_worth_its_memory(
    people: int, rows: int, sums: int, memory: int, threads: int, bits: int
) -> None:
    assert dense.key_bits(people, rows, sums, memory, threads) == bits


@pytest.mark.parametrize(("limit", "bits"), [("90MB", 12), ("200MB", 16), ("0.5TiB", 16)])
def test_the_limit_of_memory_is_read(many: Linked, limit: str, bits: int) -> None:
    cursor = many.connection().con.cursor()
    before = cursor.execute("SELECT current_setting('memory_limit')").fetchone()[0]
    try:
        cursor.execute(f"SET memory_limit = '{limit}'")
        dense.tell(cursor, 2**14, 2**17, 3)  # 2**16 places, four numbers, two threads: 12 MiB
        assert cursor.execute("SELECT current_setting('perfect_ht_threshold')").fetchone() == (bits,)
    finally:
        cursor.execute(f"SET memory_limit = '{before}'")
