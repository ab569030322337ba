"""SQL there and back on random queries; no text, however broken, gives another question or a library's error."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

import pets
from pets.errors import QueryError, UserError
from pets.plan.plan import make_plan
from pets.query_model.codelists.codelist import InCodelist
from pets.query_model.expression import And, IsIn, Not, Or
from pets.query_model.features import Case
from pets.query_model.query import Query
from pets.schema.schema import Schema
from tests import people_strategies, strategies
from tests.soaking import told

Draw = Any


@st.composite
def asked(draw: Draw) -> tuple[Schema, Query]:
    schema = draw(strategies.schemas())
    query = draw(strategies.queries(schema))
    assume(all(aggregate.traits.spellings for _, aggregate in query.aggregates))  # no SQL asks for a model's sums
    return schema, query


def without_lists(query: Query, schema: Schema) -> Query:
    """The query with each code list as IN of the codes that its column holds, which SQL has no other word for."""

    def plain(node: Any) -> Any:
        if isinstance(node, InCodelist):
            domain = schema.fields(query.table).get(node.column)
            return IsIn(node.column, node.codes) if domain is None else node.known(domain)
        if isinstance(node, Not):
            return replace(node, term=plain(node.term))
        return replace(node, terms=tuple(map(plain, node.terms))) if isinstance(node, (And, Or)) else node

    measures = [(name, replace(one, where=plain(one.where)) if hasattr(one, "where") else one)
                for name, one in query.aggregates]  # fmt: skip
    return replace(query, condition=plain(query.condition), aggregates=tuple(measures))


def read(text: str, schema: Schema) -> Query:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of days compared with date-times
        return pets.sql(text, schema)


@settings(max_examples=300)
@given(found=asked())
def test_a_query_in_sql_is_the_same_query(found: tuple[Schema, Query]) -> None:
    there_and_back(*found)


@st.composite
def asked_of_people(draw: Draw) -> tuple[Schema, Query]:
    schema = draw(people_strategies.schemas())
    query = draw(people_strategies.questions(schema))
    assert query.people is not None
    features = [one for _, one in query.people.features]
    early = query.people.of is None and any(isinstance(one, Case) for one in features[:1])
    assume(not early)  # a case before anything that is read of rows has no place in SQL
    assume(InCodelist.kind not in str(query.to_json()))  # SQL has no other word for it than IN
    assume(all(aggregate.traits.spellings for _, aggregate in query.aggregates))
    return schema, query


def there_and_back(schema: Schema, query: Query) -> None:
    """A query in SQL, read again, is the same query."""
    text = query.sql(schema)
    back, listed = read(text, schema), without_lists(query, schema)
    assert back == listed, text
    assert back.digest == listed.digest
    if listed != query and not query.derived:  # a code list is written as the codes that there are
        assert make_plan(back, schema).where == make_plan(query, schema).where
    assert back.sql(schema) == text


@settings(max_examples=60)
@given(found=asked_of_people())
def test_a_question_about_people_in_sql_is_the_same_question(found: tuple[Schema, Query]) -> None:
    there_and_back(*found)


@pytest.mark.soak
@pytest.mark.timeout(0)
@settings(max_examples=10_000)
@given(rows=asked(), people=asked_of_people())
def test_there_and_back_soak(rows: tuple[Schema, Query], people: tuple[Schema, Query]) -> None:
    there_and_back(*rows)
    there_and_back(*people)
    told("SQL there and back")


# ── hostile texts ─────────────────────────────────────────────────────────────────────────────────────────────────────

TOKENS = """
SELECT FROM WHERE GROUP BY HAVING ORDER LIMIT OFFSET WITH AS AND OR NOT IN BETWEEN IS NULL LIKE CASE WHEN THEN ELSE
END COUNT SUM AVG MIN MAX MEDIAN DISTINCT FILTER OVER PARTITION UNION ALL JOIN LEFT ON USING EXISTS EXTRACT YEAR
DATE_TRUNC CAST DATE TIMESTAMP INTERVAL TRUE FALSE BINS CLIP BOUND KEYS HISTOGRAM ROWS := QUALIFY ROLLUP VALUES DROP
TABLE INSERT PEOPLE DAYS_BETWEEN COALESCE COMPUTED WITH_COLUMN MAPPED LEAST
t p id c n 1 0 -1 1.5 1e9 'a' '' * ( ) , ; . + - / % = <> < <= :: || !
? $1 @ # -- /* */ // [ ] { } " ' \\ é
"""
WORDS = [*TOKENS.split(), '"a b"', "'2020-01-01'", "\x00", "\n"]


@st.composite
def mutated(draw: Draw) -> tuple[Schema, str]:
    """The text of a good query with some of its words changed, dropped, doubled or moved."""
    schema, query = draw(st.one_of(asked(), asked_of_people()))
    words = re.findall(r"\w+|\s+|.", query.sql(schema), re.DOTALL)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(words) - 1))
        change = draw(st.sampled_from(["set", "drop", "double", "swap"]))
        if change == "set":
            words[place] = draw(st.sampled_from(WORDS))
        elif change == "drop" and len(words) > 1:
            del words[place]
        elif change == "double":
            words.insert(place, words[place])
        else:
            other = draw(st.integers(0, len(words) - 1))
            words[place], words[other] = words[other], words[place]
    return schema, "".join(words)


garbage = st.one_of(
    st.text(max_size=80),
    st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join),
    st.lists(st.sampled_from(WORDS), max_size=25).map(lambda words: "SELECT COUNT(*) FROM t " + " ".join(words)),
)


def never_a_wrong_query(text: str, schema: Schema) -> None:
    """Read or refused in pets' own words; what is read is a query that says itself again."""
    try:
        query = read(text, schema)
    except UserError as error:
        assert str(error)
        assert "\x1b" not in str(error), "a parser's own message"
        return
    again = read(query.sql(schema), schema)
    assert again == query
    try:
        make_plan(query, schema)
    except QueryError as error:
        assert str(error)


SCHEMA = Schema.load(
    {"tables": {"t": {"unit": {"column": "id", "max_rows": 3}, "columns": {
        "id": {"type": "identifier"}, "c": {"type": "integer", "min": 0, "max": 9},
        "a b": {"type": "category", "values": ["a", "b"]},
        "n": {"type": "date", "min": "2020-01-01", "max": "2021-01-01"},
    }}}}
)  # fmt: skip


@settings(max_examples=250)
@given(found=mutated())
def test_changed_sql_is_read_or_refused(found: tuple[Schema, str]) -> None:
    never_a_wrong_query(found[1], found[0])


@settings(max_examples=250)
@given(text=garbage)
@example(text="SELECT COUNT(*) FROM t WHERE " + "NOT " * 3_000 + "c = 1")
@example(text="SELECT " + "(" * 30_000)
@example(text="SELECT COUNT(*) FROM t WHERE " + " AND ".join(["c = 1"] * 3_000))
@example(text="SELECT " * 2_000)
@example(text="SELECT COUNT(*) FROM t WHERE c = " + "9" * 50_000)
@example(text="SELECT COUNT(*) FROM t WHERE c = 1e999999999")
@example(text="SELECT 'a")
@example(text="a" * 200_000)
def test_garbage_is_refused(text: str) -> None:
    never_a_wrong_query(text, SCHEMA)


@pytest.mark.soak
@pytest.mark.timeout(0)
@settings(max_examples=10_000)
@given(found=mutated(), text=garbage)
def test_hostile_texts_soak(found: tuple[Schema, str], text: str) -> None:
    never_a_wrong_query(found[1], found[0])
    never_a_wrong_query(text, SCHEMA)
    told("hostile texts")
