"""The checker of federated releases: every way to combine sites holds, and no lie does, whoever signs it."""

from __future__ import annotations

import base64
import copy
import json
from typing import Any

import pytest

import pets
from pets.common.codec import canonical
from pets.errors import VerificationError
from pets.federated import check_sharing
from pets.federated.analyst.sharing import signature
from pets.release.release import Release
from pets.verify.check import CannotCheck, Refused, check
from tests.unit.federated.analyst.test_sharing import QUERY, many
from tests.unit.ledger.log.test_verifier import edited, leaves
from tests.unit.verify.test_check import moved

FREE = {"values", "notes", "issued_at"}
"""Parts that may say anything: nothing follows from them. (A site's certificate is held against the rest.)"""
WAYS: list[tuple[dict[str, Any], Any, str]] = [
    ({"dropouts": 1, "sites_per_person": 2}, pets.DP(epsilon=0.7), "masked"),
    ({}, pets.DP(rho=0.5), "masked"),
    ({}, pets.DP(within=2000), "masked"),
    ({}, pets.Total(), "masked"),
    ({}, pets.DP(epsilon=1), "local"),
    ({"sites_per_person": 2}, pets.DP(epsilon=1, pure=True), "local"),
    ({"sites_per_person": 2}, pets.DP(epsilon=1), "encrypted"),
    ({}, pets.Total(), "encrypted"),
]


class World:
    """A federation whose coordinator can sign again."""

    def __init__(self, about: dict[str, Any], asked: Any, secure: str) -> None:
        self.sites = many(5, **about)
        self.release: Release = self.sites.release(QUERY, asked, secure=secure)
        self.form = self.release.form
        self.key = bytes.fromhex(self.form["sharing"]["roster"]["coordinator"])

    def signed(self, form: Any) -> bytes:
        form = copy.deepcopy(form)
        form["sharing"].pop("coordinator", None)
        form["sharing"]["coordinator"] = signature(form, self.sites._coordinator)
        return canonical(form)


@pytest.fixture(scope="module", params=range(len(WAYS)), ids=[f"{way} {asked!r}" for _, asked, way in WAYS])
def world(request: pytest.FixtureRequest) -> World:
    return World(*WAYS[request.param])


@pytest.mark.chance(0)
def test_every_way_to_combine_holds(world: World) -> None:
    said = check(canonical(world.release.to_json()), world.key)
    assert said.startswith(world.release.guarantee) and "5 of 5 sites answered" in said
    assert f"{world.form['cost']['loss']} units at each site" in said and "not checked, since" in said
    assert check(world.signed(world.form), world.key) == said
    with pytest.raises(Refused, match="another key signed it"):
        check(canonical(world.release.to_json()), bytes(32))


@pytest.mark.chance(0)
def test_signed_lies_are_refused(world: World) -> None:
    missed, tried = [], 0
    places = [path for path in leaves(world.form) if path[0] not in FREE and path[:2] != ("sharing", "certificates")]
    for path in places[:: max(1, len(places) // 60)]:
        if path[:2] == ("sharing", "coordinator"):
            continue
        tried += 1
        try:
            check(world.signed(edited(world.form, path, moved)), world.key)
        except (Refused, CannotCheck):
            continue
        missed.append(path)
    # who answered is the coordinator's word where the sites sign no list; without envelopes, keys for them serve nobody
    free = [path for path in missed if path[-1] in ("policy", "schema", "box", "delta") and "members" in path]
    assert [path for path in missed if path not in free] == [] and tried > 40


@pytest.mark.chance(0)
def test_lies_that_fit_together() -> None:
    world = World(*WAYS[0])
    for change, why in (
        (
            lambda f: f["sharing"]["noise"].update(losses=[loss // 2 for loss in f["sharing"]["noise"]["losses"]]),
            "loses",
        ),
        (lambda f: f["sharing"].update(honest=5), "of its roster"),
        (lambda f: f["sharing"]["answered"].pop(), "too few|fewer|edited"),
        (lambda f: f["sharing"]["signatures"].clear(), "too few"),
        (lambda f: f.update(guarantee=f["guarantee"].replace("across at most 2 sites", "at one site")), "in words"),
        (lambda f: f.update(scales=["1", *f["scales"][1:]]), "noise on its total"),
        (lambda f: f["sharing"]["noise"].update(refine=[2] * 3), "edited"),
        (lambda f: f["sharing"]["noise"].update(alone=True), "edited"),
    ):
        form = copy.deepcopy(world.form)
        change(form)
        with pytest.raises(Refused, match=why):
            check(world.signed(form), world.key)


@pytest.mark.chance(0)
def test_envelopes_that_no_site_signed() -> None:
    world = World(*WAYS[-2])
    other = World(*WAYS[-2]).form["sharing"]
    for change, why in (
        (lambda f: f["signatures"]["s1"].update(nonce="0" * 32), "site s1 signed another envelope"),
        (lambda f: f["signatures"].update(s1=f["signatures"]["s2"]), "site s1 signed another envelope"),
        (lambda f: f["signatures"]["s1"].update(other["signatures"]["s1"]), "site s1 signed another envelope"),
        (lambda f: f["signatures"].pop("s1"), "too few sites signed"),
        (lambda f: f["round"].update(seeds=other["round"]["seeds"]), "signed another envelope"),
        (lambda f: f["round"].update(noise={"kind": "dp", "rho": "0.001"}), "another noise"),
        (lambda f: f["round"].update(least=4), r"round is of something else \(least\)"),
        (lambda f: f["round"]["parties"].reverse(), r"something else \(parties\)"),
        (lambda f: f["terms"].update(honest=3), "tell another noise"),
        (lambda f: f["terms"].update(alone="0.000001"), "another noise of one site alone"),
        (lambda f: f.update(terms=None), "not written as pets writes it"),
    ):
        form = copy.deepcopy(world.form)
        change(form["sharing"])
        with pytest.raises(Refused, match=why):
            check(world.signed(form), world.key)
    form = copy.deepcopy(world.form)
    del form["sharing"]["terms"]
    with pytest.raises(CannotCheck, match="before releases carried the terms"):
        check(world.signed(form), world.key)


@pytest.mark.chance(0)
def test_a_certificate_of_something_else(world: World) -> None:
    form = copy.deepcopy(world.form)
    sites = form["sharing"]["certificates"]
    assert sites
    name = next(iter(sites))
    said = json.loads(base64.b64decode(sites[name]["payload"]))
    for part, value in (
        ("cost", {"currency": "zcdp", "loss": 1, "delta": 0}),
        ("query", {}),
        ("plan_sha256", "0" * 64),
    ):
        lie = said | {"predicate": said["predicate"] | {part: value}}
        sites[name] = sites[name] | {"payload": base64.b64encode(canonical(lie)).decode()}
        with pytest.raises(Refused, match="of something else"):
            check(world.signed(form), world.key)


@pytest.mark.chance(0)
def test_a_certificate_that_nobody_signed_or_that_promises_more() -> None:
    world = World(*WAYS[0])
    told = world.form["sharing"]["certificates"]
    said = "5 certificate(s) carried; whose keys signed them is not checked here"
    assert len(told) == 5 and said in check(world.signed(world.form), world.key)
    statement = json.loads(base64.b64decode(told["s1"]["payload"]))
    statement["predicate"]["guarantee"] = "Perfectly private, ε = 0.0001"
    promised = base64.b64encode(canonical(statement)).decode()
    mark = told["s1"]["signatures"][0]
    for change in (
        {"signatures": []},
        {"signatures": [mark, mark]},
        {"signatures": [mark | {"sig": ""}]},
        {"signatures": [mark | {"keyid": "s1"}]},
        {"signatures": [mark | {"more": 1}]},
        {"payloadType": "text/plain"},
        {"payload": promised},
    ):
        form = copy.deepcopy(world.form)
        form["sharing"]["certificates"]["s1"] |= change
        file = world.signed(form)
        with pytest.raises(Refused):
            check(file, world.key)
        with pytest.raises(VerificationError, match="does not follow"):
            check_sharing(Release.from_json(json.loads(file)))


@pytest.mark.chance(0)
def test_a_site_that_sent_no_envelope_did_not_answer() -> None:
    world = World({"dropouts": 1}, pets.DP(epsilon=1), "encrypted")
    said = check(world.signed(world.form), world.key)
    assert "analyst, confidence and until (local, encrypted), which no site signed" in said
    form = copy.deepcopy(world.form)
    form["sharing"]["certificates"].clear()
    check(world.signed(form), world.key)
    form["sharing"]["signatures"].pop("s0")  # four of five suffice, and s0 is still said to have answered
    with pytest.raises(Refused, match="a site answered, and signed no envelope"):
        check(world.signed(form), world.key)
    with pytest.raises(VerificationError, match="does not follow"):
        check_sharing(Release.from_json(json.loads(world.signed(form))))


@pytest.mark.chance(0)
def test_exact_answers_of_invented_rows() -> None:
    """They hold, and of real rows there are none: whoever says so, the sites' rows are named by their roster."""
    world = World({}, pets.Total(), "masked")
    with pytest.raises(Refused, match="its noise is another"):
        check(world.signed(world.form | {"protection": {"kind": "exact"}}), world.key)
    world.sites = world.sites.dummy(rows=50)
    world.form = world.sites.release(QUERY, pets.Exact()).form
    key = bytes.fromhex(world.form["sharing"]["roster"]["coordinator"])
    said = check(world.signed(world.form), key)
    assert said.startswith("Dummy data") and "5 certificate(s) carried" in said
    for change in (lambda form: form.update(data="real"), lambda form: form.update(protection={"kind": "none"})):
        form = copy.deepcopy(world.form)
        change(form)
        with pytest.raises(Refused):
            check(world.signed(form), key)


@pytest.mark.chance(0)
def test_what_cannot_be_checked(world: World) -> None:
    for change in ({"version": 2}, {"secure": "trustees"}):
        with pytest.raises(CannotCheck, match="does not know"):
            check(world.signed(world.form | {"sharing": world.form["sharing"] | change}), world.key)
