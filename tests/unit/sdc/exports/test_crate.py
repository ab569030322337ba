"""Five Safes RO-Crate 0.4: what its disclosure phase must hold, one rule a test, and what must not be in it."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pets.errors import UserError
from pets.sdc.exports.crate import CrateFacts, export, files
from pets.sdc.tables.checking import check
from tests.unit.sdc.exports.tables import AT, FAILING, PASSING, released

FACTS = CrateFacts(
    workflow="https://workflowhub.eu/workflows/289?version=1",
    person="https://orcid.org/0000-0001-9842-9718",
    name="Amina Rahman",
    affiliation="Riverside University",
    project="Asthma in winter",
    tre="Riverside TRE",
    licence="https://creativecommons.org/licenses/by/4.0/",
    started="2026-03-01T09:00:00+00:00",
    ended="2026-03-01T09:05:00+00:00",
)
UUID = "a1b2c3d4-0000-4000-8000-000000000000"


def crate(*given: Any) -> tuple[dict[str, bytes], dict[str, Any], list[Any]]:
    """The bag, its entities by id, and all of them."""
    bag = files(given, FACTS, at=AT, identifier=UUID)
    form = json.loads(bag["data/ro-crate-metadata.json"])
    assert form["@context"] == "https://w3id.org/ro/crate/1.2/context"
    return bag, {one["@id"]: one for one in form["@graph"]}, form["@graph"]


@pytest.fixture(scope="module")
def passed() -> tuple[dict[str, bytes], dict[str, Any], list[Any]]:
    return crate(check({"a.csv": PASSING}, preset="hes"))


@pytest.fixture(scope="module")
def failed() -> tuple[dict[str, bytes], dict[str, Any], list[Any]]:
    return crate(check({"a.csv": PASSING}, preset="hes"), check({"b.csv": FAILING}))


def of_type(graph: list[Any], kind: str) -> list[Any]:
    return [one for one in graph if one["@type"] == kind]


def test_it_is_one_bag_with_its_identifier_and_manifests(passed: Any, tmp_path: Path) -> None:
    bag = passed[0]
    assert f"External-Identifier: urn:uuid:{UUID}" in bag["bag-info.txt"].decode()
    assert bag["bagit.txt"].startswith(b"BagIt-Version: 1.0\n")
    for manifest, prefix in (("manifest-sha512.txt", "data/"), ("tagmanifest-sha512.txt", "")):
        lines = dict(reversed(line.split("  ")) for line in bag[manifest].decode().splitlines())
        named = {n for n in bag if n.startswith("data/") == bool(prefix) and n != "tagmanifest-sha512.txt"}
        assert set(lines) == named
        assert all(lines[name] == hashlib.sha512(bag[name]).hexdigest() for name in named)
    made = export([check(PASSING, preset="hes")], tmp_path / "c.zip", FACTS, at=AT, identifier=UUID)
    with zipfile.ZipFile(made) as archive:
        assert {name.split("/")[0] for name in archive.namelist()} == {"crate"} and archive.testzip() is None


def test_the_root_conforms_and_names_its_actions(passed: Any) -> None:
    _, by_id, graph = passed
    root = by_id["./"]
    assert root["conformsTo"] == {"@id": "https://w3id.org/5s-crate/0.4"}
    assert "Profile" in by_id["https://w3id.org/5s-crate/0.4"]["@type"], "RO-Crate 1.2: conformsTo names a Profile"
    assert by_id["#pets"]["url"] and by_id["#pets"]["version"], "RO-Crate 1.2: software has both"
    assert by_id[root["mainEntity"]["@id"]]["conformsTo"]["@id"].startswith("https://w3id.org/workflowhub/workflow-ro")
    assert by_id[root["sourceOrganization"]["@id"]]["@type"] == "Project"
    mentioned = {one["@id"] for one in root["mentions"]}
    actions = [one for one in graph if str(one["@type"]).endswith("Action")]
    assert mentioned == {one["@id"] for one in actions} and of_type(graph, "AssessAction")
    assert by_id["ro-crate-metadata.json"]["about"] == {"@id": "./"}


def test_the_execution_has_who_what_when_and_results(passed: Any) -> None:
    _, by_id, graph = passed
    (made,) = of_type(graph, "CreateAction")
    person = by_id[made["agent"]["@id"]]
    assert person["@type"] == "Person" and by_id[person["affiliation"]["@id"]]["name"] == "Riverside University"
    assert [by_id[one["@id"]]["@type"] for one in person["memberOf"]] == ["Project"]
    assert made["instrument"] == by_id["./"]["mainEntity"] and "object" in made
    assert made["actionStatus"] == "http://schema.org/CompletedActionStatus"
    assert (made["startTime"], made["endTime"]) == (FACTS.started, FACTS.ended)
    parts = [one["@id"] for one in by_id["./"]["hasPart"]]
    assert made["result"] and all(one["@id"] in parts and one["@id"] in by_id for one in made["result"])


def test_the_disclosure_check_is_an_assess_action(passed: Any) -> None:
    bag, by_id, graph = passed
    (one,) = of_type(graph, "AssessAction")
    assert one["additionalType"] == {"@id": "https://w3id.org/shp#DisclosureCheck"} and one["object"] == {"@id": "./"}
    agent = by_id[one["agent"]["@id"]]
    assert agent["@type"] == "SoftwareApplication" and by_id[agent["provider"]["@id"]]["name"] == "Riverside TRE"
    assert by_id[one["instrument"]["@id"]] and one["actionStatus"] == "http://schema.org/CompletedActionStatus"
    assert one["startTime"].endswith("+00:00") and one["endTime"].endswith("+00:00")
    assert b'"type":' not in bag["data/ro-crate-metadata.json"].replace(b'"@type":', b"")


def test_what_passed_is_published_with_both_spellings_of_its_licence(passed: Any) -> None:
    _, by_id, graph = passed
    root = by_id["./"]
    assert root["datePublished"] == AT and by_id[root["publisher"]["@id"]]["@type"] == "Organization"
    assert root["licence"] == root["license"] == {"@id": FACTS.licence} and FACTS.licence in by_id
    (last,) = of_type(graph, "UpdateAction")
    assert last["additionalType"] == {"@id": "https://w3id.org/shp#GenerateCheckValue"}
    assert root["mentions"][-1] == {"@id": last["@id"]}


def test_what_failed_is_not_in_the_crate_nor_what_passed_beside_it(failed: Any) -> None:
    bag, by_id, graph = failed
    assert [name for name in bag if name.startswith("data/")] == ["data/ro-crate-metadata.json"]
    assert not of_type(graph, "CreateAction") and not of_type(graph, "File") and "publisher" not in by_id["./"]
    states = [one["actionStatus"] for one in of_type(graph, "AssessAction")]
    assert states == ["http://schema.org/CompletedActionStatus", "http://schema.org/FailedActionStatus"]
    whole = b"".join(bag.values())
    assert b"23" not in whole.replace(b"2023", b"").replace(UUID.encode(), b"") or b"North" not in whole
    assert b"North" not in whole


def test_a_release_with_noise_waits_for_a_person() -> None:
    _, by_id, graph = crate(released())
    (one,) = of_type(graph, "AssessAction")
    assert one["actionStatus"] == "http://schema.org/PotentialActionStatus" and "endTime" not in one
    assert "publisher" not in by_id["./"] and not of_type(graph, "UpdateAction")


def test_each_crate_has_a_date_and_a_license_whatever_was_decided(passed: Any, failed: Any) -> None:
    for _, by_id, _ in (passed, failed, crate(released())):
        root = by_id["./"]
        assert root["datePublished"] == AT and root["license"] == {"@id": FACTS.licence}
        assert by_id[FACTS.licence]["@type"] == "CreativeWork"


def test_facts_are_read_and_what_is_missing_is_named(tmp_path: Path) -> None:
    file = tmp_path / "crate.yaml"
    lines = [f"{name}: {json.dumps(value)}" for name, value in vars(FACTS).items()]
    file.write_text("\n".join(lines))
    assert CrateFacts.load(file) == FACTS
    file.write_text("\n".join(lines[1:]))
    with pytest.raises(UserError, match="need 'workflow'"):
        CrateFacts.load(file)
    file.write_text("\n".join([*lines, "licens: x"]))
    with pytest.raises(UserError, match="did you mean 'licence'"):
        CrateFacts.load(file)
    file.write_text("\n".join([*lines[:-1], "ended: 2026-03-01"]))
    with pytest.raises(UserError, match="'ended'"):
        CrateFacts.load(file)
    with pytest.raises(UserError, match=r"a \.zip file"):
        export([check(PASSING)], tmp_path / "c.tar", FACTS, at=AT)
