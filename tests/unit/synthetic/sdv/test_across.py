"""What holds between people and their rows: constant columns, and orders of dates that made rows break."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import pets
from pets.synthetic.sdv.across import broken_across, constant_within

FIELDS = {
    "born": pets.Date("1930-01-01", "2024-12-31"),
    "seen": pets.Date("2020-01-01", "2024-12-31"),
    "left": pets.Date("2020-01-01", "2024-12-31"),
}


def test_columns_that_never_change_within_a_person_are_found() -> None:
    person = np.array([7, 3, 7, 3, 9])
    codes = {
        "sex": np.array([1, 0, 1, 0, 1], dtype=np.uint8),
        "ward": np.array([1, 0, 0, 0, 1], dtype=np.uint8),
        "none": np.array([2, 2, 2, 2, 2], dtype=np.uint8),
    }
    assert constant_within(codes, person, list(codes)) == ("sex", "none")
    # where nobody has two rows, nothing shows what may change
    assert constant_within(codes, np.arange(5), list(codes)) == ()


def days(*dates: str | None) -> pd.Series:  # type: ignore[type-arg]
    return pd.Series(list(dates), dtype=object)


def codes(name: str, *dates: str | None) -> np.ndarray:  # type: ignore[type-arg]
    field = FIELDS[name]
    return np.array([field.cells if d is None else (pd.Timestamp(d).date() - field.lo).days for d in dates])


REAL = {
    "born": codes("born", "1950-05-01", "1960-01-01", "2021-01-01", None),
    "seen": codes("seen", "2021-01-01", "2022-01-01", "2021-01-01", "2020-01-01"),
    "left": codes("left", "2021-02-01", "2022-01-02", None, "2020-01-01"),
}


def test_a_date_of_a_row_before_a_birth_is_named_as_broken() -> None:
    made = {
        "born": days("1950-05-01", "2023-01-01", "1990-01-01", None),
        "seen": days("2021-01-01", "2021-01-01", "2022-01-01", "2020-01-01"),
        "left": days("2022-01-01", None, "2022-01-01", "2020-01-01"),
    }
    (told,) = broken_across(FIELDS, ["born"], REAL, made)
    assert told["rule"] == "order: [born, seen]" and "broken in 33.3% of the rows made" in told["kept"]
    assert "(of the real ones, in 0.0%)" in told["kept"]
    # orders within one table are its own rules' affair; one that holds is not told
    fine = made | {"born": days("1950-05-01", "1960-01-01", "1990-01-01", None)}
    assert broken_across(FIELDS, ["born"], REAL, fine) == []


def test_an_order_that_real_rows_do_not_keep_is_none() -> None:
    loose = REAL | {"born": codes("born", "2024-05-01", "1960-01-01", "2021-01-01", None)}
    made = {name: days("2021-01-01", "2020-02-02") for name in FIELDS}
    made["born"] = days("2024-01-01", "2024-01-01")
    assert broken_across(FIELDS, ["born"], loose, made) == []


@pytest.mark.chance(0)
@pytest.mark.usefixtures("fits_here")
@pytest.mark.parametrize("method", ["par", "hma"])
def test_what_is_fewer_added_or_few_is_said(method: str) -> None:
    """Eight people, two of whom have no row in the person table; sex never changes within one."""
    pytest.importorskip("sdv")
    columns = {"id": pets.Identifier(), "sex": pets.Category(["F", "M"]), "days": pets.Integer(0, 9)}
    schema = pets.Schema(
        {
            "people": pets.Table(pets.Unit("id", max_rows=1), {"id": pets.Identifier(), "old": pets.Boolean()}),
            "stays": pets.Table(pets.Unit("id", max_rows=4), columns, person_table="people"),
        },
        dataset="across",
    )
    random = np.random.default_rng(0)
    who = np.repeat(np.arange(8), 3)
    stays = pd.DataFrame(
        {"id": who.astype(str), "sex": np.where(who % 2, "F", "M"), "days": random.integers(0, 10, 24)}
    )
    people = pd.DataFrame({"id": [str(i) for i in range(6)], "old": random.choice([True, False], 6)})
    session = pets.Session(
        schema, {"people": people, "stays": stays}, budget=pets.Budget(epsilon=1, delta=1e-6), progress=False,
        policy=pets.Policy(allow_unbounded=True),
    )  # fmt: skip
    epochs = {"epochs": 2} if method == "par" else {}
    made = session.synthesise(12, method, table="stays", progress=False, **epochs)
    notes = "\n".join(made.notes)
    assert "WARNING: learnt from only 24 row(s) of 8 people" in notes
    assert "2 people have rows in 'stays' and none in 'people'" in notes
    if method == "par":
        assert made.manifest["settings"]["constant_within_people"] == ["old", "sex"]
        assert (made.table.groupby("id")["sex"].nunique(dropna=False) == 1).all() and made.table["id"].nunique() == 12
    assert "came of the" not in notes
