"""A face lists every name three times (home, ``__all__``, typing import): the three are one list.

Aggregates are listed once, in their own module, whose names ``pets`` takes over.
"""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

from pets.query_model import aggregate

PETS = Path(__file__).resolve().parents[2] / "pets"
FACES = ["", "he", "federated", "service", "sdc"]


def typed(source: str) -> dict[str, str]:
    """By name, the module that type checkers are told of."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for item in node.body:
                assert isinstance(item, ast.ImportFrom)
                found |= {alias.asname or alias.name: str(item.module) for alias in item.names}
    return found


def disagreements(package: str, homes: dict[str, str], listed: list[str], loaded: set[str], source: str) -> list[str]:
    """The names in which the three lists of a face differ."""
    lazy = {name: f"{package}.{home}" for name, home in homes.items()}
    others = [name for name in {*lazy, *typed(source)} if lazy.get(name) != typed(source).get(name)]
    twice = [name for name in listed if listed.count(name) > 1]
    # "sum" is left out of ``from pets import *``, where it would take the place of Python's own
    return sorted({*others, *twice, *({*lazy, *loaded} ^ set(listed)) - {"sum"}})


@pytest.mark.parametrize("face", FACES)
def test_the_three_lists_of_a_face_agree(face: str) -> None:
    module = importlib.import_module(f"pets.{face}".rstrip("."))
    source = (PETS / face / "__init__.py").read_text(encoding="utf-8")
    eager = {"query", "Query", "people", *aggregate.__all__} if not face else set()
    assert disagreements(module.__name__, module._HOMES, module.__all__, eager, source) == []
    for name in {*module.__all__, *module._HOMES}:
        assert getattr(module, name) is not None


def test_a_disagreement_is_found() -> None:
    source = "if TYPE_CHECKING:\n    from pets.a import one\n    from pets.b import two\n"
    homes = {"one": "a", "two": "b"}
    assert disagreements("pets", homes, ["one", "two"], set(), source) == []
    assert disagreements("pets", homes, ["one"], set(), source) == ["two"]
    assert disagreements("pets", homes, ["one", "two", "two"], set(), source) == ["two"]
    assert disagreements("pets", {"one": "c", "two": "b"}, ["one", "two"], set(), source) == ["one"]
    assert disagreements("pets", homes | {"three": "c"}, ["one", "three", "two"], set(), source) == ["three"]
