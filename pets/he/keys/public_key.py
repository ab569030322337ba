"""The key holder's public key, and what the rest of this package asks of the secret one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from pets.common.codec import Json, canonical
from pets.common.signing import VerifyingKey
from pets.errors import UserError
from pets.he.ciphertext_bytes import check, pack, size, unpack
from pets.he.keys.keyfile import read, write_new
from pets.he.presets import CHAINS, Chain
from pets.he.tenseal_engine import U64

_FORM = "pets-he-public-1"
_LOST = "this is not a public key as pets wrote it, or it was damaged; ask the key holder for the file again"


class PublicKey:
    """What owners encrypt under. It may be shown and given to anybody.

    Attributes:
        holder: checks what the key holder signed.
        id: SHA-256 of parameters and keys; compare it with the key holder on another channel, such as by telephone.
    """

    __slots__ = ("_bytes", "_keys", "holder", "id")

    def __init__(self, holder: VerifyingKey, keys: Mapping[str, U64]) -> None:
        self.holder = holder
        self._keys = MappingProxyType(dict(keys))
        self._bytes = _public_bytes(holder, keys)
        self.id = hashlib.sha256(self._bytes).hexdigest()

    def of(self, chain: Chain) -> U64:
        """The public key of a chain; raises :class:`UserError` where it was made without."""
        if chain.name not in self._keys:
            raise UserError(
                "this public key was made for sums only; products of encrypted columns need "
                "pets.he.keygen(products=True)"
            )
        return self._keys[chain.name]

    def to_bytes(self) -> bytes:
        """The canonical form."""
        return self._bytes

    @classmethod
    def from_bytes(cls, data: bytes) -> PublicKey:
        """The inverse of :meth:`to_bytes`; raises :class:`UserError` for anything else."""
        try:
            length = int.from_bytes(data[:4], "little")
            head = json.loads(data[4 : 4 + length])
            names = tuple(head["chains"])
            if head["form"] != _FORM or canonical(head) != data[4 : 4 + length] or len(set(names)) < len(names):
                raise ValueError
            keys, start = {}, 4 + length
            for name in names:
                chain = CHAINS[name]
                numbers = 2 * chain.degree
                part = data[start : start + size(chain.primes, numbers)]
                check(part, chain.primes, numbers, "the public key")
                keys[name] = unpack(part, chain.primes, (2, len(chain.primes), chain.degree))
                start += len(part)
            made = cls(VerifyingKey(bytes.fromhex(head["holder"])), keys)
            if made._bytes != data:
                raise ValueError
        except (ValueError, TypeError, KeyError, RecursionError, UserError):
            raise UserError(_LOST) from None
        return made

    def save(self, path: str | Path) -> Path:
        """Write the public file, to be given to every owner."""
        return write_new(path, self._bytes, "a public key", owner_only=False)

    @classmethod
    def load(cls, path: str | Path) -> PublicKey:
        """Read a public key's file."""
        return cls.from_bytes(read(path, "a public key"))

    def __eq__(self, other: object) -> bool:
        return self.id == other.id if isinstance(other, PublicKey) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)

    def __reduce__(self) -> tuple[Any, ...]:
        return (PublicKey.from_bytes, (self._bytes,))

    def __repr__(self) -> str:
        return f"<PublicKey {self.id[:16]}>"


class Opener(Protocol):
    """What making rounds and opening totals need of a :class:`pets.he.secret_key.SecretKey`."""

    @property
    def public(self) -> PublicKey:
        """Its public half."""

    def sign(self, message: bytes) -> bytes:
        """The key holder's signature of a message."""

    def checksum_seed(self, round_id: str) -> bytes:
        """The secret seed of a round's checksum."""

    def tag_seed(self, round_id: str, party: str) -> bytes:
        """The secret seed of one party's tag."""

    def claim(self, round_id: str, total: str) -> None:
        """Write down that a round is being opened; refuses the second time."""

    def keep(self, name: str, body: bytes) -> bytes:
        """Write down what is kept under a name, once for all."""

    def kept(self, name: str) -> bytes | None:
        """What is kept under a name."""

    def reveal(self, chain: Chain) -> U64:
        """The secret of a chain, for decrypting."""


def _public_bytes(holder: VerifyingKey, keys: Mapping[str, U64]) -> bytes:
    head: Json = {
        "form": _FORM,
        "holder": holder.raw.hex(),
        "chains": list(keys),
        "primes": {name: list(CHAINS[name].primes) for name in keys},
    }
    text = canonical(head)
    parts = [pack(key, CHAINS[name].primes) for name, key in keys.items()]
    return b"".join((len(text).to_bytes(4, "little"), text, *parts))
