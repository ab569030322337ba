"""Encrypted envelopes in a federation: the pooled totals bit for bit, one round, and what the release says of keys."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pets
from pets import he
from pets.errors import PolicyError, ReleaseFailedError
from pets.federated import Federation, Roster, Site, SitePolicy, Totals
from pets.federated.messages.errors import Refused
from pets.federated.messages.message import OVERHEAD
from pets.he.keys.party import partykey_of
from pets.protection.protection import DP, Exact
from tests.attacks.test_federated_replay import Wire
from tests.conformance import _dead
from tests.unit.federated.site.test_site import BY_AGE, HALF, SCHEMA, UNBOUNDED, N, federation, sessions, spent, states
from tests.unit.session.test_session import frame

ALL_KINDS = (
    pets.query("stays")
    .group_by("age")
    .agg(
        n=pets.count(), u=pets.count_units(), s=pets.sum("days"), v=pets.variance("days"), q=pets.quantile("days", 0.5)
    )
)


def test_it_is_the_pooled_vector_in_one_round_and_the_coordinator_sees_ciphertexts_alone() -> None:
    many = federation(people=40).dummy(rows=60)
    wanted = many.release(ALL_KINDS, Exact(), secure="masked").values
    wire = Wire(many)
    release = many.release(ALL_KINDS, Exact(), secure="encrypted")
    assert release.values.dtype == np.int64
    assert (release.values == wanted).all()
    assert wanted.any()
    assert len(wire.replies) == 1
    envelopes = [he.Envelope.from_bytes(data[OVERHEAD - 64 : -64]) for data in wire.replies[0].values()]
    assert [one.party for one in envelopes] == ["site-0000", "site-0001", "site-0002"]
    assert len({one.payload for one in envelopes}) == 3


def test_exact_totals_where_every_policy_allows_them() -> None:
    rules = SitePolicy.open(SCHEMA, totals=Totals(allow=True, min_cohort=0))
    many = federation(rules=rules, policy=UNBOUNDED)
    found = many.release(BY_AGE, pets.Total(), secure="encrypted")
    own = {"stays": frame(300)}
    pooled = pets.Session(SCHEMA, own, budget=pets.Budget(epsilon=1), policy=UNBOUNDED, progress=False)
    wanted = pooled.release(BY_AGE, pets.Total()).table
    assert found.table["n"].tolist() == wanted["n"].tolist()
    assert found.table["people"].tolist() == wanted["people"].tolist()
    assert "do not collude" in found.guarantee
    with pytest.raises(Refused, match="does not allow exact totals"):
        federation(people=30).release(N, pets.Total(), secure="encrypted")


@pytest.mark.parametrize("asked", [DP(epsilon=0.5), DP(epsilon=0.5, delta=1e-8), DP(rho=0.01), DP(rho=2), DP(within=9)])
def test_noise_and_charge_are_those_of_masks(asked: DP) -> None:
    many = federation(people=60, budget=pets.Budget(epsilon=40, delta=1e-6))
    query = BY_AGE if asked.within is None else N
    masked = many.release(query, asked, secure="masked")
    half = spent(many)
    encrypted = many.release(query, asked, secure="encrypted")
    assert spent(many) == [2 * loss for loss in half]
    for name in ("cost", "epsilon", "delta", "rho", "scales", "protection"):
        assert getattr(encrypted, name) == getattr(masked, name), name
    if asked.within is None:  # one number of σ ≈ 4.5 may well come out twice; all the groups' numbers do not
        assert encrypted.values.tolist() != masked.values.tolist()


def test_what_is_said_of_the_keys() -> None:
    many = federation(people=30)
    release = many.release(N, HALF, secure="encrypted")
    assert "as long as key holder and coordinator do not collude" in release.guarantee
    assert "cannot read" in release.notes[1]
    alone = float(re.findall(r"ε = ([\d.]+) at the same δ", release.guarantee)[0])
    assert 0.5 < alone < 1.5  # of two honest shares one is left: the square root of 2 times as much, and a little
    said = many.certificates(release)["s1"].predicate
    assert said["federation"]["key_holder"][:16] in release.notes[1]
    assert "key holder and coordinator do not collude" in said["assumptions"]
    assert "key holder" not in many.release(N, HALF).guarantee


def test_the_key_holder_is_somebody_else(tmp_path: Path) -> None:
    public, secret = he.keygen()
    secret.save(tmp_path / "holder.key")
    policy = SitePolicy.open(SCHEMA)
    sites = [Site(one, policy=policy, name=f"s{i}") for i, one in enumerate(sessions(3, 30))]
    many = Federation(sites, sites_per_person=1, key_holder=secret, progress=False)
    assert many.roster.key_holder == public.id
    assert Roster.from_json(many.roster.to_json()) == many.roster
    release = many.release(N, HALF, secure="encrypted")
    loaded = he.SecretKey.load(tmp_path / "holder.key")
    assert release.id in {row[0] for row in _opened(tmp_path / "holder.key.opened")}
    assert loaded.public == public


def _opened(path: Path) -> list[Any]:
    import contextlib
    import sqlite3

    with contextlib.closing(sqlite3.connect(path)) as record:
        return record.execute("SELECT round FROM opened").fetchall()


def test_lost_sites_are_signed_for_and_the_rest_add_up() -> None:
    many = federation(5, dropouts=1, people=40).dummy(rows=60)
    wanted = many.release(BY_AGE, Exact(), secure="local").values
    many.sites["s2"].handle = _dead  # type: ignore[method-assign]
    masked = many.release(BY_AGE, Exact(), secure="masked").values
    wire = Wire(many)
    release = many.release(BY_AGE, Exact(), secure="encrypted")
    assert (release.values == masked).all()
    assert (release.values != wanted).any()
    assert len(wire.seen) == 2
    assert set(wire.seen[1]) == {0, 1, 3, 4}
    assert release.notes[0].startswith("4 of 5")


def test_too_few_sites_open_nothing() -> None:
    many = federation(4, dropouts=1, people=40)
    for name in ("s1", "s2"):
        many.sites[name].handle = _dead  # type: ignore[method-assign]
    with pytest.raises(ReleaseFailedError, match="3 sites are needed"):
        many.release(N, HALF, secure="encrypted")
    assert [bool(loss) for loss in spent(many)] == [True, False, False, True]  # an envelope left s0 and s3


def test_a_site_that_is_lost_before_it_signs_ends_the_query() -> None:
    many = federation(5, dropouts=1, people=40)
    many.sites["s2"].handle = _dead  # type: ignore[method-assign]
    inner, calls = many.sites["s3"].handle, []

    def once(data: bytes) -> bytes:
        calls.append(data)
        return inner(data) if len(calls) == 1 else _dead(data)

    many.sites["s3"].handle = once  # type: ignore[method-assign]
    with pytest.raises(ReleaseFailedError, match="4 sites are needed"):
        many.release(N, HALF, secure="encrypted")
    assert states(many)[0] == ["committed"]


def test_great_totals_take_a_greater_parameter_set() -> None:
    columns = {"id": pets.Identifier(), "v": pets.Integer(-(2**40), 2**40)}
    schema = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=1), columns, people=2**20)}, dataset="wide")
    query = pets.query("t").agg(s=pets.sum("v"), v=pets.count())
    import pandas as pd

    data = [pd.DataFrame({"id": [f"{i}", f"x{i}"], "v": [2**40, 2**40 - i]}) for i in range(3)]
    found = pets.testing.exact(schema, data, query, engine="federated", secure="encrypted")
    assert int(found["s"].iloc[0]) == 6 * 2**40 - 3


def test_a_site_without_the_key_refuses() -> None:
    public, secret = he.keygen()
    many = federation(people=30)
    stranger = he.keygen()[0]
    with pytest.raises(PolicyError, match="another key holder"):
        many.sites["s0"].join(many.roster, stranger)
    many.release(N, HALF, secure="encrypted")
    for site in many.sites.values():
        site._holders.clear()
    with pytest.raises(Refused, match="has not pinned the public key"):
        many.release(N, HALF, secure="encrypted", again=True)
    assert public.id == secret.public.id


def test_a_sites_box_comes_from_its_key() -> None:
    from pets.common import signing

    key = signing.ephemeral()
    again = signing.from_seed(key.reveal_seed())
    assert partykey_of("a", key).public == partykey_of("a", again).public
    assert partykey_of("a", key).public.box != partykey_of("a", signing.ephemeral()).public.box
    sealed = partykey_of("a", key).public.seal(b"seed", b"info")
    assert partykey_of("a", again).unseal(sealed, b"info") == b"seed"
