"""Holder line: the key holder as the coordinator has it: a public key, and a way to ask whoever holds the secret one.

The coordinator never has the secret key. What it gets is a round that the key holder signed, and the numbers of one
total of it; both are signed by the key that the roster names, for exactly what was asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pets.common.entropy import random_id
from pets.common.signing import SigningKey
from pets.errors import PolicyError, UserError
from pets.federated.analyst.transport import Transport
from pets.federated.keyholder.gate import HOLDER, KNOWN, RoundRequest, check_named, numbers_from_bytes, packed
from pets.federated.messages.errors import ProtocolError
from pets.federated.messages.message import COORDINATOR, Channel, Kind, context_of, parse, said
from pets.federated.messages.roster import Roster
from pets.federated.query_round.coordinator import plain
from pets.he.keys.party import Party
from pets.he.keys.public_key import PublicKey
from pets.he.totals.round import Round
from pets.he.totals.shown_grid import ShownGrid
from pets.he.totals.total import Consent, Total
from pets.protection.protection import Protection
from pets.protection.sdc import SDC
from pets.query_model.query import Query
from pets.schema.schema import Schema

AGAIN = 2
"""How often a total is handed in where no reply comes: the key holder gives the same reply to the same request."""


@dataclass(frozen=True)
class KeyHolderClient:
    """A :class:`pets.federated.query_round.envelopes.KeyHolder` elsewhere.

    Attributes:
        public: whose secret half is elsewhere.
        roster: that names it.
        coordinator, analyst: keys to sign with; ``name`` is the analyst's.
        transport, place: the line, and the key holder's number on it.

    Raises:
        PolicyError: where the roster names another key.
    """

    public: PublicKey
    roster: Roster
    coordinator: SigningKey
    analyst: SigningKey
    name: str
    transport: Transport
    place: int

    def __post_init__(self) -> None:
        check_named(self.roster, self.public.id)

    def round(
        self,
        query: Query,
        schema: Schema,
        parties: Sequence[Party],
        noise: Protection,
        *,
        least: int | None = None,
        colluding: int | None = None,
        preset: str | None = None,
    ) -> Round:
        """A fresh round, signed by the key holder, who takes sites, threshold and assumptions from its own roster.

        Raises:
            UserError: where the key holder refuses, is away, or signed something else; nothing was charged.
        """
        wanted = RoundRequest(random_id(), self.roster.digest, self.name, query, schema, noise, preset or "")
        try:
            made = Round.from_bytes(self._asked(Kind.KEY, wanted.id, wanted.signed(self.analyst)))
            made.check(self.public)
        except ProtocolError as error:
            raise UserError(f"{error}; no site was asked") from None
        same = made.query.digest == query.digest and made.parties == tuple(parties) and made.noise == noise
        if not same or made.least != least or made.honest != made.least - (colluding or 0):
            raise UserError("the key holder signed another round than was asked for; no site was asked")
        return made

    def grid_round(
        self,
        query: Query,
        schema: Schema,
        parties: Sequence[Party],
        protection: SDC,
        *,
        least: int | None = None,
        colluding: int | None = None,
        preset: str | None = None,
    ) -> Round | ShownGrid:
        """A round for the key holder's one grid, as :meth:`round`; or the grid, where it is known.

        Raises:
            UserError: where the key holder refuses, is away, or signed something else.
        """
        wanted = RoundRequest(random_id(), self.roster.digest, self.name, query, schema, protection, preset or "")
        body = self._asked(Kind.KEY, wanted.id, wanted.signed(self.analyst))
        if body.startswith(KNOWN):
            found = self._of_holder(body[len(KNOWN) :])
            if not found.answers(query, schema, parties, protection):
                raise UserError("the key holder gave another grid than was asked for; no site was asked")
            return found
        made = Round.from_bytes(body)
        made.check(self.public)
        same = made.query.digest == query.digest and made.parties == tuple(parties) and made.noise == protection
        if not same or made.least != least or made.honest != made.least - (colluding or 0):
            raise UserError("the key holder signed another round than was asked for; no site was asked")
        return made

    def grid(self, total: Total) -> ShownGrid:
        """The total of such a round, as the key holder's rule shows it.

        Raises:
            UserError: where the key holder refuses or is away; what the sites entered stays.
        """
        return self._of_holder(self._asked(Kind.OPEN, total.round.id, packed(total.to_bytes(), []), AGAIN))

    def _of_holder(self, data: bytes) -> ShownGrid:
        found = ShownGrid.from_bytes(data)
        if found.holder.raw != self.public.holder.raw or found.round.key_id != self.public.id:
            raise ProtocolError("the grid is not signed by the key holder that the roster names; it was ignored")
        return found

    def numbers(self, total: Total, consents: Sequence[Consent] = ()) -> Any:
        """The numbers of a total, once for each round.

        Raises:
            UserError: where the key holder refuses or is away; what the sites were charged stays.
        """
        body = packed(total.to_bytes(), [one.to_bytes() for one in consents])
        numbers = numbers_from_bytes(self._asked(Kind.OPEN, total.round.id, body, AGAIN))
        if len(numbers) != total.round.plan.size:
            raise ProtocolError("the key holder's numbers are not as many as were asked for; they were ignored")
        return numbers

    def _asked(self, kind: Kind, number: str, body: bytes, tries: int = 1) -> bytes:
        """The body of the key holder's verified reply."""
        channel = Channel(self.roster, bytes.fromhex(number), context_of(self.roster), COORDINATOR, self.coordinator)
        message = {self.place: channel.write(kind, 0, body)}
        for _ in range(tries):
            reply = self.transport.exchange(message, lambda site: None).get(self.place)
            if reply is not None:
                return self._read(reply, kind, channel.query, body)
        raise ProtocolError("the key holder did not answer; is pets keyholder serve running there?")

    def _read(self, data: bytes, kind: Kind, query: bytes, body: bytes) -> bytes:
        message = parse(data)
        signed = said(message, context_of(self.roster, body))
        if message.sender != HOLDER or not self.public.holder.verifies(message.signature, signed):
            raise ProtocolError("a reply is not signed by the key holder that the roster names, for what was asked")
        if message.query != query or message.round != 0 or message.kind not in (kind, Kind.REFUSED):
            raise ProtocolError("the key holder's reply is to something else; it was ignored")
        if message.kind is Kind.REFUSED:
            raise PolicyError(f"the key holder refused: {plain(message.body)}")
        return message.body
