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
from pets.cli import main
from pets.errors import ReleaseFailedError
from pets.rows.counted_rows import Rows
from tests.sparks import spark

pytest.importorskip("pyspark", reason="the spark extra")

STAYS = pd.DataFrame(
    {"id": [f"p{n // 2}" for n in range(400)], "sex": ["F", "M"] * 200, "n": [n % 11 for n in range(400)]}
)
COLUMNS = {"sex": pets.Category(["F", "M"]), "n": pets.Integer(0, 10, nullable=False)}
SCHEMA = pets.Schema(
    {"stays": pets.Table(pets.Unit("id", max_rows=3), {"id": pets.Identifier()} | COLUMNS, people=1_000)}, dataset="d"
)
ASKED = pets.query("stays").group_by("sex").agg(n=pets.count(), s=pets.sum("n"))


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
