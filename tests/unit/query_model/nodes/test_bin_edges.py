"""Edges of bins: numbers, or days and moments; one question has one form however its edges are given."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets import col
from pets.errors import QueryError
from pets.plan.layout import dimension
from pets.query_model.group_keys import Bins, key_from_json
from pets.schema.domain import MISSING

DAYS = pets.Date("2022-01-01", "2022-12-31")
MINUTES = pets.DateTime("2022-01-01 00:00", "2022-01-02 23:59", nullable=False)


@pytest.mark.parametrize(
    "edges",
    [
        [dt.date(2022, 1, 1), dt.date(2022, 4, 1)],
        [dt.datetime(2022, 1, 1), "2022-04-01 00:00"],
        [" 2022-01-01 ", "2022-04-01"],
        pd.Series(pd.to_datetime(["2022-01-01", "2022-04-01"])),
        pd.date_range("2022-01-01", periods=2, freq="90D"),
        np.array(["2022-01-01", "2022-04-01"], dtype="datetime64[D]"),
    ],
)
def test_a_day_is_its_midnight_however_it_is_given(edges: Any) -> None:
    found = Bins("day", edges=edges)
    assert found.to_json()["edges"] == ["2022-01-01", "2022-04-01"]
    assert found == key_from_json(found.to_json()) == Bins("day", edges=("2022-01-01", "2022-04-01"))


def test_moments_are_written_to_the_minute_or_finer() -> None:
    found = Bins("at", edges=["2022-01-01", "2022-01-01 12:30", dt.datetime(2022, 1, 1, 12, 30, 5)])
    assert found.labels() == ["[2022-01-01, 2022-01-01 12:30)", "[2022-01-01 12:30, 2022-01-01 12:30:05]"]
    assert key_from_json(found.to_json()) == found


@pytest.mark.parametrize(
    "edges",
    [["08:00", "16:00", "24:00"], [dt.time(8), "16:00:00", "24:00:00"], [dt.timedelta(hours=8), dt.time(16), "24:00"]],
)
def test_a_time_of_day_is_written_to_the_minute_however_it_is_given(edges: Any) -> None:
    found = Bins("at", edges=edges)
    assert found.to_json()["edges"] == ["08:00", "16:00", "24:00"]
    assert found.labels() == ["[08:00, 16:00)", "[16:00, 24:00]"]
    assert found == key_from_json(found.to_json())


@pytest.mark.parametrize("domain", [DAYS, MINUTES, pets.Integer(0, 9)])
def test_times_of_day_cut_no_other_column(domain: pets.Integer) -> None:
    with pytest.raises(QueryError, match="cut its bins at"):
        dimension(Bins("x", edges=["08:00", "16:00"]), {"x": domain}, "t")
    for edges in ([0, 8], ["2022-01-01", "2022-02-01"]):
        with pytest.raises(QueryError, match=r"cut its bins at times of day, such as \['08:00', '16:00', '24:00'\]"):
            dimension(Bins("x", edges=edges), {"x": pets.Time()}, "t")


@pytest.mark.parametrize(
    "edges", [["08:00", "2022-01-01"], ["08:00", 9], ["8:00", "09:00"], ["09:00", "08:00"], ["24:00", "24:01"],
              [dt.time(8, tzinfo=dt.UTC), dt.time(9, tzinfo=dt.UTC)], ["08:00"], ["2022-01-01", 5],
              ["2022-13-01", "2022-14-01"], ["May", "June"], ["2022-04-01", "2022-01-01"],
              ["2022-01-01", "2022-01-01 00:00"], ["2022-01-01"], [pd.NaT, "2022-01-01"],
              [dt.datetime(2022, 1, 1, tzinfo=dt.UTC), dt.datetime(2022, 2, 1, tzinfo=dt.UTC)]],
)  # fmt: skip
def test_what_is_no_increasing_times_is_refused(edges: Any) -> None:
    with pytest.raises(QueryError, match=r"bin edges must be|in increasing order"):
        col("day").bins(edges)


def test_histograms_are_of_numbers_alone() -> None:
    with pytest.raises(QueryError, match="bin edges must be finite numbers"):
        pets.histogram("day", ["2022-01-01", "2022-04-01"])


def test_the_last_bin_holds_its_end_and_edges_lie_outside_or_between_steps() -> None:
    found = dimension(col("day").bins(["2021-06-01", "2022-01-02", "2022-01-04"]), {"day": DAYS}, "t")
    assert (found.breaks, found.slots) == ((0, 1, 4, DAYS.cells), (0, 1, -1, 2))
    assert found.labels[-1] == MISSING
    at = dimension(col("at").bins(["2022-01-01 00:00:30", "2022-01-02", "2022-01-02 00:01:59"]), {"at": MINUTES}, "t")
    assert (at.breaks, at.slots) == ((0, 1, 1440, 1442), (-1, 0, 1, -1))
