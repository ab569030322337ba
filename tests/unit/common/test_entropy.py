"""What is drawn outside tests comes from the operating system (tests/chance.py puts a seed in its place)."""

from __future__ import annotations

import importlib.util
import secrets
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from pets.common import entropy


def fresh() -> ModuleType:
    """The module as a process loads it in which no test runs."""
    assert entropy.__spec__ is not None and entropy.__spec__.origin is not None
    spec = importlib.util.spec_from_file_location("fresh_entropy", entropy.__spec__.origin)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_its_source_is_the_operating_systems() -> None:
    assert fresh().secrets is secrets
    assert entropy.secrets is not secrets, "an unmarked test draws from its seed"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "given", "drawn", "asked", "made"),
    [
        ("random_id", (), "token_hex", 16, "ab"),
        ("rank_key", (), "randbits", 64, 7),
        ("random_bytes", (12,), "token_bytes", 12, b"x"),
        ("random_below", (9,), "randbelow", 9, 8),
    ],
)
def test_each_asks_it_and_gives_what_it_says(
    name: str, given: tuple[int, ...], drawn: str, asked: int, made: Any
) -> None:
    module, seen = fresh(), []

    def source(much: int) -> Any:
        seen.append(much)
        return made

    vars(module)["secrets"] = SimpleNamespace(**{drawn: source})
    assert getattr(module, name)(*given) == made
    assert seen == [asked]
