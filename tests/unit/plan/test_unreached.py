"""What no row can reach is said before anything is spent; every sentence is checked against all rows there can be."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pets
from pets import col
from pets.errors import QueryError
from pets.plan.plan import make_plan
from pets.plan.unreached import unreached
from pets.query_model.expression import Filter

SCHEMA = pets.Schema(
    {
        "people": pets.Table(
            "row",
            {
                "age": pets.Integer(0, 120, nullable=False),
                "cost": pets.Real(0, 100, step=0.5),
                "sex": pets.Category(["Female", "Male"], nullable=False),
                "born": pets.Date("2000-01-01", "2009-12-31"),
            },
        )
    },
    dataset="unreached",
)
PEOPLE = pets.query("people")
N = pets.count()


def said(query: pets.Query) -> tuple[str, ...]:
    return unreached(make_plan(query, SCHEMA))


@pytest.mark.parametrize(
    ("condition", "leaves"),
    [
        (col("age") > 200, "no value of 'age' (whole numbers 0 to 120, never missing)"),
        (col("age") < 0, "no value of 'age'"),
        ((col("age") > 60) & (col("age") < 18), "no value of 'age'"),
        (col("age").between(18, 17.5), "no value of 'age'"),
        (col("age") == 17.5, "no value of 'age'"),
        (col("age").is_null(), "no value of 'age' (whole numbers 0 to 120, never missing)"),
        (col("cost").is_null() & (col("cost") <= 100), "no value of 'cost' (numbers 0 to 100 in steps of 0.5)"),
        ((col("sex") == "Male") & (col("sex") != "Male"), "no value of 'sex' (one of 2 categories, never missing)"),
        (~col("sex").isin(["Female", "Male"]), "no value of 'sex'"),
        (col("born") > "2010-01-01", "no value of 'born' (days 2000-01-01 to 2009-12-31)"),
        ((col("age") > 200) | (col("born") < "1999-01-01"), "no value of 'age' "),
        ((col("age") > 60) & ((col("age") < 18) | (col("age") == 20)), "no value of 'age'"),
        (((col("age") < 18) | (col("sex") == "Male")) & (col("age") > 60) & (col("sex") == "Female"), "no value of"),
        (((col("age") < 18) | (col("sex") == "Male")) & ((col("sex") == "Female") | (col("age") > 99)), None),
        (col("age") > 119, None),
        (col("cost").is_null(), None),
        ((col("age") > 60) | (col("age") < 18), None),
        (~(col("age") > 200), None),
    ],
)
def test_a_condition_that_no_row_can_meet(condition: Filter, leaves: str | None) -> None:
    found = said(PEOPLE.where(condition).agg(n=N))
    assert len(found) == (leaves is not None)
    if leaves is not None:
        assert found[0].startswith(f"No row can meet the query's condition, which leaves {leaves}")
        assert "nothing need be spent" in found[0]
    # the same condition on one output alone
    (inside, *more) = said(PEOPLE.agg(all=N, n=pets.count(where=condition))) or ("",)
    assert inside.startswith("n: no row can meet its condition") == (leaves is not None) and not more


@pytest.mark.parametrize("condition", [col("sex") == "X", col("sex").isin(["Male", "X"]), col("sex") != "X"])
def test_a_category_that_there_is_not_is_refused(condition: Filter) -> None:
    session = pets.Session(SCHEMA, budget=pets.Budget(epsilon=3, delta=1e-6), progress=False)
    with pytest.raises(QueryError, match=r"'X' is not one of its values.*(Female|Male)"):
        session.quote(PEOPLE.where(condition).agg(n=N), pets.DP(epsilon=1))


def test_every_place_says_it_before_anything_is_spent() -> None:
    rows = pd.DataFrame({"age": [40] * 50, "cost": [1.0] * 50, "sex": ["Male"] * 50, "born": ["2001-02-03"] * 50})
    session = pets.Session(SCHEMA, rows, budget=pets.Budget(epsilon=3, delta=1e-6), progress=False)
    never = PEOPLE.where(col("age") > 200).agg(n=N)
    banded = PEOPLE.group_by(col("age").bins([18, 65], "band")).agg(n=N)
    for query, text in ((never, "No row can meet the query's condition"), (banded, "not counted: 0 to 17, 66 to 120")):
        (sentence,) = said(query)
        assert text in sentence
        quote = session.quote(query, pets.DP(epsilon=1))
        assert quote.notes == (sentence,) and text in " ".join(str(quote).split())
        assert sentence.replace("'", "&#x27;") in quote._repr_html_()
        assert sentence in str(pets.explain(query, SCHEMA))
        assert session.remaining().spent.loss == 0
    several = session.quote([never, banded], pets.DP(epsilon=1))
    assert [note[:8] for note in several.notes] == ["Query 1:", "Query 2:"]
    for query in (never, banded):
        release = session.release(query, pets.DP(epsilon=1))
        assert set(said(query)) <= set(release.notes) and said(query)[0] in str(release)
        exact = session.dummy().release(query, pets.Exact())
        assert set(said(query)) <= set(exact.notes)


def test_a_federation_says_it_too() -> None:
    rows = pd.DataFrame({"age": [40] * 50, "cost": [1.0] * 50, "sex": ["Male"] * 50, "born": ["2001-02-03"] * 50})
    budget = pets.Budget(epsilon=3, delta=1e-6)
    federation = pets.Federation(
        [pets.Session(SCHEMA, rows, budget=budget, progress=False) for _ in range(3)], sites_per_person=1
    )
    banded = PEOPLE.group_by(col("age").bins([18, 65], "band")).agg(n=N)
    assert federation.quote(banded, pets.DP(epsilon=1)).notes == said(banded) != ()
    assert set(said(banded)) <= set(federation.dummy(rows=20).release(banded, pets.Exact()).notes)


@pytest.mark.parametrize(
    ("key", "condition", "sentences"),
    [
        (col("age").bins([18, 65], "band"), None, ["not counted: 0 to 17, 66 to 120. They are in no group"]),
        (col("age").bins([1, 120], "band"), None, ["not counted: 0. They"]),
        (col("age").bins([18, 65], "band"), col("age").between(18, 65), []),
        (col("age").bins([18, 65], "band"), col("age") >= 60, ["not counted: 66 to 120. They"]),
        (col("age").bins([18, 65], "band"), col("age") < 18, ["No row that meets the query's condition is in any of"]),
        (col("age").bins([200, 300], "band"), None, ["No row is in any of the groups, which leave no value of 'age'"]),
        (col("age").bins([0, 121, 150, 200, 300, 400], "b"), None, ["in [121, 150), [150, 200), [200, 300) and 1"]),
        (col("age").bins([0, 0.5, 0.7, 120], "b"), None, ["lies in [0.5, 0.7) of 'b': nobody"]),
        (col("cost").bins([0, 99.5], "band"), None, ["'cost' that are not counted: 100."]),
        (col("cost").bins([0, 100], "band"), None, []),
        (col("born").bins(["2000-01-01", "2009-12-31"], "b"), None, []),
        (
            col("born").bins(["2000-01-03", "2009-12-31", "2010-05-01", "2011-01-01"], "b"),
            None,
            ["'born' that are not counted: 2000-01-01 to 2000-01-02.", "lies in [2010-05-01, 2011-01-01] of 'b'"],
        ),
        (col("born").period("month"), None, []),
        ("sex", None, []),
        ("age", None, []),
        (col("born").period("year"), None, []),
    ],
)  # fmt: skip
def test_values_that_no_group_counts(key: Any, condition: Filter | None, sentences: list[str]) -> None:
    query = PEOPLE if condition is None else PEOPLE.where(condition)
    found = said(query.group_by(key).agg(n=N))
    assert len(found) == len(sentences)
    assert all(part in text for part, text in zip(sentences, found, strict=True))


def test_listed_keys_and_histograms() -> None:
    keys = pets.KeySet(["sex", "age"], [["Male", 30], ["Male", 40]])
    listed = PEOPLE.group_by(keys).agg(n=N)
    assert said(listed) == ()
    (none,) = said(PEOPLE.where(col("sex") == "Female").group_by(keys).agg(n=N))
    assert "is in any of the groups, which leave no value of 'sex'" in none
    (none,) = said(PEOPLE.where(col("age") > 40).group_by(keys).agg(n=N))
    assert "which leave no value of 'age'" in none
    (short,) = said(PEOPLE.agg(h=pets.histogram("age", [18, 65])))
    assert "'age' that are not counted: 0 to 17, 66 to 120. They are in no bin of 'h'" in short
    assert said(PEOPLE.agg(h=pets.histogram("age", [0, 60, 120]))) == ()
    assert said(PEOPLE.agg(h=pets.histogram("sex"))) == ()
    (never,) = said(PEOPLE.agg(m=pets.mean("cost", where=col("cost").is_null()), v=pets.mean("cost")))
    assert never.startswith("m: no row can meet its condition, which leaves no value of 'cost'")


# every row there can be -----------------------------------------------------------------------------------------------

SMALL = pets.Schema(
    {"t": pets.Table("row", {"x": pets.Integer(0, 3), "y": pets.Integer(0, 3, nullable=False), "b": pets.Boolean()})},
    dataset="small",
)
ROWS = list(itertools.product([0, 1, 2, 3, None], [0, 1, 2, 3], [False, True, None]))
Test = tuple[Filter, Callable[[tuple[Any, Any, Any]], bool], bool]
"""A condition, what it means (a null meets is_null alone), and whether it has no alternatives."""


def leaf(place: int, op: str, value: int) -> Test:
    name, known = "xy"[place], {"<": int.__lt__, ">": int.__gt__, "==": int.__eq__, "!=": int.__ne__}
    column = col(name)
    made = {"<": column < value, ">": column > value, "==": column == value, "!=": column != value}[op]
    return made, lambda row: row[place] is not None and bool(known[op](row[place], value)), True


def joined(several: list[Test], every: bool) -> Test:
    made, (first, *rest) = several[0][0], several
    for one in rest:
        made = made & one[0] if every else made | one[0]
    simple = every and all(one[2] for one in (first, *rest))
    return made, lambda row: (all if every else any)(one[1](row) for one in several), simple


LEAVES = st.one_of(
    st.builds(leaf, st.integers(0, 1), st.sampled_from(["<", ">", "==", "!="]), st.integers(-1, 4)),
    st.sampled_from(
        [
            (col("x").is_null(), lambda row: row[0] is None, True),
            (col("b").isin([True]), lambda row: row[2] is True, True),
        ]
    ),
)
CONDITIONS = st.recursive(
    LEAVES, lambda inner: st.builds(joined, st.lists(inner, min_size=2, max_size=4), st.booleans()), max_leaves=8
)


@given(CONDITIONS)
def test_what_is_said_is_so(test: Test) -> None:
    condition, meets, simple = test
    found = unreached(make_plan(pets.query("t").where(condition).agg(n=N), SMALL))
    possible = any(meets(row) for row in ROWS)
    assert not (found and possible)
    if simple:  # without alternatives nothing is missed
        assert bool(found) == (not possible)


WEEKS = pets.Schema(
    {
        "stays": pets.Table(
            "row",
            {
                "whole": pets.Date("2021-01-04", "2021-01-17"),
                "short": pets.Date("2021-01-06", "2021-01-23"),
                "seen": pets.DateTime("2021-01-04 06:00", "2021-01-17 23:59"),
            },
        )
    },
    dataset="weeks",
)


def weeks(key: object, condition: Filter | None = None) -> tuple[str, ...]:
    asked = pets.query("stays") if condition is None else pets.query("stays").where(condition)
    return unreached(make_plan(asked.group_by(key).agg(n=N), WEEKS))  # type: ignore[arg-type]


def test_weeks_that_the_domain_cuts_are_named() -> None:
    first = "w: 2021-W01 is no whole week, for 'short' begins with 2021-01-06."
    last = "w: 2021-W03 is no whole week, for 'short' ends with 2021-01-23."
    assert weeks(col("whole").week("w")) == ()
    assert weeks(col("short").week("w")) == (first, last)
    assert weeks(col("short").week("w"), col("short") >= "2021-01-11") == (last,), "none of the first is asked for"
    assert weeks(col("short").mmwr_week("w")) == (
        "w: 2021-MMWR01 is no whole week, for 'short' begins with 2021-01-06.",
    )
    assert weeks(col("seen").week("w")) == (
        "w: 2021-W01 is no whole week, for 'seen' begins with 2021-01-04 06:00:00.",
    )
    assert weeks(col("short").period("month")) == weeks(col("short").weekday()) == ()
    chosen = pets.KeySet.product({"w": ["2021-W02", "2021-W03"]})
    asked = pets.query("stays").group_by(chosen, col("short").week("w")).agg(n=N)
    assert unreached(make_plan(asked, WEEKS)) == (last,)
