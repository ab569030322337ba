"""Files of keys: secrets readable by their owner only, encrypted by a passphrase where one is given.

A passphrase is stretched by scrypt (RFC 7914; N = 2^17, r = 8, p = 1: about 0.3 s and 128 MB a try), and the result
encrypts the file with ChaCha20-Poly1305 (RFC 8439).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from pets.common.entropy import random_bytes
from pets.errors import UserError, missing_extra, shown

_ENCRYPTED = b"pets sealed 1\n"
_OPEN = b"pets secret 1\n"
_SALT, _NONCE = 16, 12


def new_path(path: object, what: str) -> Path:
    """A path where no file is yet, in a folder that is there now."""
    try:
        target = Path(path)  # type: ignore[arg-type]
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        taken = target.exists()
    except OSError as error:
        raise UserError(f"{what} cannot be written to {str(path)!r} ({error.strerror})") from None
    except (TypeError, ValueError):
        raise UserError(f"{what} is written to a path such as 'key', not to {shown(path)}") from None
    if taken:
        raise UserError(f"{str(target)!r} exists already, and {what} is never overwritten; choose another name")
    return target


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_new(path: str | Path, data: bytes, what: str, *, owner_only: bool) -> Path:
    """Write a file that must not exist yet, durably; a key is never overwritten."""
    target = new_path(path, what)
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if owner_only else 0o644)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(target.parent)
    except FileExistsError:
        raise UserError(
            f"{str(target)!r} exists already, and {what} is never overwritten; choose another name"
        ) from None
    except OSError as error:
        raise UserError(f"{what} cannot be written to {str(path)!r} ({error.strerror})") from None
    return target


def read(path: str | Path, what: str) -> bytes:
    """The bytes of a file; raises :class:`UserError` where it cannot be read."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{what} cannot be read from {str(path)!r} ({error.strerror})") from None
    except (TypeError, ValueError):
        raise UserError(f"{what} is read from a path such as 'key', not from {shown(path)}") from None


def write_secret(path: str | Path, secret: bytes, passphrase: str | None, what: str) -> Path:
    """Write a secret, readable by its owner only; with a passphrase, encrypted."""
    return write_new(
        path, _OPEN + secret if passphrase is None else _encrypted(secret, passphrase), what, owner_only=True
    )


def read_secret(path: str | Path, passphrase: str | None, what: str) -> bytes:
    """Read what :func:`write_secret` wrote.

    Raises:
        UserError: for a file that others may read, a wrong passphrase, or something else.
    """
    data = read(path, what)
    if Path(path).stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UserError(f"{what} {str(path)!r} can be read by others; run: chmod 600 {path}")
    if data.startswith(_OPEN):
        if passphrase is not None:
            raise UserError(f"{what} {str(path)!r} has no passphrase; leave passphrase out")
        return data[len(_OPEN) :]
    if not data.startswith(_ENCRYPTED):
        raise UserError(f"{str(path)!r} does not hold {what}; restore it from your backup of the keys")
    if passphrase is None:
        raise UserError(f"{what} {str(path)!r} is encrypted; give its passphrase")
    return _decrypted(data, passphrase, what)


def _encrypted(secret: bytes, passphrase: str) -> bytes:
    if not isinstance(passphrase, str) or len(passphrase) < 8:
        raise UserError("a passphrase is a text of at least 8 characters; several random words are best")
    salt, nonce = random_bytes(_SALT), random_bytes(_NONCE)
    head = _ENCRYPTED + salt + nonce
    return head + bytes(_cipher(passphrase, salt).encrypt(nonce, secret, head))


def _decrypted(data: bytes, passphrase: str, what: str) -> bytes:
    from cryptography.exceptions import InvalidTag

    start = len(_ENCRYPTED)
    salt, nonce = data[start : start + _SALT], data[start + _SALT : start + _SALT + _NONCE]
    head, body = data[: start + _SALT + _NONCE], data[start + _SALT + _NONCE :]
    try:
        return bytes(_cipher(passphrase, salt).decrypt(nonce, body, head))
    except (InvalidTag, ValueError):
        raise UserError(f"the passphrase does not open {what}, or the file was damaged") from None


def _cipher(passphrase: str, salt: bytes) -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
        from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
    except ImportError:
        raise missing_extra("a passphrase", "he") from None
    if not isinstance(passphrase, str):
        raise UserError(f"a passphrase is a text, not {shown(passphrase)}")
    stretched = Scrypt(salt=salt, length=32, n=2**17, r=8, p=1).derive(passphrase.encode("utf-8", "surrogatepass"))
    return ChaCha20Poly1305(stretched)
