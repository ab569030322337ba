"""Total: the sum of a round's envelopes, made by anybody who has them; it shows nothing without the secret key.

    b"pets tot" | length | round | length | header | payload | 64 bytes: the aggregator's signature, or zeros

The header lists every part with its party, nonce, payload digest and signature, so that the key holder can check who
is in without seeing a single envelope.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pets.common.codec import Json, canonical
from pets.errors import UserError, shown
from pets.he.ciphertext_bytes import Adder, check, payload_size
from pets.he.keys.keyfile import read, write_new
from pets.he.keys.party import PartyKey
from pets.he.totals.envelope import Envelope, expected, framed, header_of, message, parsed, unframed
from pets.he.totals.round import Round

MAGIC = b"pets tot"
VERSION = 1
_NONE = bytes(64)
_DAMAGED = "this is not a total as pets.he.add made it; it was edited or damaged, so ask the aggregator for it again"


@dataclass(frozen=True)
class Part:
    """One envelope of a total: all of it but the payload.

    Attributes:
        payload: SHA-256 of the payload, in hex.
        signature: the party's, on header and payload.
    """

    party: str
    nonce: str
    payload: str
    signature: bytes

    def to_json(self) -> Json:
        """The canonical form."""
        return {
            "party": self.party,
            "nonce": self.nonce,
            "payload": self.payload,
            "signature": self.signature.hex(),
        }


@dataclass(frozen=True, repr=False, eq=False)
class Total:
    """The encrypted sum of some envelopes of one round.

    Attributes:
        round: what was asked.
        shared: as in every envelope.
        parts: who is in, in order of names.
        payload: the encrypted sum.
        signature: the aggregator's, or zeros.
    """

    round: Round
    shared: Json
    parts: tuple[Part, ...]
    payload: bytes
    signature: bytes = _NONE

    def __post_init__(self) -> None:
        if canonical(self.shared) != canonical(expected(self.round, self.shared.get("noise"), self.shared.get("data"))):
            raise UserError("the total belongs to another round, key, plan or version")
        names = [part.party for part in self.parts]
        if not names or names != sorted(set(names)):
            raise UserError("a party is in the total twice, or nobody is; every party counts once")
        for part in self.parts:
            signed = message(header_of(self.shared, part.party, part.nonce), part.payload)
            if not self.round.party(part.party).sign.verifies(part.signature, signed):
                raise UserError(f"the total names a part of party {part.party!r} that it did not sign; it is refused")
        primes = self.round.preset.chain.kept * len(self.round.preset.plain)
        check(self.payload, primes, self.round.chunks * 2 * self.round.preset.degree, "the total")
        named = self.round.aggregator
        if self.signature != _NONE if named is None else not named.verifies(self.signature, self.signed):
            raise UserError("the total does not carry the signature of the aggregator that the round names")

    @classmethod
    def assembled(cls, asked: Round, shared: Json, parts: tuple[Part, ...], payload: bytes) -> Total:
        """A total of envelopes that were each checked when they were made: their signatures are not checked twice."""
        made = cls.__new__(cls)
        given = {"round": asked, "shared": shared, "parts": parts, "payload": payload, "signature": _NONE}
        for name, value in given.items():
            object.__setattr__(made, name, value)
        return made

    @cached_property
    def survivors(self) -> str:
        """SHA-256 of who is in, with which envelopes: what the survivors consent to."""
        return hashlib.sha256(
            canonical({"round": self.round.digest, "parts": [[p.party, p.payload] for p in self.parts]})
        ).hexdigest()

    @property
    def missing(self) -> tuple[str, ...]:
        """The parties of the roster that are not in."""
        inside = {part.party for part in self.parts}
        return tuple(party.name for party in self.round.parties if party.name not in inside)

    @cached_property
    def header(self) -> bytes:
        """The canonical header."""
        return canonical(
            {
                "pets": "he-total",
                "version": VERSION,
                "shared": self.shared,
                "parts": [part.to_json() for part in self.parts],
            }
        )

    @cached_property
    def signed(self) -> bytes:
        """What an aggregator signs."""
        digests = hashlib.sha256(self.header).digest() + hashlib.sha256(self.payload).digest()
        return b"pets he total 1\0" + digests

    @property
    def digest(self) -> str:
        """SHA-256 of header and payload."""
        return hashlib.sha256(self.signed).hexdigest()

    def to_bytes(self) -> bytes:
        """What is written to a file or sent."""
        return framed(MAGIC, self.round.to_bytes(), self.header, self.payload) + self.signature

    @classmethod
    def from_bytes(cls, data: bytes) -> Total:
        """The inverse of :meth:`to_bytes`; raises :class:`UserError` for anything else."""
        asked, header, start = unframed(MAGIC, data, _DAMAGED)
        form = parsed(header, _DAMAGED)
        round_ = Round.from_bytes(asked)
        end = start + payload_size(round_.preset, round_.chunks)
        if len(data) != end + len(_NONE):
            raise UserError("the total has another length than its round says; it was cut, so ask for it again")
        made = cls(round_, _shared(form), _parts(form), data[start:end], data[end:])
        if made.header != header:
            raise UserError(_DAMAGED)
        return made

    def save(self, path: str | Path) -> Path:
        """Write the total to a file, to be given to the key holder."""
        return write_new(path, self.to_bytes(), "a total", owner_only=False)

    @classmethod
    def load(cls, path: str | Path) -> Total:
        """Read a total's file."""
        return cls.from_bytes(read(path, "a total"))

    def __repr__(self) -> str:
        return (
            f"<Total of {len(self.parts)} of {len(self.round.parties)} parties for round {self.round.id[:12]}: "
            f"{self.round.plan.size:,} encrypted totals>"
        )


@dataclass(frozen=True)
class Consent:
    """A survivor's signature on exactly who is in a total, needed where parties of the roster are missing."""

    party: str
    survivors: str
    signature: bytes

    def to_bytes(self) -> bytes:
        """The canonical form."""
        return canonical({"party": self.party, "survivors": self.survivors, "signature": self.signature.hex()})

    @classmethod
    def from_bytes(cls, data: bytes) -> Consent:
        """The inverse of :meth:`to_bytes`; raises :class:`UserError` for anything else."""
        form = parsed(data, "this is not a consent as a party signed it; ask the party for it again")
        try:
            return cls(str(form["party"]), str(form["survivors"]), bytes.fromhex(form["signature"]))
        except (KeyError, TypeError, ValueError):
            raise UserError("this is not a consent as a party signed it; ask the party for it again") from None


def consent(total: Total, party: PartyKey) -> Consent:
    """A party's consent to a total of fewer parties than the roster. Sign one set for each round, never two."""
    if not isinstance(total, Total) or not isinstance(party, PartyKey):
        raise UserError("write consent(total, party_key): the total, and the party's own key")
    if all(part.party != party.name for part in total.parts):
        raise UserError(f"party {party.name!r} is not in this total; only its survivors consent")
    return Consent(party.name, total.survivors, party.sign(consent_message(total)))


def consent_message(total: Total) -> bytes:
    """What a survivor signs."""
    return b"pets he consent 1\0" + bytes.fromhex(total.survivors)


def add(envelopes: Iterable[Envelope], *, key: PartyKey | None = None) -> Total:
    """The encrypted total of envelopes of one round. It needs no key and no engine, and learns nothing.

    Args:
        envelopes: one of each party; a generator is read one at a time.
        key: the aggregator's own key, where the round names an aggregator.

    Raises:
        UserError: for envelopes of different rounds, keys, plans or noise, for a party that is in twice, and for more
            parties than the parameter set holds.
    """
    first: Envelope | None = None
    adder: Adder | None = None
    parts: dict[str, Part] = {}
    for envelope in _each(envelopes):
        if first is None or adder is None:
            first, adder = envelope, Adder(envelope.round.preset, envelope.round.chunks)
        if envelope.round.digest != first.round.digest:
            raise UserError("the envelopes belong to different rounds; add those of one round")
        if canonical(envelope.shared) != canonical(first.shared):
            raise UserError(
                f"parties {first.party!r} and {envelope.party!r} answered with different noise, or one of them on "
                "invented rows; ask them to compare their sessions"
            )
        if envelope.party in parts:
            raise UserError(f"party {envelope.party!r} is in twice; every party counts once, so leave one out")
        adder.add(envelope.payload)
        parts[envelope.party] = Part(envelope.party, envelope.nonce, envelope.payload_digest, envelope.signature)
    if first is None or adder is None:
        raise UserError("there is nothing to add; pass the envelopes of a round")
    ordered = tuple(parts[name] for name in sorted(parts))
    named = first.round.aggregator
    if (named is None) != (key is None) or (key is not None and key.public.sign != named):
        told = "names no aggregator; leave key out" if named is None else "names its aggregator; pass that one's key="
        raise UserError(f"the round {told}")
    total = Total.assembled(first.round, first.shared, ordered, adder.payload())
    if key is not None:
        object.__setattr__(total, "signature", key.sign(total.signed))
    return total


def _each(envelopes: object) -> Iterable[Envelope]:
    if isinstance(envelopes, Envelope) or not isinstance(envelopes, Iterable):
        raise UserError(f"pass a list of envelopes, not {shown(envelopes)}")
    for envelope in envelopes:
        if not isinstance(envelope, Envelope):
            raise UserError(f"only envelopes are added, not {shown(envelope)}; read a file with Envelope.load(path)")
        yield envelope


def _shared(form: Json) -> Json:
    shared = form.get("shared")
    if not isinstance(shared, dict):
        raise UserError(_DAMAGED)
    return shared


def _parts(form: Json) -> tuple[Part, ...]:
    given: Any = form.get("parts")
    if not isinstance(given, list):
        raise UserError(_DAMAGED)
    out = []
    for part in given:
        try:
            made = Part(part["party"], part["nonce"], part["payload"], bytes.fromhex(part["signature"]))
            texts: Sequence[object] = (made.party, made.nonce, made.payload)
            if not all(isinstance(text, str) for text in texts) or len(bytes.fromhex(made.payload)) != 32:
                raise ValueError
        except (KeyError, TypeError, ValueError):
            raise UserError(_DAMAGED) from None
        out.append(made)
    return tuple(out)
