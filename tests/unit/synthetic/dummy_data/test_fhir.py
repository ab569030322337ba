"""Resources of FHIR R4: what its definitions ask of each, that they agree with the tables, and what is refused."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import pytest

import pets
from pets.cli import main
from pets.errors import UserError
from pets.synthetic.dummy_data.dataset import Dummy
from pets.synthetic.dummy_data.fhir import TAG, needed

Resource = dict[str, Any]

# https://hl7.org/fhir/R4/: elements that must be there, and the codes of required bindings
MUST = {
    "Patient": {"id", "gender", "birthDate"},
    "Encounter": {"id", "status", "class", "subject", "period"},
    "Condition": {"id", "code", "subject", "verificationStatus", "category"},
    "Observation": {"id", "status", "code", "subject", "effectiveDateTime", "valueQuantity"},
}
MAY = {
    "Patient": {"identifier", "deceasedDateTime"},
    "Encounter": set[str](),
    "Condition": {"clinicalStatus", "encounter", "recordedDate"},
    "Observation": {"category"},
}
GENDERS = {"male", "female", "other", "unknown"}


@pytest.fixture(scope="module")
def world() -> Dummy:
    return pets.dummy("nhs", people=1000, seed=9, products=["fhir"])


@pytest.fixture(scope="module")
def folder(world: Dummy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("resources")
    world.save(out, "fhir")
    return out


@pytest.fixture(scope="module")
def resources(folder: Path) -> dict[str, list[Resource]]:
    return {kind: [json.loads(line) for line in (folder / f"{kind}.ndjson").open(encoding="utf-8")] for kind in MUST}


@pytest.mark.parametrize("kind", MUST)
def test_each_resource_has_what_its_definition_asks_for(resources: dict[str, list[Resource]], kind: str) -> None:
    for one in resources[kind]:
        assert one["resourceType"] == kind and one["meta"] == {"tag": [TAG]}
        assert MUST[kind] <= set(one) <= MUST[kind] | MAY[kind] | {"resourceType", "meta"}
        assert re.fullmatch(r"[A-Za-z0-9.-]{1,64}", one["id"])
        assert not _empty(one)
    assert len({one["id"] for one in resources[kind]}) == len(resources[kind]) > 500


def _empty(part: Any) -> bool:
    """Whether a part holds null, or an object or a list with nothing in it; FHIR allows none of them."""
    if isinstance(part, dict | list):
        return not part or any(_empty(one) for one in (part.values() if isinstance(part, dict) else part))
    return part is None or part == ""


def test_references_lead_to_resources(resources: dict[str, list[Resource]]) -> None:
    people = {f"Patient/{one['id']}" for one in resources["Patient"]}
    visits = {f"Encounter/{one['id']}": one["subject"] for one in resources["Encounter"]}
    for kind in ("Encounter", "Condition", "Observation"):
        assert {one["subject"]["reference"] for one in resources[kind]} <= people
    inside = [one for one in resources["Condition"] if "encounter" in one]
    assert all(visits[one["encounter"]["reference"]] == one["subject"] for one in inside) and len(inside) > 500


def test_values_are_of_their_types_and_sets(resources: dict[str, list[Resource]]) -> None:
    assert {one["gender"] for one in resources["Patient"]} <= GENDERS
    for one in resources["Patient"]:
        born = dt.date.fromisoformat(one["birthDate"])
        assert born <= dt.date.fromisoformat(one.get("deceasedDateTime", "2024-03-31"))
    for one in resources["Encounter"]:
        assert one["status"] == "finished" and one["class"]["code"] in ("IMP", "AMB", "EMER")
        assert dt.date.fromisoformat(one["period"]["start"]) <= dt.date.fromisoformat(one["period"]["end"])
    for one in resources["Condition"]:
        code = one["code"]["coding"][0]
        hospital = "encounter" in one
        form = r"[A-Z]\d\d(\.\d)?" if hospital else r"\d{6,18}"
        assert code["system"].endswith("icd-10" if hospital else "snomed.info/sct") and re.fullmatch(form, code["code"])
        # con-3: an item of the problem list has a clinical status
        assert (one["category"][0]["coding"][0]["code"] == "problem-list-item") == ("clinicalStatus" in one)
    for one in resources["Observation"]:
        value = one["valueQuantity"]
        assert (
            one["status"] == "final" and isinstance(value["value"], int | float) and value["code"] and value["system"]
        )
        assert one["category"][0]["coding"][0]["code"] in ("vital-signs", "laboratory")


def test_resources_are_the_rows_of_the_tables(world: Dummy, resources: dict[str, list[Resource]]) -> None:
    tables = {"Patient": "person", "Encounter": "visit_occurrence", "Condition": "condition_occurrence"}
    tables["Observation"] = "measurement"
    assert {kind: len(some) for kind, some in resources.items()} == {k: len(world[t]) for k, t in tables.items()}
    dead = world["death"].set_index("person_id").death_date.dt.strftime("%Y-%m-%d").to_dict()
    assert {one["id"]: one["deceasedDateTime"] for one in resources["Patient"] if "deceasedDateTime" in one} == dead
    told = world["gdppr"]
    low = [one["valueQuantity"]["value"] for one in resources["Observation"] if _code(one) == "271650006"]
    high = [one["valueQuantity"]["value"] for one in resources["Observation"] if _code(one) == "271649006"]
    press = told[told.CODE == "75367002"]
    assert sorted(low) == sorted(press.VALUE2_CONDITION) and sorted(high) == sorted(press.VALUE1_CONDITION)


def _code(one: Resource) -> str:
    return str(one["code"]["coding"][0]["code"])


def test_the_same_request_writes_the_same_bytes(world: Dummy, folder: Path, tmp_path: Path) -> None:
    world.save(tmp_path, "fhir")
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted(path.name for path in tmp_path.iterdir())
    assert all((folder / name).read_bytes() == (tmp_path / name).read_bytes() for name in names)
    told = json.loads((folder / "manifest.json").read_text())
    assert "HTEST" in told["marker"] and "Patient.ndjson" in told["sha256"]


def test_tables_that_are_no_omop_are_refused_with_a_remedy_that_works(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no table 'person'; make them with products=\['fhir'\]"):
        pets.dummy("nhs", people=5).save(tmp_path / "one", "fhir")
    assert not any((tmp_path / "one").glob("*.ndjson"))
    assert set(needed()) <= set(pets.dummy("nhs", people=5, products=["fhir"]))


def test_the_command_line_writes_resources(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    asked = ["dummy", "nhs", "--people", "20", "--products", "fhir", "--format", "fhir", "--out", str(out)]
    assert main.run(asked) == 0
    said = capsys.readouterr().out
    assert f"{out / 'Patient.ndjson'}: 20 invented resources" in said and "tagged HTEST" in said
    assert "Beside them: data_dictionary.csv, schema.json, manifest.json." in said
