"""A site's folder: what its owner writes into the policy holds for a site that is open already."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import pets
from pets.federated import Federation
from pets.federated.deployment.site_folder import SiteFolder
from pets.federated.messages.errors import Refused

N = pets.query("t").agg(n=pets.count())


def test_exact_totals_that_a_policy_begins_to_allow_need_no_restart(tmp_path: Path) -> None:
    columns = "{id: {type: identifier}, age: {type: integer, min: 0, max: 9}}"
    (tmp_path / "t.yaml").write_text(
        f"dataset: folder\ntables:\n  t: {{unit: {{column: id, max_rows: 1}}, people: 4096, columns: {columns}}}\n",
        "utf-8",
    )
    strict, lax = (f"tables: {{t: {{}}}}\ntotals: {{allow: {word}}}\n" for word in ("false", "true"))
    (tmp_path / "policy.yaml").write_text(strict, "utf-8")
    sites = []
    for name in ("east", "north", "west"):
        folder = SiteFolder.create(
            tmp_path / name,
            name=name,
            schema=tmp_path / "t.yaml",
            data={"t": pd.DataFrame({"id": [f"{name}-{n}" for n in range(30)], "age": [n % 9 for n in range(30)]})},
            policy=tmp_path / "policy.yaml",
            budget=pets.Budget(epsilon=1, delta=1e-6),
        )
        sites.append(folder.site)
    with pytest.raises(Refused, match="does not allow exact totals"):
        Federation(sites, sites_per_person=1, progress=False).release(N, pets.Total())
    for site in sites:
        (tmp_path / site.name / "policy.yaml").write_text(lax, "utf-8")
        site.policy = site._file.latest(print) or site.policy
    many = Federation(sites, sites_per_person=1, progress=False)
    assert many.release(N, pets.Total()).table["n"][0] == 90
