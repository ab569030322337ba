"""Weeks, weekdays and hours: named as the calendars of ISO and of the CDC do, whatever the column's step and range."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

import pandas as pd
import pytest

import pets
from pets import col
from pets.errors import QueryError
from pets.plan.calendar_slots import iso_week, mmwr_week
from pets.plan.layout import Dimension, dimension
from pets.query_model.group_keys import DatePart, Key, Period
from pets.schema.clock.time_of_day import Time
from pets.schema.dates import Date, DateTime
from pets.schema.domain import Domain

# the first day of week 1, and how many weeks the year has, as the CDC's calendars of MMWR weeks print them
CDC = {
    2003: ("2002-12-29", 53),
    2004: ("2004-01-04", 52),
    2008: ("2007-12-30", 53),
    2009: ("2009-01-04", 52),
    2014: ("2013-12-29", 53),
    2015: ("2015-01-04", 52),
    2016: ("2016-01-03", 52),
    2017: ("2017-01-01", 52),
    2018: ("2017-12-31", 52),
    2019: ("2018-12-30", 52),
    2020: ("2019-12-29", 53),
    2021: ("2021-01-03", 52),
    2022: ("2022-01-02", 52),
    2023: ("2023-01-01", 52),
    2024: ("2023-12-31", 52),
    2025: ("2024-12-29", 53),
    2026: ("2026-01-04", 52),
}

# headings of the CDC's own weekly tables of notifiable diseases: the Saturday on which a week ends, and its number
PRINTED = {
    "2013-12-21": "2013-MMWR51",  # MMWR 62(51), January 3, 2014
    "2013-12-28": "2013-MMWR52",  # MMWR 62(51 & 52), January 3, 2014
    "2014-01-04": "2014-MMWR01",  # MMWR 63(1), January 10, 2014
    "2015-01-31": "2015-MMWR04",  # MMWR 64(4), February 6, 2015
    "2015-05-02": "2015-MMWR17",  # MMWR 64(17), May 8, 2015
    "2015-06-13": "2015-MMWR23",  # MMWR 64(23)
    "2015-06-20": "2015-MMWR24",  # MMWR 64(24), June 26, 2015
}


def test_epidemiological_weeks_end_where_printed_tables_say() -> None:
    for saturday, week in PRINTED.items():
        last = dt.date.fromisoformat(saturday)
        assert last.isoweekday() == 6
        assert {mmwr_week(last - dt.timedelta(back)) for back in range(7)} == {week}
        assert mmwr_week(last + dt.timedelta(1)) != week != mmwr_week(last - dt.timedelta(7))


@pytest.mark.parametrize("year", CDC)
def test_epidemiological_weeks_are_those_of_the_cdc(year: int) -> None:
    first, weeks = dt.date.fromisoformat(CDC[year][0]), CDC[year][1]
    assert first.isoweekday() == 7
    for number in range(weeks):
        for day in range(7):
            assert mmwr_week(first + dt.timedelta(7 * number + day)) == f"{year}-MMWR{number + 1:02d}"
    assert mmwr_week(first + dt.timedelta(7 * weeks)) == f"{year + 1}-MMWR01"
    assert mmwr_week(first - dt.timedelta(1))[:4] == str(year - 1)


def test_iso_weeks_are_pythons() -> None:
    for number in range(0, 40 * 366):
        day = dt.date(1999, 1, 1) + dt.timedelta(number)
        year, week, _ = day.isocalendar()
        assert iso_week(day) == f"{year}-W{week:02d}"


@pytest.mark.parametrize(
    ("day", "iso", "mmwr"),
    [
        ("2020-12-31", "2020-W53", "2020-MMWR53"),
        ("2021-01-01", "2020-W53", "2020-MMWR53"),
        ("2021-01-02", "2020-W53", "2020-MMWR53"),
        ("2021-01-03", "2020-W53", "2021-MMWR01"),
        ("2021-01-04", "2021-W01", "2021-MMWR01"),
        ("2022-01-01", "2021-W52", "2021-MMWR52"),
        ("2024-12-29", "2024-W52", "2025-MMWR01"),
        ("2024-12-30", "2025-W01", "2025-MMWR01"),
        ("0001-01-01", "0001-W01", "0001-MMWR01"),
        ("9999-12-31", "9999-W52", "9999-MMWR52"),
    ],
)
def test_the_two_calendars_are_told_apart_at_new_year(day: str, iso: str, mmwr: str) -> None:
    assert (iso_week(dt.date.fromisoformat(day)), mmwr_week(dt.date.fromisoformat(day))) == (iso, mmwr)


def slot_of(found: Dimension, domain: Domain, code: int) -> Any:
    """The label of a code, by whichever of the two ways the dimension maps codes."""
    if found.cycle is not None:
        return found.labels[-1] if code == domain.cells else found.labels[found.cycle.slot(code)]
    place = max(i for i, start in enumerate(found.breaks) if start <= code)
    return found.labels[found.slots[place]]


NAMES = {
    "weekday": lambda time: time.isoweekday(),
    "hour of day": lambda time: time.hour,
    "week": lambda time: iso_week(time.date()),
    "mmwr_week": lambda time: mmwr_week(time.date()),
    "day": lambda time: time.date().isoformat(),
    "hour": lambda time: f"{time:%Y-%m-%d %H}:00",
}
KEYS: dict[str, Key] = {
    "weekday": DatePart("x", part="weekday"),
    "hour of day": DatePart("x", part="hour"),
    **{unit: Period("x", unit=unit) for unit in ("week", "mmwr_week", "day", "hour")},
}


@pytest.mark.parametrize("what", KEYS)
@pytest.mark.parametrize(
    "domain",
    [
        Date("2020-12-25", "2021-02-01"),
        Date("2021-01-02", "2021-01-05", nullable=False),
        Date("2021-01-03", "2021-01-03"),
        DateTime("2020-12-31 05:30", "2021-01-12 17:29", nullable=False),
        DateTime("2020-12-31 23:00", "2021-01-20 22:00", step="hour"),
        DateTime("2021-01-02 22:59:59", "2021-01-03 01:00:01", step="second"),
        DateTime("2021-01-02 22:10", "2021-01-02 22:50"),
    ],
    ids=lambda domain: domain.describe(),
)
def test_each_time_lies_in_the_slot_of_its_name(what: str, domain: Date | DateTime) -> None:
    if "hour" in what and isinstance(domain, Date):
        with pytest.raises(QueryError, match="its hours need a column of type datetime"):
            dimension(KEYS[what], {"x": domain}, "t")
        return
    found = dimension(KEYS[what], {"x": domain}, "t")
    named = []
    for code in range(domain.cells):
        value = domain.lo + code * domain.width
        time = value if isinstance(value, dt.datetime) else dt.datetime(value.year, value.month, value.day)
        named.append(NAMES[what](time))
        assert slot_of(found, domain, code) == named[-1]
    assert list(found.labels) == sorted(set(named)) + (["missing"] if domain.nullable else [])
    if domain.nullable:
        assert slot_of(found, domain, domain.cells) == "missing"


@pytest.mark.parametrize(
    "domain",
    [
        Time(),
        Time(step="hour", nullable=False),
        Time("22:10", "22:50"),
        Time("05:30:30", "17:00:00", "second"),
        Time("23:00", step="hour"),
    ],
    ids=lambda domain: domain.describe(),
)
def test_each_time_of_day_lies_in_its_hour(domain: Time) -> None:
    found = dimension(DatePart("x", "", "hour"), {"x": domain}, "t")
    hours = [int(domain.decode(code)[:2]) for code in range(domain.cells)]
    assert [slot_of(found, domain, code) for code in range(domain.cells)] == hours
    assert list(found.labels) == sorted(set(hours)) + (["missing"] if domain.nullable else [])


@pytest.mark.parametrize("what", [what for what in KEYS if what != "hour of day"])
def test_a_time_of_day_has_no_date(what: str) -> None:
    with pytest.raises(QueryError, match=r"have no date; group by col\('x'\).hour\(\) or by bins"):
        dimension(KEYS[what], {"x": Time()}, "t")


def test_a_range_of_years_in_steps_of_a_second_has_few_words() -> None:
    domain = DateTime("2000-01-01 00:00:00", "2039-12-31 23:59:59", step="second")
    for key, size in ((KEYS["hour of day"], 25), (KEYS["weekday"], 8), (KEYS["week"], 2089), (KEYS["hour"], 350_641)):
        found = dimension(key, {"x": domain}, "t")
        assert (found.size, found.breaks) == (size, ())
    with pytest.raises(QueryError, match="group by a longer period"):
        dimension(KEYS["hour"], {"x": DateTime("1000-01-01 00:00", "2039-12-31 23:59")}, "t")


def test_keys_are_the_times_with_which_they_begin() -> None:
    schema = pets.Schema({"v": pets.Table("row", {"at": DateTime("0001-01-01 00:00", "0001-01-20 23:59")})})
    later = pets.Schema({"v": pets.Table("row", {"at": DateTime("2020-12-31 22:00", "2021-01-04 01:59")})})
    policy = pets.Policy(allow_unbounded=True)
    for one, units in ((later, ("week", "mmwr_week", "day", "hour")), (schema, ("week",))):
        rows = pd.DataFrame({"at": [None]})
        session = pets.Session(one, {"v": rows}, budget=pets.Budget(epsilon=1), policy=policy)
        for unit in units:
            asked = pets.query("v").group_by(col("at").period(unit, "t")).agg(n=pets.count())
            times = session.release(asked, pets.Total()).table["t"]
            assert str(times.dtype).startswith("datetime64")
            assert times.isna().tolist()[-1:] == [True]
            found = times.dropna()
            steps = {b - a for a, b in itertools.pairwise(found)}
            wanted = {"day": pd.Timedelta("1D"), "hour": pd.Timedelta("1h")}.get(unit, pd.Timedelta("7D"))
            assert steps == {wanted}
            first = {"week": "2020-12-28", "mmwr_week": "2020-12-27", "day": "2020-12-31", "hour": "2020-12-31T22"}
            assert one is schema or found.iloc[0] == pd.Timestamp(first[unit])


def test_a_key_set_lists_weeks_by_their_names() -> None:
    schema = pets.Schema({"v": pets.Table("row", {"d": Date("2020-12-20", "2021-01-20")})})
    rows = pd.DataFrame({"d": ["2021-01-01", "2021-01-03", "2021-01-04", None]})
    session = pets.Session(schema, {"v": rows}, budget=pets.Budget(epsilon=1), policy=pets.Policy(allow_unbounded=True))
    for name, counts in (("week", [2, 1, 1]), ("mmwr_week", [1, 2, 1])):
        weeks = {"week": ["2020-W53", "2021-W01", None], "mmwr_week": ["2020-MMWR53", "2021-MMWR01", None]}[name]
        keys = pets.KeySet.product({f"d_{name}": weeks})
        asked = pets.query("v").group_by(keys, Period("d", unit=name)).agg(n=pets.count())  # type: ignore[arg-type]
        assert session.release(asked, pets.Total()).table["n"].tolist() == counts
    with pytest.raises(QueryError, match="is not a key of"):
        wrong = pets.KeySet.product({"d_week": ["2020-MMWR53"]})
        session.quote(pets.query("v").group_by(wrong, col("d").week()).agg(n=pets.count()), pets.DP(epsilon=0.1))
