"""Verbs of other libraries: a sentence that says what there is, and that works when it is followed."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest

import pets
from pets import col
from pets.errors import PetsError, QueryError
from pets.query_model.verbs import INSTEAD

QUERY = pets.query("stays")


@pytest.mark.parametrize(
    ("verb", "said"),
    [
        ("groupby", r"a query has no \.groupby: group with group_by, such as \.group_by\('age', 'sex'\)"),
        ("loc", r"keep rows with where, such as \.where\(col\('age'\) >= 18\)"),
        ("join", "a query reads one table; .*person_table in the schema"),
        ("sort", "groups come in the order of their public keys; sort the answer"),
        ("assign", r"compute columns with \.with_columns\(days=col\('left'\) - col\('came'\)\), cut keys in group_by"),
        ("count", r"such as \.agg\(n=pets\.count\(\), days=pets\.sum\('days'\)\)"),
        ("collect", r"session\.release\(query, pets\.DP\(epsilon=0\.5\)\) answers it"),
        ("head", "which groups there are is public"),
        ("wheer", r"a query has no \.wheer; did you mean 'where'\?"),
    ],
)
def test_a_foreign_verb_says_what_there_is(verb: str, said: str) -> None:
    with pytest.raises(QueryError, match=said):
        getattr(QUERY, verb)
    assert not hasattr(QUERY, verb)


def test_what_the_sentences_name_works() -> None:
    made = QUERY.where(col("age") >= 18).group_by("age", "sex").agg(n=pets.count(), days=pets.sum("days"))
    assert made.group_by(col("age").bins([0, 18, 65, 120])).agg(c=pets.sum("cost", clip=(0, 1000)))
    assert col("admitted").period("month")
    for verb in INSTEAD:
        assert verb not in dir(pets.Query), verb


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: col("seen").hours(), r"a column has no \.hours; did you mean 'hour'\?"),
        (lambda: col("seen").dt, r"a column has no \.dt; there are: isin, between"),
        (lambda: col("seen").week(start=7), "week has no argument 'start'; .*from Sunday on write mmwr_week"),  # type: ignore[call-arg]
        (lambda: col("seen").mmwr_week("a", 2), "mmwr_week takes name, and 2 were given"),  # type: ignore[call-arg]
        (lambda: col("seen").day(start=1), "day has no argument 'start'; there are: name"),  # type: ignore[call-arg]
    ],
)
def test_a_column_says_what_it_has(wrong: Callable[[], object], said: str) -> None:
    with pytest.raises(QueryError, match=said):
        wrong()
    assert not hasattr(col("seen"), "hours")
    assert copy.copy(col("seen")).name == pickle.loads(pickle.dumps(col("seen"))).name == "seen"


def test_python_still_copies_and_looks_at_a_query() -> None:
    assert copy.deepcopy(QUERY) == copy.copy(QUERY) == pickle.loads(pickle.dumps(QUERY)) == QUERY
    for name in ("_ipython_display_", "_repr_mimebundle_", "__array__", "_nothing"):
        try:
            getattr(QUERY, name)
        except AttributeError as error:
            assert not isinstance(error, PetsError)
