"""DSSE envelopes: the vector of the specification, and everything that is not one."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from pets.common import signing
from pets.errors import VerificationError
from pets.ledger.log import dsse

KIND = "http://example.com/HelloWorld"
KEY = signing.ephemeral()


def envelope() -> dict[str, Any]:
    return dsse.envelope(KIND, b"hello world", KEY)


def test_the_vector_of_the_specification() -> None:
    # https://github.com/secure-systems-lab/dsse/blob/master/protocol.md#test-vectors
    assert dsse.encoding(KIND, b"hello world") == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert envelope()["payload"] == "aGVsbG8gd29ybGQ="
    assert envelope()["payloadType"] == KIND


def test_lengths_are_of_bytes() -> None:
    assert dsse.encoding("é", "ü".encode()) == b"DSSEv1 2 \xc3\xa9 2 \xc3\xbc"


def test_what_is_signed_is_type_and_payload() -> None:
    signature = base64.b64decode(envelope()["signatures"][0]["sig"])
    assert KEY.public.verifies(signature, dsse.encoding(KIND, b"hello world"))
    assert dsse.verified(envelope(), KIND, KEY.public) == b"hello world"


def test_several_keys_may_sign() -> None:
    other = signing.ephemeral()
    both = dsse.envelope(KIND, b"hello world", KEY, other)
    for key in (KEY, other):
        assert dsse.verified(both, KIND, key.public) == b"hello world"


@pytest.mark.parametrize(
    "edit",
    [
        {"payload": "aGVsbG8gd29ybGR="},
        {"payload": base64.b64encode(b"hello worle").decode()},
        {"payload": "a"},
        {"payload": 7},
        {"payloadType": "text/plain"},
        {"signatures": []},
        {"signatures": [{"keyid": "x"}]},
        {"signatures": None},
        {"signatures": [{"keyid": KEY.public.id, "sig": base64.b64encode(bytes(64)).decode()}]},
        {"signatures": [{"keyid": "0" * 16, "sig": envelope()["signatures"][0]["sig"]}]},
    ],
)
def test_an_edited_envelope_is_refused(edit: dict[str, Any]) -> None:
    with pytest.raises(VerificationError):
        dsse.verified(envelope() | edit, KIND, KEY.public)


def test_another_key_did_not_sign() -> None:
    with pytest.raises(VerificationError, match=f"signed by {KEY.public.id}"):
        dsse.verified(envelope(), KIND, signing.ephemeral().public)
