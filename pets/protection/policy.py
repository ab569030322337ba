"""Policy: what the custodian allows, whatever the budget would pay for."""

from __future__ import annotations

from dataclasses import dataclass

from pets.common.arguments import plain_fields
from pets.common.codec import Json, digest, python_value
from pets.errors import PolicyError, shown


@plain_fields(PolicyError)
@dataclass(frozen=True)
class Policy:
    """The custodian's rules for one session.

    Attributes:
        allow_unbounded: whether releases without a finite guarantee (``pets.Total()``: exact totals of real rows) may
            leave. They are then named on every later release of the same dataset.
    """

    allow_unbounded: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "allow_unbounded", python_value(self.allow_unbounded))
        if not isinstance(self.allow_unbounded, bool):
            raise PolicyError(f"allow_unbounded must be True or False, not {shown(self.allow_unbounded)}")

    def to_json(self) -> Json:
        """The canonical form."""
        return {"allow_unbounded": self.allow_unbounded}

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical form."""
        return digest(self.to_json())
