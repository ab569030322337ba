"""Envelopes as a party makes them: within its part of the range, and signed by nobody else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pets import he
from pets.errors import UserError
from pets.he.totals.encrypting import reach
from tests.he_parties import table


def test_a_number_beyond_one_partys_range_never_leaves() -> None:
    at = table(3)
    most = reach(at.round, None) // 3
    assert most == 1000  # as many people as the schema says
    at.envelope(0, [most, -most, 0, 0, 0])
    for beyond in ([most + 1, 0, 0, 0, 0], [0, 0, -most - 1, 0, 0], [0] * 4, [0] * 6):
        with pytest.raises(UserError, match="do not fit the round's range; nothing left"):
            at.envelope(0, beyond)


def test_an_envelope_is_signed_by_its_party_alone() -> None:
    at = table(3)
    true, other = at.envelope(0, [1, 2, 3, 4, 5]), at.envelope(1, [1, 2, 3, 4, 5])
    assert he.Envelope.from_bytes(true.to_bytes()) == true
    for change in (
        {"signature": other.signature},
        {"signature": bytes(64)},
        {"party": other.party},
        {"nonce": other.nonce},
        {"payload": other.payload},
    ):
        with pytest.raises(UserError, match="does not carry its signature"):
            replace(true, **change)  # type: ignore[arg-type]
