"""Round: one query to one roster under one fresh id, signed by the key holder.

A round is public. It says what is asked, who takes part, how many must, which noise is added and under which key; and
it carries, sealed to each party, the seed of the checksum that the aggregator must not know, and that of its own tag.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from pets.common.clock import now
from pets.common.codec import Json, canonical
from pets.common.entropy import random_id
from pets.common.signing import VerifyingKey
from pets.errors import PetsError, QueryError, UserError, shown
from pets.he.keys.keyfile import read, write_new
from pets.he.keys.party import Party
from pets.he.keys.public_key import Opener, PublicKey
from pets.he.presets import SUM_PRESETS, Preset, pick, preset
from pets.plan.plan import Plan, make_plan
from pets.protection.protection import DP, Exact, Protection, Total
from pets.protection.sdc import SDC
from pets.query_model.query import Query
from pets.schema.schema import Schema

FORM = "pets-he-round"
VERSION = 1
EXTRA = 2
"""Values that every party appends to its vector: a 1, to count parties, and the tagged checksum."""
SEED = 32
"""Bytes of a seed; a party is sent that of the checksum, which all parties share, and that of its own tag."""
_DAMAGED = "this is not a round as the key holder signed it; it was edited or damaged, so ask for the original file"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Round:
    """One aggregation.

    Attributes:
        id: random and fresh; at most one total is opened for it.
        key_id: of the public key that parties encrypt under.
        query, schema: what is asked.
        preset: the parameter set.
        parties: the roster, in order of names.
        least: parties that must be in a total.
        honest: parties of a total whose noise bears the guarantee (``least`` less those that may collude).
        noise: ``DP(…)`` or, where policies allow it, ``Total()`` (``Exact()`` on invented rows); ``SDC(…)``: no noise,
            and the key holder shows what it opens by that rule alone.
        seeds: for each party, the seeds of the checksum and of its own tag, sealed to it.
        aggregator: who must sign the total (``None``: nobody need).
        signature: the key holder's.
    """

    id: str
    key_id: str
    query: Query
    schema: Schema
    preset: Preset
    parties: tuple[Party, ...]
    least: int
    honest: int
    noise: Protection
    seeds: tuple[bytes, ...]
    aggregator: VerifyingKey | None
    issued_at: str
    signature: bytes = b""

    def __post_init__(self) -> None:
        if self.query.display is not None:  # no party is sent it, and the release would not have it
            raise QueryError(
                "a round does not carry HAVING, ORDER BY, LIMIT and CASE's names of bins; ask with "
                "query.shown_as(None), and show what is opened with release.shown_as(query.display)"
            )
        names = [party.name for party in self.parties]
        if len(names) < 2:
            raise UserError("a secure total needs at least two parties; of one, ask for a release with pets.DP instead")
        if len(set(names)) < len(names) or len({p.sign.raw for p in self.parties}) < len(names):
            raise UserError("a party is on the roster twice; every party needs a name and keys of its own")
        if names != sorted(names) or len(self.seeds) != len(names):
            raise UserError(_DAMAGED)
        if not 2 <= self.least <= len(names):
            raise UserError(f"least must be from 2 to the {len(names)} parties of the roster, not {shown(self.least)}")
        if not 1 <= self.honest <= self.least:
            raise UserError(f"colluding must be from 0 to {self.least - 1}, so that one party's noise is left")
        if len(names) > self.preset.most_parties:
            raise QueryError(
                f"{len(names):,} parties are too many for parameter set {self.preset.name!r}, which holds "
                f"{self.preset.most_parties:,}; leave preset out"
            )
        _check_noise(self.noise)
        if isinstance(self.noise, SDC):
            _check_counts(self.plan, self.least, len(names))
        if isinstance(self.noise, (Total, SDC)) and self.least < 3:
            raise UserError(
                "an exact total needs at least three parties: of two, each knows the other's numbers by taking off its "
                "own; ask more parties, or with noise, pets.DP(epsilon=…, delta=…)"
            )
        if needed(self.plan, len(names), self.noise) > self.preset.reach:
            raise QueryError(
                f"parameter set {self.preset.name!r} is too small for these totals; leave preset out, or use a tighter "
                "clip, or state a smaller 'people' in the schema's table"
            )

    @cached_property
    def plan(self) -> Plan:
        """What every party computes."""
        return make_plan(self.query, self.schema)

    @property
    def numbers(self) -> int:
        """Values that every party encrypts."""
        return self.plan.size + EXTRA

    @property
    def chunks(self) -> int:
        """Ciphertexts for each plain modulus."""
        return -(-self.numbers // self.preset.degree)

    def party(self, name: object) -> Party:
        """The party of a name; raises :class:`UserError` where it is not on the roster."""
        for party in self.parties:
            if party.name == name:
                return party
        raise UserError(f"{shown(name)} is not on the roster of this round")

    def seed_for(self, name: str) -> bytes:
        """The sealed seed of a party."""
        return next(seed for party, seed in zip(self.parties, self.seeds, strict=True) if party.name == name)

    @property
    def info(self) -> bytes:
        """What a sealed seed is bound to."""
        return seed_info(self.key_id, self.id)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical form, signature included."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def signed_by(self, holder: VerifyingKey) -> bool:
        """Whether the key holder signed exactly this round."""
        return holder.verifies(self.signature, _message(self.form))

    def check(self, public: PublicKey) -> None:
        """Refuse a round that is not of this public key, or that its holder did not sign."""
        if self.key_id != public.id:
            raise UserError("the round belongs to another public key; ask the key holder which of the two is current")
        if not self.signed_by(public.holder):
            raise UserError(_DAMAGED)

    @property
    def form(self) -> Json:
        """What the key holder signs: everything but the signature."""
        return {
            "pets": FORM,
            "version": VERSION,
            "id": self.id,
            "key": self.key_id,
            "query": self.query.to_json(),
            "schema": self.schema.to_json(),
            "plan": self.plan.digest,
            "preset": self.preset.name,
            "parties": [party.to_json() for party in self.parties],
            "least": self.least,
            "honest": self.honest,
            "noise": self.noise.to_json(),
            "seeds": [seed.hex() for seed in self.seeds],
            "aggregator": None if self.aggregator is None else self.aggregator.raw.hex(),
            "issued_at": self.issued_at,
        }

    def to_bytes(self) -> bytes:
        """The canonical form, with the signature."""
        return canonical(self.form | {"signature": self.signature.hex()})

    @staticmethod
    def from_bytes(data: bytes) -> Round:
        """The inverse of :meth:`to_bytes`; raises :class:`UserError` for anything else.

        Whether the key holder signed it is checked by :meth:`check`.
        """
        return _parsed(bytes(data))

    def save(self, path: str | Path) -> Path:
        """Write the round to a file, to be given to every party."""
        return write_new(path, self.to_bytes(), "a round", owner_only=False)

    @classmethod
    def load(cls, path: str | Path) -> Round:
        """Read a round's file."""
        return cls.from_bytes(read(path, "a round"))

    def __eq__(self, other: object) -> bool:
        return self.digest == other.digest if isinstance(other, Round) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        names = ", ".join(party.name for party in self.parties[:5]) + (", …" if len(self.parties) > 5 else "")
        return (
            f"<Round {self.id[:12]}: {self.plan.size:,} totals of {len(self.parties)} parties ({names}), "
            f"{self.noise!r}, parameter set {self.preset.name}>"
        )


def make_round(
    secret: Opener,
    query: Query,
    schema: Schema,
    parties: Sequence[Party],
    noise: Protection,
    least: int | None,
    colluding: int | None,
    chosen: str | None,
    aggregator: Party | None,
) -> Round:
    """See :meth:`pets.he.secret_key.SecretKey.round`."""
    roster = _roster(parties)
    if not isinstance(schema, Schema):
        raise UserError(f"schema must be a pets.Schema, not {shown(schema)}")
    if aggregator is not None and not isinstance(aggregator, Party):
        raise UserError(f"aggregator must be a party's public half (key.public), not {shown(aggregator)}")
    _check_noise(noise)
    plan = make_plan(query, schema)
    few = len(roster) if least is None else _whole("least", least)
    apart = (1 if few >= 3 else 0) if colluding is None else _whole("colluding", colluding)
    size = pick(needed(plan, len(roster), noise), len(roster)) if chosen is None else _sum_preset(chosen)
    new = random_id()
    info, seed = seed_info(secret.public.id, new), secret.checksum_seed(new)
    unsigned = Round(
        id=new,
        key_id=secret.public.id,
        query=query,
        schema=schema,
        preset=size,
        parties=roster,
        least=few,
        honest=few - apart,
        noise=noise,
        seeds=tuple(party.seal(seed + secret.tag_seed(new, party.name), info) for party in roster),
        aggregator=None if aggregator is None else aggregator.sign,
        issued_at=now(),
    )
    return Round(**{**_fields(unsigned), "signature": secret.sign(_message(unsigned.form))})


def seed_info(key_id: str, round_id: str) -> bytes:
    """What a sealed seed is bound to: the key and the round."""
    return b"pets he seed 1\0" + key_id.encode() + b"\0" + round_id.encode()


def needed(plan: Plan, parties: int, noise: Protection) -> int:
    """The range ledger: the greatest absolute total that is possible before noise; twice that where noise is added.

    The noise's own reach is known to each party, which checks it before it encrypts.
    """
    most = max(measure.limit for measure in plan.measures)
    return max(most * parties * (2 if isinstance(noise, DP) else 1), parties)


def _check_counts(plan: Plan, least: int, parties: int) -> None:
    """What leaves by a rule of disclosure control is one count in each group, over every party of the roster."""
    if [one.kind for one in plan.measures] not in (["rows"], ["units"]) or plan.size != plan.groups:
        raise QueryError("a rule of disclosure control shows counts; ask for one pets.count() by groups, and no more")
    if least != parties:
        raise UserError("counts by a rule of disclosure control are over all parties; leave least out")


def _check_noise(noise: object) -> None:
    if isinstance(noise, (Total, Exact)):
        return
    if isinstance(noise, SDC):
        noise.check_releases()
        return
    if not isinstance(noise, DP):
        raise UserError(f"noise must be pets.DP(epsilon=…, delta=…) or pets.Total(), not {shown(noise)}")
    if noise.pure or noise.within is not None:
        raise UserError("shares of noise are Gaussian and have a cost; write DP(epsilon=…, delta=…) or DP(rho=…)")
    if noise.epsilon is not None and noise.delta is None:
        raise UserError(
            "parties may keep accounts with different deltas, so a round says its own; write "
            "DP(epsilon=…, delta=1e-6), or DP(rho=…)"
        )


def _roster(parties: object) -> tuple[Party, ...]:
    if not isinstance(parties, (list, tuple)) or not all(isinstance(party, Party) for party in parties):
        raise UserError("parties must be a list of their public halves: [key.public, …] or Party.load('north.pub')")
    return tuple(sorted(parties, key=lambda party: party.name))


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise UserError(f"{name} must be a whole number, not {shown(value)}")
    return value


def _sum_preset(name: object) -> Preset:
    found = preset(name)
    if found.name not in SUM_PRESETS:
        raise QueryError(f"parameter set {found.name!r} is for tables; for totals there are: {', '.join(SUM_PRESETS)}")
    return found


def _message(form: Json) -> bytes:
    return b"pets he round 1\0" + canonical(form)


def _fields(made: Round) -> dict[str, Any]:
    return {name: getattr(made, name) for name in Round.__dataclass_fields__}


@lru_cache(maxsize=16)
def _parsed(data: bytes) -> Round:
    """A round from its bytes. Envelopes of one round carry the same bytes: they are read once."""
    try:
        form = json.loads(data)
        holder = form["aggregator"]
        made = Round(
            id=form["id"],
            key_id=form["key"],
            query=Query.from_json(form["query"]),
            schema=Schema.from_json(form["schema"]),
            preset=_sum_preset(form["preset"]),
            parties=tuple(Party.from_json(party) for party in form["parties"]),
            least=_whole("least", form["least"]),
            honest=_whole("honest", form["honest"]),
            noise=Protection.from_json(form["noise"]),
            seeds=tuple(bytes.fromhex(seed) for seed in form["seeds"]),
            aggregator=None if holder is None else VerifyingKey(bytes.fromhex(holder)),
            issued_at=form["issued_at"],
            signature=bytes.fromhex(form["signature"]),
        )
        same = isinstance(made.id, str) and isinstance(made.key_id, str) and made.to_bytes() == data
    except (PetsError, LookupError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError):
        same = False
    if not same:
        raise UserError(_DAMAGED)
    return made
