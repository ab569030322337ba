from __future__ import annotations

import json
import random

import pytest

from pets.errors import UserError
from pets.service.wire.errors import TooLargeError
from pets.service.wire.strict_json import MAX_DEPTH, MAX_VALUES, read

FINE = [
    (b'{"a": [1, 2.5, true, null, "\xc3\xa9"]}', {"a": [1, 2.5, True, None, "é"]}),
    (b'"\\ud83d\\ude00"', "😀"),  # a pair of halves is one character
    (b"0", 0),
    (b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1), None),
]

WRONG = [
    (b"", "not JSON"),
    (b"{", "not JSON"),
    (b"{'a': 1}", "not JSON"),
    (b"[1,]", "not JSON"),
    (b"\xff\xfe", "not UTF-8"),
    (b"\xef\xbb\xbf{}", "not JSON"),
    (b'{"a": 1, "a": 1}', "'a' twice"),
    (b'{"x": {"b": 1, "c": 2, "b": null}}', "'b' twice"),
    (b'{"a": 1, "\\u0061": 2}', "'a' twice"),  # the same name, written in two ways
    (b"[NaN]", "NaN"),
    (b"[-Infinity]", "-Infinity"),
    (b"[1e999]", "too large"),
    (b"[" + b"9" * 200 + b"]", "too large"),
    (b"[0." + b"1" * 5000 + b"]", "too large"),
    (b'"\\ud800"', "half a character"),
    (b'{"\\udc00": 1}', "half a character"),
    (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "levels deep"),
    (b"[" * 100_000 + b"]" * 100_000, "levels deep"),
]


@pytest.mark.parametrize(("body", "value"), FINE, ids=range(len(FINE)))
def test_plain_json_is_read(body: bytes, value: object) -> None:
    assert value is None or read(body) == value
    assert read(body) == json.loads(body)


@pytest.mark.parametrize(("body", "said"), WRONG, ids=range(len(WRONG)))
def test_what_two_readers_could_take_differently_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        read(body)
    assert ";" in str(caught.value) and len(str(caught.value)) < 200


def test_too_much_is_refused_with_its_own_code() -> None:
    assert read(b'"' + b"a" * 98 + b'"', max_bytes=100) == "a" * 98
    with pytest.raises(TooLargeError, match="more than 100 bytes"):
        read(b'"' + b"a" * 99 + b'"', max_bytes=100)
    with pytest.raises(TooLargeError, match=r"more than 50,000 values"):
        read(json.dumps([0] * MAX_VALUES).encode())
    assert len(read(json.dumps([0] * (MAX_VALUES - 1)).encode())) == MAX_VALUES - 1


def test_any_bytes_are_a_value_or_one_sentence() -> None:
    draw = random.Random(16)
    pieces = [b'{"a":', b"[", b"]", b"}", b",", b"1e9", b"NaN", b'"\\ud800"', b"\x00", b"true", b":", b'"', b"\xff"]
    for _ in range(2000):
        body = b"".join(draw.choices(pieces, k=draw.randrange(1, 12)))
        try:
            read(body)
        except UserError as error:
            assert "\n" not in str(error) and len(str(error)) < 200
