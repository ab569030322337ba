"""Policy: what the custodian allows, whatever the budget would pay for."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from pets.common.arguments import plain_fields
from pets.common.codec import Json, digest, python_value, whole
from pets.errors import PolicyError, shown
from pets.query_model.expression import comparisons
from pets.query_model.query import Query

APPROVALS = ("before", "after")
"""When a second person may have to approve."""

_LIMITS = ("max_numbers", "max_conditions", "max_denials")


@plain_fields(PolicyError)
@dataclass(frozen=True)
class Policy:
    """The custodian's rules for one session.

    Attributes:
        allow_unbounded: whether releases without a finite guarantee (``pets.Total()``: exact totals of real rows) may
            leave. They are then named on every later release of the same dataset.
        max_numbers: numbers in the answers to one request (groups times measures; a histogram's bins are several).
        max_conditions: conditions on a column that one question is made of; a list of values (``isin``) is one.
        max_denials: requests over the budget that the log enters of one analyst in an hour. Beyond them a request is
            refused all the same, and leaves no entry.
        approval: when a second person must approve what is asked through the service: ``"before"`` its answer is made
            (what is refused costs nothing), or ``"after"`` (it stays charged; the reviewer sees the protected answer
            alone, and nobody else sees it before). ``None``: nobody need.
    """

    allow_unbounded: bool = False
    max_numbers: int = 200_000
    max_conditions: int = 2_000
    max_denials: int = 100
    approval: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "allow_unbounded", python_value(self.allow_unbounded))
        if not isinstance(self.allow_unbounded, bool):
            raise PolicyError(f"allow_unbounded must be True or False, not {shown(self.allow_unbounded)}")
        for name in _LIMITS:
            try:
                value = whole(getattr(self, name))
            except ValueError:
                value = 0
            if value < 1:
                raise PolicyError(f"{name} must be a whole number above 0, not {shown(getattr(self, name))}")
            object.__setattr__(self, name, value)
        if self.approval is not None and self.approval not in APPROVALS:
            raise PolicyError(f"approval must be 'before' or 'after', or left out, not {shown(self.approval)}")

    def check_conditions(self, query: Query) -> None:
        """Refuse a question of more conditions than are allowed, before any work; raises :class:`PolicyError`."""
        filters = [query.condition, *(getattr(aggregate, "where", None) for _, aggregate in query.aggregates)]
        count = sum(comparisons(one) for one in filters if one is not None)
        count += 0 if query.people is None else query.people.comparisons
        if count > self.max_conditions:
            raise PolicyError(
                f"the question is made of {count:,} conditions and this custodian's policy allows "
                f"{self.max_conditions:,}; put values of one column in a list, with isin"
            )

    def check_numbers(self, count: int) -> None:
        """Refuse a request whose answers hold more numbers than are allowed; raises :class:`PolicyError`."""
        if count > self.max_numbers:
            raise PolicyError(
                f"the answer would hold {count:,} numbers and this custodian's policy allows {self.max_numbers:,}; "
                "group by fewer columns, use coarser bins, or ask for fewer measures"
            )

    def to_json(self) -> Json:
        """The canonical form; a limit is in it where it is not the usual one, and an approval where one is needed."""
        usual = {field.name: field.default for field in fields(self)}
        limits = {name: getattr(self, name) for name in _LIMITS if getattr(self, name) != usual[name]}
        asked = {} if self.approval is None else {"approval": self.approval}
        return {"allow_unbounded": self.allow_unbounded} | limits | asked

    @classmethod
    def from_json(cls, form: Any) -> Policy:
        """The inverse of :meth:`to_json`; raises :class:`PolicyError` for anything else."""
        if not isinstance(form, dict) or not set(form) <= {field.name for field in fields(cls)}:
            raise PolicyError(f"{shown(form)} is not a policy as pets writes it; ask its custodian for it")
        return cls(**form)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical form."""
        return digest(self.to_json())
