"""Contribution: what one party gives to a secure total, paid for, with its share of noise already added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pets.common.codec import Json
from pets.plan.plan import Plan
from pets.plan.vector import IntVector


@dataclass(frozen=True)
class Contribution:
    """A vector that must be encrypted or masked before it leaves.

    Attributes:
        plan: its layout.
        vector: the whole numbers, on the refined grid of ``noise``, with this party's noise share (exact where
            ``noise`` is ``None``).
        noise: the public terms of the noise (see :class:`pets.dp.shares.Terms`).
        data: ``"real"`` or ``"dummy"``.
        request: the account's id of it: the same plan contributed again is another request, charged again.
    """

    plan: Plan
    vector: IntVector
    noise: Json | None
    data: Literal["real", "dummy"]
    request: str
