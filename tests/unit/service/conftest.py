"""Fixtures of the service's tests."""

from __future__ import annotations

import pytest

from pets.service.access.rates import Rates, Strangers


@pytest.fixture
def no_minute_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a test that counts requests in a minute: however busy the machine is, they are asked within it."""
    monkeypatch.setattr(Rates.__init__, "__defaults__", (lambda: 0.0,))
    monkeypatch.setattr(Strangers.__init__, "__defaults__", (60, lambda: 0.0))
