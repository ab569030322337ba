"""What is given beside a release is held against it, whatever its kind; or it is said that this cannot be."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

import pets
from pets.cli import main
from pets.common.codec import canonical
from pets.federated import Federation, Site, kaplan_meier
from pets.federated.site import policy
from pets.verify import check as checker
from pets.verify.check import CannotCheck, Refused, check
from tests.unit.federated.analyst.test_models import ROWS, SCHEMA
from tests.unit.federated.analyst.test_sharing import many
from tests.unit.verify.test_models import opened
from tests.unit.verify.test_sharing import QUERY

TOTAL = pets.Total()
OTHER = canonical({"dataset": "other", "tables": {}})
COLUMNS = "tables: {t: {unit: row, columns: {a: {type: integer, min: 0, max: 3}}}}"


KINDS = ["curve", "answer", "sites", "sites' curve"]


@pytest.fixture(scope="module", params=KINDS)
def given(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, bytes]:
    """A file of that kind, its folder, and the published schema."""
    folder = tmp_path_factory.mktemp("given")
    made: Any
    if request.param.startswith("sites"):
        whole = policy.SitePolicy.open(SCHEMA, totals=policy.Totals(allow=True, min_cohort=1))
        alike = [Site(opened(ROWS.iloc[number::3]), policy=whole, name=f"s{number}") for number in range(3)]
        made = (
            many(5).release(QUERY, TOTAL)
            if request.param == "sites"
            else kaplan_meier(Federation(alike, sites_per_person=1, progress=False), "trial", "days", "died", TOTAL)
        )
        form = made.form if request.param == "sites" else made.release.form
        key, public = form["sharing"]["roster"]["coordinator"], form["schema"]
    else:
        session = opened()
        if request.param == "curve":
            made = kaplan_meier(session, "trial", "days", "died", TOTAL)
        else:
            made = session.release(pets.query("trial").agg(n=pets.count()), TOTAL)
        key, public = session.ledger.key.raw.hex(), SCHEMA.to_json()
    made.save(folder / "file.json")
    (folder / "key.pub").write_text(key)
    (folder / "schema.json").write_bytes(canonical(public))
    (folder / "other.json").write_bytes(OTHER)
    (folder / "other.yaml").write_text(f"dataset: other\n{COLUMNS}\n")
    (folder / "garbage").write_text("garbage\n")
    return request.param, folder, canonical(public)


@pytest.mark.chance(0)
def test_the_schema_is_the_published_one(given: tuple[str, Path, bytes]) -> None:
    _, folder, public = given
    file, key = (folder / "file.json").read_bytes(), bytes.fromhex((folder / "key.pub").read_text())
    assert "schema: the published one" in check(file, key, schema=public)
    assert "schema: as the custodian says" in check(file, key)
    with pytest.raises(Refused, match="not the published one"):
        check(file, key, schema=OTHER)


@pytest.mark.chance(0)
def test_a_log_or_a_witness_that_cannot_be_held_against_it_is_told(given: tuple[str, Path, bytes]) -> None:
    kind, folder, _ = given
    file, key = (folder / "file.json").read_bytes(), bytes.fromhex((folder / "key.pub").read_text())
    with pytest.raises(Refused if kind == "answer" else CannotCheck):
        check(file, key, log=io.BytesIO(b"garbage\n"))
    with pytest.raises(CannotCheck if kind.startswith("sites") else Refused):
        check(file, key, witnesses=("garbage", "garbage"))


@pytest.mark.chance(0)
@pytest.mark.parametrize(
    ("more", "codes"),
    [
        ("", (0, 0, 0)),
        ("--schema schema.json", (0, 0, 0)),
        ("--schema other.json", (11, 11, 11)),
        ("--log garbage", (12, 11, 12)),
        ("--policy garbage", (12, 12, 12)),
        ("--proof garbage", (12, 12, 12)),
        ("--policy garbage --proof garbage", (11, 11, 12)),
    ],
)
def test_the_programs_are_never_silent(
    given: tuple[str, Path, bytes], more: str, codes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, folder, _ = given
    monkeypatch.chdir(folder)
    wanted = codes[min(KINDS.index(kind), 2)]
    assert checker.main(["file.json", "key.pub", *more.split()]) == wanted
    said = main.run(["verify", "file.json", "--key", "key.pub", *more.replace("other.json", "other.yaml").split()])
    assert (said == 0) is (wanted == 0)
