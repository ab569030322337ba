"""Rounds of a federation: exactly a roster's sites, threshold and assumptions, whoever asks for one."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

import pets
from pets.common import signing
from pets.errors import PolicyError
from pets.federated.query_round.envelopes import box_of, of_roster, round_of
from tests.parties import make_roster
from tests.unit.session.test_session import SCHEMA

QUERY = pets.query("stays").agg(n=pets.count())


class Holder:
    """Keeps what it was asked for, in place of a round."""

    def round(self, query: Any, schema: Any, parties: Any, noise: Any, **settings: Any) -> Any:
        honest = settings["least"] - settings["colluding"]
        return SimpleNamespace(parties=tuple(parties), least=settings["least"], honest=honest, noise=noise)


def test_an_exact_total_takes_every_site_whatever_may_be_lost() -> None:
    """Two exact totals that differ by one site would show that site."""
    keys = [signing.ephemeral() for _ in range(5)]
    bare = make_roster(keys, keys[0], dropouts=1)
    with pytest.raises(PolicyError, match="no key for envelopes"):
        round_of(Holder(), bare, QUERY, SCHEMA, pets.Total(), "sum60")  # type: ignore[arg-type]
    members = tuple(replace(one, box=box_of(key)) for one, key in zip(bare.members, keys, strict=True))
    roster = replace(bare, members=members)
    for noise, least in ((pets.Total(), 5), (pets.DP(rho=0.1), 4), (pets.Exact(), 4)):
        made = round_of(Holder(), roster, QUERY, SCHEMA, noise, "sum60")  # type: ignore[arg-type]
        assert (made.least, made.honest, len(made.parties)) == (least, least - 1, 5)
        assert of_roster(made, roster)
        assert not of_roster(made, replace(roster, colluding=0))
        for change in ({"least": 3}, {"honest": least}, {"parties": made.parties[:4]}):
            assert not of_roster(SimpleNamespace(**(vars(made) | change)), roster)  # type: ignore[arg-type]
