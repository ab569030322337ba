"""Offered: what is read of a price before anything is spent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pets.protection.budget import Cost


@dataclass(frozen=True)
class Offered:
    """What an answer costs, whether the account has room for that, and the δ that it has."""

    cost: Cost
    fits: bool
    delta: float
