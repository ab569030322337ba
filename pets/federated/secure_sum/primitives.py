"""The primitives of masking, all from the ``cryptography`` package, each used in one way only.

X25519 (RFC 7748) agrees keys, HKDF-SHA256 (RFC 5869) derives them for one purpose and one query, and ChaCha20's key
stream (RFC 8439) encrypts a share and stretches a 32-byte seed to a mask. Every derived key is used once, so nonces are
zero; every ciphertext is part of a message that its sender signs (Ed25519).
"""

from __future__ import annotations

from functools import cache, lru_cache
from types import SimpleNamespace
from typing import Any, NoReturn

import numpy as np

from pets.errors import InternalError
from pets.federated.messages.errors import ProtocolError
from pets.federated.secure_sum.interface import Words

KEY = 32
"""Bytes of a derived key."""
_START = bytes(16)
"""Every derived key is used once: where its key stream begins."""


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
        try:
            return self._secret.exchange(_public(other))  # type: ignore[no-any-return]
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


@cache
def _tools() -> Any:
    """The package's classes, imported when first needed and looked up once: a query derives hundreds of keys."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return SimpleNamespace(
        public=X25519PublicKey.from_public_bytes,
        cipher=Cipher,
        stream=ChaCha20,
        sha256=SHA256(),
        hkdf=HKDF,
    )


@lru_cache(maxsize=4096)
def _public(raw: bytes) -> Any:
    """A public key as an object: a pure function of public bytes, so parties of one process may share it."""
    return _tools().public(raw)


def derive(secret: bytes, salt: bytes, purpose: bytes) -> bytes:
    """A 32-byte key for one purpose."""
    tools = _tools()
    return tools.hkdf(tools.sha256, KEY, salt, b"pets.federated.v1 " + purpose).derive(secret)  # type: ignore[no-any-return]


def encrypted(key: bytes, text: bytes) -> bytes:
    """A text under ChaCha20's key stream, and back. The key serves once; what was sent is signed by who sent it."""
    tools = _tools()
    return tools.cipher(tools.stream(key, _START), mode=None).encryptor().update(text)  # type: ignore[no-any-return]


def mask(seed: bytes, size: int) -> Words:
    """A seed stretched to ``size`` uniform words modulo 2^64: ChaCha20's key stream, lowest byte first."""
    return np.frombuffer(encrypted(seed, bytes(8 * size)), dtype="<u8").astype(np.uint64, copy=False)
