"""Signing keys: Ed25519 handles that cannot be made, printed, copied or pickled by accident.

The secret stays inside a :class:`SigningKey`; only :func:`generate` and :func:`from_seed` give one. What may be handed
out is the :class:`VerifyingKey`. Source of the signatures: RFC 8032, through the ``cryptography`` package.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any, NoReturn

from pets.entropy import random_bytes
from pets.errors import InternalError, UserError, missing_extra

_MAKE = object()


def _ed25519() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise missing_extra("signing", "he") from None
    return ed25519


@lru_cache(maxsize=4096)
def _public(raw: bytes) -> Any:
    return _ed25519().Ed25519PublicKey.from_public_bytes(raw)


class VerifyingKey:
    """A public key: checks signatures, may be shown and given to anybody."""

    __slots__ = ("raw",)

    def __init__(self, raw: bytes) -> None:
        if not isinstance(raw, bytes) or len(raw) != 32:
            raise UserError("a public signing key has 32 bytes; ask its owner for the public file again")
        self.raw = raw

    @property
    def id(self) -> str:
        """Its public name: the first 16 hex digits of SHA-256 of its 32 bytes."""
        return hashlib.sha256(self.raw).hexdigest()[:16]

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether the signature is this key's on exactly this message."""
        from cryptography.exceptions import InvalidSignature

        try:
            _public(self.raw).verify(signature, message)
        except (InvalidSignature, ValueError):  # ValueError: 32 bytes that are no point of the curve
            return False
        return True

    def __eq__(self, other: object) -> bool:
        return self.raw == other.raw if isinstance(other, VerifyingKey) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        return f"<VerifyingKey {self.id}>"


class SigningKey:
    """A secret Ed25519 key. It signs; it shows only its public half."""

    __slots__ = ("_seed", "public")

    def __init__(self, seed: bytes, *, made: object = None) -> None:
        if made is not _MAKE:
            raise InternalError("signing keys come from generate() or from_seed()")
        secret = _ed25519().Ed25519PrivateKey.from_private_bytes(seed)
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        self._seed = seed
        self.public = VerifyingKey(secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature of a message."""
        return bytes(_ed25519().Ed25519PrivateKey.from_private_bytes(self._seed).sign(message))

    def reveal_seed(self) -> bytes:
        """The secret itself, for writing a key file; the one name to search for in a review."""
        return self._seed

    def __repr__(self) -> str:
        return f"<SigningKey {self.public.id}>"

    def __reduce__(self) -> NoReturn:
        raise InternalError("a signing key is never pickled")

    def __copy__(self) -> NoReturn:
        raise InternalError("a signing key is never copied")

    def __deepcopy__(self, memo: object) -> NoReturn:
        raise InternalError("a signing key is never copied")


def generate() -> SigningKey:
    """A fresh key from the operating system's randomness."""
    return SigningKey(random_bytes(32), made=_MAKE)


def from_seed(seed: bytes) -> SigningKey:
    """The key of a 32-byte seed; raises :class:`UserError` for any other length."""
    if not isinstance(seed, bytes) or len(seed) != 32:
        raise UserError("this is not a secret signing key; restore its file from your backup of the keys")
    return SigningKey(seed, made=_MAKE)
