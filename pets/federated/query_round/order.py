"""Order: what an analyst asks of all sites, signed. It names the roster, so that it is about exactly these sites."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pets.common.codec import Json
from pets.dp.shares import Shares
from pets.errors import PetsError
from pets.federated.messages.errors import ProtocolError
from pets.federated.messages.signed_form import SignedForm, is_id
from pets.federated.query_round.regression_step import Step
from pets.federated.secure_sum.interface import check_way
from pets.protection.protection import Protection
from pets.query_model.query import Query


@dataclass(frozen=True)
class Order(SignedForm):
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

    DOMAIN = b"pets.federated.order.v1\x00"
    CALLED = "the order"

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
        if not is_id(self.id):
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
