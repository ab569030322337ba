"""Envelopes: encrypted totals (:mod:`pets.he`) as a federation uses them; the one file here that knows them.

A federation's query and a round of :mod:`pets.he` are one thing under one id: the key holder signs the round for
exactly the roster's sites, the analyst's order carries it, and each site checks it against its own pinned roster and
key before anything is charged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from pets.common.codec import Json, canonical
from pets.common.signing import SigningKey, VerifyingKey
from pets.dp.shares import Shares, Spread, terms_of
from pets.errors import PolicyError, UserError
from pets.federated.messages.errors import ProtocolError, Withheld
from pets.federated.messages.roster import Member, Roster
from pets.federated.query_round.order import Order
from pets.federated.secure_sum.interface import Words
from pets.he.keys.party import Party, PartyKey, partykey_of
from pets.he.keys.public_key import PublicKey
from pets.he.presets import pick
from pets.he.totals.encrypting import check_range, encrypted_envelope, reach_of
from pets.he.totals.envelope import Envelope, expected, header_of, message
from pets.he.totals.round import Round, needed
from pets.he.totals.shown_grid import ShownGrid
from pets.he.totals.total import Consent, Total, add, consent
from pets.plan.plan import Plan, make_plan
from pets.protection.budget import UNIT
from pets.protection.protection import DP, Protection
from pets.protection.protection import Total as ExactTotal
from pets.protection.sdc import SDC
from pets.query_model.query import Query
from pets.schema.schema import Schema
from pets.sdc.grid import Grid


class KeyHolder(Protocol):
    """Who opens totals: a :class:`pets.he.SecretKey`, or something that asks one elsewhere."""

    @property
    def public(self) -> PublicKey:
        """What the sites encrypt under."""

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
        """A fresh, signed round."""

    def numbers(self, total: Total, consents: Sequence[Consent] = ()) -> Any:
        """The numbers of a total, once for each round."""

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
        """A round for the key's one grid; or the grid, where it is known."""

    def grid(self, total: Total) -> ShownGrid:
        """The total of such a round, as the rule shows it."""


def box_of(key: SigningKey) -> str:
    """The public key that rounds are sealed to, in hex: a site's entry in the roster shows it."""
    return partykey_of("site", key).public.box.hex()


def asked_for(
    holder: KeyHolder, roster: Roster, plan: Plan, protection: Protection, shares: Shares | None, schema: Schema
) -> Round:
    """The key holder's round for a query of this roster: its id becomes the query's."""
    if holder.public.id != roster.key_holder:
        raise PolicyError("the key holder has another key than the roster names; exchange a new roster")
    noise, terms = _noise(roster, plan, protection, shares), envelope_terms(roster, plan, protection, shares)
    most = max(needed(plan, roster.size, noise), reach_of(plan, roster.size, terms))
    return round_of(holder, roster, plan.query, schema, noise, pick(most, roster.size).name)


def grid_asked_for(holder: KeyHolder, roster: Roster, plan: Plan, protection: SDC, schema: Schema) -> Round | ShownGrid:
    """The key holder's round for its one grid, over all of a roster's sites; or that grid, where it is known.

    Raises:
        QueryError: for a question that is no grid.
        PolicyError: where the key holder is another than the roster names.
        UserError: where the key has another grid.
    """
    if holder.public.id != roster.key_holder:
        raise PolicyError("the key holder has another key than the roster names; exchange a new roster")
    preset = pick(max(needed(plan, roster.size, protection), reach_of(plan, roster.size, None)), roster.size).name
    return grid_round_of(holder, roster, plan.query, schema, protection, preset)


def grid_round_of(
    holder: KeyHolder, roster: Roster, query: Query, schema: Schema, protection: SDC, preset: str
) -> Round | ShownGrid:
    """The same of exactly a roster's sites and assumptions, whatever anybody else says of them."""
    check_apart(roster)
    Grid(make_plan(query, schema))
    terms = {"least": roster.size, "colluding": roster.colluding, "preset": preset}
    return holder.grid_round(query, schema, _parties(roster), protection, **terms)  # type: ignore[arg-type]


def check_apart(roster: Roster) -> None:
    """Refuse a grid over sites that share people: one person at eight of them would pass for eight people.

    Raises :class:`PolicyError`; where each site rounds its own counts, each of its people counts there once.
    """
    if roster.sites_per_person > 1:
        raise PolicyError(
            "a key holder's grid counts people over all sites, and by this roster a person may be at up to "
            f"{roster.sites_per_person} of them and would pass for as many people; use secure='masked', where each "
            "site hides and rounds its own counts"
        )


def round_of(holder: KeyHolder, roster: Roster, query: Query, schema: Schema, noise: Protection, preset: str) -> Round:
    """A round of exactly a roster's sites, threshold and assumptions, whatever anybody else says of them."""
    least = _least(roster, noise)
    return holder.round(query, schema, _parties(roster), noise, least=least, colluding=roster.colluding, preset=preset)


def round_in(order: Order) -> Round:
    """The round that an order carries."""
    return Round.from_bytes(canonical(order.round))


def of_roster(asked: Round, roster: Roster) -> bool:
    """Whether a round is of exactly a roster's sites, threshold and assumptions."""
    same = asked.parties == _parties(roster) and asked.least == _least(roster, asked.noise)
    return same and asked.honest == asked.least - roster.colluding


@dataclass(frozen=True)
class SiteEnvelopes:
    """One site's half: a round that it has checked. It holds the seed of the checksum, and shows it to nobody."""

    asked: Round
    public: PublicKey
    party: PartyKey
    seed: bytes = field(repr=False)
    terms: Json | None
    data: str
    sent: list[str] = field(default_factory=list)

    def encrypt(self, vector: Words) -> bytes:
        """The envelope of a vector that is paid for and bears its share of noise."""
        try:
            made = encrypted_envelope(
                self.asked, self.public, self.party, self.seed, vector.view(np.int64), self.terms, self.data
            )
        except UserError:
            # noise beyond 12 standard deviations: whether it happened may depend on rows
            raise Withheld("nothing leaves this site in answer to the query") from None
        self.sent.append(made.payload_digest)
        return made.to_bytes()

    def resumed(self, envelope: bytes) -> SiteEnvelopes:
        """The same, after a restart: of the envelope that was sent; no other is ever made."""
        self.sent.append(Envelope.from_bytes(envelope).payload_digest)
        return self

    def consent(self, total: bytes) -> bytes:
        """A signature on who is in a total, where this site's own envelope is in it as it was sent."""
        try:
            found = Total.from_bytes(total)
        except UserError:
            raise ProtocolError("the total to sign is not one that the sites' envelopes make; it was refused") from None
        mine = [part.payload for part in found.parts if part.party == self.party.name]
        if found.round.digest != self.asked.digest or mine != self.sent:
            raise ProtocolError(
                "the total to sign is of another query, or without this site's envelope; it was refused"
            )
        if len(found.parts) < self.asked.least:
            raise ProtocolError(f"{self.asked.least} sites are needed in a total; nothing was signed")
        return consent(found, self.party).to_bytes()


def agreed(
    order: Order, roster: Roster, plan: Plan, schema: Schema, key: SigningKey, public: PublicKey | None
) -> SiteEnvelopes:
    """This site's half of an order's round, after everything that public knowledge can refuse.

    Raises:
        PolicyError: where the round is not exactly the order's, the roster's and the pinned key holder's.
        QueryError, UserError: where the totals would not fit its parameter set.
    """
    if public is None or public.id != roster.key_holder:
        raise PolicyError(
            "this site has not pinned the public key of the key holder that the roster names; give it with "
            "site.join(roster, public_key)"
        )
    try:
        asked = Round.from_bytes(canonical(order.round))
        asked.check(public)
    except UserError:
        raise PolicyError("the order's round is not signed by the key holder that this site has pinned") from None
    place = next(number for number, one in enumerate(roster.members) if one.key == key.public.raw.hex())
    terms = envelope_terms(roster, plan, order.protection, order.shares)
    same = (
        asked.id == order.id
        and asked.query.digest == order.query.digest
        and asked.schema.digest == schema.digest
        and asked.parties == _parties(roster)
        and asked.least == _least(roster, order.protection)
        and asked.honest == asked.least - roster.colluding
        and asked.noise == _noise(roster, plan, order.protection, order.shares)
    )
    if not same:
        raise PolicyError("the key holder's round is not the order's: another query, roster, threshold or noise")
    check_range(asked, terms)
    party = partykey_of(_name(place), key)
    seed = party.unseal(asked.seed_for(party.name), asked.info)
    return SiteEnvelopes(asked, public, party, seed, terms, roster.members[place].data)


@dataclass(frozen=True)
class CoordinatorEnvelopes:
    """The coordinator's half: it checks and adds envelopes without any key, and hands the total to the key holder."""

    asked: Round
    holder: KeyHolder

    def add(self, envelopes: Mapping[int, bytes]) -> tuple[frozenset[int], bytes]:
        """Whose envelopes are of this round and signed by them, and their encrypted total."""
        good: dict[int, Envelope] = {}
        for site, data in envelopes.items():
            try:
                found = Envelope.from_bytes(data)
            except UserError:
                continue
            if found.round.digest == self.asked.digest and found.party == _name(site):
                good[site] = found
        try:
            return frozenset(good), add(good.values()).to_bytes() if good else b""
        except UserError as error:
            raise ProtocolError(f"the sites' envelopes do not add up: {error}") from None

    def signed(self, total: bytes) -> Mapping[int, Json]:
        """Of each part its nonce, the digest of its payload and the site's signature; :func:`sent` checks them."""
        parts = {part.party: part.to_json() for part in Total.from_bytes(total).parts}
        numbers = {party.name: site for site, party in enumerate(self.asked.parties)}
        return {
            numbers[name]: {key: value for key, value in form.items() if key != "party"} for name, form in parts.items()
        }

    def open(self, total: bytes, consents: Mapping[int, bytes]) -> Words:
        """The numbers; raises :class:`ProtocolError` where the key holder opens nothing."""
        try:
            signed = [Consent.from_bytes(data) for _, data in sorted(consents.items())]
            numbers = np.asarray(self.holder.numbers(Total.from_bytes(total), signed))
        except UserError as error:
            raise ProtocolError(f"the key holder opened nothing: {error}") from None
        if numbers.dtype != np.int64:
            if max(abs(int(number)) for number in numbers) >= 2**63:
                raise ProtocolError("a total passes 64 bits; use a tighter clip or a coarser step")
            numbers = numbers.astype(np.int64)
        return numbers.view(np.uint64)


@dataclass(frozen=True)
class GridEnvelopes(CoordinatorEnvelopes):
    """The same of a round for the key holder's grid, whose counts come as the rule shows them."""

    found: list[ShownGrid] = field(default_factory=list)

    def open(self, total: bytes, consents: Mapping[int, bytes]) -> Words:
        """The cells as they are shown, -1 where they are hidden; the grid itself is kept in ``found``."""
        try:
            grid = self.holder.grid(Total.from_bytes(total))
        except UserError as error:
            raise ProtocolError(f"the key holder opened nothing: {error}") from None
        if grid.round.digest != self.asked.digest or grid.holder.raw != self.holder.public.holder.raw:
            raise ProtocolError("the key holder opened this grid in another round meanwhile; ask for it again")
        self.found.append(grid)
        return grid.shown.view(np.uint64)


def of_all_sites(grid: ShownGrid, roster: Roster) -> bool:
    """Whether a key holder's grid is of exactly a roster's sites, each of which signed its envelope in it.

    By whose key the grid itself is signed, a roster does not say: it names the key holder by a digest of all its keys.
    """
    asked, data = grid.round, roster.members[0].data
    if (
        roster.sites_per_person > 1
        or not of_roster(asked, roster)
        or asked.key_id != roster.key_holder
        or grid.data != data
    ):
        return False
    shared = expected(asked, None, data)
    names = [part["party"] for part in grid.form["parts"]]
    for number, part in enumerate(grid.form["parts"]):
        said = message(header_of(shared, _name(number), part["nonce"]), part["payload"])
        if not roster.keys[number].verifies(bytes.fromhex(part["signature"]), said):
            return False
    return names == [_name(number) for number in range(roster.size)]


def sent(order: Order, roster: Roster, plan: Plan, signed: Mapping[int, Json]) -> bool:
    """Whether each of these sites signed an envelope of the order's round, for exactly this roster and noise."""
    asked = Round.from_bytes(canonical(order.round))
    terms = envelope_terms(roster, plan, order.protection, order.shares)
    shared = expected(asked, terms, roster.members[0].data)
    if asked.id != order.id or asked.query.digest != order.query.digest or asked.parties != _parties(roster):
        return False
    for site, form in signed.items():
        said = message(header_of(shared, _name(site), form["nonce"]), form["payload"])
        if not roster.keys[site].verifies(bytes.fromhex(form["signature"]), said):
            return False
    return asked.noise == _noise(roster, plan, order.protection, order.shares)


def _name(site: int) -> str:
    return f"site-{site:04d}"


def _parties(roster: Roster) -> tuple[Party, ...]:
    return tuple(_party(site, member) for site, member in enumerate(roster.members))


def _party(site: int, member: Member) -> Party:
    if not member.box:
        raise PolicyError(f"site {member.name!r} has no key for envelopes in the roster; ask it for its entry again")
    return Party(_name(site), VerifyingKey(bytes.fromhex(member.key)), bytes.fromhex(member.box))


def _least(roster: Roster, protection: Protection) -> int:
    return roster.least(everyone=isinstance(protection, (ExactTotal, SDC)))


def _noise(roster: Roster, plan: Plan, protection: Protection, shares: Shares | None) -> Protection:
    """What the round says of noise: by what the shares cost, whichever way it was asked for."""
    if shares is None:
        return protection
    return DP(rho=sum(terms_of(Spread(plan, roster.sites_per_person), shares, roster.honest, 0.5).losses) / UNIT)


def envelope_terms(roster: Roster, plan: Plan, protection: Protection, shares: Shares | None) -> Json | None:
    """What every envelope's header states of the noise, for a release to carry: the sites signed it."""
    if shares is None:
        return None
    asked = protection if isinstance(protection, DP) else DP(rho=1)
    spread = Spread(plan, roster.sites_per_person)
    return terms_of(spread, shares, roster.honest, asked.delta or roster.delta, asked.epsilon).to_json()
