"""A site's folder: what its owner writes into the policy holds for a site that is open already."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import pets
from pets.common import signing
from pets.errors import UserError
from pets.federated import Federation, Roster
from pets.federated.deployment.notices import Notices
from pets.federated.deployment.serving import Rejoining
from pets.federated.deployment.site_folder import SiteFolder
from pets.federated.messages.errors import Refused

N = pets.query("t").agg(n=pets.count())


def folders(tmp_path: Path, policy: str) -> list[SiteFolder]:
    columns = "{id: {type: identifier}, age: {type: integer, min: 0, max: 9}}"
    (tmp_path / "t.yaml").write_text(
        f"dataset: folder\ntables:\n  t: {{unit: {{column: id, max_rows: 1}}, people: 4096, columns: {columns}}}\n",
        "utf-8",
    )
    (tmp_path / "policy.yaml").write_text(policy, "utf-8")
    return [
        SiteFolder.create(
            tmp_path / name,
            name=name,
            schema=tmp_path / "t.yaml",
            data={"t": pd.DataFrame({"id": [f"{name}-{n}" for n in range(30)], "age": [n % 9 for n in range(30)]})},
            policy=tmp_path / "policy.yaml",
            budget=pets.Budget(epsilon=1, delta=1e-6),
        )
        for name in ("east", "north", "west")
    ]


def test_a_site_that_serves_takes_up_a_roster_that_it_joins_meanwhile(tmp_path: Path) -> None:
    several = folders(tmp_path, "tables: {t: {}}\n")
    said: list[str] = []
    served = SiteFolder(several[0].path)
    gate = Rejoining(served, served.site, Notices(None, said.append))
    coordinator, analyst = (signing.ephemeral().public.raw.hex() for _ in range(2))
    members = tuple(one.site.member for one in several)
    roster = Roster(members, coordinator, (("ann", analyst),), sites_per_person=1)
    several[0].join(roster)  # another process: pets site join
    for _ in range(2):
        with pytest.raises(UserError, match="no message of a federated query"):
            gate.handle(b"whatever comes next")
    assert len(said) == 1 and f"The roster {roster.digest[:16]}, joined meanwhile, is answered from now on." in said[0]
    assert served.joined == (roster,) and served.site._rosters == {roster.digest: roster}


def test_exact_totals_that_a_policy_begins_to_allow_need_no_restart(tmp_path: Path) -> None:
    strict, lax = (f"tables: {{t: {{}}}}\ntotals: {{allow: {word}}}\n" for word in ("false", "true"))
    sites = [folder.site for folder in folders(tmp_path, strict)]
    with pytest.raises(Refused, match="does not allow exact totals"):
        Federation(sites, sites_per_person=1, progress=False).release(N, pets.Total())
    for site in sites:
        (tmp_path / site.name / "policy.yaml").write_text(lax, "utf-8")
        site.policy = site._file.latest(print) or site.policy
    many = Federation(sites, sites_per_person=1, progress=False)
    assert many.release(N, pets.Total()).table["n"][0] == 90
