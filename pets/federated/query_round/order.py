"""Order: what an analyst asks of all sites, signed. It names the roster, so that it is about exactly these sites."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pets.common.codec import Json, canonical
from pets.common.signing import SigningKey
from pets.dp.shares import Shares
from pets.errors import PetsError
from pets.federated.messages.errors import ProtocolError
from pets.federated.messages.message import SIGNATURE
from pets.federated.messages.roster import Roster
from pets.federated.query_round.regression_step import Step
from pets.federated.secure_sum.interface import check_way
from pets.protection.protection import Protection
from pets.query_model.query import Query

_DOMAIN = b"pets.federated.order.v1\x00"


@dataclass(frozen=True)
class Order:
    """One query to all sites of a roster. It holds no code and no SQL.

    Attributes:
        id: 16 random bytes in hex, fresh for every query: what noise, masks and charges belong to.
        roster, schema: digests of what it is about.
        analyst: who asks, as the roster knows them.
        query, protection, secure: the question, how it is protected and how the sites' vectors are combined.
        shares: the noise that each site adds; ``None`` for exact totals.
        step: one iteration of a regression, whose sums are added to the query's.
        round: for encrypted envelopes, what the key holder signed for this query (:class:`pets.he.Round`).
    """

    id: str
    roster: str
    schema: str
    analyst: str
    query: Query
    protection: Protection
    secure: str
    shares: Shares | None
    round: Json | None = None
    step: Step | None = None

    def __post_init__(self) -> None:
        if len(self.id) != 32 or not all(letter in "0123456789abcdef" for letter in self.id):
            raise ProtocolError("an order's id has 32 hex digits")
        check_way(self.secure)

    def to_json(self) -> Json:
        """The canonical form."""
        return {
            "pets": "federated-order",
            "version": 1,
            "id": self.id,
            "roster": self.roster,
            "schema": self.schema,
            "analyst": self.analyst,
            "query": self.query.to_json(),
            "protection": self.protection.to_json(),
            "secure": self.secure,
            "shares": None if self.shares is None else self.shares.to_json(),
            "round": self.round,
            "step": None if self.step is None else self.step.to_json(),
        }

    @cached_property
    def form(self) -> bytes:
        """The bytes of the canonical form."""
        return canonical(self.to_json())

    def signed(self, key: SigningKey) -> bytes:
        """The canonical form with the analyst's signature: the body of the first message."""
        return self.form + key.sign(_DOMAIN + self.form)

    @classmethod
    def read(cls, body: bytes, roster: Roster) -> Order:
        """A signed order; raises :class:`ProtocolError` where it is none, or signed by nobody on the roster."""
        form, signature = body[:-SIGNATURE], body[-SIGNATURE:]
        order = cls._parsed(form)
        key = roster.analyst_key(order.analyst)
        if order.roster != roster.digest:
            raise ProtocolError("the order is about another roster; it was ignored")
        if key is None or not key.verifies(signature, _DOMAIN + form):
            raise ProtocolError("the order is not signed by an analyst on the roster; it was ignored")
        return order

    @classmethod
    def _parsed(cls, form: bytes) -> Order:
        try:
            order = cls.from_json(json.loads(form))
            if order.form != form:
                raise ValueError("not canonical")
        except (PetsError, TypeError, ValueError, RecursionError):
            raise ProtocolError("the order is not in the form that pets writes; it was ignored") from None
        return order

    @classmethod
    def from_json(cls, given: Any) -> Order:
        """The inverse of :meth:`to_json`; raises :class:`ProtocolError` for anything else."""
        try:
            shares = None if given["shares"] is None else Shares.from_json(given["shares"])
            texts = {name: given[name] for name in ("id", "roster", "schema", "analyst", "secure")}
            if not all(isinstance(text, str) for text in texts.values()) or not isinstance(given["round"], dict | None):
                raise ValueError("another form")
            return cls(
                **texts,
                query=Query.from_json(given["query"]),
                protection=Protection.from_json(given["protection"]),
                shares=shares,
                round=given["round"],
                step=None if given["step"] is None else Step.from_json(given["step"]),
            )
        except (PetsError, TypeError, LookupError, ValueError, ArithmeticError, AttributeError):
            raise ProtocolError("the order is not in the form that pets writes; it was ignored") from None
