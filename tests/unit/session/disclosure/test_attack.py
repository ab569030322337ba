"""Attack: what follows of totals and rounded tables is told to the custodian, from what was released alone."""

from __future__ import annotations

from typing import Any

import pytest

import pets
from pets import col
from tests.checked_tables import N, T, between, of_counts, of_days, opened, rows, total


def test_a_difference_of_two_totals_is_told() -> None:
    # 386 people, 385 of whom are not in the west
    custodian = opened(of_counts({("f", "N"): 385, ("f", "W"): 1}))
    total(custodian, T.agg(n=N))
    total(custodian, T.where(col("region").isin(["N", "E", "S"])).agg(n=N))
    found = custodian.attack()
    assert found and found.releases == 2 and found.shown == 0 and found.besides == ()
    (one,) = found.verdicts
    assert (one.low, one.high) == (1, 1)
    (sentence,) = found.sentences
    assert "386" in sentence and "385" in sentence and "1" in sentence


def test_nothing_follows_of_one_total_of_many() -> None:
    custodian = opened(rows(400))
    total(custodian, T.agg(n=N))
    found = custodian.attack()
    assert not found and found.sentences == () and found.shown == 0
    assert "No other small number of people was found" in str(found)


def test_small_numbers_that_were_released_as_they_are_are_counted() -> None:
    custodian = opened(of_counts({("f", "N"): 40, ("m", "N"): 3}))
    total(custodian, T.group_by("sex").agg(n=N))
    found = custodian.attack()
    assert found.shown == 1 and "1 small numbers of people were released as they are" in str(found)


def test_what_cannot_be_compared_is_said() -> None:
    custodian = opened(rows(400))
    total(custodian, T.agg(m=pets.mean("age")))
    (said,) = custodian.attack().besides
    assert said.startswith("release 1 is not compared in full: it tells more than counts of people")


def test_no_row_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    custodian = opened(of_days([5, 3, 40]))
    for first, last in [(0, 0), (0, 1), (0, 2)]:
        total(custodian, T.where(between(first, last)).agg(n=N))

    def read(*_: Any, **__: Any) -> Any:
        raise AssertionError("a row was read")

    monkeypatch.setattr(type(custodian.custody), "rows_of", read)
    monkeypatch.setattr(type(custodian.custody), "snapshot", read)
    found = custodian.attack()
    assert [(one.low, one.high) for one in found.verdicts] == [(3, 3)] and found.shown == 2


def test_answers_under_differential_privacy_are_no_part_of_it() -> None:
    custodian = opened(rows(400))
    custodian.session(analyst="ann").release(T.group_by("sex").agg(n=N), pets.DP(epsilon=1))
    assert custodian.attack().releases == 0


def test_too_many_groups_are_said() -> None:
    custodian = opened(rows(400), policy=pets.Policy(allow_unbounded=True, sdc_atoms=3))
    total(custodian, T.group_by("sex", "region").agg(n=N))
    (said,) = custodian.attack().besides
    assert "into 10 groups" in said and said.startswith("release 1: ")


def gridded(preset: str, west: int) -> pets.Custodian:
    """A grid of four regions; the west is hidden, and totals of everybody and of the others leave it no choice."""
    policy = pets.Policy(allow_unbounded=True, sdc=(preset,))
    custodian = opened(of_counts({("f", "N"): 50, ("m", "E"): 31, ("f", "S"): 22, ("m", "W"): west}), policy=policy)
    custodian.name_grid(T.group_by("region").agg(n=N), pets.SDC(preset))
    total(custodian, T.agg(n=N))
    return custodian


def test_a_hidden_cell_of_the_grid_is_derived_from_totals() -> None:
    custodian = gridded("hes", 2)
    assert not custodian.attack(), "the grid and a total of everybody leave 1 to 7"
    total(custodian, T.where(col("region").isin(["N", "E", "S"]) | col("region").is_null()).agg(n=N))
    found = custodian.attack()
    assert {(one.low, one.high) for one in found.verdicts} == {(2, 2)} and found.releases == 3
    assert any("region W of release 1" in sentence for sentence in found.sentences)


def test_nobody_is_told_of_too_where_a_rule_hides_that_there_is_nobody() -> None:
    custodian = gridded("ons_10_5", 0)
    total(custodian, T.where(col("region") != "W").agg(n=N))
    total(custodian, T.where(col("region").is_null()).agg(n=N))
    assert (0, 0) in {(one.low, one.high) for one in custodian.attack().verdicts}
