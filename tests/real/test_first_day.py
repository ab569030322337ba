"""The first day: a whole session on a machine that has never seen real rows, and the same cell on real ones later."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pets

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "data" / "diabetes130" / "diabetic_data.csv.gz"
SCHEMA = ROOT / "examples" / "diabetes130.yaml"

# What an analyst would have in one cell of a notebook. Only `data` differs between the two machines.
CELL = """
import pets
from pets import col

session = pets.Session(SCHEMA, data, budget=pets.Budget(epsilon=3, delta=1e-6), progress=False)
query = (
    pets.query("stays")
    .where(col("gender").isin(["Female", "Male"]) & (col("number_inpatient") >= 1))
    .group_by("age")
    .agg(stays=pets.count(), patients=pets.count_units(), days=pets.mean("time_in_hospital"),
         early=pets.rate(col("readmitted") == "<30"))
)
offer = session.quote(query, pets.DP(epsilon=0.5))
release = session.release(query, pets.DP(epsilon=0.5))
again = session.release(query, pets.DP(epsilon=0.5))
table, left, history = release.table, session.remaining(), session.history()
chart = release.plot("stays").to_dict()
"""

# Run in a process of its own, in an empty folder; whoever opens a file of real rows there is stopped.
LONELY = """
import sys
from pathlib import Path

def watch(event, args):
    if event == "open" and isinstance(args[0], (str, bytes)) and "/shared/data/" in str(args[0]):
        raise RuntimeError(f"real rows were opened: {args[0]}")
    if event == "socket.connect":
        raise RuntimeError("the network was used")

sys.addaudithook(watch)
from pets.cli import main as cli

def pets_(line):
    code = cli.run(line.split())
    assert code == 0, (line, code)

pets_("dummy nhs --people 150 --seed 1 --out nhs")
schema = "--schema nhs/schema.json"
ask = f"{schema} --table apc --by SEX --count episodes --count-units people"
pets_(f"explain {ask}")
pets_(f"quote {ask} --epsilon 0.5")
pets_(f"query {ask} --dummy")
pets_(f"query {ask} --data apc=nhs/apc.csv --data demographics=nhs/demographics.csv --epsilon 0.5 --ledger l.db "
      "--budget-epsilon 1 --out answer.json --certificate answer.cert")
pets_("verify answer.cert --key l.db.pub")
pets_("ledger show --ledger l.db")
"""


def run(code: str, folder: Path, **names: str) -> str:
    code = "".join(f"{name} = {value!r}\n" for name, value in names.items()) + code
    bare = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LD_LIBRARY_PATH")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=bare | {"HOME": str(folder), "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-500:]
    return done.stdout


@pytest.mark.chance(0)
def test_a_whole_session_where_there_never_was_a_real_row(tmp_path: Path) -> None:
    shown = run(LONELY, tmp_path)
    assert "SEX" in shown and "Genuine" in shown
    assert {"apc.csv", "manifest.json", "schema.json", "data_dictionary.csv"} <= {
        p.name for p in (tmp_path / "nhs").iterdir()
    }


@pytest.mark.chance(0)
def test_the_watch_bites(tmp_path: Path) -> None:
    """A child that opens the place of real rows is stopped, whether or not any lie there."""
    with pytest.raises(AssertionError, match="real rows were opened"):
        run(LONELY.partition("def pets_")[0] + "open(data)", tmp_path, data="/shared/data/x.csv")


def cell(data: Any) -> dict[str, Any]:
    """The cell's names after it was run on some data."""
    names: dict[str, Any] = {"SCHEMA": str(SCHEMA), "data": data}
    exec(CELL, names)
    return names


@pytest.fixture(scope="module")
def invented(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The cell, on a dummy twin written to a file: what an analyst has before access is granted."""
    folder = tmp_path_factory.mktemp("dummy")
    pets.dummy(str(SCHEMA), rows=20_000, seed=1).save(folder)
    return cell(str(folder / "stays.csv"))


def test_the_cell_runs_on_invented_rows(invented: dict[str, Any]) -> None:
    assert len(invented["table"]) == 10 and (invented["table"]["stays"] > 100).all()
    assert invented["again"].digest == invented["release"].digest and len(invented["history"]) == 1
    # a twin without any file, and nothing charged
    twin = pets.Session(str(SCHEMA), budget=pets.Budget(epsilon=3, delta=1e-6)).dummy(rows=20_000)
    free = twin.release(invented["query"], pets.Exact())
    assert free.table["age"].tolist() == invented["table"]["age"].tolist()


@pytest.mark.skipif(not REAL.exists(), reason="the diabetes130 data is not on this machine")
def test_the_same_cell_runs_on_real_rows_by_changing_one_argument(invented: dict[str, Any]) -> None:
    real = cell(str(REAL))
    one, other = invented["table"], real["table"]
    assert list(one) == list(other) and one.dtypes.tolist() == other.dtypes.tolist()
    pd.testing.assert_series_equal(one["age"], other["age"])
    # the same question, price and promise: only the numbers differ
    assert invented["query"].digest == real["query"].digest
    assert invented["release"].plan.digest == real["release"].plan.digest
    assert invented["offer"].cost == real["offer"].cost and str(invented["offer"]) == str(real["offer"])
    assert invented["release"].guarantee == real["release"].guarantee
    assert str(invented["left"]) == str(real["left"]) and invented["chart"].keys() == real["chart"].keys()
    # 36,020 rows meet the filter before bounding; the old are the many there, and all ages are alike in the dummy
    assert other["stays"].sum() > 10_000 and other["stays"].iloc[7] > 10 * other["stays"].iloc[1]
    assert one["stays"].max() < 2 * one["stays"].min()
