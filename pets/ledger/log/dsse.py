"""DSSE envelopes (Dead Simple Signing Envelope, v1): signed bytes that need no canonical form.

Source: https://github.com/secure-systems-lab/dsse, protocol.md. What is signed is the pre-authentication encoding of
the payload's type and bytes.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from pets.common.codec import Json
from pets.common.signing import SigningKey, VerifyingKey
from pets.errors import VerificationError


def encoding(kind: str, payload: bytes) -> bytes:
    """PAE(type, body) = "DSSEv1" SP len(type) SP type SP len(body) SP body.

    >>> encoding("http://example.com/HelloWorld", b"hello world")
    b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    name = kind.encode()
    return b"DSSEv1 %d %b %d %b" % (len(name), name, len(payload), payload)


def envelope(kind: str, payload: bytes, *keys: SigningKey) -> Json:
    """The payload, signed by each key."""
    message = encoding(kind, payload)
    return {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": kind,
        "signatures": [{"keyid": key.public.id, "sig": base64.b64encode(key.sign(message)).decode()} for key in keys],
    }


def opened(value: Mapping[str, Any], kind: str) -> tuple[bytes, list[tuple[str, bytes]]]:
    """The payload and the signatures (key id and bytes) of an envelope, not verified yet.

    Raises :class:`VerificationError` for anything that is not one.
    """
    try:
        payload = _bytes(value["payload"])
        signatures = [(str(s["keyid"]), _bytes(s["sig"])) for s in value["signatures"]]
        if value["payloadType"] != kind:
            raise ValueError("another type")
    except (LookupError, TypeError, ValueError, AttributeError, binascii.Error):
        raise VerificationError(f"this is not a signed envelope of type {kind!r}; ask for the original file") from None
    return payload, signatures


def _bytes(text: str) -> bytes:
    """What base64 stands for, written in the one way: its last bits can stand for nothing, and change unseen."""
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("another way to write it")
    return data


def verified(value: Mapping[str, Any], kind: str, key: VerifyingKey) -> bytes:
    """The payload, if the key signed it; raises :class:`VerificationError` if not."""
    payload, signatures = opened(value, kind)
    message = encoding(kind, payload)
    if not any(name == key.id and key.verifies(signature, message) for name, signature in signatures):
        names = ", ".join(name for name, _ in signatures) or "nobody"
        raise VerificationError(
            f"key {key.id} did not sign this (signed by {names}, or edited since); check both files"
        )
    return payload
