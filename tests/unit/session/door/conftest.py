"""The search runs in the tests' own process."""

from __future__ import annotations

import pytest

from pets.session.disclosure import solving
from tests.checked_tables import searched_here


@pytest.fixture(autouse=True)
def here(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("chance") is not None:
        return
    monkeypatch.setattr(solving, "_replies", searched_here)
