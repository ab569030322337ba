"""A session whose rows are counted on Spark answers as every other does: in Python, and on the command line."""

from __future__ import annotations

import base64
import json
from importlib import metadata
from pathlib import Path

import pandas as pd
import pytest

import pets
from pets.cli import main
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
