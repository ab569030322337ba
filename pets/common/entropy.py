"""The only source of randomness outside ``pets/synthetic``: the operating system.

Noise is not drawn here (OpenDP draws it); these are names and keys.
"""

from __future__ import annotations

import secrets
import uuid


def random_id() -> str:
    """A fresh public name, 128 random bits in hex; it says nothing about any content."""
    return secrets.token_hex(16)


def rank_key() -> int:
    """A fresh 64-bit key for choosing which rows of a person count."""
    return secrets.randbits(64)


def random_bytes(count: int) -> bytes:
    """Fresh random bytes: seeds of keys, nonces and masks."""
    return secrets.token_bytes(count)


def random_below(limit: int) -> int:
    """A uniform whole number from 0 to ``limit`` − 1."""
    return secrets.randbelow(limit)


def random_uuid() -> str:
    """A fresh version 4 UUID, for forms of others that want one."""
    return str(uuid.uuid4())
