"""Whole numbers as residues and back, and the tags that make a total hold each party once."""

from __future__ import annotations

import numpy as np
import pytest

from pets.he.numbers import joined, residues, tag

PRIMES = (2**60 - 93, 17179672577)


def test_a_tag_is_one_partys_and_one_moduluss() -> None:
    """With a tag that others know, n times one party's envelope would pass for the sum of n."""
    seeds = [bytes(32), b"\1" + bytes(31), bytes(31) + b"\1"]
    tags = {tag(seed, label, plain) for seed in seeds for label in ("0", "1", "10") for plain in PRIMES}
    assert len(tags) == 18
    assert all(0 <= tag(seed, "0", plain) < plain for seed in seeds for plain in PRIMES)


@pytest.mark.parametrize("plain", [PRIMES[:1], PRIMES[1:], PRIMES])
def test_numbers_come_back_with_their_signs(plain: tuple[int, ...]) -> None:
    most = (plain[0] - 1) // 2 if len(plain) == 1 else 2**70
    numbers = np.array([0, 1, -1, most, -most], dtype=object)
    parts = [residues(numbers, t) for t in plain]
    assert all((part < t).all() for part, t in zip(parts, plain, strict=True))
    assert [int(number) for number in joined(parts, plain)] == numbers.tolist()
