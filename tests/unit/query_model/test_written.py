"""A condition that is written down is read as the same condition."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pets import col
from pets.query_model.condition import condition
from pets.query_model.expression import Filter
from pets.query_model.written import condition_text

NAMES = st.sampled_from(["age", "length of stay", "None", "a'b", 'c"d`e'])
VALUES = st.one_of(
    st.integers(-(10**6), 10**6),
    st.decimals(-1000, 1000, places=3, allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.sampled_from(["F", "it's", 'a "b" `c`', "", "2024-01-31"]),
)
LEAVES: st.SearchStrategy[Filter] = st.one_of(
    st.builds(lambda n, v: col(n) == v, NAMES, VALUES),
    st.builds(lambda n, v: ~(col(n) == v), NAMES, VALUES),
    st.builds(lambda n, v: col(n) >= v, NAMES, st.integers(0, 99)),
    st.builds(lambda n, a, b: col(n).between(min(a, b), max(a, b)), NAMES, st.integers(0, 9), st.integers(0, 9)),
    st.builds(lambda n, v: col(n).isin(v), NAMES, st.lists(st.integers(0, 99), min_size=1, max_size=4, unique=True)),
    st.builds(lambda n: col(n).is_null(), NAMES),
)
FILTERS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda a, b: a & b, inner, inner),
        st.builds(lambda a, b: a | b, inner, inner),
        inner.map(lambda f: ~f),
    ),
    max_leaves=6,
)


@given(FILTERS)
def test_what_is_written_is_read_again(node: Filter) -> None:
    assert condition(condition_text(node)).to_json() == node.to_json()


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (col("day") >= dt.date(2024, 1, 31), "day >= '2024-01-31'"),
        ((col("a") > 1) & ((col("b") < 2) | (col("c") == "x")), "a > 1 and (b < 2 or c == 'x')"),
        (col("cost") <= 0.5, "cost <= 0.5"),
    ],
)
def test_it_reads_like_python(node: Filter, text: str) -> None:
    assert condition_text(node) == text


def test_a_long_list_is_cut_only_where_asked() -> None:
    node = col("code").isin([f"c{i}" for i in range(30)])
    assert condition_text(node, most=2) == "code in ['c0', 'c1', …]"
    assert condition(condition_text(node)) == node
