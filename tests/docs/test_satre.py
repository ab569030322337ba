"""``docs/satre.yaml``: every file and every test that is named as evidence is there, for each of the items."""

from __future__ import annotations

import ast
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.ledger.publish.test_evidence import STATEMENTS, strange

ROOT = Path(__file__).resolve().parents[2]
MAP = yaml.safe_load((ROOT / "docs" / "satre.yaml").read_text("utf-8"))


@cache
def functions(file: Path) -> frozenset[str]:
    return frozenset(
        one.name for one in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(one, ast.FunctionDef)
    )


def missing(control: dict[str, Any]) -> list[str]:
    """What a control names that is not there."""
    out = [name for name in control["files"] if not (ROOT / name).is_file()]
    for name in control["tests"]:
        file, _, test = name.partition("::")
        if not (ROOT / file).is_file() or test not in functions(ROOT / file):
            out.append(name)
    return out


@pytest.mark.parametrize("control", MAP["controls"], ids=lambda one: one["item"])
def test_the_evidence_of_a_control_is_there(control: dict[str, Any]) -> None:
    assert set(control) == {"item", "says", "state", "files", "tests"}
    assert control["state"] in ("meets", "supports") and control["files"] and control["tests"]
    assert missing(control) == []


def test_evidence_that_is_not_there_is_found() -> None:
    lying = {"files": ["docs/none.md"], "tests": ["tests/docs/test_satre.py::test_none", "tests/none.py::test_a"]}
    assert missing(lying) == ["docs/none.md", "tests/docs/test_satre.py::test_none", "tests/none.py::test_a"]


def test_the_items_are_the_standard_s_and_those_that_an_export_speaks_of() -> None:
    statements = json.loads(STATEMENTS.read_text("utf-8"))["statements"]
    items = [f"{one['item']} {one['says']}" for one in MAP["controls"]]
    assert strange(items, statements) == set()
    assert {one["item"] for one in MAP["controls"]} == set(statements)  # of which test_evidence holds the same
