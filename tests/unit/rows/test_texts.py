"""Texts in rows: their fates, and that nobody's leaving changes what is known of others."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import pets
from pets import col
from pets.rows.snapshot import Snapshot

COLUMNS = {"id": pets.Identifier(), "code": pets.Text(7, form="icd10", null=("NA",)), "days": pets.Integer(0, 9)}
SCHEMA = pets.Schema({"apc": pets.Table(pets.Unit("id", max_rows=2), COLUMNS)})
KEYS = pets.KeySet.of([{"code": "I21.0"}, {"code": "J45"}, {"code": "Z99"}, {"code": None}])


def snapshot(rows: Any, schema: pets.Schema = SCHEMA) -> Snapshot:
    return Snapshot.make(schema, "apc", {"apc": rows}, key=9, progress=False)


def test_a_cell_that_breaks_the_form_has_no_value_and_is_reported() -> None:
    cells = ["I21.0", " i210 ", "NA", "na", "missing", "", None, "toolong1", "I 21", "1I2", "J45"]
    rows = pd.DataFrame({"id": [str(i) for i in range(len(cells))], "code": cells, "days": 1})
    made = snapshot(rows)
    held = sorted(made.arrow()[made.columns["code"]].to_pylist())
    assert held == [""] * 8 + ["I210", "I210", "J45"]
    fates = made.report.columns["code"]
    assert (fates.null, fates.out_of_domain, fates.unparsable, fates.dropped) == (
        4,
        4,
        0,
        0,
    )  # (MISSING is no ICD-10 code)
    (remark,) = made.report.remarks()
    assert "longer than max_length or not of the form" in remark


def test_a_row_without_a_needed_text_is_left_out() -> None:
    columns = COLUMNS | {"code": pets.Text(3, nullable=False)}
    schema = pets.Schema({"apc": pets.Table(pets.Unit("id", max_rows=2), columns)})
    rows = pd.DataFrame({"id": ["a", "b", "c"], "code": ["abc", "abcd", None], "days": 1})
    made = snapshot(rows, schema)
    assert made.arrow()[made.columns["code"]].to_pylist() == ["abc"]
    assert made.report.columns["code"].dropped == made.report.rows_dropped == 2


def test_numbers_read_alike_whatever_type_their_column_got() -> None:
    columns = COLUMNS | {"code": pets.Text(18)}
    schema = pets.Schema({"apc": pets.Table(pets.Unit("id", max_rows=2), columns)})
    held = []
    for codes in ([123, 22298006], [123.0, 22298006.0], ["123", "22298006"]):
        made = snapshot(pd.DataFrame({"id": ["a", "b"], "code": codes, "days": 1}), schema)
        held.append(sorted(made.arrow()[made.columns["code"]].to_pylist()))
    assert held == [["123", "22298006"]] * 3
    with pytest.raises(pets.UserError, match="floating-point"):
        snapshot(pd.DataFrame({"id": ["a"], "code": [4.5e17], "days": 1}), schema)


def test_the_person_with_the_first_text_leaves_and_nobody_else_changes() -> None:
    """Were texts numbered in their order, "A00" leaving would move every number, and with it everybody's ranks."""
    texts = [f"{letter}{number:02}" for letter in "BCDEFGH" for number in range(30)]
    rows = pd.DataFrame(
        [{"id": f"p{i}", "code": texts[(i * 7 + j * 11) % len(texts)], "days": j} for i in range(150) for j in range(5)]
    )
    early = pd.DataFrame([{"id": "early", "code": "A00", "days": 1}])
    with_early, without = snapshot(pd.concat([early, rows])), snapshot(rows)

    def kept(made: Snapshot) -> list[tuple[tuple[Any, ...], ...]]:
        frame = made.arrow().to_pandas().sort_values(["person", "rank"])
        values = [made.columns["code"], made.columns["days"]]
        people = [tuple(map(tuple, own[values].to_numpy().tolist())) for _, own in frame.groupby("person")]
        return sorted(own for own in people if own[0][0] != "A00")

    assert kept(with_early) == kept(without)
    assert len(kept(without)) == 150
    query = pets.query("apc").group_by(pets.KeySet.of([{"code": t} for t in texts])).agg(d=pets.sum("days"))
    for engine in ("duckdb", "polars"):
        first, second = (
            pets.testing.exact(SCHEMA, {"apc": one}, query, engine=engine) for one in (pd.concat([early, rows]), rows)
        )
        pd.testing.assert_frame_equal(first, second)


@pytest.mark.parametrize("engine", ["duckdb", "polars", "encrypted", "federated"])
def test_every_engine_counts_texts(engine: str) -> None:
    cells = [("a", "I21.0", 1), ("a", "I210", 2), ("b", "i210", 3), ("b", "J45", 4), ("c", "?", 5), ("d", "K35", 6)]
    rows = pd.DataFrame(cells, columns=["id", "code", "days"])
    more: Any = {"sites": 3} if engine == "federated" else {}
    asked = pets.query("apc").group_by(KEYS).agg(n=pets.count(), people=pets.count_units(), days=pets.sum("days"))
    found = pets.testing.exact(SCHEMA, {"apc": rows}, asked, engine=engine, **more)
    assert found.to_numpy().tolist() == [["I210", 3, 2, 6], ["J45", 1, 1, 4], ["Z99", 0, 0, 0], ["missing", 1, 1, 5]]
    where = pets.query("apc").where(~(col("code") == "I21.0")).agg(n=pets.count(), r=pets.rate(col("code") == "K35"))
    assert pets.testing.exact(SCHEMA, {"apc": rows}, where, engine=engine, **more).to_numpy().tolist() == [[2, 0.5]]


def test_a_text_of_the_person_table_is_attached() -> None:
    people = pets.Table(pets.Unit("pid", max_rows=1), {"pid": pets.Identifier(), "ward": pets.Text(9)})
    stays = pets.Table(pets.Unit("id", max_rows=2), {"id": pets.Identifier(), "days": pets.Integer(0, 9)}, "people")
    schema = pets.Schema({"stays": stays, "people": people})
    data = {
        "stays": pd.DataFrame({"id": ["a", "a", "b", "c"], "days": 1}),
        "people": pd.DataFrame({"pid": ["a", "b"], "ward": ["north", "south 2"]}),
    }
    keys = pets.KeySet.of([{"ward": "north"}, {"ward": "south 2"}, {"ward": None}])
    asked = pets.query("stays").group_by(keys).agg(n=pets.count())
    for engine in ("duckdb", "polars"):
        found = pets.testing.exact(schema, data, asked, engine=engine)
        assert found.to_numpy().tolist() == [["north", 2], ["south 2", 1], ["missing", 1]]
