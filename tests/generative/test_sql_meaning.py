"""Questions about people, printed as SQL: DuckDB runs the text on the kept rows, and finds the same people.

Each feature of everybody who is in is what the oracle says it is. DuckDB knows some of pets' words by macros; what is
rounded or clamped on pets' own grid, which SQL has no word for, is left out.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from fractions import Fraction
from typing import Any

import duckdb
import pytest
from hypothesis import assume, event, given, settings

from pets import testing
from pets.schema.schema import Boolean, Date, DateTime, Domain, Integer, Real, Time
from tests import oracle, people, people_strategies
from tests.generative.test_people import kept
from tests.people_strategies import Case

MACROS = """
CREATE OR REPLACE MACRO days_between(a, b, low, high) AS CASE WHEN b - a BETWEEN low AND high THEN b - a END;
CREATE OR REPLACE MACRO age_at(a, b) AS CASE WHEN b >= a THEN
    year(b) - year(a) - CASE WHEN (month(b), day(b)) < (month(a), day(a)) THEN 1 ELSE 0 END END;
"""
OWN = re.compile(r"\b(MEAN|CLIP|EPISODES|ALL_OF|ANY_OF)\(")
NAME = r'("[^"]+"|\w+)'
RULES = [
    (r"PEOPLE\(\)", "everybody"),
    (r'PEOPLE\("?(\w+)"?\)', r"everybody_\1"),
    (r"BOUND\((\w+), rows := (\d+)\) AS \w+", r"(SELECT * FROM \1 WHERE rank <= \2) AS \1"),
    *(
        (
            rf"{word}_NULL\({NAME}, {NAME}, (\d+)\)",
            rf"list_extract({sort}(list((\2, {sign}rank, \1)) FILTER (WHERE \2 IS NOT NULL)), \3)[3]",
        )
        for word, sort, sign in (("ARG_MIN", "list_sort", ""), ("ARG_MAX", "list_reverse_sort", "-"))
    ),
    (rf"ARG_MIN_NULL\({NAME}, {NAME}\)", r"arg_min_null(\1, CASE WHEN \2 IS NOT NULL THEN (\2, rank) END)"),
    (rf"ARG_MAX_NULL\({NAME}, {NAME}\)", r"arg_max_null(\1, CASE WHEN \2 IS NOT NULL THEN (\2, -rank) END)"),
]  # fmt: skip


def kind(domain: Domain | None) -> str:
    """DuckDB's type of a column."""
    kinds = (
        (Integer, "BIGINT"),
        (Real, "DOUBLE"),
        (DateTime, "TIMESTAMP"),
        (Date, "DATE"),
        (Time, "TIME"),
        (Boolean, "BOOLEAN"),
    )
    return next((name for one, name in kinds if isinstance(domain, one)), "VARCHAR")


def filled(case: Case, rows: dict[str, list[oracle.Kept]], connection: Any) -> None:
    """The kept rows as tables, and everybody who is in one of them, with the columns of the person table."""
    connection.execute(MACROS)
    owner = people.person_table(case.schema, case.query)
    numbers = {row.person for several in rows.values() for row in several}
    for name, several in rows.items():
        fields = case.schema.fields(name)
        columns = [column for column in fields if column != "id"]
        listed = ", ".join(f'"{column}" {kind(fields[column])}' for column in columns)
        connection.execute(f"CREATE TABLE {name} (id BIGINT, rank BIGINT, {listed})")
        for row in several:
            values = [cell(row.values[column]) for column in columns]
            connection.execute(f"INSERT INTO {name} VALUES ({', '.join('?' * (2 + len(values)))})",
                               [row.person, row.rank, *values])  # fmt: skip
    connection.execute("CREATE TABLE anybody (id BIGINT)")
    for number in numbers:
        connection.execute("INSERT INTO anybody VALUES (?)", [number])
    more = "" if owner is None else f"LEFT JOIN (SELECT * EXCLUDE (rank) FROM {owner} WHERE rank = 1) USING (id)"
    connection.execute(f"CREATE VIEW everybody AS SELECT * FROM anybody {more}")
    for name in rows:
        connection.execute(f"CREATE VIEW everybody_{name} AS FROM everybody WHERE id IN (SELECT id FROM {name})")


def cell(value: Any) -> Any:
    if isinstance(value, dt.timedelta):
        return (dt.datetime.min + value).time()
    return float(value) if isinstance(value, Fraction) else value


def alike(value: Any) -> Any:
    """A value of the oracle's or of DuckDB's, in one form."""
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, (dt.time, dt.timedelta)):
        return str(cell(value))
    return str(value)[:10] if isinstance(value, dt.date) and not isinstance(value, dt.datetime) else (
        str(value) if isinstance(value, dt.datetime) else round(float(value), 9)
    )  # fmt: skip


def agree(case: Case) -> None:
    """DuckDB's people and features are the oracle's."""
    assume(all(aggregate.traits.spellings for _, aggregate in case.query.aggregates))
    text = case.query.sql(case.schema)
    assume("1/3" not in str(case.schema.to_json()) and not OWN.search(text))
    linked = testing.linked(case.schema, case.sources(), list(case.schema.tables))
    rows = kept(case, linked)
    assert case.query.people is not None
    names = [name for name, _ in case.query.people.features]
    assume(names)
    condition = case.query.condition
    wanted = Counter(
        tuple(alike(row.values[name]) for name in names)
        for row in people.as_rows(case.schema, case.query, rows)
        if condition is None or oracle.holds(condition, row.values)
    )
    if condition is None and case.query.people.of is None:  # everybody in the person table
        text = text.replace("PEOPLE()", f"PEOPLE({people.person_table(case.schema, case.query)})")
    source = text[text.index("\nFROM ") :].partition("\nGROUP BY")[0]
    for wrong, right in RULES:
        source = re.sub(wrong, right, source)
    with duckdb.connect() as connection:
        filled(case, rows, connection)
        listed = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
        found = connection.execute(f"SELECT {listed} {source}").fetchall()
    assert Counter(tuple(map(alike, row)) for row in found) == wanted, source
    event("nobody" if not wanted else "somebody")


@settings(max_examples=20)
@given(case=people_strategies.cases(computed=False))
def test_duckdb_finds_the_people_of_the_printed_text(case: Case) -> None:
    agree(case)


@pytest.mark.soak
@pytest.mark.timeout(0)
@settings(max_examples=2000)
@given(case=people_strategies.cases(computed=False))
def test_duckdb_finds_the_people_of_the_printed_text_soak(case: Case) -> None:
    agree(case)
