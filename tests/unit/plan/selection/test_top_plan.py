"""Top plan: one count of groups that a key set can name; what one person raises; keys of places."""

from __future__ import annotations

from typing import Any

import pytest

import pets
from pets import col
from pets.errors import QueryError
from pets.plan.plan import make_plan
from pets.plan.selection.top_plan import TopPlan, make_top_plan, question_of

COLUMNS = {
    "id": pets.Identifier(),
    "code": pets.Category(["a", "b", "c"]),
    "sure": pets.Category(["x", "missing"], nullable=False),
    "size": pets.Integer(3, 5, nullable=False),
    "ok": pets.Boolean(),
    "day": pets.Date("2024-01-01", "2024-01-03", nullable=False),
    "note": pets.Text(5),
}
SCHEMA = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=6, rows=4), COLUMNS)}, dataset="d")
T = pets.query("t")


def top(query: Any, k: int = 1) -> TopPlan:
    asked, most = question_of(query, k)
    return make_top_plan(make_plan(asked, SCHEMA), most)


@pytest.mark.parametrize(
    ("query", "linf", "counted"),
    [
        (T.group_by("code").agg(n=pets.count_units()), 1, "people"),
        (T.group_by("code", "size").agg(n=pets.count_units()), 1, "people"),
        (T.group_by("code").agg(n=pets.count()), 4, "rows"),
        (T.group_by("code").agg(n=pets.count(where=col("ok") == True)).bound(rows=2), 2, "rows"),  # noqa: E712
        (T.group_by("code").agg(n=pets.count()).bound(rows=6, rows_per_group=1), 1, "rows"),
    ],
)
def test_one_person_raises_a_count_by_what_the_question_lets_them(query: Any, linf: int, counted: str) -> None:
    found = top(query)
    assert (found.linf, found.counted) == (linf, counted)


def test_keys_of_places_are_those_that_a_key_set_lists() -> None:
    found = top(T.group_by("code", "ok").agg(n=pets.count()))
    keys = found.keys([0, 2, 3, 11])
    assert keys == [["a", False], ["a", None], ["b", False], [None, None]]
    listed = T.group_by(pets.KeySet(("code", "ok"), tuple(map(tuple, keys)))).agg(n=pets.count())
    assert make_plan(listed, SCHEMA).layout.keys == (0, 2, 3, 11)
    assert top(T.group_by("sure", "size", "day").agg(n=pets.count())).keys([17]) == [["missing", 5, "2024-01-03"]]


def test_a_listed_set_holds_the_candidates() -> None:
    texts = pets.KeySet.of([{"note": "zz"}, {"note": "aa"}, {"note": "mm"}])
    found = top(T.group_by(texts).agg(n=pets.count_units()), 2)
    assert found.candidates == 3
    assert found.keys([0, 2]) == [["aa"], ["zz"]]


def test_the_digest_is_of_question_schema_and_k() -> None:
    asked = T.group_by("code").agg(n=pets.count())
    assert top(asked, 1).digest == top(asked, 1).digest
    assert len({top(asked, 1).digest, top(asked, 2).digest, make_plan(asked, SCHEMA).digest}) == 3


@pytest.mark.parametrize(
    ("query", "k", "said"),
    [
        ("t", 1, "a query is built from"),
        (T.group_by("code").agg(n=pets.count()), 0, "k must be a whole number above 0"),
        (T.group_by("code").agg(n=pets.count()), 1.5, "k must be a whole number above 0"),
        (T.group_by("code").agg(n=pets.count()), 4, "has 4 groups, of which 4 are no choice"),
        (T.agg(n=pets.count()), 1, "add .group_by"),
        (T.group_by("code").agg(n=pets.sum("size")), 1, "one count of people or of rows"),
        (T.group_by("code").agg(n=pets.count(), m=pets.count_units()), 1, "one count of people or of rows"),
        (T.group_by(col("size").bins([3, 4, 5])).agg(n=pets.count()), 1, "no column as it is"),
        (T.group_by(col("day").weekday()).agg(n=pets.count()), 1, "no column as it is"),
        (T.group_by("note").agg(n=pets.count()), 1, r"text that nobody listed.*session\.group_keys"),
    ],
)
def test_what_is_no_choice_is_refused(query: Any, k: Any, said: str) -> None:
    with pytest.raises(QueryError, match=said):
        top(query, k)
