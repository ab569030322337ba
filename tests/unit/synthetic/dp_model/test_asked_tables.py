"""What is asked of several tables: what cannot be modelled is refused with a remedy that works, and names never mix."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pets
from pets.errors import UserError
from pets.schema.rules import Derived, OnlyWhen, Rule
from pets.session.synthesis.request import LIVES, SynthesisRequest
from pets.synthetic.dp_model.drawn import Drawn
from pets.synthetic.dp_model.histories import Histories, histories

DAY = pets.Date("2020-01-01", "2022-12-31", nullable=False)
WARD = pets.Category(["heart", "eye"])


def schema(
    columns: dict[str, Any],
    person: dict[str, Any] | None = None,
    rules: tuple[Rule, ...] = (),
    **more: dict[str, Any],
) -> pets.Schema:
    linked: dict[str, Any] = {"person_table": "people"} if person is not None else {}
    tables = {
        name.replace("_", " "): pets.Table(pets.Unit("id", max_rows=5), {"id": pets.Identifier(), **own}, **linked)
        for name, own in more.items()
    }
    tables["stays"] = pets.Table(
        pets.Unit("id", max_rows=5), {"id": pets.Identifier(), **columns}, rules=rules, **linked
    )
    if person is not None:
        tables["people"] = pets.Table(pets.Unit("id", max_rows=1), {"id": pets.Identifier(), **person})
    return pets.Schema(tables, dataset="asked")


def known(made: pets.Schema, **settings: Any) -> Histories:
    return histories(made, list(made.tables), **settings)


def test_names_that_look_like_features_are_columns_like_any_other() -> None:
    made = known(schema({"on": DAY, "rows": WARD, "a: b of row 1": WARD}, {"stays: x of row 1": WARD}))
    (stays,) = made.events
    assert list(stays.first) == ["on", "rows", "a: b of row 1"] and list(stays.second) == ["rows", "a: b of row 1"]
    assert made.workload.columns[stays.first["rows"]].name == "stays: rows of row 1"
    assert list(made.attributes) == ["stays: x of row 1"]
    tables = {
        name: pets.Table(pets.Unit("id", max_rows=5), {"id": pets.Identifier(), "on": DAY, "ward": WARD})
        for name in ("stays", "stays: old")
    }
    for table in known(pets.Schema(tables, dataset="asked")).events:
        assert list(table.first) == ["on", "ward"] and list(table.second) == ["ward"]


def test_names_that_would_be_mixed_up_are_refused() -> None:
    for name in ("stays: rows", "stays: ward of row 2", "stays: from row 1 to row 2"):
        with pytest.raises(UserError, match=f"both called '{name}' in the model; rename"):
            known(schema({"on": DAY, "ward": WARD}, {name: WARD}))
    tables = {
        "stays": pets.Table(pets.Unit("id", max_rows=5), {"id": pets.Identifier(), "on": DAY, "old: ward": WARD}),
        "stays: old": pets.Table(pets.Unit("id", max_rows=5), {"id": pets.Identifier(), "on": DAY, "ward": WARD}),
    }
    with pytest.raises(UserError, match="both called 'stays: old: ward of row 1'"):
        known(pets.Schema(tables, dataset="asked"))


def test_what_orders_no_rows_is_refused() -> None:
    timed = {"at": pets.DateTime("2020-01-01T07:30", "2020-12-31T18:15")}
    for settings in ({}, {"order": "at"}):
        with pytest.raises(UserError, match=r"'at' holds times of days; declare it as a pets\.Date"):
            known(schema(timed), **settings)
    known(schema({**timed, "on": DAY}))  # the only date there is
    with pytest.raises(UserError, match="'n' has one value and orders no rows"):
        known(schema({"n": pets.Integer(5, 5), "m": pets.Integer(1, 2)}), order="n")
    with pytest.raises(UserError, match=r"order=\{'stays': 'm'\}"):
        known(schema({"n": pets.Integer(5, 5), "m": pets.Integer(1, 2)}))
    known(schema({"n": pets.Integer(5, 5), "m": pets.Integer(1, 2)}), order={"stays": "m"})
    with pytest.raises(UserError, match="no date and no number to order rows by; leave it out"):
        known(schema({"ward": WARD}))


def test_too_many_columns_are_refused_in_words_of_what_was_asked() -> None:
    many = {f"c{place}": WARD for place in range(32)}
    with pytest.raises(UserError, match=r"take 67 features of people.* at most 64; name fewer columns"):
        known(schema({"on": DAY, **many}))
    assert len(known(schema({"on": DAY, **many}), columns={"stays": list(many)[:30]}).workload.columns) == 63


def test_the_column_that_orders_rows_takes_bins_listed_or_not() -> None:
    made = schema({"n": pets.Integer(0, 100, nullable=False), "ward": WARD})
    for columns in (["ward"], ["n", "ward"]):
        wanted = known(made, order="n", columns={"stays": columns}, bins={"stays": {"n": [0, 50, 100]}})
        assert wanted.workload.columns[wanted.events[0].first["n"]].size == 3


def test_rows_without_a_place_in_the_order_are_told_of() -> None:
    def shape(nullable: bool) -> str:
        made = schema({"n": pets.Integer(0, 9, nullable=nullable), "ward": WARD})
        return SynthesisRequest(made, "zcdp", 1e-6, 1.0, tables=["stays"], order="n").shape

    assert shape(False) == LIVES
    assert shape(True).startswith(LIVES) and "rows of 'stays' without a value of the column that orders" in shape(True)


def drawn(made: pets.Schema, keep: Any, **settings: Any) -> Drawn:
    return Drawn(known(made, **settings), None, (), keep, np.random.default_rng(1))  # type: ignore[arg-type]


def test_a_rule_never_moves_a_row_in_the_order() -> None:
    made = schema({"n": pets.Integer(0, 9), "ward": WARD}, rules=(OnlyWhen("n", "ward", ("heart",)),))
    asked = SynthesisRequest(made, "zcdp", 1e-6, 1.0, tables=["stays"], order="n")
    one = drawn(made, asked._keep, order="n")
    codes, good = one._put_right("stays", {"n": np.array([3, 4]), "ward": np.array([0, 1])})
    assert codes["n"].tolist() == [3, 4] and good.tolist() == [True, False]


def test_tables_without_any_row_have_their_columns() -> None:
    number = pets.Integer(0, 9, nullable=False)
    columns = {"n": number, "m": number, "both": pets.Integer(0, 18, nullable=False)}
    made = schema(columns, {"sex": WARD}, (Derived("both", "sum", ("n", "m")),))
    one = drawn(made, lambda table, codes: (dict(codes), np.ones(2, dtype=bool)), order="n")

    class Nobody:
        def sample(self, count: int, random: np.random.Generator) -> np.ndarray:
            return np.zeros((count, len(one.columns)), dtype=np.int64)  # slot 0 of the number of rows: none

    one.model = Nobody()  # type: ignore[assignment]
    frames = one.frames(2)
    assert list(frames["stays"]) == ["synthetic_id", "id", "n", "m", "both"] and len(frames["stays"]) == 0
    assert len(frames["people"]) == 2
