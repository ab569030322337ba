"""The secret key's seeds: what is sealed to a party serves one round, one party and nothing else."""

from __future__ import annotations

import pytest

from pets.errors import UserError
from pets.he.totals.round import seed_info
from tests.he_parties import table


def test_seeds_are_of_one_key_one_round_and_one_party() -> None:
    at, later = table(3), table(3)
    secret, key = at.secret, at.keys[0]
    rounds = [at.round.id, later.round.id]
    seeds = {secret.checksum_seed(name) for name in rounds}
    seeds |= {secret.tag_seed(name, party.name) for name in rounds for party in at.keys}
    assert len(seeds) == 2 + 2 * 3
    assert {len(seed) for seed in seeds} == {32}
    own = secret.checksum_seed(rounds[0]) + secret.tag_seed(rounds[0], key.name)
    assert key.unseal(at.round.seed_for(key.name), at.round.info) == own
    with pytest.raises(UserError, match="not sealed to this key"):
        key.unseal(at.round.seed_for(key.name), later.round.info)
    assert len({seed_info(a, b) for a in ("k", "l") for b in rounds}) == 4
