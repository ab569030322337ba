"""The primitives of masking, all from the ``cryptography`` package, each used in one way only.

X25519 (RFC 7748) agrees keys, HKDF-SHA256 (RFC 5869) derives them for one purpose and one query, ChaCha20-Poly1305 (RFC
8439) encrypts shares, and ChaCha20's key stream stretches a 32-byte seed to a mask. Every derived key is used once, so
nonces are zero.
"""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from pets.errors import InternalError
from pets.federated.combine import Words
from pets.federated.problems import ProtocolError

TAG = 16
"""Bytes that encryption adds."""


class Agreement:
    """A secret X25519 key of one query. It agrees keys; only its public half may be shown."""

    __slots__ = ("_secret", "public")

    def __init__(self, secret: bytes | None = None) -> None:
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

        self._secret: Any = (
            X25519PrivateKey.generate() if secret is None else X25519PrivateKey.from_private_bytes(secret)
        )
        self.public: bytes = self._secret.public_key().public_bytes_raw()

    def with_(self, other: bytes) -> bytes:
        """The secret shared with the holder of another key; for :func:`derive` only.

        Raises :class:`ProtocolError` for a public key of small order, which would make the secret public.
        """
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

        try:
            return bytes(self._secret.exchange(X25519PublicKey.from_public_bytes(other)))
        except ValueError:
            raise ProtocolError("a site sent a key that is none; the query was left") from None

    def reveal(self) -> bytes:
        """The secret's 32 bytes: to be shared among the other sites, and for nothing else."""
        return bytes(self._secret.private_bytes_raw())

    def __repr__(self) -> str:
        return f"<Agreement {self.public.hex()[:16]}>"

    def __reduce__(self) -> NoReturn:
        raise InternalError("a secret key is never pickled")

    def __copy__(self) -> NoReturn:
        raise InternalError("a secret key is never copied")

    def __deepcopy__(self, memo: object) -> NoReturn:
        raise InternalError("a secret key is never copied")


def derive(secret: bytes, salt: bytes, purpose: bytes) -> bytes:
    """A 32-byte key for one purpose."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return bytes(HKDF(SHA256(), 32, salt, b"pets.federated.v1 " + purpose).derive(secret))


def encrypt(key: bytes, text: bytes, about: bytes) -> bytes:
    """Authenticated encryption under a key that is used once."""
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    return bytes(ChaCha20Poly1305(key).encrypt(bytes(12), text, about))


def decrypt(key: bytes, sealed: bytes, about: bytes) -> bytes:
    """The inverse of :func:`encrypt`; raises :class:`ProtocolError` for anything that was not encrypted so."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    try:
        return bytes(ChaCha20Poly1305(key).decrypt(bytes(12), sealed, about))
    except InvalidTag:
        raise ProtocolError("shares from another site were altered on the way; the query was left") from None


def mask(seed: bytes, size: int) -> Words:
    """A seed stretched to ``size`` uniform words modulo 2^64: ChaCha20's key stream, lowest byte first."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

    stream = Cipher(algorithms.ChaCha20(seed, bytes(16)), mode=None).encryptor().update(bytes(8 * size))
    return np.frombuffer(stream, dtype="<u8").astype(np.uint64, copy=False)
