"""Sites and parties whose rows Spark counts: the totals, fits and certificates of those whose rows DuckDB counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets import he
from pets.cli import main
from pets.errors import UserError
from pets.federated import Federation, Site, SitePolicy, Totals
from pets.federated.analyst.models import Fit, glm
from pets.federated.deployment.site_folder import SiteFolder
from tests import he_parties
from tests.sparks import spark
from tests.unit.federated.analyst import test_glm
from tests.unit.federated.site.test_site import BY_AGE, HALF, UNBOUNDED, parts
from tests.unit.session.test_session import SCHEMA

pytest.importorskip("pyspark", reason="the spark extra")

BUDGET = pets.Budget(epsilon=3, delta=1e-6)
ASKED = (
    pets.query("stays")
    .group_by("age")
    .agg(
        n=pets.count(), u=pets.count_units(), s=pets.sum("days"), v=pets.variance("days"), q=pets.quantile("days", 0.5)
    )
    .bound(rows=4)  # nobody has more: which rows a site keeps does not matter
)


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first site's rows, made ready on Spark."""
    folder = tmp_path_factory.mktemp("site") / "ready"
    rows = {"stays": spark().createDataFrame(parts()[0])}
    pets.Session(SCHEMA, rows, budget=BUDGET, snapshots=folder, engine="spark", progress=False)
    return folder


def federation(ready: Path, engines: tuple[str, str, str]) -> Federation:
    """Three sites; the first on stored rows, the others on rows in memory."""
    rules = SitePolicy.open(SCHEMA, totals=Totals(allow=True, min_cohort=0))
    sites = []
    for number, (rows, engine) in enumerate(zip(parts(), engines, strict=True)):
        given: dict[str, Any] = {"snapshots": ready} if number == 0 else {"data": {"stays": rows}}
        one = pets.Session(SCHEMA, **given, budget=BUDGET, policy=UNBOUNDED, engine=engine, progress=False)
        sites.append(Site(one, policy=rules, name=f"s{number}"))
    return Federation(sites, sites_per_person=1, progress=False)


@pytest.mark.parametrize("secure", ["masked", "encrypted"])
def test_totals_of_sites_on_spark_are_those_on_duckdb(ready: Path, secure: str) -> None:
    found, wanted = (
        federation(ready, engines).release(ASKED, pets.Total(), secure=secure)
        for engines in (("spark", "spark", "duckdb"), ("duckdb", "duckdb", "duckdb"))
    )
    assert wanted.values.any() and found.values.tolist() == wanted.values.tolist()
    pd.testing.assert_frame_equal(found.table, wanted.table)


def test_each_sites_certificate_says_what_counted_its_rows(ready: Path) -> None:
    many = federation(ready, ("spark", "polars", "duckdb"))
    release = many.release(BY_AGE, HALF)
    said = {name: one.predicate["engine_versions"] for name, one in many.certificates(release).items()}
    assert [said[name]["engine"] for name in ("s0", "s1", "s2")] == ["spark", "polars", "duckdb"]
    assert "pyspark" in said["s0"] and "duckdb" in said["s2"]


def test_a_regression_over_sites_on_spark_is_that_on_duckdb() -> None:
    """A fit takes a site's codes, row by row, to the process that asks Spark: sums of them leave it, as ever."""

    def fitted(engine: str) -> Fit:
        table = test_glm.schema()
        rules = SitePolicy.open(table, totals=Totals(allow=True, min_cohort=1))
        sites = []
        for number in range(3):
            rows = {"trial": test_glm.ROWS.iloc[number::3]}
            kind = engine if number else "duckdb"
            one = pets.Session(table, rows, budget=BUDGET, policy=UNBOUNDED, engine=kind, progress=False)
            sites.append(Site(one, policy=rules, name=f"s{number}"))
        many = Federation(sites, sites_per_person=1, progress=False)
        return glm(many, "trial", "died", test_glm.COVARIATES, "binomial", pets.Total())

    spark()
    found, wanted = fitted("spark"), fitted("duckdb")
    assert found.rows == wanted.rows > 1000
    assert np.array_equal(found.coefficients, wanted.coefficients) and np.array_equal(found.errors, wanted.errors)


def test_parties_on_several_engines_add_one_encrypted_total() -> None:
    spark()
    at = he_parties.table(3)
    rows = pd.DataFrame({"person": [str(i) for i in range(40)], "g": [i % 4 for i in range(40)], "v": 7})
    sent = []
    for key, engine in zip(at.keys, ("spark", "duckdb", "spark"), strict=True):
        known: dict[str, Any] = {"budget": BUDGET, "policy": UNBOUNDED, "engine": engine, "progress": False}
        one = pets.Session(he_parties.schema(), {"t": rows}, **known)
        sent.append(he.encrypt(one, he_parties.query(), at.public, round=at.round, party=key))
        assert one.history()["unbounded"].tolist() == [True]
    assert at.secret.open(he.add(sent)).table["n"].tolist() == [30, 30, 30, 30, 0]


FILE = """\
dataset: folder
tables:
  t: {unit: {column: id, max_rows: 1}, people: 4096, columns: {id: {type: identifier}, age: {type: integer, min: 0,
    max: 9}}}
"""


def test_a_site_of_its_own_folder_counts_on_the_engine_that_it_was_made_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spark()
    (tmp_path / "t.yaml").write_text(FILE, "utf-8")
    pd.DataFrame({"id": [f"p{n}" for n in range(30)], "age": [n % 9 for n in range(30)]}).to_parquet(
        tmp_path / "t.parquet"
    )
    call = ["site", "init", str(tmp_path / "north"), "--schema", str(tmp_path / "t.yaml"), "--budget-epsilon", "1"]
    call += ["--data", str(tmp_path / "t.parquet")]
    assert main.run([*call, "--engine", "sparkle"]) != 0 and not (tmp_path / "north").exists()
    assert "did you mean 'spark'?" in capsys.readouterr().err
    assert main.run([*call, "--engine", "spark"]) == 0
    folder = SiteFolder(tmp_path / "north")
    assert folder.engine == folder.site.session.engine == "spark"
    asked = pets.query("t").agg(n=pets.count())
    assert folder.site.session.release(asked, pets.Total()).table["n"].tolist() == [30]
    # folders of before say nothing of an engine; and one that is no engine's is refused where the site is opened
    said = json.loads((tmp_path / "north" / "site.json").read_bytes())
    for form, engine in ((said, "spark"), ({k: v for k, v in said.items() if k != "engine"}, "duckdb")):
        (tmp_path / "north" / "site.json").write_text(json.dumps(form))
        assert SiteFolder(tmp_path / "north").site.session.engine == engine
    (tmp_path / "north" / "site.json").write_text(json.dumps(said | {"engine": ["spark"]}))
    with pytest.raises(UserError, match="does not exist"):
        _ = SiteFolder(tmp_path / "north").site
