"""Signing keys: Ed25519 handles that cannot be made, printed, copied or pickled by accident.

The secret stays inside a :class:`SigningKey`; only ``load_or_make``, ``generate`` and ``from_seed`` give one. What may
be handed out is the :class:`VerifyingKey`. Source of the signatures: RFC 8032, through the ``cryptography`` package.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

from pets.common.entropy import random_bytes
from pets.common.files import only_owner_writes
from pets.errors import InternalError, UserError

_MAKE = object()


def key_id(public: bytes) -> str:
    """The public name of a key: the first 16 hex digits of SHA-256 of its 32 raw bytes."""
    return hashlib.sha256(public).hexdigest()[:16]


@lru_cache(maxsize=4096)
def _public(raw: bytes) -> Any:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    return Ed25519PublicKey.from_public_bytes(raw)


class VerifyingKey:
    """A public key: checks signatures, may be shown and given to anybody."""

    __slots__ = ("raw",)

    def __init__(self, raw: bytes) -> None:
        if not isinstance(raw, bytes) or len(raw) != 32:
            raise UserError("a public signing key has 32 bytes; ask its owner for the public file again")
        self.raw = raw

    @property
    def id(self) -> str:
        """See :func:`key_id`."""
        return key_id(self.raw)

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

    __slots__ = ("_secret", "public")

    def __init__(self, secret: Any, *, made: object = None) -> None:
        if made is not _MAKE:
            raise InternalError("a signing key comes from load_or_make(), generate() or from_seed()")
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        self._secret = secret
        self.public = VerifyingKey(secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature of a message."""
        return bytes(self._secret.sign(message))

    def reveal_seed(self) -> bytes:
        """The secret itself, for writing a key file; the one name to search for in a review."""
        return bytes(self._secret.private_bytes_raw())

    def __repr__(self) -> str:
        return f"<SigningKey {self.public.id}>"

    def __reduce__(self) -> NoReturn:
        raise InternalError("a signing key is never pickled")

    def __copy__(self) -> NoReturn:
        raise InternalError("a signing key is never copied")

    def __deepcopy__(self, memo: object) -> NoReturn:
        raise InternalError("a signing key is never copied")


def generate() -> SigningKey:
    """A fresh key from the operating system's randomness; it lives as long as this process unless it is saved."""
    return from_seed(random_bytes(32))


ephemeral = generate
"""The name for keys that are never saved."""


def from_seed(seed: bytes) -> SigningKey:
    """The key of a 32-byte seed; raises :class:`UserError` for any other length."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if not isinstance(seed, bytes) or len(seed) != 32:
        raise UserError("this is not a secret signing key; restore its file from your backup of the keys")
    return SigningKey(Ed25519PrivateKey.from_private_bytes(seed), made=_MAKE)


def load_or_make(path: Path) -> SigningKey:
    """The key in a file; on first use it is generated there, readable by its owner only, its public half beside it.

    Raises :class:`UserError` for a file that others may read, or that holds no key.
    """
    if not path.exists():
        _make(path)
    key = _load(path)
    if not path.with_suffix(".pub").exists():
        with contextlib.suppress(OSError):
            _publish(path, key.public)
    return key


def _make(path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    secret = Ed25519PrivateKey.generate()
    pem = secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = path.with_name(f"{path.name}.{os.getpid()}.new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
            handle.write(pem)
            handle.flush()
            os.fsync(handle.fileno())
        try:
            os.link(new, path)  # fails where another process was first: its key is then the key
        except FileExistsError:
            pass
        finally:
            new.unlink()
        public = _load(path).public
        _publish(path, public)
    except OSError as error:
        raise UserError(f"the signing key cannot be written to {str(path)!r} ({error.strerror})") from None


def _publish(path: Path, key: VerifyingKey) -> None:
    """The public half, beside the key: for everybody to read, and for its owner alone to write."""
    file = os.open(path.with_suffix(".pub"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    with os.fdopen(file, "w", encoding="ascii") as handle:
        only_owner_writes(file)
        handle.write(key.raw.hex() + "\n")


def _load(path: Path) -> SigningKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise UserError(f"the signing key {str(path)!r} can be read by others; run: chmod 600 {path}")
        secret = load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise UserError(f"the signing key {str(path)!r} cannot be read ({error.strerror})") from None
    except (ValueError, TypeError):
        raise UserError(f"{str(path)!r} holds no signing key; restore it from your backup of the keys") from None
    if not isinstance(secret, Ed25519PrivateKey):
        raise UserError(f"{str(path)!r} holds a key of another kind; restore it from your backup of the keys")
    return SigningKey(secret, made=_MAKE)


def load_public(path: Path) -> VerifyingKey:
    """A public key from a ``.pub`` file (64 hex digits)."""
    try:
        return VerifyingKey(bytes.fromhex(path.read_text("ascii").strip()))
    except OSError as error:
        raise UserError(f"the public key {str(path)!r} cannot be read ({error.strerror})") from None
    except ValueError:
        raise UserError(f"{str(path)!r} holds no public key; it has 64 hex digits") from None
