"""Envelope: one party's encrypted vector, signed. No byte of SEAL's or TenSEAL's forms crosses this boundary.

    b"pets env" | length | round | length | header | payload | Ed25519 signature

The header is canonical JSON; the payload is residues in planes (:mod:`pets.he.ciphertext_bytes`). The signature is on
SHA-256 of header and SHA-256 of payload, and the header names the round by its digest.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pets.common.codec import Json, canonical
from pets.errors import UserError
from pets.he.ciphertext_bytes import check, payload_size
from pets.he.keys.keyfile import read, write_new
from pets.he.totals.round import Round

MAGIC = b"pets env"
VERSION = 1
_SIGNATURE = 64
_MAX_HEADER = 2**20
_MAX_ROUND = 2**28
_HEX = re.compile(r"[0-9a-f]{32}")
_DAMAGED = "this is not an envelope as a party signed it; it was edited or damaged, so ask the party for it again"


@dataclass(frozen=True, repr=False, eq=False)
class Envelope:
    """What one party sends to the aggregator.

    Attributes:
        round: what it answers.
        shared: what must be the same in every envelope of the round: key, plan, parameter set, sizes, noise terms.
        party: whose it is.
        nonce: random; two envelopes of one party differ in it.
        payload: the encrypted vector.
        signature: the party's.
    """

    round: Round
    shared: Json
    party: str
    nonce: str
    payload: bytes
    signature: bytes

    def __post_init__(self) -> None:
        if canonical(self.shared) != canonical(expected(self.round, self.shared.get("noise"), self.shared.get("data"))):
            raise UserError(f"the envelope of party {self.party!r} belongs to another round, key, plan or version")
        if not isinstance(self.nonce, str) or not _HEX.fullmatch(self.nonce):
            raise UserError(_DAMAGED)
        party = self.round.party(self.party)
        if not party.sign.verifies(self.signature, message(self.header, self.payload_digest)):
            raise UserError(
                f"the envelope of party {self.party!r} does not carry its signature; it was edited, damaged or made by "
                "somebody else, so ask the party for it again"
            )
        preset, chunks = self.round.preset, self.round.chunks
        primes = preset.chain.kept * len(preset.plain)
        check(self.payload, primes, chunks * 2 * preset.degree, f"the envelope of party {self.party!r}")

    @cached_property
    def header(self) -> bytes:
        """The signed header."""
        return header_of(self.shared, self.party, self.nonce)

    @cached_property
    def payload_digest(self) -> str:
        """SHA-256 of the payload."""
        return hashlib.sha256(self.payload).hexdigest()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of header and payload, which the signature is on."""
        return hashlib.sha256(message(self.header, self.payload_digest)).hexdigest()

    def to_json(self) -> Json:
        """A description of it for logs: the header, and the payload's digest in place of the payload."""
        return json.loads(self.header) | {"payload": self.payload_digest}  # type: ignore[no-any-return]

    def to_bytes(self) -> bytes:
        """What is written to a file or sent."""
        return framed(MAGIC, self.round.to_bytes(), self.header, self.payload) + self.signature

    @classmethod
    def from_bytes(cls, data: bytes) -> Envelope:
        """The inverse of :meth:`to_bytes`.

        Everything is checked: lengths, canonical form, the party's signature, and that every residue is below its
        prime. Nothing is decrypted and no engine is asked.

        Raises:
            UserError: for anything that a party of the round did not sign.
        """
        asked, header, start = unframed(MAGIC, data, _DAMAGED)
        form = parsed(header, _DAMAGED)
        round_ = Round.from_bytes(asked)
        end = start + payload_size(round_.preset, round_.chunks)
        if len(data) != end + _SIGNATURE:
            raise UserError("the envelope has another length than its round says; it was cut, so ask for it again")
        party, nonce = form.pop("party", None), form.pop("nonce", None)
        return cls(round_, form, party, nonce, data[start:end], data[end:])

    def save(self, path: str | Path) -> Path:
        """Write the envelope to a file."""
        return write_new(path, self.to_bytes(), "an envelope", owner_only=False)

    @classmethod
    def load(cls, path: str | Path) -> Envelope:
        """Read an envelope's file."""
        return cls.from_bytes(read(path, "an envelope"))

    def __eq__(self, other: object) -> bool:
        return self.digest == other.digest if isinstance(other, Envelope) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return (
            f"<Envelope of party {self.party!r} for round {self.round.id[:12]}: {self.round.numbers:,} encrypted "
            f"values, {len(self.payload):,} bytes>"
        )


def expected(round_: Round, noise: object, data: object) -> Json:
    """The shared part of a header for a round, with these noise terms on rows of this kind."""
    if data not in ("real", "dummy") or not (noise is None or isinstance(noise, dict)):
        raise UserError(_DAMAGED)
    if (noise is None) == (round_.noise.kind == "dp"):
        raise UserError("the envelope's noise is not what the round asks for")
    return {
        "pets": "he-envelope",
        "version": VERSION,
        "round": round_.digest,
        "key": round_.key_id,
        "plan": round_.plan.digest,
        "preset": round_.preset.name,
        "values": round_.numbers,
        "chunks": round_.chunks,
        "noise": noise,
        "data": data,
    }


def header_of(shared: Mapping[str, Any], party: str, nonce: str) -> bytes:
    """The header that a party signs."""
    return canonical({**shared, "party": party, "nonce": nonce})


def message(header: bytes, payload_digest: str) -> bytes:
    """What a party signs: its header and the digest of its payload."""
    return b"pets he envelope 1\0" + hashlib.sha256(header).digest() + bytes.fromhex(payload_digest)


def framed(magic: bytes, asked: bytes, header: bytes, payload: bytes) -> bytes:
    """Magic, round and header with their lengths, payload."""
    lengths = [len(part).to_bytes(4, "little") for part in (asked, header)]
    return b"".join((magic, lengths[0], asked, lengths[1], header, payload))


def unframed(magic: bytes, data: object, damaged: str) -> tuple[bytes, bytes, int]:
    """Round, header, and where the rest begins; raises :class:`UserError` where they do not fit."""
    if not isinstance(data, bytes) or not data.startswith(magic):
        raise UserError(damaged)
    start = len(magic)
    parts = []
    for most in (_MAX_ROUND, _MAX_HEADER):
        length = int.from_bytes(data[start : start + 4], "little")
        start += 4
        if length > most or start + length > len(data):
            raise UserError(damaged)
        parts.append(data[start : start + length])
        start += length
    return parts[0], parts[1], start


def parsed(header: bytes, damaged: str) -> Json:
    """A header's JSON object, in canonical form only."""
    try:
        form = json.loads(header)
        same = isinstance(form, dict) and canonical(form) == header
    except (ValueError, TypeError, RecursionError, UserError):
        same = False
    if not same:
        raise UserError(damaged)
    return form  # type: ignore[no-any-return]
