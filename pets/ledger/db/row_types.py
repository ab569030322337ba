"""Rows: what is read of the ledger's tables, and how their columns write times and values."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, replace
from typing import Any

from pets.common.codec import canonical
from pets.ledger.log.merkle import Frontier

Scope = tuple[str, str]
"""Project and analyst; both are empty in the root."""

ROOT: Scope = ("", "")


@dataclass(frozen=True)
class Head:
    """The end of the log: how many entries, their chain and their tree, and the newest entry's time (since 1970)."""

    origin: str
    key: str
    size: int
    hash: bytes
    frontier: Frontier
    at: float


@dataclass(frozen=True)
class ScopeRow:
    """One scope's account in units; a cap of ``None`` is none of its own."""

    project: str
    analyst: str
    cap: tuple[int, int] | None
    reserved: tuple[int, int]
    spent: tuple[int, int]

    @property
    def left(self) -> tuple[int, int] | None:
        """What may still be charged."""
        if self.cap is None:
            return None
        loss, delta = (c - r - s for c, r, s in zip(self.cap, self.reserved, self.spent, strict=True))
        return loss, delta

    def holding(self, loss: int, delta: int) -> ScopeRow:
        """The same with more reserved."""
        return replace(self, reserved=(self.reserved[0] + loss, self.reserved[1] + delta))


def moment(at: float) -> str:
    """A time as the log writes it: ISO 8601, UTC, milliseconds."""
    return dt.datetime.fromtimestamp(at, dt.UTC).isoformat(timespec="milliseconds")


def text(value: Any) -> str:
    """Canonical JSON, as text."""
    return canonical(value).decode()


def parsed(value: str) -> Any:
    """What :func:`text` wrote."""
    return json.loads(value)


def scope_row(row: Any) -> ScopeRow:
    """A row of the scopes' table, as it is read."""
    cap = None if row.cap_loss is None else (row.cap_loss, row.cap_delta)
    return ScopeRow(
        row.project, row.analyst, cap, (row.reserved_loss, row.reserved_delta), (row.spent_loss, row.spent_delta)
    )
