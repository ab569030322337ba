"""Computed columns written as text: the same as in Python, or one sentence with what can be written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pets import col, max_of, min_of
from pets.errors import QueryError
from pets.query_model.text.computed import computed

SAME: dict[str, Any] = {
    "left - came": col("left") - col("came"),
    "-a": -col("a"),
    "2 * a - 0.5*b + 1": 2 * col("a") - 0.5 * col("b") + 1,
    "1 - a": 1 - col("a"),
    "paid // 100": col("paid") // 100,
    "col('length of stay') * 2": col("length of stay") * 2,
    "min_of(a, b, 3)": min_of("a", "b", 3),
    "max_of(a, -3)": max_of("a", -3),
    "age_at(born, '2024-01-01')": col("born").age_at("2024-01-01"),
    "age_at(born, came)": col("born").age_at(col("came")),
    "prefix(code, 3)": col("code").prefix(3),
}


@pytest.mark.parametrize("text", SAME)
def test_it_is_what_python_would_compute(text: str) -> None:
    name, found = computed(f" more = {text}")
    assert name == "more" and found == SAME[text]


def test_a_column_alone_is_itself() -> None:
    assert computed("more=a")[1].name == "a"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text",
    [
        *("", "days", "=a", "days=", "a<b=c - d", "x=3", "x=1 + 2", "x=a * b", "x=a ** 2", "x=a % 2", "x=(a - b) == 2"),
        *(
            "x=__import__('os')",
            "x=a.b",
            "x=a[0]",
            "x=lambda: a",
            "x=[a]",
            "x=a + 'b'",
            "x=True",
            "x=a + True",
            "x=a / 2",
        ),
        *("x=age_at(born)", "x=age_at(a - b, c)", "x=prefix(code, '3')", "x=min_of(a, key=b)", "x=a + 1e999", "x=a\nb"),
        *("x=" + "(" * 3000 + "a", "x=" + "-" * 3000 + "a", "x=a" + " + a" * 9000, "x=a if b else c", "x=a and b"),
    ],
)
def test_anything_else_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(QueryError) as caught:
        computed(text)
    assert str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 500


@given(st.text(st.sampled_from(" =+-*/()ab.,'39[]:^%<>"), max_size=30))
def test_hostile_texts_never_cause_anything_but_a_plain_error(text: str) -> None:
    try:
        computed(text)
    except QueryError as error:
        assert "\n" not in str(error)
