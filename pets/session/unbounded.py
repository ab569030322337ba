"""Unguarded: what leaves without a finite guarantee, allowed by policy and entered in the account before it is made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from pets.common.codec import Json
from pets.errors import PolicyError
from pets.protection.budget import Budget
from pets.protection.policy import Policy
from pets.protection.protection import Protection
from pets.query_model.query import Query
from pets.schema.schema import Schema
from pets.session.answering import Answering
from pets.session.job import Job
from pets.session.quote import Remaining


class House(Protocol):
    """What is read of a session."""

    schema: Schema
    policy: Policy
    project: str
    analyst: str
    _kind: Any
    _answering: Answering
    _holdings: Any

    @property
    def budget(self) -> Budget:
        """All that may be spent."""

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that it has data for."""

    def remaining(self) -> Remaining:
        """What is left of the budget."""

    def _job(self, query: Query, protection: Protection) -> Job: ...


@contextmanager
def unguarded(
    house: House, table: str, what: str, question: str, protection: Json, snapshot: str = ""
) -> Iterator[None]:
    """Something without a finite guarantee is about to leave: allowed by policy, and entered before it is made.

    The one place that enters such a thing: on success it is committed, on failure it stays on the account (data was
    opened). On dummy data nothing is at stake and nothing is entered.

    Raises:
        PolicyError: where the custodian's policy allows none; nothing is entered.
    """
    if house._kind != "real":
        yield
        return
    if not house.policy.allow_unbounded:
        raise PolicyError(
            "this has no finite guarantee and this custodian's policy does not allow it; use method='dp', or open the "
            "session with policy=pets.Policy(allow_unbounded=True)"
        )
    with house._answering.unbounded(table, what, question, protection, snapshot):
        yield
