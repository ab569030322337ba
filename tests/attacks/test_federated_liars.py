"""Sites that sign wrong shares, keys and commitments: named where their own signature proves it, and nobody else is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

import pets
from pets.errors import ReleaseFailedError
from pets.federated import Federation, Site, SitePolicy, Totals
from pets.federated.messages.errors import Refused
from pets.federated.secure_sum import shamir
from pets.federated.secure_sum.masked import COMMITMENT, COMMITMENTS, DEALT

N = pets.query("t").agg(n=pets.count())
TOTAL = pets.Total()


def schema() -> pets.Schema:
    columns = {"id": pets.Identifier(), "ill": pets.Boolean(nullable=False)}
    return pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=1), columns, people=2**12)}, dataset="liars")


def many(count: int, **about: Any) -> Federation:
    sites = []
    for number in range(count):
        frame = pd.DataFrame({"id": [f"{number}-{i}" for i in range(60)], "ill": [True, False] * 30})
        session = pets.Session(
            schema(),
            {"t": frame},
            budget=pets.Budget(epsilon=9, delta=1e-6),
            policy=pets.Policy(allow_unbounded=True),
            progress=False,
        )
        policy = SitePolicy.open(schema(), totals=Totals(allow=True, min_cohort=1))
        sites.append(Site(session, policy=policy, name=f"s{number}"))
    return Federation(sites, **({"sites_per_person": 1, "progress": False} | about))


def lies(monkeypatch: pytest.MonkeyPatch, site: Site, number: int, change: Callable[[bytes], bytes]) -> None:
    """The site answers a round otherwise than it should, and signs it."""
    inner = site._round

    def lying(active: Any, message: Any, data: bytes) -> bytes:
        if message.round == number:
            answer = active.party.answer
            active.party.answer = lambda n, body: change(answer(n, body)) if n == number else answer(n, body)
        return inner(active, message, data)

    monkeypatch.setattr(site, "_round", lying)


def flipped(*places: int) -> Callable[[bytes], bytes]:
    def change(body: bytes) -> bytes:
        out = bytearray(body)
        for place in places:
            out[place] ^= 1
        return bytes(out)

    return change


def test_a_wrong_key_is_made_good_and_its_site_named_in_the_release(monkeypatch: pytest.MonkeyPatch) -> None:
    sites = many(5, dropouts=1)
    lies(monkeypatch, sites.sites["s3"], 4, flipped(shamir.SHARE + 5))
    release = sites.release(N, pets.DP(epsilon=8))
    assert 250 < release.table["n"][0] < 350
    named = [note for note in release.notes if "coordinator's word" in note]
    assert named == [
        "Site s3 signed a key that opens no share of those it was dealt, by the coordinator's word (this release "
        "carries no proof of it); the answer does not rest on it."
    ]
    assert not any("is not in the answer" in note for note in release.notes)


def test_a_dealer_of_wrong_shares_is_named_and_no_honest_site(monkeypatch: pytest.MonkeyPatch) -> None:
    sites = many(3)
    lies(monkeypatch, sites.sites["s1"], 1, flipped(COMMITMENT + COMMITMENTS + 20))
    with pytest.raises(ReleaseFailedError, match="own signatures, which the coordinator has") as error:
        sites.release(N, TOTAL)
    proof = "by its own signatures, which the coordinator has"
    assert sites.lost == {"s1": f"dealt shares that are of no secret that it signed, {proof}"}
    blamed = str(error.value).partition("opened at")[0]  # whoever was opened is named as charged
    assert "s1: dealt shares" in blamed and "s0" not in blamed and "s2" not in blamed


def test_what_cannot_be_proved_names_nobody_and_opens_nothing_where_it_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    sites = many(3)
    lies(monkeypatch, sites.sites["s1"], 1, flipped(COMMITMENT + DEALT))  # the commitment to s2's key
    with pytest.raises(Refused, match="whether it, the other or the coordinator is wrong cannot be proved"):
        sites.release(N, TOTAL)
    assert list(sites.lost) == ["s2"] and "'s1'" in sites.lost["s2"]
    assert list(sites.sites["s2"].session.history()["state"]) == ["voided"]


@pytest.mark.parametrize("half", [0, 1])
def test_keys_of_zeros_leave_their_site_out_and_name_no_other(monkeypatch: pytest.MonkeyPatch, half: int) -> None:
    sites = many(4, dropouts=1)
    lies(monkeypatch, sites.sites["s1"], 0, lambda body: body[: 32 * half] + bytes(32) + body[32 * half + 32 :])
    assert sites.release(N, pets.DP(epsilon=8))
    assert sites.lost == {"s1": "its message was not of the form that the round needs"}
