"""What published cells say: separators, notes, and the marks of hidden and absent numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pets.sdc.tables.cell_text import Kind, is_total, read_cell

NUMBERS = {
    "1,234": 1234,
    "1 234 567": 1234567,
    "1\u202f234": 1234,
    "1'234": 1234,
    "12 [p]": 12,
    "12[r]": 12,
    "40e": 40,
    "7 (r)": 7,
    "0": 0,
    "10.0": 10,
    7: 7,
    np.int64(3): 3,
}
HIDDEN = {
    "*": (None, None),
    "[c]": (None, None),
    "C": (None, None),
    "~": (None, None),
    "<5": (None, 4),
    "< 10": (None, 9),
    "<=5": (None, 5),
    "≤5": (None, 5),
    "under 3": (None, 2),
    "1-4": (1, 4),
    "1 to 7": (1, 7),
}
ABSENT = ["", "z", "[z]", ":", "..", "-", "x", "N/A", None, float("nan"), pd.NA]


@pytest.mark.parametrize("text", NUMBERS, ids=str)
def test_a_number_is_read_whatever_stands_around_it(text: object) -> None:
    assert read_cell(text).count == NUMBERS[text]  # type: ignore[index]


@pytest.mark.parametrize("text", HIDDEN)
def test_a_mark_of_a_hidden_count_may_state_its_ends(text: str) -> None:
    cell = read_cell(text)
    assert cell.kind is Kind.HIDDEN and (cell.low, cell.high) == HIDDEN[text]


@pytest.mark.parametrize("text", ABSENT, ids=str)
def test_what_is_not_there_is_no_number(text: object) -> None:
    assert read_cell(text).kind is Kind.ABSENT


@pytest.mark.parametrize("text", ["North", "12%", "12,34", "-5", "1.2.3", "2019/20"])
def test_what_is_no_count_is_text(text: str) -> None:
    assert read_cell(text).kind is Kind.TEXT


def test_digits_behind_the_point_are_counted_as_they_are_written() -> None:
    assert read_cell("33.30").digits == 2 and read_cell(33.3).digits == 1 and read_cell("12").digits == 0


@pytest.mark.parametrize(
    ("label", "total"),
    [
        ("Total", True),
        ("ALL", True),
        ("All ages", True),
        ("Grand Total", True),
        ("Both sexes", True),
        ("England", False),
        ("Totally other", False),
        ("all other", False),
        ("Tall", False),
    ],
)
def test_labels_of_all_together(label: str, total: bool) -> None:
    assert is_total(label) is total
    assert is_total("England", frozenset({"england"}))
