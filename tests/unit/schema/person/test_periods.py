"""Names of periods: one spelling each, the same in a schema and in a question's text."""

from __future__ import annotations

import pytest

import pets
from pets import col
from pets.query_model.condition import key
from pets.query_model.group_keys import Period
from pets.schema.person.periods import STEPS, Step, period_of, periods_in, spelling, spelt

DAYS = pets.Date("2024-01-01", "2024-12-31")
HOURS = pets.DateTime("2024-01-01 00:00", "2024-12-31 23:00", step="hour")
COLUMNS = {"on": DAYS, "at": HOURS, "age": pets.Integer(0, 9), "at.day": pets.Boolean()}


@pytest.mark.parametrize("unit", STEPS)
def test_a_question_and_a_schema_spell_a_period_alike(unit: Step) -> None:
    name = spelling("on", unit)
    assert key(name) == Period("on", unit=unit) == col("on").period(unit).plain()
    assert spelt(name) == ("on", unit)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("on.week", ("on", "week")),
        ("on.period.month", ("on", "month")),
        ("on.period.week", None),  # (it has another name)
        ("on.month", None),  # the month of any year
        ("on.day", None),  # the column itself
        ("on.period.hour", None),
        ("at.period.hour", None),
        ("at.mmwr_week", ("at", "mmwr_week")),
        ("at.day", None),  # a column of that name
        ("on", None),
        (".week", None),
        ("age.week", None),
        ("off.week", None),
    ],
)
def test_what_a_name_in_a_schema_means(name: str, found: tuple[str, str] | None) -> None:
    assert period_of(name, COLUMNS) == found


def test_periods_are_counted_from_the_public_ends() -> None:
    assert periods_in(HOURS, "day") >= 366 and periods_in(HOURS, "hour") >= 366 * 24
    assert periods_in(HOURS, "week") == 0
