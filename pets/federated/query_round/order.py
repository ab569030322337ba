"""Order: what an analyst asks of all sites, signed. It names the roster, so that it is about exactly these sites."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from pets.common.codec import Json
from pets.dp.shares import Shares
from pets.errors import PetsError
from pets.federated.messages.errors import ProtocolError
from pets.federated.messages.signed_form import SignedForm, is_id
from pets.federated.query_round.regression_step import Step
from pets.federated.secure_sum.interface import check_way
from pets.protection.protection import Protection, Total
from pets.protection.sdc import SDC
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
        until: the time (ISO 8601, UTC) until which sites may answer, one by one, from their own days; '' where all of
            them answer at once.
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
    until: str = ""

    def __post_init__(self) -> None:
        if not is_id(self.id):
            raise ProtocolError("an order's id has 32 hex digits")
        check_way(self.secure)
        if self.until and time_of(self.until) is None:
            raise ProtocolError("the time until which a question is open is written in ISO 8601, in UTC")

    @property
    def everyone(self) -> bool:
        """Totals without noise: two answers that differ by one site would show that site, so none may be missing."""
        return isinstance(self.protection, (Total, SDC))

    @property
    def for_holder(self) -> bool:
        """Whether sites send exact counts of a grid to the key holder, who shows them by the rule alone."""
        return isinstance(self.protection, SDC) and self.secure == "encrypted"

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
            # only where it is open for long: orders of before keep their form
            **({"until": self.until} if self.until else {}),
        }

    @classmethod
    def from_json(cls, given: Any) -> Order:
        """The inverse of :meth:`to_json`; raises :class:`ProtocolError` for anything else."""
        try:
            shares = None if given["shares"] is None else Shares.from_json(given["shares"])
            texts = {name: given[name] for name in ("id", "roster", "schema", "analyst", "secure")}
            until = given.get("until", "")
            if not all(isinstance(text, str) for text in (*texts.values(), until)) or not isinstance(
                given["round"], dict | None
            ):
                raise ValueError("another form")
            return cls(
                **texts,
                query=Query.from_json(given["query"]),
                protection=Protection.from_json(given["protection"]),
                shares=shares,
                round=given["round"],
                step=None if given["step"] is None else Step.from_json(given["step"]),
                until=until,
            )
        except (PetsError, TypeError, LookupError, ValueError, ArithmeticError, AttributeError, RecursionError):
            raise ProtocolError("the order is not in the form that pets writes; it was ignored") from None


def time_of(text: str) -> dt.datetime | None:
    """A time as orders write it; ``None`` for anything else, and for another spelling.

    >>> time_of("2026-11-28T12:00:00+00:00").hour, time_of("2026-11-28"), time_of("soon")
    (12, None, None)
    """
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    same = found.tzinfo is not None and found.astimezone(dt.UTC).isoformat(timespec="seconds") == text
    return found if same else None
