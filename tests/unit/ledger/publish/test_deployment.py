"""The registry of deployments: its own schema takes the entry, each number is the log's, and nothing is guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from pets.cli.main import run
from pets.errors import LedgerError, UserError
from pets.ledger.publish.deployment import GIVEN, LEVELS, deployment, read_given
from pets.ledger.publish.read_log import Published, published
from pets.protection.budget import Budget
from tests.sample_ledger import Past, eventful, request

SCHEMA = Path(__file__).parents[3] / "vectors" / "registers" / "deployments-schema.yaml"
"""Of opendp/deployments-registry-data, commit 3e9c812 (MIT)."""
FACTS = """\
name: Stays in hospital
data_curators: Riverside Hospitals
intended_use: Planning of wards
data_product_region: England
data_product_sector: Healthcare
description: >
  Counts and means
  of stays.
justification: The board chose the budget.
registry_authors: [A. Jones]
"""


def valid(form: Any) -> None:
    jsonschema.validate(form, yaml.safe_load(SCHEMA.read_text("utf-8")), format_checker=jsonschema.FormatChecker())


@pytest.fixture(scope="module")
def public() -> Published:
    return published(eventful().ledger)


@pytest.fixture
def facts(tmp_path: Path) -> Path:
    path = tmp_path / "facts.yaml"
    path.write_text(FACTS, "utf-8")
    return path


def test_the_fields_are_the_registry_s() -> None:
    parts = yaml.safe_load(SCHEMA.read_text("utf-8"))["properties"]["deployment"]["properties"]
    assert {part: set(names) for part, names in LEVELS.items()} == {
        part: set(form["properties"]) for part, form in parts.items()
    }
    leaves = sum(len(names) for names in LEVELS.values()) + 2 + 3  # ε, δ and ρ, and the three fields above
    assert leaves == 37


def test_a_full_entry_is_valid_and_its_numbers_are_the_log_s(public: Published, facts: Path) -> None:
    made = deployment(public, "hospital-stays", read_given(facts))
    again = yaml.safe_load(made.to_yaml())
    valid(again)
    assert again == made.form and made.unfilled == () and made.tier == 3
    known, told = public.history.dataset("hospital-stays"), again["deployment"]
    assert told["privacy_loss"]["privacy_parameters"] == {
        "epsilon": float(known.now.budget.epsilon),
        "delta": float(known.now.budget.delta),
        "rho": known.now.budget.cap.loss / 10**12,
    }
    assert told["basic"]["publication_date"] == known.releases[0].at[:10]
    assert told["basic"]["description"] == "Counts and means of stays."
    assert public.history.origin in told["administrative"]["sources"]
    assert known.unbounded and "without a finite guarantee" in told["dp_variant"]["unprotected_quantities"]
    assert "signed by two people" in told["deployment_model"]["release_type_details"]


def test_without_facts_it_says_what_is_missing(public: Published) -> None:
    made = deployment(public, "hospital-stays")
    assert set(made.unfilled) == set(GIVEN) and made.tier == 1
    with pytest.raises(jsonschema.ValidationError):
        valid(yaml.safe_load(made.to_yaml()))


def test_a_pure_ledger_and_one_row_a_person(tmp_path: Path, facts: Path) -> None:
    past = Past(tmp_path / "l.db")
    account = past.account(budget=Budget(1), dataset="hospital-stays")
    from tests.ledgers import ask

    ask(account, request("count", 0.5, 1, currency="pure"))
    made = deployment(published(past.ledger), "hospital-stays", read_given(facts))
    valid(yaml.safe_load(made.to_yaml()))
    told = made.form["deployment"]
    assert told["dp_variant"]["variant_name"] == "Pure DP"
    assert told["privacy_loss"]["privacy_parameters"] == {"epsilon": 1.0}
    assert told["dp_variant"]["unprotected_quantities"].startswith("None.")


def test_nothing_released_and_nothing_known(tmp_path: Path) -> None:
    past = Past(tmp_path / "l.db")
    past.account(budget=Budget(1))
    with pytest.raises(UserError, match="nothing was released"):
        deployment(published(past.ledger), "hospital-stays")
    with pytest.raises(LedgerError, match="no dataset"):
        deployment(published(past.ledger), "other")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("names: x", "not a field that a custodian fills; did you mean 'name'"),
        ("data_product_sector: Hospital", "one of Technology, Healthcare"),
        ("data_curators: [[a]]", "list of texts"),
        ("name: [a]", "one text"),
        ("- a", "lines such as"),
    ],
)
def test_facts_that_cannot_be_read(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "f.yaml").write_text(text)
    with pytest.raises(UserError, match=said):
        read_given(tmp_path / "f.yaml")


def test_by_the_command_line(tmp_path: Path, facts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    eventful(tmp_path / "l.db").ledger.close()
    ledger = ["--ledger", str(tmp_path / "l.db")]
    out = tmp_path / "stays_2026.yaml"
    full = ["ledger", "export", "--registry", *ledger, "--dataset", "hospital-stays"]
    assert run([*full, "--facts", str(facts), "--out", str(out)]) == 0
    valid(yaml.safe_load(out.read_text("utf-8")))
    assert "a draft of tier 3" in capsys.readouterr().out
    assert run([*full, "--out", str(tmp_path / "Stays.yaml")]) == 2
    assert "names such as" in capsys.readouterr().err
    assert run(["ledger", "export", *ledger, "--out", str(out)]) == 2
    assert "say what to export, one of --register, --registry" in capsys.readouterr().err
