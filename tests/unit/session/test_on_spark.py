"""A session whose rows are counted on Spark answers as every other does: in Python, and on the command line."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pets
from pets import col
from pets.cli import main
from pets.errors import LeftOutWarning, ReleaseFailedError
from pets.rows.counted_rows import Rows
from pets.rows.engine.spark_rows import SparkBackend
from tests.sparks import spark
from tests.unit.rows import test_people
from tests.unit.session import test_group_keys
from tests.unit.session.test_people import frames

pytest.importorskip("pyspark", reason="the spark extra")

STAYS = pd.DataFrame(
    {"id": [f"p{n // 2}" for n in range(400)], "sex": ["F", "M"] * 200, "n": [n % 11 for n in range(400)]}
)
COLUMNS = {"sex": pets.Category(["F", "M"]), "n": pets.Integer(0, 10, nullable=False)}
SCHEMA = pets.Schema(
    {"stays": pets.Table(pets.Unit("id", max_rows=3), {"id": pets.Identifier()} | COLUMNS, people=1_000)}, dataset="d"
)
ASKED = pets.query("stays").group_by("sex").agg(n=pets.count(), s=pets.sum("n"))


def test_rows_that_spark_leaves_out_for_want_of_a_value_are_told_as_elsewhere(tmp_path: Path) -> None:
    rows = spark().createDataFrame(STAYS).selectExpr("id", "sex", "CASE WHEN n > 0 THEN n END AS n")
    given: dict[str, Any] = {"budget": pets.Budget(epsilon=1, delta=1e-6), "engine": "spark", "progress": False}
    with pytest.warns(LeftOutWarning, match=r"^table 'stays': 37 of 400 rows \(9\.2 %\) .*\('n' in 37\)") as told:
        session = pets.Session(SCHEMA, {"stays": rows}, snapshots=tmp_path / "ready", **given)
    assert [one.filename for one in told if one.category is LeftOutWarning] == [__file__]
    assert session.report().rows_valid == 363 and len(session.custody.left_out) == 1


def test_a_session_answers_on_spark(tmp_path: Path) -> None:
    session = pets.Session(
        SCHEMA,
        {"stays": spark().createDataFrame(STAYS)},
        budget=pets.Budget(epsilon=20, delta=1e-6),
        policy=pets.Policy(allow_unbounded=True),
        engine="spark",
        snapshots=f"file://{tmp_path}/ready",
        progress=False,
    )
    exact = session.release(ASKED, pets.Total())
    assert exact.table["n"].tolist() == [200, 200, 0]  # the last: no sex
    assert exact.table["s"].tolist() == [*STAYS.groupby("sex")["n"].sum(), 0]
    noisy = session.release(ASKED, pets.DP(epsilon=5))
    assert all(abs(n - 200) < 100 for n in noisy.table["n"][:2])
    stated = json.loads(base64.b64decode(noisy.certificate["payload"]))["predicate"]["engine_versions"]
    assert stated["engine"] == "spark" and stated["pyspark"] == metadata.version("pyspark")
    made = session.synthesise(table="stays", method="dp", epsilon=1, columns=["sex", "n"])
    assert set(made.table["sex"].dropna()) <= {"F", "M"}


def test_the_command_line_asks_spark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spark()  # the command uses the one of its process
    STAYS.to_parquet(tmp_path / "stays.parquet")
    (tmp_path / "stays.yaml").write_text(json.dumps(SCHEMA.to_json()), "utf-8")
    ready, schema = str(tmp_path / "ready"), str(tmp_path / "stays.yaml")
    given = ["--schema", schema, "--data", f"stays={tmp_path / 'stays.parquet'}", "--out", ready, "--engine", "spark"]
    assert main.run(["snapshot", *given]) == 0
    asked = ["--schema", schema, "--snapshots", ready, "--engine", "spark", "--by", "sex", "--count", "stays"]
    assert main.run(["query", *asked, "--epsilon", "0.5"]) == 0
    assert "F" in capsys.readouterr().out


def test_a_sum_that_overflows_is_a_failed_release_and_charged(monkeypatch: pytest.MonkeyPatch) -> None:
    """No plan has such a sum. If one had, whether it overflows would depend on rows, so nothing may tell it."""

    def much(rows: Rows, table: Any, column: str, *_: object) -> Any:
        return (table[rows._snapshot.columns[column]].cast("int64") * 2**61).sum()

    spark()
    given: dict[str, Any] = {"budget": pets.Budget(epsilon=3, delta=1e-6), "engine": "spark", "progress": False}
    session = pets.Session(SCHEMA, {"stays": STAYS}, **given)
    with monkeypatch.context() as patch:
        patch.setattr(Rows, "total", much)
        with pytest.raises(ReleaseFailedError) as failed:
            session.release(ASKED, pets.DP(epsilon=1))
    said = str(failed.value)
    assert re.fullmatch(
        r"the release failed after the data was opened \(incident (\w{12})\); its charge stands; give the incident "
        "number to the custodian",
        said,
    )
    assert failed.value.__context__ is None and failed.value.__cause__ is None
    assert session.history()["state"].tolist() == ["forfeited"] and session.remaining().spent.loss > 0
    assert "OVERFLOW" in session.incident(session.history()["id"][0][:12])
    assert session.release(ASKED, pets.DP(epsilon=1)).table["n"].notna().all()


NO_JAVA = """
import os, sys
import pandas as pd
import pets
from pets.errors import MissingExtraError

def told(**environment):
    os.environ.pop("JAVA_HOME", None)
    os.environ |= environment
    try:
        pets.Session({"tables": {"t": {"unit": "row", "columns": {"n": {"type": "integer", "min": 0, "max": 9}}}}},
                     {"t": pd.DataFrame({"n": [1]})}, budget=pets.Budget(epsilon=1), engine="spark", progress=False)
    except MissingExtraError as error:
        print(error)

whole = os.environ["PATH"]
told(PATH="")
told(PATH=whole, JAVA_HOME=sys.argv[1] + "/none")
told(PATH=whole, JAVA_HOME=sys.argv[1])
"""


SAYS = (
    "the engine 'spark' runs on Java 17 or 21, and none starts here; install one (on Debian and Ubuntu: apt-get "
    "install openjdk-17-jre-headless), or set JAVA_HOME to where one is"
)


@pytest.mark.chance(0)  # nothing is drawn before it is refused
def test_a_missing_java_says_what_to_install(tmp_path: Path) -> None:
    """Where there is none, where JAVA_HOME leads nowhere, and where what is there does not start."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "bin" / "java").chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", NO_JAVA, str(tmp_path)], capture_output=True, text=True, check=True, timeout=240
    )
    assert done.stdout.splitlines() == [SAYS] * 3
    schema = tmp_path / "stays.yaml"
    schema.write_text(json.dumps(SCHEMA.to_json()), "utf-8")
    STAYS.to_parquet(tmp_path / "stays.parquet")
    asked = ["--schema", str(schema), "--data", f"stays={tmp_path / 'stays.parquet'}", "--count", "stays"]
    command = [sys.executable, "-m", "pets", "query", *asked, "--engine", "spark", "--epsilon", "0.5"]
    environment = {name: value for name, value in os.environ.items() if name != "JAVA_HOME"} | {"PATH": "/nowhere"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240, env=environment)
    assert done.returncode != 0 and done.stdout == ""
    assert "install openjdk-17-jre-headless" in done.stderr and "Traceback" not in done.stderr


BUDGET = pets.Budget(epsilon=20, delta=1e-6, threshold_delta=1e-7)
OPEN = pets.Policy(allow_unbounded=True)
COLUMNS_OF_VISITS = {
    "id": pets.Identifier(),
    "ward": pets.Category(["a", "b", "c"]),
    "day": pets.Date("2024-01-01", "2024-12-31"),
    "cost": pets.Real(0, 50, step="0.5"),
    "urgent": pets.Boolean(),
}
VISITS = pets.Schema(
    {"v": pets.Table(pets.Unit("id", max_rows=6, rank_within=(("ward",),)), COLUMNS_OF_VISITS, people=1_000)},
    dataset="visits",
)
BY_WARD = pets.query("v").group_by("ward").agg(n=pets.count(), s=pets.sum("cost"), people=pets.count_units())
QUESTIONS = {
    "all that is measured": pets.query("v")
    .where(col("day") >= "2024-02-01")
    .group_by(col("day").quarter(), "urgent")
    .agg(
        n=pets.count(),
        people=pets.count_units(),
        s=pets.sum("cost"),
        m=pets.mean("cost", clip=(5, 20)),
        v=pets.variance("cost"),
        rate=pets.rate(col("urgent") == True),  # noqa: E712
        half=pets.median("cost"),
        h=pets.histogram("cost", [0, 10, 50]),
    ),
    "rows": BY_WARD.bound(rows=2),
    "groups": BY_WARD.bound(groups=1),
    "rows in each group, stored": BY_WARD.bound(rows_per_group=1),
    "rows in each group, by a condition": BY_WARD.where(col("cost") > 3).bound(rows_per_group=1),
    "rows in some groups": pets.query("v").group_by("urgent").agg(n=pets.count()).bound(groups=1, rows_per_group=2),
}


def visits() -> pd.DataFrame:
    rows = [
        {
            "id": f"p{n % 90}",
            "ward": "abc?"[n * 7 % 4],
            "day": f"2024-{1 + n % 12:02d}-{1 + n % 28:02d}",
            "cost": (n * 13 % 120) / 2,
            "urgent": [True, False, None][n % 3],
        }
        for n in range(900)
    ]
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[pets.Session, pets.Session]:
    """One folder of visits, asked on DuckDB and on Spark."""
    known: dict[str, Any] = {"budget": BUDGET, "policy": OPEN, "progress": False}
    known["snapshots"] = tmp_path_factory.mktemp("visits") / "ready"
    spark()
    return pets.Session(VISITS, {"v": visits()}, **known), pets.Session(VISITS, **known, engine="spark")


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_bound_and_every_aggregate_is_that_of_duckdb(both: tuple[pets.Session, pets.Session], name: str) -> None:
    wanted, found = (session.release(QUESTIONS[name], pets.Total()).table for session in both)
    pd.testing.assert_frame_equal(found, wanted)
    assert wanted.iloc[:, -1].any()


def test_keys_that_nobody_listed_are_those_of_duckdb(tmp_path: Path) -> None:
    spark()
    known: dict[str, Any] = {"budget": test_group_keys.BUDGET, "snapshots": tmp_path / "s", "progress": False}
    first = pets.Session(test_group_keys.SCHEMA, {"apc": test_group_keys.rows()}, **known)
    second = pets.Session(test_group_keys.SCHEMA, **known, engine="spark")
    wanted, found = (session.group_keys("apc", **test_group_keys.ASKED) for session in (first, second))
    assert found.rows == wanted.rows == (("I21",), ("J45",), ("K350",), (None,))
    assert (abs(found.table["people"] - [450, 450, 300, 450]) <= 12 * found.scale).all()
    asked = pets.query("apc").group_by(found).agg(n=pets.count_units())
    assert (abs(second.release(asked, pets.DP(epsilon=5)).table["n"] - [450, 450, 300, 450]) < 60).all()


def test_people_of_several_tables_that_spark_made_ready_together(tmp_path: Path) -> None:
    """One index of people, features of each, in the order of their own rows: over one folder, as on DuckDB."""
    known: dict[str, Any] = {"budget": BUDGET, "policy": OPEN, "snapshots": tmp_path / "s", "progress": False}
    tables = {name: spark().createDataFrame(table.astype(str)) for name, table in frames().items()}
    on = pets.Session(test_people.SCHEMA, tables, **known, engine="spark")
    off = pets.Session(test_people.SCHEMA, **known)
    found, wanted = (session.release(test_people.COHORT, pets.Total()).table for session in (on, off))
    pd.testing.assert_frame_equal(found, wanted)
    assert wanted["n"].sum() == 60 and wanted["drugs"].sum() > 30


def test_a_refresh_while_spark_counts_is_one_word_to_the_analyst_and_is_charged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spark reads parts by their names, and a refresh takes them away: never an answer of some old and some new."""
    spark()
    ledger = str(tmp_path / "ledger.db")
    known: dict[str, Any] = {"budget": BUDGET, "ledger": ledger, "snapshots": tmp_path / "s", "progress": False}
    custodian = pets.Session(SCHEMA, {"stays": STAYS}, **known)
    asker = pets.Session(SCHEMA, **known, analyst="other", engine="spark")
    count = SparkBackend.to_pyarrow
    before = asker.release(ASKED, pets.DP(epsilon=1))
    asked_then = ASKED.bound(rows=1)
    once, price = asker.remaining().spent.loss, asker.quote(asked_then, pets.DP(epsilon=1)).cost.loss
    for moment in ("to_pyarrow", "__init__"):  # while it counts, and between the charge and its look at the folder
        asked = getattr(SparkBackend, moment)

        def meanwhile(*given: Any, asked: Any = asked) -> Any:
            monkeypatch.undo()
            custodian.refresh()
            return asked(*given)

        monkeypatch.setattr(SparkBackend, moment, meanwhile)
        with pytest.raises(ReleaseFailedError) as failed:
            asker.release(asked_then, pets.DP(epsilon=1))
        said = str(failed.value)
        assert "parquet" not in said and str(tmp_path) not in said and failed.value.__context__ is None
        assert SparkBackend.to_pyarrow is count
    assert asker.history()["state"].tolist() == ["committed", "forfeited", "forfeited"]
    assert asker.remaining().spent.loss == once + 2 * price
    after = asker.release(ASKED, pets.DP(epsilon=1))
    assert after.snapshot_id == custodian.snapshots["stays"] != before.snapshot_id
    assert all(abs(n - 200) < 100 for n in after.table["n"][:2])
