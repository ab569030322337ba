"""A saved table is read by the schema that it was made with."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import pets

pytestmark = pytest.mark.chance(0)  # the rows are drawn with a seed, and only their spelling is looked at

SCHEMA = {
    "tables": {
        "faelle": {
            "unit": "row",
            "encoding": "cp1252",
            "columns": {
                "Kosten": {"type": "real", "min": 0, "max": 9999.5, "step": 0.5, "decimal": ",", "thousands": ".",
                           "suffix": "€"},
                "Alter": {"type": "integer", "min": 0, "max": 5000, "thousands": "."  , "decimal": ","},
                "Tag": {"type": "date", "min": "2020-01-01", "max": "2020-12-31", "format": "dd.mm.yyyy"},
                "Sex": {"type": "category", "values": ["männlich", "weiblich"], "map": {"m": "männlich"}},
                "Notfall": {"type": "boolean"},
            },
        }
    }
}  # fmt: skip
BUDGET = pets.Budget(epsilon=100, delta=1e-6)


def rows() -> pd.DataFrame:
    size = 400
    return pd.DataFrame({
        "Kosten": [f"{at % 9}.{at % 10}50,5 €" if at % 9 else "1,5" for at in range(size)],
        "Alter": [f"{1 + at % 4}.000" for at in range(size)],
        "Tag": [f"{1 + at % 28:02}.{1 + at % 12:02}.2020" for at in range(size)],
        "Sex": ["m", "weiblich"] * (size // 2),
        "Notfall": ["yes", "no"] * (size // 2),
    })  # fmt: skip


def test_a_saved_csv_is_read_by_the_same_schema(tmp_path: Path) -> None:
    schema = pets.Schema.load(SCHEMA)
    session = pets.Session(schema, rows(), budget=BUDGET, progress=False)
    fates = session.report().columns.values()
    assert all(fate.unparsable == fate.out_of_domain == fate.clamped == fate.null == 0 for fate in fates)
    made = session.synthesise(300, epsilon=50, progress=False)
    path = made.save(tmp_path / "made.csv")
    text = path.read_bytes()
    assert b"m\xe4nnlich" in text
    again = pets.Session(schema, path, budget=BUDGET, progress=False)
    for name, fate in again.report().columns.items():
        lacking = int(made.table[name].isna().sum())
        assert (fate.unparsable, fate.out_of_domain, fate.clamped, fate.null) == (0, 0, 0, lacking), name
    # and the numbers are the same, not a tenth or ten times as much
    exact = pets.testing.exact(schema, path, pets.query("faelle").agg(k=pets.sum("Kosten"), a=pets.sum("Alter")))
    table = made.table
    assert exact["k"][0] == pytest.approx(table["Kosten"].astype(float).sum())
    assert exact["a"][0] == table["Alter"].astype(float).sum()
