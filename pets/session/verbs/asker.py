"""Asker: what the verbs of an analyst rest on: public facts, and whoever answers, in this process or elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pets.common.literals import printable
from pets.dp.key_threshold import KeyNoise
from pets.dp.selection import TopNoise
from pets.errors import UserError, shown
from pets.plan.key_plan import KeyPlan
from pets.plan.plan import Plan
from pets.plan.selection.top_plan import TopPlan
from pets.protection.budget import Budget, Cost
from pets.protection.policy import Policy
from pets.protection.protection import Protection
from pets.protection.sdc import SDC
from pets.query_model.query import Query
from pets.release.bounding.rows_lost import RowsLost
from pets.release.keys.released_keys import ReleasedKeys
from pets.release.keys.top_keys import TopKeys
from pets.release.release import Release
from pets.release.rounded.rounded_table import RoundedTable
from pets.schema.schema import Schema
from pets.session.quoting.quote import Quote


class Asker:
    """Public facts of a dataset and of who asks, and the steps of the verbs in which places differ."""

    @property
    def schema(self) -> Schema:
        """The public description of the tables."""
        raise NotImplementedError

    @property
    def policy(self) -> Policy:
        """What the custodian allows."""
        raise NotImplementedError

    @property
    def engine(self) -> str:
        """What computes sums over the rows."""
        raise NotImplementedError

    @property
    def project(self) -> str:
        """The project that asks, for the account."""
        raise NotImplementedError

    @property
    def analyst(self) -> str:
        """Who asks, for the account."""
        raise NotImplementedError

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that this session has data for."""
        raise NotImplementedError

    @property
    def snapshots(self) -> dict[str, str]:
        """By table, the random public id of its snapshot."""
        raise NotImplementedError

    @property
    def budget(self) -> Budget:
        """All that may be spent, as the ledger holds it."""
        raise NotImplementedError

    # steps ------------------------------------------------------------------------------------------------------

    @property
    def _kind(self) -> str:
        """``"dummy"`` where every row is invented, else ``"real"``."""
        raise NotImplementedError

    def _left(self) -> Cost:
        """What the account has room for now."""
        raise NotImplementedError

    def _snapshot(self, table: str) -> str:
        """The public id of the rows that are asked now."""
        raise NotImplementedError

    def _plan(self, query: Query) -> Plan:
        """What a question measures, within the policy's limits."""
        raise NotImplementedError

    def _quoted(self, asked: Sequence[Query], protection: Protection, lost: Mapping[str, RowsLost]) -> Quote:
        raise NotImplementedError

    def _sealed(self, asked: Sequence[Query], protection: Protection, *, again: bool, key: str | None) -> list[Release]:
        """The sealed answers to questions that are all paid for or none."""
        raise NotImplementedError

    def _known(self, query: Query, protection: Protection) -> bool:
        """Whether the answer was paid for before, as far as can be told without asking; it then costs nothing."""
        return False

    def _rounded(self, asked: Sequence[Query], protection: SDC, *, again: bool, key: str | None) -> list[RoundedTable]:
        """The answers to questions under a rule of disclosure control."""
        raise NotImplementedError

    def _key_terms(self, asked: Mapping[str, Any]) -> tuple[KeyPlan, KeyNoise]:
        raise NotImplementedError

    def _group_keys(self, asked: Mapping[str, Any], *, again: bool, key: str | None) -> ReleasedKeys:
        raise NotImplementedError

    def _top_terms(self, query: Query, k: int, protection: Protection) -> tuple[TopPlan, TopNoise]:
        raise NotImplementedError

    def _top_keys(self, query: Query, k: int, protection: Protection, *, again: bool, key: str | None) -> TopKeys:
        raise NotImplementedError


def check_request(again: object, key: object) -> None:
    """Raise :class:`UserError` for what is no ``again=`` or no ``key=`` of a request."""
    if not isinstance(again, bool):
        raise UserError(f"again must be True or False, not {shown(again)}")
    if key is not None:
        printable("key", key)
