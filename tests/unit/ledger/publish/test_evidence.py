"""Answers to SP 800-226 and evidence for SATRE: each is the ledger's own, and says whose it is to give."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

from pets.cli.main import run
from pets.ledger.publish.evidence import EVIDENCED, OURS, YOURS, satre, sp800_226
from pets.ledger.publish.read_log import Published, published
from tests.sample_ledger import eventful

VECTORS = Path(__file__).parents[3] / "vectors" / "registers"
SCHEMA, STATEMENTS = VECTORS / "evidence-schema.json", VECTORS / "satre-statements.json"


@pytest.fixture(scope="module")
def public() -> Published:
    return published(eventful().ledger)


def test_the_answers_are_the_ledger_s(public: Published) -> None:
    form = sp800_226(public, "hospital-stays")
    answers = {one["item"]: one for one in form["items"]}
    assert "ε = " in answers["the privacy parameter"]["answer"]
    assert answers["releases outside the guarantee"]["answer"] != "None has left."
    assert answers["collection of the data"] == {
        "item": "collection of the data",
        "who": YOURS,
        "answer": "What was collected, and whether people knew.",
        "where": "",
    }
    assert form["ledger"]["origin"] == public.history.origin


def test_satre_names_its_items(public: Published) -> None:
    form = satre(public, "hospital-stays")
    assert form["items"][0]["item"].startswith("3.3.09") and len(form["items"]) == 22
    known = public.history.dataset("hospital-stays")
    assert f"{len(known.releases):,} releases" in form["items"][0]["answer"]


def strange(items: list[str], statements: dict[str, str]) -> set[str]:
    """Numbers whose words are not those of the standard's statement."""
    words = {number: set(re.findall(r"[a-z-]+", text.lower())) for number, text in statements.items()}
    parted = [item.partition(" ") for item in items]
    return {number for number, _, text in parted if not set(re.findall(r"[a-z-]+", text.lower())) <= words[number]}


def test_each_number_of_satre_says_what_it_is_said_to(public: Published) -> None:
    """The statements are the standard's own; a number that means something else would be found by its words."""
    statements = json.loads(STATEMENTS.read_text("utf-8"))["statements"]
    items = [one["item"] for one in satre(public, "hospital-stays")["items"]]
    assert strange(items, statements) == set() and {item[:6] for item in items} == set(statements)
    assert strange(["3.4.02 a query interface"], statements) == {"3.4.02"}


@pytest.mark.parametrize("made", [satre, sp800_226])
def test_they_fit_their_schema(public: Published, made: object) -> None:
    form = made(public, "hospital-stays")  # type: ignore[operator]
    jsonschema.validate(form, json.loads(SCHEMA.read_text("utf-8")))
    assert {one["who"] for one in form["items"]} == {OURS, EVIDENCED, YOURS}
    assert len({one["item"] for one in form["items"]}) == len(form["items"])
    assert all(one["where"] for one in form["items"] if one["who"] != YOURS)


def test_by_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    eventful(tmp_path / "l.db").ledger.close()
    for flag in ("--satre", "--nist"):
        out = tmp_path / "evidence.json"
        arguments = ["ledger", "export", flag, "--ledger", str(tmp_path / "l.db"), "--out", str(out)]
        assert run([*arguments, "--dataset", "hospital-stays"]) == 0
        assert "are yours to answer" in capsys.readouterr().out
        assert json.loads(out.read_text("utf-8"))["dataset"] == "hospital-stays"
        assert run([*arguments, "--dataset", "hospital-stay"]) == 2
        assert "did you mean" in capsys.readouterr().err
