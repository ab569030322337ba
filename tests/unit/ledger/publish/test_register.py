"""A data use register's entry: what the ledger knows, what the custodian gives, and what nobody gave."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from pets.cli.main import run
from pets.errors import LedgerError, UserError
from pets.ledger.publish.read_log import Published, published
from pets.ledger.publish.register import DATES, FIELDS, LISTS, SAFES, data_use, read_facts
from tests.sample_ledger import HOSTILE, eventful

FACTS = """\
organisation_name: Riverside University
organisation_sector: Academia
funders_and_sponsors: [A charity, "A council"]
non_gateway_applicants: Dr A. Jones
project_title: Asthma in winter
lay_summary: >
  Do more people with asthma
  come to hospital in winter?
project_start_date: 2024-01-01
privacy_enhancements: Staff are trained.
non_gateway_outputs:
  - A talk
legal_basis_for_data_article9:
"""


@pytest.fixture(scope="module")
def public() -> Published:
    return published(eventful().ledger)


@pytest.fixture
def facts(tmp_path: Path) -> Path:
    path = tmp_path / "project.yaml"
    path.write_text(FACTS, "utf-8")
    return path


def test_the_fields_are_the_register_s() -> None:
    assert len(FIELDS) == len(set(FIELDS)) == 33 and set(FIELDS) >= LISTS | DATES
    assert [len(names) for names in SAFES.values()] == [7, 10, 11, 2, 3]


def test_the_ledger_fills_the_enhancements_and_the_outputs(public: Published) -> None:
    entry = data_use(public, "asthma")
    outputs = entry.fields["non_gateway_outputs"]
    assert isinstance(outputs, list) and len(outputs) == 3
    assert outputs[0].startswith("2024-01-13: The number of records and the average of “time in hospital”")
    assert "ε = 0.5 (δ = 10⁻⁶)" in outputs[0]
    said = entry.fields["privacy_enhancements"]
    for part in ("3 releases with differential privacy", "ε = 2 (δ = 10⁻⁶)", public.history.origin):
        assert part in said
    assert entry.from_ledger == (
        "project_id_text",
        "non_gateway_datasets",
        "access_date",
        "privacy_enhancements",
        "non_gateway_outputs",
    )
    assert set(entry.unfilled) == set(FIELDS) - set(entry.from_ledger)
    assert entry.fields["access_date"] == "2024-01-13", "when its first request was let at the rows"
    assert entry.ledger["checkpoint"] == public.checkpoint and entry.ledger["key_id"] == public.key.id


def test_a_release_without_a_guarantee_is_named(public: Published) -> None:
    entry = data_use(public, "national audit")
    assert (
        "1 release without a finite guarantee (exact or rounded figures, without noise)"
        in entry.fields["privacy_enhancements"]
    )
    assert "no finite guarantee" in entry.fields["non_gateway_outputs"][0]


def test_the_custodian_s_facts_come_beside(public: Published, facts: Path) -> None:
    entry = data_use(public, "asthma", read_facts(facts))
    assert entry.fields["organisation_name"] == "Riverside University"
    assert entry.fields["funders_and_sponsors"] == ["A charity", "A council"]
    assert entry.fields["non_gateway_applicants"] == ["Dr A. Jones"]
    assert entry.fields["lay_summary"] == "Do more people with asthma come to hospital in winter?"
    assert str(entry.fields["privacy_enhancements"]).startswith("Staff are trained. Dataset hospital-stays:")
    assert entry.fields["non_gateway_outputs"][0] == "A talk" and len(entry.fields["non_gateway_outputs"]) == 4
    assert "legal_basis_for_data_article9" in entry.unfilled
    form = entry.to_json()
    assert form["people"]["organisation_name"] == "Riverside University" and form["people"]["organisation_id"] is None
    assert form["unfilled"] == list(entry.unfilled) and form["project_in_the_ledger"] == "asthma"
    assert {name for safe in SAFES for name in form[safe]} == set(FIELDS)
    assert data_use(public, "asthma", read_facts(facts) | {"project_id_text": "P-7"}).fields["project_id_text"] == "P-7"


ROW = Path(__file__).parents[3] / "vectors" / "registers" / "data-use-row.json"
"""What the Gateway's rules for a new entry say (HDRUK/gateway-api, CreateDur, commit 1d90fe0), as a JSON schema."""


def test_the_row_is_one_that_the_gateway_takes(public: Published, facts: Path) -> None:
    schema = json.loads(ROW.read_text("utf-8"))
    assert set(schema["properties"]) == set(FIELDS) - {"datasets"}
    for project, given in (("asthma", read_facts(facts) | {"datasets": ["HES"]}), ("national audit", {})):
        row = data_use(public, project, given).to_json()["row"]
        jsonschema.validate(row, schema)
        assert "datasets" not in row and row["access_date"].endswith("T00:00:00")
    for name, wrong in (("access_date", "2024-01-13"), ("non_gateway_outputs", "a talk"), ("project", "asthma")):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(row | {name: wrong}, schema)


def test_a_project_whose_requests_were_all_refused_has_no_day_of_access(public: Published) -> None:
    known = next(iter(public.history.datasets.values()))
    refused = [one for one in known.asked.values() if not one.state.opened]
    assert refused, "the sample has a request that opened nothing"
    only = replace(
        public,
        history=replace(public.history, datasets={known.name: replace(known, asked={refused[0].id: refused[0]})}),
    )
    assert "access_date" in data_use(only, refused[0].project).unfilled


def test_a_spreadsheet_takes_no_value_for_a_formula(public: Published) -> None:
    given = {"project_title": "=HYPERLINK(1)", "lay_summary": " @x", "organisation_name": "-1", "access_type": "a=b"}
    head, row = csv.reader(io.StringIO(data_use(public, HOSTILE, given).to_csv()))
    found = dict(zip(head, row, strict=True))
    assert head == [*FIELDS, "unfilled", "ledger"]
    assert found["project_title"] == "'=HYPERLINK(1)" and found["lay_summary"] == "' @x"
    assert found["organisation_name"] == "'-1" and found["access_type"] == "a=b"
    assert found["project_id_text"] == HOSTILE
    assert "organisation_id" in found["unfilled"].split("\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("organisation_nam: x", "line 1: 'organisation_nam' is not a field.*did you mean 'organisation_name'"),
        ("project_title: x\nproject_start_date: soon", "line 2: 'project_start_date' is a date such as 2026-01-31"),
        ("project_title: [a, b]", "'project_title' is one text"),
        ("project_title: {a: b}", "'project_title' is one text"),
        ("datasets: {a: b}", "'datasets' is a list of texts"),
        ("datasets: [[a]]", "'datasets' is a list of texts"),
        ("datasets: ['']", "'datasets' is a list of texts"),
        ("project_title: a\nproject_title: b", "given twice"),
        ("- a", "are lines such as"),
        ("a", "are lines such as"),
        ("", "are lines such as"),
        ("{", "not valid YAML"),
    ],
)
def test_wrong_facts_are_refused_in_a_sentence(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "project.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(UserError, match=message):
        read_facts(path)


def test_a_project_that_never_asked_has_no_entry(public: Published) -> None:
    with pytest.raises(LedgerError, match="no project 'astma' has asked anything; did you mean 'asthma'"):
        data_use(public, "astma")


def test_the_command_writes_json_and_csv(tmp_path: Path, facts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    eventful(tmp_path / "ledger.db").ledger.close()
    base = ["ledger", "export", "--ledger", str(tmp_path / "ledger.db"), "--project", "asthma"]
    for suffix in ("json", "csv"):
        out = tmp_path / f"register.{suffix}"
        assert run([*base, "--register", "--facts", str(facts), "--out", str(out)]) == 0
        said = capsys.readouterr().out
        assert "12 of 33 fields are filled" in said and "Nobody filled: organisation_id" in said
    assert json.loads((tmp_path / "register.json").read_text("utf-8"))["project"]["project_title"] == "Asthma in winter"
    assert len(list(csv.reader((tmp_path / "register.csv").open(encoding="utf-8", newline="")))) == 2
    assert run([*base, "--out", str(tmp_path / "register.json")]) == 2
    assert run([*base, "--register", "--out", str(tmp_path / "register.xlsx")]) == 2
    assert run([*base, "--register", "--facts", str(tmp_path / "no.yaml"), "--out", str(tmp_path / "r.json")]) != 0
    assert all(line.startswith("pets: ") for line in capsys.readouterr().err.splitlines())
