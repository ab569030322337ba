"""Every module of pets can be loaded, though pytest itself loads only those with an example in them."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

PETS = Path(__file__).resolve().parents[2] / "pets"
RUN = ("__main__", "migrations")
"""Of programs that run as soon as they are loaded: the command, and what Alembic loads."""


def test_every_module_can_be_loaded() -> None:
    names = [path.relative_to(PETS.parent).with_suffix("").parts for path in sorted(PETS.rglob("*.py"))]
    loaded = [importlib.import_module(".".join(parts)) for parts in names if not {*parts} & {*RUN}]
    assert len(loaded) > 500


@pytest.mark.parametrize(("name", "left_out"), [("schema/schema.py", None), ("rows/limits.py", True)])
def test_examples_are_sought_where_there_are_some(
    request: pytest.FixtureRequest, name: str, left_out: bool | None
) -> None:
    path = PETS / name
    assert (">>>" in path.read_text("utf-8")) is not bool(left_out)
    found = request.config.hook.pytest_ignore_collect(collection_path=path, config=request.config)
    assert bool(found) is bool(left_out)
