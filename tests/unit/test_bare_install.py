"""The base install works without any extra: every optional package is made impossible to import."""

from __future__ import annotations

import subprocess
import sys

import pytest

EXTRAS = [
    "altair",
    "vl_convert",
    "xlsxwriter",
    "polars",
    "sdv",
    "mbi",
    "sklearn",
    "torch",
    "tenseal",
    "nvflare",
    "fastapi",
    "starlette",
    "uvicorn",
    "psycopg",
    "jwt",
    "prometheus_client",
    "opentelemetry",
    "pyspark",
    "scipy",
    "lifelines",
    "matplotlib",
    "jax",
]

PROGRAM = f"""
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {EXTRAS!r}:
            raise ModuleNotFoundError(f"blocked: {{name}}", name=name)
sys.meta_path.insert(0, Block())
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name.split(".")[0] in {EXTRAS!r} else found(name, *rest)

import pandas as pd
import pets
columns = {{"id": pets.Identifier(), "v": pets.Integer(0, 9)}}
schema = pets.Schema({{"t": pets.Table(pets.Unit("id", max_rows=2), columns)}})
data = pd.DataFrame({{"id": [1, 1, 2, 3], "v": [1, 2, 3, 4]}})
session = pets.Session(schema, data, budget=pets.Budget(epsilon=1, delta=1e-6))
query = pets.query("t").group_by("v").agg(n=pets.count(), u=pets.count_units())
print(query.explain(schema), session.quote(query, pets.DP(epsilon=0.5)))
release = session.release(query, pets.DP(epsilon=0.5))
assert len(release.table) == 11 and release._repr_html_() and str(release)
def polars():
    pets.Session(schema, data, budget=pets.Budget(epsilon=1), engine="polars")
def service():
    pets.service.create_app
def logins():
    pets.service.Oidc("https://login.example.org", "pets", {{"keys": []}})
def excel():
    release.save("a.xlsx")
for broken, extra in (
    (release.plot, "plot"), (polars, "polars"), (release.to_polars, "polars"), (excel, "excel"),
    (service, "service"), (logins, "service"),
):
    try:
        broken()
    except pets.UserError as error:
        assert f"pets-privacy[{{extra}}]" in str(error), error
    else:
        raise SystemExit(f"{{extra}} did not say what to install")
print("fine")
"""


@pytest.mark.chance(0)
def test_a_query_from_end_to_end_without_extras() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0 and done.stdout.endswith("fine\n"), done.stderr[-2000:]
