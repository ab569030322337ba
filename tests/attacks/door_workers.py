"""Processes that let a table outside the grid leave, and are killed at one place."""

from __future__ import annotations

import time
import warnings

import pets
from tests.attacks.ledger_workers import LEASE, kill_at
from tests.checked_tables import SCHEMA
from tests.doors import OPEN
from tests.ledgers import Place


def custodian(place: Place, snapshots: str, ahead: float = 0.0) -> pets.Custodian:
    """Whoever keeps the tables that were made ready, with a clock that goes so many seconds ahead."""
    ledger = place.open(lease=LEASE, clock=lambda: time.time() + ahead)
    with warnings.catch_warnings(action="ignore"):
        return pets.Custodian(
            SCHEMA, None, ledger=ledger, policy=pets.Policy(**OPEN), snapshots=snapshots, progress=False
        )


def approval_killed(place: Place, snapshots: str, ahead: float, point: str, request: str, finding: str) -> None:
    """A person's word, killed at a place."""
    keeper = custodian(place, snapshots, ahead)
    kill_at(point)
    keeper.approve(request, by="jo", finding=finding, anyway="a test wants it")
