"""Times of day: the domain, its spellings and what is refused."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction
from typing import Any

import pytest

import pets
from pets.errors import QueryError, SchemaError
from pets.schema.clock.time_of_day import seconds_of

SHIFT = pets.Time("08:00", "17:30")


def test_a_day_has_so_many_steps() -> None:
    assert (pets.Time().cells, pets.Time(step="hour").cells, pets.Time(step="second").cells) == (1440, 24, 86_400)
    assert SHIFT.cells == 9 * 60 + 31
    assert pets.Time("08:00", "08:00").cells == 1


@pytest.mark.parametrize(
    ("domain", "first", "last"),
    [
        (SHIFT, "08:00", "17:30"),
        (pets.Time(step="hour"), "00:00", "23:00"),
        (pets.Time("00:00:05", step="second"), "00:00:05", "23:59:59"),
    ],
)
def test_values_are_written_alike_and_read_back(domain: pets.Time, first: str, last: str) -> None:
    assert (domain.decode(0), domain.decode(domain.cells - 1), domain.decode(domain.cells)) == (first, last, "missing")
    assert [domain.encode(domain.decode(code)) for code in (0, 1, domain.cells - 1)] == [0, 1, domain.cells - 1]
    table = {"unit": "row", "columns": {"t": domain.to_json()}}
    assert pets.Schema.load({"tables": {"x": table}}).table("x").columns["t"] == domain


def test_one_domain_has_one_form() -> None:
    forms = [pets.Time(), pets.Time("0:00".rjust(5, "0"), "23:59"), pets.Time(dt.time(), dt.time(23, 59), "minute")]
    assert {str(one.to_json()) for one in forms} == {
        "{'type': 'time', 'min': '00:00', 'max': '23:59', 'step': 'minute'}"
    }
    named = pets.Schema.load({"tables": {"x": {"unit": "row", "columns": {"t": "time"}}}})
    assert named == pets.Schema({"x": pets.Table("row", {"t": pets.Time()})})


def test_where_a_time_lies_among_the_steps() -> None:
    assert SHIFT.position("08:30:30") == Fraction(61, 2)
    assert (SHIFT.position("07:00"), SHIFT.position("24:00")) == (-60, 960)
    assert SHIFT.position(dt.time(8, 1)) == 1


@pytest.mark.parametrize(
    "wrong", ["8:30", "08:30:30", "7:00", "07:59", "17:31", "24:00", "x", "", None, 8, True, dt.time(8, tzinfo=dt.UTC)]
)
def test_what_is_no_step_of_the_column_has_no_code(wrong: Any) -> None:
    with pytest.raises(QueryError, match=r"not a time of day such as 08:30|is not one of its values"):
        SHIFT.encode(wrong)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"lo": "x"}, "min must be a time of day from 00:00 to 23:59"),
        ({"hi": "24:00"}, "max must be a time of day from 00:00 to 23:59"),
        ({"hi": "24:00", "step": "hour"}, "from 00:00 to 23:00"),
        ({"lo": "08:00:30"}, "min must be a whole minute"),
        ({"hi": "08:30", "step": "hour"}, "max must be a whole hour"),
        ({"lo": "09:00", "hi": "08:00"}, "min 09:00 is greater than max 08:00; swap them"),
        ({"step": "day"}, "step must be second, minute or hour"),
        ({"format": "hh:mm"}, "hhmm or hhmmss.*08:30, are read without one"),
    ],
)
def test_settings_that_say_nothing_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(SchemaError, match=says):
        pets.Time(**settings)


def test_texts_of_the_data_in_seconds() -> None:
    texts = {"8:30": 30_600, "08:30:15.99": 30_615, "24:00": 0, "24:00:01": None, "23:60": None, "٠٨:٣٠": None}
    assert {text: seconds_of(text) for text in texts} == texts
    assert [seconds_of(text, "hhmm") for text in ("830", "0830", "2400", "2401", "12345", "8")] == [
        30_600, 30_600, 0, None, None, 480,
    ]  # fmt: skip
