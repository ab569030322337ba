"""Everything that is seen of a request is compared, but what is random by design."""

from __future__ import annotations

import logging
import sys
import warnings
from typing import Any

import pandas as pd
import pytest

from pets.testing.shown_text import shown, text_of


def seen(ask: Any) -> Any:
    with shown(ask) as found:
        return found


def test_what_is_printed_logged_and_warned_of_is_seen() -> None:
    def ask() -> str:
        print("printed")
        print("told", file=sys.stderr)
        logging.getLogger("somebody").warning("logged %d", 7)
        warnings.warn("a warning", stacklevel=1)
        warnings.warn("a library's", DeprecationWarning, stacklevel=1)
        return "the answer"

    found = seen(ask)
    for text in ("the answer", "printed", "told", "somebody WARNING logged 7", "warning: a warning"):
        assert text in found.text
    assert "a library's" not in found.text and found.failed == ""


def test_an_error_is_seen_with_all_that_it_carries() -> None:
    def ask() -> None:
        try:
            raise ValueError("row 17")
        except ValueError as error:
            raise KeyError("failed") from error

    found = seen(ask)
    assert found.failed == "KeyError"
    assert found.text.startswith("KeyError: 'failed'\nValueError: row 17")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("id 0123456789abcdef0123456789abcdef", "id ffffffffffffffff0000000000000000"),
        ("at 2026-01-01T10:00:00+00:00", "at 2027-12-31T23:59:59+00:00"),
        ("(incident 0123456789ab); its charge", "(incident ba9876543210); its charge"),
        ("pets-ledger/0123456789abcdef", "pets-ledger/fedcba9876543210"),
        ("signed " + "A" * 44, "signed " + "B" * 44),
    ],
)
def test_what_is_random_is_left_out(one: str, other: str) -> None:
    assert seen(lambda: one).text == seen(lambda: other).text != seen(lambda: "else").text


@pytest.mark.parametrize("number", [0, 7, 123456789012, 2**62])
def test_no_number_is_left_out(number: int) -> None:
    assert str(number) in seen(lambda: {"values": [number], "frame": pd.DataFrame({"n": [number]})}).text
    assert seen(lambda: number).text != seen(lambda: number + 1).text


def test_what_has_no_text_of_its_own_is_its_type() -> None:
    assert text_of(object()) == "<object>"
    assert text_of(b"\x01\xff") == "01 ff"
